"""A producer of a partition on a real broker: it fences, keeps order, fails loudly, can be let go of."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from processor.codec.murmur2 import partition_of
from processor.runtime.faust import Output, WorkerSettings
from processor.runtime.faust.errors import FencedError
from processor.runtime.faust.producers import PartitionProducer
from tests.system.chunks import Application


def made(app: Application, tmp_path: Path, **options) -> WorkerSettings:
    """Settings of a worker of the application, and the changelog topic that it would have made."""
    settings = WorkerSettings(
        app=app.name,
        broker=app.broker,
        sources=tuple(app.sources),
        partitions=app.partitions,
        state=tmp_path / "state",
        name="w0",
        **{"commit_timeout_s": 8.0, "transaction_timeout_s": 12.0, **options},
    )
    admin = AdminClient({"bootstrap.servers": app.broker})
    for future in admin.create_topics([NewTopic(settings.changelog, app.partitions, 1)]).values():
        future.result(20)
    return settings


async def test_a_later_owner_fences_an_earlier_one(chunk_application, tmp_path: Path):
    app: Application = chunk_application()
    settings = made(app, tmp_path)
    first, second, third = (PartitionProducer(settings, number) for number in (0, 0, 1))
    await first.start()
    await third.start()
    await first.begin()
    await first.produce([Output(f"{app.name}-commands", 0, b"k", b"of the first")])
    await second.start()
    with pytest.raises(FencedError):
        await changelog_and_commit(first, app)
    await second.begin()
    await second.produce([Output(f"{app.name}-commands", 0, b"k", b"of the second")])
    assert await second.changelog([(b"p", b"1"), (b"s", b"2")]) in {2, 4}  # behind both, and what was aborted
    await second.commit()
    await third.begin()  # another partition's producer has nothing to do with it
    await third.changelog([(b"p", b"1")])
    await third.commit()
    for producer in (first, second, third):
        await producer.discard()
    assert [m.value() for m in app.read(f"{app.name}-commands")] == [b"of the second"]


async def produce_and_wait(producer: PartitionProducer, outputs: list[Output]) -> None:
    await producer.produce(outputs)
    await producer.changelog([(b"p", b"1")])


async def changelog_and_commit(producer: PartitionProducer, app: Application) -> None:
    await producer.changelog([(b"p", b"1")])
    await producer.commit()


async def test_many_records_keep_their_order_and_find_their_partitions(chunk_application, tmp_path: Path):
    app: Application = chunk_application()
    producer = PartitionProducer(made(app, tmp_path, batch_bytes_max=10_000), 0)
    await producer.start()
    await producer.begin()
    names = [f"c{number}" for number in range(3_000)]
    outputs = [Output(f"{app.name}-commands", None, n.encode(), n.encode(), [("n", b"1")]) for n in names]
    await producer.produce(outputs)
    assert await producer.changelog([(b"r" + n.encode(), n.encode()) for n in names]) == len(names)
    await producer.commit()
    await producer.discard()
    found: dict[int, list[str]] = {0: [], 1: []}
    for message in app.read(f"{app.name}-commands"):
        assert message.headers() == [("n", b"1")]
        found[message.partition() or 0].append((message.value() or b"").decode())
    assert found == {p: [n for n in names if partition_of(n, 2) == p] for p in (0, 1)}
    assert [m.value() for m in app.read(app.changelog)] == [n.encode() for n in names]


@pytest.mark.parametrize("what", ["too large", "no such partition"])
async def test_what_cannot_be_produced_is_said(chunk_application, tmp_path: Path, what: str):
    app: Application = chunk_application()
    producer = PartitionProducer(made(app, tmp_path), 0)
    await producer.start()
    await producer.begin()
    size, partition = (2_000_000, 0) if what == "too large" else (1, 77)
    good = Output(f"{app.name}-commands", 0, b"k", b"good")
    bad = Output(f"{app.name}-commands", partition, b"k", bytes(size))
    with pytest.raises((KafkaError, AssertionError)):
        await produce_and_wait(producer, [good, bad])
    await producer.discard()
    again = PartitionProducer(made_again(app, tmp_path), 0)
    await again.start()  # settles what the first left open
    await again.discard()
    assert list(app.read(f"{app.name}-commands")) == []


def made_again(app: Application, tmp_path: Path) -> WorkerSettings:
    return WorkerSettings(
        app=app.name,
        broker=app.broker,
        sources=tuple(app.sources),
        partitions=app.partitions,
        state=tmp_path / "state",
        name="w0",
    )


async def test_a_producer_can_be_let_go_of_without_its_broker(chunk_application, own_kafka, tmp_path: Path):
    app: Application = chunk_application(own_kafka.address)
    settings = made(app, tmp_path, commit_timeout_s=3.0)
    producer = PartitionProducer(settings, 0)
    await producer.start()
    await producer.begin()
    own_kafka.kill()
    with pytest.raises((KafkaError, TimeoutError)):
        async with asyncio.timeout(1):
            await producer.changelog([(b"p", b"1")])
    begun = time.monotonic()
    await producer.discard()
    await producer.discard()
    late = PartitionProducer(settings, 0)
    with pytest.raises((KafkaError, TimeoutError)):
        await late.start()
    await late.discard()
    assert time.monotonic() - begun < 12
