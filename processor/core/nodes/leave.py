"""``exit``: end the enrollment here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from processor.core.enrollments import end
from processor.core.model import Node

if TYPE_CHECKING:
    from processor.core.rows import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Leave"]


class Leave(Node, frozen=True, kw_only=True):
    """End the whole enrollment, with the reason as written."""

    kind: ClassVar[str] = "exit"
    reason: str

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """End it."""
        end(turn, enrollment, "exit", self.reason, self.id)
        return None

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """None: nothing follows."""
        return ()

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"exit: {self.reason}" if self.reason else "exit"
