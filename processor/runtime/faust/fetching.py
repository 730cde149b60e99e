"""The consumer's thread: what was fetched of a partition leaves it as one chunk.

Faults designed around:

- Faust 0.15.3 reads ``read_committed`` only under its own ``exactly_once``; here always.
- aiokafka falls back to "earliest" or "latest" when a position is outside the log. With "none" it is an
  error, and the partition's lane stops with it.
- Seeks and fetches overlap: what was fetched before a seek can arrive after it. Each chunk says in which
  epoch (how many seeks ago) it was fetched, and from which position to which. The position is read in this
  thread, with no await after the fetch, so nothing can have moved it.
- aiokafka steps over transaction markers and aborted records without a word: only the position tells. So a
  chunk ends at the position, not behind its last record.
- ``verify_event_path`` looks at the stream's offsets, which are not used here, and reports a stall that is
  none.
- ``close`` runs the client's coroutines in the wrong thread's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from processor.runtime.faust.fixes.fetch_times import FetchTimes
from processor.runtime.faust.fixes.membership import keep_name, leave
from processor.runtime.faust.merge import Chunk

__all__ = ["ChunkThread", "is_lost"]

_FETCH_MIN_BYTES: Final = 1
_REPORT_S: Final = 2.0  # for the group's offsets: there is a next time
_NEWS_EVERY_MS: Final = 200  # that a log still ends where it did; timers wait longer than that anyway


def is_lost(error: Exception, starts: Mapping[TopicPartition, int]) -> bool:
    """Whether an error of a fetch says that a position of ours is not in the log.

    ``starts``: the position from which each partition is fetched now. Between its assignment and the lane's
    seek aiokafka asks for the group's offset by itself: that there is none, or that one is out of range, says
    nothing about ours, and can come to light long after the seek.
    """
    said = error.args[0] if error.args else None
    return isinstance(said, Mapping) and any(starts.get(tp) == offset for tp, offset in said.items())


class ChunkThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, fetching chunks."""

    app: Any  # a WorkerApp, which imports this
    _times: FetchTimes

    def __post_init__(self) -> None:
        super().__post_init__()
        # Both by topic and partition, and only for partitions that a lane has sought:
        self._starts: dict[TopicPartition, int] = {}  # the position behind the latest chunk, or sought
        self._epochs: dict[TopicPartition, int] = {}
        self._told: dict[TopicPartition, int] = {}  # the latest sight of the log's end that was passed on, ms

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        settings = self.app.settings
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - read when the consumer starts
        consumer._fetch_max_wait_ms = settings.fetch_wait_ms  # noqa: SLF001
        consumer._fetch_min_bytes = _FETCH_MIN_BYTES  # noqa: SLF001
        return consumer

    async def on_start(self) -> None:
        """Start the consumer, and have its fetches timed and its name kept."""
        await super().on_start()
        consumer = self._ensure_consumer()
        self._times = FetchTimes(consumer._fetcher, self.app.settings.now_ms)  # noqa: SLF001
        keep_name(consumer._coordinator, self._fenced)  # noqa: SLF001

    def _fenced(self) -> None:
        self.parent_loop.call_soon_threadsafe(self.app.on_fenced_instance)

    async def touch(self) -> None:
        """Say that this worker lives though it fetches nothing, as every fetch says by itself.

        aiokafka gives the membership up when nothing was fetched for ``poll_timeout_s``, and without a
        partition it never fetches again.
        """
        await self.call_thread(self._touch)

    async def _touch(self) -> None:
        with self._ensure_consumer()._fetcher._subscriptions.fetch_context():  # noqa: SLF001
            pass

    async def fetch(self, active: set[TP], timeout_s: float) -> list[Chunk | BaseException]:
        """Return what was fetched of the active partitions, waiting at most `timeout_s` for it.

        Among chunks there may be the error that a partition was answered with; its arguments name the
        partition.
        """
        return await self.call_thread(self._fetch, {TopicPartition(*tp) for tp in active}, timeout_s)  # type: ignore[no-any-return]

    async def _fetch(self, active: set[TopicPartition], timeout_s: float) -> list[Chunk | BaseException]:
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher  # noqa: SLF001
        with fetcher._subscriptions.fetch_context():  # noqa: SLF001
            try:
                drained = await fetcher.fetched_records(
                    active,
                    timeout=timeout_s,
                    max_records=self.app.settings.fetch_records_max,
                )
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                return [error] if is_lost(error, self._starts) else []
        assignment = self._assignment()
        found: list[Chunk | BaseException] = []
        for tp in active if assignment is not None else ():
            chunk = self._chunk(assignment, tp, drained.get(tp, ()))
            if chunk is not None:
                found.append(chunk)
        return found

    def _chunk(self, assignment: Any, tp: TopicPartition, records: Sequence[Any]) -> Chunk | None:
        """What is new of one partition: records, or the sight of its log's end, or nothing."""
        state = assignment.state_value(tp)
        start = self._starts.get(tp)
        if state is None or start is None or not state.has_valid_position:
            return None
        end: int = state.position
        offset, empty_at_ms = self._times.ends.get(tp, (-1, 0))
        if offset != end or empty_at_ms <= self._told.get(tp, 0):
            empty_at_ms = 0
        if not records and (not empty_at_ms or empty_at_ms - self._told.get(tp, 0) < _NEWS_EVERY_MS):
            return None
        if empty_at_ms:
            self._told[tp] = empty_at_ms
        else:
            self._told.pop(tp, None)  # the log went on, so the next sight of its end is news
        self._starts[tp] = end
        return Chunk(tp.topic, tp.partition, start, end, records, self._epochs[tp], empty_at_ms)

    async def seek_lane(self, offsets: Mapping[TP, int], epoch: int) -> bool:
        """Move to these offsets; chunks fetched from there on carry `epoch`. False: not assigned any more."""
        return await self.call_thread(self._seek_lane, offsets, epoch)  # type: ignore[no-any-return]

    async def _seek_lane(self, offsets: Mapping[TP, int], epoch: int) -> bool:
        consumer = self._ensure_consumer()
        for tp, offset in offsets.items():
            key = TopicPartition(*tp)
            try:
                consumer.seek(key, offset)
            except IllegalStateError:
                return False
            self._starts[key], self._epochs[key] = offset, epoch
            self._told.pop(key, None)
        return True

    async def bounds(self, tps: Sequence[TP]) -> dict[TP, tuple[int, int, int | None]]:
        """Return for each partition the log's first offset, its end, and the group's offset (None: none)."""
        return await self.call_thread(self._bounds, tps)  # type: ignore[no-any-return]

    async def _bounds(self, tps: Sequence[TP]) -> dict[TP, tuple[int, int, int | None]]:
        consumer = self._ensure_consumer()
        keys = [TopicPartition(*tp) for tp in tps]
        # Not by the consumer's ``committed``: where the partition is taken away meanwhile it never answers,
        # and would keep one of the two tasks that serve this thread for ever. For the same reason there is a
        # limit.
        async with asyncio.timeout(self.app.settings.request_timeout_s):
            first, end, committed = await asyncio.gather(
                consumer.beginning_offsets(keys),
                consumer.end_offsets(keys),
                consumer._coordinator.fetch_committed_offsets(keys),  # noqa: SLF001
            )
        return {
            tp: (first[key], end[key], committed[key].offset if key in committed else None)
            for tp, key in zip(tps, keys, strict=True)
        }

    async def report(self, offsets: Mapping[TP, int]) -> None:
        """Commit these offsets for the group.

        Raises:
            KafkaError: the broker, or the group, does not take them.
            TimeoutError: no broker answers.
        """
        await self.call_thread(self._report, offsets)

    async def _report(self, offsets: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        # It tries again by itself for ever, and would keep one of the two tasks that serve this thread.
        async with asyncio.timeout(_REPORT_S):
            await consumer.commit({TopicPartition(*tp): offset for tp, offset in offsets.items()})

    async def rejoin(self) -> None:
        """Join the group anew, as the member it is: a member that was replaced is told so then."""
        await self.call_thread(self._rejoin)

    async def _rejoin(self) -> None:
        consumer = self._ensure_consumer()
        # Whoever is the leader assigns what it knows of, and may have asked for topics minutes ago.
        await consumer._client.force_metadata_update()  # noqa: SLF001
        consumer._coordinator.request_rejoin()  # noqa: SLF001

    async def leave(self) -> bool:
        """Leave the group at once, so that others get the partitions."""
        return await self.call_thread(leave, self._ensure_consumer()._coordinator)  # type: ignore[no-any-return]  # noqa: SLF001

    def _assignment(self) -> Any:
        subscription = self._ensure_consumer()._fetcher._subscriptions.subscription  # noqa: SLF001
        return None if subscription is None else subscription.assignment

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: the lanes watch themselves."""

    def close(self) -> None:
        """Nothing: the consumer is stopped with its thread, in its thread."""
