"""``send``: a command to a channel, if the policies let it, or to the next channel where this one cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from processor.core.admission import admit, beaten
from processor.core.content import Pick, pick
from processor.core.lifecycle import move_track
from processor.core.model import Fn, Node
from processor.core.nodes.command import give_command, hold_back, identity_of, own_cost, values_of
from processor.core.pacing import claim
from processor.core.policies import Verdict, judge, remember_send
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Send", "Way"]

_OUT_OF_REACH: Final = frozenset({"no_address", "no_consent"})  # rules for which the next channel is asked,
_SUPPRESSED: Final = "address:"  # and those that begin like this
_FAILED: Final = "!"  # before the channel's name in a track's note: it has reported a failure


def _out_of_reach(rule: str) -> bool:
    return rule in _OUT_OF_REACH or rule.startswith(_SUPPRESSED)


@dataclass(frozen=True)
class Way:
    """A channel that a send can take; ``failed_by`` is the event that reports its failure."""

    channel: str
    template: str
    expires_ms: int
    failed_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Send(Node):
    """A message to the contact. ``values`` are expressions whose results travel with the command.

    ``when_capped``, ``when_quiet`` and ``when_spent`` say whether a send held back by a policy waits or is
    skipped; it waits at the longest ``hold_ms``, then it is skipped ("held_too_long"). ``fallbacks`` are
    tried in turn where a channel has no address or no consent, or reports a failure within ``within_ms`` (0:
    nobody waits for that). The first of ``variants`` that fits has its template in place of the step's; of
    each of ``blocks`` the first that fits is named in the values. With ``reply_to`` the values say who the
    contact's owner is. The track's note is the channel it listens to, with a mark before it when that has
    failed.
    """

    channel: str
    template: str
    values: tuple[tuple[str, Fn], ...]
    purpose: str
    when_capped: str
    when_quiet: str
    hold_ms: int
    expires_ms: int
    failed_by: str = ""
    fallbacks: tuple[Way, ...] = ()
    within_ms: int = 0
    reply_to: bool = False
    variants: tuple[Pick, ...] = ()
    blocks: tuple[tuple[str, tuple[Pick, ...]], ...] = ()
    when_spent: str = "skip"
    cost: Fn | None = None  # beside what the channel costs

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "send"

    @property
    def timeout_ms(self) -> int:
        """How long the step listens for a failure."""
        return self.within_ms

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Send, hold or skip."""
        first = Way(self.channel, self.template, self.expires_ms, self.failed_by)
        verdict = self._judge(turn, enrollment, track, first)
        if verdict.outcome == "send":
            return self._command(turn, enrollment, track, first)
        if self.fallbacks and _out_of_reach(verdict.rule):
            return self._fall_back(turn, enrollment, track, first.channel, verdict.rule)
        return self._hold_back(turn, enrollment, track, verdict, first)

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The policy's instant has come: ask again. Or a failure has been reported, or none in time."""
        note = track.note
        if not note:
            return self.enter(turn, enrollment, track)
        if note.startswith(_FAILED):
            return self._fall_back(turn, enrollment, track, note[len(_FAILED) :], "failed")
        return self.next

    def listens(self) -> tuple[str, ...]:
        """The events by which the channels report failures."""
        if not self.within_ms:
            return ()
        heard = [self.failed_by, *[way.failed_by for way in self.fallbacks[:-1]]]
        return tuple([name for name in heard if name])

    def hear(self, turn: Turn, enrollment: Enrollment, track: Track) -> tuple[bool, str | None]:
        """Is it a failure of the channel that was commanded, and of that command where it names one?"""
        channel = track.note
        if turn.event_type != self._way(channel).failed_by:
            return False, None
        named = turn.props.get("command_id")
        if named is not None and named != identity_of(enrollment, self, self._mark(channel)):
            return False, None
        track.note = _FAILED + channel
        track.since_ms = turn.now_ms  # from here on the next channel's send may be held
        track.mark = "due"
        record(turn, "heard", enrollment, self.id, "", {"event": turn.event_id} if turn.event_id else None)
        return True, self.id

    def _way(self, channel: str) -> Way:
        for way in self.fallbacks:
            if way.channel == channel:
                return way
        return Way(self.channel, self.template, self.expires_ms, self.failed_by)

    def _mark(self, channel: str) -> str:
        return "" if channel == self.channel else channel

    def _judge(self, turn: Turn, enrollment: Enrollment, track: Track, way: Way) -> Verdict:
        topology = turn.topology
        purpose, channel = topology.purposes[self.purpose], topology.channels[way.channel]
        if turn.rivalry is not None:
            lost = beaten(turn, enrollment, track, purpose, channel, self.hold_ms)
            if lost is not None:
                return lost
        verdict = judge(turn, purpose, channel, self.when_quiet, self.when_capped, way.template)
        if verdict.outcome == "send" and topology.policies.competes:
            cost, hold_ms = channel.cost + (own_cost(turn, self.cost) or 0.0), self.hold_ms
            return admit(
                turn, enrollment, track, purpose, channel, hold_ms, cost, self.when_spent, way.template
            )
        if verdict.outcome == "send" and channel.pacing is not None:
            return claim(turn, enrollment, track, purpose, channel, way.template, self.hold_ms)
        return verdict

    def _fall_back(
        self, turn: Turn, enrollment: Enrollment, track: Track, failed: str, rule: str
    ) -> str | None:
        """Take the first channel behind ``failed`` that can be reached."""
        passed = [(failed, rule)]
        behind = failed == self.channel
        for way in self.fallbacks:
            if not behind:
                behind = way.channel == failed
                continue
            verdict = self._judge(turn, enrollment, track, way)
            if verdict.outcome == "send":
                ways = [channel for channel, _ in passed[1:]] + [way.channel]
                for (channel, reason), to in zip(passed, ways):  # noqa: B905 - strict is not compiled
                    record(
                        turn, "fell_back", enrollment, self.id, reason, {"channel": channel, "to_channel": to}
                    )
                return self._command(turn, enrollment, track, way)
            if not _out_of_reach(verdict.rule) or way is self.fallbacks[-1]:
                return self._hold_back(turn, enrollment, track, verdict, way, dict(passed))
            passed.append((way.channel, verdict.rule))
        return self.next

    def _command(self, turn: Turn, enrollment: Enrollment, track: Track, way: Way) -> str | None:
        purpose = turn.topology.purposes[self.purpose]
        channel = turn.topology.channels[way.channel]
        values = values_of(turn, self.values, replies=self.reply_to)
        if self.blocks:
            values["blocks"] = _shown(turn, self.blocks)
        # A channel whose template is one of its own has no variants of it.
        chosen = pick(turn, self.variants) if self.variants and way.template == self.template else None
        template = way.template if chosen is None else chosen.template
        give_command(
            turn,
            enrollment,
            self,
            channel=channel,
            purpose=purpose,
            template=template,
            values=values,
            expires_ms=way.expires_ms,
            way=self._mark(way.channel),
            variant="" if chosen is None else chosen.name,
            cost=own_cost(turn, self.cost),
        )
        remember_send(turn, purpose, channel, template)
        if not (self.within_ms and way.failed_by) or way.channel == self.fallbacks[-1].channel:
            return self.next
        track.note = way.channel
        track.due_ms = turn.now_ms + self.within_ms
        turn.retimed = True
        move_track(track, "listen")
        record(turn, "waiting", enrollment, self.id, "", {"until": track.due_ms})
        return None

    def _hold_back(
        self,
        turn: Turn,
        enrollment: Enrollment,
        track: Track,
        verdict: Verdict,
        way: Way,
        passed: dict[str, str] | None = None,
    ) -> str | None:
        detail: dict[str, Any] = {"channel": way.channel, "template": way.template}
        if passed:
            detail["passed"] = passed
        held = hold_back(turn, enrollment, track, verdict, self.hold_ms, detail)
        return None if held else self.next

    def gives(self, track: Track, *, due: bool) -> bool:
        """Unless it has been sent, and only a failure was waited for."""
        return not due or not track.note or track.note.startswith(_FAILED)

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"{self.channel}: {self.template}"


def _shown(turn: Turn, blocks: tuple[tuple[str, tuple[Pick, ...]], ...]) -> dict[str, str | None]:
    """Which of its contents each block shows; None for one that shows nothing."""
    shown: dict[str, str | None] = {}
    for name, picks in blocks:
        found = pick(turn, picks)
        shown[name] = None if found is None else found.name
    return shown
