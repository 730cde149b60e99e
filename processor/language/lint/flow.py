"""A program's graph: what is reached, what can go round, and how much time the ways through it take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Final

import msgspec

from processor.core.model import Node, Program
from processor.core.nodes import Parallel, Send, Series, Wait, WaitBest, WaitClock, WaitFor, WaitTo
from processor.core.time import DAY_MS

__all__ = [
    "Stop", "TooManyError", "branch_steps", "instant_branches", "instant_edges", "longest_ms", "paths",
    "reached", "strong_groups", "takes_ms", "targets",
]  # fmt: skip

PATHS_MAX: Final = 500  # ways through a program that are looked at ...
LOOKS_MAX: Final = 20_000  # ... and steps taken to find them
_WEEK_DAYS: Final = 7


class TooManyError(Exception):
    """There are too many ways to say anything of all of them."""


class Stop(msgspec.Struct, frozen=True):
    """A step on a way, with the most time that can have passed since the way began."""

    node: Node
    at_ms: float


def targets(program: Program, node: Node) -> list[str]:
    """Return the ids of the steps that can follow, each once."""
    return list(dict.fromkeys(to for _, to in node.edges() if to is not None and to in program.nodes))


def reached(program: Program) -> set[str]:
    """Return the ids of the steps that some way from the first leads to, or that are on a way out."""
    found: set[str] = set()
    waiting = [program.first, *program.ways_out.values()]
    while waiting:
        name = waiting.pop()
        if name in program.nodes and name not in found:
            found.add(name)
            waiting += targets(program, program.nodes[name])
    return found


def instant_edges(program: Program, node: Node) -> list[str]:
    """Return the ids of the steps that can follow without time passing.

    A wait until a clock time lasts no time where it is that very time (but in a loop it does from the second
    round on), nor does one until a date that is there, or for a condition that holds; a duration, an event
    that has to come, or a timeout is sure to take time. A parallel step takes as long as its branches.
    """
    return [to for to in _instant_ways(program, node) if to is not None and to in program.nodes]


def _instant_ways(program: Program, node: Node) -> list[str | None]:
    """The same with None for the program's end."""
    if isinstance(node, Wait) or (isinstance(node, (WaitClock, WaitBest)) and node.looped):
        return []
    if isinstance(node, WaitFor):
        if node.condition is None:
            return []
        return [node.then]
    if isinstance(node, Parallel):
        instant = instant_branches(program, node)
        if len(instant) < (1 if node.first_ends else len(node.branches)):
            return []
    return [to for _, to in node.edges()]


def branch_steps(program: Program, node: Parallel) -> dict[str, set[str]]:
    """Return the ids of the steps in each branch; no goto leads into one or out of it."""
    found: dict[str, set[str]] = {}
    for name, first in node.branches:
        inside = found[name] = set()
        waiting = [first]
        while waiting:
            step = waiting.pop()
            if step is not None and step != node.next and step in program.nodes and step not in inside:
                inside.add(step)
                waiting += [to for _, to in program.nodes[step].edges()]
    return found


def instant_branches(program: Program, node: Parallel) -> list[str]:
    """Return the names of the branches that can be over without time passing."""
    found = []
    for name, first in node.branches:
        seen: set[str | None] = set()
        waiting = [first]
        while waiting:
            step = waiting.pop()
            if step in seen:
                continue
            seen.add(step)
            if step is not None and step != node.next and step in program.nodes:
                waiting += _instant_ways(program, program.nodes[step])
        if node.next in seen:
            found.append(name)
    return found


