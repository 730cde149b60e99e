"""Virtual time: what a simulation feeds, when it stops, and how chance is taken out of a topology."""

from __future__ import annotations

import pytest

from processor.core.time import DAY_MS, HOUR_MS, parse_time
from processor.core.turn import NEVER_MS
from processor.language import load_topology
from processor.runtime.simulate import LOOK_AHEAD_MS, Simulation, forced

TOPOLOGY = """
topology: test
events:
  signed_up: {}
  seen: {page: string?}
profile: {birthday: date}
purposes: {service: {consent: not_required}}
channels: {email: {}, push: {}}
scores: {liveliness: {half_life: 10d, grades: {cold: 0, warm: 5}, rules: [{on: seen, add: 10}]}}
policies: {holdout: 10}
"""
PROGRAMS = {
    "series": """
program: series
purpose: service
holdout: 20
entry: {on: signed_up}
reenter: always
steps:
  - {send: email, template: one}
  - wait: 1d
  - split:
      a: {share: 50, steps: [{send: email, template: two}]}
      b: {share: 50, steps: [{send: push, template: two}]}
    id: side
""",
    "birthday": """
program: birthday
purpose: service
entry: {date: profile.birthday, at: "09:00", yearly: true}
reenter: always
steps: [{send: email, template: wishes}]
""",
    "weekly": """
program: weekly
purpose: service
entry: {schedule: "0 9 * * mon"}
reenter: always
steps: [{send: push, template: digest}]
""",
}
START = parse_time("2026-03-01T10:00Z")


