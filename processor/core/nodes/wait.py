"""``wait``: for a duration, to a date, or to a time of day on certain weekdays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from processor.core.enrollments import end
from processor.core.lifecycle import move_track
from processor.core.model import Fn, Node
from processor.core.recording import record
from processor.core.test_list import shortened
from processor.core.time import (
    DAY_MS,
    MINUTE_MS,
    clock,
    date_at,
    date_text,
    format_duration,
    local_date,
    next_clock,
)
from processor.core.turn import zone_of

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Wait", "WaitClock", "WaitTo", "wait_until"]


def wait_until(
    turn: Turn, enrollment: Enrollment, track: Track, step: str, due_ms: int, reason: str = ""
) -> None:
    """Let the track stand at the step until an instant."""
    if turn.topology.test_list is not None:
        soon_ms = turn.now_ms + shortened(turn, due_ms - turn.now_ms)
        reason = "test_list" if soon_ms < due_ms else reason
        due_ms = soon_ms
    track.due_ms = due_ms
    turn.retimed = True
    move_track(track, "wait")
    record(turn, "waiting", enrollment, step, reason, {"until": due_ms})


@dataclass(frozen=True, kw_only=True)
class Wait(Node):
    """Wait a duration, counted from the instant the track arrived."""

    duration_ms: int

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "wait"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Set the timer."""
        wait_until(turn, enrollment, track, self.id, turn.now_ms + self.duration_ms)
        return None

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The time has passed."""
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"wait {format_duration(self.duration_ms)}"


@dataclass(frozen=True, kw_only=True)
class WaitTo(Node):
    """Wait until an instant or a date, with an offset and a local time of day.

    With ``after_step`` the instant is when that step of the enrollment was done last.

    A date without ``at`` means its first local minute. A missing value goes on at once; an instant that has
    passed goes on at once, or ends the enrollment with ``if_past_exit``. With ``weekdays`` it is the first of
    them from that day on, at the same time.
    """

    until: Fn
    text: str
    offset_ms: int = 0
    at_minutes: int = -1
    if_past_exit: bool = False
    after_step: str = ""
    weekdays: frozenset[int] | None = None

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "wait"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Set the timer, or go on where there is nothing to wait for."""
        due_ms = self._due(turn)
        if due_ms is None:
            reason = "step_not_done" if self.after_step else "no_date"
            record(turn, "stepped", enrollment, self.id, reason)
            return self.next
        if due_ms > turn.now_ms:
            wait_until(turn, enrollment, track, self.id, due_ms)
            return None
        if self.if_past_exit:
            end(turn, enrollment, "exit", "date_passed", self.id)
            return None
        record(turn, "stepped", enrollment, self.id, "date_passed")
        return self.next

    def _due(self, turn: Turn) -> int | None:
        value = self.until(turn)
        if value is None:
            return None
        zone = zone_of(turn)
        days, rest_ms = divmod(self.offset_ms, DAY_MS)
        try:
            if isinstance(value, int):
                instant = value
                date = date_text(value, zone)
                minutes = clock(value, zone) if self.at_minutes < 0 else self.at_minutes
                if self.at_minutes < 0:
                    rest_ms += instant % 60_000
            else:
                date = local_date(str(value), zone)
                minutes = max(self.at_minutes, 0)
            due_ms = date_at(date, days, minutes, zone) + rest_ms
            if self.weekdays is not None:
                whole_ms = due_ms - due_ms % MINUTE_MS
                day_ms = next_clock(whole_ms, clock(whole_ms, zone), zone, self.weekdays)
                due_ms += day_ms - whole_ms
        except ValueError:
            return None
        return due_ms

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The date has come."""
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        offset = ""
        if self.offset_ms:
            offset = f" {'+' if self.offset_ms > 0 else '-'} {format_duration(abs(self.offset_ms))}"
        return f"wait until {self.text}{offset}"


@dataclass(frozen=True, kw_only=True)
class WaitClock(Node):
    """Wait until a local time of day, on one of the weekdays (None: any). Zone None is the contact's.

    Who arrives at that very time goes on at once, but not in a later round of a loop: that is another day.
    """

    at_minutes: int
    weekdays: frozenset[int] | None
    zone: ZoneInfo | None

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "wait"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Set the timer, or go on when it is that very minute."""
        again = self.looped and enrollment.visits is not None and enrollment.visits.get(self.id, 1) > 1
        after_ms = turn.now_ms + again
        due_ms = next_clock(after_ms, self.at_minutes, self.zone or zone_of(turn), self.weekdays)
        if due_ms <= turn.now_ms:
            return self.next
        wait_until(turn, enrollment, track, self.id, due_ms)
        return None

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The hour has come."""
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        days = ""
        if self.weekdays is not None:
            names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
            days = " on " + " ".join(names[day] for day in sorted(self.weekdays))
        return f"wait until {self.at_minutes // 60:02}:{self.at_minutes % 60:02}{days}"
