"""``route`` and ``assign``: give the contact to a member of a team, and tell them or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.core.expressions.moments import iso
from processor.core.handover import context, own, owner_in
from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.model import Team
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Route", "Territory"]


@dataclass(frozen=True)
class Territory:
    """A team, and the member of it if it is always the same; ``when`` None: whoever comes here."""

    team: str
    member: str = ""
    when: Fn | None = None


@dataclass(frozen=True, kw_only=True)
class Route(Node):
    """Pick a member of the first territory's team that holds, make it the owner, command the team's channel.

    The turn passes among members within a partition: partitions start at different members, so that the
    shares come out even without asking a home partition for each contact. With ``keeps_owner`` a contact
    stays with its owner where that is a member of the team. ``tells`` is false for ``assign``, which gives no
    command. ``due_ms`` after now the task is due (0: it does not say).
    """

    territories: tuple[Territory, ...]
    because: Fn | None = None
    text: str = ""
    keeps_owner: bool = False
    tells: bool = True
    due_ms: int = 0
    purpose: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "route" if self.tells else "assign"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Assign and go on."""
        for territory in self.territories:
            if territory.when is None or territory.when(turn):
                self._give(turn, enrollment, territory)
                return self.next
        record(turn, "stepped", enrollment, self.id, "no_territory")
        return self.next

    def _give(self, turn: Turn, enrollment: Enrollment, territory: Territory) -> None:
        team = turn.topology.teams[territory.team]
        kept = owner_in(turn, team) if self.keeps_owner else ""
        member = kept or territory.member or _in_turn(turn, team)
        if member:
            own(turn, team, member)
        if kept or not self.tells:
            detail = {"owner": member, "team": team.name}
            record(turn, "stepped", enrollment, self.id, "owner_kept" if kept else "assigned", detail)
        if self.tells:
            self._tell(turn, enrollment, team, member)

    def _tell(self, turn: Turn, enrollment: Enrollment, team: Team, member: str) -> None:
        channel = turn.topology.channels[team.channel]
        values: dict[str, Any] = {
            "team": team.name,
            "owner": member or None,
            "because": self.because(turn) if self.because is not None else None,
        }
        addresses = team.addresses.get(member)
        if addresses:
            values["to"] = addresses
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

    def gives(self, track: Track, *, due: bool) -> bool:
        """Always, where it tells anybody."""
        return self.tells

    def title(self) -> str:
        """What a drawing writes in the box."""
        teams = list(dict.fromkeys(territory.team for territory in self.territories))
        return f"{self.kind} to {', '.join(teams)}"


def _in_turn(turn: Turn, team: Team) -> str:
    if not team.members:
        return ""
    counters = turn.shared.counters
    name = f"route:{team.name}"
    count = counters.get(name, turn.shared.number)
    counters[name] = count + 1
    turn.shared_changed = True
    return team.members[count % len(team.members)]
