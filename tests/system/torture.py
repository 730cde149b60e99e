"""``make torture``: every fault, again and again with other seeds, until the time is over.

    TORTURE_SEED=7 TORTURE_MINUTES=20 python -m tests.system.torture

Each fault is run at least once, whatever the time; further turns begin while there is time. The seed is
printed, and a run with the same seed strikes at the same places in the same log. What was found is written as
JSON to ``tests/system/results`` (or TORTURE_OUT), from which the table in the documentation is made.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import processor
from processor.runtime.broker.kafka import LocalKafka
from tests.system.faults import FAULTS, Fault, ShortIds
from tests.system.rounds import Log, Rounds

__all__ = ["COUNTS", "HEADS", "RESULTS", "latest", "main", "strike"]

RESULTS = Path(__file__).parent / "results"
EVENTS = 100_000
HEADS = {
    "missing": "missing",
    "twice": "twice",
    "unwanted": "unwanted",
    "otherwise": "contacts decided otherwise",
    "wrong_rows": "wrong rows",
}
COUNTS = tuple(HEADS)
HEAP_MB = 512


def strike(
    name: str, folder: Path, broker: LocalKafka, log: Log, seed: int, times: int = 0
) -> dict[str, Any]:
    """Run one fault in a folder; return the verdict, with ``rounds`` and ``seconds``.

    Raises:
        AssertionError, TimeoutError: it did not come to a verdict.
    """
    fault: Fault = FAULTS[name]
    began = time.monotonic()
    address = broker if isinstance(broker, str) else broker.address
    rounds = Rounds(folder, address, f"t{secrets.token_hex(4)}", log, seed, whole=not fault.half)
    try:
        found = fault.run(rounds, times or fault.times, broker)
    finally:
        rounds.close()
    return {"rounds": times or fault.times, **found, "seconds": round(time.monotonic() - began, 1)}


@contextmanager
def _broker(folder: Path, *, short_ids: bool) -> Iterator[LocalKafka]:
    with (ShortIds if short_ids else LocalKafka)(folder, heap_mb=HEAP_MB) as broker:
        yield broker


def _once(name: str, base: Path, log: Log, seed: int) -> dict[str, Any]:
    """Run a fault on a broker of its own, and clean up."""
    try:
        with _broker(base / "kafka", short_ids=FAULTS[name].short_ids) as broker:
            return strike(name, base / "rounds", broker, log, seed)
    except Exception as error:  # noqa: BLE001 - that a fault broke off is a result as well
        return {"failed": f"{type(error).__name__}: {error}"[-3000:]}
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _added(total: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Sums over the turns of a fault; the first failure stays."""
    if "failed" in found:
        return {**total, "failed": total.get("failed", found["failed"])}
    return {**total, **{key: round(total.get(key, 0) + value, 1) for key, value in found.items()}}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def right(found: dict[str, Any]) -> bool:
    """Whether a fault came to a verdict, and all is as it has to be."""
    return "failed" not in found and not any(found[key] for key in COUNTS)


def latest() -> dict[str, Any]:
    """The latest results that are kept."""
    found: dict[str, Any] = json.loads(max(RESULTS.glob("torture-*.json")).read_text())
    return found


def main() -> int:
    """Run; the exit code is 1 where anything is wrong."""
    seed = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(1, 1_000_000))
    minutes = float(os.environ.get("TORTURE_MINUTES") or 20)
    events = int(os.environ.get("TORTURE_EVENTS") or EVENTS)
    began, end = time.monotonic(), time.monotonic() + minutes * 60
    _say(f"torture: TORTURE_SEED={seed} TORTURE_MINUTES={minutes:g}, {events:,} events a turn")
    results: dict[str, Any] = {name: {} for name in FAULTS}
    turns = 0
    base = Path(tempfile.mkdtemp(prefix="trayecto-torture-"))
    try:
        log = Log.made(base / "log", events, seed)
        while turns == 0 or time.monotonic() < end:
            for name in FAULTS:
                if turns and time.monotonic() > end:
                    break
                found = _once(name, base / "turn", log, seed + turns)
                results[name] = _added(results[name], found)
                _say(f"torture: {name}: {json.dumps(found)}")
            turns += 1
    finally:
        shutil.rmtree(base, ignore_errors=True)
    made = {
        "taken_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seed": seed,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "cores": os.cpu_count(),
        "compiled": processor.is_compiled(),
        "events_a_turn": events,
        "faults": results,
    }
    out = os.environ.get("TORTURE_OUT") or str(RESULTS / f"torture-{datetime.now(UTC):%Y-%m-%d}.json")
    Path(out).parent.mkdir(exist_ok=True)
    Path(out).write_text(json.dumps(made, indent=2) + "\n")
    wrong = [name for name, found in results.items() if not right(found)]
    _say(f"torture: written to {out}; " + (f"WRONG: {', '.join(wrong)}" if wrong else "all right"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
