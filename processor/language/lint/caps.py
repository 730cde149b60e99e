"""Rules about caps that a program uses up by itself.

A send is starved where the program's own sends before it use a cap up on every way to it, even where every
wait lasts as long as it can. What is not sure to be sent counts for nothing: one branch of a decision, a
piece that the contact may have had, a send whose fallback is another cap's. The branches of a parallel step
are no alternatives: behind it what each of them is sure to send counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.model import Cap, Program, Topology
from processor.core.nodes import Parallel, Repeat, Send, Series
from processor.core.time import format_duration
from processor.language.lint.flow import Stop, TooManyError, branch_steps, paths, reached, takes_ms, targets
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]

_Sending = Send | Series


def _starved_by_cap(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    for program in lint.programs:
        alive = reached(program)
        for node in program.nodes.values():
            if not isinstance(node, _Sending) or node.id not in alive:
                continue
            for cap in topology.policies.caps:
                if not _counts(topology, cap, node, node.channel):
                    continue
                why = (
                    _series_capped(node, cap)
                    or _always_capped(topology, program, node, cap)
                    or _loop_capped(topology, program, node, cap)
                )
                if why:
                    message = (
                        f"the cap {cap.name} (at most {cap.at_most} in {format_duration(cap.per_ms)}) {why}"
                    )
                    fix = "wait longer before it, or write when_capped: wait with a longer hold_at_most"
                    yield Finding(lint.step(program, node), message, fix)
                    break


def _counts(topology: Topology, cap: Cap, node: _Sending, name: str) -> bool:
    """Whether what the step sends on this channel counts toward the cap, and is bound by it."""
    channel = topology.channels.get(name)
    purpose = topology.purposes.get(node.purpose)
    if channel is None or channel.kind != "message" or purpose is None or purpose.transactional:
        return False
    return (not cap.channels or name in cap.channels) and (not cap.purposes or node.purpose in cap.purposes)


def _sure(topology: Topology, program: Program, cap: Cap, node: _Sending) -> list[float]:
    """When after it is reached (ms, at the earliest) the step is sure to use the cap, if the cap lets it."""
    if isinstance(node, Series):
        if not _counts(topology, cap, node, node.channel) or node.name or program.reenter_ms >= 0:
            return []  # pieces may have been had before
        pieces = [when for _, when in node.pieces if when is None]
        return [float(node.every_ms * index) for index in range(len(pieces))]
    ways = [node.channel, *(way.channel for way in node.fallbacks)]
    return [0.0] if all(_counts(topology, cap, node, way) for way in ways) else []


def _series_capped(node: _Sending, cap: Cap) -> str:
    """Say why pieces of a series are lost: they come faster than the cap lets them; or ""."""
    if not isinstance(node, Series) or len(node.pieces) <= cap.at_most:
        return ""
    wait_ms = node.hold_ms if node.when_capped == "wait" else 0
    if node.every_ms * cap.at_most + wait_ms >= cap.per_ms:
        return ""
    every = format_duration(node.every_ms)
    return f"suppresses rounds of {quoted(node.id)}: pieces come every {every}, and a round is used up"


def _always_capped(topology: Topology, program: Program, send: _Sending, cap: Cap) -> str:
    """Say why the cap holds the send back on every way to it, even where every wait lasts longest; or ""."""
    if send.id == program.first:
        return ""
    try:
        ways = paths(program, program.first, send.id)
        if not all(_capped_on(topology, program, way, cap) for way in ways):
            return ""
    except TooManyError:
        return ""
    return f"never leaves room for {quoted(send.id)}: the program's own sends before it use it up"


def _capped_on(topology: Topology, program: Program, way: list[Stop], cap: Cap) -> bool:
    """Walk a way, counting the sends that the cap lets through; is the last one held back for good?"""
    made: list[float] = []
    held = False
    late_ms = 0.0  # what other branches take longer than the one on the way
    beside: dict[str, tuple[list[float], float]] = {}
    for stop in way:
        node = stop.node
        if node.id in beside:
            sends, over_ms = beside.pop(node.id)
            made += sends
            late_ms = max(late_ms, over_ms - stop.at_ms)
        at_ms = stop.at_ms + late_ms
        if isinstance(node, Parallel) and not node.first_ends and node.next is not None:
            beside[node.next] = _beside(topology, program, node, way, cap, at_ms)
        if not isinstance(node, _Sending) or not _counts(topology, cap, node, node.channel):
            continue
        counted = [at for at in made if at_ms - at < cap.per_ms]
        held = len(counted) >= cap.at_most
        if held and node.when_capped == "wait":
            free_ms = sorted(counted)[len(counted) - cap.at_most] + cap.per_ms
            if free_ms - at_ms < node.hold_ms:
                return False  # it goes out later, which moves all that follows
        if not held:
            room = cap.at_most - len(counted)
            made += [at_ms + after for after in _sure(topology, program, cap, node)[:room]]
    return held


def _beside(
    topology: Topology, program: Program, node: Parallel, way: list[Stop], cap: Cap, at_ms: float
) -> tuple[list[float], float]:
    """What the other branches of a parallel step are sure to send (when at the earliest), and their end."""
    taken = {stop.node.id for stop in way}
    sends: list[float] = []
    over_ms = at_ms
    for name, inside in branch_steps(program, node).items():
        first = next(to for branch, to in node.branches if branch == name)
        if first is None or first in taken or node.next is None:
            continue
        longest = max((one[-1].at_ms for one in paths(program, first, node.next)), default=0.0)
        over_ms = max(over_ms, at_ms + longest)
        for step in inside:
            inner = program.nodes[step]
            if isinstance(inner, _Sending) and _is_passed(program, first, node.next, step):
                sends += [at_ms + after for after in _sure(topology, program, cap, inner)]
    return sorted(sends)[: cap.at_most], over_ms


def _is_passed(program: Program, first: str, end: str, step: str) -> bool:
    """Whether every way from the first step to the end passes the step."""
    if first == step:
        return True
    seen = {step}
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name == end:
            return False
        if name not in seen:
            seen.add(name)
            waiting += targets(program, program.nodes[name])
    return True


def _loop_capped(topology: Topology, program: Program, send: _Sending, cap: Cap) -> str:
    """Say why later rounds of a repeat are capped: its longest round is too short for the cap; or ""."""
    for node in program.nodes.values():
        if not isinstance(node, Repeat) or node.times <= cap.at_most:
            continue
        try:
            ways = list(paths(program, node.id, node.id))
        except TooManyError:
            continue
        rounds = [way for way in ways if any(stop.node is send for stop in way)]
        if not rounds or not _sure(topology, program, cap, send):
            continue
        longest = max(way[-2].at_ms + takes_ms(way[-2].node) for way in rounds)
        wait_ms = send.hold_ms if send.when_capped == "wait" else 0
        if longest * cap.at_most + wait_ms < cap.per_ms:
            rounds_made = f"round {cap.at_most} of {node.times}"
            return f"stops {quoted(send.id)} after {rounds_made}: a round is too short for it"
    return ""


RULES: Final = (
    Rule(
        name="starved-by-cap",
        severity="warning",
        summary="A cap never lets a step send, or stops a repeat after its first rounds.",
        why="The program's own sends use the cap up, on every way to the step and even where each wait "
        "lasts as long as it can. With `when_capped: skip` the step is skipped every time; with "
        "`wait` it is held, and skipped when `hold_at_most` ends before the cap frees.",
        example="""\
# topology.yaml
policies:
  caps: [{at_most: 1, per: 7d, channels: [email]}]
# programs/tips.yaml
steps:
  - send: email
    template: welcome
  - wait: 1d
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
policies:
  caps: [{at_most: 1, per: 7d, channels: [email]}]
# programs/tips.yaml
steps:
  - send: email
    template: welcome
  - wait: 1d
  - send: email
    template: tips
    when_capped: wait
    hold_at_most: 7d
""",
        check=_starved_by_cap,
    ),
)
