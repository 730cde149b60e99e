"""What happens to workers over the log in memory; each ends in the verifier's verdict.

A scenario is right without a planted bug (``test_bugs``), and some planted bug is what it is there for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError

from processor.runtime.faust.commit import STEPS
from processor.runtime.faust.merge import Chunk
from processor.store import Changes, RocksStore, StateError, open_rocks
from processor.store.changelog import encode_mark, mark_of
from tests.system.counting import Row, encode_row
from tests.system.model.clients import Killed
from tests.system.model.world import APP, Worker, World, Wrong

__all__ = ["SCENARIOS"]

Scenario = Callable[[World], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {}
HOUR_MS = 3_600_000
GHOST = encode_row(Row())  # a row that the changelog does not know


def _scenario(run: Scenario) -> Scenario:
    SCENARIOS[run.__name__] = run
    return run


@_scenario
async def killed_at_every_step(w: World) -> None:
    w.publish(300)
    for number, step in enumerate(STEPS):
        await w.killed(step, 1 + number % 3)
        w.publish(30, seed=number)
    await w.finish()


@_scenario
async def outcomes_unknown(w: World) -> None:
    """A time-out after every step: of the transaction's end the worker knows nothing."""
    w.publish(500)
    faults = [{"step": s, "nth": 2 + 4 * n, "action": "raise"} for n, s in enumerate(STEPS)]
    await w.finish(await w.worker(faults=faults))


@_scenario
async def the_groups_offsets_are_stale(w: World) -> None:
    w.publish(200)
    first = await w.worker()
    await w.until(lambda: w.processed() >= 200, first)
    await first.kill()
    w.cluster.offsets = {(APP, topic, p): 30 for topic in w.sources for p in range(w.cluster.partitions)}
    w.publish(50, seed=1)
    await w.finish()


@_scenario
async def retention_took_the_position(w: World) -> None:
    w.publish(100)
    first = await w.worker()
    await w.until(lambda: w.processed() >= 100, first)
    await first.stop()
    w.publish(100, seed=1)
    for number in range(w.cluster.partitions):
        log = w.cluster.logs[w.sources[0], number]
        log.first = log.end - 10
    second = await w.worker()
    try:
        await w.until(lambda: second.lanes.ready, second)
    except Wrong as error:
        assert error.symptoms == {"stopped"}, error  # noqa: PT017 - it may also not be raised
    else:
        raise Wrong("went on behind records that it never read", ["skipped"])


async def _frozen_and_continued(w: World, *, ready: bool) -> None:
    w.publish(300)
    first = await w.worker("w0", faults=[{"step": "logged", "nth": 3, "action": "stop"}])
    await w.until(first.struck.is_set, first)
    second = await w.worker("w1")
    if ready:
        await w.until(lambda: second.lanes.ready, second)
    else:
        await asyncio.sleep(0.02)
    first.wire.free.set()
    await w.until(lambda: second.lanes.ready, second)
    w.publish(50, seed=1)
    await w.finish(second)


@_scenario
async def a_zombie(w: World) -> None:
    """Frozen before its commit, continued while its successor works."""
    await _frozen_and_continued(w, ready=True)


@_scenario
async def a_zombie_during_the_restore(w: World) -> None:
    """Continued while its successor restores."""
    await _frozen_and_continued(w, ready=False)


@_scenario
async def a_wiped_disk(w: World) -> None:
    w.publish(200)
    first = await w.worker(timer_ms=30_000)
    await w.until(lambda: w.processed() >= 200, first)
    await first.kill()
    w.wipe("w0")
    await w.finish(await w.worker(timer_ms=30_000), all_fired=True)


@_scenario
async def killed_in_the_middle_of_a_restore(w: World) -> None:
    w.publish(300, contacts=200)
    first = await w.worker()
    await w.until(lambda: w.processed() >= 300, first)
    await first.kill()
    w.wipe("w0")
    for nth in (2, 3, 4):
        await _killed_at_the_write(w, nth)
    w.publish(300, contacts=200, seed=1)
    await w.finish()


