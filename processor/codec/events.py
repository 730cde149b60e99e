"""One event as a record of a log or a line of a file, turned into what the core reads; or a reason why not.

The JSON form, of which `event_id`, `appended_at` and `properties` may be missing or null:

    {"event_id": "e-1", "contact_id": "c-42", "type": "page_viewed", "occurred_at": "2026-03-01T09:30:00Z",
     "properties": {"url": "/pricing", "seconds": 40}}

Other fields are ignored. Times are ISO 8601 with `Z` or an offset, "T" or a space in the middle; digits
beyond the millisecond are cut off. A missing `event_id` is made from the content, so that the same event, met
twice, is one. Records of Avro and Parquet files have the same fields; their times may also be a timestamp or
milliseconds since 1970, and their properties JSON text.

A refusal's message names fields and limits, never a value: it goes where personal data must not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from datetime import time as clock_time
from decimal import Decimal
from hashlib import blake2b
from math import isfinite
from typing import Any, Final
from uuid import UUID

import msgspec

from processor.codec.shapes import DEPTH_MAX, Properties, Refusal, Wire
from processor.core.events import Event
from processor.core.ids import fingerprint as fingerprint_of
from processor.core.time import DAY_MS, EARLIEST_MS, LATEST_MS, SECOND_MS

__all__ = [
    "ID_BYTES_MAX",
    "LINE_BYTES_MAX",
    "REASONS",
    "Refusal",
    "decode",
    "decode_event",
    "decode_properties",
    "decode_record",
    "event_of",
]

LINE_BYTES_MAX: Final = 1 << 20
ID_BYTES_MAX: Final = 256  # of event_id, contact_id and type, in UTF-8

REASONS: Final = {
    "bad_contact": "contact_id must be text that is not empty",
    "bad_event_id": f"event_id must be text of at most {ID_BYTES_MAX} bytes; leave it out to have one made",
    "bad_properties": (
        "properties must be an object of text, numbers of 64 bits, true, false, null, lists and objects, "
        "at most 8 levels deep"
    ),
    "bad_time": (
        "occurred_at must be a time with Z or an offset, such as 2026-03-01T09:30:00Z or "
        "2026-03-01T10:30:00+01:00"
    ),
    "bad_append_time": "appended_at must be a time with Z or an offset, or be left out",
    "contact_too_long": f"contact_id has more than {ID_BYTES_MAX} bytes",
    "bad_type": f"type must be text of at most {ID_BYTES_MAX} bytes that is not empty",
    "no_contact": "contact_id is missing",
    "no_time": "occurred_at is missing",
    "no_type": "type is missing",
    "not_json": "the line is not JSON in UTF-8: one event is one JSON object on one line",
    "not_object": "the line is JSON but not an object: one event is one JSON object on one line",
    "time_out_of_range": "occurred_at must lie from 1970-01-01 to before 2100-01-01 UTC",
    "too_large": f"the record has more than {LINE_BYTES_MAX} bytes",
}
"""Every reason for which an event is refused, and what it says. The codes are stable."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT: Final = ID_BYTES_MAX // 4  # text of no more characters cannot have too many bytes
_DATE_CHARS: Final = 10
_decode_wire = msgspec.json.Decoder(Wire).decode
_decode_loose = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
decode_properties = msgspec.json.Decoder(Properties).decode
"""Properties from JSON text. Raises ValueError or RecursionError where they are not what they may be."""
_encode_canonical = msgspec.json.Encoder(order="deterministic").encode


def decode(raw: bytes | Mapping[str, Any]) -> Event | Refusal:
    """Read what a reader yields: a line of JSON, or a record of an Avro or Parquet file."""
    return decode_event(raw) if isinstance(raw, bytes) else decode_record(raw)


def decode_event(line: bytes, append_ms: int | None = None) -> Event | Refusal:
    """Read one event from a line of JSON. Never raises.

    ``append_ms``: when the log took it, which is then believed instead of what `appended_at` says.
    """
    if len(line) > LINE_BYTES_MAX:
        return _refusal("too_large")
    try:
        wire = _decode_wire(line)
    except (ValueError, RecursionError):
        return _refusal(_why_not(line))
    occurred_ms = _text_ms(wire.occurred_at)
    if occurred_ms is None:
        return _refusal("bad_time")
    if append_ms is None:
        append_ms = 0 if wire.appended_at is None else _text_ms(wire.appended_at)
        if append_ms is None:
            return _refusal("bad_append_time")
    return event_of(wire.event_id, wire.contact_id, wire.type, occurred_ms, wire.properties, append_ms)


def decode_record(record: Mapping[str, Any], append_ms: int | None = None) -> Event | Refusal:
    """Read one event from a record of an Avro or Parquet file, or of a topic. Never raises.

    ``append_ms``: when the log took it, which is then believed instead of what `appended_at` says.
    """
    contact, kind, event_id = record.get("contact_id"), record.get("type"), record.get("event_id")
    if contact is None:
        return _refusal("no_contact")
    if not isinstance(contact, str) or _is_broken(contact):
        return _refusal("bad_contact")
    if kind is None:
        return _refusal("no_type")
    if not isinstance(kind, str) or _is_broken(kind):
        return _refusal("bad_type")
    if event_id is not None and (not isinstance(event_id, str) or _is_broken(event_id)):
        return _refusal("bad_event_id")
    occurred_at = record.get("occurred_at")
    occurred_ms = _record_ms(occurred_at)
    if occurred_ms is None:
        return _refusal("no_time" if occurred_at is None else "bad_time")
    if append_ms is None:
        appended_at = record.get("appended_at")
        append_ms = 0 if appended_at is None else _record_ms(appended_at)
        if append_ms is None:
            return _refusal("bad_append_time")
    try:
        properties = _properties_of(record.get("properties"))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return _refusal("bad_properties")
    return event_of(event_id, contact, kind, occurred_ms, properties, append_ms)


