"""Brakes: a program's circuit breaker, its pause, and what an operator says to what they hold.

**Counting.** Every partition counts the commands of a program in periods of its breaker, and tells the
program's home partition (the hash of ``program/NAME``) by a message whenever its own count has grown by a
twentieth: each of the first twenty, then ever fewer, so that a million commands are some 240 messages. The
home adds up. When a period has had as many commands as it may, the home tells all partitions that it is
full. Whoever then comes to a command in that period holds it and asks the home to trip the breaker; the home
does so once, commands the alarm and tells all partitions. What others give while that is on its way goes out
as well; within one process, where messages are delivered before the next record, nothing does.

**Holding.** A track stands still before a step that gives a command (tripped), or before any step (paused).
It stays in its row, HELD, and its mark says how it goes on; a held command has an instant at which it is let
go of for good. Waits go on: what ends them is heard, and the track stands still behind them.

**Letting go.** What an operator says is an event in the log. It goes to the program's home, which takes it
once and tells all partitions. Each opens a sweep: a walk over its rows in which every held track goes on. A
row that something touches before the walk comes to it is swept first. What is let go of is decided anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.brake_home import COMMANDS, home_of
from processor.core.events import Message
from processor.core.lifecycle import ACTIVE, HELD, move_track
from processor.core.recording import record
from processor.core.shared import Brake, SweepRun
from processor.core.test_list import is_test
from processor.core.time import DAY_MS

if TYPE_CHECKING:
    from processor.core.events import Event
    from processor.core.model import Node, Program
    from processor.core.sections import Enrollment, Track
    from processor.core.sending import Breaker
    from processor.core.shared import Shared
    from processor.core.turn import Turn

__all__ = [
    "HOLD_MS", "command_message", "count_command", "forgo", "is_braked", "is_held", "let_go",
    "let_go_arrived", "say", "set_brake", "stands_still", "sweeps_brake",
]  # fmt: skip

HOLD_MS: Final = 7 * DAY_MS  # how long a held command is worth it where no breaker says so
_ENTERING: Final = "braked"  # a track's mark: held before it entered its step
_RESUMING: Final = "braked-due"  # held before it went on with it
_DROPPED: Final = "dropped"  # the same, and an operator has dropped what it would have given
_DROPPED_RESUMING: Final = "dropped-due"
_SWEEP: Final = "!"  # before what a sweep is to do: no entry's id begins so
_TELL_SHARE: Final = 20  # the home is told when a count has grown by the twentieth part


# --- counting


def count_command(turn: Turn, breaker: Breaker, program: str) -> None:
    """A command of the program was given; the home hears of it now or with further ones."""
    if turn.released or is_test(turn):
        return  # an operator has let it go, or nobody is to be reached by it
    shared = turn.shared
    brake = shared.brakes.get(program)
    if brake is None:
        brake = shared.brakes[program] = Brake()
    turn.shared_changed = True
    period = turn.now_ms // breaker.per_ms
    if period > brake.period:
        if brake.count > brake.told:
            _tell(turn, brake, program)
        brake.period, brake.count, brake.told = period, 0, 0
    brake.count += 1
    if brake.count - brake.told > brake.told // _TELL_SHARE:
        _tell(turn, brake, program)


def _tell(turn: Turn, brake: Brake, program: str) -> None:
    body = {"program": program, "period": brake.period, "count": brake.count - brake.told}
    turn.out.append(Message("brake_count", "", turn.now_ms, body, home=home_of(program)))
    brake.told = brake.count


# --- holding


def stands_still(
    turn: Turn, program: Program, enrollment: Enrollment, track: Track, node: Node, *, due: bool
) -> bool:
    """Hold the track before it enters the step, or goes on with it (``due``), where a brake is on."""
    brake = turn.shared.brakes.get(program.name)
    if brake is None:
        return False
    gives = node.gives(track, due=due)
    breaker = program.breaker
    if brake.paused:
        rule = "paused"
    elif not gives:
        return False
    elif brake.tripped:
        rule = "breaker"
    elif (
        breaker is not None and not turn.released and _is_full(brake, breaker, turn.now_ms // breaker.per_ms)
    ):
        _trip(turn, brake, program.name, turn.now_ms // breaker.per_ms)
        rule = "breaker"
    else:
        return False
    if not due:
        track.step = node.id
        track.note = ""
        track.since_ms = turn.now_ms
    track.mark = _RESUMING if due else _ENTERING
    detail: dict[str, Any] | None = None
    if gives:
        track.due_ms = turn.now_ms + (breaker.hold_ms if breaker is not None else HOLD_MS)
        turn.retimed = True
        detail = _what(node) | {"until": track.due_ms}
    move_track(track, "hold")
    record(turn, "held", enrollment, node.id, rule, detail)
    return True


def _is_full(brake: Brake, breaker: Breaker, period: int) -> bool:
    """Whether the home has said so, or this partition alone has given as many as all may."""
    if brake.full == period:
        return True
    return 0 < breaker.more_than <= brake.count and brake.period == period


def _trip(turn: Turn, brake: Brake, program: str, period: int) -> None:
    """Trip here at once, and ask the home: it alone raises the alarm."""
    brake.tripped = True
    brake.since_ms = turn.now_ms
    turn.shared_changed = True
    body = {"program": program, "number": brake.number, "period": period}
    turn.out.append(Message("brake_trip", "", turn.now_ms, body, home=home_of(program)))


def is_held(track: Track) -> bool:
    """Whether the track stands still because of a brake (in quarantine or not)."""
    return track.state == HELD and track.mark in {_ENTERING, _RESUMING}


def is_braked(track: Track) -> bool:
    """Whether the track's mark is a brake's: it is held, or what it would have given is given up."""
    return track.mark in {_ENTERING, _RESUMING, _DROPPED, _DROPPED_RESUMING}


def forgo(turn: Turn, enrollment: Enrollment, track: Track, node: Node) -> str | None:
    """A held command is not given: its time is up, or it was dropped. Returns the step to run next."""
    resuming = track.mark in {_RESUMING, _DROPPED_RESUMING}
    dropped = track.mark in {_DROPPED, _DROPPED_RESUMING}
    track.mark = ""
    reason = "dropped" if dropped else "held_too_long"
    record(turn, "suppressed", enrollment, node.id, reason, _what(node))
    return node.forgo(turn, enrollment, track, resuming=resuming)


def _what(node: Node) -> dict[str, Any]:
    """The command that is held, for the record."""
    channel, template = getattr(node, "channel", ""), getattr(node, "template", "")
    found = {"channel": channel} if channel else {}
    return found | {"template": template} if template else found


# --- letting go


def let_go(turn: Turn, sweep: SweepRun) -> bool:
    """Give this contact an operator's command; True where a track goes on because of it.

    The clock of a contact with nothing held stays as it is.
    """
    return _let_go(turn, sweep.program, sweep.entry[len(_SWEEP) :], sweep.due_ms)


def let_go_arrived(turn: Turn) -> None:
    """A row has come from another partition: what was let go of while it was on its way goes on."""
    for name, brake in turn.shared.brakes.items():
        if brake.what:
            _let_go(turn, name, brake.what, turn.now_ms)


def _let_go(turn: Turn, name: str, what: str, at_ms: int) -> bool:
    row = turn.row
    program = turn.topology.programs.get(name)
    brake = turn.shared.brakes.get(name)
    if program is None or brake is None or name not in row.inside:
        return False
    moved = False
    for enrollment in row.enrollments:
        if enrollment.program != name or enrollment.state != ACTIVE:
            continue
        for track in enrollment.tracks:
            if not is_held(track):
                continue
            node = program.nodes.get(track.step)
            gives = node is not None and node.gives(track, due=track.mark == _RESUMING)
            drops = what == "drop" and gives
            if not drops and (brake.paused or (brake.tripped and gives)):
                continue  # another brake is still on
            row.change_enrollment(enrollment)
            if not moved:
                moved = True
                row.clock_ms = turn.now_ms = turn.occurred_ms = max(row.clock_ms, at_ms)
            if not drops:
                record(turn, "let_go", enrollment, track.step, what, None)
                track.mark = "due" if track.mark == _RESUMING else ""
            else:
                track.mark = _DROPPED_RESUMING if track.mark == _RESUMING else _DROPPED
            track.due_ms = 0
            move_track(track, "due")
            if enrollment not in turn.runnable:
                turn.runnable.append(enrollment)
    turn.retimed = turn.retimed or moved
    return moved


def sweeps_brake(sweep: SweepRun) -> bool:
    """Whether the sweep carries out an operator's command rather than an entry."""
    return sweep.entry.startswith(_SWEEP)


