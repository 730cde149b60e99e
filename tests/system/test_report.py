"""A report from the decisions topic is that of the same decisions in a file."""

from __future__ import annotations

import pytest

from processor.codec.murmur2 import partition_of
from processor.codec.outputs import decision_line
from processor.codec.records import Encoder
from processor.codec.registry import FileSchemas
from processor.core.outputs import Decision
from processor.core.time import HOUR_MS
from processor.runtime.kafka.topics import create, plan
from tests.system.shop import Shop

AT_MS = 1_772_357_400_000
PARTITIONS = 3
SENT = {"command": "k", "channel": "push", "template": "questions"}


@pytest.fixture
def shop(kafka, fresh_name, tmp_path):
    made = Shop(tmp_path / "shop", fresh_name("report"), kafka.address)
    create(made.settings, plan(made.topology))
    yield made
    made.close()


def decisions() -> list[Decision]:
    made = []
    for number in range(300):
        contact, enrollment = f"c-{number}", f"n-{number}"
        at_ms = AT_MS + number * HOUR_MS
        made.append(Decision("entered", contact, at_ms, "pricing", 1, enrollment))
        if number % 4:
            made.append(
                Decision(
                    "commanded", contact, at_ms, "pricing", 1, enrollment, "send-push-questions", "", SENT
                )
            )
        else:
            made.append(
                Decision(
                    "suppressed",
                    contact,
                    at_ms,
                    "pricing",
                    1,
                    enrollment,
                    "send-push-questions",
                    "no_consent",
                    SENT,
                )
            )
        made.append(Decision("completed", contact, at_ms, "pricing", 1, enrollment))
    return made


def test_it_is_that_of_a_file(shop):
    log = decisions()
    topic = shop.names.decisions
    encode = Encoder("decision", FileSchemas().head(topic, "decision")).encode
    records = [
        (partition_of(one.contact_id, PARTITIONS), one.contact_id.encode(), encode(one)) for one in log
    ]
    shop.produce(topic, *records)
    shop.produce(topic, *records[:50], commit=False)  # nobody decided what was not committed
    out = shop.folder.parent / "out"
    out.mkdir()
    (out / "decisions.jsonl").write_bytes(b"".join(decision_line(one) + b"\n" for one in log))
    arguments = ("--from", "2026-03-02", "--to", "2026-03-10", "-o", "json")
    from_topic = shop.cli("report", *arguments)
    assert from_topic.code == 0, from_topic.err
    from_file = shop.cli("report", "--out", "out", *arguments)
    assert from_topic.json == from_file.json
    found = from_topic.json
    assert found["unreadable"] == 0
    assert found["programs"][0]["entered"] == found["programs"][0]["completed"] == 192  # hours of eight days
    assert found["suppressed"] == [
        {"program": "pricing", "channel": "push", "reason": "no_consent", "sends": 48}
    ]
    shop.produce(topic, (0, b"k", b"\xc3\x01xxxxxxxx"))
    assert shop.cli("report", "-o", "json").json["unreadable"] == 1


def test_no_broker_is_no_bug(shop):
    done = shop.cli("report", "--broker", "127.0.0.1:1", TRAYECTO_TIMEOUT_S="1")
    assert done.code == 3
    assert "127.0.0.1:1" in done.err
