"""Records of event topics: every form is read, nothing that can be in one raises, every reason is stable."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.codec.events import LINE_BYTES_MAX, REASONS, Refusal, decode_event
from processor.codec.frames import confluent_head, frame_of, schema_key, single_head
from processor.codec.records import event_record
from processor.codec.registry import ABSENT, FileSchemas
from processor.codec.schemas import fingerprint, history, plain, schema
from processor.codec.wire import WIRE_REASONS, EventDecoder, SchemaNeeded, key_fault, key_of, schema_fault
from processor.core.events import Event

AT_MS = 1_772_357_400_000
HEAD = single_head(fingerprint(schema("event")))
OURS: dict[str, Any] = {
    "event_id": "e-1",
    "contact_id": "c-42",
    "type": "page_viewed",
    "occurred_at": AT_MS,
    "appended_at": None,
    "properties": '{"url":"/pricing","seconds":40}',
}


class Given:
    """A source with a few ids; what it does not know it has to be asked for."""

    has_ids = True

    def __init__(self, **by_id: Any) -> None:
        self.known: dict[Any, Any] = {int(name[1:]): declared for name, declared in by_id.items()}
        self.asked: list[Any] = []

    def peek(self, key: Any) -> Any:
        return self.known.get(key)

    def fetch(self, key: Any) -> None:
        self.asked.append(key)
        self.known.setdefault(key, ABSENT)

    def head(self, topic: str, subject: str) -> bytes:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def body(record: dict[str, Any], declared: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(declared), record)
    return stream.getvalue()


def ours(**changed: Any) -> bytes:
    return HEAD + body(OURS | changed, plain(schema("event")))


def theirs(declared: Any, record: dict[str, Any]) -> Event | Refusal | SchemaNeeded:
    return EventDecoder(Given(_7=declared)).decode(confluent_head(7) + body(record, declared), AT_MS)


def reason(found: object) -> str:
    assert isinstance(found, Refusal), found
    return found.reason


@pytest.fixture(scope="module")
def decoder() -> EventDecoder:
    return EventDecoder(FileSchemas())


def test_a_single_object(decoder):
    event = decoder.decode(ours(), AT_MS + 7)
    assert isinstance(event, Event)
    assert (event.event_id, event.contact_id, event.type) == ("e-1", "c-42", "page_viewed")
    assert (event.occurred_ms, event.append_ms) == (AT_MS, AT_MS + 7)
    assert event.properties == {"url": "/pricing", "seconds": 40}


def test_the_same_event_is_the_same_in_every_form(decoder):
    line = {**OURS, "occurred_at": "2026-03-01T09:30:00Z", "properties": json.loads(OURS["properties"])}
    del line["appended_at"]
    framed = EventDecoder(Given(_1=schema("event"))).decode(
        confluent_head(1) + body(OURS, schema("event")), AT_MS
    )
    assert decoder.decode(ours(), AT_MS) == framed == decoder.decode(json.dumps(line).encode(), AT_MS)
    assert framed == decoder.decode(b" \n\t" + json.dumps(line).encode(), AT_MS)


def test_the_log_says_when_it_took_an_event(decoder):
    """A publisher's word on that is not asked for: the log's own time is what counts."""
    line = json.dumps(
        OURS | {"occurred_at": "2026-03-01T09:30:00Z", "appended_at": "1999", "properties": None}
    )
    for value in (ours(appended_at=5), line.encode()):
        found = decoder.decode(value, AT_MS)
        assert isinstance(found, Event)
        assert found.append_ms == AT_MS
    without = decoder.decode(ours(), -1)
    assert isinstance(without, Event)
    assert without.append_ms == 0


@pytest.mark.parametrize("number", range(1, len(history("event")) + 1))
def test_every_version_of_the_schema_is_read(decoder, number):
    written = history("event")[number - 1]
    value = single_head(fingerprint(written)) + body(OURS, written)
    assert isinstance(decoder.decode(value, AT_MS), Event)


def test_a_newer_writer_is_read():
    newer = {**schema("event")}
    newer["fields"] = [
        {"name": "source", "type": {"type": "map", "values": "string"}, "default": {}},
        *newer["fields"],
        {"name": "rank", "type": ["null", "int"], "default": None},
    ]
    found = theirs(newer, OURS | {"source": {"app": "shop"}, "rank": 3})
    assert found == EventDecoder(FileSchemas()).decode(ours(), AT_MS)


def test_an_older_writer_is_read():
    older = {
        **schema("event"),
        "fields": [f for f in schema("event")["fields"] if f["name"] in "contact_id type"],
    }
    older["fields"].append({"name": "occurred_at", "type": "long"})
    found = theirs(older, OURS)
    assert isinstance(found, Event)
    assert found.event_id.startswith("content-")
    assert found.properties == {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("timestamp-millis", AT_MS),
        ("timestamp-micros", AT_MS * 1000 + 999),
        ("timestamp-nanos", AT_MS * 1_000_000 + 1),
    ],
)
def test_a_schema_of_somebody_else(kind, value):
    declared = {
        "type": "record",
        "name": "com.example.PageView",
        "fields": [
            {"name": "type", "type": {"type": "enum", "name": "Kind", "symbols": ["page_viewed"]}},
            {"name": "contact_id", "type": ["null", {"type": "string", "avro.java.string": "String"}]},
            {"name": "occurred_at", "type": {"type": "long", "logicalType": kind}},
            {"name": "properties", "type": {"type": "map", "values": ["string", "double", "null"]}},
            {"name": "trace", "type": {"type": "array", "items": "string"}},
            {"name": "seen", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }
    record = {
        "type": "page_viewed",
        "contact_id": "c-42",
        "occurred_at": value,
        "properties": {"url": "/pricing", "seconds": 40.0, "by": None},
        "trace": ["a", "b"],
        "seen": 1 << 61,  # a year of nine digits, which nobody asks for
    }
    found = theirs(declared, record)
    assert isinstance(found, Event)
    assert (found.contact_id, found.type, found.occurred_ms) == ("c-42", "page_viewed", AT_MS)
    assert found.properties == {"url": "/pricing", "seconds": 40.0, "by": None}
    assert reason(theirs(declared, record | {"contact_id": None})) == "no_contact"


def test_a_type_that_is_defined_where_nobody_looks():
    kind = {"type": "enum", "name": "Kind", "symbols": ["page_viewed", "other"]}
    fields = [
        {"name": "source", "type": kind},
        {"name": "type", "type": "Kind"},
        *schema("event")["fields"][1:2],
    ]
    fields.append({"name": "occurred_at", "type": "long"})
    declared = {"type": "record", "name": "n.Event", "fields": fields}
    found = theirs(declared, OURS | {"source": "other"})
    assert isinstance(found, Event)
    assert (found.type, found.contact_id) == ("page_viewed", "c-42")


RECURSIVE = {
    "type": "record",
    "name": "Event",
    "fields": [
        *[{"name": name, "type": "string"} for name in ("contact_id", "type", "occurred_at")],
        {"name": "next", "type": ["null", "Event"]},
    ],
}
ENDLESS = {
    **RECURSIVE,
    "fields": [*RECURSIVE["fields"][:3], {"name": "nothing", "type": {"type": "array", "items": "null"}}],
}


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        (RECURSIVE, "it contains itself"),
        (ENDLESS, "it has a list of things without bytes"),
        ("string", "it is not a record"),
        ({"unusable": "PROTOBUF"}, "it is not a record"),
        ({"type": "record", "name": "X", "fields": [{"name": "a", "type": "no.such.Type"}]}, "no.such.Type"),
    ],
)
def test_schemas_that_would_be_dangerous_are_not_used(declared, why):
    assert why in schema_fault(declared)
    found = EventDecoder(Given(_7=declared)).decode(confluent_head(7) + b"\x02\x02\x02", AT_MS)
    assert reason(found) == "unusable_schema"


anything = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["string", "record", "array", "null", "Event", "long", "", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "name", "fields", "items", "values", "symbols", "size", "namespace", "default"]
            )
            | st.just("__fastavro_parsed_schema"),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(anything, st.sampled_from([None, "contact_id", "type", "occurred_at", "properties", "extra"]))
def test_no_schema_raises(strange, field):
    """A registry holds what anybody put there."""
    declared = strange
    if field is not None:
        fields = [one for one in schema("event")["fields"] if one["name"] != field]
        declared = {**schema("event"), "fields": [*fields, {"name": field, "type": strange}]}
    for value in (ours()[10:], b"\2" * 40):
        found = EventDecoder(Given(_7=declared)).decode(confluent_head(7) + value, AT_MS)
        assert isinstance(found, Event | SchemaNeeded) or found.reason in REASONS | WIRE_REASONS


def test_a_schema_that_names_a_type_twice_is_fine():
    point = {"type": "record", "name": "Point", "fields": [{"name": "x", "type": "int"}]}
    fields = [
        *RECURSIVE["fields"][:3],
        {"name": "a", "type": point},
        {"name": "b", "type": ["null", "Point"]},
    ]
    assert schema_fault({"type": "record", "name": "n.Event", "fields": fields}) == ""


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "tombstone"),
        (b"", "unknown_format"),
        (b"hello", "unknown_format"),
        (b"[1]", "unknown_format"),
        (b"\xc3", "unknown_format"),
        (b"\xc3\x02" + HEAD[2:], "unknown_format"),
        (HEAD[:9], "bad_avro"),
        (HEAD, "bad_avro"),
        (b"\xc3\x01" + b"?" * 20, "unknown_schema"),
        (b"\0\0\0\0\1" + b"x", "no_registry"),
        (b"\0", "bad_avro"),
        (ours() + b"\0", "bad_avro"),
        (ours()[:-1], "bad_avro"),
        (HEAD + b"\x04", "bad_avro"),
        (HEAD + b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "bad_avro"),
        (ours().replace(b"c-42", b"c-\xff2"), "bad_utf8"),
        (ours(contact_id=""), "bad_contact"),
        (ours(contact_id="c" * 257), "contact_too_long"),
        (ours(type=""), "bad_type"),
        (ours(event_id="e" * 257), "bad_event_id"),
        (ours(occurred_at=-1), "time_out_of_range"),
        (ours(occurred_at=1 << 62), "time_out_of_range"),
        (ours(properties="[1]"), "bad_properties"),
        (ours(properties="{"), "bad_properties"),
        (ours(properties='{"a":' * 9 + "1" + "}" * 9), "bad_properties"),
        (b"{}", "no_contact"),
        (b"{", "not_json"),
        (b'{"contact_id":"\xff"}', "not_json"),
        (b" " * (LINE_BYTES_MAX + 1), "too_large"),
        (ours(properties="x" * LINE_BYTES_MAX), "too_large"),
        (single_head(fingerprint(schema("command"))) + b"\0", "unusable_schema"),
    ],
)
def test_poison(decoder, value, code):
    found = decoder.decode(value, AT_MS)
    assert reason(found) == code
    assert found.message == (REASONS | WIRE_REASONS)[code]


@given(st.binary(max_size=300), st.sampled_from([b"", b"\0\0\0\0\1", b"\xc3\x01", HEAD, b"{"]), st.integers())
def test_no_bytes_raise(decoder, junk, head, append_ms):
    found = decoder.decode(head + junk, append_ms)
    assert isinstance(found, Event) or found.reason in REASONS | WIRE_REASONS


texts = st.text(max_size=90)
events = st.fixed_dictionaries(
    {
        "event_id": st.none() | texts,
        "contact_id": texts,
        "type": texts,
        "occurred_at": st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 4_102_444_800_000),
        "appended_at": st.none() | st.integers(0, 1 << 40),
        "properties": st.none()
        | texts
        | st.dictionaries(texts, st.integers() | texts, max_size=200).map(json.dumps),
    }
)


@given(events, st.data())
def test_the_quick_way_says_what_fastavro_says(decoder, record, data):
    """Whole records, and such of which a few bytes were changed, cut off or added."""
    value = bytearray(HEAD + body(record, plain(schema("event"))))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(len(HEAD), len(value)))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    # The same schema with one more name has the same bytes, but not the quick way.
    other = {**plain(schema("event")), "fields": [*plain(schema("event"))["fields"]]}
    other["fields"][4] = {**other["fields"][4], "name": "stored_at"}
    slow = EventDecoder(Given(_7=other)).decode(confluent_head(7) + bytes(value[len(HEAD) :]), AT_MS)
    assert decoder.decode(bytes(value), AT_MS) == slow


def test_a_time_written_longer_than_it_need_be(decoder):
    """Seven bytes of which the last says nothing: rare, allowed, and the same time."""
    value = ours()
    at = value.index(b"page_viewed") + len("page_viewed") + 5
    assert decoder.decode(value[:at] + bytes([value[at] | 0x80, 0]) + value[at + 1 :]) == decoder.decode(
        value
    )


@given(events)
def test_what_is_published_is_read_as_it_was(decoder, record):
    line = record | {"occurred_at": "2026-03-01T09:30:00Z", "properties": {"é": [record["properties"]]}}
    event = decode_event(json.dumps({**line, "appended_at": None}).encode())
    if isinstance(event, Event):
        assert decoder.decode(HEAD + body(event_record(event), plain(schema("event")))) == event


CLOUD = {
    "specversion": "1.0",
    "id": "7",
    "source": "/web",
    "type": "page_viewed",
    "subject": "c-42",
    "time": "2026-03-01T10:30:00+01:00",
    "datacontenttype": "application/json",
    "traceparent": "00-1",
    "data": {"url": "/pricing"},
}


def cloud(**changed: Any) -> bytes:
    return json.dumps(
        {name: value for name, value in (CLOUD | changed).items() if value != "left out"}
    ).encode()


def test_a_cloud_event(decoder):
    found = decoder.decode(cloud(), AT_MS + 9)
    assert isinstance(found, Event)
    assert (found.event_id, found.contact_id, found.type) == ("/web#7", "c-42", "page_viewed")
    assert (found.occurred_ms, found.append_ms) == (AT_MS, AT_MS + 9)
    assert found.properties == {"url": "/pricing"}


def test_the_same_id_from_another_source_is_another_event(decoder):
    one, other = decoder.decode(cloud()), decoder.decode(cloud(source="/app"))
    assert one.fingerprint != other.fingerprint


def test_a_cloud_event_without_a_time_happened_when_the_log_took_it(decoder):
    assert decoder.decode(cloud(time="left out"), AT_MS).occurred_ms == AT_MS
    assert reason(decoder.decode(cloud(time="left out"), 0)) == "no_time"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"subject": "left out"}, "no_contact"),
        ({"subject": None}, "no_contact"),
        ({"subject": ""}, "bad_contact"),
        ({"subject": 7}, "bad_cloud_event"),
        ({"id": "left out"}, "bad_cloud_event"),
        ({"id": ""}, "bad_cloud_event"),
        ({"specversion": "0.3"}, "bad_cloud_event"),
        ({"data_base64": "AA=="}, "bad_cloud_event"),
        ({"data": [1]}, "bad_properties"),
        ({"data": "text"}, "bad_properties"),
        ({"time": "yesterday"}, "bad_time"),
        ({"id": "x" * 300}, "bad_event_id"),
    ],
)
def test_what_is_no_cloud_event_of_a_contact(decoder, changed, code):
    assert reason(decoder.decode(cloud(**changed), AT_MS)) == code


def test_an_event_of_ours_may_speak_of_versions(decoder):
    line = cloud(contact_id="c-1", occurred_at="2026-03-01T09:30:00Z")
    assert decoder.decode(line).contact_id == "c-1"


def test_a_schema_is_asked_for_once():
    source = Given(_1=schema("event"))
    decoder = EventDecoder(source)
    value = confluent_head(2) + body(OURS, schema("event"))
    needed = decoder.decode(value)
    assert needed == SchemaNeeded(2)
    decoder.fetch(needed)
    assert reason(decoder.decode(value)) == "unknown_schema"
    source.known[2] = schema("event")  # registered meanwhile, and the source has noticed
    assert isinstance(decoder.decode(value), Event)
    source.known.clear()
    assert isinstance(decoder.decode(value), Event), "what was found is kept"
    assert source.asked == [2]


@pytest.mark.parametrize(
    ("key", "fault"),
    [(b"c-\xc3\xa9", ""), (None, "no_key"), (b"", "no_key"), (b"c-e", "other_key"), (b"\xff", "other_key")],
)
def test_keys(key, fault):
    assert key_fault(key, "c-é") == fault
    assert key_of("c-é") == b"c-\xc3\xa9"


@given(st.integers(0, (1 << 31) - 1), st.binary(min_size=8, max_size=8))
def test_heads_give_their_keys_back(number, mark):
    assert schema_key(confluent_head(number)) == number
    assert schema_key(single_head(mark)) == mark
    assert frame_of(confluent_head(number)) == "confluent"
    assert frame_of(single_head(mark)) == "single-object"
