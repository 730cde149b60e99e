"""``score``: add points to a score, or set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Fn, Node
from processor.core.recording import record
from processor.core.scoring import add_points, set_score

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["AddScore"]


@dataclass(frozen=True, kw_only=True)
class AddScore(Node):
    """Add a number or an expression's result, or set the score to ``to``."""

    model: str
    add: float
    add_fn: Fn | None
    to: float | None

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "score"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Change the score and go on."""
        if self.to is not None:
            set_score(turn, self.model, self.to, enrollment.program, self.id)
        else:
            points = self.add if self.add_fn is None else self.add_fn(turn)
            if points:
                add_points(turn, self.model, points, enrollment.program, self.id)
        record(turn, "stepped", enrollment, self.id)
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        if self.to is not None:
            return f"{self.model} = {self.to:g}"
        return f"{self.model} {self.add:+g}" if self.add_fn is None else f"score {self.model}"
