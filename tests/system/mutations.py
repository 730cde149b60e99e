"""Bugs planted in the protocol, by name: each breaks one rule of it in a worker process that is asked to.

``test_chunks_mutations`` shows that the system tests' verdict catches every one of them.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from processor.runtime.faust.commit import Committer
from processor.runtime.faust.fetching import ChunkThread
from processor.runtime.faust.fixes.fetch_times import FetchTimes
from processor.runtime.faust.producers import PartitionProducer
from processor.runtime.faust.settings import WorkerSettings
from processor.store import changelog

__all__ = ["CHANGED", "MUTATIONS"]

# Modules whose names are planted over; to a type checker they are not for others to write.
lanes: Any = importlib.import_module("processor.runtime.faust.lanes")
restoring: Any = importlib.import_module("processor.runtime.faust.restoring")
producers: Any = importlib.import_module("processor.runtime.faust.producers")

# Everything that is planted over.
CHANGED: list[tuple[Any, str]] = [
    (Committer, "commit"),
    (PartitionProducer, "produce"),
    (PartitionProducer, "start"),
    (lanes.Lane, "_position"),
    (lanes, "restored"),
    (WorkerSettings, "transactional_id"),
    (restoring, "AIOKafkaConsumer"),
    (restoring, "restore"),
]

MUTATIONS: dict[str, Callable[[], None]] = {}


def _mutation(plant: Callable[[], None]) -> Callable[[], None]:
    MUTATIONS[plant.__name__] = plant
    return plant


@_mutation
def written_before_the_commit() -> None:
    """Steps 4 and 5 swapped: local state can be ahead of Kafka."""

    async def commit_(self: Any, work: Any) -> None:
        self._done("advanced")
        await self._producer.begin()
        self._done("begun")
        await self._producer.produce(work.produce)
        self._done("produced")
        self._changelog_offset = await self._producer.changelog(list(work.changelog))
        self._done("logged")
        work.write(self._changelog_offset)
        self._done("written")
        await self._producer.commit()
        self._done("committed")

    Committer.commit = commit_  # type: ignore[method-assign]


@_mutation
def outputs_outside_of_the_transaction() -> None:
    """Commands leave through a producer without transactions, as under Faust's own exactly_once."""

    async def produce(self: Any, outputs: Any) -> None:
        plain = producers.AIOKafkaProducer(bootstrap_servers=self._settings.brokers)
        await plain.start()
        for output in outputs:
            await plain.send(output.topic, output.value, key=output.key, partition=output.partition)
        await plain.stop()

    PartitionProducer.produce = produce  # type: ignore[method-assign]


@_mutation
def position_from_the_group() -> None:
    """The group's committed offset is believed instead of the state's position."""

    def position(self: Any, tp: TP, positions: Any, bounds: Any) -> int:
        first, _, committed = bounds
        return int(first if committed is None else committed)

    lanes.Lane._position = position


@_mutation
def begins_at_earliest_when_lost() -> None:
    """A position outside of the log falls back to the log's beginning in silence."""

    def position(self: Any, tp: TP, positions: Any, bounds: Any) -> int:
        first, end, _ = bounds
        wanted = positions.get(tp.topic, first)
        return int(wanted if first <= wanted <= end else first)

    lanes.Lane._position = position


@_mutation
def fenced_after_the_restore() -> None:
    """The changelog's end is looked up while an earlier owner can still commit behind it."""
    start, restored = PartitionProducer.start, lanes.restored

    async def late_start(self: Any) -> None:
        late.append(self)

    async def restored_first(*arguments: Any) -> Any:
        found = await restored(*arguments)
        lanes.log.warning("restored, not fenced yet")
        await asyncio.sleep(0.5)
        while late:
            await start(late.pop())
        return found

    late: list[Any] = []
    PartitionProducer.start = late_start  # type: ignore[method-assign]
    lanes.restored = restored_first


@_mutation
def nobody_is_fenced() -> None:
    """Every worker has transactional ids of its own."""

    def transactional_id(self: Any, partition: int) -> str:
        return f"{self.app}-{self.name}-{partition}"

    WorkerSettings.transactional_id = transactional_id  # type: ignore[method-assign]


@_mutation
def markers_not_counted() -> None:
    """A restore is as far as the last record it saw."""

    class Reader(restoring.AIOKafkaConsumer):  # type: ignore[misc]
        seen = -1

        def seek(self, tp: Any, offset: int) -> None:
            self.seen = offset
            super().seek(tp, offset)

        async def getmany(self, *tps: Any, **options: Any) -> Any:
            found = await super().getmany(*tps, **options)
            for records in found.values():
                self.seen = records[-1].offset + 1
            return found

        async def position(self, tp: Any) -> int:
            return self.seen if self.seen >= 0 else int(await super().position(tp))

    restoring.AIOKafkaConsumer = Reader


@_mutation
def restores_what_was_aborted() -> None:
    """The changelog is read without read_committed."""

    class Reader(restoring.AIOKafkaConsumer):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "isolation_level": "read_uncommitted"})

    restoring.AIOKafkaConsumer = Reader


@_mutation
def reads_what_was_aborted() -> None:
    """The sources are read without read_committed."""
    create = ChunkThread._create_worker_consumer

    def uncommitted(self: Any, transport: Any) -> Any:
        consumer = create(self, transport)
        consumer._isolation_level = "read_uncommitted"
        return consumer

    ChunkThread._create_worker_consumer = uncommitted  # type: ignore[method-assign]


@_mutation
def the_end_is_the_last_stable_offset() -> None:
    """An open transaction's records are taken for nothing."""

    def answered(self: Any, request: Any, response: Any, sent_ms: int) -> None:
        for topic, partitions in response.topics:
            for partition, _, _, stable, *_ in partitions:
                self.ends[TopicPartition(topic, partition)] = (stable, sent_ms)

    FetchTimes.answered = answered  # type: ignore[method-assign]


@_mutation
def timers_not_rebuilt() -> None:
    """A restore brings back rows only."""

    def rows_only(store: Any, number: int, records: Any, mark: bytes) -> None:
        changelog.restore(store, number, records, mark, lambda _: 0)

    restoring.restore = rows_only


@_mutation
def the_transaction_is_tried_again() -> None:
    """After an unknown outcome the same work is sent again."""
    once = Committer.commit

    async def twice(self: Any, work: Any) -> None:
        while True:
            try:
                await once(self, work)
            except (TimeoutError, KafkaError):
                await self._producer.discard()
                try:
                    await self._producer.start()
                except (TimeoutError, KafkaError):
                    await self._producer.discard()
            else:
                return

    Committer.commit = twice  # type: ignore[method-assign]


@_mutation
def restarts_without_a_restore() -> None:
    """After an error the partition goes on from its local state as it is, without the changelog's end."""
    restored = lanes.restored
    seen: dict[int, Any] = {}

    async def once(settings_: Any, states: Any, partition: int) -> Any:
        if partition not in seen:
            seen[partition] = await restored(settings_, states, partition)
        return seen[partition]

    lanes.restored = once
