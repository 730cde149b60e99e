"""One logical partition in memory: rows, shared row and timers, laid over what its store has committed."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from processor.core.rows import Row, due_ms_of
from processor.core.shared import Shared
from processor.core.sweeps import next_sweep_ms
from processor.core.turn import NEVER_MS
from processor.runtime.erasures import CHECK_ENTRY, Erasures, at_of, entry_of
from processor.store.base import Changes

if TYPE_CHECKING:
    from processor.store.base import PartitionStore

__all__ = ["CACHE_BYTES", "SLICE", "Held", "Partition"]

SLICE: Final = 2_000  # contacts swept at a time
CACHE_BYTES: Final = 64 << 20  # of rows kept after their commit, in all partitions together
HELD_BYTES: Final = 250  # what a kept row takes beside its bytes: its key, and the objects around it
AHEAD: Final = 64  # timers loaded first after a commit, and then twice as many each time, up to AHEAD_MAX
AHEAD_MAX: Final = 256  # a seek costs ten rows; what no commit uses is read again


class Held:
    """A row in memory as bytes: its latest, and those in the store; None for a contact without a row.

    ``due_ms`` is its earliest due instant and ``indexed_ms`` the one that the stored index has for it; both
    are -1 until somebody decodes the row. Rows lie here as bytes because a chunk's worth of decoded ones
    falls out of the processor's caches: what was decoded is dropped while it is still in them.
    """

    def __init__(self, data: bytes | None) -> None:
        self.data = data
        self.stored = data
        self.due_ms = 0 if data is None else -1
        self.indexed_ms = self.due_ms

    def decode(self, swept: int) -> Row:
        """The row, to work on; a new one where there is none."""
        data = self.data
        if data is None:
            return Row.new(swept)
        row = Row.decode(data)
        if self.due_ms < 0:
            self.due_ms = self.indexed_ms = row.due_ms
        return row

    def due(self) -> int:
        """The row's earliest due instant, 0 for none."""
        if self.due_ms < 0 and self.data is not None:
            self.due_ms = self.indexed_ms = due_ms_of(self.data)
        return self.due_ms


