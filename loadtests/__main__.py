"""``python -m loadtests``: measure the core, the embedded runner, the worker, and write the figures down.

Bounded: a fixed number of generated events and of contacts; what needs a broker starts one on this machine.
Nothing here passes or fails; the figures are for reading, and ``--out`` keeps them as JSON with the machine
and the versions they were taken on.
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
from typing import Any, NamedTuple

import processor
from loadtests import core, cost, embedded, growth, latency, nine, partitions, recovery, timers, wire, worker
from loadtests.apart import apart
from loadtests.peers import measured as peers

LAWS = ("uniform", "zipf")
PARTITIONS = (2, 8)
MANY_PARTITIONS = (2, 8, 64)
RATES = (2_000, 8_000)  # events a second
LATENCY_S = 25.0
WAITING = 10_000_000
WAKEUPS = 500_000
AT_NINE, AT_NINE_LIVE, AT_NINE_RATE = 1_000_000, 200_000, 2_000
RECOVERED = 1_000_000
COST_EVENTS = 300_000
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
CONTACTS_PER_EVENT = 0.25  # four events a contact, which gives rows and shares as docs/performance.md says


Figures = tuple[str, dict[str, Any]]


class Bounds(NamedTuple):
    """What was asked for: how many events at most, and contacts."""

    events: int
    contacts: int

    @property
    def drawn(self) -> int:
        """Of how many contacts the events are."""
        return max(1, min(self.contacts, int(self.events * CONTACTS_PER_EVENT)))


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


def _core(bounds: Bounds) -> Iterator[Figures]:
    for law in LAWS:
        yield f"core_{law}", core.measure(bounds.events // 2, bounds.drawn, law, warm=bounds.events // 2)


def _embedded(bounds: Bounds) -> Iterator[Figures]:
    for law in LAWS:
        with tempfile.TemporaryDirectory() as folder:
            yield f"embedded_{law}", embedded.measure(Path(folder), bounds.events, bounds.drawn, law)


def _cost(bounds: Bounds) -> Iterator[Figures]:
    count = min(bounds.events, COST_EVENTS)
    yield "cost", cost.measure(count, max(1, int(count * CONTACTS_PER_EVENT)))


def _instructions(bounds: Bounds) -> Iterator[Figures]:
    if counted := cost.instructions():
        yield "instructions", counted


def _demo(bounds: Bounds) -> Iterator[Figures]:
    with tempfile.TemporaryDirectory() as folder:
        yield "demo", embedded.measure_demo(Path(folder))


def _wire(bounds: Bounds) -> Iterator[Figures]:
    yield "wire", wire.measure()


def _worker(bounds: Bounds) -> Iterator[Figures]:
    for number in PARTITIONS:
        with tempfile.TemporaryDirectory() as folder:
            found = worker.measure(Path(folder), bounds.events, bounds.drawn, "uniform", number)
        yield f"worker_{number}_partitions", found


def _latency(bounds: Bounds) -> Iterator[Figures]:
    for rate in RATES:
        with tempfile.TemporaryDirectory() as folder:
            yield f"latency_{rate}", latency.measure(Path(folder), rate, LATENCY_S, 2)


def _timers(bounds: Bounds) -> Iterator[Figures]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "state"
        waiting = min(bounds.contacts, WAITING)
        made = apart(timers.fill_waiting, folder, waiting)
        found = apart(timers.measure_waiting, folder, min(WAKEUPS, waiting // 4))
        yield "timers_waiting", made | found
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "state"
        waiting = min(bounds.contacts, AT_NINE)
        made = apart(timers.fill_nine, folder, waiting)
        yield "timers_nine", made | apart(timers.measure_nine, folder, AT_NINE_RATE, waiting)
    with tempfile.TemporaryDirectory() as name:
        waiting = min(bounds.contacts, AT_NINE_LIVE)
        yield "timers_nine_worker", nine.measure(Path(name), waiting, AT_NINE_RATE // 2, 2)


def _recovery(bounds: Bounds) -> Iterator[Figures]:
    with tempfile.TemporaryDirectory() as folder:
        yield "recovery", recovery.measure(Path(folder), min(bounds.contacts, RECOVERED), 2)


def _partitions(bounds: Bounds) -> Iterator[Figures]:
    for number in MANY_PARTITIONS:
        with tempfile.TemporaryDirectory() as folder:
            found = partitions.measure(Path(folder), bounds.events, bounds.drawn, number)
        yield f"partitions_{number}", found


def _growth(bounds: Bounds) -> Iterator[Figures]:
    for contacts in SIZES:
        if contacts > bounds.contacts:
            return
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "state"
            made = apart(growth.fill_grown, folder, contacts)
            yield f"growth_{contacts}", made | apart(growth.measure, folder, contacts, bounds.events)


def _peers(bounds: Bounds) -> Iterator[Figures]:
    with tempfile.TemporaryDirectory() as folder:
        yield from peers.measure(Path(folder), bounds.events, bounds.drawn)


MEASUREMENTS: dict[str, Callable[[Bounds], Iterator[Figures]]] = {
    "core": _core,
    "cost": _cost,
    "instructions": _instructions,
    "embedded": _embedded,
    "demo": _demo,
    "wire": _wire,
    "worker": _worker,
    "latency": _latency,
    "timers": _timers,
    "recovery": _recovery,
    "partitions": _partitions,
    "growth": _growth,
    "peers": _peers,
}


def main() -> int:
    """Run the chosen measurements."""
    names = ", ".join(MEASUREMENTS)
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("what", nargs="*", default=["core", "embedded", "demo"], help=names)
    parser.add_argument("--events", type=int, default=1_000_000, help="generated events (default a million)")
    parser.add_argument("--contacts", type=int, default=WAITING, help="at most so many (default ten million)")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    if wrong := set(options.what) - set(MEASUREMENTS):
        parser.error(f"unknown measurement {', '.join(sorted(wrong))}: write one of {names}")
    bounds = Bounds(options.events, options.contacts)
    figures: dict[str, Any] = {"machine": _machine()}
    for what in options.what:
        for name, found in MEASUREMENTS[what](bounds):
            figures[name] = found
            print(json.dumps({name: found}), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


sys.exit(main())
