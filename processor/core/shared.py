"""The partition's own row: what its contacts share. It is stored and changelogged like any other row.

Round-robin positions, the next instants of schedules, open sweeps, leases on global quantities (a cap on
entrants, a budget; see :mod:`processor.core.leases`), the results of splits by best performer
(:mod:`processor.core.best`), and brakes (:mod:`processor.core.brakes`). What is global has a home: the
partition that the hash of its name picks.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "CLAIMS_MAX", "LEASE_WAITERS_MAX", "OPEN_SWEEPS_MAX", "Brake", "BrakeHome", "Claim", "Pace", "Pot",
    "Room", "Shared", "Spent", "SplitHere", "SplitPool", "SweepRun",
]  # fmt: skip

OPEN_SWEEPS_MAX: Final = 64  # further schedules wait until the oldest walk has ended
LEASE_WAITERS_MAX: Final = 10_000  # entrants beyond it are refused and recorded ("entrants_full")
CLAIMS_MAX: Final = 2_000  # sends beyond it ask for their budget again a minute later


class SweepRun(msgspec.Struct, array_like=True, gc=False):
    """One walk over the partition's contacts for one instant of one schedule."""

    number: int
    due_ms: int
    program: str
    entry: str


class Claim(msgspec.Struct, array_like=True, gc=False):
    """Somebody waits for units: of each pot in ``needs`` so many, all or none.

    ``ticket`` is the enrollment, or enrollment/step, that waits; ``limits`` are the pots' sizes, ``value`` is
    what the send is worth: claims that wait together are served by it. ``partition`` is where it comes from.
    """

    contact: str
    ticket: str
    needs: dict[str, int]
    limits: dict[str, int]
    value: float = 0.0
    partition: int = 0


class Pot(msgspec.Struct, array_like=True):
    """A global quantity at its home: its size, the units given out, and the partitions that may hold some."""

    limit: int
    given: int = 0
    holders: list[int] = []


class Spent(msgspec.Struct, array_like=True, gc=False):
    """The home had less than ``need`` left of a pot of this size: nobody here asks for as much again."""

    need: int
    limit: int


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


class Brake(msgspec.Struct, array_like=True, gc=False):
    """The brakes of a program as this partition knows them, and the commands that it counts.

    ``number`` is that of the home's latest word; ``count`` commands were given in ``period`` (of the
    breaker),
    of which the home was told ``told``; in the period ``full`` no more may be given (-1: none). ``what`` is
    how an operator has let go of what was held the last time.
    """

    number: int = 0
    paused: bool = False
    tripped: bool = False
    since_ms: int = 0
    period: int = 0
    count: int = 0
    told: int = 0
    full: int = -1
    what: str = ""


class BrakeHome(msgspec.Struct, array_like=True, gc=False):
    """The brakes of a program at their home.

    ``counts``: commands by period, over all partitions; ``first`` is the first period that was counted;
    ``forgiven`` of ``forgiven_period`` were given before an operator let go. ``cleared`` is the number of the
    latest word that let go; ``taken`` are the ids of operators' events.
    """

    number: int = 0
    paused: bool = False
    tripped: bool = False
    since_ms: int = 0
    cleared: int = 0
    first: int = 0
    full: int = -1
    forgiven_period: int = -1
    forgiven: int = 0
    counts: dict[int, int] = {}
    taken: list[str] = []


class Pace(msgspec.Struct, array_like=True, gc=False):
    """A paced channel as this partition sees it.

    ``pool``: room by period, as (units, the place in the period of the first). ``waiting``: contacts that
    wait for an answer, each with the instant until which it may; for ``asked`` of them the home was asked.
    """

    pool: dict[int, tuple[int, int]] = {}
    asked: int = 0
    waiting: list[tuple[str, int]] = []


class Room(msgspec.Struct, array_like=True, gc=False):
    """A paced channel at its home.

    ``given``: units by period, of periods that have room left. What else is before the period ``full_to`` has
    none, and from there on nothing was asked for.
    """

    given: dict[int, int] = {}
    full_to: int = 0


class Shared(msgspec.Struct, array_like=True, gc=False):
    """The partition's row.

    ``schedules`` maps ``program/entry`` to its next instant (ms); ``cursor`` is the last contact the running
    sweep has visited. ``at_hand`` are units by pot, ``claims`` what waits here to be asked for,
    ``asked`` how many claims the home has not answered yet. At the home, ``pots`` are the quantities,
    ``queue`` the claims that wait for units to flow back, ``recalls`` how many partitions have yet to say
    what they return.
    """

    version: int = 1
    number: int = 0
    watermark_ms: int = 0
    sweep_number: int = 0
    counters: dict[str, int] = {}
    schedules: dict[str, int] = {}
    sweeps: list[SweepRun] = []
    cursor: str = ""
    at_hand: dict[str, int] = {}
    spent: dict[str, Spent] = {}
    claims: list[Claim] = []
    asked: int = 0
    pots: dict[str, Pot] = {}
    queue: list[Claim] = []
    recalls: int = 0
    splits: dict[str, SplitHere] = {}
    pools: dict[str, SplitPool] = {}
    partitions: int = 0
    brakes: dict[str, Brake] = {}
    homes: dict[str, BrakeHome] = {}
    paces: dict[str, Pace] = {}
    rooms: dict[str, Room] = {}

    def encode(self) -> bytes:
        """The row as bytes."""
        return _encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Shared:
        """Read a stored shared row."""
        return _decode(data)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Shared).decode
