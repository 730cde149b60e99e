"""The contact's own timers: looking again at what time alone can change, dates, inactivity.

The row is the authority: it lists its timers, and an index elsewhere only hints at them. A timer that only
*looks again* is never put off: firing early looks and sets it anew, while moving it at every event would
write the timer index at every event.

A timer that raised is in **quarantine**: its due instant is negated, in the row and nowhere else, so that
nothing fires it before an operator releases it. Two things can take its place: a look that succeeds (a look
is all that such a timer is for), and whatever sets the same wait or date anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.outputs import Decision
from processor.core.sections import Timer
from processor.core.time import DAY_MS, date_at, local_date, month_day, yearly
from processor.core.turn import NEVER_MS, zone_of

if TYPE_CHECKING:
    from processor.core.model import Entry
    from processor.core.rows import Row
    from processor.core.sections import Enrollment
    from processor.core.turn import Turn

__all__ = [
    "arm_date",
    "arm_dates",
    "arm_idle",
    "earliest",
    "idle_since",
    "last_activity",
    "look_again",
    "postpone_idle",
    "quarantine",
    "release",
    "take_due",
]


ZONES_MS: Final = 2 * DAY_MS  # no two zones are further apart


def earliest(row: Row) -> int:
    """The row's earliest due instant, 0 when nothing waits; what is in quarantine waits for nobody."""
    due = NEVER_MS
    if row.inside:
        for enrollment in row.enrollments:
            at = enrollment.due_ms
            if 0 < at < due:
                due = at
            for track in enrollment.tracks:
                at = track.due_ms
                if 0 < at < due:
                    due = at
    for timer in row.timers:
        at = timer.due_ms
        if 0 < at < due:
            due = at
    return 0 if due == NEVER_MS else due


def take_due(row: Row, at_ms: int) -> list[Timer]:
    """Take the contact's timers due by ``at_ms`` out of the row, earliest first."""
    due = [timer for timer in row.timers if 0 < timer.due_ms <= at_ms]
    if due:
        row.change_timers()[:] = [timer for timer in row.timers if not 0 < timer.due_ms <= at_ms]
        due.sort(key=lambda timer: (timer.due_ms, timer.kind, timer.name))
    return due


def look_again(turn: Turn, kind: str, name: str, until_ms: int) -> None:
    """Keep one timer of this kind and name for the instant at which a value can change by time alone."""
    timers = turn.row.timers
    for index, timer in enumerate(timers):
        if timer.kind == kind and timer.name == name:
            if until_ms >= NEVER_MS:
                del turn.row.change_timers()[index]
                turn.retimed = True
            elif until_ms < timer.due_ms or timer.due_ms <= turn.now_ms:
                turn.row.change_timers()
                timer.due_ms = until_ms
                turn.retimed = True
            return
    if until_ms < NEVER_MS:
        turn.row.change_timers().append(Timer(until_ms, kind, name))
        turn.retimed = True


def arm_dates(turn: Turn) -> None:
    """Set the timers of date entries whose attribute changed, or of all where the zone did (the empty name).

    What has passed when an attribute becomes known is not set.
    """
    names = set(turn.redated)
    turn.redated = []
    fresh = names - {""}
    for name in sorted(turn.topology.dates_by_attribute if "" in names else names):
        for entry in turn.topology.dates_by_attribute.get(name, ()):
            if name in fresh:
                arm_date(turn, entry, turn.now_ms)
            else:
                _move_date(turn, entry)


def _move_date(turn: Turn, entry: Entry) -> None:
    """Another zone moves an entry's instant by a day or so: it comes neither twice nor not at all.

    An instant that its timer has left behind does not come again; one that was still to come, and by the
    clock of the new zone has passed, is now.
    """
    was_ms = _date_timer(turn, entry)
    after_ms = max(turn.now_ms, was_ms - ZONES_MS) if entry.yearly else turn.now_ms
    arm_date(turn, entry, after_ms)
    if turn.now_ms < was_ms <= turn.now_ms + ZONES_MS:
        is_ms = _date_timer(turn, entry)
        if not is_ms or is_ms > was_ms + ZONES_MS:
            _set_date(turn, entry, turn.now_ms)


def _date_timer(turn: Turn, entry: Entry) -> int:
    """When the timer of a date entry is due, 0 where it has none."""
    label = f"{entry.program}/{entry.id}"
    for timer in turn.row.timers:
        if timer.kind == "date" and timer.name == label:
            return timer.due_ms
    return 0


def arm_date(turn: Turn, entry: Entry, after_ms: int) -> None:
    """Set one date entry's timer to its first instant at or after ``after_ms``, or take it away."""
    _set_date(turn, entry, _date_due(turn, entry, after_ms))


def _set_date(turn: Turn, entry: Entry, due_ms: int | None) -> None:
    if due_ms is None and not _date_timer(turn, entry):
        return  # most contacts have no such date: nothing is written for them
    label = f"{entry.program}/{entry.id}"
    timers = turn.row.change_timers()
    timers[:] = [timer for timer in timers if not (timer.kind == "date" and timer.name == label)]
    turn.retimed = True
    if due_ms is not None:
        timers.append(Timer(due_ms, "date", label))


def _date_due(turn: Turn, entry: Entry, after_ms: int) -> int | None:
    value = turn.row.attributes.get(entry.attribute)
    if not isinstance(value, str):
        return None
    zone = zone_of(turn)
    try:
        date = local_date(value, zone)
        if entry.yearly:
            month, day = month_day(date)
            return yearly(after_ms, month, day, entry.offset_days, entry.at_minutes, zone)
        due = date_at(date, entry.offset_days, entry.at_minutes, zone)
    except ValueError:
        return None  # not a date: an attribute the schema does not know may hold anything
    return due if due >= after_ms else None


