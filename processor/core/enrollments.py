"""One enrollment at work: running its tracks, ending it, and what an event or a timer does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.best import counted_until, note_event, note_goal
from processor.core.brakes import forgo, is_braked, stands_still
from processor.core.forks import end_of_branch, join
from processor.core.lifecycle import (
    ACTIVE,
    ENDED,
    HELD,
    LISTENING,
    OBSERVED,
    PENDING,
    READY,
    move_enrollment,
    move_track,
)
from processor.core.named import Past
from processor.core.pacing import drop_room, hand_back, unpack
from processor.core.recording import record
from processor.core.rivalry import stands
from processor.core.test_list import is_test, shortened
from processor.core.timers import look_again
from processor.core.turn import NEVER_MS
from processor.core.ways_out import leave_by

if TYPE_CHECKING:
    from processor.core.model import Goal, Program
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["STEPS_PER_TURN_MAX", "end", "fire", "hear", "look", "look_at", "remove", "run"]

STEPS_PER_TURN_MAX: Final = 1_000  # beyond it the enrollment ends, recorded ("exited", "runaway")


def look_at(turn: Turn, enrollment: Enrollment, track: Track | None = None) -> None:
    """Point ``entry``, ``answer`` and ``variants`` of expressions at this enrollment (and track)."""
    turn.enrollment = enrollment
    turn.track = track


def run(turn: Turn, program: Program, enrollment: Enrollment) -> None:
    """Run the enrollment's ready tracks, each until it waits or ends; then end it if none is left."""
    turn.row.change_enrollment(enrollment)
    steps_left = STEPS_PER_TURN_MAX
    running = True
    while running:
        for track in enrollment.tracks:  # those that are started meanwhile run too
            if track.state != READY:
                continue
            look_at(turn, enrollment, track)
            steps_left = _walk(turn, program, enrollment, track, steps_left)
            if turn.slot >= 0:
                hand_back(turn)
            if enrollment.state == ENDED:
                return
        running = len(enrollment.tracks) > 1 and join(turn, program, enrollment)
    if enrollment.state == ACTIVE and all(track.state == ENDED for track in enrollment.tracks):
        _complete(turn, program, enrollment)


def _walk(turn: Turn, program: Program, enrollment: Enrollment, track: Track, steps_left: int) -> int:
    """Run one track from its step on. Returns how many steps this turn may still take."""
    target: str | None = track.step
    resuming = track.mark == "due"
    if resuming:
        track.mark = ""
        unpack(turn, enrollment, track)
    elif track.mark and is_braked(track):  # a brake has let go of its command for good
        target = _forgo(turn, program, enrollment, track)
    brakes = turn.shared.brakes
    end_at = end_of_branch(program, track)
    while target is not None and (resuming or target != end_at):
        node = program.nodes.get(target)
        if node is None:
            end(turn, enrollment, "exit", "step_removed", target)
            return steps_left
        if steps_left == 0:
            end(turn, enrollment, "exit", "runaway", target)
            return 0
        steps_left -= 1
        if brakes and stands_still(turn, program, enrollment, track, node, due=resuming):
            return steps_left
        if not resuming:
            track.step = target
            track.since_ms = turn.now_ms
            track.note = ""
            if node.looped:
                visits = enrollment.visits
                if visits is None:
                    visits = enrollment.visits = {}
                visits[target] = visits.get(target, 0) + 1
        target = node.resume(turn, enrollment, track) if resuming else node.enter(turn, enrollment, track)
        resuming = False
        if track.state == READY and node.id in program.timed:
            _mark_done(turn, enrollment, node.id)
    if track.state == READY and enrollment.state == ACTIVE:
        move_track(track, "end")
    return steps_left


def _forgo(turn: Turn, program: Program, enrollment: Enrollment, track: Track) -> str | None:
    node = program.nodes.get(track.step)
    if node is None:
        track.mark = ""
        return track.step  # which is then found to be removed
    target = forgo(turn, enrollment, track, node)
    if track.state == READY and node.id in program.timed:
        _mark_done(turn, enrollment, node.id)
    return target


