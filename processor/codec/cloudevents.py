"""CloudEvents in structured mode: one JSON object that holds both the attributes and the data.

    {"specversion": "1.0", "id": "7", "source": "/web", "type": "page_viewed", "subject": "c-42",
     "time": "2026-03-01T09:30:00Z", "data": {"url": "/pricing"}}

`subject` is the contact. An id is one only together with its source, so the event's id is both: `/web#7`.
Where `time` is missing, which CloudEvents allow, the event happened when the log took it. Other attributes
are not looked at.
"""

from __future__ import annotations

from typing import Final

import msgspec

from processor.codec.events import Refusal, decode_record
from processor.core.events import Event

__all__ = ["BAD_CLOUD_EVENT", "decode_cloud_event", "is_cloud_event"]

BAD_CLOUD_EVENT: Final = (
    "the record is no CloudEvent 1.0 with JSON data: it needs specversion, id, source and type, subject for "
    "the contact, and data that is an object"
)

_REFUSAL: Final = Refusal("bad_cloud_event", BAD_CLOUD_EVENT)


class _CloudEvent(msgspec.Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: str | None = None


_decode = msgspec.json.Decoder(_CloudEvent).decode


def is_cloud_event(value: bytes) -> bool:
    """Whether a JSON object that has no contact_id may be a CloudEvent."""
    return b'"specversion"' in value


def decode_cloud_event(value: bytes, append_ms: int) -> Event | Refusal:
    """Read one event from a CloudEvent. Never raises. ``append_ms``: as for `decode_record`."""
    try:
        found = _decode(value)
    except (ValueError, RecursionError):
        return _REFUSAL
    if (
        not (found.specversion.startswith("1.") and found.id and found.source)
        or found.data_base64 is not None
    ):
        return _REFUSAL
    data = bytes(found.data)
    record = {
        "event_id": f"{found.source}#{found.id}",
        "contact_id": found.subject,
        "type": found.type,
        "occurred_at": found.time or append_ms or None,
        "properties": None if data == b"null" else data,
    }
    return decode_record(record, append_ms)
