"""``webhook``: tell another system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Webhook"]


@dataclass(frozen=True, kw_only=True)
class Webhook(Node):
    """A command to a system rather than to the contact, with ``values`` as its payload."""

    channel: str
    values: tuple[tuple[str, Fn], ...]
    purpose: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "webhook"

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
            values={name: value(turn) for name, value in self.values},
            expires_ms=channel.expires_ms,
        )
        return self.next

    def gives(self, track: Track, *, due: bool) -> bool:
        """Always."""
        return True

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"webhook {self.channel}"
