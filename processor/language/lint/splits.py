"""Rules about splits by best performer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]

FEW: Final = 30  # results of a variant below which a rate says next to nothing


def _never_learns(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for rule in program.bests:
            needed = rule.at_least * len(rule.variants)
            if 0 < program.entrants_max < needed:
                message = (
                    f"the shares of {quoted(rule.step)} move after {needed} results, and "
                    f"{program.entrants_max} contacts are let in"
                )
                fix = "write a smaller at_least:, fewer variants, or fixed shares"
                yield Finding(lint.step(program, program.nodes[rule.step]), message, fix)


def _few_results(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for rule in program.bests:
            if rule.at_least < FEW:
                message = f"{rule.at_least} results of each variant are mostly chance"
                fix = f"write at_least: {FEW} or more; 100 is usual"
                yield Finding(lint.step(program, program.nodes[rule.step]), message, fix)


RULES: Final = (
    Rule(
        name="split-never-learns",
        severity="warning",
        summary="A split by best performer lets in fewer contacts than it needs to begin.",
        why="Shares move when each variant has `at_least` results. Where the program lets in fewer contacts "
        "than that, all are dealt evenly to the end, and the split is one by fixed shares in disguise.",
        example="""
entry: {on: page_viewed}
entrants: {at_most: 150}
goal: {on: order_completed}
steps:
  - split:
      a: {steps: [{send: email, template: welcome}]}
      b: {steps: [{send: email, template: tips}]}
    best_by: goal
""",
        better="""
entry: {on: page_viewed}
entrants: {at_most: 1500}
goal: {on: order_completed}
steps:
  - split:
      a: {steps: [{send: email, template: welcome}]}
      b: {steps: [{send: email, template: tips}]}
    best_by: goal
""",
        check=_never_learns,
    ),
    Rule(
        name="best-by-few",
        severity="info",
        summary="A split by best performer moves its shares after very few results.",
        why="With few results the first to be lucky looks best. Shares then move to and fro, and who gets "
        "the other variant meanwhile pays for it.",
        example="""
goal: {on: order_completed}
steps:
  - split:
      a: {steps: [{send: email, template: welcome}]}
      b: {steps: [{send: email, template: tips}]}
    best_by: {at_least: 5}
""",
        better="""
goal: {on: order_completed}
steps:
  - split:
      a: {steps: [{send: email, template: welcome}]}
      b: {steps: [{send: email, template: tips}]}
    best_by: {at_least: 200}
""",
        check=_few_results,
    ),
)
