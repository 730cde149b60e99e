"""``python -m tests.simulation.year``: a year of many contacts through the gallery, checked.

    python -m tests.simulation.year --contacts 100000 --out tests/simulation/results/year.json

Exits with 1 where the checker found something, and says what.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import processor
from processor.language import load_topology
from processor.runtime.garbage import few_collections
from tests.simulation.year.checker import Checker
from tests.simulation.year.demo import replay
from tests.simulation.year.people import DAY_MS
from tests.simulation.year.rules import Rules
from tests.simulation.year.world import BEGIN_MS, DAYS, live

TOPOLOGY = Path(__file__).resolve().parents[3] / "topologies" / "year"


def year(contacts: int, seed: int, days: int = DAYS) -> dict[str, Any]:
    """Live through it and check it. Returns the figures."""
    checker = Checker(Rules(TOPOLOGY))
    topology = load_topology(TOPOLOGY).topology
    began = time.monotonic()
    with few_collections():
        counted = live(topology, contacts, seed, checker, days)
    checker.finish(BEGIN_MS + days * DAY_MS)
    return {
        "contacts": contacts,
        "days": days,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        "compiled": processor.is_compiled(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "taken_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "events": counted.events,
        "decisions": counted.decisions,
        "commands": dict(sorted(counted.commands.items())),
        "entered": dict(sorted(counted.programs.items())),
        "held_back": dict(sorted(checker.suppressed.items())),
        "checked": dict(sorted(checker.checked.items())),
        "violations": dict(checker.violations),
        "samples": dict(checker.samples),
    }


def demo() -> dict[str, Any]:
    """Replay the demo's events and check what comes of them. Returns the figures."""
    checker = replay()
    return {
        "held_back": dict(sorted(checker.suppressed.items())),
        "checked": dict(sorted(checker.checked.items())),
        "violations": dict(checker.violations),
        "samples": dict(checker.samples),
    }


def main() -> int:
    """Run it; 0 where nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.year", description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--demo", action="store_true", help="check the demo's real events instead")
    options = parser.parse_args()
    found = demo() if options.demo else year(options.contacts, options.seed, options.days)
    text = json.dumps(found, indent=2) + "\n"
    sys.stdout.write(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
