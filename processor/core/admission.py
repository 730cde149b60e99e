"""Which of the sends that compete is made: arbitration among programs, then budgets.

A send that every other policy lets through comes here. Where a rule of arbitration covers it, it
**stands**: the track is held until the rule's window ends (or, without one, until all else of this turn has
run), together with whatever else of that contact comes to stand meanwhile. Then they are tried, the best
first, and asked for consent, quiet hours, caps and budgets again; the first that is sent has won, and the
others are told who it was. So a send that finds its budget spent leaves the place to the next.

Where the best has to wait for the home of a budget, the others wait for that (NEXT), and go on when it is
known. What the winner's own program sends in the same turn goes with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.budgets import spend
from processor.core.enrollments import end, look_at, run
from processor.core.entries import granted
from processor.core.leases import give_back
from processor.core.lifecycle import ACTIVE, ENDED, HELD, PENDING, move_track
from processor.core.pacing import claim, keep_place
from processor.core.policies import SEND, Verdict
from processor.core.rivalry import IN_CONTEST, LEASE, NEXT, rivalry_of, ticket_of
from processor.core.test_list import is_test
from processor.core.time import MINUTE_MS

if TYPE_CHECKING:
    from processor.core.model import Arbitration, Channel, Policies, Purpose
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["admit", "beaten", "contest", "keep_nothing", "note_sent", "woken"]

# The answer wakes those who wait for the best to get its budget; this is for when the best has left.
_LOOK_MS: Final = 15 * MINUTE_MS


def admit(  # noqa: PLR0913, PLR0917 - what a send is made of, and what it may cost
    turn: Turn,
    enrollment: Enrollment,
    track: Track,
    purpose: Purpose,
    channel: Channel,
    hold_ms: int,
    cost: float,
    when_spent: str,
    template: str,
) -> Verdict:
    """May this send be made before all that compete with it? ``cost`` is in the topology's currency.

    "stand" says that the track is held, until the verdict's instant where it names one.
    """
    if channel.kind != "message" or purpose.transactional or is_test(turn):
        return SEND
    policies = turn.topology.policies
    value = _worth(turn, enrollment)
    rule = _rule(policies, purpose.name, channel.name)
    if rule is not None:
        verdict = _choose(turn, enrollment, track, rule, hold_ms, value)
        if verdict is not None:
            return verdict
    if channel.pacing is not None:
        verdict = claim(turn, enrollment, track, purpose, channel, template, hold_ms)
        if verdict.outcome != "send":
            if rule is not None:  # it is the one that is made, though later
                rivalry_of(turn).winners[rule.name] = (enrollment.id, enrollment.program, value)
            return verdict
    if not policies.budgets:
        return SEND
    verdict = spend(turn, enrollment, track, purpose, channel, cost, value, when_spent)
    if verdict.outcome != "lease":
        return verdict
    give_up_ms = track.since_ms + hold_ms
    if turn.now_ms >= give_up_ms:
        return Verdict("wait", verdict.rule, turn.now_ms)
    _hold(turn, track, LEASE if rule is None else LEASE + rule.name, give_up_ms)
    keep_place(turn, track)
    return Verdict("stand", verdict.rule)


def beaten(
    turn: Turn, enrollment: Enrollment, track: Track, purpose: Purpose, channel: Channel, hold_ms: int
) -> Verdict | None:
    """The verdict on a send that another was chosen before, whatever else would hold it back now; or None."""
    rivalry = turn.rivalry
    if rivalry is None or rivalry.loser != ticket_of(enrollment.id, track.step):
        return None
    rule = _rule(turn.topology.policies, purpose.name, channel.name)
    if rule is None:
        return None
    return _choose(turn, enrollment, track, rule, hold_ms, _worth(turn, enrollment))


def _rule(policies: Policies, purpose: str, channel: str) -> Arbitration | None:
    for rule in policies.arbitration:
        if (not rule.channels or channel in rule.channels) and (
            not rule.purposes or purpose in rule.purposes
        ):
            return rule
    return None


def _worth(turn: Turn, enrollment: Enrollment) -> float:
    program = turn.topology.programs.get(enrollment.program)
    if program is None or program.value is None:
        return 0.0
    value = program.value(turn)
    return 0.0 if value is None else float(value)


def _hold(turn: Turn, track: Track, mark: str, due_ms: int) -> None:
    move_track(track, "hold")
    track.mark = mark
    track.due_ms = due_ms
    turn.retimed = True


def _choose(
    turn: Turn, enrollment: Enrollment, track: Track, rule: Arbitration, hold_ms: int, value: float
) -> Verdict | None:
    """None where the send was chosen; else it stands, or has lost."""
    rivalry = rivalry_of(turn)
    name = f"arbitration:{rule.name}"
    if rivalry.ticket == ticket_of(enrollment.id, track.step):
        return None
    winner = rivalry.winners.get(rule.name)
    detail: dict[str, Any] | None = None
    if winner is not None:
        if winner[0] == enrollment.id:
            return None
        detail = {"by": winner[1], "by_value": winner[2], "value": value}
        if not rule.losers_wait:
            return Verdict("skip", name, 0, detail)
        if turn.now_ms >= track.since_ms + hold_ms:
            return Verdict("wait", name, turn.now_ms, detail)
    if not rule.within_ms:
        _hold(turn, track, IN_CONTEST + rule.name, 0)
        rivalry.contested.append(rule.name)
        return Verdict("stand", name)
    ends_ms = turn.now_ms + rule.within_ms
    for _, other in _standing(turn, rule.name):
        if turn.now_ms < other.due_ms < ends_ms:
            ends_ms = other.due_ms
    _hold(turn, track, IN_CONTEST + rule.name, ends_ms)
    return Verdict("stand", name, ends_ms, detail)


def _standing(turn: Turn, rule: str) -> list[tuple[Enrollment, Track]]:
    """Everything of this contact that stands under a rule."""
    return _marked(turn, (IN_CONTEST + rule, NEXT + rule))


def _marked(turn: Turn, marks: tuple[str, ...]) -> list[tuple[Enrollment, Track]]:
    return [
        (enrollment, track)
        for enrollment in turn.row.enrollments
        if enrollment.state == ACTIVE
        for track in enrollment.tracks
        if track.state == HELD and track.mark in marks
    ]


def contest(turn: Turn) -> bool:
    """Choose, for each rule whose window has ended, which of the sends that stand is made; False for none."""
    rivalry = turn.rivalry
    if rivalry is None or not rivalry.contested:
        return False
    names = sorted(set(rivalry.contested))
    rivalry.contested = []
    for name in names:
        rule = next((rule for rule in turn.topology.policies.arbitration if rule.name == name), None)
        pending = bool(_marked(turn, (LEASE + name,)))  # the best of an earlier turn waits for its budget
        for enrollment, track in _ranked(turn, name, by_value=rule is None or rule.by_value):
            if enrollment.state != ACTIVE or track.state != HELD or track not in enrollment.tracks:
                continue  # one that was tried before it has ended it
            turn.row.change_enrollment(enrollment)
            if pending:
                track.mark = NEXT + name
                track.due_ms = turn.now_ms + _LOOK_MS
                turn.retimed = True
                continue
            ticket = ticket_of(enrollment.id, track.step)
            has_lost = name in rivalry.winners
            rivalry.ticket, rivalry.loser = ("", ticket) if has_lost else (ticket, "")
            _go_on(turn, enrollment, track)
            pending = track.state == HELD and track.mark == LEASE + name
        rivalry.ticket = rivalry.loser = ""
    return True


def _ranked(turn: Turn, rule: str, *, by_value: bool) -> list[tuple[Enrollment, Track]]:
    """What stands under a rule, the best first."""
    found: list[tuple[float, float, str, str, Enrollment, Track]] = []
    for enrollment, track in _standing(turn, rule):
        look_at(turn, enrollment, track)
        program = turn.topology.programs.get(enrollment.program)
        priority = 0.0 if program is None else float(program.priority)
        value = _worth(turn, enrollment)
        ticket = ticket_of(enrollment.id, track.step)
        first, second = (value, priority) if by_value else (priority, value)
        found.append((-first, -second, enrollment.program, ticket, enrollment, track))
    found.sort(key=lambda one: one[:4])
    return [(one[4], one[5]) for one in found]


def _go_on(turn: Turn, enrollment: Enrollment, track: Track) -> None:
    program = turn.topology.programs.get(enrollment.program)
    if program is None:
        end(turn, enrollment, "exit", "program_removed")
        return
    move_track(track, "due")
    track.due_ms = 0
    track.mark = "due"
    turn.retimed = True
    run(turn, program, enrollment)


def note_sent(turn: Turn, enrollment: Enrollment, purpose: Purpose, channel: Channel) -> None:
    """A command was given: what stands under the same rule has lost to it."""
    rivalry = turn.rivalry
    if rivalry is None or channel.kind != "message" or purpose.transactional:
        return
    rule = _rule(turn.topology.policies, purpose.name, channel.name)
    if rule is not None and rule.name not in rivalry.winners:
        rivalry.winners[rule.name] = (enrollment.id, enrollment.program, _worth(turn, enrollment))


def woken(turn: Turn, body: dict[str, Any]) -> None:
    """The home has answered a claim of an enrollment, or of a send. Units that nobody wants go home."""
    needs = body["needs"]
    identity, _, step = body["ticket"].partition("/")
    for enrollment in turn.row.enrollments:
        if enrollment.id != identity or enrollment.state == ENDED:
            continue
        if not step and enrollment.state == PENDING:
            program = turn.topology.programs.get(enrollment.program)
            if program is not None:
                granted(turn, program, enrollment, unit=needs is not None)
                return
        for track in enrollment.tracks:
            if track.step == step and track.state == HELD and track.mark.startswith(LEASE):
                _wake(turn, enrollment, track, needs)
                return
    if needs:
        give_back(turn, needs)


def _wake(turn: Turn, enrollment: Enrollment, track: Track, needs: dict[str, int] | None) -> None:
    rivalry = rivalry_of(turn)
    rivalry.ticket = ticket_of(enrollment.id, track.step)
    rivalry.grant = needs
    turn.row.change_enrollment(enrollment)
    _go_on(turn, enrollment, track)
    rivalry.ticket = ""
    for other in turn.row.enrollments:
        for waiting in other.tracks:
            if waiting.state == HELD and waiting.mark.startswith(NEXT):
                rivalry.contested.append(waiting.mark.partition(":")[2])


def keep_nothing(turn: Turn) -> None:
    """The turn ends: units that came for a send which was not made go home."""
    rivalry = turn.rivalry
    if rivalry is not None and rivalry.grant is not None:
        give_back(turn, rivalry.grant)
        rivalry.grant = None
