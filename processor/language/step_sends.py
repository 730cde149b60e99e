"""Steps that command a channel, from forms to nodes."""

from __future__ import annotations

from typing import Final

from processor.core.model import Node
from processor.core.nodes import Alert, Route, Send
from processor.core.time import DAY_MS
from processor.language.problems import instead, listed, quoted
from processor.language.site import Site

__all__ = ["build_alert", "build_route", "build_send"]

HOLD_MS: Final = 2 * DAY_MS  # how long a send may wait for a policy where the step does not say


def build_send(site: Site) -> Node:
    """Return the node of a send step."""
    channel = site.channels.get(site["send"])
    template = site["template"]
    if channel is not None and channel.templates and template not in channel.templates:
        message = f"the channel {quoted(channel.name)} has no template {quoted(template)}"
        site.wrong("template", "unknown-template", message, instead(template, channel.templates))
    form = site.form
    return Send(
        id=site.id,
        next=site.next,
        channel=site["send"],
        template=template,
        values=tuple((name, made.fn) for name, made in site.values("values")),
        purpose=form.get("purpose", site.purpose),
        when_capped=form.get("when_capped", "skip"),
        when_quiet=form.get("when_quiet", "wait"),
        hold_ms=form.get("hold_at_most", HOLD_MS),
        expires_ms=form.get("expires_after", channel.expires_ms if channel else DAY_MS),
    )


def build_alert(site: Site) -> Node:
    """Return the node of an alert step."""
    channel = site.channels.get(site["alert"])
    if channel is not None and channel.kind == "message":
        people = [name for name, other in site.channels.items() if other.kind != "message"]
        message = f"{quoted(channel.name)} is a channel of messages to contacts, not of alerts"
        fix = f"write one of {listed(people)}" if people else "declare a channel of kind alert or task"
        site.wrong("alert", "wrong-channel", message, fix)
    text = site.text("message")
    return Alert(
        id=site.id,
        next=site.next,
        channel=site["alert"],
        message=text.fn,
        text=text.text,
        purpose=site.purpose,
    )


def build_route(site: Site) -> Node:
    """Return the node of a route step."""
    because = site.text("because") if "because" in site.form else None
    return Route(
        id=site.id,
        next=site.next,
        team=site["route"],
        because=because.fn if because else None,
        text=because.text if because else "",
        purpose=site.purpose,
    )
