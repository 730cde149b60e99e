"""Steps on the way out: what is still done when an enrollment ends before its last step, or by its goal.

They run at that instant, before the end is recorded, and none of them can wait: so a contact is gone when it
is gone. A command that a brake (a pause, a tripped breaker) would hold is not given, and that is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.lifecycle import READY
from processor.core.recording import record
from processor.core.sections import Track

if TYPE_CHECKING:
    from processor.core.model import Program
    from processor.core.sections import Enrollment
    from processor.core.turn import Turn

__all__ = ["ANY", "GOAL", "leave_by"]

ANY: Final = "any"  # exits that have no steps of their own
GOAL: Final = "goal"
STEPS_MAX: Final = 1_000  # on one way out; a program has no more steps, and none runs twice
# What ends an enrollment although nobody meant it to: nothing more is done.
_FAULTS: Final = frozenset(
    {"step_removed", "program_removed", "runaway", "merged_double", "too_many_enrollments"}
)


def leave_by(turn: Turn, program: Program, enrollment: Enrollment, signal: str, reason: str) -> None:
    """Run the steps of this way out, if there are any."""
    ways = program.ways_out
    if signal == GOAL:
        target = ways.get(GOAL)
    elif reason in _FAULTS:
        return
    else:
        target = ways.get(reason, ways.get(ANY))
    if target is None:
        return
    before, before_track = turn.enrollment, turn.track
    track = Track(target, READY, 0, turn.now_ms)
    turn.enrollment, turn.track = enrollment, track
    brake = turn.shared.brakes.get(program.name)
    stops = brake is not None and (brake.paused or brake.tripped)
    left = STEPS_MAX
    while target is not None and left:
        left -= 1
        node = program.nodes[target]
        track.step = target
        if stops and node.gives(track, due=False):
            record(turn, "suppressed", enrollment, target, "leaving")
            target = node.next
        else:
            target = node.enter(turn, enrollment, track)
    turn.enrollment, turn.track = before, before_track
