"""``add_to`` and ``remove_from``: lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from processor.core.enrollments import record
from processor.core.model import Node
from processor.core.profile import join_list, leave_list

if TYPE_CHECKING:
    from processor.core.rows import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["ChangeList"]


class ChangeList(Node, frozen=True, kw_only=True):
    """Put the contact on a list, or take it off."""

    kind: ClassVar[str] = "list"
    list: str
    join: bool

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
