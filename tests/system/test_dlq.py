"""Dead letters on a broker: counted, shown, and replayed once."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from processor.codec.murmur2 import partition_of
from processor.codec.outputs import DeadLetter
from processor.codec.records import Encoder
from processor.codec.registry import FileSchemas
from processor.runtime.kafka.deadletters import letters, replay
from processor.runtime.kafka.errors import KafkaRefused
from processor.runtime.kafka.topics import create, plan
from tests.system.shop import Shop, event_lines
from tests.system.test_publish_tail import raw_records

FILES = FileSchemas()


@pytest.fixture
def shop(kafka, fresh_name, tmp_path):
    made = Shop(tmp_path / "shop", fresh_name("dlq"), kafka.address)
    create(made.settings, plan(made.topology))
    yield made
    made.close()


def letter(shop, reason, offset, raw, topic=None):
    topic = shop.names.events[0] if topic is None else topic
    return DeadLetter.of_record(reason, "m", raw, topic, 1, offset)


def test_dead_letters_are_counted_shown_and_replayed(shop):
    topic, events = shop.names.dead_letters, shop.names.events[0]
    encode = Encoder("dead-letter", FILES.head(topic, "dead-letter")).encode
    good = event_lines(1).strip()
    shop.produce(
        topic,
        (0, b"c-0", encode(letter(shop, "unknown_event_type", 5, good))),
        (0, b"c-0", encode(letter(shop, "unknown_event_type", 6, b"\xff\x00"))),
        (0, None, encode(letter(shop, "tombstone", 7, None))),
        (1, b"c-0", encode(letter(shop, "not_json", 8, b"{", topic="elsewhere"))),
        (1, b"c-0", encode(DeadLetter("failed", "m", "", 0, b"x"))),
        (1, b"c-0", b"junk"),
    )
    counted = shop.cli("dlq", "list", "-o", "json").json
    assert {(one["reason"], one["topic"]): one["count"] for one in counted} == {
        ("unknown_event_type", events): 2,
        ("tombstone", events): 1,
        ("not_json", "elsewhere"): 1,
        ("failed", ""): 1,
        ("unknown_format", topic): 1,
    }
    assert counted[0]["reason"] == "unknown_event_type"
    assert counted[0]["last"] == "0:1"
    assert "unknown_event_type" in shop.cli("dlq", "list").out

    shown = shop.cli("dlq", "show", "0:0", "-o", "json").json
    assert (shown["topic"], shown["partition"], shown["offset"], shown["key"]) == (events, 1, 5, "c-0")
    assert shown["raw"] == good.decode()
    assert shop.cli("dlq", "show", "0:1", "-o", "json").json["raw_base64"] == "/wA="
    for place, code in (("0:99", 1), ("7:0", 1), ("0", 2), ("a:b", 2)):
        assert shop.cli("dlq", "show", place).code == code

    dry = shop.cli("dlq", "replay", "--all", "--dry-run", "-o", "json")
    assert dry.code == 1
    assert dry.json["replayed"] == 2
    assert sum(dry.json["kept"].values()) == 4
    assert raw_records(shop, events) == []
    done = shop.cli("dlq", "replay", "--reason", "unknown_event_type", "-o", "json")
    assert (done.code, done.json["replayed"]) == (0, 2), done.err
    home = partition_of("c-0", 3)
    assert [(part, key, value) for part, key, value, _ in raw_records(shop, events)] == [
        (home, b"c-0", good),
        (home, b"c-0", b"\xff\x00"),
    ]
    assert shop.cli("dlq", "replay").code == 2


def test_a_letter_is_replayed_once_unless_it_is_asked_for_again(shop):
    topic, events, control = shop.names.dead_letters, shop.names.events[0], shop.names.control
    encode = Encoder("dead-letter", FILES.head(topic, "dead-letter")).encode
    made = [encode(letter(shop, "no_type", offset, b"%d" % offset)) for offset in range(3)]
    shop.produce(topic, *((0, b"c-%d" % offset, value) for offset, value in enumerate(made)))
    first = shop.cli("dlq", "replay", "0:1", "-o", "json")
    assert (first.code, first.json["replayed"], first.json["kept"]) == (0, 1, {})
    every = shop.cli("dlq", "replay", "--all", "-o", "json")
    assert (every.code, every.json["replayed"]) == (0, 2), every.err
    assert every.json["kept"] == {"it was replayed before": 1}
    nothing = shop.cli("dlq", "replay", "--reason", "no_type", "-o", "json")
    assert (nothing.code, nothing.json["replayed"]) == (0, 0)
    assert sorted(value for _, _, value, _ in raw_records(shop, events)) == [b"0", b"1", b"2"]
    assert [key for _, key, _, _ in raw_records(shop, control, 1)] == [
        b"replayed/0:1",
        b"replayed/0:0",
        b"replayed/0:2",
    ]
    again = shop.cli("dlq", "replay", "0:0", "--again", "-o", "json")
    assert (again.code, again.json["replayed"]) == (0, 1)
    assert len(raw_records(shop, events)) == 4

    # Marks of letters that are not kept any more are taken away.
    admin = AdminClient({"bootstrap.servers": shop.settings.broker})
    for done in admin.delete_records([TopicPartition(topic, 0, 2)]).values():
        done.result(20)
    assert shop.cli("dlq", "replay", "--all", "-o", "json").json["kept"] == {"it was replayed before": 1}
    last = {key: value for _, key, value, _ in raw_records(shop, control, 1)}
    assert {key: value is None for key, value in last.items()} == {
        b"replayed/0:0": True,
        b"replayed/0:1": True,
        b"replayed/0:2": False,
    }


def test_of_two_replays_at_a_time_the_later_goes_on(shop):
    topic, events = shop.names.dead_letters, shop.names.events[0]
    encode = Encoder("dead-letter", FILES.head(topic, "dead-letter")).encode
    shop.produce(topic, (0, b"c-0", encode(letter(shop, "no_type", 0, b"{}"))))
    source = FILES

    def interrupted() -> Any:
        found = list(letters(shop.settings, shop.topology, source))
        assert shop.cli("dlq", "replay", "--all").code == 0  # somebody else, between our marks and our commit
        yield from found

    with pytest.raises(KafkaRefused, match="a second time"):
        replay(shop.settings, shop.topology, interrupted())
    assert len(raw_records(shop, events)) == 1


def test_a_replayed_record_names_its_dead_letter(shop):
    topic, events = shop.names.dead_letters, shop.names.events[0]
    encode = Encoder("dead-letter", FILES.head(topic, "dead-letter")).encode
    shop.produce(topic, (2, b"c-0", encode(letter(shop, "no_type", 5, b"{}"))))
    assert shop.cli("dlq", "replay", "2:0").code == 0
    consumer = Consumer(
        {"bootstrap.servers": shop.settings.broker, "group.id": "raw", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(events, partition_of("c-0", 3), 0)])
    record = consumer.poll(30)
    consumer.close()
    assert record is not None
    assert record.headers() == [("trayecto-replayed", f"{topic}/2:0".encode())]
