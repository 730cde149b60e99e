"""The contact's own timers: looking again at what time alone can change, dates, inactivity.

The row is the authority: it lists its timers, and an index elsewhere only hints at them. A timer that only
*looks again* is never put off: firing early looks and sets it anew, while moving it at every event would
write the timer index at every event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.sections import Timer
from processor.core.time import date_at, local_date, month_day, yearly
from processor.core.turn import NEVER_MS, zone_of

if TYPE_CHECKING:
    from processor.core.model import Entry
    from processor.core.rows import Row
    from processor.core.turn import Turn

__all__ = [
    "arm_date",
    "arm_dates",
    "arm_idle",
    "earliest",
    "idle_since",
    "look_again",
    "postpone_idle",
    "quarantine",
    "take_due",
]


def earliest(row: Row) -> int:
    """The row's earliest due instant, 0 when nothing waits."""
    due = NEVER_MS
    if row.inside:
        for enrollment in row.enrollments:
            at = enrollment.due_ms
            if at and at < due:
                due = at
            for track in enrollment.tracks:
                at = track.due_ms
                if at and at < due:
                    due = at
    for timer in row.timers:
        at = timer.due_ms
        if at < due:  # noqa: PLR1730 - min() would box both
            due = at
    return 0 if due == NEVER_MS else due


def take_due(row: Row, at_ms: int) -> list[Timer]:
    """Take the contact's timers due by ``at_ms`` out of the row, earliest first."""
    due = [timer for timer in row.timers if timer.due_ms <= at_ms]
    if due:
        row.change_timers()[:] = [timer for timer in row.timers if timer.due_ms > at_ms]
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
    """Set the timers of date entries whose attribute (or zone) changed; what has passed is not set."""
    names = turn.redated
    turn.redated = []
    for name in sorted(set(names)):
        for entry in turn.topology.dates_by_attribute.get(name, ()):
            arm_date(turn, entry, turn.now_ms)


def arm_date(turn: Turn, entry: Entry, after_ms: int) -> None:
    """Set one date entry's timer to its first instant at or after ``after_ms``, or take it away."""
    timers = turn.row.change_timers()
    label = f"{entry.program}/{entry.id}"
    timers[:] = [timer for timer in timers if not (timer.kind == "date" and timer.name == label)]
    turn.retimed = True
    due = _date_due(turn, entry, after_ms)
    if due is not None:
        timers.append(Timer(due, "date", label))


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
    if not entry.activities:
        return turn.row.active_ms
    history = turn.row.history
    latest_ms = 0
    for name in entry.activities:
        series = history.get(name)
        if series is not None:
            latest_ms = max(latest_ms, series.last_ms)
    return latest_ms


def postpone_idle(turn: Turn, until_ms: int) -> bool:
    """Put off the inactivity timers due by ``until_ms`` whose contact has been active since; True if any."""
    moved = False
    for timer in turn.row.timers:
        if timer.due_ms <= until_ms and timer.kind == "idle":
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


def quarantine(row: Row, at_ms: int) -> None:
    """Stop the timers due by ``at_ms``: firing them raised. They stay in the row, to be seen and released."""
    for enrollment in row.enrollments:
        row.change_enrollment(enrollment)
        if 0 < enrollment.due_ms <= at_ms:
            enrollment.due_ms = 0
        for track in enrollment.tracks:
            if 0 < track.due_ms <= at_ms:
                track.due_ms = 0
                track.mark = "quarantined"
    for timer in row.change_timers():
        if timer.due_ms <= at_ms:
            timer.due_ms = NEVER_MS - 1
    row.due_ms = earliest(row)
