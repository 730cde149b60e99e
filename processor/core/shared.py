"""The partition's own row: what its contacts share. It is stored and changelogged like any other row.

Round-robin positions, the next instants of schedules, open sweeps, leases on global quantities, and the
results of splits by best performer (:mod:`processor.core.best`). A global
quantity (a cap on entrants, say) has one home partition, picked by the hash of its name, which grants units
to the others by messages in the log; see :mod:`processor.core.leases`.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["LEASE_WAITERS_MAX", "OPEN_SWEEPS_MAX", "Lease", "Shared", "SplitHere", "SplitPool", "SweepRun"]

OPEN_SWEEPS_MAX: Final = 64  # further schedules wait until the oldest walk has ended
LEASE_WAITERS_MAX: Final = 10_000  # contacts beyond it are refused and recorded ("lease_queue_full")


class SweepRun(msgspec.Struct, array_like=True, gc=False):
    """One walk over the partition's contacts for one instant of one schedule."""

    number: int
    due_ms: int
    program: str
    entry: str


class Lease(msgspec.Struct, array_like=True, gc=False):
    """Units of a global quantity that this partition may hand out, and the contacts that wait for some."""

    available: int
    asked: bool
    exhausted: bool
    waiting: list[str]


class SplitHere(msgspec.Struct, array_like=True, gc=False):
    """A split by best performer as this partition sees it: what it counts, and what it was told.

    ``counts`` are those since the last report, by "period variant": [dealt evenly, successes]. ``shares``
    are in percent, none while too little is known; ``results`` those that they come from.
    """

    period: int = 0
    counts: dict[str, list[int]] = {}
    shares: dict[str, float] = {}
    results: dict[str, list[int]] = {}
    round: int = 0


class SplitPool(msgspec.Struct, array_like=True, gc=False):
    """A split's results at its home: ``open`` by "period variant", ``totals`` of periods before ``folded``.

    ``partitions`` are those that have reported, and are told the shares.
    """

    folded: int = 0
    open: dict[str, list[int]] = {}
    totals: dict[str, list[int]] = {}
    round: int = 0
    partitions: list[int] = []


class Shared(msgspec.Struct, array_like=True, gc=False):
    """The partition's row.

    ``schedules`` maps ``program/entry`` to its next instant (ms); ``cursor`` is the last contact the running
    sweep has visited; ``granted`` counts, at a quantity's home, the units given out.
    """

    version: int = 1
    number: int = 0
    watermark_ms: int = 0
    sweep_number: int = 0
    counters: dict[str, int] = {}
    schedules: dict[str, int] = {}
    sweeps: list[SweepRun] = []
    cursor: str = ""
    leases: dict[str, Lease] = {}
    granted: dict[str, int] = {}
    splits: dict[str, SplitHere] = {}
    pools: dict[str, SplitPool] = {}

    def encode(self) -> bytes:
        """The row as bytes."""
        return _encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Shared:
        """Read a stored shared row."""
        return _decode(data)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Shared).decode
