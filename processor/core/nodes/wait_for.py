"""``wait_for`` an event and ``wait_until`` a condition, each with a timeout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.lifecycle import LISTENING, move_track
from processor.core.model import Expression, Fn, Node
from processor.core.recording import record
from processor.core.test_list import shortened
from processor.core.time import format_duration
from processor.core.turn import NEVER_MS

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["WaitFor"]


@dataclass(frozen=True, kw_only=True)
class WaitFor(Node):
    """Listen for one of ``events`` that passes ``when``, or for ``condition`` to hold.

    What came leads to ``then``; the timeout (0: none) leads to ``otherwise``. A condition that holds on
    arrival goes on at once. A condition that time alone can fulfil gets a timer for when to look again.
    """

    events: tuple[str, ...]
    when: Fn | None
    condition: Expression | None
    timeout_ms: int
    then: str | None
    otherwise: str | None

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "wait_for"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Start listening, unless the condition holds already."""
        if self.condition is not None:
            turn.until_ms = NEVER_MS
            if self.condition.fn(turn):
                record(turn, "heard", enrollment, self.id)
                return self.then
        self._set_timer(turn, track)
        move_track(track, "listen")
        until_ms = track.since_ms + shortened(turn, self.timeout_ms)
        detail = {"until": until_ms} if self.timeout_ms else None
        record(turn, "waiting", enrollment, self.id, "", detail)
        return None

    def listens(self) -> tuple[str, ...]:
        """The events, or any input for a condition."""
        return self.events if self.condition is None else ("*",)

    def hear(self, turn: Turn, enrollment: Enrollment, track: Track) -> tuple[bool, str | None]:
        """Is it what the track waits for?"""
        if self.condition is not None:
            turn.until_ms = NEVER_MS
            if not self.condition.fn(turn):
                self._set_timer(turn, track)
                return False, None
        elif self.when is not None and not self.when(turn):
            return False, None
        else:
            program = turn.topology.programs[enrollment.program]
            kept = {name: turn.props[name] for name in program.answers if name in turn.props}
            track.keep_answer(kept or None)
        record(turn, "heard", enrollment, self.id, "", {"event": turn.event_id} if turn.event_id else None)
        return True, self.then

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """It did not come in time."""
        record(turn, "timed_out", enrollment, self.id)
        return self.otherwise

    def _set_timer(self, turn: Turn, track: Track) -> None:
        if track.due_ms < 0:
            return  # in quarantine: an operator releases it
        due = track.since_ms + shortened(turn, self.timeout_ms) if self.timeout_ms else NEVER_MS
        if self.condition is not None:
            due = min(due, turn.until_ms)
        due = 0 if due >= NEVER_MS else max(due, turn.now_ms)
        if due != track.due_ms or track.state == LISTENING:
            track.due_ms = due
            turn.retimed = True

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """What came, and the timeout where there is one."""
        came = (("yes", self.then),)
        if not self.timeout_ms:
            return came
        return (*came, (f"after {format_duration(self.timeout_ms)}", self.otherwise))

    def title(self) -> str:
        """What a drawing writes in the box."""
        if self.condition is not None:
            return f"wait until {self.condition.text}"
        return "wait for " + " or ".join(self.events)
