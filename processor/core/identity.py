"""Two contacts become one: an anonymous visitor becomes known, or two known contacts turn out to be one.

The event lies in the partition of the contact that stays; the one that goes may live elsewhere. So a message
asks its row to depart; the row travels as a message and leaves an alias behind, which forwards whatever
comes later; and the row that stays takes it in. Rules of merging:

- the later of two attribute values cannot be told apart, so what the staying contact has wins;
- of two consents for one purpose the later answer wins, a withdrawal on a tie;
- histories are added and interleaved; scores are added at their decayed values; list and segment
  memberships are united (segments are looked at again);
- enrollments are united; where both are in one program with one key, the staying contact's goes on;
- sends of both count toward the caps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.brakes import let_go_arrived
from processor.core.decay import active_since, decayed
from processor.core.events import Event, Message
from processor.core.hierarchies import settle_hierarchies
from processor.core.history import merge
from processor.core.lifecycle import ENDED, PENDING
from processor.core.limits import ENROLLMENTS_MAX, MERGED_MAX
from processor.core.named import CapUse, Past
from processor.core.outputs import Decision
from processor.core.rows import Row
from processor.core.scoring import add_points, evaluate

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["arrive", "ask_to_depart", "depart", "event_of", "forward"]

HOPS_MAX: Final = 8  # a chain of aliases longer than this is cut, recorded ("alias_chain")


def ask_to_depart(turn: Turn) -> None:
    """``contact_identified``: ask the anonymous contact's row to come here."""
    other = turn.props.get("anonymous_id")
    if isinstance(other, str) and other and other != turn.contact_id:
        turn.out.append(Message("depart", other, turn.now_ms, {"to": turn.contact_id, "hops": 0}))


def depart(turn: Turn, message: Message) -> None:
    """Send this row to the contact it becomes, and leave an alias.

    A row that has gone already passes the request on.
    """
    to = message.body["to"]
    row = turn.row
    if to in {turn.contact_id, row.alias}:
        return
    if row.alias:
        hops = message.body["hops"] + 1
        if hops > HOPS_MAX:
            turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", "alias_chain"))
            return
        turn.out.append(Message("depart", row.alias, turn.now_ms, {"to": to, "hops": hops}))
        return
    body = {"row": row.encode(), "from": turn.contact_id, "hops": 0}
    turn.out.append(Message("arrive", to, turn.now_ms, body))
    turn.out.append(Decision("merged", turn.contact_id, turn.now_ms, "", 0, "", "", "departed", {"into": to}))
    gone = Row.new(row.swept)
    gone.alias = to
    gone.clock_ms = row.clock_ms
    gone.recent = row.recent
    turn.row = gone
    turn.retimed = True


def arrive(turn: Turn, message: Message) -> None:
    """Take in the row of a contact that has become this one."""
    row = turn.row
    other = Row.decode(message.body["row"])
    if row.alias and message.body["from"] in {row.alias, turn.contact_id} and turn.contact_id < row.alias:
        row.alias = ""  # two contacts that became each other at once: the first by name is the one that stays
    if row.alias:
        hops = message.body["hops"] + 1
        if hops > HOPS_MAX:
            turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", "alias_chain"))
            return
        turn.out.append(Message("arrive", row.alias, turn.now_ms, message.body | {"hops": hops}))
        return
    turn.now_ms = max(turn.now_ms, other.clock_ms)
    row.clock_ms = turn.now_ms
    row.active_ms = max(row.active_ms, other.active_ms)
    _merge_profile(row, other)
    merge(row.history, other.history)
    _merge_scores(turn, other)
    segments = row.change_segments()
    for name, since_ms in other.segments.items():
        segments[name] = min(since_ms, segments.get(name, since_ms))
    _merge_past(row, other)
    _merge_sends(row, other)
    _merge_enrollments(turn, other)
    settle_hierarchies(turn)
    row.inside = sorted({enrollment.program for enrollment in row.enrollments})
    known = {(timer.kind, timer.name) for timer in row.timers}
    row.change_timers().extend([timer for timer in other.timers if (timer.kind, timer.name) not in known])
    row.armed = sum(timer.kind == "idle" for timer in row.timers)
    _note_ids(turn, [*other.origin.merged, message.body["from"]])
    turn.redated.extend(turn.topology.dates_by_attribute)
    turn.stale.extend(turn.topology.segments)
    if turn.shared.brakes:
        let_go_arrived(turn)
    turn.retimed = True
    turn.zone = None
    _predict_anew(turn, other)
    turn.out.append(
        Decision(
            "merged", turn.contact_id, turn.now_ms, "", 0, "", "", "arrived", {"from": message.body["from"]}
        )
    )


