"""``enroll``: start another program for the contact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Node
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Enroll"]


@dataclass(frozen=True, kw_only=True)
class Enroll(Node):
    """Raise the event that enters the other program; its own rules still decide."""

    program: str

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "enroll"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Raise it and go on."""
        turn.derived.append(("enrolled", {**(enrollment.entry or {}), "program": self.program}))
        record(turn, "stepped", enrollment, self.id)
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"enroll in {self.program}"
