"""Rules about the steps of a program: what is never reached, never ends, or never stops sending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.model import Node, Program
from processor.core.nodes import (
    Alert,
    Audience,
    Parallel,
    Repeat,
    Route,
    Send,
    Series,
    Split,
    WaitFor,
    Webhook,
)
from processor.language.lint.flow import (
    branch_steps,
    instant_branches,
    instant_edges,
    reached,
    strong_groups,
    targets,
)
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted
from processor.language.step_names import step_name

__all__ = ["RULES"]

# Kinds of steps whose id is kept: contacts stand there, or commands and choices carry it.
_REMEMBERED: Final = (
    "send",
    "series",
    "wait",
    "wait_for",
    "split",
    "repeat",
    "parallel",
    "alert",
    "route",
    "assign",
    "webhook",
    "audience",
)


def _unreachable(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        found = reached(program)
        lost = [node for name, node in program.nodes.items() if name not in found]
        led_to = {to for node in lost for to in targets(program, node) if to != node.id}
        # Of steps that follow each other the first is enough; of steps in a circle too.
        first = [node for node in lost if node.id not in led_to] or lost[:1]
        for node in first:
            message = f"nothing leads to the step {quoted(node.id)}"
            fix = f"take it out, or write goto: {node.id} where it is to be reached"
            yield Finding(lint.step(program, node), message, fix)


def _endless_waits(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        if program.exit_after_ms:
            continue
        ended = _ended_by_others(program)
        for node in program.nodes.values():
            if not _may_not_end(node) or node.id in ended or not isinstance(node, WaitFor):
                continue
            what = " or ".join(node.events) or "its condition"
            message = f"where {what} never comes about, nothing ends this wait"
            fix = "write a timeout, such as timeout: 7d, or give the program the exit {after: 90d}"
            yield Finding(lint.step(program, node), message, fix)


def _may_not_end(node: Node) -> bool:
    return isinstance(node, WaitFor) and not node.timeout_ms and not _comes_by_itself(node)


def _ended_by_others(program: Program) -> set[str]:
    """Return the steps of branches that end with the first, where another branch is sure to end."""
    found: set[str] = set()
    for node in program.nodes.values():
        if not isinstance(node, Parallel) or not node.first_ends:
            continue
        branches = branch_steps(program, node)
        sure = [
            name for name, ids in branches.items() if not any(_may_not_end(program.nodes[i]) for i in ids)
        ]
        for name, ids in branches.items():
            if any(other != name for other in sure):
                found |= ids
    return found


def _over_at_once(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, Parallel) and node.first_ends:
                for name in instant_branches(program, node)[:1]:
                    message = f"the branch {quoted(name)} can be over at once, and ends all others with it"
                    yield Finding(lint.step(program, node), message, "write a wait into it, or until: all")


def _comes_by_itself(node: WaitFor) -> bool:
    """Whether the condition reads the clock and nothing else, so that time will fulfil it."""
    if node.condition is None:
        return False
    uses = node.condition.uses
    reads = (
        uses.event_props, uses.entry_props, uses.answer_props, uses.attributes, uses.scores, uses.segments,
        uses.lists, uses.programs, uses.consents, uses.events,
    )  # fmt: skip
    return uses.by_time and not any(reads)


def _instant_groups(program: Program, *, bounded: bool = True) -> list[list[str]]:
    """Return the groups of steps that can go round at one instant; not ``bounded``: without any repeat."""
    names = [name for name, node in program.nodes.items() if bounded or not isinstance(node, Repeat)]
    return strong_groups(names, lambda name: instant_edges(program, program.nodes[name]))


def _resends(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for group in _instant_groups(program):
            node = _first_command(program, group)
            if node is None:
                continue
            message = f"{quoted(node.id)} can run again and again at one instant: the loop has no wait in it"
            fix = "put a wait for a duration into the loop, such as wait: 1d; a clock time is none"
            yield Finding(lint.step(program, node), message, fix)


def _first_command(program: Program, group: list[str]) -> Node | None:
    nodes = (program.nodes[name] for name in group)
    return next(
        (node for node in nodes if isinstance(node, _COMMANDING) and _tells(node)),
        None,
    )


_COMMANDING: Final = (Send, Alert, Route, Webhook, Audience)


def _tells(node: Node) -> bool:
    return not isinstance(node, Route) or node.tells


def _spins(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for group in _instant_groups(program, bounded=False):
            if _first_command(program, group) is None:
                node = program.nodes[group[0]]
                message = f"from {quoted(node.id)} the steps lead back to it without a wait, without end"
                yield Finding(lint.step(program, node), message, "put a wait into the loop, or use repeat")


def _missing_purpose(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, (Send, Series)) and not node.purpose:
                message = f"{quoted(program.name)} sends, and does not say for what purpose"
                purposes = ", ".join(lint.topology.purposes)
                fix = f"write purpose: and one of {purposes} below the program's name"
                yield Finding(lint.place(program, "program"), message, fix)
                break


def _one_way(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, Split) and len(node.branches) == 1:
                message = f"the split has only the variant {quoted(node.branches[0][0])}: all go that way"
                yield Finding(lint.step(program, node), message, "write a second variant, or just its steps")


def _numbered_ids(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            form = lint.step_form(program, node)
            base = step_name(form)
            if node.kind in _REMEMBERED and "id" not in form and node.id != base:
                message = (
                    f"this step is called {quoted(node.id)} only because an earlier one is {quoted(base)}"
                )
                yield Finding(lint.step(program, node), message, "give it an id: of its own")


RULES: Final = (
    Rule(
        name="unreachable-step",
        severity="warning",
        summary="No way leads to the step.",
        why="Steps after an exit or a goto run only if a goto leads to them. What nothing leads to never "
        "runs, which is seldom meant: often an exit has slipped out of its branch.",
        example="""\
