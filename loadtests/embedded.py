"""The embedded runner as a whole: JSON Lines in, RocksDB state and command files out, exactly once."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

from loadtests.core import TOPOLOGY
from loadtests.workload import lines
from processor.language import load_topology
from processor.runtime.embedded import RunOptions, run

__all__ = ["measure", "measure_demo"]

DEMO = Path(__file__).parents[1] / "topologies" / "demo"


def measure(folder: Path, count: int, contacts: int, law: str) -> dict[str, Any]:
    """Generate ``count`` events to a file in ``folder`` (not timed), run them, return the figures."""
    log = folder / "events.jsonl"
    with log.open("wb") as file:
        file.writelines(lines(count, contacts, law=law))
    return {"law": law, **_timed(folder, TOPOLOGY, log, count), "contacts": contacts}


def measure_demo(folder: Path) -> dict[str, Any]:
    """The demo topology over its real events."""
    log = DEMO / "data" / "events.jsonl.gz"
    return _timed(folder, DEMO, log, 0)


def _timed(folder: Path, topology: Path, log: Path, count: int) -> dict[str, Any]:
    loaded = load_topology(topology).topology
    options = RunOptions(
        topology=loaded, sources=(str(log),), state=folder / "state", out=folder / "out", signals=False
    )
    begin, cpu = time.perf_counter(), time.process_time()
    report = run(options)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
    applied = report.applied
    assert not count or applied == count, "every generated event is applied"
    return {
        "events": applied,
        "seconds": round(seconds, 1),
        "events_per_second": round(applied / seconds),
        "events_per_cpu_second": round(applied / cpu_seconds),
        "memory_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