async def _killed_at_the_write(w: World, nth: int) -> None:
    write, left = RocksStore.write, [nth]

    def dies(self: RocksStore, batch: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        write(self, batch)  # type: ignore[arg-type]

    RocksStore.write = dies  # type: ignore[method-assign]
    try:
        second = await w.worker()
        await w.until(lambda: left[0] <= 0, second)
        second.wire.dead = True
        await second.kill()
    finally:
        RocksStore.write = write  # type: ignore[method-assign]


@_scenario
async def chunks_arrive_twice(w: World) -> None:
    """Faust can deliver what it had in a queue around a seek: the same again, or overlapping."""
    worker = await w.worker()
    kept: list[Chunk] = []

    def again(chunk: Chunk) -> Sequence[Chunk]:
        kept.append(chunk)
        return [*kept[-2:-1], chunk] if len(kept) % 3 else [chunk, chunk]

    worker.deliver = again
    w.publish(300)
    await w.finish(worker)


@_scenario
async def chunks_are_lost(w: World) -> None:
    """Faust clears its queues in a rebalance."""
    worker = await w.worker()
    count = [0]

    def lossy(chunk: Chunk) -> Sequence[Chunk]:
        count[0] += 1
        return [] if count[0] % 4 == 0 and chunk.records else [chunk]

    worker.deliver = lossy
    w.publish(300)
    await w.finish(worker)


@_scenario
async def two_topics_one_slow(w: World) -> None:
    """The fetches of one topic are not answered for a while; then those of the other."""
    worker = await w.worker(end_age_ms_max=1)
    await worker.ready()
    w.publish(20)
    await w.until(lambda: w.processed() >= 20, worker)
    for turn in range(4):
        worker.fetcher.slow = {w.sources[turn % 2]}
        w.publish(60, seed=turn)
        await asyncio.sleep(0.05)
        worker.fetcher.slow = set()
        w.publish(60, seed=turn + 10)
        await w.until(lambda: w.processed() >= w.sent, worker)
    await w.finish(worker)


@_scenario
async def two_topics_at_different_speeds(w: World) -> None:
    """One topic is fetched in small pieces: what comes behind a piece may come before the other topic's."""
    w.publish(400)
    w.fetch_records_max = 7
    worker = await w.worker(end_age_ms_max=1, chunk_records_max=3)
    turns = [0]
    fetched = worker.fetcher.fetched_records

    async def uneven(active: Any, **options: Any) -> Any:
        turns[0] += 1
        some = {tp for tp in active if turns[0] % 5 == 0 or tp.topic == w.sources[turns[0] // 9 % 2]}
        return await fetched(some, **options)

    worker.fetcher.fetched_records = uneven  # type: ignore[method-assign]
    await worker.ready()
    for turn in range(4):
        w.publish(60, seed=turn)
        await asyncio.sleep(0.02)
    await w.finish(worker)


@_scenario
async def two_topics_one_in_pieces(w: World) -> None:
    """Of one topic the first of what is new arrives, and then nothing for a while."""
    w.fetch_records_max = 7
    worker = await w.worker(end_age_ms_max=1_000_000)
    fetched, holding = worker.fetcher.fetched_records, [False]
    w.publish(20)

    async def once(active: Any, **options: Any) -> Any:
        found = await fetched(active, **options)
        if holding[0] and any(tp.topic == w.sources[0] for tp in found):
            worker.fetcher.slow = {w.sources[0]}
        return found

    worker.fetcher.fetched_records = once  # type: ignore[method-assign]
    await w.until(lambda: w.processed() >= 20, worker)
    for turn in range(3):
        await asyncio.sleep(0.02)  # both ends are seen
        holding[0] = True
        w.publish(60, seed=turn)
        await asyncio.sleep(0.03)
        holding[0], worker.fetcher.slow = False, set()
        await w.until(lambda: w.processed() >= w.sent, worker)
    await w.finish(worker)


@_scenario
async def a_backlog_when_timers_are_due(w: World) -> None:
    """The wire is held up while the wall clock passes every timer, and events lie in the log meanwhile."""
    w.publish(60)
    worker = await w.worker(timer_ms=20_000)
    await w.until(lambda: w.processed() >= 60, worker)
    worker.wire.free.clear()
    w.publish(200, seed=1)
    w.cluster.now_ms += 60_000
    await asyncio.sleep(0.02)
    worker.wire.free.set()
    await w.finish(worker, all_fired=True)


@_scenario
async def a_topic_that_lags_when_timers_are_due(w: World) -> None:
    """One of two topics is at its end, the other is not answered."""
    w.publish(60)
    worker = await w.worker(timer_ms=20_000, end_age_ms_max=1)
    await w.until(lambda: w.processed() >= 60, worker)
    worker.fetcher.slow = {w.sources[0]}
    w.publish(200, seed=1, topics=1)
    w.cluster.now_ms += 60_000
    await asyncio.sleep(0.05)
    worker.fetcher.slow = set()
    await w.finish(worker, all_fired=True)


@_scenario
async def stamps_behind_the_clock(w: World) -> None:
    """Records are stamped a second before they can be read."""
    w.publish(100, stamped_ms=1_000)
    worker = await w.worker(timer_ms=300, grace_ms=2_000)
    await worker.ready()
    for turn in range(20):
        w.publish(20, seed=turn, stamped_ms=1_000)
        await w.until(lambda: w.processed() >= w.sent, worker)
        await asyncio.sleep(0.005)
    await w.finish(worker, all_fired=True)


@_scenario
async def a_batch_is_refused(w: World) -> None:
    """The broker refuses one batch, which aiokafka tells its future only."""
    w.publish(200)
    w.cluster.refused[w.commands] = [MessageSizeTooLargeError()]
    await w.finish()


@_scenario
async def the_disk_is_full_for_a_while(w: World) -> None:
    """A write fails, and RocksDB refuses every other one until the database is opened anew."""
    write, failed, left = RocksStore.write, set[RocksStore](), [8]

    def full(self: RocksStore, batch: Any) -> None:
        left[0] -= 1
        if left[0] in {0, 1, 2, 3}:
            failed.add(self)
        if self in failed:
            raise StateError("the disk is full")
        write(self, batch)

    RocksStore.write = full  # type: ignore[method-assign]
    try:
        w.publish(300)
        await w.finish()
    finally:
        RocksStore.write = write  # type: ignore[method-assign]


@_scenario
async def quiet_for_a_day(w: World) -> None:
    """Nothing happens for longer than deletions are kept; a restart needs nothing from the changelog."""
    w.publish(100)
    first = await w.worker()
    await w.until(lambda: w.processed() >= 100, first)
    w.cluster.now_ms += 25 * HOUR_MS
    await first.stop()
    second = await w.worker()
    await second.ready()
    restored = sum(counts.restored for counts in second.lanes.counts().values())
    await w.finish(second)
    if restored:
        raise Wrong(f"{restored} rows were restored of a state that was current", ["restored"])


async def _unprovable(w: World, spoil: Callable[[Worker, int, int], int], *, later_ms: int = 0) -> None:
    """Local state holds a row that was deleted since, and the changelog cannot say so."""
    w.publish(150)
    first = await w.worker()
    await w.until(lambda: w.processed() >= 150, first)
    await first.stop()
    for number in range(w.cluster.partitions):
        store = open_rocks(first.states.path(number), partitions=w.cluster.partitions)
        mark, position = mark_of(store), store.position()
        assert mark is not None
        assert position is not None
        kept = encode_mark(spoil(first, number, mark[0]), mark[1])
        store.commit({number: Changes({"ghost": GHOST})}, position, kept)
        store.close()
    w.cluster.now_ms += later_ms
    w.publish(50, seed=1)
    await w.finish()


@_scenario
async def local_state_is_old(w: World) -> None:
    await _unprovable(w, lambda _, __, offset: offset, later_ms=25 * HOUR_MS)


@_scenario
async def local_state_is_ahead(w: World) -> None:
    """It is of another cluster, or the changelog was made anew."""
    await _unprovable(w, lambda _, __, offset: offset + 1_000)


@_scenario
async def local_state_is_behind_retention(w: World) -> None:
    def behind(worker: Worker, number: int, offset: int) -> int:
        log = w.cluster.logs[w.changelog, number]
        log.compact()
        log.first = next(one.offset for one in log.entries if not one.compacted and not one.marker)
        return 0

    await _unprovable(w, behind)


@_scenario
async def handed_to_and_fro(w: World) -> None:
    """Two workers take turns; each finds a state on its disk that the other has left behind."""
    for turn in range(6):
        w.publish(60, seed=turn)
        worker = await w.worker(f"w{turn % 2}")
        await w.until(lambda: w.processed() >= w.sent - 20, worker)
        await (worker.stop() if turn % 3 else worker.kill())
    await w.finish(await w.worker("w0"))
