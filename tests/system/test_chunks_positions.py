"""Where a partition goes on: where its state says, or nowhere."""

from __future__ import annotations

import shutil
import time
from typing import Any

import confluent_kafka.admin
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from processor.store import Changes, open_rocks
from processor.store.changelog import encode_mark, mark_of, stamp
from tests.system.chunks import Application
from tests.system.counting import Row, encode_row

kafka_admin: Any = confluent_kafka.admin  # its stubs do not say that it exports what settings need


def admin_of(app: Application) -> AdminClient:
    return AdminClient({"bootstrap.servers": app.broker})


def delete_below(app: Application, topic: str, offset: int) -> None:
    admin = admin_of(app)
    # Kafka deletes no records of a topic that is only compacted.
    entry = kafka_admin.ConfigEntry(
        "cleanup.policy", "delete", incremental_operation=kafka_admin.AlterConfigOpType.SET
    )
    resource = kafka_admin.ConfigResource(
        kafka_admin.ConfigResource.Type.TOPIC, topic, incremental_configs=[entry]
    )
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(20)
    wanted = [TopicPartition(topic, number, offset) for number in range(app.partitions)]
    for future in admin.delete_records(wanted).values():
        future.result(20)


def commit_offsets(app: Application, offset: int) -> None:
    """Set the group's offsets of the first source topic, as an operator's tool would."""
    consumer = Consumer({"bootstrap.servers": app.broker, "group.id": app.name})
    wanted = [TopicPartition(app.sources[0], number, offset) for number in range(app.partitions)]
    consumer.commit(offsets=wanted, asynchronous=False)
    consumer.close()


def test_the_groups_offsets_are_not_believed(chunk_application):
    app: Application = chunk_application()
    app.publish(20_000)
    worker = app.worker()
    app.wait_processed(app.sent)
    worker.kill()
    deadline = time.monotonic() + 20
    while app.members() and time.monotonic() < deadline:
        time.sleep(0.3)
    commit_offsets(app, 100)  # far behind
    second = app.worker()
    app.publish(10_000, seed=1)
    app.wait_processed(app.sent)
    second.kill()
    while app.members() and time.monotonic() < deadline + 20:
        time.sleep(0.3)
    commit_offsets(app, 15_500)  # ahead of what was processed, had there been more
    third = app.worker()
    app.publish(10_000, seed=2)
    app.wait_processed(app.sent)
    assert third.stop() == 0
    app.assert_right(40_000)


def test_a_position_that_retention_took_stops_the_partition(chunk_application):
    app: Application = chunk_application()
    app.publish(20_000)
    worker = app.worker()
    app.wait_processed(app.sent)
    assert worker.stop() == 0
    app.publish(20_000, seed=1)
    delete_below(app, app.sources[0], 15_000)
    again = app.worker()
    again.wait_for("is stopped", times=app.partitions)
    again.wait_for("outside of the log")
    time.sleep(2)
    assert app.processed() == 20_000  # nothing was skipped in silence
    assert again.stop() == 0


def test_a_position_that_retention_takes_meanwhile_stops_the_partition(chunk_application):
    app: Application = chunk_application()
    app.publish(40_000)
    # So little may be held that the position is far behind the log's end when the records go.
    worker = app.worker(
        chunk_records_max=20, prefetch_records_max=40, fetch_records_max=40, fetch_bytes_max=4_096
    )
    worker.wait_for("is ready", times=app.partitions)
    delete_below(app, app.sources[0], 19_500)
    worker.wait_for("is stopped", times=app.partitions)
    worker.wait_for("does not have the position any more")
    assert app.processed() < 39_000
    assert worker.stop() == 0


def test_a_changelog_that_is_gone_stops_the_partition(chunk_application):
    app: Application = chunk_application()
    app.publish(10_000)
    worker = app.worker()
    app.wait_processed(app.sent)
    assert worker.stop() == 0
    admin = admin_of(app)
    for future in admin.delete_topics([app.changelog], operation_timeout=20).values():
        future.result()
    shutil.rmtree(app.folder / "w0")
    time.sleep(1)
    again = app.worker()
    again.wait_for("the changelog holds no position", times=app.partitions)
    time.sleep(1)
    assert app.processed() == 0
    assert again.stop() == 0


@pytest.mark.parametrize("case", ["behind", "ahead", "old"])
def test_local_state_that_cannot_be_proved_is_restored_whole(chunk_application, case: str):
    app: Application = chunk_application(partitions=1)
    app.publish(20_000)
    worker = app.worker()
    app.wait_processed(app.sent)
    assert worker.stop() == 0
    store = open_rocks(app.folder / "w0" / "partition-0", partitions=1)
    mark = mark_of(store)
    assert mark is not None
    now_ms = time.time_ns() // 1_000_000
    if case == "behind":
        stamp(store, 5, now_ms)
    elif case == "ahead":
        stamp(store, mark[0] + 1_000, now_ms)
    else:
        stamp(store, mark[0], now_ms - 25 * 3_600_000)
    ghost = Changes({"ghost": encode_row(Row())})  # the changelog does not know it
    kept = mark_of(store)
    assert kept is not None
    position = store.position()
    assert position is not None
    store.commit({0: ghost}, position, encode_mark(*kept))
    store.close()
    if case == "behind":
        delete_below(app, app.changelog, 10)
    app.publish(5_000, seed=1)
    again = app.worker()
    again.wait_for("restored whole")
    app.wait_processed(app.sent)
    assert again.stop() == 0
    store = open_rocks(app.folder / "w0" / "partition-0", partitions=1)
    assert store.partition(0).get_many(["ghost"]) == [None]
    store.close()


def test_local_state_equals_the_changelog(chunk_application):
    app: Application = chunk_application()
    app.publish(30_000)
    worker = app.worker(timer_ms=200)
    app.wait_processed(app.sent)
    worker.kill()
    again = app.worker(timer_ms=200)
    app.publish(10_000, seed=1)
    app.wait_processed(app.sent)
    time.sleep(5)
    assert again.stop() == 0
    logged: dict[bytes, bytes | None] = {}
    for message in app.read(app.changelog):
        logged[(message.key() or b"") + b"@%d" % (message.partition() or 0)] = message.value()
    for number in range(app.partitions):
        store = open_rocks(app.folder / "w0" / f"partition-{number}", partitions=app.partitions)
        part = store.partition(number)
        for name in part.contacts("", 100_000):
            assert part.get_many([name]) == [logged.pop(b"r" + name.encode() + b"@%d" % number)]
        assert part.shared() == logged.pop(b"s@%d" % number)
        assert store.position() == logged.pop(b"p@%d" % number)
        store.close()
    assert logged == {}


def test_a_source_that_is_made_later_is_read(chunk_application):
    """Also after a restart, which gets the assignment back that was made without it."""
    app: Application = chunk_application()
    app.publish(5_000)
    late = f"{app.name}-late"
    sources = [app.sources[0], late]
    worker = app.worker(sources=sources)
    worker.wait_for("asking the group again")
    worker.kill()
    again = app.worker(sources=sources)
    again.wait_for("asking the group again")
    admin = admin_of(app)
    for future in admin.create_topics([NewTopic(late, app.partitions, 1)]).values():
        future.result(20)
    app.wait_processed(app.sent)
    assert again.stop() == 0
    app.assert_right(5_000)
