"""What single inputs do, one rule of the machine a test."""

from __future__ import annotations

from math import log2
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from processor.core.events import Event
from processor.core.ids import fingerprint
from processor.core.lifecycle import (
    ENROLLMENT_TRANSITIONS,
    TRACK_TRANSITIONS,
    EnrollmentState,
    TrackState,
    move_enrollment,
    move_track,
)
from processor.core.limits import RECENT_MAX
from processor.core.model import Topology
from processor.core.outputs import Command, Decision
from processor.core.rows import Row, RowVersionError
from processor.core.sections import Enrollment, Track
from processor.core.time import format_time, yearly, zone
from processor.language import load_topology
from tests.core.logs import HOUR_MS, START_MS, run

DAY_MS = 24 * HOUR_MS
BASE = """
    topology: small
    events:
      seen: {n: integer?}
      bought: {value: number?, order: string?}
    purposes: {service: {consent: not_required}, marketing: {consent: required}}
    channels: {push: {expires_after: 1d}, crm: {kind: task}}
    lists: [vip]
    scores:
      heat: {half_life: 1d, grades: {cold: 0, hot: {at: 10, until: 5}}, rules: [{on: seen, add: 6}]}
    segments:
      strangers: not happened("bought")
      warm: score.heat >= 6
      busy: count("seen", within="2h") >= 2
"""


def topology(folder: Path, program: str, base: str = BASE) -> Topology:
    (folder / "programs").mkdir(exist_ok=True)
    (folder / "topology.yaml").write_text(dedent(base))
    (folder / "programs" / "p.yaml").write_text("program: p\npurpose: service\n" + dedent(program))
    return load_topology(folder).topology


def event(kind: str, hours: float, contact: str = "ana", /, **properties: Any) -> Event:
    name = f"{kind}-{contact}-{hours}-{properties}"
    return Event(name, contact, kind, START_MS + int(hours * HOUR_MS), properties, fingerprint(name.encode()))


def kinds(decisions: list[Decision], *wanted: str) -> list[tuple[str, str, float]]:
    return [(d.kind, d.reason, (d.at_ms - START_MS) / HOUR_MS) for d in decisions if d.kind in wanted]


def sent(commands: list[Command]) -> list[tuple[str, float]]:
    return [(c.template, (c.decided_ms - START_MS) / HOUR_MS) for c in commands if c.kind == "send"]


SEND = "steps: [{send: push, template: hello}]\n"


@pytest.mark.parametrize("state", list(EnrollmentState))
def test_an_enrollment_moves_only_by_the_table(state):
    for signal in {signal for _, signal in ENROLLMENT_TRANSITIONS}:
        enrollment = Enrollment("e", "p", 1, "", 0, int(state), [])
        if (state, signal) in ENROLLMENT_TRANSITIONS:
            move_enrollment(enrollment, signal)
            assert enrollment.state == ENROLLMENT_TRANSITIONS[state, signal]
        else:
            with pytest.raises(AssertionError, match=state.name):
                move_enrollment(enrollment, signal)


@pytest.mark.parametrize("state", list(TrackState))
def test_a_track_moves_only_by_the_table(state):
    for signal in {signal for _, signal in TRACK_TRANSITIONS}:
        track = Track("s", int(state), 0, 0)
        if (state, signal) in TRACK_TRANSITIONS:
            move_track(track, signal)
            assert track.state == TRACK_TRANSITIONS[state, signal]
        else:
            with pytest.raises(AssertionError, match=state.name):
                move_track(track, signal)


def test_a_row_of_another_version_is_refused():
    data = Row.new().encode()
    with pytest.raises(RowVersionError, match="row version 9"):
        Row.decode(b"\x09" + data[1:])


