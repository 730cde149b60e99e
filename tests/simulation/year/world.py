"""A year, hour by hour: events go through the driver, and what it commands comes back as later events."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from processor.core.events import Event
from processor.core.ids import fingerprint
from processor.core.model import Topology
from processor.core.outputs import Command, Decision
from processor.core.schema import validate
from processor.runtime.driver import Driver
from processor.store.memory import MemoryStore
from tests.simulation.year.people import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Doing,
    Person,
    answers,
    arrival,
    pause_ms,
    session,
)

__all__ = ["BEGIN_MS", "DAYS", "Counted", "Watcher", "live"]

BEGIN_MS: Final = 1_767_571_200_000  # 2026-01-05T00:00:00Z
DAYS: Final = 365
PARTITIONS: Final = 8
COMING_DAYS: Final = 200  # contacts come within the first so many days
LATE_SHARE: Final = 0.01  # of page views reach the log hours after they occurred


class Watcher(Protocol):
    """Who sees the log and what came of it, in order of time; at one instant events come first."""

    def event(self, at_ms: int, contact: str, kind: str, properties: dict[str, Any]) -> None:
        """An event was applied."""
        ...

    def command(self, command: Command) -> None:
        """A command was given."""
        ...

    def decision(self, decision: Decision) -> None:
        """A decision was recorded."""
        ...

    def fault(self, reason: str) -> None:
        """An input was refused, which none here deserves."""
        ...


@dataclass
class Counted:
    """What a year came to."""

    contacts: int = 0
    events: int = 0
    decisions: int = 0
    commands: dict[str, int] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)


class _World:
    def __init__(self, topology: Topology, contacts: int, seed: int, days: int, watcher: Watcher) -> None:
        self.topology = topology
        self.rng = random.Random(seed)  # chance that can be repeated, not a secret
        self.watcher = watcher
        self.store = MemoryStore(PARTITIONS)
        self.driver = Driver(topology, self.store, PARTITIONS)
        self.people: dict[str, Person] = {}
        self.ahead: list[tuple[int, int, str, str, dict[str, Any]]] = []  # a heap by time, then by number
        self.numbered = 0
        self.counted = Counted(contacts=contacts)
        self.end_ms = BEGIN_MS + days * DAY_MS
        coming_ms = min(COMING_DAYS, max(1, days * 2 // 3)) * DAY_MS
        for number in range(contacts):
            at_ms = BEGIN_MS + self.rng.randrange(coming_ms)
            person, first = arrival(self.rng, number, at_ms)
            self.people[person.name] = person
            self.plan(person, at_ms, first)
            self.put(at_ms + HOUR_MS, person.name, "session", {})

    def put(self, at_ms: int, contact: str, kind: str, properties: dict[str, Any]) -> None:
        """Plan an event; never on a full second, where timers are due."""
        at_ms += 0 if at_ms % 1000 else self.rng.randrange(1, 1000)
        self.numbered += 1
        heapq.heappush(self.ahead, (at_ms, self.numbered, contact, kind, properties))

    def plan(self, person: Person, from_ms: int, doings: list[Doing]) -> None:
        """Plan what somebody does in a while."""
        for in_ms, kind, properties in doings:
            self.put(from_ms + in_ms + self.rng.randrange(1, 1000), person.name, kind, properties)

    def hour(self, until_ms: int) -> None:
        """Feed what happens before ``until_ms``, look at what came of it, and plan how people answer."""
        seen: list[tuple[int, int, Any]] = []
        while self.ahead and self.ahead[0][0] < until_ms:
            at_ms, number, contact, kind, properties = heapq.heappop(self.ahead)
            if kind == "session":
                person = self.people[contact]
                self.plan(person, at_ms, session(self.rng, person, at_ms))
                self.put(at_ms + pause_ms(self.rng, person), contact, "session", {})
                continue
            assert validate(self.topology, kind, properties) is None, (kind, properties)
            occurred_ms = at_ms
            if kind == "page_viewed" and self.rng.random() < LATE_SHARE:
                occurred_ms -= self.rng.randrange(10 * MINUTE_MS, 9 * HOUR_MS)
            name = f"e-{number}"
            event = Event(name, contact, kind, occurred_ms, properties, fingerprint(name.encode()), at_ms)
            self.driver.feed(event, at_ms)
            self.counted.events += 1
            seen.append((at_ms, 0, (contact, kind, properties)))
        self.driver.move(until_ms - 1)
        self._take(seen, until_ms)

    def _take(self, seen: list[tuple[int, int, Any]], until_ms: int) -> None:
        taken = self.driver.take()
        self.store.commit(taken.changes, b"")
        self.driver.committed()
        for failure in taken.failures:
            self.watcher.fault(failure.reason)
        seen.extend((command.decided_ms, 1, command) for command in taken.commands)
        seen.extend((decision.at_ms, 2, decision) for decision in taken.decisions)
        seen.sort(key=lambda one: one[:2])  # stable: what comes at one instant keeps its order
        for at_ms, rank, what in seen:
            if rank == 0:
                self.watcher.event(at_ms, *what)
            elif rank == 1:
                self.watcher.command(what)
                self._answer(what, until_ms)
            else:
                self.watcher.decision(what)
                self.counted.decisions += 1
                if what.kind == "entered":
                    programs = self.counted.programs
                    programs[what.program] = programs.get(what.program, 0) + 1

    def _answer(self, command: Command, until_ms: int) -> None:
        commands = self.counted.commands
        commands[command.channel] = commands.get(command.channel, 0) + 1
        person = self.people.get(command.contact_id)
        if person is None:
            return
        for in_ms, kind, properties in answers(self.rng, person, command):
            at_ms = max(command.decided_ms + in_ms, until_ms) + self.rng.randrange(1, 1000)
            self.put(at_ms, person.name, kind, properties)


def live(topology: Topology, contacts: int, seed: int, watcher: Watcher, days: int = DAYS) -> Counted:
    """Live through ``days`` with so many contacts. The same arguments give the same year."""
    world = _World(topology, contacts, seed, days, watcher)
    for at_ms in range(BEGIN_MS + HOUR_MS, world.end_ms + 1, HOUR_MS):
        world.hour(at_ms)
    return world.counted
