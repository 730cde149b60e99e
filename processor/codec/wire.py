"""One record of an event topic turned into what the core reads; or a reason why not.

A value is Avro with a frame that names its schema (:mod:`processor.codec.frames`), or JSON as
:mod:`processor.codec.events` reads it from a file, or a CloudEvent in JSON
(:mod:`processor.codec.cloudevents`). The writer's schema need not be ours: a record with fields of the names
that an event has will do, whatever else it has; properties may also be a map or a record, and times may count
micro- or nanoseconds.

Whatever is in a record, the answer is an :class:`Event`, a :class:`Refusal` whose reason is stable, or
:class:`SchemaNeeded`: never an exception. Only :meth:`EventDecoder.fetch` waits for a network, and can fail.

This is on the path of every event, so a schema is looked at once, and what is left for a record is a
dictionary look-up, one call of fastavro, and the checks that files have too.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import fastavro
import msgspec

from processor.codec import quick_event
from processor.codec.cloudevents import BAD_CLOUD_EVENT, decode_cloud_event, is_cloud_event
from processor.codec.events import (
    LINE_BYTES_MAX,
    Refusal,
    decode_event,
    decode_properties,
    decode_record,
    event_of,
)
from processor.codec.events import REASONS as EVENT_REASONS
from processor.codec.frames import CONFLUENT_BYTES, SINGLE_BYTES, Frame, SchemaKey, frame_of, schema_key
from processor.codec.registry import ABSENT, SchemaSource
from processor.codec.schemas import plain
from processor.codec.times import without_times
from processor.core.events import Event

__all__ = [
    "WIRE_REASONS",
    "Asking",
    "EventDecoder",
    "SchemaNeeded",
    "key_fault",
    "key_of",
    "refused_frame",
    "schema_fault",
]

WIRE_REASONS: Final = {
    "bad_avro": (
        "the record is cut off, too long, or was not written with the schema that it names: write it with "
        "that schema"
    ),
    "bad_cloud_event": BAD_CLOUD_EVENT,
    "bad_utf8": "the record holds text that is not UTF-8: write text as UTF-8",
    "no_registry": (
        "the record names its schema by the id of a schema registry, and none is set: say where it is "
        "(TRAYECTO_REGISTRY), or write single objects"
    ),
    "tombstone": "the record has no value: this deletes no event from the log; erase the contact",
    "unknown_format": (
        "the record is neither Avro with its schema named (Confluent's framing or a single object) nor JSON"
    ),
    "unknown_schema": "the record names a schema that is not known: register it, or use one under schemas/",
    "unusable_schema": (
        "the record's schema cannot be that of an event: it must be an Avro record with contact_id, type and "
        "occurred_at, refer to no other schema, and not contain itself"
    ),
}
"""Reasons for which a record of a topic is refused beside those of `events.REASONS`. The codes are stable."""

_REFUSALS: Final = {reason: Refusal(reason, message) for reason, message in WIRE_REASONS.items()}
_TOO_LARGE: Final = Refusal("too_large", EVENT_REASONS["too_large"])
_BAD_AVRO: Final = _REFUSALS["bad_avro"]
_BAD_PROPERTIES: Final = Refusal("bad_properties", EVENT_REASONS["bad_properties"])

_NEEDED: Final = ("contact_id", "type", "occurred_at")
_FIELDS: Final = frozenset({*_NEEDED, "event_id", "appended_at", "properties"})
_PRIMITIVE_BYTES: Final = {
    "boolean": 1,
    "int": 1,
    "long": 1,
    "float": 4,
    "double": 8,
    "bytes": 1,
    "string": 1,
}

_Read = Callable[[bytes, int], Event | Refusal]


class SchemaNeeded(msgspec.Struct, frozen=True):
    """The record's schema has not been asked for yet: `fetch` with this, then decode the record again."""

    key: SchemaKey


def key_of(contact_id: str) -> bytes:
    """Return the key that a record about a contact has."""
    return contact_id.encode()


def key_fault(key: bytes | None, contact_id: str) -> str:
    """Say what is wrong with the key of an event's record: "" for nothing, "no_key" or "other_key".

    Such a record may lie in another partition than its contact; whoever reads it forwards it.
    """
    if key == contact_id.encode():
        return ""
    return "other_key" if key else "no_key"


