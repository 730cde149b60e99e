"""Events are published where a worker looks for them; what was committed is what is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from processor.codec.murmur2 import partition_of
from processor.codec.outputs import command_line
from processor.codec.records import Clock, Encoder
from processor.codec.registry import FileSchemas
from processor.core.outputs import Command, Decision
from processor.runtime.kafka.errors import KafkaDown
from processor.runtime.kafka.publish import Sender, publish
from processor.runtime.kafka.topics import create, plan
from tests.system.shop import Shop, event_lines

AT_MS = 1_772_357_400_000
FILES = FileSchemas()


@pytest.fixture
def shop(kafka, fresh_name, tmp_path):
    made = Shop(tmp_path / "shop", fresh_name("wire"), kafka.address)
    create(made.settings, plan(made.topology))
    yield made
    made.close()


def command(number: int, channel: str = "push") -> Command:
    return Command(
        f"k{number}",
        channel,
        "message",
        f"c-{number}",
        "p",
        1,
        "n",
        "s",
        "",
        "t",
        {},
        "service",
        AT_MS,
        AT_MS,
        0,
    )


def raw_records(shop, topic, partitions=3):
    """Every record of a topic as (partition, key, value, timestamp)."""
    consumer = Consumer(
        {
            "bootstrap.servers": shop.settings.broker,
            "group.id": "raw",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list[Any] = []
    ended = 0
    end = time.monotonic() + 60
    while ended < partitions and time.monotonic() < end:
        for one in consumer.consume(1000, 0.2):
            ended += one.error() is not None
            found += [one] * (one.error() is None)
    consumer.close()
    return [(one.partition(), one.key(), one.value(), one.timestamp()) for one in found]


@pytest.mark.parametrize("form", ["avro", "json"])
def test_events_are_published_where_their_contacts_are(shop, form):
    lines = event_lines(3000)
    (shop.folder.parent / "events.jsonl").write_bytes(lines)
    done = shop.cli("publish", "events.jsonl", "--format", form, "-o", "json")
    assert done.code == 0, done.err
    assert (done.json["records"], done.json["published"], done.json["refused"]) == (3000, 3000, {})
    topic = shop.names.events[0]
    for partition, key, value, (kind, _) in raw_records(shop, topic):
        assert partition == partition_of(key.decode(), 3)
        assert value.startswith(b"{" if form == "json" else FILES.head(topic, "event"))
        assert kind == 2, "the broker's own time"
    read = shop.cli("tail", "events", "--from-beginning")
    assert read.code == 0, read.err
    found = sorted(read.lines, key=lambda line: int(line["event_id"][2:]))
    assert all(line.pop("appended_at") for line in found)
    assert found == [json.loads(line) for line in lines.splitlines()]
    # In the order of the file within a contact.
    numbers = [int(line["event_id"][2:]) for line in read.lines if line["contact_id"] == "c-7"]
    assert numbers == sorted(numbers)


def test_what_is_no_event_is_told_and_not_published(shop):
    bad = (
        b'{"contact_id":"secret@example.com"}\n{\n'
        b'{"contact_id":"c","type":"nope","occurred_at":"2026-03-01T09:30:00Z"}\n'
    )
    done = shop.cli("publish", "-", "--refused", "refused.jsonl", "-o", "json", stdin=event_lines(2) + bad)
    assert done.code == 1
    assert done.json["published"] == 2
    assert done.json["refused"] == {"no_type": 1, "not_json": 1, "unknown_event_type": 1}
    letters = [json.loads(line) for line in (shop.folder.parent / "refused.jsonl").read_text().splitlines()]
    assert [(one["line"], one["reason"]) for one in letters] == [
        (3, "no_type"),
        (4, "not_json"),
        (5, "unknown_event_type"),
    ]
    assert letters[0]["file"] == "standard input"
    assert all("secret" not in one["message"] for one in letters)
    assert len(shop.cli("tail", "events").lines) == 2


def test_times_of_events_are_kept_only_where_the_topic_keeps_them(shop):
    refused = shop.cli("publish", "-", "--occurred", stdin=event_lines(1))
    assert refused.code == 1
    assert "LogAppendTime" in refused.err
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, shop.names.events[0], incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": shop.settings.broker})
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result()
    assert shop.cli("publish", "-", "--occurred", stdin=event_lines(1)).code == 0
    assert raw_records(shop, shop.names.events[0])[0][3] == (1, 1_772_323_200_000)


def test_a_topic_that_is_not_there_or_not_alike(shop):
    done = shop.cli("publish", "-", "--topic", "elsewhere", stdin=event_lines(1))
    assert (done.code, "is no event topic" in done.err) == (2, True)
    text = (shop.folder / "topology.yaml").read_text(encoding="utf-8")
    for change, said in (
        (("partitions: 3", "partitions: 4"), "has 3 partitions"),
        (("prefix: ", "prefix: x"), "no topic"),
    ):
        (shop.folder / "topology.yaml").write_text(text.replace(*change), encoding="utf-8")
        done = shop.cli("publish", "-", stdin=event_lines(1))
        assert (done.code, said in done.err) == (1, True), done.err


def test_a_broker_that_goes_away_ends_with_3(own_kafka, tmp_path):
    shop = Shop(tmp_path / "shop", "gone", own_kafka.address)
    create(shop.settings, plan(shop.topology))
    own_kafka.kill()
    done = shop.cli("publish", "-", stdin=event_lines(1), TRAYECTO_TIMEOUT_S="3")
    assert done.code == 3
    assert "does not answer" in done.err


def test_more_than_a_producer_holds_is_published(shop, monkeypatch):
    """A file is read no faster than the broker takes it."""
    monkeypatch.setattr("processor.runtime.kafka.publish._QUEUE_MESSAGES", 7)
    (shop.folder.parent / "events.jsonl").write_bytes(event_lines(2000))
    done = publish(shop.settings, shop.topology, [str(shop.folder.parent / "events.jsonl")])
    assert done.published == 2000
    assert len(raw_records(shop, shop.names.events[0])) == 2000


def test_records_that_do_not_arrive_are_told(own_kafka, tmp_path):
    shop = Shop(tmp_path / "shop", "lost", own_kafka.address)
    create(shop.settings, plan(shop.topology))
    topic = shop.names.events[0]
    settings = msgspec.structs.replace(shop.settings, timeout_s=2.0)

    def send_into_the_void() -> None:
        with Sender(settings) as sender:
            sender.send(topic, b"c", b"{}", 0)
            sender.finish()
            own_kafka.kill()
            sender.send(topic, b"c", b"{}", 0)

    with pytest.raises(KafkaDown, match="did not take all records"):
        send_into_the_void()


def test_only_what_was_committed_is_read(shop):
    topic = shop.names.commands["push"]
    encode = Encoder("command", FILES.head(topic, "command")).encode
    shop.produce(topic, *[(n % 3, b"c-%d" % n, encode(command(n))) for n in range(6)])
    shop.produce(topic, (0, b"c", encode(command(99))), commit=False)
    email = shop.names.commands["email"]
    shop.produce(email, (1, b"c-7", Encoder("command", b"").encode(command(7, "email"))))
    pushed = shop.cli("tail", "commands", "--channel", "push", "--from-beginning")
    assert pushed.code == 0, pushed.err
    assert sorted(pushed.out.splitlines()) == [command_line(command(n)).decode() for n in range(6)]
    every = shop.cli("tail", "commands", "--limit", "100")
    assert [one["command_id"] for one in every.lines][-1] == "k7"
    assert len(every.lines) == 7


def test_the_last_ones_are_found_behind_marks_and_aborted_ones(shop):
    topic = shop.names.decisions
    encode = Encoder("decision", FILES.head(topic, "decision")).encode
    for number in range(4):
        shop.produce(topic, (0, b"c", encode(Decision("entered", "c", AT_MS + number * 1000))))
    shop.produce(topic, *[(0, b"c", encode(Decision("aborted", "c", AT_MS)))] * 200, commit=False)
    found = shop.cli("tail", "decisions", "-n", "3")
    assert [one["decided_at"] for one in found.lines] == [f"2026-03-01T09:30:0{n}Z" for n in (1, 2, 3)]


def test_what_cannot_be_read_is_told(shop):
    topic = shop.names.decisions
    encode = Encoder("decision", FILES.head(topic, "decision")).encode
    shop.produce(
        topic,
        (1, b"c", encode(Decision("goal", "c", AT_MS))),
        (1, b"k", b"\xc3\x01xxxxxxxx"),
        (1, b"k", None),
    )
    found = shop.cli("tail", "decisions")
    assert found.code == 1
    assert [one["kind"] for one in found.lines] == ["goal"]
    assert f"{topic} 1:1: unknown_schema" in found.err
    assert f"{topic} 1:2: tombstone" in found.err
    placed = shop.cli("tail", "decisions", "--with-position").lines
    assert [(one["partition"], one["offset"], one["key"]) for one in placed] == [
        (1, 0, "c"),
        (1, 1, "k"),
        (1, 2, "k"),
    ]
    assert placed[0]["record"]["kind"] == "goal"
    assert placed[1]["unreadable"] == "unknown_schema"


def test_the_clock_is_read(shop):
    topic = shop.names.clock
    clock = Clock({shop.names.events[0]: 7}, AT_MS, AT_MS, "c-1", 3, "c-0")
    shop.produce(topic, (2, None, Encoder("clock", FILES.head(topic, "clock")).encode(clock)))
    (found,) = shop.cli("tail", "clock").lines
    assert found["positions"] == {shop.names.events[0]: 7}
    assert found["watermark"] == "2026-03-01T09:30:00Z"


def test_following_shows_what_comes(shop):
    topic = shop.names.decisions
    encode = Encoder("decision", FILES.head(topic, "decision")).encode
    shop.produce(topic, (0, b"c", encode(Decision("old", "c", AT_MS))))
    command = [
        sys.executable,
        "-c",
        "from processor.cli import main; main()",
        "tail",
        "decisions",
        "--follow",
    ]
    command += ["--limit", "2", "--broker", shop.settings.broker, "--topology", str(shop.folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stop = threading.Event()

    def write() -> None:  # until it was seen: when the reader begins is not known
        number = 0
        while not stop.is_set():
            shop.produce(topic, (number % 3, b"c", encode(Decision(f"new{number}", "c", AT_MS))))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        out, err = process.communicate(timeout=60)
    finally:
        stop.set()
        writer.join()
        process.kill()
    assert process.returncode == 0, err
    kinds = [json.loads(line)["kind"] for line in out.splitlines()]
    assert len(kinds) == 2
    assert all(kind.startswith("new") for kind in kinds)


def test_following_outlasts_silence_but_not_its_broker(own_kafka, tmp_path):
    shop = Shop(tmp_path / "shop", "follow", own_kafka.address)
    create(shop.settings, plan(shop.topology))
    topic = shop.names.decisions
    encode = Encoder("decision", FILES.head(topic, "decision")).encode
    command = [
        sys.executable,
        "-c",
        "from processor.cli import main; main()",
        "tail",
        "decisions",
        "--follow",
    ]
    command += ["--from-beginning", "--broker", own_kafka.address, "--topology", str(shop.folder)]
    environment = {**os.environ, "TRAYECTO_TIMEOUT_S": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        for kind in ("first", "second"):
            shop.produce(topic, (0, b"c", encode(Decision(kind, "c", AT_MS))))
            assert json.loads(process.stdout.readline())["kind"] == kind
            with pytest.raises(subprocess.TimeoutExpired):  # three times the silence that it asks about
                process.wait(3)
        own_kafka.kill()
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 3
    assert b"does not answer" in err
