"""``goto``: go on at another step."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from processor.core.model import Node

if TYPE_CHECKING:
    from processor.core.rows import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Jump"]


class Jump(Node, frozen=True, kw_only=True):
    """Go on at ``target``."""

    kind: ClassVar[str] = "goto"
    target: str

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Go there."""
        return self.target

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """The one way."""
        return (("", self.target),)

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"go to {self.target}"