def idle_since(turn: Turn, entry: Entry) -> int:
    """When the contact last did anything that counts as activity for the entry (ms; 0 for never)."""
    return last_activity(turn, entry.activities)


def last_activity(turn: Turn, activities: tuple[str, ...]) -> int:
    """When the contact last did any of these event types, any at all for none (ms; 0 for never)."""
    if not activities:
        return turn.row.active_ms
    history = turn.row.history
    latest_ms = 0
    for name in activities:
        series = history.get(name)
        if series is not None:
            latest_ms = max(latest_ms, series.last_ms)
    return latest_ms


def postpone_idle(turn: Turn, until_ms: int) -> bool:
    """Put off the inactivity timers due by ``until_ms`` whose contact has been active since; True if any."""
    moved = False
    for timer in turn.row.timers:
        if 0 < timer.due_ms <= until_ms and timer.kind == "idle":
            program, _, name = timer.name.partition("/")
            entry = turn.topology.entry_named(program, name)
            if entry is not None:
                due_ms = idle_since(turn, entry) + entry.inactive_ms
                if due_ms > timer.due_ms:
                    turn.row.change_timers()
                    timer.due_ms = due_ms
                    moved = True
    return moved


def arm_idle(turn: Turn, entries: tuple[Entry, ...]) -> None:
    """An activity: start the inactivity timers that are not running. Running ones find out when they fire."""
    timers = turn.row.timers
    for entry in entries:
        label = f"{entry.program}/{entry.id}"
        for timer in timers:
            if timer.kind == "idle" and timer.name == label:
                break
        else:
            turn.row.change_timers().append(Timer(turn.now_ms + entry.inactive_ms, "idle", label))
            turn.row.armed += 1
            turn.retimed = True


def quarantine(row: Row, contact_id: str, at_ms: int, reason: str) -> list[Decision]:
    """Stop the timers due by ``at_ms``: firing them raised. Returns a decision for each.

    They stay in the row, to be seen and released: the due instant of one that is stopped is negated.
    """
    made: list[Decision] = []
    for enrollment in row.enrollments:
        due_ms = enrollment.due_ms
        if 0 < due_ms <= at_ms:
            row.change_enrollment(enrollment)
            enrollment.due_ms = -due_ms
            made.append(_of_step("quarantined", contact_id, at_ms, enrollment, "", due_ms, reason))
        for track in enrollment.tracks:
            due_ms = track.due_ms
            if 0 < due_ms <= at_ms:
                row.change_enrollment(enrollment)
                track.due_ms = -due_ms
                made.append(
                    _of_step("quarantined", contact_id, at_ms, enrollment, track.step, due_ms, reason)
                )
    for timer in row.timers:
        due_ms = timer.due_ms
        if 0 < due_ms <= at_ms:
            row.change_timers()
            timer.due_ms = -due_ms
            made.append(_of_own("quarantined", contact_id, at_ms, row, timer, due_ms, reason))
    row.due_ms = earliest(row)
    return made


def release(turn: Turn, _: dict[str, Any]) -> None:
    """``timers_released``: an operator lets the timers go that were stopped. They are due now.

    One that was stopped before the contact's clock came to its instant keeps that.
    """
    row, contact_id, now_ms = turn.row, turn.contact_id, turn.now_ms
    for enrollment in row.enrollments:
        due_ms = -enrollment.due_ms
        if due_ms > 0:
            row.change_enrollment(enrollment)
            enrollment.due_ms = max(due_ms, now_ms)
            turn.out.append(_of_step("released", contact_id, now_ms, enrollment, "", due_ms, ""))
        for track in enrollment.tracks:
            due_ms = -track.due_ms
            if due_ms > 0:
                row.change_enrollment(enrollment)
                track.due_ms = max(due_ms, now_ms)
                turn.out.append(_of_step("released", contact_id, now_ms, enrollment, track.step, due_ms, ""))
    for timer in row.timers:
        due_ms = -timer.due_ms
        if due_ms > 0:
            row.change_timers()
            timer.due_ms = max(due_ms, now_ms)
            turn.out.append(_of_own("released", contact_id, now_ms, row, timer, due_ms, ""))
    turn.retimed = True


def _of_step(
    kind: str, contact_id: str, at_ms: int, enrollment: Enrollment, step: str, due_ms: int, reason: str
) -> Decision:
    """Record what becomes of an enrollment's timer; without a step it is that of its own deadline."""
    detail = {"timer": "step" if step else "deadline", "due": due_ms}
    return Decision(
        kind, contact_id, at_ms, enrollment.program, enrollment.version, enrollment.id, step, reason, detail
    )


def _of_own(
    kind: str, contact_id: str, at_ms: int, row: Row, timer: Timer, due_ms: int, reason: str
) -> Decision:
    """Record what becomes of a timer of the contact, with the program that it is there for, if any."""
    detail = {"timer": timer.kind, "name": timer.name, "due": due_ms}
    if timer.kind == "look":
        for enrollment in row.enrollments:
            if enrollment.id == timer.name:
                return Decision(
                    kind,
                    contact_id,
                    at_ms,
                    enrollment.program,
                    enrollment.version,
                    enrollment.id,
                    "",
                    reason,
                    detail,
                )
    program = timer.name.partition("/")[0] if timer.kind in {"date", "idle"} else ""
    return Decision(kind, contact_id, at_ms, program, 0, "", "", reason, detail)
