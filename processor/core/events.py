"""What the machine is fed: events of contacts, due timers, sweeps and internal messages.

All times are integer milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Due", "Event", "Input", "Message", "Sweep"]


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something a contact did, as the log holds it.

    ``fingerprint`` is eight bytes that stand for ``event_id`` in the de-duplication window. ``append_ms`` is
    the log's append time, or 0 where the log keeps none (a plain file).
    """

    event_id: str
    contact_id: str
    type: str
    occurred_ms: int
    properties: dict[str, Any]
    fingerprint: bytes
    append_ms: int = 0


class Due(msgspec.Struct, frozen=True, gc=False):
    """The partition's watermark has passed ``at_ms``: fire this contact's timers due by then."""

    contact_id: str
    at_ms: int


class Sweep(msgspec.Struct, frozen=True, gc=False):
    """A scheduled audience is being walked: give this contact the sweeps it has not had."""

    contact_id: str


class Message(msgspec.Struct, frozen=True, gc=False):
    """An internal record from one partition to another (or to itself), kept in the log like any other.

    ``contact_id`` names the row it is for; it is empty for a message to a partition's shared row, and then
    ``home`` is the name whose hash picks the partition (or ``partition`` names it).
    """

    kind: str
    contact_id: str
    at_ms: int
    body: dict[str, Any]
    home: str = ""
    partition: int = -1


Input = Event | Due | Sweep | Message
