"""The steps, from forms to nodes: one small function a kind, in a table.

A builder is given a :class:`Site`: the step's form, its id, the step that follows it, and the means to
compile its expressions and to place the steps nested in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

import msgspec

from processor.core.expressions import Names
from processor.core.model import Channel, Expression, Fn, Node
from processor.core.nodes import (
    AddScore,
    Alert,
    ChangeList,
    Decide,
    Enroll,
    Jump,
    Leave,
    Repeat,
    Route,
    Send,
    SetProfile,
    Split,
    Wait,
    WaitClock,
    WaitFor,
    WaitTo,
)
from processor.core.time import DAY_MS, zone
from processor.language.expressions import Compiler
from processor.language.problems import instead, listed, quoted
from processor.language.records import Form
from processor.language.scores import points
from processor.language.topology import weekdays

__all__ = ["BUILDERS", "Builder", "Site", "nested", "parts"]

HOLD_MS: Final = 2 * DAY_MS  # how long a send may wait for a policy where the step does not say
_SHARE_TOLERANCE: Final = 1e-6
_CATEGORY: Final = {"integer": "number", "zone": "string"}


class Placer(Protocol):
    """Places a list of steps: returns the id of its first, or ``join`` for an empty list."""

    def __call__(self, forms: Iterable[Form], join: str | None) -> str | None: ...


class Site(msgspec.Struct):
    """Where a step is built. ``next`` is the id of the step after it, None for the program's end."""

    form: Form
    id: str
    next: str | None
    names: Names
    compiler: Compiler
    channels: dict[str, Channel]
    purpose: str
    entry_types: tuple[str, ...]
    place: Placer
    expressions: list[Expression] = []

    def __getitem__(self, key: str) -> Any:
        return self.form[key]

    def expression(self, key: str, want: str = "any", form: Form | None = None) -> Expression:
        """Return the compiled expression of a key."""
        return self._keep(self.compiler.expression((form or self.form)[key], self.names, want))

    def condition(self, key: str, form: Form | None = None) -> Fn | None:
        """Return the condition of a key, or None where it is absent."""
        return self.expression(key, "boolean", form).fn if key in (form or self.form) else None

    def heard(self, key: str, types: tuple[str, ...]) -> Fn | None:
        """Return a condition in which ``event.`` is an event of these types that is being looked at."""
        if key not in self.form:
            return None
        names = msgspec.structs.replace(self.names, event_types=types, event_is_entry=False)
        return self._keep(self.compiler.expression(self.form[key], names, "boolean")).fn

    def text(self, key: str) -> Expression:
        """Return the compiled text template of a key."""
        return self._keep(self.compiler.template(self.form[key], self.names))

    def values(self, key: str) -> tuple[tuple[str, Expression], ...]:
        """Return the named values of a key: expressions, or texts with braces."""
        given = self.form.get(key, Form(self.form.mark)).values
        return tuple(
            (name, self._keep(self.compiler.value(text, self.names))) for name, text in given.items()
        )

    def points(self, key: str) -> tuple[float, Fn | None]:
        """Return points as a number, or as an expression."""
        before = len(self.compiler.compiled)
        made = points(self.form[key], self.names, self.compiler)
        self.expressions.extend(self.compiler.compiled[before:])
        return made

    def branch(self, forms: Iterable[Form] | None) -> str | None:
        """Return where nested steps begin; they go on after this step. None or no steps: right after it."""
        return self.place(forms or (), self.next)

    def wrong(self, key: str, rule: str, message: str, fix: str, form: Form | None = None) -> None:
        """Report a problem at the value of ``key``."""
        self.compiler.problems.error((form or self.form).at(key), rule, message, fix)

    def _keep(self, made: Expression) -> Expression:
        self.expressions.append(made)
        return made


Builder = Callable[[Site], Node]


def _send(site: Site) -> Node:
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


def _wait(site: Site) -> Node:
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


def _wait_for(site: Site) -> Node:
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


def _wait_until(site: Site) -> Node:
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


def _decide(site: Site) -> Node:
    branches: list[tuple[Fn, str | None]] = []
    texts: list[str] = []
    otherwise = site.next
    for number, branch in enumerate(site["decide"], 1):
        if branch.kind == "else":
            if number < len(site["decide"]):
                message = "branches after else are never reached"
                site.wrong("else", "else-not-last", message, "write else as the last branch", branch)
            otherwise = site.branch(branch["else"])
            continue
        condition = site.expression("if", "boolean", branch)
        branches.append((condition.fn, site.branch(branch["steps"])))
        texts.append(condition.text)
    return Decide(
        id=site.id, next=site.next, branches=tuple(branches), otherwise=otherwise, texts=tuple(texts)
    )