def _note_ids(turn: Turn, names: list[str]) -> None:
    """Remember which ids became this contact: they are erased with it."""
    origin = turn.row.change_origin()
    kept = [name for name in origin.merged if name not in names]
    kept.extend([name for name in names if name != turn.contact_id])
    if len(kept) > MERGED_MAX:
        kept = kept[len(kept) - MERGED_MAX :]
        turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", "ids_full"))
    origin.merged = kept


def _merge_profile(row: Row, other: Row) -> None:
    attributes = row.change_attributes()
    for name, value in other.attributes.items():
        attributes.setdefault(name, value)
    for key, answer in other.consents.all().items():
        own = row.consents.get(key)
        if own is None or (answer.at_ms, not answer.granted) > (own.at_ms, not own.granted):
            row.consents.answer(key, answer.state, answer.at_ms, answer.wording, answer.by)
    lists = row.change_lists()
    for name, since in other.lists.items():
        lists[name] = min(since, lists.get(name, since))


def _merge_scores(turn: Turn, other: Row) -> None:
    scores = turn.row.scores
    for name, score in other.scores.all().items():
        model = turn.topology.scores.get(name)
        if model is None or model.predictor is not None:
            continue
        was_scored = name in scores
        points = decayed(model, score, turn.now_ms)
        if points:
            add_points(turn, name, points, "", "merge")
        own = scores.get(name)
        if own is None:
            continue
        scores.change(own)
        if model.inactive is not None:
            active = active_since(own)
            active.since_ms = max(active.since_ms, active_since(score).since_ms)
        known = {cap.rule for cap in own.caps}
        own.caps.extend([CapUse(c.rule, c.since_ms, c.used) for c in score.caps if c.rule not in known])
        if not was_scored and not own.grade:
            own.grade = score.grade


def _predict_anew(turn: Turn, other: Row) -> None:
    """The models that either was evaluated by are asked anew: the history is another now."""
    for name, model in turn.topology.scores.items():
        if model.predictor is not None and (name in turn.row.scores or name in other.scores):
            evaluate(turn, model)


def _merge_past(row: Row, other: Row) -> None:
    for name, past in other.past.all().items():
        own = row.past.get(name)
        if own is None:
            row.past.put(name, Past(past.entries, past.entered_ms, past.ended_ms, past.keys))
            continue
        row.past.change(own)
        own.entries += past.entries
        own.entered_ms = max(own.entered_ms, past.entered_ms)
        own.ended_ms = max(own.ended_ms, past.ended_ms)
        keys = own.all_keys()
        for key, at in past.all_keys().items():
            keys[key] = max(at, keys.get(key, 0))
        own.keys = b""
        for key in sorted(keys, key=lambda key: (keys[key], key)):
            own.use_key(key, keys[key])


def _merge_sends(row: Row, other: Row) -> None:
    both = sorted([*row.sends.all(), *other.sends.all()])
    sends = row.change_sends()
    sends.times, sends.kinds = b"", b""
    for at_ms, channel, purpose in both:
        sends.add(at_ms, channel, purpose, 0)


def _merge_enrollments(turn: Turn, other: Row) -> None:
    mine = turn.row.change_enrollments()
    inside = {(enrollment.program, enrollment.key) for enrollment in mine if enrollment.state != ENDED}
    for enrollment in other.enrollments:
        if enrollment.state == PENDING:
            continue  # its unit was asked for by the other partition, which will hand it to somebody else
        double = (enrollment.program, enrollment.key) in inside
        if double or len(mine) >= ENROLLMENTS_MAX:
            turn.out.append(
                Decision(
                    "exited",
                    turn.contact_id,
                    turn.now_ms,
                    enrollment.program,
                    enrollment.version,
                    enrollment.id,
                    "",
                    "merged_double" if double else "too_many_enrollments",
                )
            )
        else:
            mine.append(enrollment)


def forward(turn: Turn, event: Event, hops: int) -> None:
    """An event of a contact that has become another goes on to that one."""
    if hops >= HOPS_MAX:
        clock_ms = turn.row.clock_ms
        turn.out.append(Decision("limit", turn.contact_id, clock_ms, "", 0, "", "", "alias_chain"))
        return
    body = {
        "hops": hops + 1,
        "event_id": event.event_id,
        "type": event.type,
        "occurred_ms": event.occurred_ms,
        "properties": event.properties,
        "fingerprint": event.fingerprint,
        "append_ms": event.append_ms,
    }
    turn.out.append(Message("event", turn.row.alias, event.occurred_ms, body))
    turn.out.append(
        Decision(
            "forwarded",
            turn.contact_id,
            turn.row.clock_ms,
            detail={"event": event.event_id, "to": turn.row.alias},
        )
    )


def event_of(message: Message) -> Event:
    """The event that a message forwards."""
    body = message.body
    return Event(
        body["event_id"],
        message.contact_id,
        body["type"],
        body["occurred_ms"],
        body["properties"],
        body["fingerprint"],
        body["append_ms"],
    )
