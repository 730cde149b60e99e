"""The worker with few and with many partitions: a backlog, a thousand events a second, and nothing to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loadtests import latency, worker

__all__ = ["measure"]

LOW_RATE = 1_000  # events a second
LOW_S = 20.0


def measure(folder: Path, count: int, contacts: int, partitions: int) -> dict[str, Any]:
    """Work off ``count`` events, then take a thousand a second, each with a broker and a state of its own."""
    folders = folder / "full", folder / "low"
    for each in folders:
        each.mkdir()
    return {
        "partitions": partitions,
        "full": worker.measure(folders[0], count, contacts, "uniform", partitions),
        "low": latency.measure(folders[1], LOW_RATE, LOW_S, partitions),
    }
