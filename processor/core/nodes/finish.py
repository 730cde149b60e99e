"""``finish``: the steps are over, and the goal still counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Node
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Finish"]


@dataclass(frozen=True, kw_only=True)
class Finish(Node):
    """End all branches as if the last step had run: the enrollment is completed, not exited."""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "finish"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Let go of the other branches; this one ends here."""
        record(turn, "stepped", enrollment, self.id)
        track.fork = ""
        enrollment.tracks[:] = [track]
        turn.retimed = True
        return None

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """None: nothing follows."""
        return ()

    def title(self) -> str:
        """What a drawing writes in the box."""
        return "finish"
