"""``python -m loadtests``: measure the core, the embedded runner, the wire, and write the figures down.

Bounded: a fixed number of generated events, no network. Nothing here passes or fails; the figures are for
reading, and ``--out`` keeps them as JSON with the machine and the versions they were taken on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import processor
from loadtests import core, embedded, latency, wire, worker

LAWS = ("uniform", "zipf")
PARTITIONS = (2, 8)
RATES = (2_000, 8_000)  # events a second
LATENCY_S = 25.0
CONTACTS_PER_EVENT = 0.25  # four events a contact, which gives rows and shares as docs/performance.md says


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "compiled": processor.is_compiled(),
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("msgspec", "rocksdict", "trayecto")},
        "taken_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _core(events: int, contacts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for law in LAWS:
        yield f"core_{law}", core.measure(events // 2, contacts, law, warm=events // 2)


def _embedded(events: int, contacts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for law in LAWS:
        with tempfile.TemporaryDirectory() as folder:
            yield f"embedded_{law}", embedded.measure(Path(folder), events, contacts, law)


def _demo(events: int, contacts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        yield "demo", embedded.measure_demo(Path(folder))


def _wire(events: int, contacts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "wire", wire.measure()


def _worker(events: int, contacts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for partitions in PARTITIONS:
        with tempfile.TemporaryDirectory() as folder:
            found = worker.measure(Path(folder), events, contacts, "uniform", partitions)
        yield f"worker_{partitions}_partitions", found


def _latency(events: int, contacts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for rate in RATES:
        with tempfile.TemporaryDirectory() as folder:
            yield f"latency_{rate}", latency.measure(Path(folder), rate, LATENCY_S, 2)


MEASUREMENTS: dict[str, Callable[[int, int], Iterator[tuple[str, dict[str, Any]]]]] = {
    "core": _core,
    "embedded": _embedded,
    "demo": _demo,
    "wire": _wire,
    "worker": _worker,
    "latency": _latency,
}


def main() -> int:
    """Run the chosen measurements."""
    names = ", ".join(MEASUREMENTS)
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("what", nargs="*", default=["core", "embedded", "demo"], help=names)
    parser.add_argument("--events", type=int, default=1_000_000, help="generated events (default a million)")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    if wrong := set(options.what) - set(MEASUREMENTS):
        parser.error(f"unknown measurement {', '.join(sorted(wrong))}: write one of {names}")
    contacts = max(1, int(options.events * CONTACTS_PER_EVENT))
    figures: dict[str, Any] = {"machine": _machine()}
    for what in options.what:
        for name, found in MEASUREMENTS[what](options.events, contacts):
            figures[name] = found
            print(json.dumps({name: found}), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


sys.exit(main())
