"""Decisions about an enrollment, as whoever decides writes them down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.outputs import Decision

if TYPE_CHECKING:
    from processor.core.sections import Enrollment
    from processor.core.turn import Turn

__all__ = ["record"]


def record(
    turn: Turn,
    kind: str,
    enrollment: Enrollment,
    step: str = "",
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Write down a decision about an enrollment."""
    turn.out.append(
        Decision(
            kind,
            turn.contact_id,
            turn.now_ms,
            enrollment.program,
            enrollment.version,
            enrollment.id,
            step,
            reason,
            detail,
        )
    )
