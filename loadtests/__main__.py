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
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import processor
from loadtests import core, embedded, latency, wire, worker

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


def main() -> int:
    """Run the chosen measurements."""
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        default=["core", "embedded", "demo"],
        help="core, embedded, demo, wire, worker, latency",
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="generated events (default a million)")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    if wrong := set(options.what) - {"core", "embedded", "demo", "wire", "worker"}:
        parser.error(
            f"unknown measurement {', '.join(sorted(wrong))}: write core, embedded, demo, wire or worker"
        )
    contacts = max(1, int(options.events * CONTACTS_PER_EVENT))
    figures: dict[str, Any] = {"machine": _machine()}
    for what in options.what:
        if what == "demo":
            with tempfile.TemporaryDirectory() as folder:
                figures["demo"] = embedded.measure_demo(Path(folder))
            print(json.dumps({"demo": figures["demo"]}), flush=True)
            continue
        if what == "wire":
            figures["wire"] = wire.measure()
            print(json.dumps({"wire": figures["wire"]}), flush=True)
            continue
        if what == "latency":
            for rate in RATES:
                with tempfile.TemporaryDirectory() as folder:
                    found = latency.measure(Path(folder), rate, LATENCY_S, 2)
                figures[f"latency_{rate}"] = found
                print(json.dumps({f"latency_{rate}": found}), flush=True)
            continue
        if what == "worker":
            for partitions in (2, 8):
                with tempfile.TemporaryDirectory() as folder:
                    found = worker.measure(Path(folder), options.events, contacts, "uniform", partitions)
                figures[f"worker_{partitions}_partitions"] = found
                print(json.dumps({f"worker_{partitions}_partitions": found}), flush=True)
            continue
        for law in ("uniform", "zipf"):
            if what == "core":
                found = core.measure(options.events // 2, contacts, law, warm=options.events // 2)
            else:
                with tempfile.TemporaryDirectory() as folder:
                    found = embedded.measure(Path(folder), options.events, contacts, law)
            figures[f"{what}_{law}"] = found
            print(json.dumps({f"{what}_{law}": found}), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


sys.exit(main())