def event_of(
    event_id: str | None,
    contact_id: str,
    kind: str,
    occurred_ms: int,
    properties: dict[str, Any] | None,
    append_ms: int = 0,
) -> Event | Refusal:
    """Check what the type of a field does not say, and make the event.

    Args:
        event_id: text that UTF-8 can hold; None or "" to have one made from the content.
        contact_id: text that UTF-8 can hold.
        kind: text that UTF-8 can hold: the event's type.
        occurred_ms: when it happened.
        properties: of values that JSON can hold, at most 8 levels deep; None for none.
        append_ms: when the log took it, 0 where the log keeps no such time.
    """
    if not contact_id:
        return _refusal("bad_contact")
    if len(contact_id) > _SHORT and len(contact_id.encode()) > ID_BYTES_MAX:
        return _refusal("contact_too_long")
    if not kind or (len(kind) > _SHORT and len(kind.encode()) > ID_BYTES_MAX):
        return _refusal("bad_type")
    if not EARLIEST_MS <= occurred_ms < LATEST_MS:
        return _refusal("time_out_of_range")
    if not EARLIEST_MS <= append_ms < LATEST_MS:
        return _refusal("bad_append_time")
    if properties is None:
        properties = {}
    if event_id:
        identity = event_id.encode()
        if len(identity) > ID_BYTES_MAX:
            return _refusal("bad_event_id")
    else:
        content = _encode_canonical((contact_id, kind, occurred_ms, properties))
        event_id = "content-" + blake2b(content, digest_size=16).hexdigest()
        identity = event_id.encode()
    fingerprint = fingerprint_of(identity)
    return Event(event_id, contact_id, kind, occurred_ms, properties, fingerprint, append_ms)


def _text_ms(text: str) -> int | None:
    """Return the instant that ISO 8601 text says, None when it is not one or has no offset."""
    try:
        parsed = datetime.fromisoformat(text)
        since = parsed - _EPOCH  # a naive time raises TypeError
    except (ValueError, TypeError, OverflowError):
        return None
    # fromisoformat also reads week dates and forms without dashes, which parse_time refuses in programs.
    if text[4] != "-" or text[7] != "-" or text[_DATE_CHARS] not in "T ":
        return None
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000


def _record_ms(value: Any) -> int | None:
    """Return the instant that a record's value says, None when it is not one or has no zone."""
    if isinstance(value, str):
        return _text_ms(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, datetime) and value.tzinfo is not None:
        since = value - _EPOCH
        return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000
    return None


def _properties_of(value: Any) -> dict[str, Any] | None:
    """Return a record's properties as JSON would hold them. Raises ValueError or TypeError."""
    if value is None or value == "":
        return None
    if isinstance(value, str | bytes):
        return decode_properties(value)
    if isinstance(value, list | tuple):  # a map column of Parquet comes as a list of pairs
        value = dict(value)
    if not isinstance(value, Mapping):
        raise TypeError("properties are not a map")
    return {_key(key): _plain(item, DEPTH_MAX - 1) for key, item in value.items()}


def _key(key: Any) -> str:
    if not isinstance(key, str) or _is_broken(key):
        raise TypeError("a key is not text")
    return key


def _plain(value: Any, depth: int) -> Any:
    """Turn a value of Avro or Parquet into one that JSON has: times as ISO text, decimals as numbers."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _key(value)
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise ValueError("more than 64 bits")
        return value
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return value if isfinite(value) else None  # JSON has neither NaN nor infinity; missing is nearest
    if isinstance(value, datetime | date | clock_time):
        text = value.isoformat()
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    if isinstance(value, UUID):
        return str(value)
    if depth == 0:
        raise ValueError("too deep")
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    raise TypeError("bytes, or a type that JSON does not have")


def _why_not(line: bytes) -> str:
    """Find the reason for which the typed decoder refused a line, field by field in a fixed order."""
    try:
        fields = _decode_loose(line)
    except msgspec.ValidationError:
        return "not_object"
    except (ValueError, RecursionError):
        return "not_json"
    for name, missing, wrong in (
        ("contact_id", "no_contact", "bad_contact"),
        ("type", "no_type", "bad_type"),
        ("occurred_at", "no_time", "bad_time"),
        ("event_id", "", "bad_event_id"),
        ("appended_at", "", "bad_append_time"),
    ):
        raw = bytes(fields.get(name, b"null")).strip()
        if raw == b"null":
            if missing:
                return missing
            continue
        try:
            _decode_text(raw)
        except msgspec.ValidationError:
            return wrong
        except ValueError:
            return "not_json"
    try:
        msgspec.json.decode(line)
    except RecursionError:
        return "bad_properties"
    except msgspec.ValidationError:  # a number beyond what a float holds
        return "bad_properties"
    except ValueError:
        return "not_json"
    return "bad_properties"


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _refusal(reason: str) -> Refusal:
    return _REFUSALS[reason]


_REFUSALS: Final = {reason: Refusal(reason, message) for reason, message in REASONS.items()}
