"""``route``: hand the contact to a team, its members in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command
from processor.core.profile import set_attribute

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Route"]


@dataclass(frozen=True, kw_only=True)
class Route(Node):
    """Pick the team's next member, make it the owner, and command the team's channel.

    The turn passes among members within a partition: partitions start at different members, so that the
    shares come out even without asking a home partition for each contact.
    """

    team: str
    because: Fn | None
    text: str
    purpose: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "route"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Assign and go on."""
        team = turn.topology.teams[self.team]
        member = ""
        if team.members:
            counters = turn.shared.counters
            name = f"route:{team.name}"
            count = counters.get(name, turn.shared.number)
            counters[name] = count + 1
            turn.shared_changed = True
            member = team.members[count % len(team.members)]
            set_attribute(turn, "owner", {"name": member, "team": team.name})
        channel = turn.topology.channels[team.channel]
        give_command(
            turn,
            enrollment,
            self,
            channel=channel,
            purpose=turn.topology.purpose_of(self.purpose),
            template="",
            values={
                "team": team.name,
                "owner": member or None,
                "because": self.because(turn) if self.because is not None else None,
            },
            expires_ms=channel.expires_ms,
        )
        return self.next

    def gives(self, track: Track, *, due: bool) -> bool:
        """Always."""
        return True

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"route to {self.team}"
