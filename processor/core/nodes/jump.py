"""``goto``: go on at another step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Node

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Jump"]


@dataclass(frozen=True, kw_only=True)
class Jump(Node):
    """Go on at ``target``."""

    target: str

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "goto"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Go there."""
        return self.target

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """The one way."""
        return (("", self.target),)

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"go to {self.target}"
