"""A database brought up to date from its changelog is the one that wrote it, timers included."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.rows import Row, RowVersionError, due_ms_of
from processor.store import NEVER_MS, Changes, RocksStore, StateError, open_rocks
from processor.store.changelog import encode_mark, mark_of, restore, stamp


def row(due_ms: int) -> bytes:
    made = Row.new()
    made.due_ms = due_ms
    return made.encode()


def contents(store: RocksStore, number: int) -> tuple[object, ...]:
    part = store.partition(number)
    names = part.contacts("", 1_000)
    rows = dict(zip(names, part.get_many(names), strict=True))
    return rows, part.due(NEVER_MS, None, 1_000), part.next_due(), part.shared(), store.position()


def test_the_head_of_a_row():
    assert due_ms_of(row(0)) == 0
    assert due_ms_of(row(1_700_000_000_123)) == 1_700_000_000_123
    with pytest.raises(RowVersionError, match="row version 99"):
        due_ms_of(b"\x63" + bytes(40))


def test_the_mark_is_written_with_the_data(tmp_path: Path):
    store = open_rocks(tmp_path, partitions=4)
    assert mark_of(store) is None
    restore(store, 3, [(b"rann", row(5)), (b"s", b"shared"), (b"p", b"position")], encode_mark(17, 1_000))
    assert mark_of(store) == (17, 1_000)
    assert contents(store, 3) == ({"ann": row(5)}, [(5, "ann")], 5, b"shared", b"position")
    stamp(store, 18, 2_000)
    assert mark_of(store) == (18, 2_000)
    store.commit({3: Changes({"bob": row(0)})}, b"later", encode_mark(20, 3_000))
    assert mark_of(store) == (20, 3_000)
    store.close()


def test_the_last_of_a_key_counts(tmp_path: Path):
    store = open_rocks(tmp_path, partitions=1)
    records = [(b"ra", row(9)), (b"rb", row(3)), (b"ra", row(7)), (b"rb", None), (b"p", b"1"), (b"p", b"2")]
    restore(store, 0, records, encode_mark(6, 0))
    assert contents(store, 0) == ({"a": row(7)}, [(7, "a")], 7, None, b"2")
    restore(store, 0, [(b"ra", row(0)), (b"rc", row(8))], encode_mark(8, 0))
    assert contents(store, 0)[1:3] == ([(8, "c")], 8)
    store.close()


def test_a_key_that_is_not_ours(tmp_path: Path):
    store = open_rocks(tmp_path, partitions=1)
    with pytest.raises(StateError, match="not of this program"):
        restore(store, 0, [(b"xyz", b"")], encode_mark(1, 0))
    assert mark_of(store) is None
    store.close()


steps = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(-1, 6)), min_size=1, max_size=30)


@given(steps, st.integers(0, 2**32))
def test_restored_in_any_slices_it_is_the_same(tmp_path_factory: pytest.TempPathFactory, log, seed: int):
    """Also when some of it is read a second time, as after a crash in the middle of a restore."""
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("restore")
    written = open_rocks(folder / "written", partitions=2, sync=False)
    records: list[tuple[bytes, bytes | None]] = []
    held: dict[str, int] = {}
    for number, (name, due) in enumerate(log):
        data = None if due < 0 else row(due)
        timers = {name: (held.get(name, 0), max(due, 0))}
        held[name] = max(due, 0)
        written.commit({1: Changes({name: data}, timers, b"s%d" % number)}, b"p%d" % number)
        records += [(b"r" + name.encode(), data), (b"s", b"s%d" % number), (b"p", b"p%d" % number)]
    restored = open_rocks(folder / "restored", partitions=2, sync=False)
    at = 0
    while at < len(records):
        stop = rng.randint(at + 1, len(records))
        restore(restored, 1, records[at:stop], encode_mark(stop, 0))
        at = stop if rng.random() < 0.8 else rng.randint(0, stop)
    assert contents(restored, 1) == contents(written, 1)
    assert mark_of(restored) == (len(records), 0)
    written.close()
    restored.close()
