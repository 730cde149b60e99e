"""What the events that every topology has do to a row, by type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.addresses import release_address, suppress_address
from processor.core.brakes import say
from processor.core.consenting import change_preferences, confirm, grant, withdraw
from processor.core.enrollments import remove
from processor.core.profile import join_list, leave_list, update_profile
from processor.core.timers import release

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.core.turn import Turn

__all__ = ["BUILT_IN"]


def _list_joined(turn: Turn, props: dict[str, Any]) -> None:
    join_list(turn, props["list"])


def _list_left(turn: Turn, props: dict[str, Any]) -> None:
    leave_list(turn, props["list"])


def _contact_removed(turn: Turn, props: dict[str, Any]) -> None:
    remove(turn, props["program"])


BUILT_IN: dict[str, Callable[[Turn, dict[str, Any]], None]] = {
    "profile_updated": update_profile,
    "consent_granted": grant,
    "consent_confirmed": confirm,
    "consent_withdrawn": withdraw,
    "preferences_changed": change_preferences,
    "list_joined": _list_joined,
    "list_left": _list_left,
    "contact_removed": _contact_removed,
    "timers_released": release,
    "program_paused": say,
    "program_resumed": say,
    "held_released": say,
    "held_dropped": say,
    "address_suppressed": suppress_address,
    "address_released": release_address,
}
