"""The store in RocksDB: one database for all partitions that one process holds, one WriteBatch per commit.

A key is a kind, the partition (2 bytes, big-endian), and the rest:

    ====  =========  ===========================  =======================================================
    kind  partition  rest                         value
    ====  =========  ===========================  =======================================================
    r     yes        contact                      the row
    t     yes        due ms (8 bytes), contact    nothing: the timer index
    s     yes                                     the shared row
    e     yes        hash of an erased contact    when it was erased; without a hash: which key made them
    w     yes                                     due ms (8 bytes): the index has no entry below it
    p                                             the position of the latest commit, opaque
    c                                             how far the changelog is in here: see ``changelog``
    m                                             what the state is: format, row version, partitions, topology
    ====  =========  ===========================  =======================================================

A timer that was fired leaves a tombstone until compaction, and a seek from the start would step over all of
them. So every seek starts at ``w``, and the tombstones below it are dropped by one range now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from struct import Struct
from typing import Any, Final, TypeVar, cast

import msgspec
from rocksdict import Rdict, ReadOptions, WriteBatch, WriteOptions

from processor.core.rows import ROW_VERSION
from processor.store.base import NEVER_MS, Changes, StateError
from processor.store.tuning import RocksMemory, opened

__all__ = [
    "FORMAT",
    "PARTITIONS_MAX",
    "Meta",
    "PartitionsError",
    "RocksPartition",
    "RocksStore",
    "open_rocks",
]

FORMAT: Final = 1  # of the keys above
PARTITIONS_MAX: Final = 65_536
SWEEP_EVERY: Final = 50_000  # fired timers of a partition before their tombstones are dropped by one range

_DUE: Final = Struct(">Q")
_DUE_AT: Final = 3  # the due time's place in a key of the index
_CONTACT_AT: Final = 11

_Result = TypeVar("_Result")


class PartitionsError(StateError):
    """The state has another number of partitions than the run asks for: the caller has to say another."""


class Meta(msgspec.Struct, frozen=True):
    """What a state is. ``topology`` is the digest of the topology that last worked on it ("": not said)."""

    format: int
    row_version: int
    partitions: int
    topology: str = ""


class RocksPartition:
    """One partition of a :class:`RocksStore`; it remembers the earliest due time."""

    def __init__(self, store: RocksStore, number: int) -> None:
        suffix = number.to_bytes(2, "big")
        self._store = store
        self._row, self._timer = b"r" + suffix, b"t" + suffix
        self._shared, self._low = b"s" + suffix, b"w" + suffix
        self._ledger = b"e" + suffix
        self._rows_only, self._timers_only = _within(self._row), _within(self._timer)
        low = store.read(self._low)
        # Nothing is due before _floor_ms; _next_ms is the earliest due time, None when it must be looked up.
        self._floor_ms: int = NEVER_MS if low is None else _DUE.unpack(low)[0]
        self._next_ms: int | None = None if low is not None else NEVER_MS
        self._promised_ms = 0
        self._fired = 0

    def get_many(self, contacts: Sequence[str]) -> list[bytes | None]:
        """See :class:`processor.store.base.PartitionStore`."""
        prefix = self._row
        return self._store.read_many([prefix + contact.encode() for contact in contacts])

    def next_due(self) -> int:
        """See :class:`processor.store.base.PartitionStore`."""
        if self._next_ms is None:
            first = self.due(NEVER_MS, None, 1)
            found_ms = first[0][0] if first else NEVER_MS
            assert found_ms >= self._promised_ms, "a timer is due before what was promised"
            self._next_ms = self._floor_ms = found_ms
        return self._next_ms

    def due(self, upto_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """See :class:`processor.store.base.PartitionStore`."""
        if limit < 1 or upto_ms < self._floor_ms:
            return []
        start = self._timer + _DUE.pack(self._floor_ms)
        if after is not None:
            start = max(start, self._timer + _DUE.pack(after[0]) + after[1].encode() + b"\0")

        def scan() -> list[tuple[int, str]]:
            found: list[tuple[int, str]] = []
            end = self._timer + _DUE.pack(upto_ms + 1)
            for key in self._store.keys(start, self._timers_only):
                if key >= end:
                    break
                found.append((_DUE.unpack_from(key, _DUE_AT)[0], key[_CONTACT_AT:].decode()))
                if len(found) >= limit:
                    break
            return found

        return self._store.guard(scan)

    def contacts(self, after: str, limit: int) -> list[str]:
        """See :class:`processor.store.base.PartitionStore`."""
        start = self._row + (after.encode() + b"\0" if after else b"")

        def scan() -> list[str]:
            keys = self._store.keys(start, self._rows_only)
            return [key[_DUE_AT:].decode() for key, _ in zip(keys, range(limit), strict=False)]

        return self._store.guard(scan) if limit > 0 else []

    def shared(self) -> bytes | None:
        """See :class:`processor.store.base.PartitionStore`."""
        return self._store.read(self._shared)

    def erased(self, hashed: bytes) -> bytes | None:
        """See :class:`processor.store.base.PartitionStore`."""
        return self._store.read(self._ledger + hashed)

    def stage(self, batch: WriteBatch, changes: Changes) -> None:
        """Put the changes of one chunk into the batch; nothing is remembered before :meth:`written`."""
        put, delete = batch.put, batch.delete
        row_prefix, timer_prefix, pack = self._row, self._timer, _DUE.pack
        if self._fired >= SWEEP_EVERY:
            # Before the puts: a batch applies in order, and a new timer may lie below the floor.
            batch.delete_range(timer_prefix, timer_prefix + pack(self._floor_ms))
        for contact, row in changes.rows.items():
            if row is None:
                delete(row_prefix + contact.encode())
            else:
                put(row_prefix + contact.encode(), row)
        low_ms = self._floor_ms
        for contact, (old_ms, new_ms) in changes.timers.items():
            if old_ms != new_ms:
                name = contact.encode()
                if old_ms:
                    delete(timer_prefix + pack(old_ms) + name)
                if new_ms:
                    put(timer_prefix + pack(new_ms) + name, b"")
                    low_ms = min(low_ms, new_ms)
        if changes.timers:
            put(self._low, pack(low_ms))
        if changes.shared is not None:
            put(self._shared, changes.shared)
        for hashed, entry in changes.ledger.items():
            put(self._ledger + hashed, entry)

    def written(self, changes: Changes) -> None:
        """The batch is in the database: bring what is remembered of the index up to date."""
        if self._fired >= SWEEP_EVERY:
            self._fired = 0
        if changes.timers_below_ms:
            self._promised_ms = changes.timers_below_ms
        next_ms, low_ms = self._next_ms, self._floor_ms
        for old_ms, new_ms in changes.timers.values():
            if old_ms != new_ms:
                if old_ms:
                    self._fired += 1
                    if old_ms == next_ms:
                        next_ms = None
                if new_ms:
                    low_ms = min(low_ms, new_ms)
                    if next_ms is not None and new_ms < next_ms:
                        next_ms = new_ms
        self._next_ms, self._floor_ms = next_ms, low_ms
        if not changes.timers_below_ms:
            self._promised_ms = min(self._promised_ms, low_ms)
        assert next_ms is None or next_ms >= self._promised_ms, "a timer is due before what was promised"


class RocksStore:
    """See :func:`open_rocks`, which makes it."""

    def __init__(self, database: Rdict, path: Path, meta: Meta, *, sync: bool) -> None:
        self.path = path
        self.meta = meta
        self._database: Rdict | None = database
        self._write = WriteOptions()
        self._write.sync = sync
        self._partitions: dict[int, RocksPartition] = {}

    def partition(self, number: int) -> RocksPartition:
        """See :class:`processor.store.base.Store`."""
        found = self._partitions.get(number)
        if found is None:
            if not 0 <= number < self.meta.partitions:
                raise IndexError(f"partition {number} is not one of 0 to {self.meta.partitions - 1}")
            found = self._partitions[number] = RocksPartition(self, number)
        return found

    def position(self) -> bytes | None:
        """See :class:`processor.store.base.Store`."""
        return self.read(b"p")

    def commit(self, changes: Mapping[int, Changes], position: bytes, changelog: bytes | None = None) -> None:
        """See :class:`processor.store.base.Store`. With `sync` it returns when the disk has it."""
        batch = WriteBatch(raw_mode=True)
        for number, changed in changes.items():
            self.partition(number).stage(batch, changed)
        batch.put(b"p", position)
        if changelog is not None:
            batch.put(b"c", changelog)
        self.write(batch)
        for number, changed in changes.items():
            self.partition(number).written(changed)

    def write(self, batch: WriteBatch) -> None:
        """Write a batch. Whoever changes the timer index by it calls :meth:`forget`."""
        self.guard(lambda: self._open().write(batch, self._write))

    def forget(self) -> None:
        """Drop what is remembered of partitions; those handed out before must not be used any more."""
        self._partitions = {}

    def adopt(self, topology: str) -> None:
        """Record the digest of the topology that works on this state from now on."""
        meta = msgspec.structs.replace(self.meta, topology=topology)
        self.guard(lambda: self._open().put(b"m", msgspec.json.encode(meta), self._write))
        self.meta = meta

    def close(self) -> None:
        """See :class:`processor.store.base.Store`."""
        if self._database is not None:
            database, self._database = self._database, None
            self.guard(database.close)

    def read(self, key: bytes) -> bytes | None:
        """Return the value of one key."""
        value: bytes | None = self.guard(lambda: self._open().get(key))
        return value

    def read_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order."""
        values: Any = self.guard(lambda: self._open().get(keys)) if keys else []  # type: ignore[arg-type]
        return cast("list[bytes | None]", values)

    def keys(self, start: bytes, within: ReadOptions) -> Any:
        """Iterate over keys from `start` on; errors come raw, so consume it inside of :meth:`guard`."""
        return self._open().keys(from_key=start, read_opt=within)

    def guard(self, work: Callable[[], _Result]) -> _Result:
        """Call `work` and turn what RocksDB raises into :class:`StateError`."""
        try:
            return work()
        except (StateError, AssertionError):
            raise
        except Exception as error:
            raise _explained(self.path, error) from error

    def _open(self) -> Rdict:
        if self._database is None:
            raise StateError(f"the state in {self.path} is closed: open it again")
        return self._database


