"""``exit``: end the enrollment here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.enrollments import end
from processor.core.model import Node

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Leave"]


@dataclass(frozen=True, kw_only=True)
class Leave(Node):
    """End the whole enrollment, with the reason as written."""

    reason: str

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "exit"

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
