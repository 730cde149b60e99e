"""``alert``: tell a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Alert"]


@dataclass(frozen=True, kw_only=True)
class Alert(Node):
    """A command to people rather than to the contact; ``text`` is the message as written."""

    channel: str
    message: Fn
    text: str
    purpose: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "alert"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Give the command and go on."""
        channel = turn.topology.channels[self.channel]
        give_command(
            turn,
            enrollment,
            self,
            channel=channel,
            purpose=turn.topology.purpose_of(self.purpose),
            template="",
            values={"message": self.message(turn)},
            expires_ms=channel.expires_ms,
        )
        return self.next

    def gives(self, track: Track, *, due: bool) -> bool:
        """Always."""
        return True

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"alert {self.channel}"
