"""Who enters a program: conditions, audience, window, re-entry, limits, holdout; then it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from processor.core.hierarchies import end_lower, higher
from processor.core.ids import enrollment_id
from processor.core.leases import TAKEN, WAITS, take
from processor.core.lifecycle import ACTIVE, ENDED, HOLDOUT, PENDING, READY, move_enrollment
from processor.core.limits import ENROLLMENTS_MAX
from processor.core.named import Past
from processor.core.outputs import Decision
from processor.core.policies import in_holdout
from processor.core.recording import record
from processor.core.sections import Enrollment, Track, packed_map
from processor.core.shared import LEASE_WAITERS_MAX, Claim
from processor.core.test_list import is_test

if TYPE_CHECKING:
    from processor.core.model import Entry, Program, Reaction
    from processor.core.turn import Turn

__all__ = ["ENTRY_BYTES_MAX", "consider", "consider_all", "granted", "take_unit"]

ENTRY_BYTES_MAX: Final = 4_096  # beyond it the largest kept properties are let go ("entry_trimmed")
KEY_CHARS_MAX: Final = 200

_encode = msgspec.msgpack.Encoder().encode


def consider_all(turn: Turn, reaction: Reaction) -> None:
    """The event at hand is a trigger: consider the entries that it may be meant for, and no others."""
    entries = reaction.entries
    if reaction.by_match is not None:
        entries = reaction.by_match.get(turn.props.get(reaction.match), ())
    for entry in entries:
        consider(turn, entry, turn.event_id or f"{turn.event_type}@{turn.now_ms}")


def consider(turn: Turn, entry: Entry, cause: str) -> None:
    """An entry's trigger has come. ``cause`` names it (an event id, a date) for the enrollment's id."""
    props = turn.props
    for name, wanted in entry.match:
        if props.get(name) != wanted:
            return
    if entry.when is not None and not entry.when(turn):
        return
    program = turn.topology.programs[entry.program]
    key = ""
    if entry.key is not None:
        value = entry.key(turn)
        if value is None:
            _refuse(turn, program, "no_key", entry.id)
            return
        key = str(value)[:KEY_CHARS_MAX]
    refusal = _refusal(turn, program, key)
    if refusal:
        _refuse(turn, program, refusal, entry.id)
        return
    if program.group and turn.row.inside:
        by = higher(turn, program)
        if by:
            _refuse(turn, program, "outranked", entry.id, {"by": by})
            return
    _begin(turn, program, entry, key, cause)


def _refusal(turn: Turn, program: Program, key: str) -> str:
    """The rule that keeps the contact out, or "". Nothing here depends on chance."""
    now_ms = turn.now_ms
    brakes = turn.shared.brakes
    if brakes and (brake := brakes.get(program.name)) is not None and brake.paused:
        return "paused"
    if program.opens_ms and now_ms < program.opens_ms:
        return "window_not_open"
    if program.closes_ms and now_ms >= program.closes_ms:
        return "window_closed"
    audience = program.audience
    if audience.only is not None and not audience.only(turn):
        return "audience"
    if audience.never is not None and audience.never(turn):
        return "audience_never"
    row = turn.row
    if row.inside:
        inside = 0
        for enrollment in row.enrollments:
            if enrollment.state != ENDED:
                inside += 1
                if enrollment.program == program.name and enrollment.key == key:
                    return "already_inside"
        if inside >= ENROLLMENTS_MAX:
            return "too_many_enrollments"
    return _too_soon(turn, program, key)


def _too_soon(turn: Turn, program: Program, key: str) -> str:
    """The re-entry rule that keeps the contact out, or "". Per key where the program has a key."""
    now_ms = turn.now_ms
    past = turn.row.past.get(program.name)
    if past is None or is_test(turn):
        return ""
    if program.keyed:
        ended_ms = past.key_ms(key)
        if ended_ms < 0:
            return ""
    else:
        ended_ms = past.ended_ms
    if program.reenter_ms < 0:
        return "reenter_never"
    if program.reenter_ms and now_ms < ended_ms + program.reenter_ms:
        return "reenter_too_soon"
    return ""


def _refuse(
    turn: Turn, program: Program, reason: str, entry: str, detail: dict[str, Any] | None = None
) -> None:
    turn.out.append(
        Decision(
            "not_entered",
            turn.contact_id,
            turn.now_ms,
            program.name,
            program.version,
            "",
            entry,
            reason,
            detail,
        )
    )


def _begin(turn: Turn, program: Program, entry: Entry, key: str, cause: str) -> None:
    now_ms = turn.now_ms
    identity = enrollment_id(turn.contact_id, program.name, key, cause)
    enrollment = Enrollment(
        identity, program.name, program.version, key, now_ms, ACTIVE, [], entry_data=_kept(turn, program)
    )
    if program.goal is not None:
        enrollment.goal_by_ms = now_ms + program.goal.within_ms
    if program.exit_after_ms:
        enrollment.due_ms = now_ms + program.exit_after_ms
    row = turn.row
    pasts = row.past
    past = pasts.get(program.name)
    if past is None:
        past = Past(1, now_ms, 0)
        pasts.put(program.name, past)
    else:
        pasts.change(past)
        past.entries += 1
        past.entered_ms = now_ms
    if key:
        past.use_key(key, now_ms)
    test = is_test(turn)
    apart = "" if test else in_holdout(turn, program)
    row.change_enrollments().append(enrollment)
    if program.name not in row.inside:
        row.inside.append(program.name)
    turn.stale.extend(turn.topology.segments_by_program)
    turn.retimed = True
    detail: dict[str, Any] = {"entry": entry.id}
    if turn.event_id:
        detail["event"] = turn.event_id
    if key:
        detail["key"] = key
    if test:
        detail["test"] = True
    if apart:
        _hold_apart(turn, program, enrollment, apart, detail)
        return
    if program.entrants_max and not test and not take_unit(turn, program, enrollment):
        return
    _start(turn, program, enrollment, detail)


def take_unit(turn: Turn, program: Program, enrollment: Enrollment) -> bool:
    """Take a unit of the program's cap on entrants. False where the enrollment waits, or is refused."""
    pot = f"entrants/{program.name}"
    claim = Claim(turn.contact_id, enrollment.id, {pot: 1}, {pot: program.entrants_max})
    answer = take(turn, claim, LEASE_WAITERS_MAX)
    if answer == TAKEN:
        return True
    enrollment.state = PENDING
    if answer != WAITS:
        granted(turn, program, enrollment, unit=False)
    return False


