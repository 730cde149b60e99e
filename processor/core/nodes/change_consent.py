"""``grant`` and ``withdraw``: answers about consent that a program writes down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.core.consenting import grant, withdraw
from processor.core.model import Node
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["ChangeConsent"]


@dataclass(frozen=True, kw_only=True)
class ChangeConsent(Node):
    """Write an answer down, for one channel or for all; what follows from the event follows from this too."""

    purpose: str
    grants: bool
    channel: str = ""
    text: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "grant" if self.grants else "withdraw"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Answer and go on."""
        props: dict[str, Any] = {"purpose": self.purpose, "by": f"program {enrollment.program}"}
        if self.channel:
            props["channel"] = self.channel
        if self.text:
            props["text"] = self.text
        before_ms = turn.occurred_ms
        turn.occurred_ms = turn.now_ms  # a step acts now, however late its event came
        record(turn, "stepped", enrollment, self.id)
        if self.grants:
            grant(turn, props)
        else:
            withdraw(turn, props)
        turn.occurred_ms = before_ms
        turn.derived.append(("consent_granted" if self.grants else "consent_withdrawn", props))
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"{self.kind} {self.purpose}" + (f" on {self.channel}" if self.channel else "")
