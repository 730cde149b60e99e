"""Rules about what is declared and serves nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from processor.language.lint.constants import calls, scalars, trees
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted
from processor.language.records import Form

__all__ = ["RULES"]

_SCORE_WORDS: Final = ("score", "grade")
# event.segment == "x" beside segment_entered and its like.
_TEXTS: Final = re.compile(r"""["']([^"']+)["']""")


def _unused_segments(lint: Lint) -> Iterator[Finding]:
    used = {match for program in lint.programs for entry in program.entries for _, match in entry.match}
    derived = False
    for form in lint.forms:
        for scalar in scalars(form):
            for tree in trees(scalar):
                used.update(
                    call.args[0].value
                    for name, call in calls(tree)
                    if name == "in_segment" and call.args and isinstance(call.args[0], ast.Constant)
                )
            if "event.segment" in scalar.text:
                used.update(_TEXTS.findall(scalar.text))
    # Who waits for any change of a segment, without a condition, uses them all.
    for program in lint.programs:
        heard = {*program.listeners, *program.exit_events, *program.goal_events, *program.best_events}
        heard.update(entry.event for entry in program.entries if not entry.match)
        derived = derived or bool(heard & {"segment_entered", "segment_left"})
    for name in lint.topology.segments:
        if name not in used and not derived:
            message = f"nothing asks for the segment {quoted(name)}"
            fix = "take it out, unless reports or other systems read it from the decisions"
            yield Finding(lint.at("segments", name), message, fix)


def _unused_scores(lint: Lint) -> Iterator[Finding]:
    used: set[object] = {
        match for program in lint.programs for entry in program.entries for _, match in entry.match
    }
    for form in lint.forms:
        for scalar in scalars(form):
            for tree in trees(scalar):
                used.update(_scores_read(tree))
            if "event.score" in scalar.text:
                used.update(_TEXTS.findall(scalar.text))
    for program in lint.programs:
        heard = {*program.listeners, *program.exit_events, *program.goal_events, *program.best_events}
        heard.update(entry.event for entry in program.entries if not entry.match)
        if heard & {"score_reached", "grade_changed"}:
            return
    for name in lint.topology.scores:
        if name not in used:
            message = f"nothing asks for the score {quoted(name)}"
            fix = "take it out, unless reports or other systems read it from the decisions"
            yield Finding(lint.at("scores", name), message, fix)


def _unused_relations(lint: Lint) -> Iterator[Finding]:
    declared = lint.section("relations")
    texts = [scalar.text for form in lint.forms for scalar in scalars(form)]
    for name in declared.values if isinstance(declared, Form) else ():
        asked = re.compile(rf"(?<![\w.\"']){re.escape(name)}\.")
        if not any(asked.search(text) for text in texts):
            message = f"nothing asks for the relation {quoted(name)}"
            yield Finding(lint.at("relations", name), message, "take it out")


def _scores_read(tree: ast.expr) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=word), attr=name) if word in _SCORE_WORDS:
                yield name
            case ast.Subscript(value=ast.Name(id=word), slice=ast.Constant(value=str(name))) if (
                word in _SCORE_WORDS
            ):
                yield name


RULES: Final = (
    Rule(
        name="unused-segment",
        severity="info",
        summary="Nothing asks for the segment.",
        why="Every event that could change it makes the machine look, for nothing. Segments that are only "
        "there for reports are a good reason to keep it.",
        example="""\
# topology.yaml
segments:
  young: age(profile.birthday) < 30
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
segments:
  young: age(profile.birthday) < 30
# programs/tips.yaml
audience: {only: in_segment("young")}
steps:
  - send: email
    template: tips
""",
        check=_unused_segments,
    ),
    Rule(
        name="unused-relation",
        severity="info",
        summary="Nothing asks for the relation.",
        why="Its items are kept in the row of every contact, and decide nothing.",
        example="""\
# topology.yaml
relations:
  orders: {on: order_completed, fields: {total: event.value}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
relations:
  orders: {on: order_completed, fields: {total: event.value}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
    values: {last: 'orders.last("total")'}
""",
        check=_unused_relations,
    ),
    Rule(
        name="unused-score",
        severity="info",
        summary="Nothing asks for the score.",
        why="It is kept for every contact, and decides nothing. Reports are a good reason to keep it.",
        example="""\
# topology.yaml
scores:
  fit: {rules: [{on: page_viewed, add: 1}]}
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
scores:
  fit: {rules: [{on: page_viewed, add: 1}]}
# programs/tips.yaml
entry: {score: fit, reaches: 10}
steps:
  - send: email
    template: tips
""",
        check=_unused_scores,
    ),
)