def set_brake(shared: Shared, message: Message, watermark_ms: int) -> None:
    """The home has said how a program's brakes stand; where something is let go, a walk begins."""
    body = message.body
    name = body["program"]
    brake = shared.brakes.get(name)
    if brake is None:
        brake = shared.brakes[name] = Brake()
    if message.kind == "brake_full":
        brake.full = body["period"]
        return
    brake.number = body["number"]
    brake.paused = body["paused"]
    brake.tripped = body["tripped"]
    brake.since_ms = body["since_ms"]
    what = body["what"]
    if what in {"release", "drop"}:
        brake.full = -1
        brake.count = brake.told = 0
    if what in {"release", "drop", "resume"}:
        brake.what = what
        at_ms = min(message.at_ms, watermark_ms)
        if shared.sweeps:
            at_ms = max(at_ms, shared.sweeps[-1].due_ms)
        shared.sweep_number += 1
        shared.sweeps.append(SweepRun(shared.sweep_number, at_ms, name, _SWEEP + what))
        shared.cursor = ""


# --- what an operator says


def command_message(event: Event) -> Message | None:
    """The message to a program's home that an operator's event is; None for any other event."""
    what = COMMANDS.get(event.type)
    if what is None:
        return None
    return _message(what, event.event_id, event.occurred_ms, event.properties)


def say(turn: Turn, props: dict[str, Any]) -> None:
    """An operator's event that names a contact who has a row: it goes to the home all the same."""
    turn.out.append(_message(COMMANDS[turn.event_type], turn.event_id, turn.now_ms, props))


def _message(what: str, event_id: str, at_ms: int, props: dict[str, Any]) -> Message:
    program = props["program"]
    body = {
        "program": program,
        "what": what,
        "id": event_id,
        "by": props.get("by") or "",
        "because": props.get("because") or "",
    }
    return Message("brake_command", "", at_ms, body, home=home_of(program))
