"""From a program's list of steps to its graph of nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from processor.core.expressions import Names
from processor.core.model import Channel, Node
from processor.core.nodes import Jump, Leave
from processor.language.expressions import Compiler
from processor.language.problems import instead, quoted
from processor.language.records import Form
from processor.language.site import Site
from processor.language.step_names import step_name
from processor.language.steps import BUILDERS, nested, parts

__all__ = ["Steps", "all_steps", "name_steps", "variants", "walk", "wire"]

# The kinds of steps that are done at once, whatever the policies say.
_AT_ONCE: Final = frozenset(
    (
        *("set", "score", "add_to", "remove_from", "assign", "grant", "withdraw"),
        *("alert", "route", "webhook", "audience", "enroll", "decide", "split", "offer"),
    )
)
STEPS_MAX: Final = 1000  # more steps in a program are refused


class Steps(msgspec.Struct, frozen=True):
    """The steps of a program. ``ids`` maps a form's identity to the step's id, in the order of the file.

    ``outs`` are the steps on its ways out, by reason; ``every`` those of the program and of all ways out.
    """

    forms: list[Form]
    ids: dict[int, str]
    outs: dict[str, list[Form]] = {}

    @property
    def every(self) -> list[Form]:
        """All lists of steps, one after the other."""
        return [*self.forms, *(form for forms in self.outs.values() for form in forms)]


def all_steps(program: Form) -> list[Form]:
    """Return the steps of a program's form, then those of its ways out."""
    outs = program.get("on_exit", Form(program.mark)).values
    return [*program.get("steps", []), *(form for forms in outs.values() for form in forms)]


def walk(forms: Iterable[Form]) -> Iterator[Form]:
    """Yield every step, each before those nested in it."""
    for form in forms:
        yield form
        for inner in nested(form):
            yield from walk(inner)


def name_steps(program: Form, compiler: Compiler) -> Steps:
    """Give every step its id: its own, or one made from its kind, numbered where it is taken."""
    every = list(walk(all_steps(program)))
    if len(every) > STEPS_MAX:
        message = f"the program has {len(every)} steps, {STEPS_MAX} are the most"
        compiler.problems.error(
            every[STEPS_MAX].mark, "too-many-steps", message, "split it into several programs"
        )
    taken: dict[str, Form] = {}
    for form in every:
        own = form.get("id")
        if own is None:
            continue
        first = taken.setdefault(own, form)
        if first is not form:
            message = f"the id {quoted(own)} is given twice, first in line {first.mark.line}"
            compiler.problems.error(form.at("id"), "duplicate-id", message, "write another id")
    ids: dict[int, str] = {}
    counts: dict[str, int] = {}
    for form in every:
        ids[id(form)] = form.get("id") or _free(step_name(form), taken, counts)
        taken.setdefault(ids[id(form)], form)
    outs = program.get("on_exit", Form(program.mark)).values
    return Steps(program.get("steps", []), ids, outs)


def _free(name: str, taken: dict[str, Form], counts: dict[str, int]) -> str:
    number = counts.get(name, 0) + 1
    while True:
        candidate = name if number == 1 else f"{name}-{number}"
        if candidate not in taken:
            counts[name] = number
            return candidate
        number += 1


def variants(steps: Steps) -> dict[str, tuple[str, ...]]:
    """Return the variants of each split, and the offers of each offer step, by its id."""
    return {
        steps.ids[id(form)]: tuple(form.get(form.kind, ()))
        for form in walk(steps.every)
        if form.kind in {"split", "offer"}
    }


class _Graph(msgspec.Struct):
    """Places steps, innermost last list first: every step knows what follows it before it is built."""

    steps: Steps
    names: Names
    compiler: Compiler
    channels: dict[str, Channel]
    purpose: str
    entry_types: tuple[str, ...]
    nodes: dict[str, Node] = {}

    def place(self, forms: Iterable[Form], join: str | None) -> str | None:
        """Build a list of steps whose last goes on at ``join``; return where it begins."""
        following = join
        for form in reversed(list(forms)):
            following = self._build(form, following)
        return following

    def _build(self, form: Form, following: str | None) -> str:
        name = self.steps.ids[id(form)]
        if any(part.broken for part in parts(form)) or form.kind not in BUILDERS:
            # Reported already. What is nested in it is looked at all the same.
            for inner in nested(form):
                self.place(inner, following)
            self.nodes[name] = Leave(id=name, reason="")
            return name
        site = Site(
            form,
            name,
            following,
            self.names,
            self.compiler,
            self.channels,
            self.purpose,
            self.entry_types,
            self.place,
        )
        node = BUILDERS[form.kind](site)
        self.nodes[name] = dataclasses.replace(
            node,
            line=form.mark.line,
            expressions=tuple(site.expressions),
            personal=frozenset(site.personal),
        )
        return name


