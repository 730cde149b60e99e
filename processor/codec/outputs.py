"""Commands, decisions and dead letters as the world sees them: a line of JSON, or a record of Avro.

Field names and their order are the public contract; the Avro schemas under `schemas/` say what each means.
Every field is always there, and null says that there is nothing to say: no variant, no template, no expiry.
Times are text such as "2026-03-01T09:30:00Z" in JSON and timestamp-millis in Avro. `values` and `detail` are
JSON objects; in Avro they travel as JSON text, since a template's values nest as deep as a shop's order lines
do, and no Avro type takes that without a schema of its own.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final

import msgspec
from librt.strings import BytesWriter

from processor.codec.shapes import CommandLine, DeadLetter, DeadLetterLine
from processor.core.outputs import Command, Decision
from processor.core.time import format_time

__all__ = [
    "RAW_BYTES_MAX",
    "DeadLetter",
    "command_line",
    "command_record",
    "dead_letter_line",
    "dead_letter_record",
    "decision_line",
    "decision_record",
    "raw_bytes",
]

RAW_BYTES_MAX: Final = 1 << 20  # of a refused record that a dead letter keeps; the rest is cut off

_encode = msgspec.json.Encoder().encode


# A time is put together of an hour, which many share and is remembered, a second in it, and what is left.
_HOUR_MS: Final = 3_600_000
_HOURS_MAX: Final = 1 << 13
_HOURS: Final[dict[int, bytes]] = {}
_IN_HOUR: Final[list[bytes]] = [b"%02d:%02d" % divmod(second, 60) for second in range(3600)]
_MILLIS: Final[list[bytes]] = [b"Z", *(b".%03dZ" % milli for milli in range(1, 1000))]


def _hour(hour: int) -> bytes:
    """As `format_time` begins for an instant in this hour since 1970: "2026-03-01T09:"."""
    found = _HOURS.get(hour)
    if found is None:
        if len(_HOURS) >= _HOURS_MAX:
            _HOURS.clear()
        found = _HOURS[hour] = format_time(hour * _HOUR_MS)[:-_AFTER_HOUR].encode()
    return found


_AFTER_HOUR: Final = len("00:00Z")


def _time_text(ms: int) -> str:
    in_hour = ms % _HOUR_MS
    return (_hour(ms // _HOUR_MS) + _IN_HOUR[in_hour // 1000] + _MILLIS[ms % 1000]).decode()


def command_line(command: Command) -> bytes:
    """Return a command as JSON, without the end of the line."""
    c = command
    decided_at = _time_text(c.decided_ms)
    return _encode(
        CommandLine(
            c.command_id,
            c.channel,
            c.kind,
            c.contact_id,
            c.program,
            c.version,
            c.enrollment,
            c.step,
            c.variant or None,
            c.template or None,
            c.values,
            c.purpose or None,
            decided_at,
            decided_at if c.not_before_ms == c.decided_ms else _time_text(c.not_before_ms),
            _time_text(c.expires_ms) if c.expires_ms else None,
        )
    )


def decision_line(decision: Decision) -> bytes:
    """Return a decision as JSON, without the end of the line.

    Put together from parts, most of which repeat and are remembered: there are more decisions
    than events, and so this is where a run writes most.
    """
    d = decision
    to = BytesWriter()
    ms = d.at_ms
    in_hour = ms % _HOUR_MS
    to.write(b'{"kind":')
    to.write(_word(d.kind))
    to.write(b',"contact_id":')
    to.write(_encode(d.contact_id))
    to.write(b',"decided_at":"')
    to.write(_hour(ms // _HOUR_MS))
    to.write(_IN_HOUR[in_hour // 1000])
    to.write(_MILLIS[ms % 1000])
    to.write(b'","program":')
    to.write(_word(d.program) if d.program else _NULL)
    to.write(b',"version":')
    to.write(str(d.version).encode() if d.version else _NULL)
    to.write(b',"enrollment":')
    to.write(_encode(d.enrollment) if d.enrollment else _NULL)
    to.write(b',"step":')
    to.write(_word(d.step) if d.step else _NULL)
    to.write(b',"reason":')
    to.write(_word(d.reason) if d.reason else _NULL)
    to.write(b',"detail":')
    detail = d.detail
    to.write(_NULL if detail is None else _encode(detail))
    to.append(_BRACE)
    return to.getvalue()


_NULL: Final = b"null"
_BRACE: Final = 0x7D
_WORDS_MAX: Final = 1 << 12
_WORDS: Final[dict[str, bytes]] = {}


def _word(text: str) -> bytes:
    """A word of the topology as JSON: there are few, and they come in nearly every line."""
    found = _WORDS.get(text)
    if found is None:
        found = _encode(text)
        if len(_WORDS) < _WORDS_MAX:
            _WORDS[text] = found
    return found


def dead_letter_line(letter: DeadLetter) -> bytes:
    """Return a dead letter as JSON, without the end of the line."""
    raw, raw_base64 = _raw(letter)
    return _encode(
        DeadLetterLine(
            letter.reason,
            letter.message,
            letter.file,
            letter.line,
            raw,
            raw_base64,
            letter.topic,
            letter.partition,
            letter.offset,
        )
    )


def command_record(command: Command) -> dict[str, Any]:
    """Return a command as a record of `command.avsc`."""
    c = command
    return {
        "command_id": c.command_id,
        "channel": c.channel,
        "kind": c.kind,
        "contact_id": c.contact_id,
        "program": c.program,
        "version": c.version,
        "enrollment": c.enrollment,
        "step": c.step,
        "variant": c.variant or None,
        "template": c.template or None,
        "values": _encode(c.values).decode(),
        "purpose": c.purpose or None,
        "decided_at": c.decided_ms,
        "not_before": c.not_before_ms,
        "expires_at": c.expires_ms or None,
    }


def decision_record(decision: Decision) -> dict[str, Any]:
    """Return a decision as a record of `decision.avsc`."""
    d = decision
    return {
        "kind": d.kind,
        "contact_id": d.contact_id,
        "decided_at": d.at_ms,
        "program": d.program or None,
        "version": d.version or None,
        "enrollment": d.enrollment or None,
        "step": d.step or None,
        "reason": d.reason or None,
        "detail": None if d.detail is None else _encode(d.detail).decode(),
    }


def dead_letter_record(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as a record of `dead-letter.avsc`."""
    raw, raw_base64 = _raw(letter)
    return {
        "reason": letter.reason,
        "message": letter.message,
        "file": letter.file,
        "line": letter.line,
        "raw": raw,
        "raw_base64": raw_base64,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
    }


def raw_bytes(raw: str | None, raw_base64: str | None) -> bytes:
    """Return the refused record of a dead letter, to replay it."""
    return b64decode(raw_base64) if raw is None and raw_base64 is not None else (raw or "").encode()


def _raw(letter: DeadLetter) -> tuple[str | None, str | None]:
    """The record as text where it is UTF-8, else in base64."""
    data = letter.raw[:RAW_BYTES_MAX]
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, b64encode(data).decode()
