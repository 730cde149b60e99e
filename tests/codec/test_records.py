"""Values of our own topics: what is written is read as it was, and has the same bytes each time."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.codec.events import Refusal
from processor.codec.frames import confluent_head, single_head
from processor.codec.outputs import DeadLetter, command_record, dead_letter_record, decision_record
from processor.codec.quick_outputs import command_body, decision_body
from processor.codec.records import JSON_HEAD, RECORD_REASONS, Clock, Decoder, Encoder, message_record
from processor.codec.registry import ABSENT, FileSchemas
from processor.codec.schemas import SUBJECTS, fingerprint, history, plain, schema
from processor.codec.wire import SchemaNeeded
from processor.core.events import Message
from processor.core.outputs import Command, Decision

AT_MS = 1_772_357_400_000
FILES = FileSchemas()
texts = st.text(max_size=80)
moments = st.integers(0, 4_102_444_799_999)
values = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | texts, st.lists, max_leaves=4)
objects = st.dictionaries(texts, values, max_size=3)
numbers = st.integers(0, (1 << 31) - 1)
items: dict[str, st.SearchStrategy[Any]] = {
    "command": st.builds(
        Command, *[texts] * 5, numbers, *[texts] * 4, objects, texts, moments, moments, st.just(0) | moments
    ),
    "decision": st.builds(Decision, texts, texts, moments, texts, numbers, *[texts] * 3, st.none() | objects),
    "dead-letter": st.builds(DeadLetter, texts, texts, texts, numbers, st.binary(max_size=50))
    | st.builds(DeadLetter.of_record, texts, texts, st.binary(), texts, numbers, numbers),
    "clock": st.builds(
        Clock, st.dictionaries(texts, numbers, max_size=3), moments, moments, texts, numbers, texts
    ),
    "message": st.builds(
        Message,
        texts,
        texts,
        moments,
        st.dictionaries(texts, values | st.binary(max_size=20), max_size=3),
        texts,
        st.integers(-1, 99),
    ),
}
kinds = st.sampled_from(sorted(items)).flatmap(lambda subject: st.tuples(st.just(subject), items[subject]))


def test_every_subject_of_ours_is_tried():
    assert set(items) == set(SUBJECTS) - {"event"}


@given(kinds, st.sampled_from(["single", "confluent", "json"]))
def test_what_is_written_is_read_as_it_was(kind, form):
    subject, item = kind
    source = Ids(schema(subject)) if form == "confluent" else FILES
    heads = {"single": FILES.head("t", subject), "confluent": confluent_head(3), "json": JSON_HEAD}
    value = Encoder(subject, heads[form]).encode(item)
    assert Decoder(subject, source).decode(value) == item
    assert value == Encoder(subject, heads[form]).encode(item)


class Ids(FileSchemas):
    """One schema under every id but 404, once it was asked for."""

    has_ids = True

    def __init__(self, declared: Any, *, asked: bool = True) -> None:
        self.declared = declared
        self.asked = asked

    def peek(self, key: Any) -> Any:
        if isinstance(key, bytes):
            return super().peek(key)
        if not self.asked:
            return None
        return ABSENT if key == 404 else self.declared

    def fetch(self, key: Any) -> None:
        self.asked = True


def avro(record: dict[str, Any], declared: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(declared), record)
    return stream.getvalue()


@given(items["command"])
def test_command_bodies_are_those_of_fastavro(command):
    assert command_body(command) == avro(command_record(command), plain(schema("command")))


@given(items["decision"])
def test_decision_bodies_are_those_of_fastavro(decision):
    assert decision_body(decision) == avro(decision_record(decision), plain(schema("decision")))


@pytest.mark.parametrize("at_ms", [0, 1, 63, 64, (1 << 34) - 1, 1 << 34, (1 << 41) - 1, 1 << 41, 1 << 50])
@pytest.mark.parametrize("size", [0, 63, 64, 1023, 1024, 70_000])
def test_bodies_at_the_edges_of_their_lengths(at_ms, size):
    decision = Decision("k", "c" * size, at_ms, detail={"d": "x" * size})
    assert decision_body(decision) == avro(decision_record(decision), plain(schema("decision")))


def test_maps_are_written_in_order():
    encode = Encoder("clock", FILES.head("t", "clock")).encode
    assert encode(Clock({"b": 1, "a": 2}, AT_MS)) == encode(Clock({"a": 2, "b": 1}, AT_MS))


@pytest.mark.parametrize("subject", sorted(items))
def test_an_older_version_is_read(subject):
    older = history(subject)[0]
    records = {
        "command": command_record(
            Command("k", "email", "message", "c", "p", 1, "n", "s", "", "t", {}, "", 1, 1, 0)
        ),
        "decision": decision_record(Decision("goal", "c", AT_MS)),
        "dead-letter": dead_letter_record(DeadLetter("not_json", "m", "f", 3, b"\xff")),
        "clock": {"positions": {}, "watermark": AT_MS},
        "message": message_record(Message("wake", "c", AT_MS, {"lease": "x"})),
    }
    found = Decoder(subject, FILES).decode(single_head(fingerprint(older)) + avro(records[subject], older))
    assert not isinstance(found, Refusal)


@pytest.mark.parametrize("subject", sorted(items))
def test_a_newer_version_is_read(subject):
    """As an older consumer reads it: what it does not know is passed over."""
    newer = {**schema(subject)}
    newer["fields"] = [{"name": "extra", "type": ["null", "string"], "default": None}, *newer["fields"]]
    item = {
        "command": Command("k", "email", "message", "c", "p", 1, "n", "s", "", "t", {}, "", 1, 1, 0),
        "decision": Decision("goal", "c", AT_MS),
        "dead-letter": DeadLetter.of_record("not_json", "m", b"x", "events", 1, 7),
        "clock": Clock({"events": 5}, AT_MS),
        "message": Message("wake", "c", AT_MS, {"lease": "x"}),
    }[subject]
    record = Encoder(subject, FILES.head("t", subject))._record(item) | {"extra": "new"}
    assert Decoder(subject, Ids(newer)).decode(confluent_head(1) + avro(record, plain(newer))) == item


def test_a_line_of_the_first_version_is_read():
    line = b'{"reason":"r","message":"m","file":"f","line":1,"raw":"x","raw_base64":null}'
    assert Decoder("dead-letter", FILES).decode(line) == DeadLetter("r", "m", "f", 1, b"x")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"hello", "unknown_format"),
        (b"{", "not_ours"),
        (b"{}", "not_ours"),
        (b'{"kind":1}', "not_ours"),
        (b"\0\0\0\0\1x", "no_registry"),
        (b"\xc3\x01" + b"?" * 9, "unknown_schema"),
        (b"\xc3\x01???", "bad_avro"),
        (single_head(fingerprint(schema("command"))), "bad_avro"),
        (single_head(fingerprint(schema("decision"))) + b"x", "not_ours"),
    ],
)
def test_poison(value, reason):
    found = Decoder("command", FILES).decode(value)
    assert found == Refusal(reason, RECORD_REASONS[reason])


@given(st.binary(max_size=200), st.sampled_from(sorted(items)))
def test_no_bytes_raise(junk, subject):
    for head in (b"", b"{", FILES.head("t", subject)):
        found = Decoder(subject, FILES).decode(head + junk)
        assert not isinstance(found, Refusal) or found.reason in RECORD_REASONS


def test_an_id_is_asked_for():
    source = Ids(schema("command"), asked=False)
    decoder = Decoder("command", source)
    assert decoder.decode(confluent_head(404) + b"x") == SchemaNeeded(404)
    decoder.fetch(SchemaNeeded(404))
    assert decoder.decode(confluent_head(404) + b"x").reason == "unknown_schema"


def test_lines_are_those_of_files():
    letter = DeadLetter.of_record("not_json", "m", b"{", "shop.events", 3, 1234)
    line = json.loads(Encoder("dead-letter", JSON_HEAD).encode(letter))
    assert (line["file"], line["line"]) == ("shop.events/3", 1234)
    assert (line["topic"], line["partition"], line["offset"]) == ("shop.events", 3, 1234)
    clock = json.loads(Encoder("clock", JSON_HEAD).encode(Clock({"events": 5}, AT_MS, AT_MS, "c-42")))
    assert clock == {
        "positions": {"events": 5},
        "watermark": "2026-03-01T09:30:00Z",
        "popped_at": "2026-03-01T09:30:00Z",
        "popped_contact": "c-42",
        "sweep": None,
        "sweep_cursor": None,
        "resumed_from": None,
        "resumed_at": None,
        "resumed_by": None,
        "resumed_because": None,
    }
