"""Steps that go to people: alerts, hand-overs to a team, owners."""

from __future__ import annotations

from typing import Final

from processor.core.model import Node
from processor.core.nodes import Alert, Route, Territory
from processor.language.problems import instead, listed, quoted
from processor.language.records import Form
from processor.language.site import Site

__all__ = ["build_alert", "build_assign", "build_route"]

_PEOPLE: Final = ("alert", "task")  # the kinds of channels that tell a person


def build_alert(site: Site) -> Node:
    """Return the node of an alert step."""
    channel = site.channels.get(site["alert"])
    if channel is not None and channel.kind not in _PEOPLE:
        people = [name for name, other in site.channels.items() if other.kind in _PEOPLE]
        what = "messages to contacts" if channel.kind == "message" else f"{channel.kind}s"
        message = f"{quoted(channel.name)} is a channel of {what}, not of alerts"
        fix = f"write one of {listed(people)}" if people else "declare a channel of kind alert or task"
        site.wrong("alert", "wrong-channel", message, fix)
    text = site.text("message")
    _mark_context(site)
    return Alert(
        id=site.id,
        next=site.next,
        channel=site["alert"],
        message=text.fn,
        text=text.text,
        context=site.form.get("context", False),
        due_ms=site.form.get("due", 0),
        purpose=site.purpose,
    )


def build_route(site: Site) -> Node:
    """Return the node of a route step."""
    because = site.text("because") if "because" in site.form else None
    _mark_context(site)
    return Route(
        id=site.id,
        next=site.next,
        territories=_territories(site, "route"),
        because=because.fn if because else None,
        text=because.text if because else "",
        keeps_owner=site.form.get("by") == "owner",
        context=site.form.get("context", False),
        due_ms=site.form.get("due", 0),
        purpose=site.purpose,
    )


def build_assign(site: Site) -> Node:
    """Return the node of an assign step."""
    return Route(
        id=site.id,
        next=site.next,
        territories=_territories(site, "assign"),
        keeps_owner=site.form.get("by") == "owner",
        tells=False,
    )


def _mark_context(site: Site) -> None:
    """What is known of the contact is, where it travels, a value like any other."""
    if site.form.get("context", False):
        site.personal.add("context")


def _territories(site: Site, key: str) -> tuple[Territory, ...]:
    given = site[key]
    if isinstance(given, str):
        return (Territory(given),)
    forms: list[Form] = given if isinstance(given, list) else [given]
    made: list[Territory] = []
    for number, form in enumerate(forms, 1):
        team, member = form["to"], form.get("member", "")
        members = site.compiler.known.members.get(team, ())
        if member and members and member not in members:
            message = f"{quoted(member)} is no member of {quoted(team)}"
            site.wrong("member", "unknown-member", message, instead(member, members), form)
        if "if" not in form and number < len(forms):
            message = "territories after one without a condition are never looked at"
            site.wrong("to", "territory-order", message, "write an if:, or put it last", form)
        made.append(Territory(team, member, site.condition("if", form)))
    return tuple(made)
