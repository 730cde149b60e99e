"""Timers in quarantine: stopped with what they were, released once, and nothing else of the row changed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.events import Due, Event
from processor.core.ids import fingerprint
from processor.core.machine import advance
from processor.core.outputs import Command, Decision
from processor.core.rows import Row
from processor.core.shared import Shared
from processor.core.timers import earliest, quarantine
from processor.runtime.driver import Driver
from processor.store.memory import MemoryStore
from tests.core.logs import HOUR_MS, START_MS, everything, logs
from tests.core.test_machine import event, kinds, sent, topology


def released(at_ms: int, contact: str = "ana") -> Event:
    return Event(f"r-{at_ms}", contact, "timers_released", at_ms, {}, fingerprint(b"r-%d" % at_ms))


def stopped(row: Row) -> list[int]:
    """The instants of every timer in quarantine."""
    own = [enrollment.due_ms for enrollment in row.enrollments]
    own += [track.due_ms for enrollment in row.enrollments for track in enrollment.tracks]
    own += [timer.due_ms for timer in row.timers]
    return sorted(-due for due in own if due < 0)


def put_off(row: Row, until_ms: int) -> None:
    """Move every timer due before an instant to it."""
    for enrollment in row.enrollments:
        row.change_enrollment(enrollment)
        if 0 < enrollment.due_ms < until_ms:
            enrollment.due_ms = until_ms
        for track in enrollment.tracks:
            if 0 < track.due_ms < until_ms:
                track.due_ms = until_ms
    for timer in row.change_timers():
        timer.due_ms = max(timer.due_ms, until_ms)
    row.due_ms = earliest(row)


@given(log=logs(), beyond_ms=st.sampled_from([0, 1, HOUR_MS, 72 * HOUR_MS]))
def test_a_row_whose_timers_were_stopped_and_released_is_one_whose_timers_were_put_off(log, beyond_ms):
    known = everything()
    rows: dict[str, Row] = defaultdict(Row.new)
    shared = Shared()
    for each in log:
        row, _, _ = advance(known, rows[each.contact_id], shared, each, each.occurred_ms)
        rows[each.contact_id] = row
        if not row.due_ms or row.alias:
            continue
        data, before_ms, at_ms = row.encode(), row.due_ms - 1, row.due_ms + beyond_ms
        one, other = Row.decode(data), Row.decode(data)
        told = quarantine(one, each.contact_id, at_ms, "why")
        one = Row.decode(one.encode())
        assert one.due_ms == 0 or one.due_ms > at_ms
        assert stopped(one) == sorted(decision.detail["due"] for decision in told if decision.detail)
        assert {decision.kind for decision in told} == {"quarantined"}
        put_off(other, at_ms)

        release = released(at_ms, each.contact_id)
        aside = [Shared.decode(shared.encode()) for _ in range(2)]
        one, said, _ = advance(known, one, aside[0], release, before_ms)
        other, said_of_other, _ = advance(known, other, aside[1], release, before_ms)
        let_go = [one for one in said if isinstance(one, Decision) and one.kind == "released"]
        assert [(d.program, d.step, d.detail) for d in let_go] == [
            (d.program, d.step, d.detail) for d in told
        ]
        assert [output for output in said if output not in let_go] == said_of_other
        assert one.active_ms == Row.decode(data).active_ms
        assert one.encode() == other.encode()
        assert stopped(one) == []


class Faulty:
    """A driver of one partition whose core fails on whatever gives outputs while ``broken``."""

    def __init__(self, known: Any) -> None:
        self.store = MemoryStore(1)
        self.broken = False
        self.driver = Driver(known, self.store, 1, seal=self._seal)
        self.commands: list[Command] = []
        self.decisions: list[Decision] = []
        self.failures: list[str] = []

    def _seal(self, outputs: Any) -> None:
        if self.broken and any(getattr(one, "kind", "") != "quarantined" for one in outputs):
            raise ZeroDivisionError

    def feed(self, each: Event) -> None:
        self.driver.feed(each, max(self.driver.watermark_ms, each.occurred_ms))
        self.keep()

    def move(self, hours: float) -> None:
        self.driver.move(START_MS + int(hours * HOUR_MS))
        self.keep()

    def keep(self) -> None:
        taken = self.driver.take()
        self.commands += taken.commands
        self.decisions += taken.decisions
        self.failures += [failure.reason.partition(" ")[0] for failure in taken.failures]
        self.store.commit(taken.changes, b"")
        self.driver.committed()

    def row(self) -> Row:
        (data,) = self.store.partition(0).get_many(["ana"])
        assert data is not None
        return Row.decode(data)


PLAIN = """
    topology: small
    events: {seen: {n: integer?}, bought: {}}
    profile: {renews: date}
    purposes: {service: {consent: not_required}}
    channels: {push: {expires_after: 1d}}
