"""Steps in which time passes, from forms to nodes."""

from __future__ import annotations

from processor.core.model import Node
from processor.core.nodes import Wait, WaitClock, WaitFor, WaitTo
from processor.core.time import zone
from processor.language.records import Form
from processor.language.site import Site
from processor.language.topology import weekdays

__all__ = ["build_wait", "build_wait_for", "build_wait_until"]


def build_wait(site: Site) -> Node:
    """Return the node of a wait step: for a duration, to a date, or to a time of day."""
    given = site["wait"]
    if not isinstance(given, Form):
        return Wait(id=site.id, next=site.next, duration_ms=given)
    if given.kind == "at":
        zoned = zone(given["zone"]) if "zone" in given else None
        days = weekdays(given.get("days"))
        return WaitClock(id=site.id, next=site.next, at_minutes=given["at"], weekdays=days, zone=zoned)
    until = site.expression("until", "time", given)
    return WaitTo(
        id=site.id,
        next=site.next,
        until=until.fn,
        text=until.text,
        offset_ms=given.get("offset", 0),
        at_minutes=given.get("at", -1),
        if_past_exit=given.get("if_past") == "exit",
    )


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
