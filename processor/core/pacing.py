"""Pacing: at most so many sends on a channel in a period, over all partitions; the others wait their turn.

Periods follow each other from 1970 UTC, and the room of a period is handed out by the channel's home
partition (the hash of ``pacing/CHANNEL``) in the order in which it is asked for. A partition asks for a
hundredth of a period's room at a time, or for as much as contacts wait for, so that not every send costs a
message. What the home has left it gives of the period that was asked for, and beyond that of the next ones:
room of a later period is a place in the queue, spread evenly over the period. So nothing that a partition
does not use is lost for longer than its period.

A send without room stands still, HELD. Its track's note begins with ``~``: ``~?,,CHANNEL;`` while the home is
asked, and then ``~PERIOD,,CHANNEL;``, the room that it has, which goes with the row wherever that goes. When
the period has come the send is judged anew and uses its room; room that is not used is handed back. Neither
what is sent nor when depends on how fast the answer came: it is the message's place in the log that counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.events import Message
from processor.core.lifecycle import ACTIVE, HELD, move_track
from processor.core.policies import SEND, Verdict, is_confirmation
from processor.core.recording import record
from processor.core.rivalry import rivalry_of, ticket_of
from processor.core.sending import Pacing
from processor.core.shared import LEASE_WAITERS_MAX, Pace, Room
from processor.core.test_list import is_test

if TYPE_CHECKING:
    from processor.core.model import Channel, Purpose
    from processor.core.outputs import Output
    from processor.core.sections import Enrollment, Track
    from processor.core.shared import Shared
    from processor.core.turn import Turn

__all__ = [
    "advance_pace", "ask_again", "claim", "drop_room", "hand_back", "has_room", "take_in", "unpack",
]  # fmt: skip

PERIODS_KEPT_MAX: Final = 48  # with room that was not asked for; a partition further behind waits for these
_ASKED: Final = "?"
_ASKED_AHEAD: Final = "~?"
_CHOSEN: Final = "chosen"
_NONE: Final = -1  # no room at all while the send may wait


# --- in a contact's turn


def claim(
    turn: Turn,
    enrollment: Enrollment,
    track: Track,
    purpose: Purpose,
    channel: Channel,
    template: str,
    hold_ms: int,
) -> Verdict:
    """Room for this send now: send, wait (with a place), or "stand", where the home has been asked.

    The room of a send that may be made is the turn's until the command is given.
    """
    pacing = channel.pacing
    if pacing is None or channel.kind != "message" or purpose.transactional:
        return SEND
    if is_confirmation(turn, purpose, channel.name, template) or is_test(turn):
        return SEND
    period = turn.now_ms // pacing.per_ms
    if turn.slot >= 0:
        if turn.slot_channel == channel.name and turn.slot == period:
            return SEND
        hand_back(turn)
    give_up_ms = track.since_ms + hold_ms
    pace = _pace(turn.shared, channel.name, pacing)
    turn.shared_changed = True
    for old in [old for old in pace.pool if old < period]:
        del pace.pool[old]
    rule = f"pacing:{channel.name}"
    if not pace.waiting and pace.pool:
        first = min(pace.pool)
        at_ms = _instant(pace, pacing, first)
        if first == period:
            _take(pace, first)
            turn.slot, turn.slot_channel = first, channel.name
            return SEND
        if at_ms < give_up_ms:
            _take(pace, first)
            _write(turn, enrollment, track, str(first), channel.name)
            return Verdict("wait", rule, at_ms)
        return Verdict("wait", rule, give_up_ms)
    if turn.now_ms >= give_up_ms or len(pace.waiting) >= LEASE_WAITERS_MAX:
        return Verdict("wait", rule, (period + 1) * pacing.per_ms)
    pace.waiting.append((turn.contact_id, give_up_ms))
    _write(turn, enrollment, track, _ASKED, channel.name)
    move_track(track, "hold")  # without an instant: nothing may fire before the answer, which comes
    if not pace.asked:
        turn.out.append(_ask(turn.shared, pace, channel.name, pacing, turn.now_ms))
    return Verdict("stand")


def _write(turn: Turn, enrollment: Enrollment, track: Track, period: str, channel: str) -> None:
    """Note the place, and whether the send was chosen before others: it need not stand again."""
    rivalry = turn.rivalry
    chosen = rivalry is not None and rivalry.ticket == ticket_of(enrollment.id, track.step)
    track.note = f"~{period},{_CHOSEN if chosen else ''},{channel};{track.note}"


def unpack(turn: Turn, enrollment: Enrollment, track: Track) -> None:
    """The track goes on: take the room that it has, if it has any, out of its note."""
    if not has_room(track):
        return
    place, _, track.note = track.note[1:].partition(";")
    period, chosen, channel = place.split(",")
    if chosen:
        rivalry_of(turn).ticket = ticket_of(enrollment.id, track.step)
    if period != _ASKED and channel in turn.topology.channels:
        turn.slot, turn.slot_channel = int(period), channel


def keep_place(turn: Turn, track: Track) -> None:
    """The send has room and stands still for something else: it keeps the room meanwhile."""
    if turn.slot >= 0:
        track.note = f"~{turn.slot},,{turn.slot_channel};{track.note}"
        turn.slot = _NONE


def hand_back(turn: Turn) -> None:
    """The room that a track had was not used: somebody else may have it."""
    period, name = turn.slot, turn.slot_channel
    turn.slot = _NONE
    _hand_back(turn, name, period)


def _hand_back(turn: Turn, name: str, period: int) -> None:
    channel = turn.topology.channels.get(name)
    if channel is None or channel.pacing is None or period < turn.now_ms // channel.pacing.per_ms:
        return
    pool = _pace(turn.shared, name, channel.pacing).pool
    units, index = pool.get(period, (0, 0))
    pool[period] = (units + 1, index)
    turn.shared_changed = True


def has_room(track: Track) -> bool:
    """Whether the track's note begins with room, or with having asked for some."""
    return track.note.startswith("~")


