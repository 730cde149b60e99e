"""aiokafka's producer and consumer over the log in memory: what the worker's modules call of them.

Whose a client is stands in its bootstrap address: ``name:1`` goes over the wire of the worker ``name``, which
a test can hold up (a frozen process, a network cut) or cut off for good (a process that was killed).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, OffsetOutOfRangeError, ProducerFenced

from tests.system.model.log import Cluster, Entry, Headers

__all__ = ["Batch", "Consumer", "Fetcher", "Killed", "Producer", "Wire"]


class Killed(BaseException):
    """The process is gone: nothing catches it, nothing is sent any more."""


class Wire:
    """Between one worker and the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.dead = False
        self.free = asyncio.Event()
        self.free.set()

    async def cross(self) -> None:
        """Wait for as long as the wire is held up. Raises Killed where the worker is gone."""
        await asyncio.sleep(0)
        await self.free.wait()
        if self.dead:
            raise Killed


class Batch:
    """A batch of records, of at most so many bytes unless it is one record."""

    def __init__(self, size_max: int) -> None:
        self._left = size_max
        self.records: list[tuple[bytes | None, bytes | None, Headers]] = []

    def append(
        self, *, key: bytes | None, value: bytes | None, timestamp: int | None, headers: Headers
    ) -> bool | None:
        size = len(key or b"") + len(value or b"") + 20
        if self.records and size > self._left:
            return None
        self._left -= size
        self.records.append((key, value, headers))
        return True

    def record_count(self) -> int:
        return len(self.records)


class Producer:
    """AIOKafkaProducer. ``wires`` is set by the world."""

    wires: Mapping[str, Wire] = {}

    def __init__(
        self,
        *,
        bootstrap_servers: Sequence[str],
        transactional_id: str = "",
        max_batch_size: int = 16_384,
        **_: Any,
    ) -> None:
        self._wire = self.wires[bootstrap_servers[0].partition(":")[0]]
        self._cluster = self._wire.cluster
        self._id = transactional_id
        self._epoch = -1
        self._size_max = max_batch_size
        self._in_transaction = False
        # What `discard` reaches into:
        self._sender = SimpleNamespace(sender_task=None)
        self._txn_manager = SimpleNamespace(_transaction_waiter=None)
        self._message_accumulator = SimpleNamespace(_batches={})
        self.client = self

    async def start(self) -> None:
        await self._wire.cross()
        if self._id:
            self._epoch = self._cluster.fence(self._id)

    async def close(self) -> None:
        """Of the client: nothing is sent."""

    stop = close

    async def begin_transaction(self) -> None:
        if self._in_transaction:
            raise IllegalStateError("a transaction is under way")
        self._in_transaction = True

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(self._cluster.partitions))

    def create_batch(self) -> Batch:
        return Batch(self._size_max)

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        sent: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._wire.cross()
        try:
            first = self._cluster.append(self._id, self._epoch, (topic, partition), batch.records)
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits for the batch
            sent.set_exception(error)
            sent.exception()  # aiokafka does not complain either where nobody looks
        else:
            sent.set_result(SimpleNamespace(offset=first))
        return sent

    async def send(
        self, topic: str, value: bytes | None, *, key: bytes | None, partition: int, headers: Headers = ()
    ) -> None:
        await self._wire.cross()
        self._cluster.append(self._id, self._epoch, (topic, partition), [(key, value, headers)])

    async def commit_transaction(self) -> None:
        await self._wire.cross()
        try:
            self._cluster.end(self._id, self._epoch, "committed")
        except Exception as error:
            raise ProducerFenced from error
        self._in_transaction = False


class Consumer:
    """AIOKafkaConsumer, assigned one partition by hand: the reader of a changelog."""

    wires: Mapping[str, Wire] = {}

    def __init__(
        self, *, bootstrap_servers: Sequence[str], isolation_level: str = "read_uncommitted", **_: Any
    ) -> None:
        self._wire = self.wires[bootstrap_servers[0].partition(":")[0]]
        self._committed = isolation_level == "read_committed"
        self._fetcher = SimpleNamespace(_isolation_level=int(self._committed))
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        await self._wire.cross()

    async def stop(self) -> None:
        """Nothing is sent."""

    def assign(self, tps: Sequence[TopicPartition]) -> None:
        """Nothing to be done before a seek."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    async def getmany(
        self, tp: TopicPartition, *, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Entry]]:
        await self._wire.cross()
        log = self._wire.cluster.logs[tp]
        start = self._positions[tp]
        if start < log.first:
            raise OffsetOutOfRangeError({tp: start})
        found, self._positions[tp] = log.read(start, max_records, committed=self._committed)
        if not found:
            await asyncio.sleep(0.01)
        return {tp: found} if found else {}

    async def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        await self._wire.cross()
        return {tp: self._wire.cluster.logs[tp].first for tp in tps}

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        await self._wire.cross()
        logs = self._wire.cluster.logs
        return {tp: logs[tp].stable if self._fetcher._isolation_level else logs[tp].end for tp in tps}


class Fetcher:
    """What the consumer's thread uses of a group's consumer, its fetcher, coordinator, assignment."""

    def __init__(self, wire: Wire, group: str, assigned: Sequence[TopicPartition], records_max: int) -> None:
        self._wire = wire
        self._group = group
        self._records_max = records_max
        self._states = {tp: SimpleNamespace(position=-1, has_valid_position=False) for tp in assigned}
        self.slow: set[str] = set()  # topics of which no fetch is answered
        self.times: Any = None  # the thread's FetchTimes
        self._fetcher = self._subscriptions = self.subscription = self.assignment = self._coordinator = self

    @contextlib.contextmanager
    def fetch_context(self) -> Iterator[None]:
        yield

    def state_value(self, tp: TopicPartition) -> Any:
        return self._states.get(tp)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        if tp not in self._states:
            raise IllegalStateError(f"{tp} is not assigned")
        self._states[tp].position, self._states[tp].has_valid_position = offset, True

    async def fetched_records(
        self,
        active: set[TopicPartition],
        *,
        timeout: float,  # noqa: ASYNC109 - aiokafka's
        max_records: int,
    ) -> dict[TopicPartition, list[Entry]]:
        await self._wire.cross()
        found = {}
        for tp in sorted(active):
            state, log = self._states[tp], self._wire.cluster.logs[tp]
            if not state.has_valid_position or tp.topic in self.slow:
                continue
            if not log.first <= state.position <= log.end:
                raise OffsetOutOfRangeError({tp: state.position})
            asked, sent_ms = state.position, self._wire.cluster.now_ms
            records, state.position = log.read(asked, self._records_max, committed=True)
            request = SimpleNamespace(topics=[(tp.topic, [(tp.partition, asked, 0)])])
            response = SimpleNamespace(topics=[(tp.topic, [(tp.partition, 0, log.end, log.stable)])])
            self.times.answered(request, response, sent_ms)
            if records:
                found[tp] = records
        return found

    async def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        await self._wire.cross()
        return {tp: self._wire.cluster.logs[tp].first for tp in tps}

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        await self._wire.cross()
        return {tp: self._wire.cluster.logs[tp].stable for tp in tps}

    async def fetch_committed_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, Any]:
        await self._wire.cross()
        known = self._wire.cluster.offsets
        found = {tp: known.get((self._group, *tp)) for tp in tps}
        return {tp: SimpleNamespace(offset=offset) for tp, offset in found.items() if offset is not None}
