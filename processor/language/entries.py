"""The ways into a program, from forms to what the machine watches for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from processor.core.expressions import Names
from processor.core.model import Entry
from processor.core.time import DAY_MS, format_duration, parse_cron, parse_time, zone
from processor.language.expressions import Compiler
from processor.language.problems import instead, quoted
from processor.language.records import Form
from processor.language.step_names import slug

__all__ = ["entries", "entry_types"]

_EVENTS: Final = {
    "segment": "segment_entered",
    "leaves_segment": "segment_left",
    "score": "score_reached",
    "grade": "grade_changed",
    "by_hand": "contact_added",
    "from_program": "enrolled",
    "after_program": "program_ended",
}


class _Site(msgspec.Struct):
    form: Form
    program: str
    compiler: Compiler
    timezone: ZoneInfo


def entry_types(forms: list[Form], compiler: Compiler) -> tuple[str, ...]:
    """Return the event types (declared or derived) whose events can begin an enrollment."""
    found: dict[str, None] = {}
    for form in forms:
        if form.kind == "on":
            found.update(dict.fromkeys(form.get("on", ())))
        elif form.kind in _EVENTS:
            found[_EVENTS[form.kind]] = None
    return tuple(found)


def entries(forms: list[Form], program: str, compiler: Compiler, timezone: ZoneInfo) -> tuple[Entry, ...]:
    """Return the entries, each with an id that stays while its kind and argument do."""
    made: list[Entry] = []
    taken: dict[str, int] = {}
    for form in forms:
        if form.broken:
            continue
        site = _Site(form, program, compiler, timezone)
        for name, given in _READERS[form.kind](site):
            number = taken[name] = taken.get(name, 0) + 1
            event = given.get("event", "")
            conditions = _conditions(site, (event,) if event else ())
            made.append(
                Entry(id=name if number == 1 else f"{name}-{number}", program=program, **given, **conditions)
            )
    return tuple(made)


def _conditions(site: _Site, types: tuple[str, ...]) -> dict[str, Any]:
    compiler, form = site.compiler, site.form
    known = types
    if types and not known:
        return {}  # an unknown event type, reported already
    names: Names = msgspec.structs.replace(compiler.known.names(), event_types=known)
    made: dict[str, Any] = {}
    if "if" in form:
        made["when"] = compiler.expression(form["if"], names, "boolean").fn
    if "key" in form:
        made["key"] = compiler.expression(form["key"], names).fn
    return made


_Read = list[tuple[str, dict[str, Any]]]


def _on(site: _Site) -> _Read:
    return [(slug(f"on-{name}"), {"kind": "event", "event": name}) for name in dict.fromkeys(site.form["on"])]


def _segment(site: _Site) -> _Read:
    name = site.form["segment"]
    return [(slug(f"segment-{name}"), _derived("segment", "segment_entered", segment=name))]


def _leaves_segment(site: _Site) -> _Read:
    name = site.form["leaves_segment"]
    return [(slug(f"leaves-segment-{name}"), _derived("segment", "segment_left", segment=name))]


def _score(site: _Site) -> _Read:
    name, value = site.form["score"], float(site.form["reaches"])
    given = _derived("score", "score_reached", score=name, threshold=value)
    return [(slug(f"score-{name}-{value:g}"), given)]


def _grade(site: _Site) -> _Read:
    name, grade = site.form["grade"], site.form["becomes"]
    grades = site.compiler.known.grades.get(name)
    if grades is not None and grade not in grades:
        message = f"the score model {quoted(name)} has no grade {quoted(grade)}"
        fix = instead(grade, grades, "declare it under grades of the score model")
        site.compiler.problems.error(site.form.at("becomes"), "unknown-grade", message, fix)
    return [(slug(f"grade-{name}-{grade}"), _derived("grade", "grade_changed", score=name, to=grade))]


def _date(site: _Site) -> _Read:
    form, profile = site.form, site.compiler.known.profile
    attribute = form["date"].removeprefix("profile.")
    dates = [name for name, kind in profile.items() if kind.removesuffix("?") in ("date", "time")]
    if attribute not in profile:
        message = f"there is no profile attribute {quoted(attribute)}"
        fix = instead(attribute, dates, "declare it under profile in topology.yaml as a date")
        site.compiler.problems.error(form.at("date"), "unknown-attribute", message, fix)
    elif attribute not in dates:
        message = f"{quoted(attribute)} is of type {profile[attribute].removesuffix('?')}, not a date or time"
        site.compiler.problems.error(
            form.at("date"), "wrong-type", message, "write an attribute of type date or time"
        )
    given = {
        "kind": "date",
        "attribute": attribute,
        "offset_days": form.get("offset", 0) // DAY_MS,
        "at_minutes": form.get("at", 0),
        "yearly": form.get("yearly", False),
    }
    return [(slug(f"date-{attribute}"), given)]


def _inactive(site: _Site) -> _Read:
    length = site.form["inactive"]
    activities = tuple(dict.fromkeys(site.form.get("of", ())))
    given = {"kind": "inactive", "inactive_ms": length, "activities": activities}
    return [(slug(f"inactive-{format_duration(length)}"), given)]


def _schedule(site: _Site) -> _Read:
    text, name = site.form["schedule"], site.form.get("zone", "")
    given: dict[str, Any] = {"kind": "schedule", "zone": name}
    if "-" in text[:5]:
        given["once_ms"] = parse_time(text, zone(name) if name else site.timezone)
    else:
        given["cron"] = parse_cron(text)
    return [("schedule", given)]


def _by_hand(site: _Site) -> _Read:
    return [("by-hand", _derived("hand", "contact_added", program=site.program))]


def _from_program(site: _Site) -> _Read:
    return [("from-program", _derived("program", "enrolled", program=site.program))]


def _after_program(site: _Site) -> _Read:
    name = site.form["after_program"]
    if "ended" not in site.form:
        return [(slug(f"after-{name}"), _derived("program", "program_ended", program=name))]
    return [
        (slug(f"after-{name}-{how}"), _derived("program", "program_ended", program=name, reason=how))
        for how in dict.fromkeys(site.form["ended"])
    ]


def _derived(kind: str, event: str, **match: Any) -> dict[str, Any]:
    return {"kind": kind, "event": event, "match": tuple(match.items())}


_READERS: Final[dict[str, Callable[[_Site], _Read]]] = {
    "on": _on,
    "segment": _segment,
    "leaves_segment": _leaves_segment,
    "score": _score,
    "grade": _grade,
    "date": _date,
    "inactive": _inactive,
    "schedule": _schedule,
    "by_hand": _by_hand,
    "from_program": _from_program,
    "after_program": _after_program,
}