"""
WAITS = """
    entry: {on: seen}
    exit: [{after: 9d}]
    steps: [{wait: 3h}, {send: push, template: hello}, {wait: 1h}, {send: push, template: bye}]
"""


def test_a_timer_that_raised_stands_still_and_is_released_once(tmp_path: Path):
    one = Faulty(topology(tmp_path, WAITS, PLAIN))
    one.feed(event("seen", 0))
    one.broken = True
    one.move(5)
    assert one.failures == ["ZeroDivisionError"]
    (told,) = [decision for decision in one.decisions if decision.kind == "quarantined"]
    assert (told.program, told.step, bool(told.enrollment)) == ("p", "wait-3h", True)
    assert told.detail == {"timer": "step", "due": START_MS + 3 * HOUR_MS}
    assert told.reason.startswith("ZeroDivisionError")
    assert stopped(one.row()) == [START_MS + 3 * HOUR_MS]

    one.broken = False
    one.move(30)
    one.feed(event("seen", 31, n=2))  # nothing but a release lets it go
    assert one.commands == []
    one.feed(released(START_MS + 40 * HOUR_MS))
    one.move(50)
    assert sent(one.commands) == [("hello", 40.0), ("bye", 41.0)]
    assert kinds(one.decisions, "released") == [("released", "", 40.0)]

    one.feed(released(START_MS + 60 * HOUR_MS))
    one.move(70)
    assert len(one.commands) == 2
    assert len(kinds(one.decisions, "released")) == 1
    assert one.failures == ["ZeroDivisionError"]


def test_a_timer_that_raises_again_is_stopped_again(tmp_path: Path):
    one = Faulty(topology(tmp_path, WAITS, PLAIN))
    one.feed(event("seen", 0))
    one.broken = True
    one.move(5)
    one.broken = False
    one.feed(released(START_MS + 6 * HOUR_MS))
    one.broken = True
    one.move(7)
    assert len(kinds(one.decisions, "quarantined")) == 2
    assert stopped(one.row()) == [START_MS + 6 * HOUR_MS]


@pytest.mark.parametrize(
    ("entry", "timer"),
    [("{inactive: 3h}", "idle"), ('{date: profile.renews, offset: "0d", at: "12:00"}', "date")],
)
def test_a_timer_of_the_contact_is_told_with_the_program_it_starts(tmp_path: Path, entry: str, timer: str):
    one = Faulty(topology(tmp_path, f"entry: {entry}\nsteps: [{{send: push, template: hello}}]\n", PLAIN))
    one.feed(event("profile_updated", 0, renews="2026-03-21"))
    one.feed(event("seen", 0))
    one.broken = True
    one.move(5)
    (told,) = [decision for decision in one.decisions if decision.kind == "quarantined"]
    assert (told.program, (told.detail or {})["timer"]) == ("p", timer)
    one.broken = False
    one.move(20)
    one.feed(released(START_MS + 20 * HOUR_MS))
    one.move(21)
    assert sent(one.commands) == [("hello", 20.0)]  # being released is no activity that puts it off
    assert stopped(one.row()) == []


def test_a_wait_that_hears_what_it_waits_for_leaves_quarantine(tmp_path: Path):
    one = Faulty(
        topology(
            tmp_path,
            """
            entry: {on: seen}
            steps:
              - wait_for: bought
                timeout: 3h
                then: [{send: push, template: thanks}]
                else: [{send: push, template: still}]
            """,
            PLAIN,
        )
    )
    one.feed(event("seen", 0))
    one.broken = True
    one.move(5)
    assert stopped(one.row()) == [START_MS + 3 * HOUR_MS]
    one.broken = False
    one.feed(event("bought", 6))
    assert sent(one.commands) == [("thanks", 6.0)]
    assert stopped(one.row()) == []


def test_releasing_what_was_never_stopped_changes_nothing(tmp_path: Path):
    one = Faulty(topology(tmp_path, WAITS, PLAIN))
    one.feed(event("seen", 0))
    one.feed(released(START_MS + HOUR_MS))
    one.move(9)
    assert sent(one.commands) == [("hello", 3.0), ("bye", 4.0)]
    assert kinds(one.decisions, "released", "quarantined") == []


def test_a_due_for_what_is_stopped_does_nothing(tmp_path: Path):
    known = topology(tmp_path, WAITS, PLAIN)
    row, _, _ = advance(known, Row.new(), Shared(), event("seen", 0), START_MS)
    quarantine(row, "ana", row.due_ms, "why")
    until_ms = START_MS + 8 * 24 * HOUR_MS
    row, outputs, _ = advance(known, row, Shared(), Due("ana", until_ms), until_ms)
    assert outputs == []
