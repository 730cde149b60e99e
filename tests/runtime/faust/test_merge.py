"""Merging source topics: nothing twice, nothing lost, one order, and how far time has come."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.runtime.faust.merge import Chunk, Merger

NOW_MS = 1_000_000


class Record(NamedTuple):
    topic: str
    offset: int
    timestamp: int
    partition: int = 0
    key: bytes | None = b"k"
    value: bytes | None = b"value"
    headers: tuple[tuple[str, bytes], ...] = ()


def chunk(
    topic: str, start: int, end: int, *, empty_at_ms: int = 0, stamps: dict[int, int] | None = None
) -> Chunk:
    records = [Record(topic, offset, (stamps or {}).get(offset, offset)) for offset in range(start, end)]
    return Chunk(topic, 0, start, end, records, 0, empty_at_ms)


def end(topic: str, offset: int, empty_at_ms: int) -> Chunk:
    return Chunk(topic, 0, offset, offset, [], 0, empty_at_ms)


def offsets(merger: Merger, limit: int = 100) -> list[tuple[str, int]]:
    return [(record.topic, record.offset) for record in merger.take(limit, NOW_MS)]


def merger(**positions: int) -> Merger:
    return Merger(positions, 10_000)


def test_records_below_the_position_are_skipped_and_counted():
    merged = merger(a=5)
    assert merged.offer(chunk("a", 0, 8)) == "taken"
    assert merged.skipped == 5
    assert offsets(merged) == [("a", 5), ("a", 6), ("a", 7)]
    assert merged.expected("a") == 8


def test_a_chunk_that_comes_twice_counts_once():
    merged = merger(a=0)
    for start, stop in ((0, 4), (0, 4), (2, 6), (3, 5)):
        assert merged.offer(chunk("a", start, stop)) == "taken"
    assert offsets(merged) == [("a", n) for n in range(6)]


def test_a_chunk_behind_a_gap_is_refused():
    merged = merger(a=0)
    assert merged.offer(chunk("a", 1, 4)) == "gap"
    assert offsets(merged) == []
    assert merged.expected("a") == 0


def test_markers_take_offsets():
    merged = merger(a=0)
    merged.offer(Chunk("a", 0, 0, 7, [Record("a", 0, 0), Record("a", 3, 3)]))
    assert merged.expected("a") == 7
    assert merged.offer(chunk("a", 7, 8)) == "taken"
    assert offsets(merged) == [("a", 0), ("a", 3), ("a", 7)]


def test_at_most_the_limit_is_taken():
    merged = merger(a=0)
    merged.offer(chunk("a", 0, 7))
    merged.offer(chunk("a", 7, 9))
    assert [len(merged.take(4, NOW_MS)) for _ in range(4)] == [4, 4, 1, 0]  # over the edges of chunks
    assert merged.held("a") == (0, 0)


def test_a_topic_waits_for_the_other():
    merged = merger(a=0, b=0)
    merged.offer(chunk("a", 0, 3))
    assert offsets(merged) == []  # b was never heard of
    merged.offer(end("b", 0, NOW_MS - 1))
    assert offsets(merged) == [("a", 0), ("a", 1), ("a", 2)]


def test_news_that_is_too_old_is_none():
    merged = merger(a=0, b=0)
    merged.offer(chunk("a", 0, 1))
    merged.offer(end("b", 0, NOW_MS - 10_001))
    assert offsets(merged) == []
    assert merged.watermark_ms(NOW_MS) is None


def test_the_end_is_not_the_end_once_the_log_went_on():
    merged = merger(a=0, b=0)
    merged.offer(end("b", 0, NOW_MS - 5))
    merged.offer(chunk("b", 0, 1))
    merged.offer(chunk("a", 0, 1))
    assert offsets(merged) == [("a", 0)]  # by the topic's name; then b's record is the only one buffered
    merged.offer(end("a", 1, NOW_MS - 4))
    assert offsets(merged) == [("b", 0)]
    assert merged.watermark_ms(NOW_MS) is None  # b's end was seen before its record
    merged.offer(end("b", 1, NOW_MS - 3))
    assert merged.watermark_ms(NOW_MS) == NOW_MS - 4


def test_news_of_an_end_that_is_not_where_we_are_says_nothing():
    merged = merger(a=4)
    merged.offer(Chunk("a", 0, 0, 3, [], 0, NOW_MS))
    assert merged.watermark_ms(NOW_MS) is None


def test_no_watermark_while_anything_is_buffered():
    merged = merger(a=0)
    merged.offer(chunk("a", 0, 2, empty_at_ms=NOW_MS - 1))
    assert merged.watermark_ms(NOW_MS) is None
    offsets(merged)
    assert merged.watermark_ms(NOW_MS) == NOW_MS - 1


def test_within_a_topic_the_log_has_the_say():
    merged = merger(a=0, b=0)
    merged.offer(chunk("a", 0, 3, stamps={0: 100, 1: 50, 2: 110}))  # a step back at a change of leader
    merged.offer(chunk("b", 0, 2, stamps={0: 60, 1: 105}))
    merged.offer(end("a", 3, NOW_MS))
    merged.offer(end("b", 2, NOW_MS))
    assert offsets(merged) == [("b", 0), ("a", 0), ("a", 1), ("b", 1), ("a", 2)]


logs = st.lists(st.lists(st.integers(0, 30), max_size=25), min_size=1, max_size=3)


@given(logs, st.integers(0, 2**32))
def test_how_it_was_cut_and_delivered_does_not_matter(log_stamps: list[list[int]], seed: int):
    """Chunks of any size, repeated, the topics interleaved in any way: the same records, the same order."""
    rng = random.Random(seed)
    topics = {f"t{n}": sorted(stamps) for n, stamps in enumerate(log_stamps)}
    merged = Merger(dict.fromkeys(topics, 0), 10_000)
    wanted = sorted((stamp, topic, n) for topic, stamps in topics.items() for n, stamp in enumerate(stamps))
    found: list[tuple[str, int]] = []
    while True:
        open_topics = [t for t, stamps in topics.items() if merged.expected(t) < len(stamps)]
        if not open_topics:
            break
        topic = rng.choice(open_topics)
        expected, stamps = merged.expected(topic), topics[topic]
        start, stop = rng.randint(0, expected), rng.randint(expected + 1, len(stamps))
        assert merged.offer(chunk(topic, start, stop, stamps=dict(enumerate(stamps)))) == "taken"
        found += offsets(merged, rng.randint(1, 4))
    for topic, stamps in topics.items():
        merged.offer(end(topic, len(stamps), NOW_MS))
    while taken := offsets(merged, 3):
        found += taken
    assert found == [(topic, n) for _, topic, n in wanted]
    assert merged.watermark_ms(NOW_MS) == NOW_MS


@pytest.mark.parametrize("positions", [{"a": 0}, {"a": 0, "b": 0}])
def test_nothing_to_take(positions: dict[str, int]):
    assert Merger(positions, 10).take(5, NOW_MS) == []
    assert Merger(positions, 10).watermark_ms(NOW_MS) is None
