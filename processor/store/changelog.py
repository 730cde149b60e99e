"""Bringing a partition's database up to date from its changelog, in whole slices.

The changelog's keys are the database's without the partition: ``r`` and the contact, ``e`` and the hash of
an erased one, ``s``, ``p``. The timer index is not in it; it is built here from the heads of the rows, old
and new.

How far the changelog is in the database stands under ``c``: the next offset to read, and when that was true.
It is written in the same batch as the data that it speaks of. Read from an earlier offset, the same records
give the same state, so a crash in the middle of a restore costs time only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from rocksdict import WriteBatch

from processor.core.rows import due_ms_of
from processor.store.base import NEVER_MS, StateError
from processor.store.rocks import RocksStore

__all__ = ["encode_mark", "mark_of", "restore", "stamp"]

_MARK: Final = Struct(">QQ")
_DUE: Final = Struct(">Q")


def encode_mark(next_offset: int, now_ms: int) -> bytes:
    """The value of ``c``: the next changelog offset to read, and the wall clock when it was written."""
    return _MARK.pack(next_offset, now_ms)


def mark_of(store: RocksStore) -> tuple[int, int] | None:
    """Return (next changelog offset, when that was written in ms), None where nothing was restored."""
    data = store.read(b"c")
    if data is None:
        return None
    next_offset, at_ms = _MARK.unpack(data)
    return next_offset, at_ms


def stamp(store: RocksStore, next_offset: int, now_ms: int) -> None:
    """Say that the database holds the changelog up to `next_offset`, as of now."""
    batch = WriteBatch(raw_mode=True)
    batch.put(b"c", encode_mark(next_offset, now_ms))
    store.write(batch)


def restore(
    store: RocksStore,
    number: int,
    records: Sequence[tuple[bytes, bytes | None]],
    mark: bytes,
    due_of: Callable[[bytes], int] = due_ms_of,
) -> None:
    """Apply a slice of the changelog of partition `number`, in its order, and `mark` with it in one batch.

    Args:
        store: its partitions must not be in use; what it remembers of them is dropped.
        number: the partition, which the keys of the database begin with.
        records: key and value, None to delete.
        mark: see :func:`encode_mark`; the offset behind the slice.
        due_of: reads the earliest timer (ms, 0 for none) out of a row.

    Raises:
        StateError: the database cannot be written, or a key is none of a changelog's.
    """
    suffix = number.to_bytes(2, "big")
    row_prefix, timer_prefix = b"r" + suffix, b"t" + suffix
    latest = dict(records)  # within a slice only the last value of a key matters
    batch = WriteBatch(raw_mode=True)
    rows: list[tuple[bytes, bytes | None]] = []
    for key, value in latest.items():
        kind = key[:1]
        if kind == b"r":
            rows.append((key[1:], value))
        elif kind == b"e":
            _put(batch, kind + suffix + key[1:], value)
        elif key in {b"p", b"s"}:
            _put(batch, key if key == b"p" else key + suffix, value)
        else:
            raise StateError(
                f"the changelog holds a key of an unknown kind, {kind!r}: it is not of this program"
            )
    floor = store.read(b"w" + suffix)
    low_ms = before_ms = NEVER_MS if floor is None else _DUE.unpack(floor)[0]
    stored = store.read_many([row_prefix + name for name, _ in rows])
    for (name, value), old in zip(rows, stored, strict=True):
        _put(batch, row_prefix + name, value)
        old_ms = due_of(old) if old is not None else 0
        new_ms = due_of(value) if value is not None else 0
        if old_ms == new_ms:
            continue
        if old_ms:
            batch.delete(timer_prefix + _DUE.pack(old_ms) + name)
        if new_ms:
            batch.put(timer_prefix + _DUE.pack(new_ms) + name, b"")
            low_ms = min(low_ms, new_ms)
    if low_ms < before_ms:
        batch.put(b"w" + suffix, _DUE.pack(low_ms))
    batch.put(b"c", mark)
    store.write(batch)
    store.forget()


def _put(batch: WriteBatch, key: bytes, value: bytes | None) -> None:
    if value is None:
        batch.delete(key)
    else:
        batch.put(key, value)
