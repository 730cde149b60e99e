"""The demo's real events through the demo's topology, under the eyes of the same checker."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from processor.codec.events import decode_event
from processor.core.events import Event
from processor.language import load_topology
from processor.runtime.driver import Driver
from processor.store.memory import MemoryStore
from tests.simulation.year.checker import Checker
from tests.simulation.year.rules import Rules

__all__ = ["DEMO", "replay"]

DEMO: Final = Path(__file__).resolve().parents[3] / "topologies" / "demo"
CHUNK: Final = 200
PARTITIONS: Final = 4


def replay(wanted: Callable[[str], bool] = bool) -> Checker:
    """Replay the events of the contacts that are wanted. Returns the checker, at the end of the log."""
    checker = Checker(Rules(DEMO))
    store = MemoryStore(PARTITIONS)
    driver = Driver(load_topology(DEMO).topology, store, PARTITIONS)
    with gzip.open(DEMO / "data" / "events.jsonl.gz", "rb") as lines:
        decoded = [decode_event(line) for line in lines]
    events = [event for event in decoded if isinstance(event, Event) and wanted(event.contact_id)]
    last_ms = 0
    for begin in range(0, len(events), CHUNK):
        chunk = events[begin : begin + CHUNK]
        for event in chunk:
            last_ms = max(last_ms, event.occurred_ms)
            driver.feed(event, last_ms)
        taken = driver.take()
        store.commit(taken.changes, b"")
        driver.committed()
        for failure in taken.failures:
            checker.fault(failure.reason)
        seen: list[tuple[int, int, Any]] = [(event.occurred_ms, 0, event) for event in chunk]
        seen += [(command.decided_ms, 1, command) for command in taken.commands]
        seen += [(decision.at_ms, 2, decision) for decision in taken.decisions]
        for at_ms, rank, one in sorted(seen, key=lambda entry: entry[:2]):
            if rank == 0:
                checker.event(at_ms, one.contact_id, one.type, one.properties)
            elif rank == 1:
                checker.command(one)
            else:
                checker.decision(one)
    return checker
