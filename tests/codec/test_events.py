"""Every record is an event or a refusal with a reason, whatever it holds."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.codec.events import (
    ID_BYTES_MAX,
    LINE_BYTES_MAX,
    REASONS,
    Refusal,
    decode,
    decode_event,
    decode_record,
)
from processor.core.events import Event

GOOD: MappingProxyType[str, Any] = MappingProxyType(
    {
        "event_id": "e-1",
        "contact_id": "c-42",
        "type": "page_viewed",
        "occurred_at": "2026-03-01T09:30:00Z",
        "properties": {"url": "/pricing", "seconds": 40},
    }
)
AT_MS = 1_772_357_400_000


def line(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


def event(raw: bytes | dict[str, Any]) -> Event:
    found = decode(raw)
    assert isinstance(found, Event), found
    return found


def reason(raw: bytes | dict[str, Any]) -> str:
    found = decode(raw)
    assert isinstance(found, Refusal), found
    assert found.message == REASONS[found.reason]
    return found.reason


def test_the_documented_event():
    found = event(line())
    assert found.event_id == "e-1"
    assert found.contact_id == "c-42"
    assert found.type == "page_viewed"
    assert found.occurred_ms == AT_MS
    assert found.properties == {"url": "/pricing", "seconds": 40}
    assert len(found.fingerprint) == 8
    assert found.append_ms == 0


def test_fingerprints_tell_event_ids_apart():
    assert event(line()).fingerprint == event(line(contact_id="other")).fingerprint
    assert len({event(line(event_id=f"e-{n}")).fingerprint for n in range(2000)}) == 2000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-03-01T09:30:00Z", AT_MS),
        ("2026-03-01 09:30:00Z", AT_MS),
        ("2026-03-01T09:30Z", AT_MS),
        ("2026-03-01T10:30:00+01:00", AT_MS),
        ("2026-03-01T04:00:00-05:30", AT_MS),
        ("2026-03-01T09:30:00.250Z", AT_MS + 250),
        ("2026-03-01T09:30:00.2509999Z", AT_MS + 250),
        ("1970-01-01T00:00:00Z", 0),
        ("2099-12-31T23:59:59.999Z", 4_102_444_799_999),
        ("2100-01-01T00:30:00+01:00", 4_102_444_800_000 - 1_800_000),
    ],
)
def test_times(text: str, ms: int):
    assert event(line(occurred_at=text)).occurred_ms == ms
    assert event({**GOOD, "occurred_at": text}).occurred_ms == ms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T09:30:00", "bad_time"),  # naive
        ("2026-03-01", "bad_time"),
        ("20260301T093000Z", "bad_time"),
        ("2026-W09-7T09:30:00Z", "bad_time"),
        ("2026-02-29T09:30:00Z", "bad_time"),
        ("2026-03-01x09:30:00Z", "bad_time"),
        ("yesterday", "bad_time"),
        ("", "bad_time"),
        (1_772_357_400_000, "bad_time"),
        (True, "bad_time"),
        (None, "no_time"),
        ("1969-12-31T23:59:59.999Z", "time_out_of_range"),
        ("1970-01-01T00:00:00+01:00", "time_out_of_range"),
        ("2100-01-01T00:00:00Z", "time_out_of_range"),
        ("0001-01-01T00:00:00+23:59", "time_out_of_range"),
        ("9999-12-31T23:59:59-23:59", "time_out_of_range"),
    ],
)
def test_times_that_are_refused(text: Any, expected: str):
    assert reason(line(occurred_at=text)) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (line()[:-1], "not_json"),
        (line() + b"x", "not_json"),
        (line().replace(b"c-42", b"\xff"), "not_json"),
        (line().replace(b"c-42", b"\\ud800"), "not_json"),
        (b'{"contact_id":"a","type":"a","occurred_at":NaN}', "not_json"),
        (b"[]", "not_object"),
        (b"null", "not_object"),
        (b'"text"', "not_object"),
        (b"{}", "no_contact"),
        (without("contact_id"), "no_contact"),
        (without("type"), "no_type"),
        (without("occurred_at"), "no_time"),
        (line(contact_id=None), "no_contact"),
        (line(contact_id=""), "bad_contact"),
        (line(contact_id=42), "bad_contact"),
        (line(contact_id="x" * (ID_BYTES_MAX + 1)), "contact_too_long"),
        (line(contact_id="é" * (ID_BYTES_MAX // 2 + 1)), "contact_too_long"),
        (line(type=""), "bad_type"),
        (line(type=["a"]), "bad_type"),
        (line(type="é" * (ID_BYTES_MAX // 2 + 1)), "bad_type"),
        (line(event_id=7), "bad_event_id"),
        (line(event_id="é" * (ID_BYTES_MAX // 2 + 1)), "bad_event_id"),
        (line(properties=[]), "bad_properties"),
        (line(properties="{}"), "bad_properties"),
        (line(properties={"n": 1 << 63}), "bad_properties"),
        (line(properties={"n": [-(1 << 63) - 1]}), "bad_properties"),
        (line().replace(b"40", b"1e999"), "bad_properties"),
        (line(appended_at="today"), "bad_append_time"),
        (line(appended_at=5), "bad_append_time"),
        (line(appended_at="1969-01-01T00:00:00Z"), "bad_append_time"),
        (line(properties={"text": "x" * LINE_BYTES_MAX}), "too_large"),
    ],
)
def test_refusals(raw: bytes, expected: str):
    assert reason(raw) == expected


def test_the_longest_ids():
    longest = "é" * (ID_BYTES_MAX // 2)
    found = event(line(contact_id=longest, type=longest, event_id=longest))
    assert (found.contact_id, found.type, found.event_id) == (longest, longest, longest)


@pytest.mark.parametrize(("levels", "fits"), [(8, True), (9, False), (5_000, False)])
def test_nesting_is_bounded(levels: int, fits: bool):
    nested = b'{"a":' * levels + b"1" + b"}" * levels
    raw = line(properties=0).replace(b'"properties": 0', b'"properties": ' + nested)
    assert isinstance(decode_event(raw), Event) is fits
    if levels < 100:
        record = decode_record({**GOOD, "properties": json.loads(nested)})
        assert isinstance(record, Event) is fits
        assert isinstance(decode_record({**GOOD, "properties": nested.decode()}), Event) is fits


def test_no_message_holds_a_value():
    secret = "ana@secret.example"
    for field in GOOD:
        for value in (secret, [secret], {secret: secret}, secret * 20):
            found = decode_event(line(**{field: value}))
            if isinstance(found, Refusal):
                assert "secret" not in found.message


@pytest.mark.parametrize("missing", [None, ""])
def test_a_missing_event_id_comes_from_the_content(missing: str | None):
    found = event(line(event_id=missing))
    assert found.event_id.startswith("content-")
    # The order of fields and properties, spaces and the way to write a time are no content.
    shuffled = (
        b'{"properties":{"seconds":40,"url":"/pricing"},"type":"page_viewed","other":1,'
        b'"occurred_at":"2026-03-01T10:30:00.000+01:00","contact_id":"c-42"}'
    )
    assert event(shuffled).event_id == found.event_id
    assert event({**GOOD, "event_id": missing, "occurred_at": AT_MS}).event_id == found.event_id
    for field, value in (
        ("contact_id", "c-43"),
        ("type", "page_left"),
        ("occurred_at", "2026-03-01T09:30:00.001Z"),
        ("properties", {"url": "/pricing", "seconds": 41}),
        ("properties", None),
    ):
        assert event(line(event_id=missing, **{field: value})).event_id != found.event_id


def test_append_times():
    assert event(line(appended_at="2026-03-01T09:31:00Z")).append_ms == AT_MS + 60_000
    assert event({**GOOD, "appended_at": AT_MS + 5}).append_ms == AT_MS + 5
    assert reason({**GOOD, "appended_at": -1}) == "bad_append_time"


@pytest.mark.parametrize(
    "value",
    [
        AT_MS,
        datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        datetime(2026, 3, 1, 4, 0, tzinfo=timezone(-timedelta(hours=5, minutes=30))),
        "2026-03-01T09:30:00Z",
    ],
)
def test_times_of_records(value: Any):
    assert event({**GOOD, "occurred_at": value}).occurred_ms == AT_MS


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"occurred_at": datetime(2026, 3, 1)}, "bad_time"),  # noqa: DTZ001 - naive on purpose
        ({"occurred_at": True}, "bad_time"),
        ({"occurred_at": 1.5}, "bad_time"),
        ({"occurred_at": None}, "no_time"),
        ({"occurred_at": -1}, "time_out_of_range"),
        ({"occurred_at": 1 << 70}, "time_out_of_range"),
        ({"contact_id": None}, "no_contact"),
        ({"contact_id": b"c"}, "bad_contact"),
        ({"contact_id": "\ud800"}, "bad_contact"),
        ({"type": None}, "no_type"),
        ({"type": 1}, "bad_type"),
        ({"type": "\ud800"}, "bad_type"),
        ({"event_id": 1}, "bad_event_id"),
        ({"event_id": "\ud800"}, "bad_event_id"),
        ({"properties": 1}, "bad_properties"),
        ({"properties": "[]"}, "bad_properties"),
        ({"properties": "{"}, "bad_properties"),
        ({"properties": {"a": b"bytes"}}, "bad_properties"),
        ({"properties": {"a": "\ud800"}}, "bad_properties"),
        ({"properties": {"a": 1 << 64}}, "bad_properties"),
        ({"properties": {1: 1}}, "bad_properties"),
        ({"properties": [1, 2]}, "bad_properties"),
    ],
)
def test_refusals_of_records(changes: dict[str, Any], expected: str):
    assert reason({**GOOD, **changes}) == expected


def test_properties_of_records_become_what_json_has():
    found = event(
        {
            **GOOD,
            "properties": {
                "at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
                "day": date(2026, 3, 1),
                "price": Decimal("12.50"),
                "nan": float("nan"),
                "list": [1, None, {"deep": (True, float("inf"))}],
            },
        }
    )
    assert found.properties == {
        "at": "2026-03-01T09:30:00Z",
        "day": "2026-03-01",
        "price": 12.5,
        "nan": None,
        "list": [1, None, {"deep": [True, None]}],
    }
    assert event({**GOOD, "properties": '{"a": [1]}'}).properties == {"a": [1]}
    assert event({**GOOD, "properties": [("a", 1), ("b", None)]}).properties == {"a": 1, "b": None}
    nothings: list[Any] = [None, "", {}]
    for nothing in nothings:
        assert event({**GOOD, "properties": nothing}).properties == {}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    contact=st.text(min_size=1, max_size=60),
    kind=st.text(min_size=1, max_size=60),
    event_id=st.text(min_size=1, max_size=60),
    at=st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001 - a zone is added
    hours=st.integers(-12, 14),
    properties=st.dictionaries(st.text(), st.text() | st.integers(-5, 5) | st.lists(json_values, max_size=2)),
)
def test_what_is_written_is_read(
    contact: str, kind: str, event_id: str, at: datetime, hours: int, properties: dict[str, Any]
):
    at = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    raw = {
        "contact_id": contact,
        "type": kind,
        "event_id": event_id,
        "occurred_at": at.isoformat(),
        "properties": properties,
    }
    found = decode_event(msgspec.json.encode(raw))
    if isinstance(found, Refusal):  # the nesting can go beyond what is taken
        assert found.reason == "bad_properties"
        return
    assert (found.contact_id, found.type, found.event_id) == (contact, kind, event_id)
    assert found.occurred_ms == int((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    assert found.properties == properties
    # A record of Avro or Parquet with the same content is the same event.
    assert decode_record({**raw, "occurred_at": at}) == found
    assert decode_record({**raw, "properties": json.dumps(properties)}) == found


@given(st.binary() | json_values.map(msgspec.json.encode))
def test_any_bytes_are_an_event_or_a_refusal(raw: bytes):
    found = decode_event(raw)
    assert isinstance(found, Event | Refusal)
    if isinstance(found, Refusal):
        assert found.reason in REASONS


@given(data=st.data())
def test_any_damage_is_an_event_or_a_refusal(data: st.DataObject):
    raw = bytearray(line())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = decode_event(bytes(raw))
    if isinstance(found, Event):
        # Whatever is taken can be stored, and identified again.
        msgspec.msgpack.encode(found.properties)
        found.contact_id.encode()
    else:
        assert found.reason in REASONS


anything = json_values | st.binary() | st.datetimes() | st.dates() | st.decimals() | st.tuples(st.integers())


@given(st.dictionaries(st.sampled_from([*sorted(GOOD), "appended_at"]), anything))
def test_any_record_is_an_event_or_a_refusal(changes: dict[str, Any]):
    found = decode_record({**GOOD, **changes})
    assert isinstance(found, Event | Refusal)
    if isinstance(found, Event):
        msgspec.json.encode(found.properties)
