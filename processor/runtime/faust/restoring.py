"""Bringing one partition's state to the end of its changelog.

Only after the partition's producer has started (see ``producers``): before that an earlier owner could still
commit behind the end that was looked up here.

Faults designed around:

- Faust 0.15.3 takes the last *record's* offset for how far it is. A changelog that is written in transactions
  ends with a marker, which is no record, so that recovery never ends. Here the consumer's position counts,
  which steps over markers, aborted records and compacted ones.
- Faust recovers record by record, 9,300/s; here a slice of a fetch is one write.
- Faust recovers all partitions as one: none works until all are done. Here each partition has its own reader.
- aiokafka 0.14.0 answers ``end_offsets`` of a ``read_committed`` consumer with the last stable offset. The
  end that counts is the high watermark: were a transaction still open below it, the state would lack it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from processor.runtime.faust.settings import WorkerSettings
from processor.runtime.faust.table import Restoring, States
from processor.store import RocksStore
from processor.store.changelog import encode_mark, mark_of, restore, stamp

__all__ = ["Restored", "restored"]

log = logging.getLogger(__name__)

_PROGRESS_EVERY_S: Final = 2.0
_POLL_MS: Final = 200


class _Progress:
    """Says how far a restore has come, in the log now and then and in ``states`` for the metrics."""

    def __init__(self, states: States, partition: int, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.rows = 0
        self._states, self._partition = states, partition
        self._began = self._told = time.monotonic()
        states.restoring[partition] = Restoring(0, 0.0)

    def at(self, position: int) -> None:
        """The changelog was applied up to this offset."""
        share = (position - self.start) / (self.end - self.start)
        self._states.restoring[self._partition] = Restoring(self.rows, share)
        now = time.monotonic()
        if now - self._told < _PROGRESS_EVERY_S:
            return
        self._told, passed_s = now, now - self._began
        log.info(
            "partition %d: restored %d rows, %.0f%%, %.0f rows/s, about %.0f s more",
            self._partition,
            self.rows,
            100 * share,
            self.rows / passed_s,
            passed_s * (1 - share) / share if share else 0,
        )

    def done(self) -> None:
        """The database is at the changelog's end."""
        self._states.restoring[self._partition] = Restoring(self.rows, 1.0)
        passed_s = time.monotonic() - self._began
        rate = self.rows / max(passed_s, 0.001)
        log.info(
            "partition %d: restored %d rows in %.1f s, %.0f rows/s",
            self._partition,
            self.rows,
            passed_s,
            rate,
        )


class Restored:
    """A partition's database at the end of its changelog: where that is, and how many records it took."""

    def __init__(self, store: RocksStore, offset: int, records: int) -> None:
        self.store = store
        self.offset = offset
        self.records = records


async def restored(settings: WorkerSettings, states: States, partition: int) -> Restored:
    """Restore a partition.

    Raises:
        KafkaError, TimeoutError: the changelog cannot be read.
        StateError: the database cannot be written.
    """
    tp = TopicPartition(settings.changelog, partition)
    store = states.open(partition)
    async with _reader(settings, tp) as reader:
        first = (await reader.beginning_offsets([tp]))[tp]
        end = await _high_watermark(reader, tp)
        mark = mark_of(store)
        if mark is not None and (reason := _unprovable(settings, mark, first, end)):
            store, mark = states.anew(partition, reason), None
        start = first if mark is None else mark[0]
        progress = _Progress(states, partition, start, end)
        count = await _read(settings, store, reader, tp, progress)
        if mark is None or count == 0:
            stamp(store, end, settings.now_ms())
    progress.done()
    store.forget()
    return Restored(store, end, count)


def _unprovable(settings: WorkerSettings, mark: tuple[int, int], first: int, end: int) -> str:
    """Say why the changelog cannot bring this state up to date, "" where it can."""
    offset, at_ms = mark
    if offset < first:
        return f"it is at changelog offset {offset}, and the changelog begins at {first}"
    if offset > end:
        return f"it is at changelog offset {offset}, beyond the changelog's end {end}"
    idle_ms = settings.now_ms() - at_ms
    if idle_ms > settings.tombstone_retention_ms:
        return f"it was last current {idle_ms // 3_600_000} h ago, and deletions may be forgotten since"
    return ""


async def _read(
    settings: WorkerSettings,
    store: RocksStore,
    reader: AIOKafkaConsumer,
    tp: TopicPartition,
    progress: _Progress,
) -> int:
    """Apply records from the start until the position is at the end; return how many there were."""
    start, end = progress.start, progress.end
    if start >= end:
        return 0
    reader.seek(tp, start)
    position = start
    deadline = time.monotonic() + settings.request_timeout_s
    while position < end:
        found = await reader.getmany(tp, timeout_ms=_POLL_MS, max_records=settings.restore_records_max)
        before, position = position, await reader.position(tp)
        if records := found.get(tp):
            mark = encode_mark(position, settings.now_ms())
            restore(store, tp.partition, [(record.key, record.value) for record in records], mark)
            progress.rows += len(records)
            await asyncio.sleep(0)
        progress.at(position)
        if position > before:
            deadline = time.monotonic() + settings.request_timeout_s
        elif time.monotonic() > deadline:
            raise TimeoutError(
                f"the changelog of partition {tp.partition} does not go on at offset {position} of {end}"
            )
    return progress.rows


async def _high_watermark(reader: AIOKafkaConsumer, tp: TopicPartition) -> int:
    """Return the offset behind the last record, of open transactions as well."""
    fetcher = reader._fetcher  # noqa: SLF001
    level = fetcher._isolation_level  # noqa: SLF001
    fetcher._isolation_level = 0  # noqa: SLF001 - what ListOffsets is asked with; nothing is fetched before a seek
    try:
        found: int = (await reader.end_offsets([tp]))[tp]
    finally:
        fetcher._isolation_level = level  # noqa: SLF001
    return found


@contextlib.asynccontextmanager
async def _reader(settings: WorkerSettings, tp: TopicPartition) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of one changelog partition, outside of the group."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.brokers,
        **settings.login,
        client_id=f"{settings.app}-{settings.name}-restore-{tp.partition}",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=settings.restore_bytes_max,
        fetch_max_wait_ms=_POLL_MS,
        request_timeout_ms=int(settings.request_timeout_s * 1000),
    )
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            await reader.start()
        reader.assign([tp])
        yield reader
    finally:
        await reader.stop()