def drop_room(turn: Turn, enrollment: Enrollment) -> None:
    """An enrollment ends: hand back what its tracks have room for."""
    if turn.slot >= 0:
        hand_back(turn)
    for track in enrollment.tracks:
        if track.state == HELD and has_room(track):
            unpack(turn, enrollment, track)
            if turn.slot >= 0:
                hand_back(turn)


def take_in(turn: Turn, message: Message) -> None:
    """The home has answered for this contact: it has room now, or from an instant on, or none in time."""
    name, period, at_ms = message.body["channel"], message.body["period"], message.body["at_ms"]
    for enrollment in turn.row.enrollments:
        if enrollment.state != ACTIVE:
            continue
        for track in enrollment.tracks:
            place, _, rest = track.note.partition(";")
            ahead, _, chosen = place.removesuffix(f",{name}").partition(",")
            if track.state != HELD or ahead != _ASKED_AHEAD or not place.endswith(f",{name}"):
                continue
            turn.row.change_enrollment(enrollment)
            turn.retimed = True
            track.note = rest if period == _NONE else f"~{period},{chosen},{name};{rest}"
            if at_ms > turn.now_ms:
                track.due_ms = at_ms
                _note(turn, enrollment, track, name)
                return
            track.due_ms = 0
            move_track(track, "due")
            track.mark = "due"
            turn.runnable.append(enrollment)
            return
    if period != _NONE:
        _hand_back(turn, name, period)  # it has left meanwhile


def ask_again(turn: Turn, enrollment: Enrollment) -> None:
    """The enrollment has come from another partition, which is asked in vain: ask here."""
    for track in enrollment.tracks:
        if track.state == HELD and track.note.startswith(_ASKED_AHEAD):
            track.due_ms = turn.now_ms


def _note(turn: Turn, enrollment: Enrollment, track: Track, channel: str) -> None:
    detail = {"channel": channel, "until": track.due_ms}
    record(turn, "held", enrollment, track.step, f"pacing:{channel}", detail)


# --- in a partition's shared row


