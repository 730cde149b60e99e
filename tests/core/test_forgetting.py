"""Contacts of whom nothing came for as long as the policy says are forgotten, and may come again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.rows import Row
from processor.core.sweeps import FORGET_EVERY_MS
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, kinds, topology

DAY = 24
BASE = """
    topology: small
    events: {seen: {}}
    profile: {notes: string}
    purposes: {service: {consent: not_required}}
    channels: {push: {}}
    segments: {strangers: not happened("seen")}
    policies: {forget_after: 100d}
"""
PROGRAM = """
    entry: {on: seen}
    steps: [{wait: 400d}, {send: push, template: hello}]
"""
FIRST_HOURS = (
    START_MS // FORGET_EVERY_MS * FORGET_EVERY_MS - START_MS
) / HOUR_MS  # of the walks, before the log


def walk(number: int) -> float:
    """When a walk takes place, in hours of the log."""
    return FIRST_HOURS + number * FORGET_EVERY_MS / HOUR_MS


@pytest.mark.parametrize("partitions", [1, 8])
def test_who_is_silent_goes_with_all_ids_and_who_is_not_stays(tmp_path, partitions):
    small = topology(tmp_path, PROGRAM, BASE)
    log = [
        event("profile_updated", 0, "anon", notes="m4rk"),
        event("contact_identified", 1, anonymous_id="anon"),
        event("seen", 2),
        event("seen", 2, "bo"),
        event("timers_released", 80 * DAY),  # an operator's, which is no sign of life
        event("seen", 90 * DAY, "bo"),
    ]
    until = START_MS + 170 * DAY * HOUR_MS
    commands, decisions, store, _ = run(log, partitions, topology=small, until_ms=until)
    parts = [store.partition(number) for number in range(partitions)]
    assert [name for part in parts for name in part.contacts("", 9)] == ["bo"]
    assert [name for part in parts for _, name in part.due(1 << 60, None, 9)] == ["bo"]
    assert commands == []  # no channel is told
    at = next(walk(n) for n in range(9) if walk(n) >= 2 + 100 * DAY)
    assert kinds(decisions, "exited", "forgotten") == [
        ("exited", "forgotten", at), ("forgotten", "inactive", at),
    ]  # fmt: skip
    assert next(d.detail for d in decisions if d.kind == "forgotten") == {"enrollments": 1, "other_ids": 1}


def test_an_event_after_long_begins_anew(tmp_path):
    small = topology(tmp_path, PROGRAM, BASE)
    log = [event("profile_updated", 0, notes="m4rk"), event("seen", 2), event("seen", 170 * DAY)]
    _, decisions, store, _ = run(log, 1, topology=small)
    (data,) = store.partition(0).get_many(["ana"])
    assert data is not None
    assert b"m4rk" not in data
    row = Row.decode(data)
    assert row.clock_ms == START_MS + 170 * DAY * HOUR_MS
    assert [one.entered_ms for one in row.enrollments] == [row.clock_ms]
    assert [d.kind for d in decisions if d.kind in {"entered", "forgotten"}] == [
        "entered", "forgotten", "entered",
    ]  # fmt: skip
    assert "strangers" not in row.segments


_steps = st.tuples(
    st.sampled_from(["ana", "bo", "anon"]),
    st.sampled_from([0, 1, 20 * DAY, 80 * DAY, 130 * DAY]),
    st.sampled_from(["seen", "profile_updated", "contact_identified"]),
)


@given(steps=st.lists(_steps, min_size=1, max_size=14), data=st.data())
def test_any_slicing_and_any_number_of_partitions_forgets_alike(tmp_path_factory, steps, data):
    small = topology(tmp_path_factory.mktemp("t"), PROGRAM, BASE)
    log, hours = [], 0.0
    for number, (contact, gap, kind) in enumerate(steps):
        hours += gap + 0.01
        props = {"profile_updated": {"notes": str(number)}, "contact_identified": {"anonymous_id": "anon"}}
        log.append(event(kind, hours, contact, **props.get(kind, {})))
    until = log[-1].occurred_ms + 200 * DAY * HOUR_MS
    whole = run(log, 1, topology=small, until_ms=until)
    cuts = data.draw(st.frozensets(st.integers(0, len(log) - 1)))
    assert run(log, 1, topology=small, until_ms=until, cuts=cuts, rows_held_max=2)[:2] == whole[:2]

    def body(partitions):
        decisions = run(log, partitions, topology=small, until_ms=until)[1]
        return sorted((d.at_ms, d.contact_id, d.kind, d.reason) for d in decisions)

    assert body(1) == body(8)
