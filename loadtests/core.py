"""The core alone: row decoded, advanced, encoded, once an event, with events decoded beforehand.

Reported beside the rate: how many events touched an enrollment, yielded a command, and how large rows are, so
that a fast result on an idle workload cannot pass for one.
"""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path
from typing import Any

from loadtests.workload import lines
from processor.codec.events import decode_event
from processor.core.events import Event
from processor.core.machine import advance
from processor.core.model import Topology
from processor.core.outputs import Command, Decision
from processor.core.rows import Row
from processor.core.shared import Shared
from processor.language import load_topology
from processor.runtime.garbage import few_collections

__all__ = ["TOPOLOGY", "measure"]

TOPOLOGY = Path(__file__).parent / "topologies" / "ten"
TOUCHING = frozenset({"entered", "heard", "waiting", "goal", "exited", "stepped", "commanded", "completed"})
BATCH = 500  # as a chunk has them: decoded shortly before they are used


def measure(count: int, contacts: int, law: str, *, warm: int) -> dict[str, Any]:
    """Advance ``count`` events after ``warm`` that are not timed. Returns the figures."""
    topology = load_topology(TOPOLOGY).topology
    rows: dict[str, bytes] = {}
    shared = Shared()
    source = lines(count + warm, contacts, law=law)
    touched = commanded = 0
    seconds = 0.0
    done = 0
    with few_collections():  # as the shells have it
        while batch := [decode_event(line) for line in itertools.islice(source, BATCH)]:
            events = [event for event in batch if isinstance(event, Event)]
            assert len(events) == len(batch), "the workload holds only good events"
            begin = time.perf_counter()
            results = _run(topology, rows, shared, events)
            if done >= warm:
                seconds += time.perf_counter() - begin
                for outputs in results:
                    touched += any(type(o) is Decision and o.kind in TOUCHING for o in outputs)
                    commanded += any(type(o) is Command for o in outputs)
            done += len(events)
    timed = done - warm
    return {
        "law": law,
        "events": timed,
        "contacts": contacts,
        "events_per_second": round(timed / seconds),
        "microseconds_per_event": round(seconds / timed * 1e6, 2),
        "share_touching_an_enrollment": round(touched / timed, 3),
        "share_yielding_a_command": round(commanded / timed, 3),
        "row_bytes_median": statistics.median(len(row) for row in rows.values()),
    }


def _run(topology: Topology, rows: dict[str, bytes], shared: Shared, events: list[Event]) -> list[list[Any]]:
    results = []
    for event in events:
        contact = event.contact_id
        data = rows.get(contact)
        row = Row.decode(data) if data is not None else Row.new()
        row, outputs, _ = advance(topology, row, shared, event, event.occurred_ms)
        rows[contact] = row.encode()
        results.append(outputs)
    return results
