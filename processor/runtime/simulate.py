"""Programs in virtual time: events are fed at their instants, and time moves as far as anybody asks.

The shell of scenario tests and previews. It drives the same core by the same driver as every other shell, on
one partition in memory, so what it shows is what a run does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Final

from processor.codec.sizes import check_outputs
from processor.core.events import Event
from processor.core.ids import fingerprint
from processor.core.lifecycle import ENDED
from processor.core.model import Program, Purpose, Topology
from processor.core.nodes import Split
from processor.core.outputs import Command, Decision
from processor.core.rows import Row
from processor.core.schema import validate
from processor.core.time import DAY_MS
from processor.core.turn import NEVER_MS
from processor.runtime.driver import Driver, Failure
from processor.runtime.sentences import Moment, of_decision
from processor.store.memory import MemoryStore

__all__ = ["LOOK_AHEAD_MS", "Simulation", "consent_events", "forced"]

LOOK_AHEAD_MS: Final = 400 * DAY_MS  # how far time runs after the last event while something waits
_TURNS_MAX: Final = 100_000  # of the clock in one settling; beyond it something turns in place
_BY_TIME: Final = frozenset({"segment", "grade"})  # entries that decay and windows can start


class Simulation:
    """One topology, empty at first. ``commands`` and ``decisions`` grow as time passes.

    ``path`` holds the decisions as moments, and among them the events that were fed.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.commands: list[Command] = []
        self.decisions: list[Decision] = []
        self.failures: list[Failure] = []
        self.path: list[Moment] = []
        self._store = MemoryStore(1)
        self._driver = Driver(topology, self._store, 1, seal=check_outputs)
        self._events = 0

    @property
    def now_ms(self) -> int:
        """The virtual time: the latest instant that an event or a move has brought it to."""
        return self._driver.watermark_ms

    def publish(
        self, contact: str, event_type: str, at_ms: int, properties: Mapping[str, Any], event_id: str = ""
    ) -> str | None:
        """Feed one event; an instant before the virtual time makes it a late one.

        Returns why the event cannot be taken (see :func:`processor.core.schema.validate`), or None.
        """
        reason = validate(self.topology, event_type, properties)
        if reason is not None:
            return reason
        self.move(at_ms)
        self._events += 1
        name = event_id or f"event-{self._events}"
        event = Event(name, contact, event_type, at_ms, dict(properties), fingerprint(name.encode()))
        self.path.append(Moment("event", contact, at_ms, reason=event_type, detail=event.properties))
        self._driver.feed(event, self.now_ms)
        self._driver.move(self.now_ms)  # what an operator's event lets go of goes at once
        self._keep()
        return None

    def move(self, at_ms: int) -> None:
        """Let time pass until ``at_ms``; everything due by then happens."""
        if at_ms > self.now_ms:
            self._driver.move(at_ms)
            self._keep()

    def settle(self, contact: str, limit_ms: int, programs: Collection[str] | None = None) -> None:
        """Let time pass until nothing waits for ``contact`` any more, at the longest until ``limit_ms``.

        Enrollments wait, whichever program they are in. What could start an enrollment by time alone (dates,
        inactivity, schedules, segments left behind) is waited for where it starts one of ``programs`` (None:
        any program).
        """
        for _ in range(_TURNS_MAX):
            due_ms = self.next_ms(contact, programs)
            if due_ms > limit_ms:
                return
            self.move(due_ms)
        raise AssertionError(f"time did not get on: {_TURNS_MAX} instants up to {self.now_ms} ms")

    def next_ms(self, contact: str, programs: Collection[str] | None = None) -> int:
        """The next instant at which something waits for the contact (see :meth:`settle`), or NEVER_MS."""
        row = self.row(contact)
        if row is None:
            return NEVER_MS
        wanted = self.topology.programs.keys() if programs is None else programs
        made = [self.topology.programs[name] for name in wanted]
        kinds = {entry.kind for program in made for entry in program.entries}
        found = [NEVER_MS]
        inside = False
        for enrollment in row.enrollments:
            if enrollment.state != ENDED:
                inside = True
                found.append(enrollment.due_ms)
                found.extend(track.due_ms for track in enrollment.tracks)
        for timer in row.timers:
            starts = timer.kind in {"date", "idle"} and timer.name.partition("/")[0] in wanted
            looks = timer.kind in _BY_TIME and (inside or kinds & _BY_TIME)
            if timer.kind == "look" or starts or looks:
                found.append(timer.due_ms)
        if "schedule" in kinds:
            schedules = self._driver.partitions[0].shared.schedules
            found.extend(due for name, due in schedules.items() if name.partition("/")[0] in wanted)
        return min((due for due in found if due > self.now_ms), default=NEVER_MS)

    def row(self, contact: str) -> Row | None:
        """The contact's row as it is now, following what it was merged into; None for one without a row."""
        data = self._store.partition(0).get_many([contact])[0]
        if data is None:
            return None
        row = Row.decode(data)
        return self.row(row.alias) if row.alias else row

    def _keep(self) -> None:
        taken = self._driver.take()
        self.commands += taken.commands
        self.decisions += taken.decisions
        self.path += map(of_decision, taken.decisions)
        self.failures += taken.failures
        self._store.commit(taken.changes, b"")
        self._driver.committed()