def wire(
    steps: Steps,
    names: Names,
    compiler: Compiler,
    channels: dict[str, Channel],
    purpose: str,
    entry_types: tuple[str, ...],
) -> dict[str, Node]:
    """Return the nodes by id, in the order of the file; jumps to nowhere are reported."""
    graph = _Graph(steps, names, compiler, channels, purpose, entry_types)
    graph.place(steps.forms, None)
    for forms in steps.outs.values():
        graph.place(forms, None)
    _check_outs(steps, compiler)
    ids = [steps.ids[id(form)] for form in walk(steps.every)]
    for form in walk(steps.every):
        target = form.get("goto")
        if target is not None and target not in graph.nodes:
            message = f"there is no step {quoted(target)} in this program"
            places = [name for name in ids if not isinstance(graph.nodes[name], Jump | Leave)]
            compiler.problems.error(form.at("goto"), "unknown-step", message, instead(target, places))
    for form in walk(steps.every):
        given = form.get("wait")
        earlier = given.get("after_step") if isinstance(given, Form) else None
        if isinstance(given, Form) and earlier is not None and earlier not in graph.nodes:
            message = f"there is no step {quoted(earlier)} in this program"
            compiler.problems.error(given.at("after_step"), "unknown-step", message, instead(earlier, ids))
    _check_branches(steps, compiler)
    looped = _cyclic(graph.nodes)
    made = {}
    for name in ids:
        node = graph.nodes[name]
        made[name] = dataclasses.replace(node, looped=True) if name in looped else node
    return made


def _check_outs(steps: Steps, compiler: Compiler) -> None:
    """Report every step on a way out that could take time."""
    for form in walk(form for forms in steps.outs.values() for form in forms):
        if form.kind not in _AT_ONCE:
            message = f"a {form.kind} step may take time, and who leaves does not wait"
            fix = f"use one of {', '.join(sorted(_AT_ONCE))}; enroll starts a program that takes its time"
            compiler.problems.error(form.mark, "on-exit-step", message, fix)


def _check_branches(steps: Steps, compiler: Compiler) -> None:
    """Report every goto that leads into a branch of a parallel step, or out of it."""
    branches = dict(_branches(steps.every, ()))
    at = {steps.ids[name]: branch for name, branch in branches.items()}
    for form in walk(steps.every):
        target = form.get("goto")
        here = branches[id(form)]
        if target is None or target not in at or at[target] == here:
            continue
        into = at[target] != here[: len(at[target])]
        where = f"into the branch {quoted(at[target][-1][1])}" if into else f"out of {quoted(here[-1][1])}"
        message = f"this goto leads {where} of a parallel step"
        fix = "go to a step of the same branch; a branch ends by itself after its last step"
        compiler.problems.error(form.at("goto"), "goto-parallel", message, fix)


_Branch = tuple[tuple[int, str], ...]  # the parallel steps around a step, from outside in, with the branch


def _branches(forms: Iterable[Form], here: _Branch) -> Iterator[tuple[int, _Branch]]:
    """Yield every step's form (its identity) with the branches that it is in."""
    for form in forms:
        yield id(form), here
        given = form.get("parallel")
        if isinstance(given, Form):
            for name, inner in given.values.items():
                yield from _branches(inner, (*here, (id(form), name)))
        else:
            for inner in nested(form):
                yield from _branches(inner, here)


def _cyclic(nodes: dict[str, Node]) -> set[str]:
    """Return the ids of nodes from which a way leads back to themselves: Tarjan's algorithm, unrolled."""
    following = {name: [to for _, to in node.edges() if to in nodes] for name, node in nodes.items()}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_: set[str] = set()
    cyclic: set[str] = set()
    for root in nodes:
        if root in order:
            continue
        work: list[tuple[str, Iterator[Any]]] = [(root, iter(following[root]))]
        order[root] = low[root] = len(order)
        stack.append(root)
        open_.add(root)
        while work:
            name, rest = work[-1]
            to = next(rest, None)
            if to is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == order[name]:
                    group = _pop_group(stack, open_, name)
                    if len(group) > 1 or name in following[name]:
                        cyclic.update(group)
            elif to not in order:
                order[to] = low[to] = len(order)
                stack.append(to)
                open_.add(to)
                work.append((to, iter(following[to])))
            elif to in open_:
                low[name] = min(low[name], order[to])
    return cyclic


def _pop_group(stack: list[str], open_: set[str], name: str) -> list[str]:
    group = []
    while True:
        member = stack.pop()
        open_.discard(member)
        group.append(member)
        if member == name:
            return group
