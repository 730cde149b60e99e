"""Drivers of one partition each, as workers have them: what goes between partitions goes through the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from processor.codec.murmur2 import partition_of
from processor.core.events import Event, Message
from processor.core.ids import fingerprint
from processor.core.model import Topology
from processor.core.outputs import Command, Decision
from processor.core.rows import Row
from processor.core.time import DAY_MS, parse_time
from processor.language import load_topology
from processor.runtime.driver import ROW_BYTES_MAX, Driver
from processor.store.memory import MemoryStore

START_MS = parse_time("2026-03-02T00:00:00Z")
TOPOLOGY = """\
topology: t
events: {seen: {}}
profile: {notes: string}
purposes: {service: {consent: not_required}}
channels: {email: {}}
"""


class Partitions:
    """Drivers over a common log of messages, each with one partition of it."""

    def __init__(self, topology: Topology, number: int) -> None:
        self.stores = [MemoryStore(number) for _ in range(number)]
        self.drivers = [Driver(topology, store, number, owned=(n,)) for n, store in enumerate(self.stores)]
        self.log: list[tuple[int, Message]] = []
        self.commands: list[Command] = []
        self.decisions: list[Decision] = []
        self.failures: list[str] = []
        self.delivered = 0
        self._events = 0

    def contacts(self, partition: int, count: int) -> list[str]:
        names = (f"c-{n}" for n in range(100_000))
        found = [name for name in names if partition_of(name, len(self.drivers)) == partition]
        return found[:count]

    def event(self, contact: str, kind: str, at_ms: int, **properties: Any) -> None:
        self._events += 1
        name = f"e-{self._events}"
        event = Event(name, contact, kind, at_ms, properties, fingerprint(name.encode()))
        number = partition_of(contact, len(self.drivers))
        self.drivers[number].feed(event, at_ms)
        self.commit(number)

    def move(self, at_ms: int) -> None:
        for number, driver in enumerate(self.drivers):
            driver.move(at_ms)
            self.commit(number)

    def commit(self, number: int) -> None:
        taken = self.drivers[number].take()
        self.commands += taken.commands
        self.decisions += taken.decisions
        self.failures += [failure.reason for failure in taken.failures]
        self.log += taken.messages
        self.stores[number].commit(taken.changes, b"")
        self.drivers[number].committed()

    def deliver(self, limit: int = 10_000) -> None:
        while self.log:
            assert self.delivered < limit, "messages go round without end"
            self.delivered += 1
            number, message = self.log.pop(0)
            driver = self.drivers[number]
            driver.deliver(message, driver.watermark_ms)
            self.commit(number)

    def row(self, contact: str) -> Row | None:
        number = partition_of(contact, len(self.drivers))
        (data,) = self.stores[number].partition(number).get_many([contact])
        return Row.decode(data) if data is not None else None


def made(folder: Path, program: str) -> Topology:
    (folder / "programs").mkdir()
    (folder / "topology.yaml").write_text(TOPOLOGY)
    (folder / "programs" / "p.yaml").write_text(f"program: p\npurpose: service\n{program}")
    return load_topology(folder).topology


SEND = "steps: [{send: email, template: hello}]\n"


def test_two_contacts_that_become_each_other_at_once_are_one_and_keep_everything(tmp_path: Path) -> None:
    live = Partitions(made(tmp_path, "entry: {on: seen}\n" + SEND), 2)
    (one,), (two,) = live.contacts(0, 1), live.contacts(1, 1)
    live.event(one, "profile_updated", START_MS, notes="of one")
    live.event(two, "profile_updated", START_MS, tz="Europe/London")
    live.event(one, "contact_identified", START_MS + 1, anonymous_id=two)
    live.event(two, "contact_identified", START_MS + 1, anonymous_id=one)
    live.deliver()
    rows = {name: live.row(name) for name in (one, two)}
    (stays,) = [name for name, row in rows.items() if row is not None and not row.alias]
    kept = rows[stays]
    assert kept is not None
    assert kept.attributes == {"notes": "of one", "tz": "Europe/London"}
    for name in (one, two):
        live.event(name, "seen", START_MS + 2)
    live.deliver()
    assert [command.contact_id for command in live.commands] == [stays]


def test_a_schedule_passes_over_who_has_become_another(tmp_path: Path) -> None:
    live = Partitions(
        made(tmp_path, 'entry: {schedule: "0 9 * * *", zone: UTC}\nreenter: always\n' + SEND), 2
    )
    (anonymous,), (known,) = live.contacts(0, 1), live.contacts(1, 1)
    live.event(anonymous, "seen", START_MS)
    live.event(known, "contact_identified", START_MS + 1, anonymous_id=anonymous)
    live.deliver()
    live.move(START_MS + DAY_MS)
    assert [command.contact_id for command in live.commands] == [known]


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_cap_on_entrants_lets_in_as_many_as_it_says(tmp_path: Path, partitions: int) -> None:
    live = Partitions(made(tmp_path, "entry: {on: seen}\nentrants: {at_most: 1000}\n" + SEND), partitions)
    for number in range(partitions):
        for contact in live.contacts(number, 300):
            live.event(contact, "seen", START_MS)
    live.deliver()
    assert len(live.commands) == 300 * partitions


def test_a_row_does_not_grow_beyond_what_a_broker_takes(tmp_path: Path) -> None:
    live = Partitions(made(tmp_path, "entry: {on: seen}\n" + SEND), 1)
    live.event("c", "profile_updated", START_MS, notes="n" * (ROW_BYTES_MAX - 1_000))
    live.event("c", "profile_updated", START_MS + 1, tz="Europe/London" + " " * 2_000)
    live.event("c", "seen", START_MS + 2)
    assert [failure.partition(" ")[0] for failure in live.failures] == ["RowTooLargeError"]
    assert len(live.commands) == 1
    row = live.row("c")
    assert row is not None
    assert "tz" not in row.attributes


def test_an_inactivity_timer_of_a_program_that_is_gone_makes_room(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    old = made(first, "entry: {inactive: 30d}\n" + SEND)
    new = made(second, "entry: {inactive: 7d, id: later}\n".replace(", id: later", "") + SEND)
    live = Partitions(old, 1)
    live.event("c", "seen", START_MS)
    live.drivers[0] = Driver(new, live.stores[0], 1, owned=(0,))
    live.move(START_MS + 31 * DAY_MS)
    live.event("c", "seen", START_MS + 32 * DAY_MS)
    live.move(START_MS + 40 * DAY_MS)
    assert [command.decided_ms for command in live.commands] == [START_MS + 39 * DAY_MS]
