"""The worker as a whole: a real broker on the same machine, exactly once, ten programs, a backlog worked off.

The log is published beforehand, each record at its event's time; what is timed lies between the first
tenth of the records and the last one, so that starting up is not in it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from loadtests.core import TOPOLOGY
from loadtests.live import Live, Process
from loadtests.workload import lines
from processor.runtime.broker.kafka import LocalKafka

__all__ = ["measure"]

_LOOK_S = 0.1
_TIMEOUT_S = 900


def measure(folder: Path, count: int, contacts: int, law: str, partitions: int) -> dict[str, Any]:
    """Work off ``count`` events in ``folder``. Returns the figures."""
    log = folder / "events.jsonl"
    with log.open("wb") as file:
        file.writelines(lines(count, contacts, law=law))
    with LocalKafka(folder / "kafka") as kafka:
        live = Live(folder / "topology", TOPOLOGY, kafka.address, "load.", partitions)
        live.publish(log)
        log.unlink()
        began = time.monotonic()
        worker = live.worker("w0", folder / "state")
        try:
            figures = _timed(worker, count, began)
        finally:
            worker.kill()
    return {"law": law, "events": count, "contacts": contacts, "partitions": partitions, **figures}


def _timed(worker: Process, count: int, began: float) -> dict[str, Any]:
    started: tuple[float, float, float] | None = None
    first_s = 0.0
    while time.monotonic() - began < _TIMEOUT_S:
        assert worker.process.poll() is None, worker.log.read_text()[-3000:]
        metrics = worker.metrics()
        now, done = time.monotonic(), metrics.get("trayecto_records_total", 0.0)
        if done and not first_s:
            first_s = now - began
        if started is None and done >= count / 10:
            started = (now, done, worker.cpu_seconds())
        if started is not None and done >= count:
            seconds, events = now - started[0], done - started[1]
            cpu = worker.cpu_seconds() - started[2]
            return {
                "events_per_second": round(events / seconds),
                "events_per_cpu_second": round(events / cpu),
                "seconds_to_first_chunk": round(first_s, 1),
                "transactions": int(metrics["trayecto_transactions_total"]),
                "share_of_time_committing": round(
                    metrics["trayecto_commit_seconds_total"] / (now - began), 2
                ),
                "memory_mb": round(worker.memory_mb()),
            }
        time.sleep(_LOOK_S)
    raise TimeoutError(f"not done in {_TIMEOUT_S} s: {worker.log.read_text()[-3000:]}")
