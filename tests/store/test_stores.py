"""Both stores give the same answers to the same operations, and keep their promises at the edges."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.store import NEVER_MS, Changes, MemoryStore, StateError, Store, open_rocks

PARTITIONS = 3
CONTACTS = ["a", "a\0", "b", "é", "z\U0001f600", "0", "ab", "\uffff", "r", "t"]
# Times around the bounds of an hour and of a byte of the key, where order could go wrong.
TIMES = [1, 2, 255, 256, 65_536, 3_599_999, 3_600_000, 3_600_001, 1 << 40, NEVER_MS - 1]

contacts = st.sampled_from(CONTACTS)
times = st.sampled_from(TIMES)
operations = st.lists(
    st.one_of(
        st.tuples(
            st.just("commit"),
            st.integers(0, PARTITIONS - 1),
            st.dictionaries(contacts, st.one_of(st.none(), st.binary(max_size=4))),
            st.dictionaries(contacts, st.one_of(st.just(0), times)),
            st.one_of(st.none(), st.binary(max_size=3)),
        ),
        st.tuples(st.just("fire"), st.integers(0, PARTITIONS - 1), times),
        st.tuples(st.just("reopen")),
        st.tuples(
            st.just("due"),
            st.integers(0, PARTITIONS - 1),
            times,
            st.one_of(st.none(), st.tuples(times, contacts)),
            st.integers(0, 4),
        ),
        st.tuples(
            st.just("contacts"),
            st.integers(0, PARTITIONS - 1),
            st.one_of(st.just(""), contacts),
            st.integers(0, 4),
        ),
    ),
    max_size=25,
)


def everything(store: Store) -> list[object]:
    """All that a store can be asked for."""
    partitions = [store.partition(number) for number in range(PARTITIONS)]
    return [
        store.position(),
        [partition.get_many(CONTACTS) for partition in partitions],
        [partition.next_due() for partition in partitions],
        [partition.due(NEVER_MS, None, 100) for partition in partitions],
        [partition.contacts("", 100) for partition in partitions],
        [partition.shared() for partition in partitions],
    ]


def same_answers(memory: Store, rocks: Store) -> None:
    """Ask both for every slice there is."""
    assert everything(memory) == everything(rocks)
    for number in range(PARTITIONS):
        one, other = memory.partition(number), rocks.partition(number)
        for upto in (bound + more for bound in TIMES for more in (-1, 0, 1)):
            assert one.due(upto, None, 100) == other.due(upto, None, 100)
        for entry in one.due(NEVER_MS, None, 100):
            assert one.due(NEVER_MS, entry, 2) == other.due(NEVER_MS, entry, 2)
        for contact in CONTACTS:
            assert one.contacts(contact, 2) == other.contacts(contact, 2)


@given(operations=operations)
def test_memory_and_rocks_agree(tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[Any, ...]]):
    path = tmp_path_factory.mktemp("state")
    memory = MemoryStore(PARTITIONS)
    rocks = open_rocks(path, partitions=PARTITIONS, sync=False)
    held: dict[tuple[int, str], int] = {}
    try:
        for step, operation in enumerate(operations):
            changes: dict[int, Changes] | None = None
            match operation:
                case "commit", number, rows, dues, shared:
                    timers = {who: (held.get((number, who), 0), due) for who, due in dues.items()}
                    held.update({(number, who): due for who, due in dues.items()})
                    changes = {number: Changes(rows, timers, shared)}
                case "fire", number, upto:
                    fired = memory.partition(number).due(upto, None, 100)
                    held.update({(number, who): 0 for _, who in fired})
                    timers = {who: (due, 0) for due, who in fired}
                    changes = {number: Changes({}, timers, None, timers_below_ms=upto + 1)}
                case "due", number, upto, after, limit:
                    answers = [s.partition(number).due(upto, after, limit) for s in (memory, rocks)]
                    assert answers[0] == answers[1]
                case "contacts", number, after, limit:
                    names = [s.partition(number).contacts(after, limit) for s in (memory, rocks)]
                    assert names[0] == names[1]
                case _:
                    rocks.close()
                    rocks = open_rocks(path, partitions=PARTITIONS, sync=False)
            if changes is not None:
                for store in (memory, rocks):
                    store.commit(changes, str(step).encode())
                for p in range(PARTITIONS):
                    assert memory.partition(p).next_due() == rocks.partition(p).next_due()
        same_answers(memory, rocks)
        expected = sorted((due, who) for (number, who), due in held.items() if number == 0 and due)
        assert memory.partition(0).due(NEVER_MS, None, 100) == expected
    finally:
        rocks.close()


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path):
    made: Store = (
        MemoryStore(PARTITIONS)
        if request.param == "memory"
        else open_rocks(tmp_path / "state", partitions=PARTITIONS, sync=False)
    )
    yield made
    made.close()


def test_a_new_store_is_empty(store: Store):
    partition = store.partition(2)
    assert store.position() is None
    assert partition.shared() is None
    assert partition.get_many(["a", "b"]) == [None, None]
    assert partition.get_many([]) == []
    assert partition.next_due() == NEVER_MS
    assert partition.due(NEVER_MS, None, 10) == []
    assert partition.contacts("", 10) == []


def test_partitions_are_apart(store: Store):
    store.commit({0: Changes({"a": b"0"}, {"a": (0, 5)}, b"s0"), 2: Changes({"a": b"2"}, {}, None)}, b"x")
    assert [store.partition(number).get_many(["a"]) for number in range(3)] == [[b"0"], [None], [b"2"]]
    assert [store.partition(number).next_due() for number in range(3)] == [5, NEVER_MS, NEVER_MS]
    assert [store.partition(number).shared() for number in range(3)] == [b"s0", None, None]


def test_a_partition_that_is_not_there(store: Store):
    for number in (-1, PARTITIONS):
        with pytest.raises(IndexError, match="is not one of 0 to 2"):
            store.partition(number)


def test_after_closing(store: Store):
    partition = store.partition(0)
    store.close()
    store.close()
    with pytest.raises(StateError, match="closed"):
        store.commit({}, b"")
    with pytest.raises(StateError, match="closed"):
        store.position()
    if not isinstance(store, MemoryStore):
        with pytest.raises(StateError, match="closed"):
            partition.contacts("", 1)


def test_a_timer_below_those_fired_still_comes(store: Store):
    """A contact's clock may lie behind the partition's watermark, and so may the timer it sets."""
    store.commit({0: Changes({}, {"a": (0, 1_000), "b": (0, 9_000)})}, b"1")
    assert store.partition(0).next_due() == 1_000
    store.commit({0: Changes({}, {"a": (1_000, 0)}, None, timers_below_ms=5_001)}, b"2")
    assert store.partition(0).next_due() == 9_000
    store.commit({0: Changes({}, {"c": (0, 70)})}, b"3")
    assert store.partition(0).next_due() == 70
    assert store.partition(0).due(NEVER_MS, None, 9) == [(70, "c"), (9_000, "b")]


def test_a_broken_promise_is_found(store: Store):
    store.commit({0: Changes({}, {"a": (0, 1_000)})}, b"1")
    with pytest.raises(AssertionError, match="promised"):
        store.commit({0: Changes({}, {}, None, timers_below_ms=1_001)}, b"2")


def test_many_timers_pop_in_order(store: Store):
    """Enough of them for the tombstones of what was fired to be dropped by range, with new ones between."""
    total, slice_size = 120_000, 20_000
    due = {f"c{number}": 1_000_000 + (number * 7919) % total for number in range(total)}
    store.commit({1: Changes({}, {who: (0, at) for who, at in due.items()})}, b"")
    popped: list[tuple[int, str]] = []
    partition = store.partition(1)
    while partition.next_due() < NEVER_MS:
        turn = partition.due(NEVER_MS, None, slice_size)
        assert turn[0][0] == partition.next_due()
        assert turn[-1:] == partition.due(NEVER_MS, turn[-2], 1)
        popped += turn
        gone = {who: (at, 0) for at, who in turn}
        early = f"early{len(popped)}"
        store.commit({1: Changes({}, gone | {early: (0, 10)}, None)}, b"")
        assert partition.due(20, None, 5) == [(10, early)]
        store.commit({1: Changes({}, {early: (10, 0)}, None)}, b"")
    assert popped == sorted((at, who) for who, at in due.items())