def _mark_done(turn: Turn, enrollment: Enrollment, step: str) -> None:
    done = enrollment.done
    if done is None:
        done = enrollment.done = {}
    done[step] = turn.now_ms


def _complete(turn: Turn, program: Program, enrollment: Enrollment) -> None:
    """All steps are done: wait while the goal, or a split's success, can still come; or end."""
    record(turn, "completed", enrollment)
    until_ms = 0 if program.goal is None else enrollment.goal_by_ms
    if program.bests:
        until_ms = max(until_ms, counted_until(program, enrollment))
    if until_ms > turn.now_ms and not is_test(turn):
        enrollment.tracks = []
        enrollment.due_ms = until_ms
        move_enrollment(enrollment, "observe")
        turn.derived.append(("program_ended", {"program": program.name, "reason": "completed"}))
    else:
        end(turn, enrollment, "complete", "completed")


_DECISION_OF_SIGNAL: Final = {
    "goal": "goal",
    "exit": "exited",
    "window_closed": "observed_out",
}


def end(
    turn: Turn,
    enrollment: Enrollment,
    signal: str,
    reason: str,
    step: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """End an enrollment; it leaves the row at the end of the turn, what re-entry needs of it stays."""
    at = step or (enrollment.tracks[0].step if enrollment.tracks else "")
    tell = enrollment.state == ACTIVE or (enrollment.state == OBSERVED and signal == "goal")
    turn.row.change_enrollment(enrollment)
    program = turn.topology.programs.get(enrollment.program)
    if tell and signal != "complete" and program is not None and program.ways_out:
        leave_by(turn, program, enrollment, signal, reason)
    move_enrollment(enrollment, signal)
    if signal != "complete":
        record(turn, _DECISION_OF_SIGNAL[signal], enrollment, at, reason, detail)
    if turn.topology.paced:
        drop_room(turn, enrollment)
    pasts = turn.row.past
    past = pasts.get(enrollment.program)
    if past is None:
        past = Past(0, enrollment.entered_ms, 0)
        pasts.put(enrollment.program, past)
    pasts.change(past)
    past.ended_ms = turn.now_ms
    if enrollment.key:
        past.use_key(enrollment.key, turn.now_ms)
    turn.retimed = True
    turn.stale.extend(turn.topology.segments_by_program)
    if tell:
        kind = {"goal": "goal", "exit": "exited", "complete": "completed"}.get(signal)
        if kind is not None:
            turn.derived.append(("program_ended", {"program": enrollment.program, "reason": kind}))


def remove(turn: Turn, program: str) -> None:
    """Somebody takes the contact out of a program by hand."""
    for enrollment in turn.row.enrollments:
        if enrollment.program == program and enrollment.state != ENDED:
            end(turn, enrollment, "exit", "removed")


def hear(turn: Turn, program: Program, enrollment: Enrollment) -> None:
    """The event at hand concerns this program: its goal, then its exits, then steps that listen."""
    event_type = turn.event_type
    look_at(turn, enrollment)
    if event_type in program.best_events and enrollment.state != PENDING:
        note_event(turn, program, enrollment)
    if event_type in program.goal_events and _reaches_goal(turn, program, enrollment):
        return
    exits = program.exit_events.get(event_type)
    if exits:
        for way in exits:
            if way.when is None or way.when(turn):
                end(turn, enrollment, "exit", way.reason)
                return
    listeners = program.listeners.get(event_type)
    if listeners and enrollment.state == ACTIVE:
        for track in enrollment.tracks:
            if track.state == LISTENING and track.step in listeners and enrollment.state == ACTIVE:
                _offer(turn, program, enrollment, track)


def _reaches_goal(turn: Turn, program: Program, enrollment: Enrollment) -> bool:
    goal = program.goal
    if goal is None or enrollment.state == PENDING or turn.now_ms > enrollment.goal_by_ms:
        return False
    test = goal.when if turn.event_type in goal.events else goal.condition
    if test is not None and not test(turn):
        return False
    reason = turn.event_type if turn.event_type in goal.events else "condition"
    if program.bests:
        note_goal(turn, program, enrollment)
    end(turn, enrollment, "goal", reason, detail=_worth(turn, goal))
    return True


def _worth(turn: Turn, goal: Goal) -> dict[str, Any] | None:
    """What reaching the goal is worth, for the record; None where the program does not say."""
    if goal.value is None:
        return None
    worth = goal.value(turn)
    return None if worth is None else {"value": worth}


def look(turn: Turn, program: Program, enrollment: Enrollment) -> None:
    """Look at the conditions nothing but a look can tell: goal, exits and waits without an event."""
    look_at(turn, enrollment)
    turn.until_ms = NEVER_MS
    goal = program.goal
    if goal is not None and goal.condition is not None and enrollment.state != PENDING:
        in_time = turn.now_ms <= enrollment.goal_by_ms
        if in_time and goal.condition(turn):
            if program.bests:
                note_goal(turn, program, enrollment)
            end(turn, enrollment, "goal", "condition", detail=_worth(turn, goal))
            return
    for way in program.exit_conditions:
        if way.condition is not None and way.condition(turn):
            end(turn, enrollment, "exit", way.reason)
            return
    if turn.until_ms < NEVER_MS:
        look_again(turn, "look", enrollment.id, turn.until_ms)
    listeners = program.listeners.get("*")
    if listeners and enrollment.state == ACTIVE:
        for track in enrollment.tracks:
            if track.state == LISTENING and track.step in listeners and enrollment.state == ACTIVE:
                _offer(turn, program, enrollment, track)


def _offer(turn: Turn, program: Program, enrollment: Enrollment, track: Track) -> None:
    node = program.nodes.get(track.step)
    if node is None:
        end(turn, enrollment, "exit", "step_removed", track.step)
        return
    look_at(turn, enrollment, track)
    turn.row.change_enrollment(enrollment)
    woke, target = node.hear(turn, enrollment, track)
    if woke:
        if node.id in program.timed and target != node.id:
            _mark_done(turn, enrollment, node.id)
        _go_on(turn, enrollment, track, "heard", target)


def _go_on(turn: Turn, enrollment: Enrollment, track: Track, signal: str, target: str | None) -> None:
    move_track(track, signal)
    track.due_ms = 0
    turn.retimed = True
    if target is None:
        move_track(track, "end")
    else:
        track.step = target
    turn.runnable.append(enrollment)


def fire(turn: Turn, program: Program, enrollment: Enrollment) -> None:
    """Timers of this enrollment are due: its own deadline first, then its tracks'."""
    now_ms = turn.now_ms
    turn.row.change_enrollment(enrollment)
    if 0 < enrollment.due_ms <= now_ms:
        enrollment.due_ms = 0
        turn.retimed = True
        if enrollment.state in {ACTIVE, PENDING}:
            end(turn, enrollment, "exit", next(way.reason for way in program.exits if way.after_ms))
        else:
            end(turn, enrollment, "window_closed", "counted" if program.goal is None else "window_closed")
        return
    for track in enrollment.tracks:
        if 0 < track.due_ms <= now_ms and enrollment.state != ENDED:
            track.due_ms = 0
            turn.retimed = True
            if track.state == LISTENING and not _timed_out(turn, program, track):
                _offer(turn, program, enrollment, track)
                continue
            if track.state == HELD and track.mark and stands(turn, enrollment, track):
                continue
            move_track(track, "due")
            if not is_braked(track):  # else a brake held it, and its time is up
                track.mark = "due"
            turn.runnable.append(enrollment)


def _timed_out(turn: Turn, program: Program, track: Track) -> bool:
    """Whether a listening track's timer is its timeout, and not just another look at its condition."""
    node = program.nodes.get(track.step)
    timeout_ms = getattr(node, "timeout_ms", 0)
    return bool(timeout_ms) and turn.now_ms >= track.since_ms + shortened(turn, timeout_ms)
