"""Steps in which time passes, from forms to nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.history import hours_spec
from processor.core.model import Expression, Fn, Node, Uses
from processor.core.nodes import Wait, WaitBest, WaitClock, WaitFor, WaitTo
from processor.core.time import DAY_MINUTES, zone
from processor.language.records import Form
from processor.language.site import Site
from processor.language.topology import weekdays

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["build_wait", "build_wait_for", "build_wait_until"]

_BOUNDS: Final = 2


def build_wait(site: Site) -> Node:
    """Return the node of a wait step: for a duration, to a date, or to a time of day."""
    given = site["wait"]
    if not isinstance(given, Form):
        return Wait(id=site.id, next=site.next, duration_ms=given)
    if given.kind == "at":
        zoned = zone(given["zone"]) if "zone" in given else None
        days = weekdays(given.get("days"))
        return WaitClock(id=site.id, next=site.next, at_minutes=given["at"], weekdays=days, zone=zoned)
    if given.kind == "after_step":
        return _after_step(site, given)
    if given.kind == "best_hour":
        return _best_hour(site, given)
    until = site.expression("until", "time", given)
    return WaitTo(
        id=site.id,
        next=site.next,
        until=until.fn,
        text=until.text,
        offset_ms=given.get("offset", 0),
        at_minutes=given.get("at", -1),
        if_past_exit=given.get("if_past") == "exit",
        weekdays=weekdays(given.get("days")),
    )


def _after_step(site: Site, given: Form) -> Node:
    step = given["after_step"]
    return WaitTo(
        id=site.id,
        next=site.next,
        until=_done_at(step),
        text=step,
        offset_ms=given["offset"],
        at_minutes=given.get("at", -1),
        if_past_exit=given.get("if_past") == "exit",
        weekdays=weekdays(given.get("days")),
        after_step=step,
    )


def _done_at(step: str) -> Fn:
    """Return what says when the enrollment at hand has done the step last (ms), or None."""

    def done_at(turn: Turn) -> int | None:
        enrollment = turn.enrollment
        done = enrollment.done if enrollment is not None else None
        return done.get(step) if done is not None else None

    return done_at


def _best_hour(site: Site, given: Form) -> Node:
    between = given.get("between", [0, DAY_MINUTES])
    if len(between) != _BOUNDS:
        site.wrong("between", "bad-hours", "two times bound the hours", 'write ["08:00", "20:00"]', given)
        between = [0, DAY_MINUTES]
    begin, end = between
    hours = tuple(hour for hour in range(24) if begin <= hour * 60 < end)
    if not hours:
        message = "no full hour lies between the two times"
        site.wrong("between", "bad-hours", message, "write an earlier and a later time", given)
    elif not begin <= given["default"] < end:
        message = "the default lies outside of the hours to choose from"
        site.wrong("default", "bad-hours", message, "write a time between them", given)
    spec = hours_spec(given["best_hour"])
    text = f"best hour by {given['best_hour']}"
    made = Expression(text, _nothing, "any", Uses(events=frozenset((spec.event,)), series=(spec,)))
    site.compiler.compiled.append(made)
    return WaitBest(
        id=site.id,
        next=site.next,
        series=spec.key,
        event=spec.event,
        hours=hours,
        default_minutes=given["default"],
    )


def _nothing(turn: Turn) -> None:
    """Stand in for an expression that is there for the history it needs."""


def build_wait_for(site: Site) -> Node:
    """Return the node of a wait_for step."""
    types = tuple(dict.fromkeys(site["wait_for"]))
    return WaitFor(
        id=site.id,
        next=site.next,
        events=types,
        when=site.heard("if", tuple(name for name in types if name in site.compiler.known.events)),
        condition=None,
        timeout_ms=site.form.get("timeout", 0),
        then=site.branch(site.form.get("then")),
        otherwise=site.branch(site.form.get("else")),
    )


def build_wait_until(site: Site) -> Node:
    """Return the node of a wait_until step."""
    return WaitFor(
        id=site.id,
        next=site.next,
        events=(),
        when=None,
        condition=site.expression("wait_until", "boolean"),
        timeout_ms=site.form.get("timeout", 0),
        then=site.branch(site.form.get("then")),
        otherwise=site.branch(site.form.get("else")),
    )