steps:
  - send: email
    template: welcome
  - exit: done
  - send: push
    template: tips
""",
        better="""\
steps:
  - send: email
    template: welcome
  - send: push
    template: tips
  - exit: done
""",
        check=_unreachable,
    ),
    Rule(
        name="wait-without-end",
        severity="error",
        summary="A wait that nothing is sure to end: no timeout, and no exit after a time.",
        why="A contact for whom the event never comes would stand at this step for ever: counted as "
        "active, and kept out by the re-entry rule. A timeout ends the wait, and so does the exit "
        "`{after: …}` of the program. A goal or an exit on an event does not, since it may not happen "
        "either. A condition that reads the clock and nothing else needs no timeout.",
        example="""\
steps:
  - wait_for: email_clicked
  - send: email
    template: tips
""",
        better="""\
steps:
  - wait_for: email_clicked
    timeout: 7d
  - send: email
    template: tips
""",
        check=_endless_waits,
    ),
    Rule(
        name="resend-loop",
        severity="error",
        summary="A loop over a send, alert, route or webhook in which no time needs to pass.",
        why="The loop runs as often as it can within one instant, so the contact gets the same message "
        "many times. A wait for a duration or for an event makes time pass. A wait until a clock time "
        "or a date does not, since it is over at once when it is that time already; neither does a "
        "wait for a condition that holds already.",
        example="""\
steps:
  - repeat:
      times: 3
      steps:
        - send: email
          template: tips
""",
        better="""\
steps:
  - repeat:
      times: 3
      steps:
        - send: email
          template: tips
        - wait: 7d
""",
        check=_resends,
    ),
    Rule(
        name="endless-loop",
        severity="error",
        summary="A goto leads round in a circle in which no time needs to pass.",
        why="Such a circle has no end within its instant. The machine ends the enrollment after a thousand "
        "steps (`runaway`).",
        example="""\
steps:
  - id: look
    score: engagement
    add: 1
  - goto: look
""",
        better="""\
steps:
  - id: look
    score: engagement
    add: 1
  - wait: 1d
  - goto: look
""",
        check=_spins,
    ),
    Rule(
        name="missing-purpose",
        severity="error",
        summary="A program sends without a purpose.",
        why="Consent is given for a purpose. Without one it cannot be checked, so nothing may be sent.",
        example="""\
# programs/hello.yaml
program: hello
entry: {on: page_viewed}
steps:
  - send: email
    template: welcome
""",
        better="""\
# programs/hello.yaml
program: hello
purpose: marketing
entry: {on: page_viewed}
steps:
  - send: email
    template: welcome
""",
        check=_missing_purpose,
    ),
    Rule(
        name="split-one-way",
        severity="warning",
        summary="A split with a single variant.",
        why="Nothing is compared: every contact goes the same way, and the report shows one line.",
        example="""\
steps:
  - split:
      new: {share: 100, steps: [{send: email, template: welcome}]}
""",
        better="""\
steps:
  - split:
      new: {share: 50, steps: [{send: email, template: welcome}]}
      control: {share: 50}
""",
        check=_one_way,
    ),
    Rule(
        name="parallel-over-at-once",
        severity="warning",
        summary="A parallel step that ends with its first branch, and a branch without a wait.",
        why="With `until: first` the branch that ends first ends the others. One that needs no time ends "
        "them at the instant they begin, so that nothing behind their first wait ever runs.",
        example="""\
steps:
  - parallel:
      mail: [{send: email, template: welcome}]
      later: [{wait: 3d}, {send: push, template: tips}]
    until: first
""",
        better="""\
steps:
  - parallel:
      mail: [{send: email, template: welcome}, {wait_for: email_clicked, timeout: 7d}]
      later: [{wait: 3d}, {send: push, template: tips}, {wait: 2d}]
    until: first
""",
        check=_over_at_once,
    ),
    Rule(
        name="ambiguous-step-id",
        severity="info",
        summary="Two steps would have the same id, so one got a number.",
        why="A step's id is what keeps contacts at their place when a program changes, and what reports "
        "show. An id with a number belongs to whichever such step comes second: when the two change "
        "places, so do the contacts waiting there.",
        example="""\
steps:
  - wait: 1d
  - send: email
    template: welcome
  - wait: 1d
  - send: email
    template: tips
""",
        better="""\
steps:
  - wait: 1d
  - send: email
    template: welcome
  - id: before-tips
    wait: 1d
  - send: email
    template: tips
""",
        check=_numbered_ids,
    ),
)
