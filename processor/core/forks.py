"""Branches of parallel steps: where they end, and what follows when they have.

A branch is a track whose ``fork`` names its parallel step; the track that came to the step is JOINING there.
Ways into and out of branches are refused when a program is loaded, so at any time each parallel step has at
most one such track, and its branches are told by the step alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.lifecycle import ENDED, JOINING, move_track

if TYPE_CHECKING:
    from processor.core.model import Program
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["end_of_branch", "join"]


def end_of_branch(program: Program, track: Track) -> str | None:
    """The step at which the track's branch ends; None for the program's end, and for what is no branch."""
    if not track.fork:
        return None
    node = program.nodes.get(track.fork)
    return None if node is None else node.next


def join(turn: Turn, program: Program, enrollment: Enrollment) -> bool:
    """Let the tracks go on whose branches have ended; True if any does."""
    joined = False
    for track in enrollment.tracks.copy():
        if track.state != JOINING:
            continue
        branches = [branch for branch in enrollment.tracks if branch.fork == track.step]
        ended = 0
        for branch in branches:
            ended += branch.state == ENDED
        first_ends = getattr(program.nodes.get(track.step), "first_ends", False)
        if ended < len(branches) and not (first_ends and ended):
            continue
        _drop(enrollment, branches)
        move_track(track, "joined")
        track.mark = "due"
        turn.retimed = True
        joined = True
    return joined


def _drop(enrollment: Enrollment, branches: list[Track]) -> None:
    """Take branches out of the enrollment, with those that they have started themselves."""
    waiting = branches
    while waiting:
        branch = waiting.pop()
        enrollment.tracks.remove(branch)
        if branch.state == JOINING:
            waiting.extend([inner for inner in enrollment.tracks if inner.fork == branch.step])
