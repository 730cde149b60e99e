"""The shapes that msgspec reads and writes for the codec: an event as a line, and the lines of outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import msgspec

__all__ = [
    "DEPTH_MAX", "CommandLine", "DeadLetter", "DeadLetterLine", "Properties", "Refusal",
    "Wire",
]  # fmt: skip

DEPTH_MAX: Final = 8

# Rows are stored as msgpack, which holds integers of 64 bits, and are decoded by recursion: so the decoder
# refuses both larger numbers and deeper nesting here, at the door, where it costs nothing.
_Int = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Scalar = str | _Int | float | bool | None


def _nested(depth: int) -> Any:
    value: Any = _Scalar
    for _ in range(depth - 1):
        value = _Scalar | list[value] | dict[str, value]
    return dict[str, value]


if TYPE_CHECKING:
    Properties = dict[str, Any]
else:
    Properties = _nested(DEPTH_MAX)


class Refusal(msgspec.Struct, frozen=True):
    """Why a record is not an event: `reason` is a key of :data:`REASONS`, `message` a sentence for people."""

    reason: str
    message: str


class Wire(msgspec.Struct, gc=False):
    """An event as a line of JSON says it."""

    contact_id: str
    type: str
    occurred_at: str
    event_id: str | None = None
    appended_at: str | None = None
    properties: Properties | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be taken: `reason` is a code, `message` a sentence without personal data.

    ``line`` is the record's number in ``file``; ``raw`` the record as it came. Of a record of a topic,
    ``topic``, ``partition`` and ``offset`` say where it stands; ``file`` and ``line`` say the same.
    """

    reason: str
    message: str
    file: str
    line: int
    raw: bytes
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None

    @classmethod
    def of_record(
        cls, reason: str, message: str, raw: bytes | None, topic: str, partition: int, offset: int
    ) -> Self:
        """A record of a topic; its key travels as the key of the dead letter's own record."""
        return cls(reason, message, f"{topic}/{partition}", offset, raw or b"", topic, partition, offset)


class CommandLine(msgspec.Struct, gc=False):
    """A command as a line of JSON, in the order of its fields."""

    command_id: str
    channel: str
    kind: str
    contact_id: str
    program: str
    version: int
    enrollment: str
    step: str
    variant: str | None
    template: str | None
    values: dict[str, Any]
    purpose: str | None
    decided_at: str
    not_before: str
    expires_at: str | None


class DeadLetterLine(msgspec.Struct, gc=False):
    """A dead letter as a line of JSON, in the order of its fields."""

    reason: str
    message: str
    file: str
    line: int
    raw: str | None
    raw_base64: str | None
    topic: str | None
    partition: int | None
    offset: int | None
