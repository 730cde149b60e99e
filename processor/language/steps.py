"""The steps, from forms to nodes: one small function a kind, in a table.

A builder is given a :class:`Site`: the step's form, its id, the step that follows it, and the means to
compile its expressions and to place the steps nested in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from processor.core.model import Fn, Node
from processor.core.nodes import (
    OFFERS_MAX,
    AddScore,
    ChangeConsent,
    ChangeList,
    Choice,
    Decide,
    Enroll,
    Finish,
    Jump,
    Leave,
    Offer,
    Parallel,
    Repeat,
    SetProfile,
    Split,
)
from processor.language.problems import instead, quoted
from processor.language.records import Form
from processor.language.site import Builder, Site
from processor.language.step_best import build_best
from processor.language.step_people import build_alert, build_assign, build_route
from processor.language.step_sends import build_audience, build_send, build_series, build_webhook
from processor.language.step_waits import build_wait, build_wait_for, build_wait_until

__all__ = ["BUILDERS", "nested", "parts"]

BRANCHES_MAX: Final = 16  # of a parallel step; a track of the row each
_SHARE_TOLERANCE: Final = 1e-6
_CATEGORY: Final = {"integer": "number", "zone": "string"}


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
    if "best_by" in site.form:
        return build_best(site)
    for name, variant in variants.items():
        if "share" not in variant:
            message = f"the variant {quoted(name)} has no share"
            fix = "write share: 50, or best_by: goal beside split for shares that move to the best"
            site.wrong("share", "split-shares", message, fix, variant)
            return Split(id=site.id, next=site.next, branches=())
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


def _offer(site: Site) -> Node:
    given = site["offer"].values
    if len(given) > OFFERS_MAX:
        message = f"the step has {len(given)} offers, {OFFERS_MAX} are the most"
        site.wrong("offer", "too-many-offers", message, "divide them among several steps")
    offers = tuple(
        Choice(
            name=name,
            value=site.expression("value", "number", one).fn,
            when=site.condition("if", one),
            again_ms=one.get("again_after", -1),
            target=site.branch(one.get("steps")),
        )
        for name, one in given.items()
    )
    otherwise = site.branch(site.form.get("else"))
    return Offer(
        id=site.id, next=site.next, offers=offers, otherwise=otherwise, name=site.form.get("name", "")
    )


def _parallel(site: Site) -> Node:
    branches = site["parallel"]
    if len(branches.values) > BRANCHES_MAX:
        message = f"the step has {len(branches.values)} branches, {BRANCHES_MAX} are the most"
        site.wrong("parallel", "too-many-branches", message, "put steps that follow each other in one branch")
    for name, steps in branches.values.items():
        if not steps:
            message = f"the branch {quoted(name)} has no steps"
            site.wrong(name, "no-steps", message, "write at least one step, or take it out", branches)
    return Parallel(
        id=site.id,
        next=site.next,
        branches=tuple((name, site.branch(steps)) for name, steps in branches.values.items()),
        first_ends=site.form.get("until") == "first",
    )


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
    if site["score"] in site.compiler.known.predicted:
        message = f"a model gives {quoted(site['score'])}, so no step changes it"
        site.wrong("score", "score-kind", message, "write a score that rules give")
    add, add_fn = site.points("add") if "add" in site.form else (0.0, None)
    to = float(site["to"]) if "to" in site.form else None
    return AddScore(id=site.id, next=site.next, model=site["score"], add=add, add_fn=add_fn, to=to)


def _add_to(site: Site) -> Node:
    return ChangeList(id=site.id, next=site.next, list=site["add_to"], join=True)


def _remove_from(site: Site) -> Node:
    return ChangeList(id=site.id, next=site.next, list=site["remove_from"], join=False)


def _grant(site: Site) -> Node:
    return _consent(site, "grant")


def _withdraw(site: Site) -> Node:
    return _consent(site, "withdraw")


def _consent(site: Site, kind: str) -> Node:
    return ChangeConsent(
        id=site.id,
        next=site.next,
        purpose=site[kind],
        grants=kind == "grant",
        channel=site.form.get("channel", ""),
        text=site.form.get("text", ""),
    )


def _finish(site: Site) -> Node:
    return Finish(id=site.id)


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
    "send": build_send,
    "series": build_series,
    "wait": build_wait,
    "wait_for": build_wait_for,
    "wait_until": build_wait_until,
    "decide": _decide,
    "split": _split,
    "offer": _offer,
    "parallel": _parallel,
    "set": _set,
    "score": _score,
    "add_to": _add_to,
    "remove_from": _remove_from,
    "alert": build_alert,
    "route": build_route,
    "assign": build_assign,
    "audience": build_audience,
    "webhook": build_webhook,
    "grant": _grant,
    "withdraw": _withdraw,
    "enroll": _enroll,
    "repeat": _repeat,
    "goto": _goto,
    "finish": _finish,
    "exit": _leave,
    "stop": _leave,
}


def parts(form: Form) -> Iterator[Form]:
    """Yield the step's own forms (itself, its maps, its branches), without the steps nested in it."""
    yield form
    for value in form.values.values():
        if isinstance(value, Form):
            yield from parts(value)
        elif isinstance(value, list) and not _are_steps(value):
            for one in value:
                if isinstance(one, Form):
                    yield from parts(one)


def nested(form: Form) -> Iterator[list[Form]]:
    """Yield the step lists inside a step, in the order of the file, whatever its kind."""
    for part in parts(form):
        for value in part.values.values():
            if _are_steps(value):
                yield value


def _are_steps(value: Any) -> bool:
    """Whether a value is a list of steps, and not of branches, pieces, territories or what else has forms."""
    return (
        isinstance(value, list) and bool(value) and isinstance(value[0], Form) and value[0].kind in BUILDERS
    )
