"""Circuit breakers, pauses, and what operators say: what is held, for how long, and how it goes on."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.brakes import is_held
from processor.core.events import Event
from processor.core.ids import fingerprint
from processor.core.model import Breaker, Topology
from processor.core.rows import Row
from tests.core.logs import HOUR_MS, START_MS, everything, logs, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
events: {{seen: {{n: integer?}}, clicked: {{}}}}
purposes: {{service: {{consent: not_required}}}}
channels: {{push: {{}}, sms: {{}}, slack: {{kind: alert}}}}
teams: {{sales: {{channel: slack, members: [ana, ben]}}}}
{policies}
"""
SEND = "entry: {on: seen}\nreenter: always\nsteps: [{send: push, template: hello}]\n"
BREAKER = "policies: {breaker: {more_than: 3, per: 1d, alert: slack, hold_at_most: 2d}}"
CONTACTS = [f"c{number}" for number in range(9)]


def said(kind, hours, eid=None, **more):
    """An operator's event."""
    name = eid or f"{kind}-{hours}"
    at_ms = START_MS + int(hours * HOUR_MS)
    props = {"program": "p", **more}
    return Event(name, "program/p", kind, at_ms, props, fingerprint(name.encode()))


def play(folder, program, log, policies=BREAKER, partitions=1, days=9):
    small = topology(folder, program, BASE.format(policies=policies))
    until_ms = START_MS + days * 24 * HOUR_MS
    return run(log, partitions, topology=small, until_ms=until_ms)


def sends(commands):
    return [(c.contact_id, (c.decided_ms - START_MS) / HOUR_MS) for c in commands if c.kind == "send"]


def noted(decisions, *kinds):
    return [(d.kind, d.contact_id, d.reason) for d in decisions if d.kind in kinds]


def seen(hours=1.0, contacts=CONTACTS):
    return [event("seen", hours + number / 60, contact) for number, contact in enumerate(contacts)]


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_so_many_go_out_the_next_trips_it_once_and_all_others_are_held(tmp_path, partitions):
    commands, decisions, _, _ = play(tmp_path, SEND, seen(), partitions=partitions)
    assert [contact for contact, _ in sends(commands)] == ["c0", "c1", "c2"]
    (alarm,) = [c for c in commands if c.kind == "alarm"]
    assert (alarm.channel, alarm.contact_id, alarm.program) == ("slack", "", "p")
    assert alarm.values["limit"] == alarm.values["counted"] == 3
    assert noted(decisions, "braked") == [("braked", "", "tripped")]
    assert noted(decisions, "held") == [("held", c, "breaker") for c in CONTACTS[3:]]
    assert sorted(noted(decisions, "suppressed")) == [
        ("suppressed", c, "held_too_long") for c in CONTACTS[3:]
    ]


@pytest.mark.parametrize("partitions", [1, 2, 8])
@pytest.mark.parametrize("twice", [False, True])
def test_release_lets_all_go_once_and_closes_it(tmp_path, partitions, twice):
    log = [*seen(), said("held_released", 5, because="it was a sale")]
    if twice:
        log.append(said("held_released", 5))  # the same event again
    log += seen(7, CONTACTS[:4])
    commands, decisions, _, _ = play(tmp_path, SEND, log, partitions=partitions)
    later = sorted(sends(commands)[3:], key=lambda send: send[1])
    assert sorted(later[:6]) == [(c, 5.0) for c in CONTACTS[3:]]
    # What was released counts for nothing: three more may go before it trips anew.
    assert [c for c, _ in later[6:]] == CONTACTS[:3]
    assert [reason for _, _, reason in noted(decisions, "braked")] == ["tripped", "release", "tripped"]
    assert sorted(noted(decisions, "let_go")) == [("let_go", c, "release") for c in CONTACTS[3:]]
    (word,) = [d for d in decisions if d.reason == "release" and d.kind == "braked"]
    assert word.detail == {"because": "it was a sale", "event": "held_released-5"}
    assert len({c.command_id for c in commands}) == len(commands)


