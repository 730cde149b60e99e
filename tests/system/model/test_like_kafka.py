"""The log in memory answers as a real broker does: one script of transactions for both, read alike."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiokafka
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from tests.system.model.clients import Consumer, Producer, Wire
from tests.system.model.log import Cluster

SETTLED_S = 10.0


class Scripted:
    """Producers and readers of one kind, over one partition."""

    def __init__(self, producer: Any, consumer: Any, broker: str, topic: str) -> None:
        self.make, self.reader, self.broker = producer, consumer, broker
        self.tp = TopicPartition(topic, 0)
        self.made: list[Any] = []

    async def producer(self, name: str) -> Any:
        found = self.make(
            bootstrap_servers=[self.broker], transactional_id=f"{self.tp.topic}-{name}", max_batch_size=10_000
        )
        await found.start()
        self.made.append(found)
        return found

    async def send(self, producer: Any, *values: bytes) -> int:
        batch = producer.create_batch()
        for value in values:
            assert batch.append(key=value, value=value, timestamp=None, headers=[]) is not None
        sent = await producer.send_batch(batch, self.tp.topic, partition=0)
        return int((await sent).offset)

    async def seen(self, level: str) -> tuple[list[bytes], int, int, int]:
        """What a reader is given from the beginning, its position behind, and the ends."""
        reader = self.reader(
            bootstrap_servers=[self.broker],
            group_id=None,
            enable_auto_commit=False,
            isolation_level=level,
            fetch_max_wait_ms=100,
        )
        await reader.start()
        reader.assign([self.tp])
        first = (await reader.beginning_offsets([self.tp]))[self.tp]
        end = (await reader.end_offsets([self.tp]))[self.tp]
        reader.seek(self.tp, first)
        values: list[bytes] = []
        while await reader.position(self.tp) < end:
            found = await reader.getmany(self.tp, timeout_ms=200, max_records=500)
            values += [record.value for record in found.get(self.tp, [])]
        position = await reader.position(self.tp)
        await reader.stop()
        return values, first, end, position


async def played(kind: Scripted, expected: list[Any] | None = None) -> list[Any]:
    """Play the script; everything that can be seen, in order.

    A broker answers a commit when it is decided, and writes the markers after that. So what is seen may take
    a while to be what is `expected`; the next InitProducerId or transaction of the same id waits for it too.
    """
    seen: list[Any] = []

    async def look(what: str) -> None:
        for level in ("read_committed", "read_uncommitted"):
            found = (what, level, await kind.seen(level))
            deadline = time.monotonic() + SETTLED_S
            while expected and found != expected[len(seen)] and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
                found = (what, level, await kind.seen(level))
            seen.append(found)

    one, two = await kind.producer("one"), await kind.producer("two")
    await one.begin_transaction()
    seen.append(await kind.send(one, b"a", b"b"))
    await look("one is open")
    await two.begin_transaction()
    seen.append(await kind.send(two, b"c"))
    await two.commit_transaction()
    await look("two has committed behind it")
    again = await kind.producer("one")
    await look("one is fenced, and aborted")
    for work in (kind.send(one, b"never"), one.commit_transaction()):
        with pytest.raises((ProducerFenced, InvalidProducerEpoch)):
            await work
    await again.begin_transaction()
    seen.append(await kind.send(again, b"d"))
    await again.commit_transaction()
    await look("the successor has committed")
    await again.begin_transaction()
    await again.commit_transaction()
    await look("nothing was in it")
    await again.begin_transaction()
    seen.append(await kind.send(again, b"e"))
    with pytest.raises((KafkaError, AssertionError)):
        await again.begin_transaction()
    await kind.producer("one")
    await look("the last was aborted")
    return seen


async def test_one_script_two_logs(kafka: Any, fresh_topic: Any) -> None:
    topic = fresh_topic("like")
    cluster = Cluster(1, [topic])
    wires = {"wires": {"m": Wire(cluster)}}
    modelled = Scripted(type("P", (Producer,), wires), type("C", (Consumer,), wires), "m:1", topic)
    real = Scripted(aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer, kafka.address, topic)
    expected = await played(modelled)
    try:
        assert await played(real, expected) == expected
    finally:
        for producer in real.made:
            producer._closed = True
            if (task := producer._sender.sender_task) is not None:
                task.cancel()
            await producer.client.close()