def takes_ms(node: Node) -> float:
    """Return the most time that a step can take; infinite where nothing bounds it."""
    if isinstance(node, Wait):
        return node.duration_ms
    if isinstance(node, WaitFor):
        return node.timeout_ms or inf
    if isinstance(node, Send):
        return node.within_ms * len(node.fallbacks)
    if isinstance(node, Series):
        return (node.every_ms + node.hold_ms) * len(node.pieces)
    if isinstance(node, WaitTo):
        more = 0 if node.weekdays is None else _WEEK_DAYS
        return node.offset_ms + (more + 1) * DAY_MS if node.after_step else inf
    if isinstance(node, WaitBest):
        return DAY_MS
    if isinstance(node, WaitClock):
        if node.weekdays is None:
            return DAY_MS
        days = sorted(node.weekdays)
        # The longest stretch between two of the days, around the week; one day alone comes every seven.
        return (
            max(
                (after - day) % _WEEK_DAYS or _WEEK_DAYS
                for day, after in zip(days, [*days[1:], days[0]], strict=True)
            )
            * DAY_MS
        )
    return 0


def strong_groups(names: Iterable[str], edges: Callable[[str], Iterable[str]]) -> list[list[str]]:
    """Return the groups of names from each of which a way leads to each other and back (Kosaraju)."""
    known = list(names)
    inside = set(known)
    forward = {name: [to for to in edges(name) if to in inside] for name in known}
    backward: dict[str, list[str]] = {name: [] for name in known}
    for name, following in forward.items():
        for to in following:
            backward[to].append(name)
    order: list[str] = []
    seen: set[str] = set()
    for root in known:
        stack: list[tuple[str, Iterator[str]]] = []
        if root not in seen:
            seen.add(root)
            stack.append((root, iter(forward[root])))
        while stack:
            name, rest = stack[-1]
            fresh = next((one for one in rest if one not in seen), None)
            if fresh is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(fresh)
                stack.append((fresh, iter(forward[fresh])))
    groups: list[list[str]] = []
    taken: set[str] = set()
    for root in reversed(order):
        group: set[str] = set()
        waiting = [root]
        while waiting:
            name = waiting.pop()
            if name not in taken:
                taken.add(name)
                group.add(name)
                waiting += backward[name]
        if len(group) > 1 or (group and root in forward[root]):
            groups.append([name for name in known if name in group])
    return groups


def paths(program: Program, start: str, end: str) -> Iterator[list[Stop]]:
    """Yield the ways from one step to another that pass no step twice; the ways around, where both are one.

    Raises:
        TooManyError: after PATHS_MAX ways, or when they are too many to look for.
    """
    found = looked = 0
    work: list[tuple[str, list[Stop], float]] = [(start, [], 0.0)]
    while work:
        looked += 1
        if found >= PATHS_MAX or looked > LOOKS_MAX:
            raise TooManyError
        name, before, at_ms = work.pop()
        node = program.nodes[name]
        way = [*before, Stop(node, at_ms)]
        if name == end and (before or start != end):
            found += 1
            yield way
            continue
        passed = {stop.node.id for stop in way[1:]}
        after_ms = at_ms + takes_ms(node)
        work += [
            (to, way, after_ms)
            for to in reversed(targets(program, node))
            if to not in passed and (to != start or to == end)
        ]


def longest_ms(program: Program) -> float:
    """Return the longest that the steps can take; infinite where nothing bounds it or the program can loop.

    A send may be held back by a policy as long as it allows.
    """
    if strong_groups(program.nodes, lambda name: targets(program, program.nodes[name])):
        return inf
    longest: dict[str, float] = {}
    for name in _children_first(program):
        node = program.nodes[name]
        hold = getattr(node, "hold_ms", 0)
        longest[name] = (
            takes_ms(node) + hold + max((longest[to] for to in targets(program, node)), default=0.0)
        )
    return longest.get(program.first, 0.0)


def _children_first(program: Program) -> list[str]:
    """Return the ids of a program without loops, each after all that can follow it."""
    order: list[str] = []
    state: dict[str, bool] = {}
    work = list(reversed(list(program.nodes)))
    while work:
        name = work[-1]
        if name in state:
            work.pop()
            if not state[name]:
                state[name] = True
                order.append(name)
            continue
        state[name] = False
        work += [to for to in targets(program, program.nodes[name]) if to not in state]
    return order
