"""Steps that command a channel, from forms to nodes."""

from __future__ import annotations

from typing import Final

from processor.core.model import Fn, Node
from processor.core.nodes import PIECES_MAX, Audience, Send, Series, Way, Webhook
from processor.core.time import DAY_MS
from processor.language.problems import instead, listed, quoted
from processor.language.records import Form
from processor.language.site import Site
from processor.language.step_content import build_blocks, build_variants

__all__ = ["build_audience", "build_send", "build_series", "build_webhook"]

HOLD_MS: Final = 2 * DAY_MS  # how long a send may wait for a policy where the step does not say


def build_send(site: Site) -> Node:
    """Return the node of a send step."""
    channel = site.channels.get(site["send"])
    template = site["template"]
    if channel is not None and channel.templates and template not in channel.templates:
        message = f"the channel {quoted(channel.name)} has no template {quoted(template)}"
        site.wrong("template", "unknown-template", message, instead(template, channel.templates))
    if channel is not None and channel.kind in ("webhook", "audience"):
        message = f"{quoted(channel.name)} is a channel of {channel.kind}s, not of messages"
        fix = f"write webhook: {channel.name} with values:"
        if channel.kind == "audience":
            fix = f"write audience: {channel.name} with add: or remove:"
        site.wrong("send", "wrong-channel", message, fix)
    form = site.form
    fallbacks, within_ms = _fallbacks(site)
    return Send(
        id=site.id,
        next=site.next,
        channel=site["send"],
        template=template,
        values=tuple((name, made.fn) for name, made in site.values("values")),
        purpose=form.get("purpose", site.purpose),
        when_capped=form.get("when_capped", "skip"),
        when_quiet=form.get("when_quiet", "wait"),
        when_spent=form.get("when_spent", "skip"),
        cost=site.number("cost"),
        hold_ms=form.get("hold_at_most", HOLD_MS),
        expires_ms=form.get("expires_after", channel.expires_ms if channel else DAY_MS),
        failed_by=channel.failed_by if channel else "",
        reply_to=_reply_to(site),
        variants=build_variants(site, channel),
        blocks=build_blocks(site),
        fallbacks=fallbacks,
        within_ms=within_ms,
    )


def _fallbacks(site: Site) -> tuple[tuple[Way, ...], int]:
    """Return the ways that a send can take after its first channel, and how long a failure is waited for."""
    given = site.form.get("fallback")
    if given is None:
        return (), 0
    form = given if isinstance(given, Form) else None
    names = given["to"] if form is not None else [given] if isinstance(given, str) else given
    template = form.get("template", site["template"]) if form is not None else site["template"]
    within_ms = form.get("within", 0) if form is not None else 0
    made: list[Way] = []
    taken = {site["send"]}
    for name in names:
        channel = site.channels.get(name)
        if name in taken:
            message = f"{quoted(name)} has been tried already when it is its turn"
            site.wrong("fallback", "bad-fallback", message, "write each channel once")
        taken.add(name)
        if channel is None:
            continue  # reported where its name stands
        if channel.kind != "message":
            message = f"{quoted(name)} is a channel of kind {channel.kind}, and cannot stand in for messages"
            site.wrong("fallback", "wrong-channel", message, "write a channel of messages to contacts")
        if channel.templates and template not in channel.templates:
            message = f"the channel {quoted(name)} has no template {quoted(template)}"
            fix = f"write fallback: {{to: {name}, template: …}} with one of {listed(channel.templates)}"
            site.wrong("fallback", "unknown-template", message, fix)
        expires_ms = site.form.get("expires_after", channel.expires_ms)
        made.append(Way(name, template, expires_ms, channel.failed_by))
    first = site.channels.get(site["send"])
    if within_ms and first is not None and form is not None:
        ways = [(first.name, first.failed_by), *((way.channel, way.failed_by) for way in made[:-1])]
        mute = next((name for name, failed_by in ways if not failed_by), None)
        if mute is not None:
            message = f"nothing says by which event {quoted(mute)} reports a failure"
            fix = f"write failed_by: and an event type below the channel {mute}"
            site.wrong("within", "bad-fallback", message, fix, form)
    return tuple(made), within_ms if made else 0


