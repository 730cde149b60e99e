"""Dead letters: what each record says that a run did not take, refused at the door or failed on inside."""

from __future__ import annotations

from typing import Final

import msgspec

from processor.codec.events import Refusal
from processor.codec.outputs import DeadLetter
from processor.codec.readers import Raw
from processor.core.events import Event, Message
from processor.core.model import Topology
from processor.core.schema import validate
from processor.runtime.driver import Failure

__all__ = [
    "FUTURE_MS_MAX",
    "IN_THE_FUTURE",
    "checked",
    "letter_of_failed",
    "letter_of_internal",
    "letter_of_refused",
    "refusal_of",
]

FUTURE_MS_MAX: Final = 5 * 60_000

IN_THE_FUTURE: Final = Refusal(
    "in_the_future",
    f"the record's time is more than {FUTURE_MS_MAX // 60_000} minutes ahead of the clock: set the sender's "
    "clock right, or say until when to run if this is meant",
)
_FAULT: Final = "the processor failed on it, which is a fault of the processor: please report {}"
_SENTENCES: Final = {
    "unknown_event_type": "the topology has no event of this type: declare it, or leave out such records",
    "derived_event_type": "events of this type are raised by the machine and cannot be published",
    "missing_property": "the property {} is missing: send it, or declare it with ? where it may be missing",
    "wrong_type": "a property is not what the topology declares: {}",
}


def refusal_of(wrong: str) -> Refusal:
    """Make a refusal of what :func:`processor.core.schema.validate` says, which holds no value."""
    reason, _, detail = wrong.partition(": ")
    return Refusal(reason, _SENTENCES.get(reason, "{}").format(detail))


def checked(topology: Topology, found: Event | Refusal) -> Event | Refusal:
    """Refuse an event that the topology does not take; what was refused already stays so."""
    if isinstance(found, Refusal):
        return found
    wrong = validate(topology, found.type, found.properties)
    return found if wrong is None else refusal_of(wrong)


def letter_of_refused(refusal: Refusal, source: str, number: int, raw: Raw) -> DeadLetter:
    """A record that is no event, or none that the topology takes."""
    return DeadLetter(refusal.reason, refusal.message, source, number, _raw_bytes(raw))


def letter_of_failed(reason: str, source: str, number: int, raw: Raw) -> DeadLetter:
    """An event that the core failed on."""
    return DeadLetter("failed", _FAULT.format(reason), source, number, _raw_bytes(raw))


def letter_of_internal(failure: Failure) -> DeadLetter:
    """A timer, a sweep or a message between contacts; it stands in no file, and its raw form is ours."""
    what = "message between contacts" if isinstance(failure.item, Message) else "timer"
    message = f"a {what}: {_FAULT.format(failure.reason)}"
    try:
        raw = msgspec.json.encode(failure.item)
    except (TypeError, ValueError, OverflowError):  # that it cannot be written may be why it failed
        raw = b""
    return DeadLetter("failed", message, "", 0, raw)


def _raw_bytes(raw: Raw) -> bytes:
    """A record of Avro or Parquet as JSON; values that JSON does not have as text."""
    return raw if isinstance(raw, bytes) else msgspec.json.encode(raw, enc_hook=str)
