"""A lane for each partition number this worker owns: one owner, from fence to hand-over.

A lane is one task. In this order it:

1. starts the partition's producer, which fences every earlier owner;
2. restores the state to the changelog's end;
3. makes the engine, whose positions say where to go on, checks them against the logs, and seeks there;
4. takes records in merged order, hands them to the engine, and commits each work that it yields, until told
   to stop.

Whatever fails in 4, an unknown outcome included, ends in 1 again: engine, buffers and producer are thrown
away. Two things do not. A schema registry that does not answer is waited for where the lane stands, with what
it holds: nothing was decided yet. And a position that is not in the log is an operator's to decide: the lane
stands still until the changelog, which holds the position, has a command of theirs
(:mod:`processor.runtime.faust.resuming`), and then begins in 1.

Only being told to stop ends a lane for good, and being fenced: the worker then joins the group anew.

A lane is never shared: the next owner of a partition number starts after the task of the one before has
ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Final

from aiokafka.errors import KafkaError
from faust.types import TP

from processor.codec.registry import RegistryUnavailable, SchemaRefused
from processor.runtime.faust.aside import aside
from processor.runtime.faust.commit import Committer
from processor.runtime.faust.engine import Asks, Engine, EngineFactory, Work
from processor.runtime.faust.errors import FencedError, PositionLostError
from processor.runtime.faust.merge import Chunk, Merger
from processor.runtime.faust.producers import PartitionProducer
from processor.runtime.faust.restoring import restored
from processor.runtime.faust.settings import START_EARLIEST, WorkerSettings
from processor.runtime.faust.standing import Counts, LaneState, Source
from processor.runtime.faust.table import States
from processor.store import StateError

__all__ = ["Lane"]

log = logging.getLogger(__name__)

_STALL_S: Final = 1.0  # how long a lane may wait without looking again whether it has to stop

# Of all lanes of a process together: were each to count its own from one, a chunk that was fetched for the
# lane before could be taken for one of this lane's, as one that leaves a gap.
_epochs: Final = count(1)


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
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.partition = partition
        self.state = LaneState.STARTING
        self.reason = ""  # why it is not running, for an operator
        self.lost_code = ""  # of the position, "" where it is not lost: see LOST_CODES
        self.counts = counts
        self.committed: Mapping[str, int] = {}  # next offset of each source topic, as the changelog has it
        self._prepare = prepare
        self._turns = asyncio.Semaphore()
        self._settings = settings
        self._factory = factory
        self._states = states
        self._source = source
        self._epoch = next(_epochs)
        self._restored_end: int | None = None  # the changelog's, None once this lane has added to it
        self._merger: Merger | None = None  # None while there is nothing to feed
        self._paused: set[str] = set()
        self._lost: Exception | None = None  # why the lane has to begin anew, or cannot go on
        self._committing = False
        self._bytes_max = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self, beside: int = 1, turns: asyncio.Semaphore | None = None) -> None:
        """Begin; the lane runs until :meth:`stop`. `beside` lanes share what may be held, and take turns."""
        assert self._task is None
        self._turns = turns if turns is not None else self._turns
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
            "refused",
            f"{topic}-{self.partition}: the broker does not have the position any more: records were lost to "
            "retention, or the topic was made anew",
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
                await self._until_resumed(error)
                continue
            except (KafkaError, StateError, TimeoutError, OSError, SchemaRefused) as error:
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
        self._lost, self._restored_end, self.lost_code = None, None, ""
        if self._prepare is not None:
            await self._patiently(self._prepare)
        producer = PartitionProducer(self._settings, self.partition)
        try:
            await producer.start()
            state = await restored(self._settings, self._states, self.partition)
            self.counts.restored += state.records
            self._restored_end = state.offset
            engine = self._factory(self.partition, state.store)
            self.committed = dict(engine.positions)
            await self._seek(engine.positions)
            if self._stopping:
                return
            self._now(LaneState.RUNNING, "")
            log.info("partition %d is ready: %d rows restored", self.partition, state.records)
            await self._work(engine, Committer(self._settings, self.partition, producer, state.offset))
        except StateError:
            self._states.give_up(self.partition)
            raise
        finally:
            self._merger = None
            await producer.discard()

    async def _seek(self, restored_positions: Mapping[str, int]) -> None:
        tps = [TP(topic, self.partition) for topic in self._settings.sources]
        bounds = await self._source.bounds(tps)
        positions = {tp.topic: self._position(tp, restored_positions, bounds[tp]) for tp in tps}
        self._epoch = next(_epochs)
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
                    "no_position",
                    f"{tp.topic}-{tp.partition}: the group has read up to {committed}, but the changelog "
                    "holds no position: was the changelog topic deleted? Put it back, or go on without rows",
                )
            return first if self._settings.start == START_EARLIEST else end
        if not first <= position <= end:
            raise PositionLostError(
                "retention" if position < first else "beyond_end",
                f"{tp.topic}-{tp.partition}: the position {position} is outside of the log, which holds "
                f"{first} to {end}: records were lost to retention, or this is another cluster",
            )
        return position

    async def _until_resumed(self, error: PositionLostError) -> None:
        """Stand still until the changelog has grown, which nobody else writes to but an operator's command.

        A change of the log alone does not go on: another cluster's log grows past any position.
        """
        self.lost_code = error.code
        self._now(LaneState.LOST, str(error))
        log.error("partition %d is stopped: %s. To go on: %s", self.partition, error, self._command())
        tp = TP(self._settings.changelog, self.partition)
        end = self._restored_end
        while True:
            await asyncio.sleep(self._settings.look_again_s)  # a stop cancels it
            try:
                _, found, _ = (await self._source.bounds([tp]))[tp]
            except (KafkaError, TimeoutError, OSError):
                continue
            if end is not None and found > end:
                break
            end = found if end is None else end
        self.counts.resumed += 1
        log.warning("partition %d begins anew: an operator's command is in the changelog", self.partition)

    def _command(self) -> str:
        """What an operator has to type."""
        settings = self._settings
        return (
            f"trayecto partition resume --topology {settings.folder} --broker {settings.broker} "
            f'--partition {self.partition} --from earliest --because "WHY" (or --from latest, or an offset)'
        )

    async def _patiently(self, ask: Callable[[], None]) -> None:
        """Have the schema registry asked until it answers. Only this partition waits, where it stands."""
        before, backoff_s = self.state, self._settings.restart_backoff_ms / 1000
        while True:
            try:
                await aside(ask)
            except RegistryUnavailable as error:
                self.counts.unanswered += 1
                if self.state is not LaneState.WAITING:
                    self._now(LaneState.WAITING, str(error))
                    log.warning("partition %d waits: %s", self.partition, error)
                await asyncio.sleep(backoff_s)  # a stop cancels it
                backoff_s = min(backoff_s * 2, self._settings.restart_backoff_ms_max / 1000)
                continue
            if self.state is LaneState.WAITING:
                self._now(before, "")
                log.info("partition %d goes on: the schema registry answers", self.partition)
            return

    async def _work(self, engine: Engine, committer: Committer) -> None:
        merger, settings = self._merger, self._settings
        assert merger is not None
        watermark_ms = 0
        while not self._stopping:
            self._check()
            self._wake.clear()
            now_ms = settings.now_ms()
            if merger.may_take(now_ms):
                await self._take(merger, engine, committer)
                self._refill(merger)
                continue
            end_ms = merger.watermark_ms(now_ms)
            if end_ms is None or end_ms - settings.grace_ms <= watermark_ms:
                await self._pause(_STALL_S)
                continue
            watermark_ms = end_ms - settings.grace_ms
            async with self._turns:
                await self._commit_all(engine.idle(watermark_ms), committer, merger)

    async def _take(self, merger: Merger, engine: Engine, committer: Committer) -> None:
        """Work on what may be taken, in this lane's turn.

        What is taken is what is there when the turn comes, so that the more lanes wait for theirs, the more
        records share a transaction.
        """
        asks = engine if isinstance(engine, Asks) else None
        async with self._turns:
            if self._stopping or self._lost is not None:
                return
            batch = merger.take(self._settings.chunk_records_max, self._settings.now_ms())
            if asks is None or not asks.lacking(batch):
                await self._commit_all(engine.records(batch), committer, None)
                self.counts.records += len(batch)
                return
        while asks.lacking(batch):
            await self._patiently(asks.ask)  # as long as that takes, and meanwhile others have their turns
        async with self._turns:
            await self._commit_all(engine.records(batch), committer, None)
            self.counts.records += len(batch)

    async def _commit_all(
        self, works: Iterator[Work], committer: Committer, breaks_off_for: Merger | None
    ) -> None:
        """Commit work after work; those of a log's end are broken off for records that come meanwhile."""
        for work in works:
            self._committing = True
            began = time.perf_counter()
            try:
                await committer.commit(work)
            finally:
                self._committing = False
            self._restored_end = None
            self.committed = work.positions
            self.counts.commit_s += time.perf_counter() - began
            self.counts.transactions += 1
            if self._stopping:
                return
            self._check()
            if breaks_off_for is not None and breaks_off_for.has_records():
                return
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
