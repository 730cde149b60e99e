"""``add_to`` and ``remove_from``: lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Node
from processor.core.profile import join_list, leave_list
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["ChangeList"]


@dataclass(frozen=True, kw_only=True)
class ChangeList(Node):
    """Put the contact on a list, or take it off."""

    list: str
    join: bool

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "list"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Change the list and go on."""
        if self.join:
            join_list(turn, self.list)
        else:
            leave_list(turn, self.list)
        record(turn, "stepped", enrollment, self.id)
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"add to {self.list}" if self.join else f"remove from {self.list}"
