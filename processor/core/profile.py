"""What events say about the contact itself: attributes and lists.

Each change marks what depends on it, so that segments are looked at again and date timers set anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.limits import ATTRIBUTES_MAX, LISTS_MAX
from processor.core.outputs import Decision

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["join_list", "leave_list", "set_attribute", "update_profile"]


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
        turn.redated.append("")
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


def update_profile(turn: Turn, props: dict[str, Any]) -> None:
    """``profile_updated``: a null removes an attribute."""
    for name, value in props.items():
        set_attribute(turn, name, value)


def _limit(turn: Turn, reason: str, what: str) -> None:
    turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", reason, {"name": what}))
