"""What a drawing says of a step, an entry, a goal and an exit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from processor.core.model import Entry, Exit, Goal, Node, Program
from processor.core.time import format_time
from processor.language.graph_text import duration_words

__all__ = ["Caption", "caption", "entry_text", "exit_text", "facts", "goal_text", "shown_label"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WORKDAYS: Final = frozenset(range(5))


class Caption(msgspec.Struct, frozen=True):
    """``heading`` is the kind, ``text`` what it is about, ``detail`` a second thought or empty."""

    heading: str
    text: str
    detail: str = ""


def caption(node: Node) -> Caption:
    """Return what to write in the box of a step."""
    make = _CAPTIONS.get(node.kind)
    return make(node) if make is not None else Caption(node.kind.replace("_", " "), node.title())


def _texts(node: Node) -> list[str]:
    return [expression.text for expression in node.expressions]


def _send(node: Any) -> Caption:
    detail = ""
    if node.fallbacks:
        detail = "else " + ", ".join(way.channel for way in node.fallbacks)
        if node.within_ms:
            detail += f", also if it fails within {duration_words(node.within_ms)}"
    return Caption(f"send · {node.channel}", node.template, detail)


def _series(node: Any) -> Caption:
    names = ", ".join(template for template, _ in node.pieces)
    return Caption(
        f"series · {node.channel}", names, f"every {duration_words(node.every_ms)}, what was not had"
    )


def _wait(node: Any) -> Caption:
    if hasattr(node, "duration_ms"):
        return Caption("wait", duration_words(node.duration_ms))
    if hasattr(node, "hours"):
        span = f"{node.hours[0]:02}:00 to {node.hours[-1]:02}:59, else {_clock(node.default_minutes)}"
        return Caption("wait until", f"best hour by {node.event}", span)
    if hasattr(node, "zone"):
        detail = "" if node.zone is None else f"in {node.zone.key}"
        detail = f"{_on_days(node)} {detail}".strip()
        return Caption("wait until", _clock(node.at_minutes), detail)
    detail = f"at {_clock(node.at_minutes)}" if node.at_minutes >= 0 else ""
    detail = f"{detail} {_on_days(node)}".strip()
    return Caption("wait until", _shifted(node.text, node.offset_ms), detail)


def _on_days(node: Any) -> str:
    """The weekdays that a wait waits for; nothing for all."""
    if node.weekdays is None:
        return ""
    if node.weekdays == _WORKDAYS:
        return "on weekdays"
    return f"on {', '.join(_DAYS[day] for day in sorted(node.weekdays))}"


def _wait_for(node: Any) -> Caption:
    if node.condition is not None:
        return Caption("wait until", node.condition.text)
    condition = _texts(node) if node.when is not None else []
    return Caption("wait for", " or ".join(node.events), f"if {condition[0]}" if condition else "")


def _decide(node: Any) -> Caption:
    if len(node.texts) == 1:
        return Caption("decide", f"{node.texts[0]} ?")
    return Caption("decide", "the first that holds")


def _offer(node: Any) -> Caption:
    return Caption("best offer", " / ".join(one.name for one in node.offers))


def _split(node: Any) -> Caption:
    heading = "split" if node.best is None else "split by best"
    return Caption(heading, " / ".join(variant for variant, _, _ in node.branches))


def _parallel(node: Any) -> Caption:
    detail = "until the first has ended" if node.first_ends else "until all have ended"
    return Caption("in parallel", " / ".join(name for name, _ in node.branches), detail)


def _set(node: Any) -> Caption:
    texts = _texts(node)
    if len(texts) != len(node.values):
        return Caption("set profile", ", ".join(name for name, _ in node.values))
    pairs = zip(node.values, texts, strict=True)
    return Caption("set profile", ", ".join(f"{name} = {text}" for (name, _), text in pairs))


def _score(node: Any) -> Caption:
    if node.to is not None:
        return Caption(f"score · {node.model}", f"set to {node.to:g}")
    if node.add_fn is None:
        return Caption(f"score · {node.model}", f"{node.add:+g}")
    return Caption(f"score · {node.model}", "add " + " ".join(_texts(node)))


def _list(node: Any) -> Caption:
    return Caption("list", node.title())


def _alert(node: Any) -> Caption:
    return Caption(f"alert · {node.channel}", node.text)


def _route(node: Any) -> Caption:
    teams = ", ".join(dict.fromkeys(territory.team for territory in node.territories))
    return Caption(node.kind, teams, node.text)


def _audience(node: Any) -> Caption:
    return Caption("audience", node.channel, ("into " if node.adds else "out of ") + node.audience)


def _webhook(node: Any) -> Caption:
    return Caption("webhook", node.channel, ", ".join(name for name, _ in node.values))


def _enroll(node: Any) -> Caption:
    return Caption("enroll in", node.program)


def _repeat(node: Any) -> Caption:
    times = f"up to {node.times} time{'' if node.times == 1 else 's'}"
    until = _texts(node) if node.until is not None else []
    return Caption("repeat", times, f"until {until[0]}" if until else "")


def _goto(node: Any) -> Caption:
    return Caption("go to", node.target)


def _exit(node: Any) -> Caption:
    return Caption("exit", node.reason or "end")


_CAPTIONS: Final[dict[str, Callable[[Any], Caption]]] = {
    "send": _send,
    "series": _series,
    "wait": _wait,
    "wait_for": _wait_for,
    "decide": _decide,
    "split": _split,
    "offer": _offer,
    "parallel": _parallel,
    "set": _set,
    "score": _score,
    "list": _list,
    "alert": _alert,
    "route": _route,
    "assign": _route,
    "audience": _audience,
    "webhook": _webhook,
    "enroll": _enroll,
    "repeat": _repeat,
    "goto": _goto,
    "exit": _exit,
}


def shown_label(node: Node, label: str) -> str:
    """Return what stands on an edge: less than its label where the box has said it already."""
    if node.kind == "repeat":
        return ""
    if node.kind == "decide" and len(getattr(node, "texts", ())) == 1 and label != "else":
        return "yes"
    return label


def entry_text(entry: Entry) -> str:
    """Return how contacts come in, in a few words."""
    match = dict(entry.match)
    words: dict[str, Callable[[], str]] = {
        "event": lambda: entry.event,
        "segment": lambda: (
            f"{'leaves' if entry.event == 'segment_left' else 'enters'} {match.get('segment', 'segment')}"
        ),
        "score": lambda: f"{match.get('score', 'score')} reaches {match.get('threshold', 0):g}",
        "grade": lambda: f"{match.get('score', 'grade')} becomes {match.get('to', '')}",
        "date": lambda: _date_text(entry),
        "inactive": lambda: f"inactive for {duration_words(entry.inactive_ms)}",
        "schedule": lambda: (
            f"at {format_time(entry.once_ms)}" if entry.cron is None else f"schedule {entry.cron.text}"
        ),
        "hand": lambda: "added by hand",
        "program": lambda: _program_text(entry, match),
    }
    make = words.get(entry.kind)
    return make() if make is not None else entry.id


def _program_text(entry: Entry, match: dict[str, Any]) -> str:
    if entry.event != "program_ended":
        return "from another program"
    reason = match.get("reason")
    return f"after {match.get('program', '')}" + (f" ({reason})" if reason else "")


def _date_text(entry: Entry) -> str:
    when = _shifted(entry.attribute, entry.offset_days * 86_400_000)
    return f"{when}, {_clock(entry.at_minutes)}" + (", yearly" if entry.yearly else "")


def goal_text(goal: Goal) -> str:
    """Return the goal in a few words."""
    what = " or ".join(goal.events) if goal.events else "a condition holds"
    condition = " if …" if goal.events and goal.when is not None else ""
    return f"{what}{condition} within {duration_words(goal.within_ms)}"


def exit_text(exit_: Exit) -> str:
    """Return a way out in a few words."""
    if exit_.after_ms:
        return f"after {duration_words(exit_.after_ms)}"
    if exit_.events:
        # A withdrawal always has a condition: it must be for this program's purpose.
        condition = exit_.when is not None and exit_.events != ("consent_withdrawn",)
        return " or ".join(exit_.events) + (" if …" if condition else "")
    return exit_.reason or "a condition holds"


def facts(program: Program) -> tuple[str, ...]:
    """Return what else a reader should know of the program, one short text each."""
    found = []
    if program.purpose:
        found.append(program.purpose)
    if program.keyed:
        found.append("one enrollment per key")
    if program.reenter_ms > 0:
        found.append(f"again after {duration_words(program.reenter_ms)}")
    else:
        found.append("again at any time" if program.reenter_ms == 0 else "once only")
    if program.holdout_share:
        found.append(f"holdout {program.holdout_share:g}%")
    if program.entrants_max:
        found.append(f"at most {program.entrants_max:,} contacts")
    return tuple(found)


def _shifted(text: str, offset_ms: int) -> str:
    if not offset_ms:
        return text
    return f"{duration_words(abs(offset_ms))} {'after' if offset_ms > 0 else 'before'} {text}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