def open_rocks(
    path: Path, *, partitions: int, sync: bool = True, memory: RocksMemory | None = None, topology: str = ""
) -> RocksStore:
    """Open the state in folder `path`, or make it.

    Args:
        path: the folder; made with its parents where it is missing.
        partitions: how many logical partitions the run has, 1 to 65,536.
        sync: a commit waits until the disk has it. Without it a crash of the machine, but not of the process,
            may lose the latest commits; what is left is consistent.
        memory: what to share among several states of one process; 128 MiB of its own when not given.
        topology: digest to record in a new state; in an existing one see `meta` and :meth:`RocksStore.adopt`.

    Raises:
        StateError: in use by another process, of another number of partitions or row version, not a state at
            all, or not readable; the message says what to do.
    """
    assert 1 <= partitions <= PARTITIONS_MAX
    wanted = Meta(FORMAT, ROW_VERSION, partitions, topology)
    try:
        path.mkdir(parents=True, exist_ok=True)
        database = opened(path, memory or RocksMemory())
    except Exception as error:
        raise _explained(path, error) from error
    try:
        return RocksStore(database, path, _checked(database, path, wanted), sync=sync)
    except StateError:
        database.close()
        raise
    except Exception as error:
        database.close()
        raise _explained(path, error) from error


def _checked(database: Rdict, path: Path, wanted: Meta) -> Meta:
    """Return what the state is, after comparing it with what the run wants; a new state gets it."""
    stored: bytes | None = database.get(b"m")
    if stored is None:
        if next(iter(database.keys()), None) is not None:
            raise StateError(f"{path} holds some other RocksDB database: give another folder for the state")
        options = WriteOptions()
        options.sync = True
        database.put(b"m", msgspec.json.encode(wanted), options)
        return wanted
    try:
        meta = msgspec.json.decode(stored, type=Meta)
    except msgspec.DecodeError:
        raise StateError(f"{path} holds some other RocksDB database: give another folder") from None
    anew = "remove the folder to begin from the first event"
    if meta.format != wanted.format or meta.row_version != wanted.row_version:
        raise StateError(
            f"the state in {path} has format {meta.format} with rows of version {meta.row_version}, and this "
            f"program reads format {wanted.format} with rows of version {wanted.row_version}: use the "
            f"program that wrote it, or {anew}"
        )
    if meta.partitions != wanted.partitions:
        raise PartitionsError(
            f"the state in {path} has {meta.partitions} partitions and this run {wanted.partitions}: run it "
            f"with {meta.partitions}, or {anew}"
        )
    return meta


def _within(prefix: bytes) -> ReadOptions:
    """Read options that end an iteration with the prefix, so that it never walks over what lies behind."""
    options = ReadOptions()
    options.set_iterate_upper_bound((int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big"))
    return options


def _explained(path: Path, error: Exception) -> StateError:
    """Say what an error of RocksDB means for the state in `path`, and what to do."""
    said = str(error)
    if "/LOCK" in said or "lock hold by" in said:
        fix = "is in use by another process: stop that one, or give this one another folder"
        return StateError(f"the state in {path} {fix}")
    if "No space left" in said or "Disk quota" in said or "File too large" in said:
        fix = (
            "cannot be written, the disk is full: free some space and start again, nothing committed is lost"
        )
        return StateError(f"the state in {path} {fix} ({said})")
    if "Corruption" in said:
        fix = "is damaged: put a copy of it back, or remove the folder to begin from the first event"
        return StateError(f"the state in {path} {fix} ({said})")
    fix = "cannot be used: check that the folder exists, is yours to write, and is on a working disk"
    return StateError(f"the state in {path} {fix} ({said})")
