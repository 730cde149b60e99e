"""Values of Trayecto's own topics: commands, decisions, dead letters, clocks, messages between partitions.

An :class:`Encoder` makes the value of a record, a :class:`Decoder` reads it. In Avro a value has a frame that
names its schema; in JSON it is the line that `run` would write to a file. The same thing always gives the
same bytes: a replay can be compared with what a live run wrote.

The key of a record: the contact's id for commands, decisions and messages to a contact's row; the key of the
refused record for a dead letter; nothing for the clock and for messages to a shared row, whose partitions are
given.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final

import fastavro
import msgspec

from processor.codec.events import Refusal
from processor.codec.frames import CONFLUENT_BYTES, SINGLE_BYTES, Frame, frame_of, schema_key
from processor.codec.outputs import (
    DeadLetter,
    command_line,
    command_record,
    dead_letter_line,
    dead_letter_record,
    decision_line,
    decision_record,
    raw_bytes,
)
from processor.codec.quick_outputs import command_body, decision_body
from processor.codec.registry import SchemaSource
from processor.codec.schemas import plain, schema
from processor.codec.wire import WIRE_REASONS, Asking, SchemaNeeded, refused_frame, schema_fault
from processor.core.events import Event, Message
from processor.core.outputs import Command, Decision
from processor.core.time import format_time, parse_time

__all__ = [
    "JSON_HEAD",
    "RECORD_REASONS",
    "Clock",
    "Decoder",
    "Encoder",
    "clock_line",
    "clock_record",
    "event_line",
    "event_record",
    "message_line",
    "message_record",
]

RECORD_REASONS: Final = WIRE_REASONS | {
    "not_ours": "the record holds something else than its topic, or JSON that Trayecto did not write"
}
"""Reasons for which a record of one of our topics cannot be read."""

JSON_HEAD: Final = b""
"""The head of values in JSON: they have no frame."""

_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, Any]).decode


class Clock(msgspec.Struct, frozen=True, gc=False):
    """How far a partition had come when a transaction was committed.

    ``positions``: source topic -> offset of the next record. ``popped_ms`` and ``popped_contact``: the last
    timer taken from the index, 0 and "" for none. ``sweep``: the number of the sweep under way, 0 for none,
    and ``sweep_cursor`` the last contact it visited.

    ``resumed_from``, where it is not None, says that no record was read for this: an operator's command
    moved the partition on, whose position was not in the log any more. It holds the positions before (topic
    -> offset, without one where none was known); ``resumed_ms``, ``resumed_by`` and ``resumed_because`` say
    when, who and why.
    """

    positions: dict[str, int]
    watermark_ms: int
    popped_ms: int = 0
    popped_contact: str = ""
    sweep: int = 0
    sweep_cursor: str = ""
    resumed_from: dict[str, int] | None = None
    resumed_ms: int = 0
    resumed_by: str = ""
    resumed_because: str = ""


def event_record(event: Event) -> dict[str, Any]:
    """Return an event as a record of `event.avsc`, without an append time: the log gives it one."""
    return {
        "event_id": event.event_id,
        "contact_id": event.contact_id,
        "type": event.type,
        "occurred_at": event.occurred_ms,
        "appended_at": None,
        "properties": _encode(event.properties).decode() if event.properties else None,
    }


def event_line(event: Event) -> bytes:
    """Return an event as JSON, without the end of the line."""
    made: dict[str, Any] = {
        "event_id": event.event_id,
        "contact_id": event.contact_id,
        "type": event.type,
        "occurred_at": format_time(event.occurred_ms),
    }
    if event.append_ms:
        made["appended_at"] = format_time(event.append_ms)
    return _encode(made | {"properties": event.properties})


def clock_record(clock: Clock) -> dict[str, Any]:
    """Return a clock as a record of `clock.avsc`."""
    return {
        "positions": dict(sorted(clock.positions.items())),
        "watermark": clock.watermark_ms,
        "popped_at": clock.popped_ms or None,
        "popped_contact": clock.popped_contact or None,
        "sweep": clock.sweep or None,
        "sweep_cursor": clock.sweep_cursor or None,
        "resumed_from": None if clock.resumed_from is None else dict(sorted(clock.resumed_from.items())),
        "resumed_at": clock.resumed_ms or None,
        "resumed_by": clock.resumed_by or None,
        "resumed_because": clock.resumed_because or None,
    }


def clock_line(clock: Clock) -> bytes:
    """Return a clock as JSON, without the end of the line."""
    made = clock_record(clock)
    made["watermark"] = format_time(clock.watermark_ms)
    made["popped_at"] = format_time(clock.popped_ms) if clock.popped_ms else None
    made["resumed_at"] = format_time(clock.resumed_ms) if clock.resumed_ms else None
    return _encode(made)


def message_record(message: Message) -> dict[str, Any]:
    """Return a message as a record of `message.avsc`. A body may hold bytes (a row), so it is MessagePack."""
    return {
        "kind": message.kind,
        "contact_id": message.contact_id,
        "at": message.at_ms,
        "body": _pack(message.body),
        "home": message.home or None,
        "partition": message.partition if message.partition >= 0 else None,
    }


def message_line(message: Message) -> bytes:
    """Return a message as JSON, without the end of the line; its body is MessagePack in base64."""
    return _encode(message_record(message) | {"at": format_time(message.at_ms)})


_RECORDS: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "event": event_record,
    "command": command_record,
    "decision": decision_record,
    "dead-letter": dead_letter_record,
    "clock": clock_record,
    "message": message_record,
}
_LINES: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "event": event_line,
    "command": command_line,
    "decision": decision_line,
    "dead-letter": dead_letter_line,
    "clock": clock_line,
    "message": message_line,
}
# Those of which there are many have bodies without fastavro.
_BODIES: Final[Mapping[str, Callable[[Any], bytes]]] = {"command": command_body, "decision": decision_body}


class Encoder:
    """Makes the values of one topic.

    Args:
        subject: what the topic holds, one of `SUBJECTS`.
        head: what a source's `head` says, or :data:`JSON_HEAD`.
    """

    def __init__(self, subject: str, head: bytes) -> None:
        self._head = head
        self._record = _RECORDS[subject]
        self._schema: Any = fastavro.parse_schema(plain(schema(subject)))
        self._body = _BODIES.get(subject)
        self.encode: Callable[[Any], bytes] = _LINES[subject]
        """Return the value of an event, command, decision, dead letter, clock or message."""
        if head:
            self.encode = self._avro if self._body is None else self._quick

    def _quick(self, item: Any) -> bytes:
        assert self._body is not None
        return self._head + self._body(item)

    def _avro(self, item: Any) -> bytes:
        stream = BytesIO()
        stream.write(self._head)
        fastavro.schemaless_writer(stream, self._schema, self._record(item))
        return stream.getvalue()


class Decoder(Asking):
    """Reads the values of one of our own topics, whichever version of the schema wrote them. Never raises.

    Events have a decoder of their own, since anybody writes them: :class:`processor.codec.wire.EventDecoder`.
    """

    def __init__(self, subject: str, source: SchemaSource) -> None:
        super().__init__(source)
        self._made = _MADE[subject]
        self._name = schema(subject)["name"]
        self._times = [
            field["name"] for field in schema(subject)["fields"] if "timestamp" in str(field["type"])
        ]
        self._current: Any = fastavro.parse_schema(plain(schema(subject)))
        self._writers: dict[bytes, Any] = {}

    def decode(self, value: bytes | None, append_ms: int = 0) -> Any:
        """Return the Command, Decision, DeadLetter, Clock or Message; a Refusal; or SchemaNeeded."""
        if value is None:
            return _refusal("tombstone")
        frame = frame_of(value)
        if frame is Frame.JSON:
            return self._from_json(value)
        head = value[: CONFLUENT_BYTES if frame is Frame.CONFLUENT else SINGLE_BYTES]
        writer = self._writers.get(head)
        if writer is None:
            writer = self._writer(head)
            if isinstance(writer, Refusal | SchemaNeeded):
                return writer
        stream = BytesIO(value)
        stream.seek(len(head))
        try:
            record: Any = fastavro.schemaless_reader(stream, writer, self._current)
            if stream.tell() != len(value):
                return _refusal("bad_avro")
            return self._made(record)
        except UnicodeDecodeError:
            return _refusal("bad_utf8")
        except Exception:  # noqa: BLE001 - fastavro lets whatever its decoding meets come through
            return _refusal("bad_avro")

    def _writer(self, head: bytes) -> Any:
        refused = refused_frame(head, self._source)
        if refused is not None:
            return refused
        key = schema_key(head)
        assert key is not None, "a head that is cut off is refused"
        declared = self._source.peek(key)
        if declared is None:
            return SchemaNeeded(key)
        if schema_fault(declared) or declared["name"].rpartition(".")[2] != self._name:
            return _refusal("not_ours")
        try:
            made = fastavro.parse_schema(plain(declared))
        except Exception:  # noqa: BLE001 - as in the decoder of events
            return _refusal("not_ours")
        self._writers[head] = made
        return made

    def _from_json(self, value: bytes) -> Any:
        try:
            record = json.loads(value)
            for name in self._times:
                if record.get(name) is not None:
                    record[name] = parse_time(record[name])
            return self._made(record)
        except (ValueError, TypeError, KeyError, RecursionError):
            return _refusal("not_ours")


def _refusal(reason: str) -> Refusal:
    return _REFUSALS[reason]


_REFUSALS: Final = {reason: Refusal(reason, message) for reason, message in RECORD_REASONS.items()}


def _object(value: Any) -> Any:
    """What is a JSON object in JSON, and its text in Avro."""
    return json.loads(value) if isinstance(value, str) else value


def _command(r: dict[str, Any]) -> Command:
    return Command(
        r["command_id"],
        r["channel"],
        r["kind"],
        r["contact_id"],
        r["program"],
        r["version"],
        r["enrollment"],
        r["step"],
        r["variant"] or "",
        r["template"] or "",
        _object(r["values"]),
        r["purpose"] or "",
        r["decided_at"],
        r["not_before"],
        r["expires_at"] or 0,
    )


def _decision(r: dict[str, Any]) -> Decision:
    return Decision(
        r["kind"],
        r["contact_id"],
        r["decided_at"],
        r["program"] or "",
        r["version"] or 0,
        r["enrollment"] or "",
        r["step"] or "",
        r["reason"] or "",
        _object(r["detail"]),
    )


def _dead_letter(r: dict[str, Any]) -> DeadLetter:
    raw = raw_bytes(r["raw"], r["raw_base64"])
    places = (r.get("topic"), r.get("partition"), r.get("offset"))  # lines of the first version lack them
    return DeadLetter(r["reason"], r["message"], r["file"], r["line"], raw, *places)


def _clock(r: dict[str, Any]) -> Clock:
    return Clock(
        r["positions"],
        r["watermark"],
        r["popped_at"] or 0,
        r["popped_contact"] or "",
        r["sweep"] or 0,
        r["sweep_cursor"] or "",
        r.get("resumed_from"),  # lines of the first version lack them
        r.get("resumed_at") or 0,
        r.get("resumed_by") or "",
        r.get("resumed_because") or "",
    )


def _message(r: dict[str, Any]) -> Message:
    body = r["body"]
    packed = b64decode(body, validate=True) if isinstance(body, str) else body
    partition = -1 if r["partition"] is None else r["partition"]
    return Message(r["kind"], r["contact_id"], r["at"], _unpack(packed), r["home"] or "", partition)


_MADE: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "command": _command,
    "decision": _decision,
    "dead-letter": _dead_letter,
    "clock": _clock,
    "message": _message,
}
