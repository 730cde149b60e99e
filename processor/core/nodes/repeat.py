"""``repeat``: run steps again, a limited number of times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Fn, Node
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Repeat"]


@dataclass(frozen=True, kw_only=True)
class Repeat(Node):
    """Run ``body`` up to ``times``, as long as ``until`` does not hold. The body's last step leads back here.

    The step is looped by nature, so its visits in the enrollment are its rounds.
    """

    times: int
    until: Fn | None
    body: str | None

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "repeat"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Another round, or on."""
        visits = enrollment.visits or {}
        rounds = visits.get(self.id, 1)
        if rounds > self.times:
            reason = "rounds_done"
        elif self.until is not None and self.until(turn):
            reason = "until"
        else:
            record(turn, "stepped", enrollment, self.id, f"round {rounds}")
            return self.body
        if enrollment.visits is not None:
            enrollment.visits.pop(self.id, None)  # entered anew, by a goto, it counts from the start
        record(turn, "stepped", enrollment, self.id, reason)
        return self.next

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """Into the body, and on."""
        return ((f"up to {self.times} times", self.body), ("then", self.next))
