"""``send``: a command to a channel, if the policies let it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.enrollments import record
from processor.core.lifecycle import move_track
from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command
from processor.core.policies import Verdict, judge, remember_send

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Send"]


@dataclass(frozen=True, kw_only=True)
class Send(Node):
    """A message to the contact. ``values`` are expressions whose results travel with the command.

    ``when_capped`` and ``when_quiet`` say whether a send held back by a policy waits or is skipped;
    it waits at the longest ``hold_ms``, then it is skipped ("held_too_long").
    """

    channel: str
    template: str
    values: tuple[tuple[str, Fn], ...]
    purpose: str
    when_capped: str
    when_quiet: str
    hold_ms: int
    expires_ms: int

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "send"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Send, hold or skip."""
        topology = turn.topology
        purpose = topology.purposes[self.purpose]
        channel = topology.channels[self.channel]
        verdict = judge(turn, purpose, channel, self.when_quiet, self.when_capped)
        if verdict.outcome == "send":
            give_command(
                turn,
                enrollment,
                self,
                channel=channel,
                purpose=purpose,
                template=self.template,
                values={name: value(turn) for name, value in self.values},
                expires_ms=self.expires_ms,
            )
            remember_send(turn, purpose, channel)
            return self.next
        return self._hold_back(turn, enrollment, track, verdict)

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The policy's instant has come: ask again."""
        return self.enter(turn, enrollment, track)

    def _hold_back(self, turn: Turn, enrollment: Enrollment, track: Track, verdict: Verdict) -> str | None:
        detail = {"channel": self.channel, "template": self.template}
        if verdict.outcome == "wait":
            give_up_ms = track.since_ms + self.hold_ms
            if turn.now_ms < give_up_ms:
                track.due_ms = min(verdict.until_ms, give_up_ms)
                turn.retimed = True
                move_track(track, "hold")
                record(turn, "held", enrollment, self.id, verdict.rule, detail | {"until": track.due_ms})
                return None
            detail["held_by"] = verdict.rule
            verdict = Verdict("skip", "held_too_long")
        record(turn, "suppressed", enrollment, self.id, verdict.rule, detail)
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"{self.channel}: {self.template}"