@pytest.mark.parametrize("partitions", [1, 4])
def test_drop_records_each_and_goes_on_behind_it(tmp_path, partitions):
    program = SEND.replace("hello}]", "hello}, {wait: 1h}, {send: push, template: later}]")
    log = [*seen(1, CONTACTS[:5]), said("held_dropped", 30)]
    commands, decisions, _, _ = play(tmp_path, program, log, partitions=partitions)
    # The first three came to their second send while it was tripped; those are dropped as well.
    assert {c.template for c in commands if c.kind == "send" and c.decided_ms > START_MS + 2 * HOUR_MS} == {
        "later"
    }
    assert sorted(noted(decisions, "suppressed")) == [("suppressed", c, "dropped") for c in CONTACTS[:5]]
    assert sorted(sends(commands)[3:]) == [("c3", 31.0), ("c4", 31.0)]


def test_what_is_released_is_decided_anew(tmp_path):
    base = BREAKER[:-1] + ", quiet_hours: {from: '12:00', to: '18:00'}}"
    log = [*seen(1, CONTACTS[:5]), said("held_released", 5)]  # at 13:00
    commands, decisions, _, _ = play(tmp_path, SEND, log, policies=base)
    assert sends(commands)[3:] == [("c3", 10.0), ("c4", 10.0)]
    assert noted(decisions, "held")[2:] == [("held", "c3", "quiet_hours"), ("held", "c4", "quiet_hours")]


def test_waits_go_on_while_it_is_tripped(tmp_path):
    program = (
        "entry: {on: seen}\nsteps: [{wait: 1h}, {send: push, template: hello}, {wait: 1h}, {add_to: vip}]\n"
    )
    small = BREAKER + "\nlists: [vip]"
    commands, decisions, _, _ = play(tmp_path, program, seen(), policies=small)
    held = [d for d in decisions if d.kind == "held"]
    assert [(d.at_ms - START_MS) / HOUR_MS >= 2 for d in held] == [True] * 6
    assert len(sends(commands)) == 3
    assert len(noted(decisions, "completed")) == 9


def test_every_step_that_gives_a_command_is_held(tmp_path):
    program = (
        "entry: {on: seen}\nsteps: [{alert: slack, message: hi}, {route: sales}, "
        "{series: push, every: 1h, pieces: [a, b]}]\n"
    )
    policies = "policies: {breaker: {more_than: 1, per: 1d, alert: slack}}"
    log = [event("seen", 1), said("held_released", 2), said("held_released", 3), said("held_released", 5)]
    commands, decisions, _, _ = play(tmp_path, program, log, policies=policies)
    kinds = [c.kind for c in commands if c.kind != "alarm"]
    assert kinds == ["alert", "route", "send", "send"]
    assert [d.step for d in decisions if d.kind == "held"][:1] == ["route-sales"]


def test_a_new_period_begins_anew_where_nobody_came_to_more(tmp_path):
    commands, decisions, _, _ = play(tmp_path, SEND, [*seen(1, CONTACTS[:3]), *seen(25, CONTACTS[:3])])
    assert len(sends(commands)) == 6
    assert noted(decisions, "braked", "held") == []


def test_so_many_times_the_usual(tmp_path):
    policies = "policies: {breaker: {times_usual: 2, at_least: 2, per: 1d, alert: slack}}"
    days = [seen(24 * day + 1, CONTACTS[: 2 if day else 9]) for day in range(5)]
    surge = seen(24 * 5 + 1)
    log = [one for day in days for one in day] + surge
    commands, decisions, _, _ = play(tmp_path, SEND, log, policies=policies)
    # Nothing is known of the first days; then the usual is (9 + 4 * 2) / 5 a day, and 7 are twice that.
    assert len(sends(commands)) == 9 + 8 + 7
    assert noted(decisions, "braked") == [("braked", "", "tripped")]


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_pause_keeps_out_and_stands_still_and_resume_goes_on(tmp_path, partitions):
    steps = "steps: [{wait: 1h}, {add_to: vip}, {send: push, template: hello}]"
    program = f"entry: {{on: seen}}\nexit: clicked\n{steps}\n"
    log = [
        *seen(1, CONTACTS[:4]),
        said("program_paused", 1.5, by="ana"),
        *seen(2, ["late"]),
        event("clicked", 3, "c0"),
        said("program_resumed", 50),
        *seen(51, ["later"]),
    ]
    commands, decisions, _, _ = play(tmp_path, program, log, policies="lists: [vip]", partitions=partitions)
    assert sorted(sends(commands)) == [("c1", 50.0), ("c2", 50.0), ("c3", 50.0), ("later", 52.0)]
    assert ("not_entered", "late", "paused") in noted(decisions, "not_entered")
    assert ("exited", "c0", "clicked") in noted(decisions, "exited")
    assert sorted(noted(decisions, "held")) == [("held", c, "paused") for c in CONTACTS[:4]]
    assert [reason for _, _, reason in noted(decisions, "braked")] == ["pause", "resume"]