def test_an_event_seen_before_is_dropped_and_recorded(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\nreenter: always\n" + SEND)
    same = event("seen", 0)
    commands, decisions, _, _ = run([same, same], 1, topology=small)
    assert len(commands) == 1
    assert [d.detail for d in decisions if d.kind == "duplicate"] == [{"event": same.event_id}]


def test_the_window_of_duplicates_is_as_long_as_it_says(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\nreenter: always\n" + SEND)
    first = event("seen", 0)
    others = [event("bought", 1, value=n) for n in range(RECENT_MAX)]
    assert len(run([first, *others[:-1], first], 1, topology=small)[0]) == 1
    assert len(run([first, *others, first], 1, topology=small)[0]) == 2


def test_an_event_ahead_of_its_log_is_set_back_to_the_log(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\n" + SEND)
    good = event("seen", 0)
    ahead = Event("x", "ana", "seen", START_MS + 50 * HOUR_MS, {}, fingerprint(b"x"), append_ms=START_MS)
    commands, decisions, _, _ = run([ahead], 1, topology=small)
    assert kinds(decisions, "clamped") == [("clamped", "", 0.0)]
    assert commands[0].decided_ms == START_MS == good.occurred_ms


def test_a_late_event_acts_now_and_counts_then(tmp_path):
    small = topology(tmp_path, "entry: {segment: busy}\n" + SEND)
    # the second counts at 9:00, which is out of the window of two hours at 12:00
    late = run([event("seen", 4), event("seen", 1)], 1, topology=small)
    assert sent(late[0]) == []
    assert kinds(late[1], "late") == [("late", "", 4.0)]
    in_window = run([event("seen", 4), event("seen", 3)], 1, topology=small)
    assert sent(in_window[0]) == [("hello", 4.0)]


def test_a_segment_is_left_when_time_alone_takes_it(tmp_path):
    small = topology(tmp_path, "entry: {leaves_segment: busy}\n" + SEND)
    commands, decisions, _, _ = run(
        [event("seen", 0), event("seen", 1)], 1, topology=small, until_ms=START_MS + DAY_MS
    )
    assert sent(commands) == [("hello", 2.0)]  # the first leaves the window of two hours
    assert ("segment_left", "busy", 2.0) in kinds(decisions, "segment_left")


def test_a_segment_of_those_who_have_not_is_entered_by_a_new_contact(tmp_path):
    small = topology(tmp_path, "entry: {segment: strangers}\n" + SEND)
    assert sent(run([event("seen", 0)], 1, topology=small)[0]) == [("hello", 0.0)]


def test_a_decayed_score_leaves_its_segment_and_its_grade_at_the_crossing(tmp_path):
    small = topology(tmp_path, "entry: {leaves_segment: warm}\n" + SEND)
    _, decisions, _, _ = run(
        [event("seen", 0), event("seen", 1)], 1, topology=small, until_ms=START_MS + 9 * DAY_MS
    )
    value = 6 * 0.5 ** (1 / 24) + 6  # at 1:00
    *_, left = [at for kind, name, at in kinds(decisions, "segment_left") if name == "warm"]
    assert left == pytest.approx(1 + 24 * log2(value / 6), abs=0.01)
    grades = [
        (d.detail["to"], (d.at_ms - START_MS) / HOUR_MS) for d in decisions if d.kind == "graded" and d.detail
    ]
    assert [grade for grade, _ in grades] == ["hot", "cold"]
    assert grades[1][1] == pytest.approx(1 + 24 * log2(value / 5), abs=0.01)


def test_a_goal_goes_before_an_exit_of_the_same_event(tmp_path):
    small = topology(
        tmp_path, "entry: {on: seen}\ngoal: {on: bought, within: 2d}\nexit: bought\nsteps: [{wait: 1d}]\n"
    )
    _, decisions, _, _ = run([event("seen", 0), event("bought", 1)], 1, topology=small)
    assert kinds(decisions, "goal", "exited") == [("goal", "bought", 1.0)]


def test_a_goal_after_the_last_step_counts_until_its_window_closes(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\ngoal: {on: bought, within: 2d}\nsteps: [{wait: 1h}]\n")
    _, decisions, _, _ = run([event("seen", 0), event("bought", 30)], 1, topology=small)
    assert kinds(decisions, "completed", "goal") == [("completed", "", 1.0), ("goal", "bought", 30.0)]
    _, decisions, _, _ = run([event("seen", 0), event("bought", 49)], 1, topology=small)
    assert kinds(decisions, "goal", "observed_out") == [("observed_out", "window_closed", 48.0)]


@pytest.mark.parametrize(
    ("goal", "kept"),
    [
        ("{on: bought, within: 2d, value: event.value}", {"value": 12.5}),
        ("{on: bought, within: 2d, value: event.value * 2 - entry.n}", {"value": 22.0}),
        ("{on: bought, within: 2d, value: 30}", {"value": 30}),
        ('{when: count("bought") >= 1, within: 2d, value: 7}', {"value": 7}),
        ("{on: bought, within: 2d, value: entry.n / 0}", None),  # missing: there is nothing to keep
        ("{on: bought, within: 2d}", None),
    ],
)
@pytest.mark.parametrize("holdout", ["", "holdout: 100\n"])
def test_a_goal_keeps_what_it_is_worth(tmp_path, goal, kept, holdout):
    small = topology(tmp_path, f"entry: {{on: seen}}\n{holdout}goal: {goal}\nsteps: [{{wait: 1d}}]\n")
    _, decisions, _, _ = run([event("seen", 0, n=3), event("bought", 1, value=12.5)], 1, topology=small)
    assert [d.detail for d in decisions if d.kind == "goal"] == [kept]


def test_a_purchase_in_the_backlog_comes_before_the_reminder_that_was_due(tmp_path):
    small = topology(
        tmp_path, "entry: {on: seen}\nexit: bought\nsteps: [{wait: 2h}, {send: push, template: hello}]\n"
    )
    # bo's event moves the watermark far ahead only after ana's purchase was read
    log = [event("seen", 0), event("bought", 1), event("seen", 9, "bo")]
    assert [c.contact_id for c in run(log, 1, topology=small)[0]] == []
    log = [event("seen", 0), event("seen", 9, "bo"), event("bought", 1)]
    assert sent(run(log, 1, topology=small)[0]) == [("hello", 2.0)]  # the log had it only later


def test_somebody_removed_by_hand_is_out(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\nsteps: [{wait: 2h}, {send: push, template: hello}]\n")
    log = [event("seen", 0), event("contact_removed", 1, program="p")]
    commands, decisions, _, _ = run(log, 1, topology=small, until_ms=START_MS + DAY_MS)
    assert commands == []
    assert kinds(decisions, "exited") == [("exited", "removed", 1.0)]


def test_a_loop_without_a_wait_is_ended_and_recorded(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\nsteps: [{id: a, score: heat, add: 0}, {goto: a}]\n")
    _, decisions, _, _ = run([event("seen", 0)], 1, topology=small)
    assert kinds(decisions, "exited") == [("exited", "runaway", 0.0)]


def test_programs_of_higher_priority_take_what_is_left_of_a_cap(tmp_path):
    base = BASE + "    policies: {caps: [{name: one, at_most: 1, per: 1d}]}\n"
    small_folder = tmp_path
    topology(small_folder, "entry: {on: seen}\npriority: 10\n" + SEND, base)
    (small_folder / "programs" / "q.yaml").write_text(
        "program: q\npurpose: service\npriority: 90\nentry: {on: seen}\n" + SEND.replace("hello", "first")
    )
    small = load_topology(small_folder).topology
    commands, decisions, _, _ = run([event("seen", 0)], 1, topology=small)
    assert sent(commands) == [("first", 0.0)]
    assert kinds(decisions, "suppressed") == [("suppressed", "cap:one", 0.0)]


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_a_cap_on_entrants_holds_over_all_partitions(tmp_path, partitions):
    small = topology(tmp_path, "entry: {on: seen}\nentrants: {at_most: 3}\n" + SEND)
    log = [event("seen", n / 10, f"c-{n}") for n in range(40)]
    commands, decisions, _, _ = run(log, partitions, topology=small)
    assert len(commands) == 3
    assert len(kinds(decisions, "not_entered")) == 37


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_an_anonymous_visitor_becomes_known(tmp_path, partitions):
    small = topology(tmp_path, "entry: {segment: busy}\nsteps: [{wait: 1d}, {send: push, template: hello}]\n")
    log = [
        event("seen", 0, "anon"),
        event("contact_identified", 1, "ana", anonymous_id="anon"),
        event("seen", 1.5, "ana"),  # the second in two hours, with the one before the merge
        event("bought", 2, "anon"),  # goes on to ana
    ]
    commands, decisions, _, _ = run(log, partitions, topology=small, until_ms=START_MS + 3 * DAY_MS)
    assert [(c.contact_id, (c.decided_ms - START_MS) / HOUR_MS) for c in commands] == [("ana", 25.5)]
    assert [d.contact_id for d in decisions if d.kind == "forwarded"] == ["anon"]
    assert ("segment_left", "strangers", 2.0) in kinds(decisions, "segment_left")


def test_two_contacts_that_name_each_other_do_not_loop(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\n" + SEND)
    log = [
        event("seen", 0, "a"),
        event("seen", 0, "b"),
        event("contact_identified", 1, "a", anonymous_id="b"),
        event("contact_identified", 2, "b", anonymous_id="a"),
        event("seen", 3, "b"),
    ]
    _, decisions, _, _ = run(log, 2, topology=small)
    assert [d.contact_id for d in decisions if d.kind == "merged"] == ["b", "a"]


def test_a_schedule_reaches_its_audience_once_an_instant(tmp_path):
    small = topology(
        tmp_path,
        'entry: {schedule: "0 12 * * *"}\naudience: {only: in_segment("strangers")}\nreenter: always\n'
        + SEND,
    )
    log = [event("seen", 0, "ana"), event("bought", 0, "bo"), event("bought", 30, "bo")]
    commands, decisions, _, _ = run(log, 2, topology=small)
    assert {c.contact_id for c in commands} == {"ana"}
    assert sent(commands) == [("hello", 4.0), ("hello", 28.0)]
    assert [d.contact_id for d in decisions if d.kind == "not_entered"].count("bo") == 2


def test_each_round_of_a_loop_waits_for_another_day(tmp_path):
    steps = 'steps: [{repeat: {times: 3, steps: [{wait: {at: "10:00"}}, {send: push, template: hello}]}}]'
    small = topology(tmp_path, "entry: {on: seen}\n" + steps)
    commands = run([event("seen", 2)], 1, topology=small, until_ms=START_MS + 9 * DAY_MS)[0]
    assert sent(commands) == [("hello", 2.0), ("hello", 26.0), ("hello", 50.0)]


def test_birthdays_on_29_february_are_kept_on_the_28th():
    at_ms = yearly(START_MS, 2, 29, 0, 600, zone("America/Mexico_City"))
    assert format_time(at_ms) == "2027-02-28T16:00:00Z"


def test_ids_survive_what_does_not_matter_and_change_with_what_does(tmp_path):
    program = "entry: {on: bought, key: event.order}\nsteps: [{send: push, template: hello}]\n"
    first = run([event("bought", 0, order="o1")], 1, topology=topology(tmp_path, program))[0]
    longer = program.replace("steps: [", "steps: [{wait: 1h}, ")
    later = run(
        [event("bought", 0, order="o1")], 8, topology=topology(tmp_path, longer), until_ms=START_MS + DAY_MS
    )[0]
    assert first[0].command_id == later[0].command_id
    other = run([event("bought", 0, order="o2")], 1, topology=topology(tmp_path, program))[0]
    assert other[0].command_id != first[0].command_id
