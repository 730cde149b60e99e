"""What the machine is fed: events of contacts, due timers, sweeps and internal messages.

All times are integer milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mypy_extensions import mypyc_attr

__all__ = ["Due", "Event", "Input", "Message", "Sweep"]


@mypyc_attr(acyclic=True)
@dataclass(init=False)
class Event:
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

    def __init__(
        self,
        event_id: str,
        contact_id: str,
        type: str,  # noqa: A002 - the field's name in every log
        occurred_ms: int,
        properties: dict[str, Any],
        fingerprint: bytes,
        append_ms: int = 0,
    ) -> None:
        self.event_id = event_id
        self.contact_id = contact_id
        self.type = type
        self.occurred_ms = occurred_ms
        self.properties = properties
        self.fingerprint = fingerprint
        self.append_ms = append_ms


@mypyc_attr(acyclic=True)
@dataclass(init=False)
class Due:
    """The partition's watermark has passed ``at_ms``: fire this contact's timers due by then."""

    contact_id: str
    at_ms: int

    def __init__(self, contact_id: str, at_ms: int) -> None:
        self.contact_id = contact_id
        self.at_ms = at_ms


@mypyc_attr(acyclic=True)
@dataclass(init=False)
class Sweep:
    """A scheduled audience is being walked: give this contact the sweeps it has not had."""

    contact_id: str

    def __init__(self, contact_id: str) -> None:
        self.contact_id = contact_id


@mypyc_attr(acyclic=True)
@dataclass(init=False)
class Message:
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

    def __init__(
        self,
        kind: str,
        contact_id: str,
        at_ms: int,
        body: dict[str, Any],
        home: str = "",
        partition: int = -1,
    ) -> None:
        self.kind = kind
        self.contact_id = contact_id
        self.at_ms = at_ms
        self.body = body
        self.home = home
        self.partition = partition


Input = Event | Due | Sweep | Message
