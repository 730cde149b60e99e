"""What an event costs as the state grows: the same events over ten thousand to ten million contacts.

The driver with RocksDB, a commit every 2,000 events as the worker has it, without broker and files. States
are made as ``prefilled`` says. Time goes by so that a contact has four events in 60 days whatever their
number, so that timers per event are the same too. CPU seconds count all threads, RocksDB's compactions as
well.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtests.apart import memory_peak_mb
from loadtests.core import TOPOLOGY
from loadtests.prefilled import EVENTS_A_CONTACT, GROWN_MS, PARTITIONS, fill, name_of, templates
from loadtests.workload import DAYS, lines
from processor.codec.events import decode_event
from processor.core.events import Event
from processor.language import load_topology
from processor.runtime.driver import Driver
from processor.runtime.faust.deciding import ROWS_HELD_MAX
from processor.runtime.garbage import few_collections
from processor.store import RocksStore, open_rocks

__all__ = ["fill_grown", "measure"]

TEMPLATES = 4_000
CHUNK = 2_000
_SAMPLE = 2_000


def fill_grown(folder: Path, contacts: int) -> dict[str, Any]:
    """Make a state of ``contacts`` that have lived through the workload."""
    return fill(folder, contacts, templates(load_topology(TOPOLOGY).topology, TEMPLATES))


def measure(folder: Path, contacts: int, count: int) -> dict[str, Any]:
    """Run ``count`` events over the state that :func:`fill_grown` made, after a tenth that is not timed."""
    store = open_rocks(folder, partitions=PARTITIONS, sync=False)
    before = _row_bytes(store, contacts)
    run = _Run(store, contacts, count)
    with few_collections():
        run.chunks(count // 10)
        run.forget()
        run.chunks(count)
    figures = run.figures()
    figures |= {"row_bytes_median_before": before, "row_bytes_median_after": _row_bytes(store, contacts)}
    store.close()
    return {"contacts": contacts, **figures, "memory_peak_mb": round(memory_peak_mb())}


def _row_bytes(store: RocksStore, contacts: int) -> float:
    names = [name_of(number) for number in range(0, contacts, max(1, contacts // _SAMPLE))]
    rows = itertools.chain(*(store.partition(number).get_many(names) for number in range(PARTITIONS)))
    return statistics.median(len(row) for row in rows if row is not None)


class _Run:
    def __init__(self, store: RocksStore, contacts: int, count: int) -> None:
        self._store = store
        self._driver = Driver(
            load_topology(TOPOLOGY).topology,
            store,
            PARTITIONS,
            checkpoint=self._commit,
            rows_held_max=ROWS_HELD_MAX * PARTITIONS,
        )
        days = DAYS * count / (EVENTS_A_CONTACT * contacts)
        self._lines = lines(count + count // 10, contacts, begin_ms=GROWN_MS, days=days * 1.1, known=True)
        self.forget()

    def forget(self) -> None:
        """What was counted so far is not in the figures."""
        self._events = self._acted = self._commands = 0
        self._wall_s = self._cpu_s = self._own_s = 0.0

    def chunks(self, count: int) -> None:
        """Run the next ``count`` events. Making and decoding them is not timed."""
        for _ in range(0, count, CHUNK):
            events = [decode_event(line) for line in itertools.islice(self._lines, CHUNK)]
            began = time.perf_counter(), time.process_time(), time.thread_time()
            self._chunk([event for event in events if isinstance(event, Event)])
            self._wall_s += time.perf_counter() - began[0]
            self._cpu_s += time.process_time() - began[1]
            self._own_s += time.thread_time() - began[2]

    def _chunk(self, events: Sequence[Event]) -> None:
        driver, acted = self._driver, self._driver.acted
        driver.prefetch([event.contact_id for event in events])
        for event in events:
            driver.feed(event, event.occurred_ms)
        self._events += len(events)
        self._acted += driver.acted - acted
        self._commit()

    def _commit(self) -> None:
        taken = self._driver.take()
        assert not taken.failures
        self._store.commit(taken.changes, b"")
        self._driver.committed()
        self._commands += len(taken.commands)

    def figures(self) -> dict[str, Any]:
        events = self._events
        return {
            "events": events,
            "events_per_second": round(events / self._wall_s),
            "cpu_microseconds_per_event": round(self._cpu_s / events * 1e6, 2),
            "own_thread_microseconds_per_event": round(self._own_s / events * 1e6, 2),
            "inputs_per_event": round(self._acted / events, 2),
            "commands_per_event": round(self._commands / events, 3),
        }