class Asking:
    """What decoders have in common: a source of schemas, which is asked when a record needs it."""

    def __init__(self, source: SchemaSource) -> None:
        self._source = source

    def decode(self, value: bytes | None, append_ms: int = 0) -> Any:
        """Return what a record holds, a Refusal, or SchemaNeeded. ``append_ms`` is for events only."""
        raise AssertionError("a decoder decodes")

    def fetch(self, needed: SchemaNeeded) -> None:
        """Ask for a schema. May wait for a network; raises RegistryUnavailable, then ask again later."""
        self._source.fetch(needed.key)

    def read(self, value: bytes | None, append_ms: int = 0) -> Any:
        """As `decode`, and asks for the schema where it is needed. Raises RegistryUnavailable."""
        found = self.decode(value, append_ms)
        while isinstance(found, SchemaNeeded):
            self.fetch(found)
            found = self.decode(value, append_ms)
        return found


class EventDecoder(Asking):
    """Decodes values of event topics. It remembers every schema it has met; one for a worker is enough."""

    def __init__(self, source: SchemaSource) -> None:
        super().__init__(source)
        self._readers: dict[bytes, _Read] = {}

    def decode(self, value: bytes | None, append_ms: int = 0) -> Event | Refusal | SchemaNeeded:
        """Return the event of a record.

        Args:
            value: the record's value, None for a tombstone.
            append_ms: the record's timestamp; not above 0 where it has none.
        """
        if value is None:
            return _REFUSALS["tombstone"]
        if len(value) > LINE_BYTES_MAX:
            return _TOO_LARGE
        append_ms = max(append_ms, 0)
        first = value[:1]
        if first == b"\0":
            head = value[:CONFLUENT_BYTES]
        elif first == b"\xc3":
            head = value[:SINGLE_BYTES]
        else:
            if frame_of(value) is Frame.JSON:
                return _from_json(value, append_ms)
            return _REFUSALS["unknown_format"]
        read = self._readers.get(head)
        if read is None:
            found = self._reader(head)
            if not callable(found):
                return found
            read = found
        return read(value, append_ms)

    def _reader(self, head: bytes) -> _Read | Refusal | SchemaNeeded:
        refused = refused_frame(head, self._source)
        if refused is not None:
            return refused
        key = schema_key(head)
        assert key is not None, "a head that is cut off is refused"
        declared = self._source.peek(key)
        if declared is None:
            return SchemaNeeded(key)
        try:
            made = _compile(declared, len(head))
        except Exception:  # noqa: BLE001 - a stranger's schema may hold anything, and must not stop a worker
            return _REFUSALS["unusable_schema"]
        self._readers[head] = made
        return made


def refused_frame(head: bytes, source: SchemaSource) -> Refusal | None:
    """Return why no schema can be found by a head, None where one may be, or has still to be asked for."""
    if frame_of(head) is Frame.UNKNOWN:
        return _REFUSALS["unknown_format"]
    key = schema_key(head)
    if key is None:
        return _BAD_AVRO
    if isinstance(key, int) and not source.has_ids:
        return _REFUSALS["no_registry"]
    return _REFUSALS["unknown_schema"] if source.peek(key) == ABSENT else None


def _compile(declared: Any, start: int) -> _Read:
    """Make what reads the records of one schema, whose bodies begin after ``start`` bytes."""
    fault = schema_fault(declared)
    fields = {field["name"]: field["type"] for field in declared["fields"]} if not fault else {}
    if fault or any(name not in fields for name in _NEEDED):
        refusal = _REFUSALS["unusable_schema"]
        return lambda _value, _append_ms: refusal
    made, units = without_times(declared)
    kinds = {field["name"]: field["type"] for field in made["fields"]}
    # Read as it was written: to resolve it with event.avsc costs fastavro more than what it would pass over.
    # What an event does not have is at least not made into dates and decimals, which could fail.
    others = [
        field if field["name"] in _FIELDS else {**field, "type": plain(field["type"])}
        for field in made["fields"]
    ]
    read = _record_reader(fastavro.parse_schema({**made, "fields": others}), start)
    if _is_ours(kinds) and not units:
        return _ours(_quick(read), start) if quick_event.reads(declared) else _quick(read)
    return _general(read, units)


def _record_reader(writer: Any, start: int) -> Callable[[bytes], dict[str, Any] | Refusal]:
    schemaless_reader: Any = fastavro.schemaless_reader

    def read(value: bytes) -> dict[str, Any] | Refusal:
        stream = BytesIO(value)  # shares the bytes
        stream.seek(start)
        try:
            record: dict[str, Any] = schemaless_reader(stream, writer, None)
        except UnicodeDecodeError:
            return _REFUSALS["bad_utf8"]
        except Exception:  # noqa: BLE001 - fastavro lets whatever its decoding meets come through
            return _BAD_AVRO
        return record if stream.tell() == len(value) else _BAD_AVRO

    return read