def build_series(site: Site) -> Node:
    """Return the node of a series step."""
    form, channel = site.form, site.channels.get(site["series"])
    if channel is not None and channel.kind != "message":
        message = f"{quoted(channel.name)} is a channel of kind {channel.kind}, not of messages to contacts"
        site.wrong("series", "wrong-channel", message, "write a channel of messages to contacts")
    given = site["pieces"]
    if len(given) > PIECES_MAX:
        message = f"the series has {len(given)} pieces, {PIECES_MAX} are the most"
        site.wrong("pieces", "too-many-pieces", message, "split it into several series")
    pieces: list[tuple[str, Fn | None]] = []
    for piece in given:
        template = piece["template"] if isinstance(piece, Form) else piece
        if any(template == other for other, _ in pieces):
            message = f"the piece {quoted(template)} is there twice, and is sent once"
            site.wrong("pieces", "duplicate-piece", message, "take one of them out")
        if channel is not None and channel.templates and template not in channel.templates:
            message = f"the channel {quoted(channel.name)} has no template {quoted(template)}"
            fix = instead(template, channel.templates)
            place = piece if isinstance(piece, Form) else form
            site.wrong("template" if place is piece else "pieces", "unknown-template", message, fix, place)
        when = site.condition("if", piece) if isinstance(piece, Form) else None
        pieces.append((template, when))
    return Series(
        id=site.id,
        next=site.next,
        channel=site["series"],
        pieces=tuple(pieces),
        every_ms=site["every"],
        name=form.get("name", ""),
        values=tuple((name, made.fn) for name, made in site.values("values")),
        purpose=form.get("purpose", site.purpose),
        when_capped=form.get("when_capped", "skip"),
        when_quiet=form.get("when_quiet", "wait"),
        when_spent=form.get("when_spent", "skip"),
        cost=site.number("cost"),
        hold_ms=form.get("hold_at_most", HOLD_MS),
        expires_ms=form.get("expires_after", channel.expires_ms if channel else DAY_MS),
        reply_to=_reply_to(site),
    )


def _reply_to(site: Site) -> bool:
    values = site.form.get("values")
    if "reply_to" in site.form and isinstance(values, Form) and "reply_to" in values:
        message = "the owner's address travels as the value reply_to, and there is one of that name"
        site.wrong("reply_to", "bad-name", message, "write another name for that value", values)
    return "reply_to" in site.form


def build_audience(site: Site) -> Node:
    """Return the node of an audience step."""
    form, channel = site.form, site.channels.get(site["audience"])
    if channel is not None and channel.kind != "audience":
        networks = [name for name, other in site.channels.items() if other.kind == "audience"]
        message = f"{quoted(channel.name)} is a channel of kind {channel.kind}, not of audiences"
        fix = f"write one of {listed(networks)}" if networks else "declare a channel of kind audience"
        site.wrong("audience", "wrong-channel", message, fix)
    if ("add" in form) == ("remove" in form):
        message = "an audience step either adds or removes"
        site.wrong("audience", "audience-both", message, "write one of add: retarget and remove: retarget")
    given = form.get("values", ())
    for name in ("audience", "do"):
        if name in given:
            message = f"the value {quoted(name)} is the step's own"
            site.wrong(name, "bad-name", message, "write another name", form["values"])
    purpose: str = form.get("purpose", site.purpose)
    if "add" in form and not purpose:
        message = "what is the contact's consent asked for, before it comes into the audience?"
        site.wrong("add", "missing-purpose", message, "write purpose: in the step or in the program")
    return Audience(
        id=site.id,
        next=site.next,
        channel=site["audience"],
        audience=form.get("add") or form.get("remove", ""),
        adds="add" in form,
        values=tuple((name, made.fn) for name, made in site.values("values")),
        purpose=purpose,
    )


def build_webhook(site: Site) -> Node:
    """Return the node of a webhook step."""
    channel = site.channels.get(site["webhook"])
    if channel is not None and channel.kind != "webhook":
        systems = [name for name, other in site.channels.items() if other.kind == "webhook"]
        message = f"{quoted(channel.name)} is a channel of kind {channel.kind}, not of webhooks"
        fix = f"write one of {listed(systems)}" if systems else "declare a channel of kind webhook"
        site.wrong("webhook", "wrong-channel", message, fix)
    return Webhook(
        id=site.id,
        next=site.next,
        channel=site["webhook"],
        values=tuple((name, made.fn) for name, made in site.values("values")),
        purpose=site.purpose,
    )
