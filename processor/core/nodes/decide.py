"""``decide``: the first branch whose condition holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Fn, Node
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Decide"]


@dataclass(frozen=True, kw_only=True)
class Decide(Node):
    """A decision point. ``texts`` are the conditions as written, beside ``branches``."""

    branches: tuple[tuple[Fn, str | None], ...]
    otherwise: str | None
    texts: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "decide"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Take the first branch that holds, else the last way out."""
        for index, (condition, target) in enumerate(self.branches):
            if condition(turn):
                record(turn, "stepped", enrollment, self.id, self.texts[index])
                return target
        record(turn, "stepped", enrollment, self.id, "else")
        return self.otherwise

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """A way out for each condition, and one for none."""
        taken = [(text, target) for text, (_, target) in zip(self.texts, self.branches, strict=True)]
        return (*taken, ("else", self.otherwise))