@pytest.fixture(scope="module")
def topology(tmp_path_factory):
    folder = tmp_path_factory.mktemp("topology")
    (folder / "topology.yaml").write_text(TOPOLOGY, encoding="utf-8")
    (folder / "programs").mkdir()
    for name, text in PROGRAMS.items():
        (folder / "programs" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_topology(folder).topology


@pytest.fixture
def certain(topology):
    return forced(topology, {"side": "a"}, holdout=False)


def sent(world, program="series"):
    return [(c.decided_ms, c.channel, c.template) for c in world.commands if c.program == program]


def test_time_does_what_is_due_and_stops_where_it_is_told(certain):
    world = Simulation(certain)
    world.publish("ana", "signed_up", START, {})
    assert sent(world) == [(START, "email", "one")]
    world.move(START + DAY_MS - 1)
    assert len(sent(world)) == 1
    world.move(START + DAY_MS)
    assert sent(world)[1:] == [(START + DAY_MS, "email", "two")]
    assert world.now_ms == START + DAY_MS


def test_time_never_goes_back(certain):
    world = Simulation(certain)
    world.move(START)
    world.move(START - DAY_MS)
    assert world.now_ms == START


def test_an_event_of_the_past_is_late_and_acts_now(certain):
    world = Simulation(certain)
    world.publish("ana", "seen", START, {})
    world.publish("ana", "signed_up", START - HOUR_MS, {})
    assert [d.detail["by_ms"] for d in world.decisions if d.kind == "late" and d.detail] == [HOUR_MS]
    assert sent(world) == [(START, "email", "one")]


def test_an_event_that_cannot_be_taken_changes_nothing(certain):
    world = Simulation(certain)
    assert world.publish("ana", "seen", START, {"page": 3}) == "wrong_type: page must be a text"
    assert world.publish("ana", "no_such", START, {}) == "unknown_event_type"
    assert world.row("ana") is None
    assert world.path == []


def test_the_path_holds_what_was_due_before_an_event_before_the_event(certain):
    world = Simulation(certain)
    world.publish("ana", "signed_up", START, {})
    world.publish("ana", "seen", START + 2 * DAY_MS, {"page": "/"})
    kinds = [(moment.kind, moment.reason) for moment in world.path]
    assert kinds.index(("completed", "")) < kinds.index(("event", "seen"))
    assert [moment.at_ms for moment in world.path] == sorted(moment.at_ms for moment in world.path)


def test_settling_ends_with_the_last_enrollment_and_does_not_wait_for_what_others_start(certain):
    world = Simulation(certain)
    world.publish("ana", "profile_updated", START, {"birthday": "1990-06-01"})
    world.publish("ana", "signed_up", START, {})
    world.settle("ana", START + LOOK_AHEAD_MS, ["series"])
    assert world.now_ms == START + DAY_MS


def test_settling_waits_for_dates_and_schedules_of_the_programs_it_is_about(certain):
    world = Simulation(certain)
    world.publish("ana", "profile_updated", START, {"birthday": "1990-06-01"})
    world.settle("ana", START + LOOK_AHEAD_MS, ["birthday"])
    assert [c.decided_ms for c in world.commands if c.program == "birthday"] == [
        parse_time("2026-06-01T09:00Z")
    ]
    assert any(c.program == "weekly" for c in world.commands)  # it runs, but nobody waits for it

    world = Simulation(certain)
    world.publish("ana", "seen", START, {})
    world.settle("ana", START + 15 * DAY_MS, ["weekly"])
    mondays = [parse_time(f"2026-03-{day:02}T09:00Z") for day in (2, 9, 16)]
    assert [c.decided_ms for c in world.commands] == mondays


def test_a_grade_that_will_decay_keeps_nobody_waiting(certain):
    world = Simulation(certain)
    world.publish("ana", "seen", START, {})
    assert world.next_ms("ana", ["series"]) == NEVER_MS
    row = world.row("ana")
    assert row is not None
    assert row.due_ms > START


def test_a_merged_contact_is_found_under_its_old_name(certain):
    world = Simulation(certain)
    world.publish("visitor", "signed_up", START, {})
    world.publish("ana", "contact_identified", START + 1000, {"anonymous_id": "visitor"})
    row = world.row("visitor")
    assert row is not None
    assert [one.program for one in row.enrollments] == ["series"]
    world.settle("ana", START + LOOK_AHEAD_MS, ["series"])
    assert [c.contact_id for c in world.commands if c.program == "series"] == ["visitor", "ana"]


@pytest.mark.parametrize(("variant", "channel"), [("a", "email"), ("b", "push")])
def test_a_forced_split_goes_one_way_for_everybody(topology, variant, channel):
    made = forced(topology, {"side": variant}, holdout=False)
    world = Simulation(made)
    for number in range(20):
        world.publish(f"c-{number}", "signed_up", START, {})
    world.move(START + DAY_MS)
    assert {c.channel for c in world.commands if c.template == "two"} == {channel}
    assert topology.programs["series"].nodes["side"].branches[0][1] == 50  # the loaded one is as it was


def test_a_forced_holdout_holds_all_or_none(topology):
    worlds = {}
    for holdout in (True, False):
        worlds[holdout] = Simulation(forced(topology, {}, holdout=holdout))
        for number in range(20):
            worlds[holdout].publish(f"c-{number}", "signed_up", START, {})
    assert worlds[True].commands == []
    assert len(worlds[False].commands) == 20


def test_without_a_word_about_it_the_holdout_is_by_hash(topology):
    world = Simulation(forced(topology, {}, holdout=None))
    for number in range(200):
        world.publish(f"c-{number}", "signed_up", START, {})
    held = {d.contact_id for d in world.decisions if d.kind == "holdout"}
    assert 0 < len(held) < 120
    assert len(world.commands) == 200 - len(held)


def test_forcing_what_is_not_there_says_so(topology):
    with pytest.raises(KeyError, match="no split"):
        forced(topology, {"nowhere": "a"}, holdout=None)
    with pytest.raises(KeyError, match='no variant "c", only a, b'):
        forced(topology, {"side": "c"}, holdout=None)
    with pytest.raises(KeyError, match="no split"):
        forced(topology, {"side": "a"}, holdout=None, program="weekly")
