"""Rules about conditions: those that decide nothing, and those that ask for more than is remembered."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from processor.core.limits import SERIES_TIMES_MAX
from processor.language.lint.constants import always, calls, conditions, scalars, trees
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]

# What a condition that always holds should become, by the key it stands under.
_ALWAYS: Final = {
    "if": "take the condition out, or write else for the last branch of a decide",
    "only": "take it out: everybody passes it",
    "never": "take it out, or mend it: nobody passes it",
    "until": "mend it: the repeat runs no round",
    "wait_until": "take the step out: it never waits",
    "when": "mend it: it ends every enrollment at once",
}
_NEVER: Final = {
    "if": "mend it, or take out what depends on it",
    "only": "mend it: nobody passes it",
    "never": "take it out: it keeps nobody away",
    "until": "take it out: the repeat runs all its rounds",
    "wait_until": "mend it: only the timeout ends this wait",
    "when": "mend it, or take it out",
}


def _constant(lint: Lint, *, holds: bool) -> Iterator[Finding]:
    fixes = _ALWAYS if holds else _NEVER
    word = "always holds" if holds else "never holds"
    for form in lint.forms:
        for found in conditions(form):
            if always(found.scalar.text, lint.topology.scores) is holds:
                message = f"the condition {quoted(found.scalar.text)} {word}"
                yield Finding(found.scalar.mark, message, fixes[found.key])
    given = lint.section("segments")
    for condition in given.values.values() if given is not None else ():
        if not hasattr(condition, "values") and always(condition.text, lint.topology.scores) is holds:
            message = f"the condition {quoted(condition.text)} {word}"
            yield Finding(condition.mark, message, "mend it: the segment has everybody or nobody")


def _always_true(lint: Lint) -> Iterator[Finding]:
    return _constant(lint, holds=True)


def _always_false(lint: Lint) -> Iterator[Finding]:
    return _constant(lint, holds=False)


def _series(lint: Lint) -> Iterator[Finding]:
    for form in lint.forms:
        for scalar in scalars(form):
            for tree in trees(scalar):
                for number in _compared_counts(tree):
                    message = (
                        f"a window remembers the last {SERIES_TIMES_MAX} events, so this count is never "
                        f"{number:g} or more"
                    )
                    fix = "count a rarer event, or leave within= out to count all there ever were"
                    yield Finding(scalar.mark, message, fix)


def _compared_counts(tree: ast.expr) -> Iterator[float]:
    """Yield each number beyond the limit that a windowed count is compared with."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        if not any(_is_windowed(side) for side in sides):
            continue
        for side in sides:
            if (
                isinstance(side, ast.Constant)
                and isinstance(side.value, (int, float))
                and side.value > SERIES_TIMES_MAX
            ):
                yield side.value


def _is_windowed(tree: ast.expr) -> bool:
    return any(
        name == "count" and any(keyword.arg == "within" for keyword in call.keywords)
        for name, call in calls(tree)
    )


RULES: Final = (
    Rule(
        name="always-true",
        severity="warning",
        summary="A condition that holds whatever happens.",
        why="It decides nothing, so something else was meant, or it can go. Told are constants, scores "
        "against their own bounds, hours, and counts below 0, joined by `and`, `or` and `not`.",
        example="""\
steps:
  - decide:
      - if: score.engagement >= 0
        steps: [{send: email, template: welcome}]
      - else: [{send: email, template: tips}]
""",
        better="""\
steps:
  - decide:
      - if: score.engagement >= 30
        steps: [{send: email, template: welcome}]
      - else: [{send: email, template: tips}]
""",
        check=_always_true,
    ),
    Rule(
        name="always-false",
        severity="warning",
        summary="A condition that can never hold.",
        why="What stands behind it never happens. Told are constants, scores and hours beyond their "
        "bounds, and parts of an `and` that exclude each other.",
        example="""\
steps:
  - decide:
      - if: event.seconds > 60 and event.seconds < 30
        steps: [{send: email, template: welcome}]
""",
        better="""\
steps:
  - decide:
      - if: event.seconds > 30 and event.seconds < 60
        steps: [{send: email, template: welcome}]
""",
        check=_always_false,
    ),
    Rule(
        name="series-limit",
        severity="warning",
        summary="A count in a window is compared with more than a window remembers.",
        why=f"The row of a contact keeps the last {SERIES_TIMES_MAX} times of each counted event, so that it "
        "stays small. A count with `within=` never gets beyond that; a count without it does.",
        example="""\
steps:
  - decide:
      - if: count("page_viewed", within="30d") >= 1000
        steps: [{send: email, template: welcome}]
""",
        better="""\
steps:
  - decide:
      - if: count("page_viewed") >= 1000
        steps: [{send: email, template: welcome}]
""",
        check=_series,
    ),
)
