"""``series``: pieces of content, one after the other, each that this contact has not had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from processor.core.admission import admit, beaten
from processor.core.model import Fn, Node
from processor.core.named import Series as Remembered
from processor.core.nodes.command import give_command, hold_back, own_cost, values_of
from processor.core.nodes.wait import wait_until
from processor.core.pacing import claim
from processor.core.policies import Verdict, judge, remember_send
from processor.core.recording import record
from processor.core.time import format_duration

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["PIECES_MAX", "Series"]

PIECES_MAX: Final = 100  # of a series; the row remembers each that a contact has had
_HELD: Final = "held"


@dataclass(frozen=True, kw_only=True)
class Series(Node):
    """Send the first piece (template, condition) that was not had yet, and the next ``every_ms`` later.

    What was had is in the contact's history under ``name`` (empty: the program and the step), so it holds in
    later enrollments too, and after a merge. A round whose send a policy suppresses is used up all the same,
    and there are as many rounds as pieces: a contact who may not be sent anything gets through. The track's
    note is how many rounds there were, with a word behind it while a piece is held.
    """

    channel: str
    pieces: tuple[tuple[str, Fn | None], ...]
    every_ms: int
    name: str
    values: tuple[tuple[str, Fn], ...]
    purpose: str
    when_capped: str
    when_quiet: str
    hold_ms: int
    expires_ms: int
    reply_to: bool = False
    when_spent: str = "skip"
    cost: Fn | None = None  # of each piece, beside what the channel costs

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "series"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The first round."""
        return self._round(turn, enrollment, track, 0)

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The next round, or again the one whose piece was held."""
        rounds, _, held = track.note.partition(" ")
        if not held:
            track.since_ms = turn.now_ms  # from here on a piece may be held
        return self._round(turn, enrollment, track, int(rounds or 0))

    def _round(self, turn: Turn, enrollment: Enrollment, track: Track, rounds: int) -> str | None:
        piece = self._next_piece(turn, enrollment)
        if not piece or rounds >= len(self.pieces):
            record(turn, "stepped", enrollment, self.id, "rounds_done" if piece else "used_up")
            return self.next
        topology = turn.topology
        purpose, channel = topology.purposes[self.purpose], topology.channels[self.channel]
        track.note = f"{rounds} {_HELD}"
        verdict = self._judge(turn, enrollment, track, piece)
        if verdict.outcome == "send":
            give_command(
                turn,
                enrollment,
                self,
                channel=channel,
                purpose=purpose,
                template=piece,
                values=values_of(turn, self.values, replies=self.reply_to),
                expires_ms=self.expires_ms,
                way=piece,
                cost=own_cost(turn, self.cost),
            )
            remember_send(turn, purpose, channel)
            self._remember(turn, enrollment, piece)
        else:
            detail = {"channel": self.channel, "template": piece}
            if hold_back(turn, enrollment, track, verdict, self.hold_ms, detail):
                return None
        return self._after(turn, enrollment, track, rounds)

    def _after(self, turn: Turn, enrollment: Enrollment, track: Track, rounds: int) -> str | None:
        """A round is over: wait for the next, or go on where there is none."""
        if rounds + 1 >= len(self.pieces) or self._all_had(turn, enrollment):
            record(turn, "stepped", enrollment, self.id, "used_up")
            return self.next
        track.note = str(rounds + 1)
        wait_until(turn, enrollment, track, self.id, turn.now_ms + self.every_ms)
        return None

    def _judge(self, turn: Turn, enrollment: Enrollment, track: Track, piece: str) -> Verdict:
        topology = turn.topology
        purpose, channel = topology.purposes[self.purpose], topology.channels[self.channel]
        if turn.rivalry is not None:
            lost = beaten(turn, enrollment, track, purpose, channel, self.hold_ms)
            if lost is not None:
                return lost
        verdict = judge(turn, purpose, channel, self.when_quiet, self.when_capped, piece)
        if verdict.outcome == "send" and topology.policies.competes:
            cost, hold_ms = channel.cost + (own_cost(turn, self.cost) or 0.0), self.hold_ms
            return admit(turn, enrollment, track, purpose, channel, hold_ms, cost, self.when_spent, piece)
        if verdict.outcome == "send" and channel.pacing is not None:
            return claim(turn, enrollment, track, purpose, channel, piece, self.hold_ms)
        return verdict

    def _key(self, enrollment: Enrollment, piece: str) -> str:
        return f"piece:{self.name or f'{enrollment.program}/{self.id}'}/{piece}"

    def _next_piece(self, turn: Turn, enrollment: Enrollment) -> str:
        history = turn.row.history
        for piece, when in self.pieces:
            if history.get(self._key(enrollment, piece)) is None and (when is None or when(turn)):
                return piece
        return ""

    def _all_had(self, turn: Turn, enrollment: Enrollment) -> bool:
        history = turn.row.history
        for piece, _ in self.pieces:  # noqa: SIM110 - all() makes a generator
            if history.get(self._key(enrollment, piece)) is None:
                return False
        return True

    def _remember(self, turn: Turn, enrollment: Enrollment, piece: str) -> None:
        turn.row.history.put(self._key(enrollment, piece), Remembered(1, turn.now_ms, turn.now_ms))

    def gives(self, track: Track, *, due: bool) -> bool:
        """A piece in each round."""
        return True

    def forgo(self, turn: Turn, enrollment: Enrollment, track: Track, *, resuming: bool) -> str | None:
        """The round is used up."""
        rounds = int(track.note.partition(" ")[0] or 0) if resuming else 0
        return self._after(turn, enrollment, track, rounds)

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"{self.channel}: {len(self.pieces)} pieces, every {format_duration(self.every_ms)}"