def consent_events(consent: str, purposes: Mapping[str, Purpose]) -> list[tuple[str, dict[str, str]]]:
    """The events that make a contact agree to ``purpose`` or ``purpose/channel``, confirmed where needed."""
    purpose, _, channel = consent.partition("/")
    about = {"purpose": purpose, "channel": channel} if channel else {"purpose": purpose}
    declared = purposes.get(purpose)
    kinds = ["consent_granted"]
    if declared is not None and declared.confirm_ms:
        kinds.append("consent_confirmed")
    return [(kind, about) for kind in kinds]


def forced(
    topology: Topology, variants: Mapping[str, str], *, holdout: bool | None, program: str = ""
) -> Topology:
    """Return the topology with chance taken out of it.

    Args:
        topology: as it was loaded; it is not changed.
        variants: split id -> the variant that everybody gets, in ``program`` ("": in every program).
        holdout: True holds everybody out wherever a holdout is asked for (everywhere, where none is), False
            nobody, None leaves it to the contact's hash.
        program: the program that ``variants`` are about.

    Raises:
        KeyError: there is no such split or variant; its argument says which.
    """
    programs = dict(topology.programs)
    for split, variant in variants.items():
        names = [program] if program else list(programs)
        holders = [name for name in names if isinstance(programs[name].nodes.get(split), Split)]
        if not holders:
            raise KeyError(f'there is no split "{split}"')
        for name in holders:
            programs[name] = _decided(programs[name], split, variant)
    policies = topology.policies
    if holdout is not None:
        some = policies.holdout_share or any(one.holdout_share for one in programs.values())
        share = 100.0 if holdout and (policies.holdout_share or not some) else 0.0
        policies = dataclasses.replace(policies, holdout_share=share)
        for name, one in programs.items():
            own = 100.0 if holdout and one.holdout_share else 0.0
            programs[name] = dataclasses.replace(one, holdout_share=own)
    return dataclasses.replace(topology, programs=programs, policies=policies)


def _decided(program: Program, split: str, variant: str) -> Program:
    node = program.nodes[split]
    assert isinstance(node, Split), split
    if variant not in [name for name, _, _ in node.branches]:
        known = ", ".join(name for name, _, _ in node.branches)
        raise KeyError(f'the split "{split}" has no variant "{variant}", only {known}')
    branches = tuple((name, 100.0 if name == variant else 0.0, target) for name, _, target in node.branches)
    nodes = {**program.nodes, split: dataclasses.replace(node, branches=branches, best=None)}
    return dataclasses.replace(program, nodes=nodes)
