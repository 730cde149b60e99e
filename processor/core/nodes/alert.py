"""``alert``: tell a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.core.expressions.moments import iso
from processor.core.handover import context
from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Alert"]


@dataclass(frozen=True, kw_only=True)
class Alert(Node):
    """A command to people rather than to the contact; ``text`` is the message as written.

    ``due_ms`` after now it is due (0: it does not say); ``context`` tells what is known of the contact.
    """

    channel: str
    message: Fn
    text: str
    due_ms: int = 0
    purpose: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "alert"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Give the command and go on."""
        channel = turn.topology.channels[self.channel]
        values: dict[str, Any] = {"message": self.message(turn)}
        if self.due_ms:
            values["due"] = iso(turn.now_ms + self.due_ms)
        if self.context:
            values["context"] = context(turn)
        give_command(
            turn,
            enrollment,
            self,
            channel=channel,
            purpose=turn.topology.purpose_of(self.purpose),
            template="",
            values=values,
            expires_ms=channel.expires_ms,
        )
        return self.next

    def gives(self, track: Track, *, due: bool) -> bool:
        """Always."""
        return True

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"alert {self.channel}"
