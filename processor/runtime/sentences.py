"""Decisions as sentences: what a person reads when they ask why a contact got, or did not get, something.

A sentence is made of a decision's kind and reason by the tables here, with what the decision's detail adds.
Every kind of :data:`processor.core.lifecycle.DECISIONS` has one, and so has every reason that the core gives;
a test compares the tables with the core's source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from processor.core.outputs import Decision
from processor.core.time import format_duration, parse_time
from processor.runtime.choice_sentences import offered, split
from processor.runtime.moments import Moment
from processor.runtime.privacy_sentences import PRIVACY, PRIVACY_REASONS

__all__ = ["REASONS", "TONES", "Moment", "moment_of", "of_decision", "sentence"]


REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    "model_failed": {
        "raised": "it raised an error",
        "no_number": "its answer is no number",
        "not_finite": "its answer is no finite number",
        "changing": "asked twice the same, it gave two answers",
    },
    "not_entered": {
        "no_key": "the event has no value for the program's key",
        "window_not_open": "its entry window has not opened yet",
        "window_closed": "its entry window has closed",
        "audience": "the contact is not in its audience (only)",
        "audience_never": "its audience shuts the contact out (never)",
        "already_inside": "the contact is inside it already",
        "too_many_enrollments": "the contact is in too many programs at once",
        "reenter_never": "the contact has been in it before, and it is entered once",
        "reenter_too_soon": "the contact left it too short a while ago to enter again",
        "paused": "the program is paused",
        "entrants_full": "it has taken as many contacts as it may",
        "outranked": "the contact is in {by}, which goes before it",
    },
    "held": {
        "address_asked": "it is asked whether its address may be sent to",
        "quiet_hours": "quiet hours",
        "blackout": "the blackout {name}",
        "cap": "the cap {name} is used up",
        "dormant": "the contact has been silent for long, and the limit {name} is used up",
        "budget": "nothing is left of the budget {name} for now",
        "arbitration": "it stands for a choice among programs ({name})",
        "pacing": "the channel {name} has no room before",
        "breaker": "the program's breaker has tripped",
        "paused": "the program is paused",
    },
    "braked": {
        "tripped": "its breaker tripped: its commands are held until an operator lets them go",
        "pause": "an operator paused it: nothing of it moves",
        "resume": "an operator resumed it: what stood still goes on",
        "release": "an operator closed its breaker, and lets go of what was held",
        "drop": "an operator closed its breaker, and dropped what was held",
    },
    "suppressed": {
        "no_address": "the contact has no address for this channel",
        "no_consent": "the contact has not consented to it",
        "blackout": "the blackout {name}, and the step does not wait for its end",
        "quiet_hours": "quiet hours, and the step does not wait for their end",
        "cap": "the cap {name} is used up, and the step does not wait",
        "dormant": "the contact has been silent for long, and the limit {name} is used up",
        "budget": "the budget {name} is spent, and the step does not wait",
        "arbitration": "the program {by} went before it ({name})",
        "address": "its address is suppressed ({name})",
        "one_copy": "another contact with the same address got it",
        "leaving": "its program is paused or its breaker has tripped, and who leaves does not wait",
        "held_too_long": "it was held for as long as it may be",
        "dropped": "an operator dropped what the program's breaker or pause had held",
    },
    "fell_back": {
        "address": "its address for {channel} is suppressed ({name})",
        "no_address": "the contact has no address for {channel}",
        "no_consent": "the contact has not consented to {channel}",
        "failed": "the channel {channel} has reported that it could not deliver",
    },
    "holdout": {
        "global": "held out of all programs, so that their effect can be measured",
        "program": "held out of this program, so that its effect can be measured",
    },
    "exited": {
        "after": "its time was up",
        "removed": "a person took the contact out",
        "merged_double": "two contacts became one, and the other was in the program, too",
        "merged_reentry": "two contacts became one, and the other had been through the program",
        "too_many_enrollments": "the contact is in as many programs as it can be",
        "outranked": "the contact entered {by}, which goes before it",
        "date_passed": "the date it would have waited for had passed",
        "step_removed": "the step it stood at is no longer in the program",
        "program_removed": "the program is no longer in the topology",
        "erased": "the contact was erased",
        "forgotten": "nothing had come of the contact for long",
        "runaway": "it ran too many steps without a wait",
    },
    "waiting": {
        "test_list": "cut short, as the contact is on the test list",
        "best_hour": "the hour at which the contact is there most often",
        "default_hour": "too little is known of the contact's hours",
    },
    "stepped": {
        "assigned": "the contact is given to {owner} of {team}",
        "owner_kept": "the contact stays with {owner} of {team}",
        "no_territory": "the contact belongs to no territory, so nobody was asked",
        "else": "the else ran",
        "step_not_done": "the earlier step was not done, so it went on",
        "no_date": "there is no date to wait for, so it went on",
        "date_passed": "the date has passed, so it went on",
        "nothing_to_offer": "no offer fits that the contact has not had",
        "used_up": "there is no further piece that the contact has not had",
        "rounds_done": "all rounds are done",
        "branches": "its branches run side by side",
        "all_ended": "all its branches have ended",
        "first_ended": "its first branch has ended, and the others end with it",
        "until": "the rounds end here, as what they end with holds",
    },
    "merged": {
        "departed": "this contact became {into}",
        "arrived": "the contact {from} became this one",
        "stays": "contacts became each other at once; this is the one that stays",
    },
    "address_suppressed": {"by_hand": "somebody said so"},
    "not_suppressed": {"no_address": "none is known", "no_guard": "the channel guards none"},
    "not_merged": {
        "identified_before": "the id {id} was identified as {with}, and had become another contact before",
    },
    "limit": {
        "profile_full": "the profile is full: {name} was not kept",
        "lists_full": "the contact is on as many lists as it can be: {name} was not joined",
        "consents_full": "there are too many consents: {name} was not kept",
        "ids_full": "more contacts became this one than are remembered; the first of them was let go",
        "entry_trimmed": "the entry event is large: its {name} was not kept",
        "item_without_key": "an item of {name} has no key and was not kept",
        "item_trimmed": "an item is large: its {name} was not kept",
        "holders_full": "more contacts have one address than are told of its suppression",
        "alias_chain": "too many contacts became one another in a row",
        "derived_events": "too much followed from one event; the rest was dropped",
    },
    **PRIVACY_REASONS,
    "goal": {"condition": "its condition holds"},
    "observed_out": {
        "window_closed": "its time was up",
        "counted": "it has none; what a split counts could still come until now",
    },
}
"""kind -> reason -> what it means. Reasons that people write (an exit's, a branch's) are not here."""

TONES: Final[Mapping[str, str]] = {
    "event": "bold",
    "commanded": "green",
    "goal": "bold green",
    "held": "yellow",
    "fell_back": "yellow",
    "suppressed": "red",
    "not_entered": "yellow",
    "holdout": "yellow",
    "exited": "magenta",
    "entered": "cyan",
    "quarantined": "bold red",
    "limit": "bold red",
    "model_failed": "bold red",
    "waiting": "blue",
}
"""The colour of each kind where colours are shown; the rest have none."""


def of_decision(decision: Decision) -> Moment:
    """Return a decision of the core as a moment."""
    return Moment(
        decision.kind,
        decision.contact_id,
        decision.at_ms,
        decision.program,
        decision.version,
        decision.enrollment,
        decision.step,
        decision.reason,
        decision.detail or {},
    )


def moment_of(record: Mapping[str, Any]) -> Moment:
    """Return a line of ``decisions.jsonl`` as a moment.

    Raises:
        ValueError: it is no decision: a kind, a contact or a time is missing or cannot be read.
    """
    at = record.get("decided_at", record.get("at"))
    kind, contact = record.get("kind"), record.get("contact_id")
    if not isinstance(at, str) or not isinstance(kind, str) or not isinstance(contact, str):
        raise ValueError("a decision has a kind, a contact_id and a time")  # noqa: TRY004  it is read data
    detail = record.get("detail")
    if isinstance(detail, str):
        detail = msgspec.json.decode(detail)
    return Moment(
        kind,
        contact,
        parse_time(at),
        record.get("program") or "",
        record.get("version") or 0,
        record.get("enrollment") or "",
        record.get("step") or "",
        record.get("reason") or "",
        detail or {},
    )


def sentence(moment: Moment, show: Callable[[int], str]) -> str:
    """Say a moment in words; ``show`` turns an instant (ms) into text. No kind is without a sentence."""
    say = _SENTENCES.get(moment.kind)
    if say is None:
        return f"{moment.kind} {moment.reason}".rstrip()
    return say(moment, show)


def _reason(moment: Moment, default: str = "{reason}") -> str:
    """What the reason means: by the table, by the rule before its colon, or as it was written."""
    reason = moment.reason
    rule, _, name = reason.partition(":")
    table = REASONS.get(moment.kind, {})
    known = table.get(reason) or (table.get(rule) if name else None)
    if known is None:
        return default.replace("{reason}", reason)
    for key, value in {"name": name, **moment.detail}.items():
        known = known.replace(f"{{{key}}}", str(value))
    return known


def _timer(moment: Moment) -> str:
    """The timer that a moment is about."""
    if moment.step:
        return f"the timer of {moment.step}"
    what = f"{moment.detail.get('timer', '')} {moment.detail.get('name', '')}".strip()
    return f"a timer ({what})" if what else "a timer"


def _until(moment: Moment, show: Callable[[int], str]) -> str:
    until = moment.detail.get("until")
    return show(until) if isinstance(until, int) else str(until or "")


def _send(moment: Moment) -> str:
    return " ".join(str(moment.detail[key]) for key in ("channel", "template") if moment.detail.get(key))


def _event(moment: Moment, show: Callable[[int], str]) -> str:
    values = ", ".join(f"{name} {value}" for name, value in moment.detail.items() if value is not None)
    return f"event {moment.reason}" + (f" ({values})" if values else "")


def _entered(moment: Moment, show: Callable[[int], str]) -> str:
    key = moment.detail.get("key")
    return f"entered, version {moment.version}" + (f", for {key}" if key else "")


def _held(moment: Moment, show: Callable[[int], str]) -> str:
    until = _until(moment, show)
    what = _send(moment) or moment.step
    return f"{what} is held{f' until {until}' if until else ''}: {_reason(moment)}"


def _suppressed(moment: Moment, show: Callable[[int], str]) -> str:
    by = moment.detail.get("held_by")
    return f"{_send(moment) or moment.step} was not sent: {_reason(moment)}" + (
        f" (held by {by})" if by else ""
    )


def _commanded(moment: Moment, show: Callable[[int], str]) -> str:
    what = _send(moment)
    why = f" ({_reason(moment)})" if moment.reason else ""
    kept_back = ", ".join(moment.detail.get("withheld", ()))
    without = f", without {kept_back}: no consent to personalise" if kept_back else ""
    return (f"command: {what}" if what else f"command of {moment.step}") + why + without


def _waiting(moment: Moment, show: Callable[[int], str]) -> str:
    until = _until(moment, show)
    why = f" ({_reason(moment)})" if moment.reason else ""
    return f"waits at {moment.step} " + (f"until {until}" if until else "without an end") + why


def _stepped(moment: Moment, show: Callable[[int], str]) -> str:
    if not moment.reason:
        return f"ran {moment.step}"
    if moment.reason in REASONS["stepped"] or moment.reason.startswith("round "):
        return f"{moment.step}: {_reason(moment)}"
    return f"{moment.step}: went where {moment.reason}"


def _scored(moment: Moment, show: Callable[[int], str]) -> str:
    parts = [
        f"{line['score']} {line['points']:+g} = {line['after']:g} ({line['rule']})"
        for line in moment.detail.get("ledger", ())
    ]
    features = moment.detail.get("features")
    if features:
        parts.append("from " + ", ".join(f"{name} {_number(value)}" for name, value in features.items()))
    return "score " + ", ".join(parts)


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:g}"


def _model_failed(moment: Moment, show: Callable[[int], str]) -> str:
    error = moment.detail.get("error")
    of = f" ({error})" if error else ""
    return f"the model of {moment.detail.get('score')} gave no answer: {_reason(moment)}{of}"


def _graded(moment: Moment, show: Callable[[int], str]) -> str:
    before = moment.detail.get("from") or "none"
    return f"grade of {moment.detail.get('score')}: {before} → {moment.detail.get('to') or 'none'}"


def _exited(moment: Moment, show: Callable[[int], str]) -> str:
    at = f" at {moment.step}" if moment.step else ""
    return f"left{at}: {_reason(moment) or 'the step says so'}"


def _late(moment: Moment, show: Callable[[int], str]) -> str:
    by = moment.detail.get("by_ms")
    how = f" {format_duration(by)}" if isinstance(by, int) else ""
    return f"event {moment.detail.get('event')} came{how} late; it acts now and counts at its own time"


def _words(say: Callable[[Moment], str]) -> Callable[[Moment, Callable[[int], str]], str]:
    """A sentence without a time in it."""
    return lambda moment, _: say(moment)


_SENTENCES: Final[Mapping[str, Callable[[Moment, Callable[[int], str]], str]]] = {
    "event": _event,
    "scored": _scored,
    "model_failed": _model_failed,
    "graded": _graded,
    "segment_entered": _words(lambda m: f"came into the segment {m.reason}"),
    "segment_left": _words(lambda m: f"left the segment {m.reason}"),
    "entered": _entered,
    "not_entered": _words(lambda m: f"not entered: {_reason(m)}"),
    "holdout": _words(_reason),
    "stepped": _stepped,
    "waiting": _waiting,
    "split": split,
    "offered": offered,
    "held": _held,
    "suppressed": _suppressed,
    "fell_back": _words(lambda m: f"goes to {m.detail.get('to_channel')} instead: {_reason(m)}"),
    "commanded": _commanded,
    "timed_out": _words(lambda m: f"{m.step}: it did not come in time"),
    "heard": _words(lambda m: f"{m.step}: it came"),
    "goal": _words(lambda m: f"reached the goal: {_reason(m)}"),
    "exited": _exited,
    "completed": _words(lambda _: "ran the last step"),
    "observed_out": _words(lambda m: f"did not reach the goal: {_reason(m)}"),
    "merged": _words(_reason),
    **{kind: _words(say) for kind, say in PRIVACY.items()},
    "not_merged": _words(_reason),
    "address_suppressed": _words(
        lambda m: f"its address for {m.detail.get('channel')} is suppressed: {_reason(m)}"
    ),
    "address_released": _words(lambda m: f"its address for {m.detail.get('channel')} may be sent to again"),
    "not_suppressed": _words(
        lambda m: f"no address for {m.detail.get('channel')} was suppressed: {_reason(m)}"
    ),
    "forwarded": _words(lambda m: f"event {m.detail.get('event')} went on to {m.detail.get('to')}"),
    "clamped": _words(lambda m: f"event {m.detail.get('event')} claimed a time ahead of its log; set back"),
    "late": _late,
    "quarantined": _words(lambda m: f"{_timer(m)} failed and is stopped for a look: {m.reason}"),
    "braked": _words(lambda m: f"{m.program}: {_reason(m)}"),
    "let_go": _words(lambda m: f"{m.step}: an operator let it go ({m.reason}); it is decided anew"),
    "released": _words(lambda m: f"{_timer(m)} was released by an operator, and is due now"),
    "duplicate": _words(lambda m: f"event {m.detail.get('event')} had come before and was dropped"),
    "limit": _words(_reason),
}
