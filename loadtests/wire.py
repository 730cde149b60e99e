"""Records of topics: values decoded and encoded, once each, without a broker.

The events are those of the workload, the outputs are made of them. A figure is the best of five rounds over
the same values, in microseconds: what a shared machine takes away is not the codec's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from loadtests.workload import lines
from processor.codec.events import decode_event
from processor.codec.frames import confluent_head
from processor.codec.records import JSON_HEAD, Clock, Decoder, Encoder
from processor.codec.registry import FileSchemas
from processor.codec.schemas import schema
from processor.codec.wire import EventDecoder
from processor.core.events import Event, Message
from processor.core.outputs import Command, Decision

__all__ = ["measure"]

COUNT = 5000
ROUNDS = 5


class _Registry(FileSchemas):
    """Knows one schema, as a registry would after it was asked: ours, with one field more."""

    has_ids = True

    def peek(self, key: Any) -> Any:
        if isinstance(key, bytes):
            return super().peek(key)
        declared = schema("event")
        return {**declared, "fields": [*declared["fields"], {"name": "extra", "type": "int", "default": 0}]}


def measure() -> dict[str, Any]:
    """Return microseconds for each value, by what is done; and the size of an event's value."""
    files = FileSchemas()
    raw = list(islice(lines(COUNT, COUNT // 4), COUNT))
    events = [event for event in map(decode_event, raw) if isinstance(event, Event)]
    assert len(events) == COUNT, "the workload holds only good events"
    head = files.head("events", "event")
    single = [Encoder("event", head).encode(event) for event in events]
    foreign = [confluent_head(1) + value[len(head) :] + b"\0" for value in single]
    made: dict[str, Any] = {
        "event_bytes_median": sorted(map(len, single))[COUNT // 2],
        "decode_event_single_object_us": _best(EventDecoder(files).decode, single),
        "decode_event_foreign_schema_us": _best(EventDecoder(_Registry()).decode, foreign),
        "decode_event_json_us": _best(EventDecoder(files).decode, raw),
        "encode_event_us": _best(Encoder("event", head).encode, events),
    }
    for subject, items in _outputs(events).items():
        encode = Encoder(subject, files.head("", subject)).encode
        values = [encode(item) for item in items]
        made[f"encode_{subject}_us"] = _best(encode, items)
        made[f"encode_{subject}_json_us"] = _best(Encoder(subject, JSON_HEAD).encode, items)
        made[f"decode_{subject}_us"] = _best(Decoder(subject, files).decode, values)
    return made


def _outputs(events: Sequence[Event]) -> dict[str, list[Any]]:
    made: dict[str, list[Any]] = {"command": [], "decision": [], "clock": [], "message": []}
    for number, event in enumerate(events):
        at, contact, run = event.occurred_ms, event.contact_id, f"{number:024x}"
        values = {"lines": [{"sku": "1", "quantity": 2}], "rep": "ana"}
        ids = (f"{number:032x}", "email", "message", contact, "abandoned-cart", 3, run, "send-email-reminder")
        made["command"].append(Command(*ids, "discount", "reminder", values, "marketing", at, at, at + 9000))
        made["decision"].append(Decision("stepped", contact, at, "abandoned-cart", 3, run, "wait-1h"))
        made["clock"].append(Clock({"events": number, "internal": 3}, at, at, contact))
        made["message"].append(Message("event", contact, at, {"properties": event.properties}))
    return made


def _best(do: Callable[[Any], Any], values: Sequence[Any]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for value in values:
            do(value)
        best = min(best, time.perf_counter() - begin)
    return round(best / len(values) * 1e6, 2)