def _quick(read: Callable[[bytes], dict[str, Any] | Refusal]) -> _Read:
    """For records whose fields have our types: these need not be looked at again."""

    def decode(value: bytes, append_ms: int) -> Event | Refusal:
        record = read(value)
        if isinstance(record, Refusal):
            return record
        get = record.get
        properties = get("properties")
        if properties is not None:
            try:
                properties = decode_properties(properties) if properties else None
            except (ValueError, RecursionError):
                return _BAD_PROPERTIES
        return event_of(
            get("event_id"),
            record["contact_id"],
            record["type"],
            record["occurred_at"],
            properties,
            append_ms,
        )

    return decode


def _from_json(value: bytes, append_ms: int) -> Event | Refusal:
    found = decode_event(value, append_ms)
    if isinstance(found, Refusal) and found.reason == "no_contact" and is_cloud_event(value):
        return decode_cloud_event(value, append_ms)
    return found


def _ours(otherwise: _Read, start: int) -> _Read:
    event_from = quick_event.event_from

    def decode(value: bytes, append_ms: int) -> Event | Refusal:
        return event_from(value, start, append_ms) or otherwise(value, append_ms)

    return decode


def _general(read: Callable[[bytes], dict[str, Any] | Refusal], units: list[tuple[str, int]]) -> _Read:
    def decode(value: bytes, append_ms: int) -> Event | Refusal:
        record = read(value)
        if isinstance(record, Refusal):
            return record
        for name, unit in units:
            if isinstance(record[name], int):
                record[name] //= unit
        return decode_record(record, append_ms)

    return decode


def _is_ours(kinds: dict[str, Any]) -> bool:
    optional: dict[str, tuple[Any, ...]] = {
        "event_id": ("string", ["null", "string"]),
        "properties": ("string", ["null", "string"]),
    }
    return (
        all(_bare(kinds[name]) == "string" for name in ("contact_id", "type"))
        and _bare(kinds["occurred_at"]) in ("int", "long")
        and all(_bare(kinds[name]) in allowed for name, allowed in optional.items() if name in kinds)
    )


def _bare(kind: Any) -> Any:
    """The type without what Java's and other tools add to it, such as `avro.java.string`."""
    if isinstance(kind, list):
        return [_bare(branch) for branch in kind]
    if isinstance(kind, dict) and isinstance(kind.get("type"), str) and "logicalType" not in kind:
        return kind["type"]
    return kind


def schema_fault(declared: Any) -> str:
    """Say why records of a schema cannot be decoded safely, "" where they can.

    fastavro decodes by recursion in C and counts what a block says: a schema that contains itself would let a
    record overflow the stack, and a list of things without bytes would let ten bytes say that there are 2 to
    the 60.
    """
    if not isinstance(declared, dict) or declared.get("type") != "record":
        return "it is not a record"
    try:
        fastavro.parse_schema(declared)
        _least(declared, {}, "")
    except RecursionError:
        return "it is nested too deeply"
    except Exception as error:  # noqa: BLE001 - fastavro raises what its walk over the schema meets
        return str(error) or type(error).__name__
    return ""


def _least(kind: Any, named: dict[str, int | None], space: str) -> int:
    """Return the least number of bytes of a value. Raises ValueError for what cannot be decoded safely."""
    if isinstance(kind, list):
        return 1 + min((_least(branch, named, space) for branch in kind), default=0)
    if isinstance(kind, str):
        return _least_of_name(kind, named, space)
    inner = kind["type"]
    if inner in ("array", "map"):
        if _least(kind["items" if inner == "array" else "values"], named, space) == 0 and inner == "array":
            raise ValueError("it has a list of things without bytes")
        return 1
    if inner not in ("record", "error", "enum", "fixed"):
        return _least(inner, named, space)
    space, name = _full_name(kind, space)
    named[name] = None
    if inner == "fixed":
        size = int(kind["size"])
    elif inner == "enum":
        size = 1
    else:
        size = sum(_least(field["type"], named, space) for field in kind["fields"])
    named[name] = size
    return size


def _least_of_name(name: str, named: dict[str, int | None], space: str) -> int:
    if name == "null":
        return 0
    if name in _PRIMITIVE_BYTES:
        return _PRIMITIVE_BYTES[name]
    full = name if "." in name or not space else f"{space}.{name}"
    size = named[full] if full in named else named[name]
    if size is None:
        raise ValueError("it contains itself")
    return size


def _full_name(kind: dict[str, Any], space: str) -> tuple[str, str]:
    """Return the namespace and the full name of a named type."""
    name = kind["name"]
    if "." in name:
        return name.rpartition(".")[0], name
    space = kind.get("namespace", space) or ""
    return space, f"{space}.{name}" if space else name
