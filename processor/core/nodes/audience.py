"""``audience``: put the contact into an audience of an ad network, or take it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command
from processor.core.policies import has_consent
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Audience"]


@dataclass(frozen=True, kw_only=True)
class Audience(Node):
    """Tell a channel of kind audience; the contact hears nothing of it.

    Coming in needs the consent of the step's purpose, and the address by which the network knows the contact.
    Going out needs neither: it has to work when the consent is gone.
    """

    channel: str
    audience: str
    adds: bool
    values: tuple[tuple[str, Fn], ...]
    purpose: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "audience"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Give the command and go on."""
        channel = turn.topology.channels[self.channel]
        purpose = turn.topology.purpose_of(self.purpose)
        rule = ""
        if self.adds and channel.address and not turn.row.attributes.get(channel.address):
            rule = "no_address"
        elif self.adds and purpose.consent and not has_consent(turn, purpose.name, channel.name):
            rule = "no_consent"
        if rule:
            detail = {"channel": self.channel, "audience": self.audience}
            record(turn, "suppressed", enrollment, self.id, rule, detail)
            return self.next
        values: dict[str, Any] = {"audience": self.audience, "do": "add" if self.adds else "remove"}
        for name, value in self.values:
            values[name] = value(turn)
        give_command(
            turn,
            enrollment,
            self,
            channel=channel,
            purpose=purpose,
            template="",
            values=values,
            expires_ms=channel.expires_ms,
        )
        return self.next

    def gives(self, track: Track, *, due: bool) -> bool:
        """Where it adds; nobody is kept in an audience because a program is paused."""
        return self.adds

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"{'into' if self.adds else 'out of'} {self.audience} on {self.channel}"