def _pace(shared: Shared, channel: str, pacing: Pacing) -> Pace:
    name = f"{channel}/{pacing.per_ms}"
    pace = shared.paces.get(name)
    if pace is None:
        pace = shared.paces[name] = Pace()
    return pace


def _instant(pace: Pace, pacing: Pacing, period: int) -> int:
    """From when on the pool's next unit of the period may be used (ms): units are spread over a period."""
    index = min(pace.pool[period][1], pacing.at_most - 1)
    return period * pacing.per_ms + index * pacing.per_ms // pacing.at_most


def _take(pace: Pace, period: int) -> None:
    """Take the pool's next unit of the period."""
    units, index = pace.pool[period]
    if units > 1:
        pace.pool[period] = (units - 1, index + 1)
    else:
        del pace.pool[period]


def _ask(shared: Shared, pace: Pace, channel: str, pacing: Pacing, now_ms: int) -> Message:
    pace.asked = len(pace.waiting)
    last_ms = max([give_up_ms for _, give_up_ms in pace.waiting])
    body = {
        "channel": channel,
        "per_ms": pacing.per_ms,
        "at_most": pacing.at_most,
        "period": now_ms // pacing.per_ms,
        "until": last_ms // pacing.per_ms,
        "units": max(pace.asked, pacing.at_most // 100),
        "from": shared.number,
    }
    return Message("pace_ask", "", now_ms, body, home=f"pacing/{channel}")


def advance_pace(shared: Shared, message: Message) -> list[Output]:
    """A partition asks the home for room, or the home answers a partition."""
    if message.kind == "pace_ask":
        return _grant(shared, message)
    body = message.body
    name, per_ms = body["channel"], body["per_ms"]
    pace = shared.paces.get(f"{name}/{per_ms}")
    assert pace is not None, "only who has asked is answered"
    pacing = Pacing(body["at_most"], per_ms)
    for period, units, index in body["slots"]:
        had, first = pace.pool.get(period, (0, index))
        pace.pool[period] = (had + units, min(first, index))
    asked, pace.asked = pace.asked, 0
    answered, pace.waiting = pace.waiting[:asked], pace.waiting[asked:]
    out: list[Output] = []
    for contact, give_up_ms in answered:
        period, at_ms = _NONE, give_up_ms
        if pace.pool:
            first = min(pace.pool)
            from_ms = message.at_ms if first * per_ms <= message.at_ms else _instant(pace, pacing, first)
            if from_ms < give_up_ms:
                period, at_ms = first, from_ms
                _take(pace, first)
        out.append(
            Message("room", contact, message.at_ms, {"channel": name, "period": period, "at_ms": at_ms})
        )
    if pace.waiting:
        out.append(_ask(shared, pace, name, pacing, message.at_ms))
    return out


def _grant(shared: Shared, message: Message) -> list[Output]:
    """At the home: room from the period that was asked for on, as much as there is until the last."""
    body = message.body
    name = f"{body['channel']}/{body['per_ms']}"
    room = shared.rooms.get(name)
    if room is None:
        room = shared.rooms[name] = Room()
    units, at_most, period = body["units"], body["at_most"], body["period"]
    given = room.given
    slots: list[tuple[int, int, int]] = []
    while units > 0 and period <= body["until"]:
        if period >= room.full_to:
            for passed in range(max(room.full_to, period - PERIODS_KEPT_MAX), period + 1):
                given[passed] = 0
            room.full_to = period + 1
        had = given.get(period, at_most)
        taken = min(at_most - had, units)
        if taken > 0:
            slots.append((period, taken, had))
            units -= taken
            given[period] = had + taken
            if had + taken >= at_most:
                del given[period]
        period = min([each for each in given if each > period], default=max(room.full_to, period + 1))
    for old in sorted(given)[:-PERIODS_KEPT_MAX]:
        del given[old]
    answer = {key: body[key] for key in ("channel", "per_ms", "at_most")}
    return [Message("pace_grant", "", message.at_ms, answer | {"slots": slots}, partition=body["from"])]
