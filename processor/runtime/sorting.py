"""Records decoded and checked, before anything is decided: a loop over every event, so it is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from processor.codec.events import Refusal, decode
from processor.codec.readers import Raw
from processor.core.events import Event
from processor.core.model import Topology
from processor.core.schema import validate
from processor.runtime.letters import IN_THE_FUTURE, refusal_of

__all__ = ["Sorted", "sort_out"]

Sorted = tuple[list[Event | Refusal], list[str], bool]


def sort_out(topology: Topology, records: Sequence[tuple[int, Raw]], until_ms: int, future_ms: int) -> Sorted:
    """Decode and check records.

    Args:
        topology: declares the events.
        records: each with its number.
        until_ms: the first record beyond it ends the run.
        future_ms: records beyond it are refused.

    Returns:
        what to feed or refuse, one for each record; the contacts of the former; whether the time is up, and
        then the first part of the records only.
    """
    items: list[Event | Refusal] = []
    contacts: list[str] = []
    checks: Final = topology.checks
    for _, raw in records:
        item = decode(raw)
        if not isinstance(item, Event):
            items.append(item)
            continue
        at_ms = item.append_ms or item.occurred_ms
        if at_ms > until_ms:
            return items, contacts, True
        if at_ms > future_ms:
            items.append(IN_THE_FUTURE)
            continue
        check = checks.get(item.type)
        properties = item.properties
        wrong = validate(topology, item.type, properties) if check is None else check(properties)
        if wrong is not None:
            items.append(refusal_of(wrong))
            continue
        items.append(item)
        contacts.append(item.contact_id)
    return items, contacts, False
