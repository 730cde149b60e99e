"""How a lane stands and what it has counted, for those who look at it; and what it needs of the consumer."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

import msgspec
from faust.types import TP

__all__ = ["Counts", "LaneState", "Source"]


class LaneState(Enum):
    """Where a lane is. Ready is only RUNNING."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting for the schema registry"
    RETRYING = "retrying"
    LOST = "position lost"
    FENCED = "fenced"
    ENDED = "ended"


class Counts(msgspec.Struct):
    """What a lane has seen since the worker started. Everything skipped or dropped is counted."""

    records: int = 0
    transactions: int = 0
    commit_s: float = 0.0  # what they took together
    restarts: int = 0
    restored: int = 0
    skipped: int = 0
    chunks_stale: int = 0
    chunks_lost: int = 0
    resumed: int = 0  # by an operator's command, after the position was lost
    unanswered: int = 0  # questions to the schema registry that were not answered


class Source(Protocol):
    """What a lane needs of the consumer."""

    async def bounds(self, tps: list[TP]) -> Mapping[TP, tuple[int, int, int | None]]:
        """Return (first offset, end, the group's offset) of each partition."""
        ...

    async def seek(self, offsets: Mapping[TP, int], epoch: int) -> bool:
        """Move to these offsets and begin to fetch there; False where they are not assigned any more."""
        ...

    def pause(self, tp: TP) -> None:
        """Take no more of this partition."""
        ...

    def resume(self, tp: TP) -> None:
        """Take of this partition again."""
        ...

    async def rejoin(self) -> None:
        """Join the group anew."""
        ...
