"""What happened before the system was there: imported events prime a row, and nothing follows from them.

An ``imported`` event wraps one of the past: its type, its properties and when it was. Its own time is the
**cutover**, the instant from which the contact is live. It acts as an event that is late by all the time to
the cutover: the contact's clock, like the watermark of its log, stands at the cutover, and what is wrapped
counts in histories, decay and caps at its own time. So what is looked at is looked at as of the cutover: a
date that has passed by then is not set, who has been inactive for long by then is not found out, a segment
is entered or left without an event. Entries, goals, exits and waiting steps hear nothing of it, no command is
given, and no timer fires and no schedule comes that was due before.

Each file that is imported has an id, and each event the number of its line. A contact remembers the last line
of each file that it took (among its lists, under names that no list can have), so that no line counts twice
however often, and from wherever, a file is imported again. An alias keeps its own, and passes on what is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.addresses import suppress
from processor.core.built_in import BUILT_IN
from processor.core.decay import aged
from processor.core.identity import IDENTIFYING, IMPORT_MARK, ask_to_depart
from processor.core.limits import SENT_MAX
from processor.core.named import Past, Series
from processor.core.outputs import Decision
from processor.core.remembering import remember
from processor.core.schema import IMPORTABLE
from processor.core.scoring import add_points, apply_rules, score_now, stay_active
from processor.core.sections import Timer
from processor.core.segments import refresh_segments
from processor.core.time import parse_time
from processor.core.timers import arm_dates

if TYPE_CHECKING:
    from processor.core.events import Event
    from processor.core.model import Reaction
    from processor.core.turn import Turn

__all__ = ["is_new", "prime", "settle_quietly"]

FILES_MAX: Final = 16  # imported files that a contact remembers; the first is let go, and would count again


def is_new(turn: Turn, event: Event) -> bool:
    """Whether this line has not come to this contact before; then it is noted, else it is on record."""
    name = IMPORT_MARK + event.properties["file"]
    line = event.properties["line"]
    lists = turn.row.lists
    if line <= lists.get(name, 0):
        detail = {"event": event.event_id}
        turn.out.append(Decision("duplicate", turn.contact_id, turn.row.clock_ms, detail=detail))
        return False
    lists = turn.row.change_lists()
    lists[name] = line
    known = [one for one in lists if one.startswith(IMPORT_MARK)]
    if len(known) > FILES_MAX:
        del lists[known[0]]
    return True


def prime(turn: Turn, event: Event, cutover_ms: int) -> None:
    """Take in what an imported event says."""
    row, said = turn.row, event.properties
    if not row.clock_ms:
        turn.stale.extend(turn.topology.segments)
    row.clock_ms = turn.now_ms = max(row.clock_ms, cutover_ms)
    turn.occurred_ms = min(parse_time(said["at"]), turn.now_ms)
    row.active_ms = max(row.active_ms, turn.occurred_ms)
    turn.event_id = event.event_id
    turn.event_type = kind = said["type"]
    turn.props = props = said.get("properties") or {}
    turn.muted = True
    past = _PAST.get(kind)
    if past is not None:
        past(turn, props)
    elif kind in IDENTIFYING:
        ask_to_depart(turn)
    else:
        if kind in IMPORTABLE:
            BUILT_IN[kind](turn, props)
        reaction = turn.topology.reactions.get(kind)
        if reaction is not None:
            _leave_traces(turn, reaction)
    settle_quietly(turn)


def _leave_traces(turn: Turn, reaction: Reaction) -> None:
    if reaction.suppresses:
        suppress(turn, reaction.suppresses)
    remember(turn, reaction)
    if reaction.rules:
        apply_rules(turn, reaction.rules, turn.now_ms - turn.occurred_ms)
    if reaction.wakes:
        stay_active(turn, reaction.wakes)
    timers = turn.row.timers
    for entry in reaction.activity:
        label = f"{entry.program}/{entry.id}"
        due_ms = turn.occurred_ms + entry.inactive_ms
        armed = [timer for timer in timers if timer.kind == "idle" and timer.name == label]
        if due_ms > turn.now_ms and not armed:
            turn.row.change_timers().append(Timer(due_ms, "idle", label))
            turn.row.armed += 1
            turn.retimed = True


def settle_quietly(turn: Turn) -> None:
    """Bring dates and segments up to date. What would follow from it does not."""
    while turn.redated or turn.stale:
        if turn.redated:
            arm_dates(turn)
        else:
            refresh_segments(turn)
    turn.derived = []


def _past_send(turn: Turn, props: dict[str, Any]) -> None:
    """A send of before: it counts toward the caps, and a piece of a series has been had."""
    sends = turn.row.change_sends()
    at_ms = turn.occurred_ms
    both = sorted([*sends.all(), (at_ms, props["channel"], props["purpose"])])[-SENT_MAX:]
    sends.times, sends.kinds = b"", b""
    for sent_ms, channel, purpose in both:
        sends.add(sent_ms, channel, purpose, 0)
    series, piece = props.get("series"), props.get("piece")
    if series and piece:
        turn.row.history.put(f"piece:{series}/{piece}", Series(1, at_ms, at_ms))


def _past_enrollment(turn: Turn, props: dict[str, Any]) -> None:
    """The contact was in a program: what re-entry rules need to know. The event's time is that of entry."""
    pasts, name = turn.row.past, props["program"]
    entered_ms = turn.occurred_ms
    ended = props.get("ended_at")
    ended_ms = min(parse_time(ended), turn.now_ms) if ended else entered_ms
    past = pasts.get(name)
    if past is None:
        past = Past(0, entered_ms, ended_ms)
        pasts.put(name, past)
    pasts.change(past)
    past.entries += 1
    past.entered_ms = max(past.entered_ms, entered_ms)
    past.ended_ms = max(past.ended_ms, ended_ms)
    key = props.get("key")
    if key:
        past.use_key(str(key), max(ended_ms, past.key_ms(str(key))))
    turn.stale.extend(turn.topology.segments_by_program)


def _past_score(turn: Turn, props: dict[str, Any]) -> None:
    """The score was so much at the event's time: it is set to what is left of that by now."""
    name = props["score"]
    model = turn.topology.scores[name]
    worth = aged(model, float(props["value"]), turn.now_ms - turn.occurred_ms)
    if model.predictor is None:
        add_points(turn, name, worth - score_now(turn, name), "", "import")


_PAST: Final = {
    "past_send": _past_send,
    "past_enrollment": _past_enrollment,
    "past_score": _past_score,
}
