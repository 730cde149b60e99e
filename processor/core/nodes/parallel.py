"""``parallel``: branches that run at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.lifecycle import READY, move_track
from processor.core.model import Node
from processor.core.recording import record
from processor.core.sections import Track

if TYPE_CHECKING:
    from processor.core.sections import Enrollment
    from processor.core.turn import Turn

__all__ = ["Parallel"]


@dataclass(frozen=True, kw_only=True)
class Parallel(Node):
    """Start a track for each branch (name, first step) and stand here until all have ended, or the first.

    A branch ends where it would go on at ``next``; :mod:`processor.core.forks` sees to that. The answer of a
    wait_for belongs to the track that heard it: a branch begins with the one of before, and keeps its own.
    """

    branches: tuple[tuple[str, str | None], ...]
    first_ends: bool

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "parallel"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Start the branches."""
        record(turn, "stepped", enrollment, self.id, "branches")
        answer = track.answer
        for _, first in self.branches:
            if first is not None:
                enrollment.tracks.append(Track(first, READY, 0, turn.now_ms, answer=answer, fork=self.id))
        move_track(track, "fork")
        return None

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """As many branches have ended as have to."""
        record(turn, "stepped", enrollment, self.id, "first_ended" if self.first_ends else "all_ended")
        return self.next

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """A way for each branch; all of them are gone at once."""
        return self.branches

    def title(self) -> str:
        """What a drawing writes in the box."""
        return "in parallel: " + ", ".join(name for name, _ in self.branches)
