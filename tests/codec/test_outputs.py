"""The lines and records that consumers see: names, order, null where there is nothing to say."""

import io
import json
from typing import Any

import fastavro
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processor.codec.outputs import (
    RAW_BYTES_MAX,
    DeadLetter,
    command_line,
    command_record,
    dead_letter_line,
    dead_letter_record,
    decision_line,
    decision_record,
    raw_bytes,
)
from processor.codec.schemas import schema
from processor.core.outputs import Command, Decision
from processor.core.time import format_time, parse_time

AT_MS = 1_772_357_400_000
FULL = Command(
    command_id="k1",
    channel="email",
    kind="message",
    contact_id="c-42",
    program="abandoned-cart",
    version=3,
    enrollment="n1",
    step="send-email-cart-10-off",
    variant="discount",
    template="cart-10-off",
    values={"lines": [{"sku": "1"}], "first": None},
    purpose="marketing",
    decided_ms=AT_MS,
    not_before_ms=AT_MS + 1_250,
    expires_ms=AT_MS + 86_400_000,
)
BARE = Command("k2", "crm", "task", "c", "p", 1, "n", "s", "", "", {}, "", AT_MS, AT_MS, 0)


def through_avro(subject: str, record: dict[str, Any]) -> dict[str, Any]:
    parsed = fastavro.parse_schema(schema(subject))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed, record)
    stream.seek(0)
    read = fastavro.schemaless_reader(stream, parsed, None)
    assert isinstance(read, dict)
    return read


TEXTS = st.text(max_size=12)


DETAILS = st.dictionaries(TEXTS, st.integers(-9, 9) | TEXTS | st.none() | st.floats(0, 1))
DECISIONS = st.builds(
    Decision,
    kind=st.sampled_from(["entered", "scored"]),
    contact_id=TEXTS,
    at_ms=st.integers(0, 4 * 10**12),
    program=TEXTS,
    version=st.integers(0, 9),
    enrollment=TEXTS,
    step=TEXTS,
    reason=TEXTS,
    detail=st.none() | DETAILS,
)


@given(DECISIONS)
def test_a_decision_is_what_json_says_of_its_fields(decision: Decision):
    fields = {
        "kind": decision.kind,
        "contact_id": decision.contact_id,
        "decided_at": format_time(decision.at_ms),
        "program": decision.program or None,
        "version": decision.version or None,
        "enrollment": decision.enrollment or None,
        "step": decision.step or None,
        "reason": decision.reason or None,
        "detail": decision.detail,
    }
    assert decision_line(decision) == msgspec.json.encode(fields)


def test_a_command_in_full():
    assert command_line(FULL) == (
        b'{"command_id":"k1","channel":"email","kind":"message","contact_id":"c-42","program":"abandoned-cart",'
        b'"version":3,"enrollment":"n1","step":"send-email-cart-10-off","variant":"discount",'
        b'"template":"cart-10-off","values":{"lines":[{"sku":"1"}],"first":null},"purpose":"marketing",'
        b'"decided_at":"2026-03-01T09:30:00Z","not_before":"2026-03-01T09:30:01.250Z",'
        b'"expires_at":"2026-03-02T09:30:00Z"}'
    )


def test_what_a_command_does_not_say_is_null():
    line = json.loads(command_line(BARE))
    assert [name for name, value in line.items() if value is None] == [
        "variant",
        "template",
        "purpose",
        "expires_at",
    ]
    assert line["values"] == {}
    assert line["not_before"] == line["decided_at"] == "2026-03-01T09:30:00Z"


def test_a_decision():
    decision = Decision("suppressed", "c", AT_MS, "p", 2, "n", "s", "weekly-mail", {"cap": 3})
    assert decision_line(decision) == (
        b'{"kind":"suppressed","contact_id":"c","decided_at":"2026-03-01T09:30:00Z","program":"p","version":2,'
        b'"enrollment":"n","step":"s","reason":"weekly-mail","detail":{"cap":3}}'
    )
    assert decision_line(Decision("merged", "c", AT_MS)) == (
        b'{"kind":"merged","contact_id":"c","decided_at":"2026-03-01T09:30:00Z","program":null,"version":null,'
        b'"enrollment":null,"step":null,"reason":null,"detail":null}'
    )


def test_a_dead_letter():
    letter = DeadLetter("not_json", "the line is not JSON", "events.jsonl", 7, b'{"a": "\xc3\xa9')
    assert (
        dead_letter_line(letter)
        == (
            '{"reason":"not_json","message":"the line is not JSON","file":"events.jsonl","line":7,'
            '"raw":"{\\"a\\": \\"é","raw_base64":null,"topic":null,"partition":null,"offset":null}'
        ).encode()
    )
    binary = json.loads(dead_letter_line(DeadLetter("not_json", "m", "f", 1, b"\xff\x00")))
    assert (binary["raw"], binary["raw_base64"]) == (None, "/wA=")


@given(st.binary())
def test_a_dead_letter_gives_its_record_back(raw: bytes):
    letter = DeadLetter("r", "m", "f", 1, raw)
    line = json.loads(dead_letter_line(letter))
    assert raw_bytes(line["raw"], line["raw_base64"]) == raw
    record = through_avro("dead-letter", dead_letter_record(letter))
    assert record == line


def test_a_dead_letter_is_bounded():
    line = json.loads(dead_letter_line(DeadLetter("too_large", "m", "f", 1, b"x" * (RAW_BYTES_MAX + 9))))
    assert line["raw"] == "x" * RAW_BYTES_MAX


texts = st.text(max_size=8)
moments = st.integers(0, 4_102_444_799_999)
details = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts | st.lists(texts))


@given(
    st.builds(
        Command,
        *[texts] * 5,
        st.integers(0, 1 << 31 - 1),
        *[texts] * 4,
        details,
        texts,
        moments,
        moments,
        st.just(0) | moments,
    )
)
def test_commands_say_the_same_in_json_and_avro(command: Command):
    line = json.loads(command_line(command))
    record = through_avro("command", command_record(command))
    assert list(line) == list(record) == [field["name"] for field in schema("command")["fields"]]
    assert line["values"] == json.loads(record["values"]) == command.values
    for name in ("decided_at", "not_before", "expires_at"):
        said = line[name] and parse_time(line[name])
        held = record[name] and round(record[name].timestamp() * 1000)
        assert said == held
    assert parse_time(line["decided_at"]) == command.decided_ms
    assert parse_time(line["not_before"]) == command.not_before_ms
    for name in set(line) - {"values", "decided_at", "not_before", "expires_at"}:
        assert line[name] == record[name]
        assert (line[name] or "") == (getattr(command, name) or "")


@given(
    st.builds(
        Decision, texts, texts, moments, texts, st.integers(0, 99), texts, texts, texts, st.none() | details
    )
)
def test_decisions_say_the_same_in_json_and_avro(decision: Decision):
    line = json.loads(decision_line(decision))
    record = through_avro("decision", decision_record(decision))
    assert list(line) == list(record)
    assert line["detail"] == (record["detail"] and json.loads(record["detail"])) == decision.detail
    assert parse_time(line["decided_at"]) == decision.at_ms == round(record["decided_at"].timestamp() * 1000)
    for name in ("kind", "contact_id", "program", "version", "enrollment", "step", "reason"):
        assert line[name] == record[name]
        assert (line[name] or "") == (getattr(decision, name) or "")
