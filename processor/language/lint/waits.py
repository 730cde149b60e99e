"""Rules about waits that count from something: an earlier step, a contact's hours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.model import Program
from processor.core.nodes import Parallel, WaitBest, WaitTo
from processor.language.lint.flow import branch_steps, targets
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]


def _never_done(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if not isinstance(node, WaitTo) or not node.after_step:
                continue
            if node.id in _reached_from(program, node.after_step) or _side_by_side(
                program, node.id, node.after_step
            ):
                continue
            message = f"{quoted(node.after_step)} never runs before this wait, which so never waits"
            yield Finding(lint.step(program, node), message, "name a step that leads here")


def _reached_from(program: Program, start: str) -> set[str]:
    """Return the ids of the steps that some way from ``start`` leads to."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for to in targets(program, program.nodes[waiting.pop()]):
            if to not in found:
                found.add(to)
                waiting.append(to)
    return found


def _side_by_side(program: Program, one: str, other: str) -> bool:
    """Whether the steps are in branches that run at the same time."""
    for node in program.nodes.values():
        if isinstance(node, Parallel):
            inside = set().union(*branch_steps(program, node).values())
            if one in inside and other in inside:
                return True
    return False


def _no_choice(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, WaitBest) and len(node.hours) == 1:
                hour = f"{node.hours[0]:02}:00"
                message = f"there is one hour to choose from, {hour}, so it is everybody's best"
                yield Finding(
                    lint.step(program, node), message, f'write more hours, or wait: {{at: "{hour}"}}'
                )


RULES: Final = (
    Rule(
        name="after-step-never-done",
        severity="warning",
        summary="A wait that counts from a step which never runs before it.",
        why="Where the earlier step was not done there is nothing to count from, and the track goes on at "
        "once. Here no way leads from that step to the wait, so it never waits.",
        example="""\
steps:
  - wait: {after_step: hello, offset: 3d}
  - id: hello
    send: email
    template: welcome
""",
        better="""\
steps:
  - id: hello
    send: email
    template: welcome
  - wait_for: order_completed
    timeout: 1d
  - wait: {after_step: hello, offset: 3d}
""",
        check=_never_done,
    ),
    Rule(
        name="best-hour-no-choice",
        severity="warning",
        summary="A wait for the best hour with one hour to choose from.",
        why="The best of one is that one, for every contact; the history that is kept for it serves nothing.",
        example="""\
steps:
  - wait: {best_hour: email_clicked, between: ["09:00", "10:00"], default: "09:00"}
  - send: email
    template: tips
""",
        better="""\
steps:
  - wait: {best_hour: email_clicked, between: ["08:00", "20:00"], default: "09:00"}
  - send: email
    template: tips
""",
        check=_no_choice,
    ),
)
