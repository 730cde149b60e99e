"""What is looked at before an event acts: its time, whether it came before, and whose it is by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.erasure import erase
from processor.core.identity import forward
from processor.core.ids import FINGERPRINT_BYTES, seen
from processor.core.limits import RECENT_MAX
from processor.core.outputs import Decision

if TYPE_CHECKING:
    from processor.core.events import Event
    from processor.core.turn import Turn

__all__ = ["AHEAD_MS_MAX", "LATE_MS", "clamped", "is_duplicate", "note_late", "passed_on"]

AHEAD_MS_MAX: Final = 5 * 60_000  # an event further ahead of its log's append time is set back to it
LATE_MS: Final = 5 * 60_000  # an event older than the contact's clock by more is recorded as late


def clamped(turn: Turn, event: Event) -> int:
    """When the event occurred, as far as its log can believe it."""
    append_ms = event.append_ms
    if not append_ms or event.occurred_ms <= append_ms + AHEAD_MS_MAX:
        return event.occurred_ms
    detail = {"event": event.event_id, "ms": event.occurred_ms}
    turn.out.append(Decision("clamped", turn.contact_id, append_ms, detail=detail))
    return append_ms


def passed_on(turn: Turn, event: Event, occurred_ms: int, body: dict[str, Any]) -> bool:
    """An event of a contact that has become another; False where it turns out to be this one that stays."""
    if event.type == "contact_erased":
        erase(turn, event.event_id, max(turn.row.clock_ms, occurred_ms))
        return True
    return forward(turn, event, body)


def is_duplicate(turn: Turn, event: Event) -> bool:
    """Whether the event is one of the latest once more; one that is not is remembered."""
    row = turn.row
    recent = row.recent
    fingerprint = event.fingerprint
    if seen(recent, fingerprint):
        turn.out.append(
            Decision("duplicate", turn.contact_id, row.clock_ms, detail={"event": event.event_id})
        )
        return True
    if len(recent) >= RECENT_MAX * FINGERPRINT_BYTES:
        recent = recent[FINGERPRINT_BYTES:]
    row.recent = recent + fingerprint
    return False


def note_late(turn: Turn, event: Event, by_ms: int) -> None:
    """Record an event that is older than the contact's clock by more than LATE_MS."""
    if by_ms > LATE_MS:
        detail = {"event": event.event_id, "by_ms": by_ms}
        turn.out.append(Decision("late", turn.contact_id, turn.row.clock_ms, detail=detail))
