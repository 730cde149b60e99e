"""The source topics of one partition, merged into one order. No input or output: it is fed and asked.

The order is (append time, topic, offset), as Kafka Streams does it: a record is taken only when every other
source topic of the partition has one buffered or is at its end, so that what is read first does not depend on
which fetch was answered first. Within a topic the log's order holds, whatever its stamps say.

**What is contiguous.** A :class:`Chunk` claims to hold every readable record from ``start`` up to ``end``.
The merger knows which offset it expects next; a chunk that begins behind it means that one was lost on the
way (Faust clears its queues in a rebalance), and is refused. A chunk that begins before it overlaps: Faust
can deliver records twice around a seek. Their overlap is skipped, and that is what makes a chunk count once.

**The log's end.** ``empty_at_ms`` of a chunk is the wall time at which a fetch was *sent* that found nothing
at the high watermark ``end``. Nothing that is appended before that instant can appear later (but for clocks,
which the grace covers), so when every topic of the partition has such an instant, their least is how far time
has come. A frozen worker, a network cut or a backlog send no such fetches, and time stands still.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec

from processor.runtime.faust.engine import SourceRecord

__all__ = ["Chunk", "Merger"]

_RECORD_BYTES: Final = 200  # of a record in memory beside its key and value


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """All readable records of one topic and partition in [start, end), as one fetch gave them.

    ``epoch`` counts the seeks of the partition's lane before it was fetched; ``empty_at_ms`` is 0 unless the
    log's end was seen at ``end``.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: Sequence[Any]
    epoch: int = 0
    empty_at_ms: int = 0


class _Source:
    """One topic: what is buffered, which offset comes next, and the latest news of its end."""

    __slots__ = ("at", "bytes", "chunks", "count", "empty_at_ms", "expected", "head_ms", "topic")

    def __init__(self, topic: str, position: int) -> None:
        self.topic = topic
        self.expected = position
        self.chunks: deque[Sequence[SourceRecord]] = deque()
        self.at = 0  # the first record of the first chunk that was not taken
        self.count = 0
        self.bytes = 0  # an estimate: what is taken counts by the average
        self.head_ms = 0  # append times may step back at a change of leader; the order in the log wins
        self.empty_at_ms = 0

    def key(self) -> tuple[int, str]:
        """Where the first buffered record stands in the merged order."""
        return max(self.head_ms, self.chunks[0][self.at].timestamp), self.topic

    def add(self, records: Sequence[SourceRecord]) -> None:
        self.chunks.append(records)
        self.count += len(records)
        self.bytes += _size(records)

    def pop(self, limit: int, before: tuple[int, str] | None) -> Sequence[SourceRecord]:
        """Take at most `limit` records off the first chunk; with `before`, only those that come before it."""
        first, at = self.chunks[0], self.at
        stop = min(len(first), at + limit)
        if before is not None:
            head_ms, end = self.head_ms, at
            while end < stop and (max(head_ms, first[end].timestamp), self.topic) < before:
                head_ms = max(head_ms, first[end].timestamp)
                end += 1
            stop = end
        taken = first[at:stop]
        if stop == len(first):
            self.chunks.popleft()
            self.at = 0
        else:
            self.at = stop
        self.bytes -= self.bytes * len(taken) // self.count
        self.count -= len(taken)
        self.head_ms = max(self.head_ms, taken[-1].timestamp)
        return taken


class Merger:
    """Buffers of one partition's source topics, from `positions` (topic -> next offset, all topics) on."""

    def __init__(self, positions: Mapping[str, int], end_age_ms_max: int) -> None:
        self._sources = {topic: _Source(topic, offset) for topic, offset in sorted(positions.items())}
        self._end_age_ms_max = end_age_ms_max
        self.skipped = 0  # records below the expected offset

    def offer(self, chunk: Chunk) -> Literal["taken", "gap"]:
        """Buffer a chunk; "gap" where it begins behind what is expected, and nothing was done."""
        source = self._sources[chunk.topic]
        if chunk.start > source.expected:
            return "gap"
        records = chunk.records
        if records and records[0].offset < source.expected:
            kept = bisect_left(records, source.expected, key=attrgetter("offset"))
            self.skipped += kept
            records = records[kept:]
        if records:
            source.add(records)
        if chunk.end > source.expected:
            source.expected = chunk.end
            source.empty_at_ms = 0  # the log went on: that it ended once says nothing now
        if chunk.empty_at_ms and chunk.end == source.expected:
            source.empty_at_ms = max(source.empty_at_ms, chunk.empty_at_ms)
        return "taken"

    def expected(self, topic: str) -> int:
        """Return the offset that the next chunk of `topic` has to begin at, or before."""
        return self._sources[topic].expected

    def held(self, topic: str) -> tuple[int, int]:
        """Return how many records, and bytes of memory, of `topic` are buffered."""
        source = self._sources[topic]
        return source.count, source.bytes

    def has_records(self) -> bool:
        """Whether anything is buffered."""
        return any(source.count for source in self._sources.values())

    def may_take(self, now_ms: int) -> bool:
        """Whether :meth:`take` would take anything now."""
        sources = self._sources.values()
        return self.has_records() and all(source.count or self._at_end(source, now_ms) for source in sources)

    def take(self, limit: int, now_ms: int) -> Sequence[SourceRecord]:
        """Take at most `limit` records in order; none when there is none that may be taken yet."""
        if len(self._sources) == 1:
            return self._take_of_one(limit)
        taken: list[SourceRecord] = []
        while len(taken) < limit:
            ready = sorted((s for s in self._sources.values() if s.count), key=_Source.key)
            if not ready or any(not s.count and not self._at_end(s, now_ms) for s in self._sources.values()):
                break
            before = ready[1].key() if len(ready) > 1 else None
            taken += ready[0].pop(limit - len(taken), before)
        return taken

    def _take_of_one(self, limit: int) -> Sequence[SourceRecord]:
        (source,) = self._sources.values()
        taken: list[SourceRecord] = []
        while source.count and len(taken) < limit:
            found = source.pop(limit - len(taken), None)
            if not taken and len(found) == limit:
                return found  # the usual case under load, without a copy
            taken += found
        return taken

    def watermark_ms(self, now_ms: int) -> int | None:
        """The instant up to which all topics are known to be read to their end; None: not all are."""
        ends = []
        for source in self._sources.values():
            if source.count or not self._at_end(source, now_ms):
                return None
            ends.append(source.empty_at_ms)
        return min(ends)

    def _at_end(self, source: _Source, now_ms: int) -> bool:
        return bool(source.empty_at_ms) and now_ms - source.empty_at_ms <= self._end_age_ms_max


def _size(records: Sequence[SourceRecord]) -> int:
    sizes = sum([len(record.value or b"") + len(record.key or b"") for record in records])
    return sizes + _RECORD_BYTES * len(records)
