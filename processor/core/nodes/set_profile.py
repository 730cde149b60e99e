"""``set``: write profile attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Fn, Node
from processor.core.profile import set_attribute
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["SetProfile"]


@dataclass(frozen=True, kw_only=True)
class SetProfile(Node):
    """Set attributes to the values of expressions; all are evaluated before any is written."""

    values: tuple[tuple[str, Fn], ...]

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "set"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Write them and go on."""
        results = [(name, value(turn)) for name, value in self.values]
        for name, result in results:
            set_attribute(turn, name, result)
        record(turn, "stepped", enrollment, self.id)
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        return "set " + ", ".join(name for name, _ in self.values)