class Partition:
    """One logical partition: its rows in memory, its shared row, its timers.

    ``rows`` are those of the chunk at hand. After a commit they are kept, within ``cache_bytes``, because a
    contact who does one thing soon does another. There are two generations: when the younger has filled its
    half, the older is let go of.
    """

    def __init__(
        self,
        number: int,
        store: PartitionStore,
        cache_bytes: int = 0,
        erasures: Erasures | None = None,
        *,
        partitions: int = 0,
    ) -> None:
        self.number = number
        self.erasures = Erasures() if erasures is None else erasures
        stored = store.erased(CHECK_ENTRY)
        self.erasures.refuse_other(stored)
        self.has_ledger = stored is not None or bool(self.erasures.known)  # else nobody is looked up in it
        self.ledger: dict[bytes, bytes] = {}
        self.store = store
        self.rows: dict[str, Held] = {}
        self.young: dict[str, Held] = {}
        self.old: dict[str, Held] = {}
        self.young_bytes = 0
        self.half_bytes = cache_bytes // 2
        self.absent: set[str] = set()  # contacts that the store was asked for in vain
        data = store.shared()
        self.shared = Shared.decode(data) if data else Shared(number=number)
        self.shared.partitions = partitions
        self.shared_data = self.shared.encode()
        self.shared_changed = False
        self.heap: list[tuple[int, str]] = []
        self.loaded: tuple[int, str] | None = None
        self.ahead = AHEAD
        self.store_next_ms = store.next_due()  # no timer of the store is missing in the heap before it
        self.sweep_ms = next_sweep_ms(self.shared)

    def load(self, contacts: Sequence[str]) -> None:
        """Bring rows into memory, in one read."""
        rows, young, old = self.rows, self.young, self.old
        missing: list[str] = []
        for contact in dict.fromkeys(contacts):
            if contact in rows:
                continue
            kept = young.get(contact)
            if kept is None:
                kept = old.get(contact)
            if kept is None:
                missing.append(contact)
            else:
                rows[contact] = kept
        if missing:
            for contact, data in zip(missing, self.store.get_many(missing), strict=True):
                if data is None:
                    self.absent.add(contact)
                else:
                    self.rows[contact] = Held(data)

    def held(self, contact: str) -> Held | None:
        """The contact's row, or None when it has none."""
        found = self.rows.get(contact)
        if found is None and contact not in self.absent:
            self.load([contact])
            found = self.rows.get(contact)
        return found

    def erased_ms(self, contact: str) -> int:
        """When a contact was erased, 0 for never: it is looked up where the contact has no row."""
        if not self.has_ledger:
            return 0
        hashed = self.erasures.hash_of(contact)
        entry = self.ledger.get(hashed)
        if entry is None:
            entry = self.store.erased(hashed)
        known_ms = self.erasures.known_ms(hashed)
        return known_ms if entry is None else max(known_ms, at_of(entry))

    def note_erased(self, contact: str, at_ms: int) -> None:
        """The contact was erased: it stands in the ledger from now on."""
        self.has_ledger = True
        self.ledger[CHECK_ENTRY] = self.erasures.check
        self.ledger[self.erasures.hash_of(contact)] = entry_of(at_ms)

    def contacts_after(self, after: str, limit: int) -> list[str]:
        """Return the next contacts in order, of the store and of those that are only in memory so far.

        At least ``limit`` where there are as many; none when all come before or at ``after``.
        """
        rows = self.rows
        found: list[str] = []
        while True:
            stored = self.store.contacts(after, limit)
            last = stored[-1] if len(stored) == limit else None
            names = {name for name in stored if name not in rows or rows[name].data is not None}
            for name, held in rows.items():
                if name > after and (last is None or name <= last) and held.data is not None:
                    names.add(name)
            found += sorted(names)
            if last is None or len(found) >= limit:
                return found
            after = last

    def next_ms(self) -> int:
        """The earliest instant at which something here is due."""
        due = min(self.store_next_ms, self.sweep_ms)
        return min(due, self.heap[0][0]) if self.heap else due

    def next_timer(self, watermark_ms: int) -> tuple[int, str] | None:
        """Take the next (due, contact) at or before the watermark; stale hints may be among them."""
        while self.store_next_ms <= watermark_ms and (
            not self.heap or self.loaded is None or self.heap[0] > self.loaded
        ):
            # More than are due now, with their rows: seeking costs more than reading on.
            entries = self.store.due(NEVER_MS, self.loaded, self.ahead)
            for entry in entries:
                heapq.heappush(self.heap, entry)
            self.load([contact for _, contact in entries])
            self.store_next_ms = entries[-1][0] if len(entries) == self.ahead else NEVER_MS
            self.ahead = min(self.ahead * 2, AHEAD_MAX)
            if entries:
                self.loaded = entries[-1]
        if self.heap and self.heap[0][0] <= watermark_ms:
            return heapq.heappop(self.heap)
        return None

    def changes(self) -> Changes:
        """What differs from the store."""
        rows: dict[str, bytes | None] = {}
        timers: dict[str, tuple[int, int]] = {}
        for contact, held in self.rows.items():
            if held.data is held.stored:
                continue
            rows[contact] = held.data  # None: it goes
            if held.due_ms != held.indexed_ms:
                timers[contact] = (held.indexed_ms, held.due_ms)
        shared = self.shared.encode() if self.shared_changed else None
        return Changes(rows=rows, timers=timers, shared=shared, ledger=self.ledger)

    def committed(self) -> None:
        """The changes are in the store: they are no changes any more."""
        young = self.young
        size = self.young_bytes
        if self.half_bytes:
            for contact, held in self.rows.items():
                data = held.data
                if data is None:
                    if held.stored is not None:
                        young.pop(contact, None)
                        self.old.pop(contact, None)
                    continue
                if contact not in young:
                    size += len(data) + HELD_BYTES
                held.stored = data
                held.indexed_ms = held.due_ms
                young[contact] = held
            if size > self.half_bytes:
                self.old = young
                self.young = {}
                size = 0
            self.young_bytes = size
        self.rows = {}
        self.ledger = {}
        self.absent = set()
        self.heap = []
        self.loaded = None
        self.ahead = AHEAD
        self.shared_changed = False
        self.store_next_ms = self.store.next_due()
