"""What contacts agree to: answers by purpose and channel, confirmed where that is asked for, and taken back.

The row keeps the latest answer for each purpose, or purpose and channel, with the text that it was given
to; all answers are on record as decisions (``consented``): the ledger of consent. A purpose with double
opt-in makes of ``consent_granted`` an answer that is PENDING: it counts only once ``consent_confirmed``
has come, and lapses after its time. Only the purpose's confirmation templates may be sent meanwhile.

A withdrawal acts at once: sends that are held are asked about again, and channels that take it are told
to drop what they have not carried out yet. ``preferences_changed`` sets many answers in one step: all
are in force before anything reacts to one of them, which it does as if they had come one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.brakes import is_held
from processor.core.ids import command_id, enrollment_id
from processor.core.lifecycle import HELD, move_track
from processor.core.limits import CONSENTS_MAX, WORDING_CHARS_MAX
from processor.core.named import GRANTED, PENDING, WITHDRAWN
from processor.core.outputs import Command, Decision
from processor.core.profile import join_list, leave_list, set_attribute
from processor.core.profiling import delete_scores
from processor.core.sections import Timer

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["change_preferences", "confirm", "grant", "lapse", "note_arrived", "withdraw"]


def grant(turn: Turn, props: dict[str, Any]) -> None:
    """``consent_granted``: the contact agrees to a purpose, on one channel or on all."""
    key = _key(props["purpose"], props.get("channel"))
    _grant(turn, _in_force(turn, [key], props), props, turn.occurred_ms)


def withdraw(turn: Turn, props: dict[str, Any]) -> None:
    """``consent_withdrawn``.

    Without a channel the purpose goes on every channel; without a purpose, every purpose goes.
    """
    keys = _withdrawn_keys(turn, props.get("purpose"), props.get("channel"))
    _withdraw(turn, keys, props, turn.occurred_ms)
    if not turn.muted:
        _cancel(turn, keys)


def confirm(turn: Turn, props: dict[str, Any]) -> None:
    """``consent_confirmed``: what is pending of the purpose (on the channel, if one is named) counts now."""
    purpose, channel = props["purpose"], props.get("channel")
    consents = turn.row.consents
    found = []
    for key in [_key(purpose, channel)] if channel else consents.names():
        answer = consents.get(key)
        if answer is not None and answer.state == PENDING and (channel or _purpose_of(key) == purpose):
            consents.answer(key, GRANTED, turn.occurred_ms, answer.wording, answer.by)
            _disarm(turn, key)
            found.append(key)
    if found:
        _record(turn, "confirmed", found, props)
    else:
        _record(turn, "not_pending", [_key(purpose, channel)], props)


def lapse(turn: Turn, key: str) -> None:
    """The time in which a consent could be confirmed is over."""
    answer = turn.row.consents.get(key)
    if answer is None or answer.state != PENDING:
        return
    purpose = turn.topology.purposes.get(_purpose_of(key))
    due_ms = answer.at_ms + (purpose.confirm_ms if purpose is not None else 0)
    if turn.now_ms < due_ms:  # granted once more meanwhile, under another id perhaps
        _arm(turn, key, due_ms)
        return
    turn.row.consents.answer(key, WITHDRAWN, turn.now_ms, answer.wording, answer.by)
    _record(turn, "lapsed", [key], {})


def change_preferences(turn: Turn, props: dict[str, Any]) -> None:
    """``preferences_changed``: consents, lists and attributes at once; then each is an event that follows."""
    said = {name: props[name] for name in ("text", "by") if props.get(name)}
    profile = props.get("profile") or {}
    lists = props.get("lists") or {}
    answers = props.get("consents") or {}
    for name, value in profile.items():
        set_attribute(turn, name, value)
    for name, on in lists.items():
        if on:
            join_list(turn, name)
        else:
            leave_list(turn, name)
    granted = _in_force(turn, [key for key, yes in answers.items() if yes], said)
    taken_back = [key for key, yes in answers.items() if not yes]
    keys = [every for key in taken_back for every in _withdrawn_keys(turn, *_parts(key))]
    _withdraw(turn, [key for key in dict.fromkeys(keys) if key not in granted], said, turn.now_ms)
    _grant(turn, granted, said, turn.now_ms)
    follows: list[tuple[str, dict[str, Any]]] = []
    for kind, named in (("consent_withdrawn", taken_back), ("consent_granted", granted)):
        for key in named:
            purpose, channel = _parts(key)
            about = {"purpose": purpose, "channel": channel} if channel else {"purpose": purpose}
            follows.append((kind, about | said))
    follows += [("list_joined" if on else "list_left", {"list": name}) for name, on in lists.items()]
    if profile:
        follows.append(("profile_updated", profile))
    turn.derived.extend(follows)


def note_arrived(turn: Turn, keys: list[str]) -> None:
    """Answers have come with a contact that became this one: recorded; a withdrawal acts at once."""
    if keys:
        _record(turn, "arrived", keys, {})
        consents = turn.row.consents
        _cancel(turn, [key for key in keys if (of := consents.get(key)) and of.state == WITHDRAWN])


def _in_force(turn: Turn, keys: list[str], props: dict[str, Any]) -> list[str]:
    """Those of the answers that no later withdrawal is known for; one may be, of an event that is late."""
    consents = turn.row.consents
    outdated = [
        key
        for key in keys
        if any(
            answer is not None and answer.state == WITHDRAWN and answer.at_ms > turn.occurred_ms
            for answer in (consents.get(key), consents.get(_purpose_of(key)))
        )
    ]
    if outdated:
        _record(turn, "outdated", outdated, props)
    return [key for key in keys if key not in outdated]


def _grant(turn: Turn, keys: list[str], props: dict[str, Any], at_ms: int) -> None:
    """Write answers down, unless they are there already: one that follows from an event is given twice."""
    consents = turn.row.consents
    granted: list[str] = []
    pending: list[str] = []
    text, by = _said(props)
    for key in keys:
        known = consents.get(key)
        state = GRANTED
        purpose = turn.topology.purposes.get(_purpose_of(key))
        if (
            purpose is not None
            and purpose.confirm_ms
            and not turn.muted
            and (known is None or known.state != GRANTED)
        ):
            state = PENDING
        if known is None and len(consents.names()) >= CONSENTS_MAX:
            _full(turn, key)
            continue
        same = (state, at_ms, text, by)
        if known is not None and (known.state, known.at_ms, known.wording, known.by) == same:
            continue
        consents.answer(key, state, at_ms, text, by)
        if state == PENDING and purpose is not None:
            _arm(turn, key, turn.now_ms + purpose.confirm_ms)
            pending.append(key)
        else:
            granted.append(key)
    if granted:
        _record(turn, "granted", granted, props)
    if pending:
        _record(turn, "pending", pending, props)


def _withdraw(turn: Turn, keys: list[str], props: dict[str, Any], at_ms: int) -> None:
    """Whenever it comes, a withdrawal acts; of several the latest is remembered."""
    consents = turn.row.consents
    text, by = _said(props)
    changed: list[str] = []
    for key in keys:
        known = consents.get(key)
        if known is None and len(consents.names()) >= CONSENTS_MAX:
            _full(turn, key)
            continue
        was_ms = known.at_ms if known is not None and known.state == WITHDRAWN else 0
        if was_ms == at_ms:
            continue
        consents.answer(key, WITHDRAWN, max(at_ms, was_ms), text, by)
        _disarm(turn, key)
        changed.append(key)
    if changed:
        _record(turn, "withdrawn", changed, props)


def _withdrawn_keys(turn: Turn, purpose: str | None, channel: str | None) -> list[str]:
    """Every answer that a withdrawal concerns."""
    if channel:
        bases = [purpose] if purpose else list(turn.topology.purposes)
        return [f"{base}/{channel}" for base in bases]
    keys = [key for key in turn.row.consents.names() if purpose is None or _purpose_of(key) == purpose]
    # Also where nothing was agreed to: what another contact agreed to before may arrive with it.
    wanted = [purpose] if purpose else [one.name for one in turn.topology.purposes.values() if one.consent]
    keys.extend([name for name in wanted if name not in keys])
    return keys


def _cancel(turn: Turn, keys: list[str]) -> None:
    """Ask about held sends again, and tell channels that take it to drop what they have not carried out."""
    purposes = {_purpose_of(key) for key in keys}
    topology = turn.topology
    for enrollment in turn.row.enrollments if turn.row.inside else []:
        program = topology.programs.get(enrollment.program)
        if program is None:
            continue
        for track in enrollment.tracks:
            held = track.state == HELD and not is_held(track)  # what a brake holds is decided anew later
            node = program.nodes.get(track.step) if held else None
            if node is not None and getattr(node, "purpose", "") in purposes and track.due_ms > 0:
                turn.row.change_enrollment(enrollment)
                track.due_ms = 0
                move_track(track, "due")
                track.mark = "due"
                turn.retimed = True
                turn.runnable.append(enrollment)
    for key in keys:
        purpose, of_channel = _parts(key)
        for channel in topology.channels.values():
            if channel.cancels and (channel.name == of_channel or not of_channel):
                _tell(turn, channel.name, purpose)


def _tell(turn: Turn, channel: str, purpose: str) -> None:
    now_ms, contact = turn.now_ms, turn.contact_id
    cause = enrollment_id(contact, "", purpose, turn.event_id or str(now_ms))
    identity = command_id(cause, "", 1, f"cancel:{channel}")
    for made in turn.out:
        if isinstance(made, Command) and made.command_id == identity:
            return  # said for the purpose and for its answer on the channel
    turn.out.append(
        Command(identity, channel, "cancel", contact, "", 0, "", "", "", "", {}, purpose, now_ms, now_ms, 0)
    )
    detail = {"channel": channel, "purpose": purpose}
    turn.out.append(Decision("cancelled", contact, now_ms, "", 0, "", "", "consent_withdrawn", detail))


def _arm(turn: Turn, key: str, due_ms: int) -> None:
    _disarm(turn, key)
    turn.row.change_timers().append(Timer(due_ms, "consent", key))
    turn.retimed = True


def _disarm(turn: Turn, key: str) -> None:
    timers = turn.row.timers
    for index in range(len(timers)):
        if timers[index].kind == "consent" and timers[index].name == key:
            del turn.row.change_timers()[index]
            turn.retimed = True
            return


def _key(purpose: str, channel: str | None) -> str:
    return f"{purpose}/{channel}" if channel else purpose


def _parts(key: str) -> tuple[str, str]:
    purpose, _, channel = key.partition("/")
    return purpose, channel


def _purpose_of(key: str) -> str:
    return key.partition("/")[0]


def _said(props: dict[str, Any]) -> tuple[str, str]:
    """Which text the contact agreed to, and who took it down."""
    return (props.get("text") or "")[:WORDING_CHARS_MAX], (props.get("by") or "")[:WORDING_CHARS_MAX]


def _record(turn: Turn, reason: str, keys: list[str], props: dict[str, Any]) -> None:
    turn.stale.extend(turn.topology.segments_by_consent)
    detail: dict[str, Any] = {"for": keys}
    text, by = _said(props)
    if text:
        detail["text"] = text
    if by:
        detail["by"] = by
    if turn.event_id:
        detail["event"] = turn.event_id
    turn.out.append(Decision("consented", turn.contact_id, turn.now_ms, "", 0, "", "", reason, detail))
    delete_scores(turn)


def _full(turn: Turn, key: str) -> None:
    detail = {"name": key}
    turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", "consents_full", detail))
