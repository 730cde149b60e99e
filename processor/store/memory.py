"""The store in the process's memory: for scenario tests, small backtests, and to check the other one against.

It costs about 200 bytes for each row beside the row itself, and as much for each waiting contact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

from processor.core.time import HOUR_MS
from processor.store.base import NEVER_MS, Changes, StateError

__all__ = ["MemoryPartition", "MemoryStore"]

_Item = TypeVar("_Item", str, tuple[int, str])

_DEAD_MIN: Final = 64  # below so many dead items a clean-up costs more than it saves


class _Ordered(Generic[_Item]):
    """A set that is read in order, from any point; writes between two reads are sorted in at once.

    Adding what is there, or dropping what is not, is the caller's error.
    """

    __slots__ = ("_dead", "_items", "_new")

    def __init__(self) -> None:
        self._items: list[_Item] = []
        self._new: list[_Item] = []
        self._dead: set[_Item] = set()  # dropped, but still in _items or _new

    def __bool__(self) -> bool:
        return len(self._items) + len(self._new) > len(self._dead)

    def add(self, item: _Item) -> None:
        if item in self._dead:
            self._dead.remove(item)
        else:
            self._new.append(item)

    def drop(self, item: _Item) -> None:
        self._dead.add(item)

    def after(self, item: _Item | None) -> Iterator[_Item]:
        """Go through the items strictly after `item` (None: all) in order."""
        self._settle()
        start = 0 if item is None else bisect_right(self._items, item)
        dead = self._dead
        for index in range(start, len(self._items)):
            if self._items[index] not in dead:
                yield self._items[index]

    def _settle(self) -> None:
        items, dead = self._items, self._dead
        if self._new:
            items += self._new
            items.sort()  # two ascending runs are merged in linear time
            self._new = []
        # Timers leave at the front: cut that off at once, so that no read walks over it again.
        front = 0
        while dead and front < len(items) and items[front] in dead:
            dead.remove(items[front])
            front += 1
        del items[:front]
        if len(dead) > _DEAD_MIN and len(dead) * 2 > len(items):
            self._items = [item for item in items if item not in dead]
            dead.clear()


class MemoryPartition:
    """One partition. The index is kept in buckets of an hour, so that far timers are not sorted yet."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}
        self._order: _Ordered[str] = _Ordered()
        self._buckets: dict[int, _Ordered[tuple[int, str]]] = {}
        self._index: dict[str, int] = {}
        self._next_due: int | None = NEVER_MS
        self._shared: bytes | None = None
        self._ledger: dict[bytes, bytes] = {}

    def get_many(self, contacts: Sequence[str]) -> list[bytes | None]:
        """See :class:`processor.store.base.PartitionStore`."""
        get = self._rows.get
        return [get(contact) for contact in contacts]

    def next_due(self) -> int:
        """See :class:`processor.store.base.PartitionStore`."""
        if self._next_due is None:
            first = self.due(NEVER_MS, None, 1)
            self._next_due = first[0][0] if first else NEVER_MS
        return self._next_due

    def due(self, upto_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """See :class:`processor.store.base.PartitionStore`."""
        found: list[tuple[int, str]] = []
        start = -1 if after is None else after[0] // HOUR_MS
        for number in sorted(number for number in self._buckets if start <= number <= upto_ms // HOUR_MS):
            for item in self._buckets[number].after(after):
                if item[0] > upto_ms or len(found) >= limit:
                    return found
                found.append(item)
        return found

    def contacts(self, after: str, limit: int) -> list[str]:
        """See :class:`processor.store.base.PartitionStore`."""
        following = self._order.after(after)
        return [contact for contact, _ in zip(following, range(limit), strict=False)]

    def shared(self) -> bytes | None:
        """See :class:`processor.store.base.PartitionStore`."""
        return self._shared

    def erased(self, hashed: bytes) -> bytes | None:
        """See :class:`processor.store.base.PartitionStore`."""
        return self._ledger.get(hashed)

    def apply(self, changes: Changes) -> None:
        """Take the changes of one chunk."""
        rows, order = self._rows, self._order
        for contact, row in changes.rows.items():
            if row is None:
                if rows.pop(contact, None) is not None:
                    order.drop(contact)
            else:
                if contact not in rows:
                    order.add(contact)
                rows[contact] = row
        for contact, (old_ms, new_ms) in changes.timers.items():
            held_ms = self._index.get(contact, 0)
            assert held_ms == old_ms, f"the index holds {held_ms}, the driver thinks {old_ms}"
            if old_ms != new_ms:
                self._move(contact, old_ms, new_ms)
        if changes.shared is not None:
            self._shared = changes.shared
        self._ledger.update(changes.ledger)
        if changes.timers_below_ms:
            assert self.next_due() >= changes.timers_below_ms, "an entry is below what was promised"

    def _move(self, contact: str, old_ms: int, new_ms: int) -> None:
        if old_ms:
            number = old_ms // HOUR_MS
            self._buckets[number].drop((old_ms, contact))
            if not self._buckets[number]:
                del self._buckets[number]
            if old_ms == self._next_due:
                self._next_due = None
            del self._index[contact]
        if new_ms:
            self._buckets.setdefault(new_ms // HOUR_MS, _Ordered()).add((new_ms, contact))
            if self._next_due is not None and new_ms < self._next_due:
                self._next_due = new_ms
            self._index[contact] = new_ms


class MemoryStore:
    """N partitions in memory; :meth:`position` is None until the first commit."""

    def __init__(self, partitions: int) -> None:
        assert partitions > 0
        self._partitions: list[MemoryPartition] | None = [MemoryPartition() for _ in range(partitions)]
        self._position: bytes | None = None

    def partition(self, number: int) -> MemoryPartition:
        """See :class:`processor.store.base.Store`."""
        partitions = self._open()
        if not 0 <= number < len(partitions):
            raise IndexError(f"partition {number} is not one of 0 to {len(partitions) - 1}")
        return partitions[number]

    def position(self) -> bytes | None:
        """See :class:`processor.store.base.Store`."""
        self._open()
        return self._position

    def commit(self, changes: Mapping[int, Changes], position: bytes) -> None:
        """See :class:`processor.store.base.Store`."""
        self._open()
        for number, changed in changes.items():
            self.partition(number).apply(changed)
        self._position = position

    def close(self) -> None:
        """See :class:`processor.store.base.Store`."""
        self._partitions = None

    def _open(self) -> list[MemoryPartition]:
        if self._partitions is None:
            raise StateError("the store is closed: open a new one")
        return self._partitions
