"""States of any size without processing the events that would have led to them.

The rows are real: a few thousand contacts live through :data:`TEMPLATE_DAYS` of the workload, in the driver,
and their rows are written again under as many further contacts as are wanted, by the store's own commit and
with the timer that each row has. So rows have the sizes, sections and waits of the workload. What is not as
in life: contacts that share a row wait for the same instant.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from loadtests.apart import folder_mb, memory_peak_mb
from loadtests.workload import DAY_MS, DAYS, START_MS, lines
from processor.codec.events import decode_event
from processor.codec.murmur2 import partition_of
from processor.core.events import Event
from processor.core.model import Topology
from processor.core.rows import due_ms_of
from processor.runtime.driver import Driver
from processor.runtime.faust.engine import encode_positions
from processor.runtime.garbage import few_collections
from processor.store import Changes, MemoryStore, open_rocks

__all__ = [
    "EVENTS_A_CONTACT",
    "GROWN_MS",
    "PARTITIONS",
    "TEMPLATE_DAYS",
    "fill",
    "name_of",
    "rows_of",
    "template_of",
    "templates",
]

PARTITIONS = 2
EVENTS_A_CONTACT = 4  # in the workload's 60 days
TEMPLATE_DAYS = 2 * DAYS
GROWN_MS = START_MS + TEMPLATE_DAYS * DAY_MS  # until when the templates have lived
_BATCH = 20_000


def name_of(number: int) -> str:
    """The contact of this number, as the workload calls it."""
    return f"contact-{number:07}"


def template_of(number: int, count: int) -> int:
    """Which of ``count`` templates a contact has: neighbours in the order of names have different ones."""
    return number * 2_654_435_761 % (1 << 32) % count


def templates(topology: Topology, count: int) -> list[bytes]:
    """Rows of ``count`` contacts that have lived through the workload until :data:`GROWN_MS`."""
    made = EVENTS_A_CONTACT * TEMPLATE_DAYS // DAYS * count
    return rows_of(topology, _events(made, count), GROWN_MS)


def _events(made: int, count: int) -> Iterator[Event]:
    for line in lines(made, count, days=TEMPLATE_DAYS):
        event = decode_event(line)
        assert isinstance(event, Event)
        yield event


def rows_of(topology: Topology, events: Iterator[Event], until_ms: int) -> list[bytes]:
    """The rows that these events lead to, with time going on until ``until_ms``."""
    store = MemoryStore(1)
    driver = Driver(topology, store, 1)

    def commit() -> None:
        store.commit(driver.take().changes, b"")
        driver.committed()

    with few_collections():
        while batch := list(itertools.islice(events, 5_000)):
            for event in batch:
                driver.feed(event, event.occurred_ms)
            commit()
        driver.move(until_ms)
        commit()
    partition = store.partition(0)
    return [row for row in partition.get_many(partition.contacts("", 1 << 30)) if row is not None]


def fill(path: Path, contacts: int, rows: Sequence[bytes], partitions: int = PARTITIONS) -> dict[str, Any]:
    """Make a state of ``contacts`` rows, each with its timer in the index. Returns what that took."""
    began = time.monotonic()
    store = open_rocks(path, partitions=partitions, sync=False)
    dues = [due_ms_of(row) for row in rows]
    for begin in range(0, contacts, _BATCH):
        numbers = range(begin, min(begin + _BATCH, contacts))
        store.commit(_changes(numbers, rows, dues, partitions), encode_positions({}))
    store.close()
    return {
        "contacts": contacts,
        "fill_seconds": round(time.monotonic() - began, 1),
        "fill_memory_peak_mb": round(memory_peak_mb()),
        "disk_mb": round(folder_mb(path)),
    }


def _changes(
    numbers: range, rows: Sequence[bytes], dues: Sequence[int], partitions: int
) -> dict[int, Changes]:
    made: dict[int, Changes] = {number: Changes(rows={}, timers={}) for number in range(partitions)}
    for number in numbers:
        contact = name_of(number)
        template = template_of(number, len(rows))
        changes = made[partition_of(contact, partitions)]
        changes.rows[contact] = rows[template]
        if dues[template]:
            changes.timers[contact] = (0, dues[template])
    return made
