"""A lane for each partition number this worker owns: one owner, from fence to hand-over.

A lane is one task. In this order it:

1. starts the partition's producer, which fences every earlier owner;
2. restores the state to the changelog's end;
3. makes the engine, whose positions say where to go on, checks them against the logs, and seeks there;
4. takes records in merged order, hands them to the engine, and commits each work that it yields, until told
   to stop.

Whatever fails in 4, an unknown outcome included, ends in 1 again: engine, buffers and producer are thrown
away. Only three things end a lane for good: being told to stop, being fenced (the worker then joins the group
anew), and a position that is not in the log (an operator has to decide).

A lane is never shared: the next owner of a partition number starts after the task of the one before has
ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final, Protocol

import msgspec
from aiokafka.errors import KafkaError
from faust.types import TP

from processor.codec.registry import RegistryUnavailable
from processor.runtime.faust.commit import Committer
from processor.runtime.faust.engine import Engine, EngineFactory, Work
from processor.runtime.faust.errors import FencedError, PositionLostError
from processor.runtime.faust.merge import Chunk, Merger
from processor.runtime.faust.producers import PartitionProducer
from processor.runtime.faust.restoring import restored
from processor.runtime.faust.settings import START_EARLIEST, WorkerSettings
from processor.runtime.faust.table import States
from processor.store import StateError

__all__ = ["Counts", "Lane", "LaneState", "Source"]

log = logging.getLogger(__name__)

_STALL_S: Final = 1.0  # how long a lane may wait without looking again whether it has to stop


class LaneState(Enum):
    """Where a lane is. Ready is only RUNNING."""

    STARTING = "starting"
    RUNNING = "running"
    RETRYING = "retrying"
    LOST = "position lost"
    FENCED = "fenced"
    ENDED = "ended"


class Counts(msgspec.Struct):
    """What a lane has seen since the worker started. Everything skipped or dropped is counted."""

    records: int = 0
    transactions: int = 0
    commit_s: float = 0.0  # what they took together
    restarts: int = 0
    restored: int = 0
    skipped: int = 0
    chunks_stale: int = 0
    chunks_lost: int = 0


class Source(Protocol):
    """What a lane needs of the consumer."""

    async def bounds(self, tps: list[TP]) -> Mapping[TP, tuple[int, int, int | None]]:
        """Return (first offset, end, the group's offset) of each partition."""
        ...

    async def seek(self, offsets: Mapping[TP, int], epoch: int) -> bool:
        """Move to these offsets and begin to fetch there; False where they are not assigned any more."""
        ...

    def pause(self, tp: TP) -> None:
        """Take no more of this partition."""
        ...

    def resume(self, tp: TP) -> None:
        """Take of this partition again."""
        ...

    async def rejoin(self) -> None:
        """Join the group anew."""
        ...


class Lane:
    """The owner of one partition number; see the module."""

    def __init__(
        self,
        settings: WorkerSettings,
        partition: int,
        factory: EngineFactory,
        states: States,
        source: Source,
        counts: Counts,
    ) -> None:
        self.partition = partition
        self.state = LaneState.STARTING
        self.reason = ""  # why it is not running, for an operator
        self.counts = counts
        self._settings = settings
        self._factory = factory
        self._states = states
        self._source = source
        self._epoch = 0
        self._merger: Merger | None = None  # None while there is nothing to feed
        self._paused: set[str] = set()
        self._lost: Exception | None = None  # why the lane has to begin anew, or cannot go on
        self._committing = False
        self._bytes_max = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self, beside: int = 1) -> None:
        """Begin; the lane runs until :meth:`stop`. `beside` lanes share what may be held."""
        assert self._task is None
        self._bytes_max = self._settings.prefetch_bytes_max // (beside * len(self._settings.sources))
        self._task = asyncio.create_task(self._run(), name=f"lane-{self.partition}")

    async def stop(self) -> None:
        """End at once, or behind the transaction under way unless it takes longer than `stop_timeout_s`."""
        self._stopping = True
        task = self._task
        if task is None:
            return
        if not self._committing:
            task.cancel()
        done, _ = await asyncio.wait({task}, timeout=self._settings.stop_timeout_s)
        if not done:
            log.warning("partition %d: stopped in the middle of a transaction", self.partition)
            task.cancel()
            await asyncio.wait({task})

    # --- what comes in

    def offer(self, chunk: Chunk) -> None:
        """Take a chunk from the agent."""
        merger = self._merger
        if merger is None or chunk.epoch != self._epoch:
            self.counts.chunks_stale += 1  # fetched before the latest seek, which fetches it again
            return
        if merger.offer(chunk) == "gap":
            self._lose_chunk(chunk, merger)
            return
        self.counts.skipped, merger.skipped = self.counts.skipped + merger.skipped, 0
        count, size = merger.held(chunk.topic)
        if count > self._settings.prefetch_records_max or size > self._bytes_max:
            self._paused.add(chunk.topic)
            self._source.pause(TP(chunk.topic, self.partition))
        self._wake.set()

    def _lose_chunk(self, chunk: Chunk, merger: Merger) -> None:
        """A chunk was lost on the way: begin anew, from what is committed."""
        self.counts.chunks_lost += 1
        self._lost = KafkaError(
            f"{chunk.topic}: expected offset {merger.expected(chunk.topic)}, got {chunk.start}"
        )
        self._wake.set()

    def position_failed(self, topic: str) -> None:
        """The broker says that the position in a source topic is not in the log."""
        self._lost = PositionLostError(
            f"{topic}-{self.partition}: the broker does not have the position any more: records were lost to "
            "retention, or the topic was made anew"
        )
        self._wake.set()

    # --- the task

    async def _run(self) -> None:
        backoff_s = self._settings.restart_backoff_ms / 1000
        while not self._stopping:
            transactions = self.counts.transactions
            try:
                await self._own()
            except FencedError as error:
                self._now(LaneState.FENCED, str(error))
                await self._source.rejoin()
                return
            except PositionLostError as error:
                self._now(LaneState.LOST, str(error))
                log.error("partition %d is stopped: %s", self.partition, error)  # noqa: TRY400 - it says all
                return
            except (KafkaError, StateError, TimeoutError, OSError, RegistryUnavailable) as error:
                self._now(LaneState.RETRYING, f"{type(error).__name__}: {error}")
            except Exception as error:
                # Of the engine, or a bug: the partition starts anew from what is committed, as for any other
                # error.
                self._now(LaneState.RETRYING, type(error).__name__)
                log.exception("partition %d: unexpected", self.partition)
            else:
                continue
            self.counts.restarts += 1
            if self.counts.transactions > transactions:
                backoff_s = self._settings.restart_backoff_ms / 1000
            log.warning("partition %d starts anew in %.1f s: %s", self.partition, backoff_s, self.reason)
            await asyncio.sleep(backoff_s)  # a stop cancels it
            backoff_s = min(backoff_s * 2, self._settings.restart_backoff_ms_max / 1000)
        self._now(LaneState.ENDED, "")

    async def _own(self) -> None:
        """Own the partition once: from fencing to the first error, or the stop."""
        self._now(LaneState.STARTING, "")
        self._lost = None
        producer = PartitionProducer(self._settings, self.partition)
        try:
            await producer.start()
            state = await restored(self._settings, self._states, self.partition)
            self.counts.restored += state.records
            engine = self._factory(self.partition, state.store)
            await self._seek(engine.positions)
            if self._stopping:
                return
            self._now(LaneState.RUNNING, "")
            log.info("partition %d is ready: %d rows restored", self.partition, state.records)
            await self._work(engine, Committer(self._settings, self.partition, producer, state.offset))
        finally:
            self._merger = None
            await producer.discard()

    async def _seek(self, restored_positions: Mapping[str, int]) -> None:
        tps = [TP(topic, self.partition) for topic in self._settings.sources]
        bounds = await self._source.bounds(tps)
        positions = {tp.topic: self._position(tp, restored_positions, bounds[tp]) for tp in tps}
        self._epoch += 1
        self._merger = Merger(positions, self._settings.end_age_ms_max)
        self._paused.clear()
        if not await self._source.seek({tp: positions[tp.topic] for tp in tps}, self._epoch):
            self._stopping = True  # assigned to somebody else in the meantime: the stop is on its way

    def _position(self, tp: TP, positions: Mapping[str, int], bounds: tuple[int, int, int | None]) -> int:
        """Where to go on in a source topic: where the state says, and nowhere else."""
        first, end, committed = bounds
        position = positions.get(tp.topic)
        if position is None:
            if committed is not None:
                raise PositionLostError(
                    f"{tp.topic}-{tp.partition}: the group has read up to {committed}, but the changelog "
                    "holds no position: was the changelog topic deleted? Put it back, or reset the group to "
                    "begin anew"
                )
            return first if self._settings.start == START_EARLIEST else end
        if not first <= position <= end:
            raise PositionLostError(
                f"{tp.topic}-{tp.partition}: the position {position} is outside of the log, which holds "
                f"{first} to {end}: records were lost to retention, or this is another cluster"
            )
        return position

    async def _work(self, engine: Engine, committer: Committer) -> None:
        merger, settings = self._merger, self._settings
        assert merger is not None
        watermark_ms = 0
        while not self._stopping:
            self._check()
            self._wake.clear()
            now_ms = settings.now_ms()
            works: Iterator[Work]
            if batch := merger.take(settings.chunk_records_max, now_ms):
                works = engine.records(batch)
            else:
                end_ms = merger.watermark_ms(now_ms)
                if end_ms is None or end_ms - settings.grace_ms <= watermark_ms:
                    await self._pause(_STALL_S)
                    continue
                watermark_ms = end_ms - settings.grace_ms
                works = engine.idle(watermark_ms)
            await self._commit_all(works, committer)
            self.counts.records += len(batch)
            self._refill(merger)

    async def _commit_all(self, works: Iterator[Work], committer: Committer) -> None:
        for work in works:
            self._committing = True
            began = time.perf_counter()
            try:
                await committer.commit(work)
            finally:
                self._committing = False
            self.counts.commit_s += time.perf_counter() - began
            self.counts.transactions += 1
            if self._stopping:
                return
            self._check()
        await asyncio.sleep(0)

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _refill(self, merger: Merger) -> None:
        """Take of a paused topic again once half of what it may hold is worked off."""
        for topic in list(self._paused):
            count, size = merger.held(topic)
            if count <= self._settings.prefetch_records_max // 2 and size <= self._bytes_max // 2:
                self._paused.discard(topic)
                self._source.resume(TP(topic, self.partition))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _now(self, state: LaneState, reason: str) -> None:
        self.state, self.reason = state, reason
