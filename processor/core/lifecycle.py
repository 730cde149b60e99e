"""The theory: what an enrollment and its tracks can be, and what moves them.

A program is a graph of steps. A contact who enters it gets an **enrollment**: the enrollment has **tracks**,
and a track stands at one step. Most enrollments have one track; parallel steps give them more. The machine
in :mod:`processor.core.machine` is fed one input at a time (an event, a due timer, a sweep, an internal
message) together with the contact's row and the partition's shared row, and works in a fixed order:

1. The sweeps this contact has not had, then its own timers that are due.
2. The event itself: profile, consents and lists; histories; scores; segments.
3. Enrollments react: goals first, then exits, then steps that wait for such an event.
4. Programs that such an event starts are entered.
5. What this made runnable runs, programs of higher priority first, each until it waits or ends.
6. Events that follow (a segment entered, a score threshold reached, a program ended) go through 2 to 5 again,
   and so do conditions that nothing but a look can tell, until nothing moves.

Everything is a function of the inputs. There is no clock: **now** is the time of the event (never earlier
than the contact's clock) or the instant a timer was due. There is no chance: splits and holdouts hash. There
is no memory but the rows: a track that waits is a step id, a state and an instant.

An enrollment's state and a track's state change only through :func:`move_enrollment` and :func:`move_track`,
and only as the two tables below allow; a change that is not in its table is a bug, and stops the turn with
an AssertionError (the shells then leave the row as it was and put the input among the dead letters). The
diagrams in the docs are drawn from the same tables.

**Enrollment.** PENDING waits for a unit of a global quantity (a cap on entrants). ACTIVE walks its steps.
HOLDOUT is kept apart: it receives nothing, and is there so that its goal can be compared. OBSERVED has
walked all its steps and waits for its goal until the goal's window closes. ENDED enrollments are taken out
of the row; what re-entry rules need of them stays in the row's memory.

**Track.** READY is about to run. WAITING stands until an instant. LISTENING stands until an event, a
condition, or its timeout. HELD is a send that a policy holds back until an instant, or a step
before which a brake holds the track (:mod:`processor.core.brakes`). JOINING stands at a
parallel step until its branches, which are tracks of their own, have ended. ENDED has no steps left.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track

__all__ = [
    "DECISIONS",
    "ENROLLMENT_TRANSITIONS",
    "TRACK_TRANSITIONS",
    "EnrollmentState",
    "TrackState",
    "move_enrollment",
    "move_track",
]


class EnrollmentState(IntEnum):
    """States of an enrollment, as stored in the row."""

    PENDING = 0
    ACTIVE = 1
    HOLDOUT = 2
    OBSERVED = 3
    ENDED = 4


class TrackState(IntEnum):
    """States of a track, as stored in the row."""

    READY = 0
    WAITING = 1
    LISTENING = 2
    HELD = 3
    ENDED = 4
    JOINING = 5


PENDING, ACTIVE, HOLDOUT, OBSERVED = (
    int(EnrollmentState.PENDING),
    int(EnrollmentState.ACTIVE),
    int(EnrollmentState.HOLDOUT),
    int(EnrollmentState.OBSERVED),
)
ENDED: Final = 4
READY, WAITING, LISTENING, HELD, JOINING = (
    int(TrackState.READY),
    int(TrackState.WAITING),
    int(TrackState.LISTENING),
    int(TrackState.HELD),
    int(TrackState.JOINING),
)

# (state, signal) -> state. Signals are the machine's own words; each is sent from one place.
ENROLLMENT_TRANSITIONS: Final[dict[tuple[int, str], int]] = {
    (PENDING, "granted"): ACTIVE,
    (PENDING, "refused"): ENDED,
    (PENDING, "exit"): ENDED,
    (ACTIVE, "goal"): ENDED,
    (ACTIVE, "exit"): ENDED,
    (ACTIVE, "complete"): ENDED,
    (ACTIVE, "observe"): OBSERVED,
    (HOLDOUT, "goal"): ENDED,
    (HOLDOUT, "exit"): ENDED,
    (HOLDOUT, "window_closed"): ENDED,
    (OBSERVED, "goal"): ENDED,
    (OBSERVED, "exit"): ENDED,
    (OBSERVED, "window_closed"): ENDED,
}

TRACK_TRANSITIONS: Final[dict[tuple[int, str], int]] = {
    (READY, "wait"): WAITING,
    (READY, "listen"): LISTENING,
    (READY, "hold"): HELD,
    (READY, "fork"): JOINING,
    (READY, "end"): ENDED,
    (WAITING, "due"): READY,
    (LISTENING, "due"): READY,
    (LISTENING, "heard"): READY,
    (HELD, "due"): READY,
    (JOINING, "joined"): READY,
}

# Kinds of decisions, in the order in which they usually occur, with what each records.
DECISIONS: Final[dict[str, str]] = {
    "scored": "points were given, by which rules, and the scores after",
    "model_failed": "a score's model gave no answer; the score stays as it was",
    "graded": "a score's grade changed",
    "segment_entered": "the contact came into a segment",
    "segment_left": "the contact left a segment",
    "entered": "an enrollment began",
    "not_entered": "an entry matched but a rule kept the contact out",
    "holdout": "an enrollment began that is kept apart for measuring",
    "stepped": "a step ran",
    "waiting": "a track waits, until when or for what",
    "split": "a variant was chosen",
    "offered": "an offer was chosen; the detail says what others were worth, and which did not fit",
    "held": "a send waits because of a policy, or a step because its program is stopped",
    "suppressed": "a send was not made because of a policy",
    "fell_back": "a send went on to its next channel; the reason says why",
    "commanded": "a command was given to a channel",
    "timed_out": "what a step waited for did not come",
    "heard": "what a step waited for came",
    "goal": "an enrollment reached its goal",
    "exited": "an enrollment ended before its last step",
    "completed": "an enrollment ran its last step",
    "observed_out": "the goal's window closed without the goal",
    "merged": "two contacts became one",
    "not_merged": "two contacts were to become one, and a rule kept them apart",
    "forwarded": "an input of a merged contact went on to the one it became",
    "address_suppressed": "the contact's address (or the one that the event names) takes no more sends",
    "address_released": "the address may be sent to again",
    "not_suppressed": "an event was to suppress an address, and there is none to suppress",
    "clamped": "an event time ahead of its log was set back to the log's",
    "late": "an event older than the contact's clock was applied at the clock",
    "quarantined": "a timer raised; it is stopped and kept for a look",
    "braked": "a program's commands are held from here on, or let go: the breaker, or an operator's command",
    "let_go": "what was held goes on, and is decided anew: an operator's command",
    "released": "an operator let a timer go that was stopped; it is due now",
    "consented": "an answer about consent was taken down; the reason says which, the detail for what",
    "unscored": "a score was deleted: consent to what it needs is not there any more",
    "not_scored": "a step's points were not given: there is no consent to what the score needs",
    "cancelled": "a channel was told to drop what it has not carried out of a purpose",
    "erased": "everything that was held of the contact was erased, and its channels were told",
    "forgotten": "nothing had come of the contact for as long as the policy says, and nothing is kept of it",
    "refused": "an event or message of an erased contact was not taken",
    "anew": "the id of an erased contact begins anew, with nothing from before",
    "duplicate": "an event id seen before was dropped",
    "limit": "a limit of the row was reached; the reason says which and what was let go",
}


def move_enrollment(enrollment: Enrollment, signal: str) -> None:
    """Change an enrollment's state by the table. Raises AssertionError for a move that is not in it."""
    state = ENROLLMENT_TRANSITIONS.get((enrollment.state, signal))
    if state is None:
        msg = f"enrollment in {EnrollmentState(enrollment.state).name} cannot take {signal!r}"
        raise AssertionError(msg)
    enrollment.state = state


def move_track(track: Track, signal: str) -> None:
    """Change a track's state by the table. Raises AssertionError for a move that is not in it."""
    state = TRACK_TRANSITIONS.get((track.state, signal))
    if state is None:
        msg = f"track in {TrackState(track.state).name} cannot take {signal!r}"
        raise AssertionError(msg)
    track.state = state
