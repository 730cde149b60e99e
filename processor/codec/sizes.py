"""How large an output may be: one bound for whatever writes outputs, so that all shells decide alike.

A command, a decision or a message that cannot be written, or is larger, makes its input fail (a dead letter,
and the row as before). So the bound decides, and may not depend on where an output goes: it is one of the
Avro body without a frame, whatever is written. A line of JSON, or a value with its frame, is never shorter
than that body, so it is the body's length that has to be found out only where those are beyond the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from processor.codec.outputs import command_line, decision_line
from processor.codec.quick_outputs import command_body, decision_body
from processor.core.events import Message
from processor.core.outputs import Command, Decision, Output

__all__ = ["OUTPUT_BYTES_MAX", "OutputTooLargeError", "check_message", "check_outputs", "check_size"]

# Of one command, decision or message: above the row that a merge sends (1 MiB and what is around it), and
# below what any topic takes (4 MiB).
OUTPUT_BYTES_MAX: Final = 2 << 20

_pack = msgspec.msgpack.Encoder().encode


class OutputTooLargeError(Exception):
    """An input would give an output larger than OUTPUT_BYTES_MAX: it is not applied."""


def check_size(output: Command | Decision, written_bytes: int) -> None:
    """Raise OutputTooLargeError where an output, which was written as so many bytes, is too large."""
    if written_bytes <= OUTPUT_BYTES_MAX:
        return
    body = command_body(output) if isinstance(output, Command) else decision_body(output)
    if len(body) > OUTPUT_BYTES_MAX:
        raise OutputTooLargeError


def check_message(message: Message) -> None:
    """Raise where a message is too large or cannot be written, also one that stays in its partition.

    Only a forwarded event can be: a row is bounded by itself, and the others are small.
    """
    if message.kind == "event" and len(_pack(message.body)) > OUTPUT_BYTES_MAX:
        raise OutputTooLargeError


def check_outputs(outputs: Sequence[Output]) -> None:
    """Raise where one of these cannot be written or is too large; for a shell that writes nothing."""
    for output in outputs:
        if type(output) is Decision:
            check_size(output, len(decision_line(output)))
        elif type(output) is Command:
            check_size(output, len(command_line(output)))
        elif type(output) is Message:
            check_message(output)
