"""What the driver asks of a store: reads of committed state, and one atomic commit per chunk.

Reads never see uncommitted changes: the driver lays its chunk's memory over them. A commit is all or nothing,
over rows, timer index, shared rows of any number of partitions, and the position that they belong to.

The timer index is a hint and the row the authority: the index holds one entry for each contact that has a
timer, at its earliest due time. Contacts are ordered by the bytes of their UTF-8, which is the order of
Python's `str`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from processor.core.turn import NEVER_MS

__all__ = ["NEVER_MS", "Changes", "PartitionStore", "StateError", "Store"]


class StateError(Exception):
    """The stored state cannot be opened, read or written; the message says what to do about it."""


class Changes(msgspec.Struct):
    """What one chunk changed in one partition.

    Attributes:
        rows: contact -> row bytes, or None to delete the row.
        timers: contact -> (due in ms that the index holds, due in ms that it shall hold); 0 is none.
        shared: the shared row, or None where it did not change.
        timers_below_ms: a promise: after this commit nothing is due before it (0: no promise). A store that
            finds an entry below it raises AssertionError, since a timer would otherwise never fire.
        ledger: hash -> entry of contacts that were erased; nothing takes one out again.
    """

    rows: dict[str, bytes | None] = {}
    timers: dict[str, tuple[int, int]] = {}
    shared: bytes | None = None
    timers_below_ms: int = 0
    ledger: dict[bytes, bytes] = {}


class PartitionStore(Protocol):
    """The committed state of one logical partition. Every method may raise :class:`StateError`."""

    def get_many(self, contacts: Sequence[str]) -> list[bytes | None]:
        """Return the rows of `contacts` in their order, None where there is no row."""
        ...

    def next_due(self) -> int:
        """Return the earliest due time in the index (ms), NEVER_MS when it is empty. Remembered, so cheap."""
        ...

    def due(self, upto_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """Return at most `limit` index entries (due ms, contact), ascending, due at or before `upto_ms`.

        With `after`, only entries strictly after that one.
        """
        ...

    def contacts(self, after: str, limit: int) -> list[str]:
        """Return at most `limit` contacts that have a row, ascending, strictly after `after` ("": all)."""
        ...

    def shared(self) -> bytes | None:
        """Return the shared row, None before the first one was committed."""
        ...

    def erased(self, hashed: bytes) -> bytes | None:
        """Return an entry of the ledger of erasures, None where there is none."""
        ...


class Store(Protocol):
    """All logical partitions of a run. Every method may raise :class:`StateError`."""

    def partition(self, number: int) -> PartitionStore:
        """Return partition `number`, 0 to N - 1.

        Raises:
            IndexError: there is no such partition.
        """
        ...

    def position(self) -> bytes | None:
        """Return the position of the latest commit, None before the first."""
        ...

    def commit(self, changes: Mapping[int, Changes], position: bytes) -> None:
        """Apply the changes of each partition and the position, all or nothing."""
        ...

    def close(self) -> None:
        """Release everything. Closing twice does nothing; anything else after it raises StateError."""
        ...