def _split(site: Site) -> Node:
    variants = site["split"].values
    total = sum(variant["share"] for variant in variants.values())
    if abs(total - 100) > _SHARE_TOLERANCE:
        given = " + ".join(f"{variant['share']:g}" for variant in variants.values())
        message = f"the shares {given} add up to {total:g}"
        site.wrong("split", "split-shares", message, "write shares that add up to 100")
    branches = tuple(
        (name, float(variant["share"]), site.branch(variant.get("steps")))
        for name, variant in variants.items()
    )
    return Split(id=site.id, next=site.next, branches=branches)


def _set(site: Site) -> Node:
    values = site.values("set")
    profile = site.compiler.known.profile
    for name, made in values:
        declared = profile.get(name)
        if declared is None:
            message = f"there is no profile attribute {quoted(name)}"
            fix = instead(name, profile, "declare it under profile in topology.yaml")
            site.wrong(name, "unknown-attribute", message, fix, site["set"])
        elif not _fits(made.type, declared.removesuffix("?")):
            wanted = declared.removesuffix("?")
            message = f"{quoted(name)} is of type {wanted}, and this is of type {made.type}"
            site.wrong(name, "wrong-type", message, f"write an expression of type {wanted}", site["set"])
    return SetProfile(id=site.id, next=site.next, values=tuple((name, made.fn) for name, made in values))


def _fits(found: str, declared: str) -> bool:
    return found in ("any", "none", _CATEGORY.get(declared, declared))


def _score(site: Site) -> Node:
    if ("add" in site.form) == ("to" in site.form):
        message = "a score step either adds or sets"
        site.wrong("score", "missing-key", message, "write one of add: 5 and to: 0")
        return Leave(id=site.id, reason="")
    add, add_fn = site.points("add") if "add" in site.form else (0.0, None)
    to = float(site["to"]) if "to" in site.form else None
    return AddScore(id=site.id, next=site.next, model=site["score"], add=add, add_fn=add_fn, to=to)


def _add_to(site: Site) -> Node:
    return ChangeList(id=site.id, next=site.next, list=site["add_to"], join=True)


def _remove_from(site: Site) -> Node:
    return ChangeList(id=site.id, next=site.next, list=site["remove_from"], join=False)


def _alert(site: Site) -> Node:
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


def _route(site: Site) -> Node:
    because = site.text("because") if "because" in site.form else None
    return Route(
        id=site.id,
        next=site.next,
        team=site["route"],
        because=because.fn if because else None,
        text=because.text if because else "",
        purpose=site.purpose,
    )


def _enroll(site: Site) -> Node:
    known, program = site.compiler.known, site["enroll"]
    if program in known.programs and program not in known.enrollable:
        message = f"the program {quoted(program)} cannot be started by another"
        site.wrong(
            "enroll", "not-enrollable", message, f"write {{from_program: true}} into the entry of {program}"
        )
    return Enroll(id=site.id, next=site.next, program=program)


def _repeat(site: Site) -> Node:
    given = site["repeat"]
    if not given["steps"]:
        site.wrong("steps", "no-steps", "there is nothing to repeat", "write at least one step", given)
    return Repeat(
        id=site.id,
        next=site.next,
        times=given["times"],
        until=site.condition("until", given),
        body=site.place(given["steps"], site.id),
    )


def _goto(site: Site) -> Node:
    return Jump(id=site.id, next=site["goto"], target=site["goto"])


def _leave(site: Site) -> Node:
    return Leave(id=site.id, reason=site[site.form.kind])


BUILDERS: Final[dict[str, Builder]] = {
    "send": _send,
    "wait": _wait,
    "wait_for": _wait_for,
    "wait_until": _wait_until,
    "decide": _decide,
    "split": _split,
    "set": _set,
    "score": _score,
    "add_to": _add_to,
    "remove_from": _remove_from,
    "alert": _alert,
    "route": _route,
    "enroll": _enroll,
    "repeat": _repeat,
    "goto": _goto,
    "exit": _leave,
    "stop": _leave,
}


def parts(form: Form) -> Iterator[Form]:
    """Yield the step's own forms (itself, its maps, its branches), without the steps nested in it."""
    yield form
    for value in form.values.values():
        if isinstance(value, Form):
            yield from parts(value)
        elif _branches(value):
            for branch in value:
                yield from parts(branch)


def nested(form: Form) -> Iterator[list[Form]]:
    """Yield the step lists inside a step, in the order of the file, whatever its kind."""
    for part in parts(form):
        for value in part.values.values():
            if isinstance(value, list) and value and isinstance(value[0], Form) and not _branches(value):
                yield value


def _branches(value: Any) -> bool:
    """Return whether a value is the list of branches of a decide step."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], Form)
        and value[0].kind in ("if", "else")
    )
