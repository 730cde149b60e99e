"""What events say about the contact itself: attributes, consents, lists; and an operator's release of timers.

Each change marks what depends on it, so that segments are looked at again and date timers set anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.brakes import say
from processor.core.limits import ATTRIBUTES_MAX, CONSENTS_MAX, LISTS_MAX
from processor.core.named import GRANTED, WITHDRAWN
from processor.core.outputs import Decision
from processor.core.timers import release

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.core.turn import Turn

__all__ = ["BUILT_IN", "join_list", "leave_list", "set_attribute"]


def set_attribute(turn: Turn, name: str, value: Any) -> None:
    """Set a profile attribute, or remove it with None."""
    attributes = turn.row.attributes
    if attributes.get(name) == value and (value is not None or name not in attributes):
        return
    turn.row.change_attributes()
    if value is None:
        attributes.pop(name, None)
    elif name not in attributes and len(attributes) >= ATTRIBUTES_MAX:
        _limit(turn, "profile_full", name)
        return
    else:
        attributes[name] = value
    turn.stale.extend(turn.topology.segments_by_attribute.get(name, ()))
    if name == "tz":
        turn.zone = None
        turn.redated.extend(turn.topology.dates_by_attribute)
    elif name in turn.topology.dates_by_attribute:
        turn.redated.append(name)


def join_list(turn: Turn, name: str) -> None:
    """Put the contact on a list; the instant it joined first is kept."""
    lists = turn.row.lists
    if name in lists:
        return
    if len(lists) >= LISTS_MAX:
        _limit(turn, "lists_full", name)
        return
    turn.row.change_lists()[name] = turn.now_ms
    turn.stale.extend(turn.topology.segments_by_list)


def leave_list(turn: Turn, name: str) -> None:
    """Take the contact off a list."""
    if turn.row.change_lists().pop(name, None) is not None:
        turn.stale.extend(turn.topology.segments_by_list)


def _profile_updated(turn: Turn, props: dict[str, Any]) -> None:
    for name, value in props.items():
        set_attribute(turn, name, value)


def _list_joined(turn: Turn, props: dict[str, Any]) -> None:
    join_list(turn, props["list"])


def _list_left(turn: Turn, props: dict[str, Any]) -> None:
    leave_list(turn, props["list"])


def _consent_granted(turn: Turn, props: dict[str, Any]) -> None:
    consents = turn.row.consents
    channel = props.get("channel")
    key = f"{props['purpose']}/{channel}" if channel else props["purpose"]
    if key not in consents and len(consents.names()) >= CONSENTS_MAX:
        _limit(turn, "consents_full", key)
        return
    consents.answer(key, GRANTED, turn.now_ms)
    turn.stale.extend(turn.topology.segments_by_consent)


def _consent_withdrawn(turn: Turn, props: dict[str, Any]) -> None:
    """Without a channel the purpose goes on every channel; without a purpose, every purpose goes."""
    consents = turn.row.consents
    purpose = props.get("purpose")
    channel = props.get("channel")
    if channel:
        bases = [purpose] if purpose else list(turn.topology.purposes)
        keys = [f"{base}/{channel}" for base in bases]
    else:
        keys = [key for key in consents.names() if purpose is None or key.split("/", 1)[0] == purpose]
        if purpose and purpose not in keys:
            keys.append(purpose)
    for key in keys:
        if key in consents or len(consents.names()) < CONSENTS_MAX:
            consents.answer(key, WITHDRAWN, turn.now_ms)
        else:
            _limit(turn, "consents_full", key)
    turn.stale.extend(turn.topology.segments_by_consent)


def _limit(turn: Turn, reason: str, what: str) -> None:
    turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", reason, {"name": what}))


BUILT_IN: dict[str, Callable[[Turn, dict[str, Any]], None]] = {
    "profile_updated": _profile_updated,
    "consent_granted": _consent_granted,
    "consent_withdrawn": _consent_withdrawn,
    "list_joined": _list_joined,
    "list_left": _list_left,
    "timers_released": release,
    "program_paused": say,
    "program_resumed": say,
    "held_released": say,
    "held_dropped": say,
}
