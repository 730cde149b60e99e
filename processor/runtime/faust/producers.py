"""One transactional producer for each partition: it fences earlier owners, and fails loudly.

Started before recovery looks at the changelog's end: InitProducerId makes the broker complete or abort what
an earlier owner of the partition left open, and refuse whatever it still sends. Only after that does the
changelog have an end that stays.

Faults designed around, of Faust 0.15.3:

- A failed produce is silent: its futures are dropped. Here every batch's future is awaited before the commit.
- ``producer.send`` costs 23 microseconds a record. Here records are packed into batches by
  ``create_batch``/``send_batch``, 3 microseconds a record.
- Its own transactions (``exactly_once``) leave commands outside of them.

And of aiokafka 0.14.0: :meth:`stop` flushes what is pending, which must not happen after an error and can
wait for ever for a broker that is down; see :meth:`PartitionProducer.discard`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, InvalidProducerIdMapping, ProducerFenced

from processor.codec.murmur2 import murmur2
from processor.runtime.faust.engine import Output
from processor.runtime.faust.errors import FencedError
from processor.runtime.faust.settings import WorkerSettings

__all__ = ["PartitionProducer", "packed"]

_FENCED: Final = (ProducerFenced, InvalidProducerEpoch, InvalidProducerIdMapping)
_CANCEL_S: Final = 0.2
_CANCELS_MAX: Final = 20

_Item = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]


class PartitionProducer:
    """The producer of one partition number: start, then any number of transactions, then discard.

    Its methods raise :class:`FencedError` when another owner has started, KafkaError and TimeoutError
    otherwise; after any of them it is of no more use than to be discarded.
    """

    def __init__(self, settings: WorkerSettings, partition: int) -> None:
        self._settings = settings
        self._partition = partition
        self._producer: AIOKafkaProducer | None = None
        self._sent: list[tuple[Any, int]] = []  # batches of the transaction under way: future, records

    async def start(self) -> None:
        """Connect and fence: when this returns, no earlier owner can commit any more."""
        assert self._producer is None
        settings = self._settings
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.brokers,
            **settings.login,
            client_id=f"{settings.app}-{settings.name}-{self._partition}",
            transactional_id=settings.transactional_id(self._partition),
            transaction_timeout_ms=int(settings.transaction_timeout_s * 1000),
            request_timeout_ms=int(min(settings.request_timeout_s, settings.commit_timeout_s) * 1000),
            max_batch_size=settings.batch_bytes_max,
            linger_ms=0,
            retry_backoff_ms=settings.retry_backoff_ms,
        )
        with _explained():
            async with asyncio.timeout(settings.commit_timeout_s):
                await self._producer.start()

    async def begin(self) -> None:
        """Begin a transaction."""
        self._sent = []
        with _explained():
            await self._open().begin_transaction()

    async def produce(self, outputs: Iterable[Output]) -> None:
        """Hand records over to be sent; :meth:`changelog` waits until the broker has every one of them.

        So they travel in one request with the changelog's rows.
        """
        by_target: dict[tuple[str, int], list[_Item]] = {}
        counts: dict[str, int] = {}
        for output in outputs:
            partition = output.partition
            if partition is None:
                count = counts.get(output.topic)
                if count is None:
                    count = counts[output.topic] = len(await self._open().partitions_for(output.topic))
                partition = (murmur2(output.key or b"") & 0x7FFFFFFF) % count
            item = (output.key, output.value, output.headers)
            by_target.setdefault((output.topic, partition), []).append(item)
        with _explained():
            for (topic, partition), items in by_target.items():
                self._sent += await self._send(topic, partition, items)

    async def changelog(self, items: Sequence[tuple[bytes, bytes | None]]) -> int | None:
        """Append to the partition's changelog, and wait until the broker has all of the transaction.

        Returns:
            the offset behind the last record, from which a restore has to go on; None where the broker
            acknowledged a batch as a duplicate without saying where it lies.
        """
        topic = self._settings.changelog
        with _explained():
            self._sent += await self._send(topic, self._partition, [(key, value, ()) for key, value in items])
            results = await _all_of(self._sent)
        last, count = results[-1]
        return last + count if last >= 0 else None

    async def commit(self) -> None:
        """Commit the transaction."""
        with _explained():
            await self._open().commit_transaction()

    async def discard(self) -> None:
        """Let go of the producer, whatever state it is in, without sending anything more.

        aiokafka's own ``stop`` flushes first, and then waits for tasks that retry until the broker answers.
        What is still under way here belongs to a transaction that the next start aborts, or to none.
        """
        producer, self._producer = self._producer, None
        if producer is None:
            return
        producer._closed = True  # noqa: SLF001 - else its finaliser complains
        task = producer._sender.sender_task  # noqa: SLF001
        for _ in range(_CANCELS_MAX):
            if task is None or task.done():
                break
            task.cancel()  # the first ends the loop, each further one the request that it waits for
            await asyncio.wait({task}, timeout=_CANCEL_S)
        if task is not None and task.done() and not task.cancelled():
            task.exception()
        _retrieved(producer, [future for future, _ in self._sent])
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.client.close(), timeout=_CANCELS_MAX * _CANCEL_S)

    async def _send(self, topic: str, partition: int, items: Sequence[_Item]) -> list[tuple[Any, int]]:
        producer = self._open()
        sent = []
        for batch in packed(producer, items):
            future = await producer.send_batch(batch, topic, partition=partition)
            sent.append((future, batch.record_count()))
        return sent

    def _open(self) -> AIOKafkaProducer:
        assert self._producer is not None, "the producer was not started"
        return self._producer


def packed(producer: AIOKafkaProducer, items: Sequence[_Item]) -> Iterable[Any]:
    """Pack records into as few batches as hold them; a batch takes its first record whatever its size."""
    batch, empty = producer.create_batch(), True
    for key, value, headers in items:
        if batch.append(key=key, value=value, timestamp=None, headers=list(headers)) is None:
            yield batch
            batch = producer.create_batch()
            added = batch.append(key=key, value=value, timestamp=None, headers=list(headers))
            assert added is not None, "an empty batch takes any record"
        empty = False
    if not empty:
        yield batch


async def _all_of(sent: Sequence[tuple[Any, int]]) -> list[tuple[int, int]]:
    """Wait for every batch; the first error is raised, and no other is left unseen."""
    results: list[Any] = await asyncio.gather(*(future for future, _ in sent), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [(result.offset, count) for result, (_, count) in zip(results, sent, strict=True)]


def _retrieved(producer: AIOKafkaProducer, sent: Sequence[Any]) -> None:
    """Look at the errors of futures that nobody will wait for any more."""
    waiters = [producer._txn_manager._transaction_waiter, *sent]  # noqa: SLF001
    for batches in producer._message_accumulator._batches.values():  # noqa: SLF001
        waiters += [batch.future for batch in batches]
    for waiter in waiters:
        if waiter is not None and waiter.done() and not waiter.cancelled():
            waiter.exception()


@contextlib.contextmanager
def _explained() -> Any:
    """Turn the ways in which aiokafka says that another owner has started into one."""
    try:
        yield
    except _FENCED as error:
        raise FencedError("another worker owns this partition, or its transaction timed out") from error
