"""The machine: one input, one row, and what follows. The theory is in :mod:`processor.core.lifecycle`.

``advance`` owns the row and the shared row it is given and changes them in place; with the outputs they are
its result. It reads nothing else, so it is a function of its arguments. When it raises, the caller throws
both rows away and goes on with the encoded ones it had (see ``processor.runtime.driver``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.addresses import suppress, take_address
from processor.core.admission import contest, keep_nothing, woken
from processor.core.arrivals import clamped, is_duplicate, note_late, passed_on
from processor.core.brakes import let_go, sweeps_brake
from processor.core.built_in import BUILT_IN
from processor.core.consenting import lapse
from processor.core.enrollments import end, fire, hear, look, run
from processor.core.entries import consider, consider_all
from processor.core.erasure import admit, erase, erase_by_message, forget, refuse_message
from processor.core.events import Due, Event, Message
from processor.core.handover import note_event, note_points
from processor.core.identity import IDENTIFYING, ask_to_depart, event_of, point_here, travel
from processor.core.importing import is_new, prime, settle_quietly
from processor.core.lifecycle import ACTIVE, ENDED
from processor.core.outputs import Decision
from processor.core.pacing import take_in
from processor.core.remembering import remember
from processor.core.schema import OPERATORS_EVENTS
from processor.core.scoring import check_grade, score
from processor.core.segments import refresh_segments
from processor.core.sweeps import forgets, owed
from processor.core.timers import arm_date, arm_dates, arm_idle, earliest, idle_since, postpone_idle, take_due
from processor.core.turn import Turn

if TYPE_CHECKING:
    from processor.core.events import Input
    from processor.core.model import Reaction, Topology
    from processor.core.outputs import Output
    from processor.core.rows import Row
    from processor.core.sections import Enrollment, Timer
    from processor.core.shared import Shared, SweepRun

__all__ = ["advance"]

DERIVED_MAX: Final = 256  # events following from one input; beyond it they are dropped, recorded
LOOKS_MAX: Final = 16  # rounds of looking at conditions in one turn
_NOTHING: Final[dict[str, Any]] = {}  # never written to


def advance(
    topology: Topology, row: Row, shared: Shared, item: Input, watermark_ms: int
) -> tuple[Row, list[Output], bool]:
    """Advance a contact by one input.

    ``watermark_ms`` is the partition's, already moved for this input. Returns the row (another object after
    a merge), the outputs in order, and whether the shared row changed. Raises AssertionError when an
    invariant does not hold.
    """
    turn = Turn(topology, row, shared, item.contact_id, row.clock_ms, [], started_ms=row.clock_ms)
    if type(item) is Event:
        _event(turn, item, watermark_ms, _NOTHING)
    elif type(item) is Due:
        _catch_up(turn, item.at_ms, stops=True)
    elif type(item) is Message:
        _message(turn, item, watermark_ms)
    else:
        _catch_up(turn, watermark_ms)
    return _close(turn)


def _close(turn: Turn) -> tuple[Row, list[Output], bool]:
    if turn.retimed:
        _tidy(turn)
    if turn.topology.context:
        note_points(turn)
    row = turn.row
    assert not turn.runnable, "a turn ends with nothing left to run"
    assert row.clock_ms >= turn.started_ms, "a contact's clock never goes back"
    return row, turn.out, turn.shared_changed


def _tidy(turn: Turn) -> None:
    """Take ended enrollments out of the row, and bring its head up to date."""
    row = turn.row
    if row.inside:
        enrollments = row.enrollments
        left = [enrollment for enrollment in enrollments if enrollment.state != ENDED]
        if len(left) < len(enrollments):
            row.keep_enrollments(left)
        inside: list[str] = []
        for enrollment in left:
            if enrollment.program not in inside:
                inside.append(enrollment.program)
        if len(inside) > 1:
            inside.sort()
        row.inside = inside
    row.due_ms = earliest(row)
    turn.retimed = False


def _event(turn: Turn, event: Event, watermark_ms: int, body: dict[str, Any]) -> None:
    row = turn.row
    occurred_ms = clamped(turn, event)
    if (row.erased_ms or turn.topology.policies.erased_anew) and not admit(turn, event, occurred_ms):
        return
    imported = event.type == "imported"
    if imported and not body and not is_new(turn, event):
        return
    if row.alias and passed_on(turn, event, occurred_ms, body):
        return
    until_ms = min(occurred_ms, watermark_ms)
    if 0 < row.due_ms <= until_ms or row.swept < turn.shared.sweep_number:
        _catch_up(turn, until_ms)
        if turn.row.gone:  # forgotten: the event begins anew
            row = turn.row
            row.gone = False
            turn.stale.extend(turn.topology.segments)
    if imported:
        prime(turn, event, occurred_ms)
        return
    if turn.topology.dedupe and is_duplicate(turn, event):
        return
    clock_ms = row.clock_ms
    if not clock_ms:
        turn.stale.extend(turn.topology.segments)  # some hold for a contact of whom nothing is known
    if occurred_ms > clock_ms:
        row.clock_ms = now_ms = occurred_ms
    else:
        now_ms = clock_ms
        note_late(turn, event, clock_ms - occurred_ms)
    if event.type == "contact_erased":
        erase(turn, event.event_id, now_ms)
        return
    if event.type not in OPERATORS_EVENTS:  # an operator's event is nothing that the contact did
        row.active_ms = now_ms
    turn.now_ms = now_ms
    turn.occurred_ms = occurred_ms
    turn.event_id = event.event_id
    _take(turn, event)


def _take(turn: Turn, event: Event) -> None:
    """The event itself, and all that follows from it."""
    _apply(turn, event.type, event.properties)
    if turn.topology.context:
        note_event(turn, event)
    _settle(turn)


def _concerns(programs: frozenset[str], inside: list[str]) -> bool:
    """Whether the contact is in one of the programs."""
    for program in inside:  # noqa: SIM110 - any() makes a generator
        if program in programs:
            return True
    return False


def _apply(turn: Turn, event_type: str, props: dict[str, Any]) -> None:
    """Everything one event, published or derived, concerns."""
    topology = turn.topology
    turn.event_type = event_type
    turn.props = props
    built_in = BUILT_IN.get(event_type)
    if built_in is not None:
        built_in(turn, props)
        if turn.redated:
            arm_dates(turn)
    elif event_type in IDENTIFYING:
        ask_to_depart(turn)
    reaction = topology.reactions.get(event_type)
    if reaction is None:
        return
    if reaction.suppresses:
        suppress(turn, reaction.suppresses)
    if reaction.series or reaction.relations:
        remember(turn, reaction)
    if reaction.rules or reaction.wakes or reaction.predicts:
        score(turn, reaction)
    if turn.stale:
        refresh_segments(turn)
    row = turn.row
    if reaction.activity and row.armed < len(topology.idle):
        arm_idle(turn, reaction.activity)
    if _concerns(reaction.programs, row.inside):
        _tell(turn, reaction)
    if reaction.entries:
        consider_all(turn, reaction)


def _tell(turn: Turn, reaction: Reaction) -> None:
    """Tell the enrollments whose programs listen.

    What they start waiting for because of this event, this event does not fulfil.
    """
    programs = turn.topology.programs
    for enrollment in turn.row.enrollments:
        if enrollment.program in reaction.programs and enrollment.state != ENDED:
            hear(turn, programs[enrollment.program], enrollment)


def _settle(turn: Turn) -> None:
    """Run what is runnable, apply what follows, look at conditions, until nothing moves."""
    looks = 0
    derived_left = DERIVED_MAX
    while True:
        if turn.runnable:
            _run_all(turn)
        elif turn.redated:
            arm_dates(turn)
        elif turn.stale:
            refresh_segments(turn)
        elif turn.derived:
            if derived_left == 0:
                turn.derived = []
                turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, reason="derived_events"))
                continue
            derived_left -= 1
            event_type, props = turn.derived.pop(0)
            turn.occurred_ms = turn.now_ms
            _apply(turn, event_type, props)
        elif looks < LOOKS_MAX and _concerns(turn.topology.always.programs, turn.row.inside):
            looks += 1
            _look_around(turn)
            moves = turn.runnable or turn.derived or turn.stale or turn.redated
            if not moves and not contest(turn):
                return
        elif not contest(turn):
            return


def _run_all(turn: Turn) -> None:
    """Run what is runnable, programs of higher priority first: they take what is left of a cap."""
    programs = turn.topology.programs
    ready = turn.runnable
    turn.runnable = []
    if len(ready) > 1:
        ready.sort(key=lambda e: (-programs[e.program].priority, e.program, e.id))
    for enrollment in ready:
        if enrollment.state == ACTIVE:
            run(turn, programs[enrollment.program], enrollment)


def _look_around(turn: Turn) -> None:
    always = turn.topology.always.programs
    programs = turn.topology.programs
    for enrollment in turn.row.enrollments:
        if enrollment.program in always and enrollment.state != ENDED:
            look(turn, programs[enrollment.program], enrollment)


def _catch_up(turn: Turn, until_ms: int, *, stops: bool = False) -> None:
    """Give the contact the sweeps it lacks, and fire its timers due by ``until_ms``, in order of time.

    With ``stops`` not beyond an instant at which something has come to wait for units: the answer may be here
    before the next. Whoever asks looks whether more is due.
    """
    row = turn.row
    if row.alias:  # whoever it has become has sweeps of its own
        row.swept = turn.shared.sweep_number
        return
    if 0 < row.due_ms <= until_ms and row.timers and postpone_idle(turn, until_ms):
        row.due_ms = earliest(row)
    while True:
        sweep = owed(turn.shared, row)
        due_ms = row.due_ms
        timer_first = 0 < due_ms <= until_ms and (sweep is None or due_ms <= sweep.due_ms)
        if timer_first:
            _fire_at(turn, due_ms)
        elif sweep is not None:
            if not _sweep(turn, sweep):
                return
        else:
            return
        if turn.retimed:
            _tidy(turn)
        if stops and turn.claimed:
            return


def _sweep(turn: Turn, sweep: SweepRun) -> bool:
    """Give the contact a sweep; False where nothing is left of it."""
    turn.row.swept = sweep.number
    if sweeps_brake(sweep):
        if let_go(turn, sweep):
            turn.released = True
            _settle(turn)
            turn.released = False
    elif forgets(sweep):
        return not forget(turn, sweep.due_ms)
    else:
        _set_now(turn, sweep.due_ms)
        entry = turn.topology.entry_named(sweep.program, sweep.entry)
        if entry is not None:
            consider(turn, entry, f"{sweep.entry}@{sweep.due_ms}")
            _settle(turn)
    return True


def _set_now(turn: Turn, at_ms: int) -> None:
    row = turn.row
    row.clock_ms = turn.now_ms = turn.occurred_ms = max(row.clock_ms, at_ms)
    turn.event_id = ""
    turn.event_type = ""
    turn.props = {}


def _fire_at(turn: Turn, due_ms: int) -> None:
    """Fire everything in the row due at this instant."""
    row = turn.row
    _set_now(turn, due_ms)
    programs = turn.topology.programs
    for enrollment in row.enrollments:
        if enrollment.state == ENDED or not _is_due(enrollment, due_ms):
            continue
        program = programs.get(enrollment.program)
        if program is None:
            end(turn, enrollment, "exit", "program_removed")
        else:
            fire(turn, program, enrollment)
    _settle(turn)
    for timer in take_due(row, due_ms):
        _set_now(turn, due_ms)
        _own_timer(turn, timer)
        _settle(turn)
    turn.retimed = True


def _is_due(enrollment: Enrollment, due_ms: int) -> bool:
    if 0 < enrollment.due_ms <= due_ms:
        return True
    return any(0 < track.due_ms <= due_ms for track in enrollment.tracks)


def _own_timer(turn: Turn, timer: Timer) -> None:
    """A timer of the contact rather than of an enrollment."""
    if timer.kind == "segment":
        if timer.name in turn.topology.segments:
            turn.stale.append(timer.name)
    elif timer.kind == "grade":
        check_grade(turn, timer.name)
    elif timer.kind == "consent":
        lapse(turn, timer.name)
    elif timer.kind in {"date", "idle"}:
        program, _, name = timer.name.partition("/")
        entry = turn.topology.entry_named(program, name)
        if timer.kind == "idle":
            turn.row.armed -= 1
        if entry is None:
            return
        if timer.kind == "date":
            consider(turn, entry, f"{timer.name}@{timer.due_ms}")
            if entry.yearly:
                arm_date(turn, entry, timer.due_ms + 1)
            return
        consider(turn, entry, f"{timer.name}@{idle_since(turn, entry)}")
    # a "look" timer has done its work: _settle looks around


def _message(turn: Turn, message: Message, watermark_ms: int) -> None:
    row = turn.row
    if message.kind == "event":
        _event(turn, event_of(message), watermark_ms, message.body)
        if not turn.row.alias:
            point_here(turn, message.body)
        return
    if message.kind == "erase":
        erase_by_message(turn, message)
        return
    if row.erased_ms:
        refuse_message(turn, message)
        return
    _catch_up(turn, min(message.at_ms, watermark_ms))
    row = turn.row
    row.gone = False  # who was forgotten begins anew
    if not row.alias:  # an alias keeps the clock it left with
        row.clock_ms = max(row.clock_ms, message.at_ms)
    turn.now_ms = turn.occurred_ms = row.clock_ms
    if travel(turn, message):
        if turn.muted:
            settle_quietly(turn)
    elif message.kind.startswith("address_"):
        take_address(turn, message)
    elif message.kind == "wake":
        woken(turn, message.body)
    elif message.kind == "room":
        take_in(turn, message)
    else:
        reason = f"message kind {message.kind!r} is not for a contact"
        raise AssertionError(reason)
    _settle(turn)
    keep_nothing(turn)