def _start(turn: Turn, program: Program, enrollment: Enrollment, detail: dict[str, Any]) -> None:
    enrollment.tracks = [Track(program.first, READY, 0, turn.now_ms)]
    turn.runnable.append(enrollment)
    record(turn, "entered", enrollment, detail=detail)
    if program.group:
        end_lower(turn, program)


def _hold_apart(
    turn: Turn, program: Program, enrollment: Enrollment, reason: str, detail: dict[str, Any]
) -> None:
    """A holdout enrollment stays, without steps, as long as its goal can be reached."""
    record(turn, "holdout", enrollment, reason=reason, detail=detail)
    enrollment.state = HOLDOUT
    enrollment.due_ms = enrollment.goal_by_ms or turn.now_ms


def granted(turn: Turn, program: Program, enrollment: Enrollment, *, unit: bool) -> None:
    """The home partition has answered for an enrollment that waited for a unit of the cap on entrants."""
    if unit:
        turn.row.change_enrollment(enrollment)
        move_enrollment(enrollment, "granted")
        _start(turn, program, enrollment, {"entry": "lease"})
        return
    turn.row.change_enrollment(enrollment)
    move_enrollment(enrollment, "refused")
    turn.retimed = True
    record(turn, "not_entered", enrollment, reason="entrants_full")


def _kept(turn: Turn, program: Program) -> bytes:
    """The properties of the entry event that the program reads later, packed, within ENTRY_BYTES_MAX."""
    props = turn.props
    kept = {name: props[name] for name in program.keeps if props.get(name) is not None}
    while len(packed := packed_map(kept)) > ENTRY_BYTES_MAX:
        largest = max(kept, key=lambda name: (len(_encode(kept[name])), name))
        del kept[largest]
        turn.out.append(
            Decision(
                "limit",
                turn.contact_id,
                turn.now_ms,
                program.name,
                program.version,
                "",
                "",
                "entry_trimmed",
                {"name": largest},
            )
        )
    return packed