def test_a_held_command_expires_in_a_pause_too(tmp_path):
    log = [*seen(1, ["ana"]), said("program_paused", 1.5), said("program_resumed", 24 * 8)]
    quiet = "policies: {quiet_hours: {from: '08:30', to: '10:00'}}"  # it is 09:00
    commands, decisions, _, _ = play(tmp_path, SEND, log, policies=quiet)
    assert sends(commands) == []
    assert noted(decisions, "suppressed") == [("suppressed", "ana", "held_too_long")]
    assert noted(decisions, "completed") == [("completed", "ana", "")]


def test_a_breaker_that_is_closed_while_the_program_is_paused(tmp_path):
    log = [
        *seen(1, CONTACTS[:4]),
        said("program_paused", 2),
        said("held_released", 3),
        said("program_resumed", 4),
    ]
    commands, decisions, _, _ = play(tmp_path, SEND, log)
    assert sends(commands)[3:] == [("c3", 4.0)]
    assert noted(decisions, "let_go") == [("let_go", "c3", "resume")]


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_what_a_merge_brings_along_is_let_go_with_the_rest(tmp_path, partitions):
    log = [
        *seen(1, [*CONTACTS[:3], "anon"]),
        event("contact_identified", 3, "ana", anonymous_id="anon"),
        said("held_released", 5),
    ]
    commands, _, _, _ = play(tmp_path, SEND, log, partitions=partitions)
    assert sends(commands)[3:] == [("ana", 5.0)]


def test_an_operators_event_is_about_no_contact(tmp_path):
    _, decisions, _, driver = play(tmp_path, SEND, [said("program_paused", 1), said("program_resumed", 2)])
    assert {d.contact_id for d in decisions} == {""}
    assert driver.partitions[0].held("program/p") is None


def test_a_program_without_a_breaker_of_its_own_or_any(tmp_path):
    none = SEND + "breaker: none\n"
    assert len(sends(play(tmp_path, none, seen())[0])) == 9
    own = SEND + "breaker: {more_than: 5, per: 1h, alert: slack}\n"
    assert len(sends(play(tmp_path, own, seen())[0])) == 5


NAMES = tuple(sorted(everything().programs))


def braked() -> Topology:
    """The topology that uses the whole language, and every program of it with a breaker that soon trips."""
    breaker = Breaker(24 * HOUR_MS, "slack", 2, 0.0, 100, 3 * 24 * HOUR_MS)
    programs = {
        name: dataclasses.replace(program, breaker=breaker) for name, program in everything().programs.items()
    }
    return dataclasses.replace(everything(), programs=programs, breakers=dict.fromkeys(programs, breaker))


@pytest.mark.parametrize("partitions", [1, 3])
@given(log=logs(braked=NAMES, max_size=40), data=st.data())
def test_any_log_any_slicing_and_in_the_end_nothing_is_held(partitions, log, data):
    topology = braked()
    last_ms = max(one.occurred_ms for one in log) + HOUR_MS
    log += [
        Event(
            f"{kind}-{name}",
            f"program/{name}",
            kind,
            last_ms,
            {"program": name},
            fingerprint(b"%d" % last_ms),
        )
        for name in NAMES
        for kind in ("held_released", "program_resumed")
    ]
    cuts = data.draw(st.frozensets(st.integers(0, len(log) - 1)))
    whole = run(log, partitions, topology=topology)
    sliced = run(log, partitions, topology=topology, cuts=cuts, rows_held_max=data.draw(st.integers(1, 5)))
    assert sliced[:2] == whole[:2]
    ids = [command.command_id for command in whole[0]]
    assert len(ids) == len(set(ids))
    alarms = [command for command in whole[0] if command.kind == "alarm"]
    assert len(alarms) == len([d for d in whole[1] if (d.kind, d.reason) == ("braked", "tripped")])
    for number in range(partitions):
        part = whole[2].partition(number)
        for data_ in part.get_many(part.contacts("", 100)):
            assert data_ is not None
            row = Row.decode(data_)
            assert not [track for one in row.enrollments for track in one.tracks if is_held(track)]
