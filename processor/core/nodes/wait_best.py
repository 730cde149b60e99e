"""``wait: {best_hour: …}``: until the hour at which this contact is there most often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from processor.core.history import values_of
from processor.core.model import Node
from processor.core.nodes.wait import wait_until
from processor.core.time import next_clock
from processor.core.turn import zone_of

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["HOURS_KNOWN_MIN", "WaitBest"]

HOURS_KNOWN_MIN: Final = 3.0  # fewer occurrences within the hours to choose from say nothing of a contact


@dataclass(frozen=True, kw_only=True)
class WaitBest(Node):
    """Wait until the hour of ``hours`` with the most occurrences of ``event``, the earlier of equal ones.

    Who arrives at that very time goes on at once, but not in a later round of a loop: that is another day.
    """

    series: str
    event: str
    hours: tuple[int, ...]
    default_minutes: int

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "wait"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Set the timer, or go on when it is that very minute."""
        minutes = self._best(turn)
        reason = "default_hour" if minutes < 0 else "best_hour"
        again = self.looped and enrollment.visits is not None and enrollment.visits.get(self.id, 1) > 1
        after_ms = turn.now_ms + again
        due_ms = next_clock(after_ms, self.default_minutes if minutes < 0 else minutes, zone_of(turn))
        if due_ms <= turn.now_ms:
            return self.next
        wait_until(turn, enrollment, track, self.id, due_ms, reason)
        return None

    def _best(self, turn: Turn) -> int:
        """The minutes after midnight at which the best hour begins, -1 where too little is known."""
        series = turn.row.history.get(self.series)
        if series is None or not series.values:
            return -1
        counts = values_of(series)
        known = 0.0
        best = self.hours[0]
        for hour in self.hours:
            known += counts[hour]
            if counts[hour] > counts[best]:
                best = hour
        return best * 60 if known >= HOURS_KNOWN_MIN else -1

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The hour has come."""
        return self.next

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"wait until the best hour by {self.event}"
