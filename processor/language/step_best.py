"""Splits by best performer, from forms to nodes."""

from __future__ import annotations

import dataclasses
from typing import Final

from processor.core.best import COHORTS_MAX, Best
from processor.core.model import Goal, Node
from processor.core.nodes import Split
from processor.core.time import DAY_MS, format_duration
from processor.language.problems import Problems, quoted
from processor.language.records import Form
from processor.language.site import Site

__all__ = ["build_best", "with_goal"]

VARIANTS_MAX: Final = 16  # of a split by best performer
EXPLORE: Final = 20.0  # percent
AT_LEAST: Final = 100
SETTLES: Final = 95.0  # percent
WITHIN_MS: Final = 7 * DAY_MS  # how long an event counts where the step does not say


def build_best(site: Site) -> Node:
    """Return the node of a split with ``best_by``; :func:`with_goal` says how long the goal counts."""
    variants = site["split"].values
    for variant in variants.values():
        if "share" in variant:
            message = "with best_by the shares move by themselves"
            site.wrong("share", "best-by", message, "take share: out", variant)
    if len(variants) > VARIANTS_MAX:
        message = f"the split has {len(variants)} variants, {VARIANTS_MAX} are the most with best_by"
        site.wrong("split", "best-by", message, "take some out: each needs results of its own")
    given = site["best_by"]
    form = given if isinstance(given, Form) else Form(site.form.at("best_by"))
    events = tuple(dict.fromkeys(form.get("on", ())))
    if "if" in form and not events:
        message = "if: is a condition on an event, and none is named"
        site.wrong("if", "best-by", message, "write on: and the event type beside it", form)
    known = tuple(name for name in events if name in site.compiler.known.events)
    within_ms = form.get("within", WITHIN_MS if events else 0)
    every_ms = form.get("every", max(DAY_MS, within_ms // COHORTS_MAX + 1))
    made = Best(
        step=site.id,
        variants=tuple(variants),
        events=events,
        when=site.heard("if", known, form) if known else None,
        within_ms=within_ms,
        explore=float(form.get("explore", EXPLORE)),
        at_least=form.get("at_least", AT_LEAST),
        every_ms=every_ms,
        settles=form.get("settles_at", SETTLES) / 100,
    )
    _check_periods(made, form, site.compiler.problems)
    branches = tuple((name, 0.0, site.branch(variant.get("steps"))) for name, variant in variants.items())
    return Split(id=site.id, next=site.next, branches=branches, best=made)


def _check_periods(made: Best, form: Form, problems: Problems) -> None:
    if made.within_ms // made.every_ms >= COHORTS_MAX:
        message = (
            f"{format_duration(made.within_ms)} counted every {format_duration(made.every_ms)} are more than "
            f"{COHORTS_MAX} periods at a time"
        )
        hours = -(-made.within_ms // (COHORTS_MAX - 1) // 3_600_000)
        problems.error(form.at("every"), "best-by", message, f"write every: {hours}h, or a longer time")


def with_goal(
    nodes: dict[str, Node], forms: dict[str, Form], goal: Goal | None, problems: Problems
) -> tuple[Best, ...]:
    """Tell splits that count the program's goal how long it counts; ``forms`` are the steps by id.

    Changes ``nodes``. A split that counts a goal which the program does not have is reported. Returns the
    rules of all splits by best performer.
    """
    for name, node in nodes.items():
        if not isinstance(node, Split) or node.best is None or node.best.events:
            continue
        rule = node.best
        given = forms[name].get("best_by")
        form = given if isinstance(given, Form) else Form(forms[name].at("best_by"))
        if goal is None:
            message = f"the split {quoted(name)} counts the program's goal, and there is none"
            fix = "write goal: into the program, or best_by: {on: email_clicked, within: 3d}"
            problems.error(forms[name].at("best_by"), "best-by", message, fix)
            continue
        within_ms = rule.within_ms or goal.within_ms
        every_ms = form.get("every", max(DAY_MS, within_ms // COHORTS_MAX + 1))
        made = dataclasses.replace(rule, within_ms=within_ms, every_ms=every_ms)
        _check_periods(made, form, problems)
        nodes[name] = dataclasses.replace(node, best=made)
    return tuple(node.best for node in nodes.values() if isinstance(node, Split) and node.best is not None)
