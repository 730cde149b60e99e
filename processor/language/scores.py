"""Score models and segments, from what was read to what the machine runs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from processor.core.decay import Inactivity
from processor.core.expressions import Names
from processor.core.model import Fn, Grade, ScoreModel, ScoreRule, Segment
from processor.core.predicting import Trigger
from processor.language.expressions import Compiler
from processor.language.predictors import Predicted, find_circles, predictor
from processor.language.problems import Problems, quoted
from processor.language.records import Form
from processor.language.source import Scalar, plain

__all__ = ["Scoring", "points", "scores", "segments"]

UNBOUNDED: Final = 1e15  # the maximum of a score without one


class Scoring(msgspec.Struct):
    """The score models, and what of them an event type concerns.

    ``rules`` give points for it, ``wakes`` are the models whose inactivity it ends, ``predicts`` those that
    it evaluates.
    """

    models: dict[str, ScoreModel] = {}
    rules: dict[str, list[ScoreRule]] = {}
    wakes: dict[str, list[str]] = {}
    predicts: dict[str, list[Trigger]] = {}


def scores(form: Form, compiler: Compiler, folder: Path) -> Scoring:
    """Return the score models; their thresholds are added when the programs are known."""
    given = form.get("scores", Form(form.mark)).values
    made = Scoring()
    predicted: dict[str, Predicted] = {}
    for name, one in given.items():
        found = predictor(name, one, compiler, folder)
        if found is not None:
            predicted[name] = found
            for event_type, trigger in found.triggers.items():
                made.predicts.setdefault(event_type, []).append(trigger)
        made.models[name] = _score(name, one, compiler, made, found)
    find_circles(predicted, given, compiler)
    return made


def points(scalar: Scalar, names: Names, compiler: Compiler) -> tuple[float, Fn | None]:
    """Return points as a number and None, or as 0 and an expression."""
    value = plain(scalar)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value), None
    return 0.0, compiler.expression(scalar, names, "number").fn


def segments(form: Form, compiler: Compiler) -> dict[str, Segment]:
    """Return the segments, each after those it reads; a circle of segments is reported."""
    given = form.get("segments", Form(form.mark))
    names = compiler.known.names()
    made: dict[str, Segment] = {}
    for name, condition in given.values.items():
        scalar = condition.get("if") if isinstance(condition, Form) else condition
        if scalar is not None:
            needs = condition.get("needs", "") if isinstance(condition, Form) else ""
            made[name] = Segment(name, compiler.expression(scalar, names, "boolean"), needs)
    ordered: dict[str, Segment] = {}
    waiting = dict(made)
    while waiting:
        free = [n for n, s in waiting.items() if not (s.when.uses.segments & waiting.keys())]
        if not free:
            _report_circle(waiting, given, compiler.problems)
            return made
        for name in free:
            ordered[name] = waiting.pop(name)
    return ordered


def _report_circle(waiting: dict[str, Segment], form: Form, problems: Problems) -> None:
    """Report one circle among segments that all wait for each other."""
    name = next(iter(waiting))
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = min(waiting[name].when.uses.segments & waiting.keys())
    circle = [*path[path.index(name) :], name]
    message = f"segments read each other in a circle: {' -> '.join(circle)}"
    fix = f"take in_segment out of {quoted(circle[-2])}, or write its condition out"
    problems.error(form.at(circle[-2]), "segment-cycle", message, fix)


def _score(
    name: str, form: Form, compiler: Compiler, scoring: Scoring, predicted: Predicted | None
) -> ScoreModel:
    low, high = float(form.get("min", 0)), float(form.get("max", UNBOUNDED))
    if low >= high:
        message = f"the least score, {low:g}, is not below the most, {high:g}"
        compiler.problems.error(form.at("max"), "bad-bounds", message, f"write a max above {low:g}")
    made: dict[str, ScoreRule] = {}
    for number, rule in enumerate(form.get("rules", ()), 1):
        if not rule.broken:
            _rule(name, rule, number, compiler, made, scoring.rules)
    if "inactive" in form and not form["inactive"].broken:
        _wakes(name, form, compiler, scoring.wakes)
    return ScoreModel(
        name=name,
        half_life_ms=form.get("half_life", 0),
        minimum=low,
        maximum=high,
        grades=_grades(form.get("grades", Form(form.mark)), compiler.problems),
        thresholds=(),
        rules=tuple(made.values()),
        needs=form.get("needs", ""),
        inactive=_inactivity(form),
        predictor=None if predicted is None else predicted.predictor,
    )


def _inactivity(form: Form) -> Inactivity | None:
    given = form.get("inactive", Form(form.mark))
    if "inactive" not in form or given.broken:
        return None
    lost, share = given["lose"]
    return Inactivity(given["after"], given.get("every", 0), lost, share)


def _wakes(name: str, form: Form, compiler: Compiler, wakes: dict[str, list[str]]) -> None:
    """Note which event types end the inactivity: those that it names, or that some rule of the score does."""
    problems = compiler.problems
    if "half_life" in form:
        message = f"{quoted(name)} falls both by half-life and by inactivity"
        fix = "take one of them out, or write two scores"
        problems.error(form.at("inactive"), "score-kind", message, fix)
    types = form["inactive"].get("of") or [
        kind for rule in form.get("rules", ()) for kind in rule.get("on", ())
    ]
    if not types:
        message = f"nothing says what {quoted(name)} takes for activity"
        fix = "write of: and event types, or rules"
        problems.error(form.at("inactive"), "no-activity", message, fix)
    for kind in dict.fromkeys(types):
        wakes.setdefault(kind, []).append(name)


def _grades(form: Form, problems: Problems) -> tuple[Grade, ...]:
    made = []
    for name, given in form.values.items():
        at = given if not isinstance(given, Form) else given.get("at", 0)
        until = at if not isinstance(given, Form) else given.get("until", at)
        if until > at:
            message = f"{quoted(name)} would be lost below {until:g}, above {at:g} where it begins"
            problems.error(form.at(name), "grade-order", message, f"write an until of at most {at:g}")
        made.append(Grade(name, float(at), float(until)))
    for lower, upper in pairwise(made):
        if upper.at <= lower.at:
            begins = f"{quoted(upper.name)} begins at {upper.at:g}"
            message = f"{begins}, not above {quoted(lower.name)} at {lower.at:g}"
            problems.error(form.at(upper.name), "grade-order", message, "write grades from the lowest up")
    return tuple(made)


def _rule(
    model: str,
    form: Form,
    number: int,
    compiler: Compiler,
    made: dict[str, ScoreRule],
    rules: dict[str, list[ScoreRule]],
) -> None:
    types = tuple(name for name in form["on"] if name in compiler.known.events)
    if not types:
        return  # unknown types are reported already
    problems = compiler.problems
    names = msgspec.structs.replace(compiler.known.names(), event_types=types)
    add, add_fn = points(form["add"], names, compiler)
    cap = form.get("cap", Form(form.mark))
    if "cap" in form and not cap.broken and ("points" in cap) == ("times" in cap):
        message = "a cap counts either points or times"
        problems.error(
            form.at("cap"), "rule-cap", message, "write {points: 10, per: 1d} or {times: 1, per: 7d}"
        )
    name = form.get("name", f"{form['on'][0]}-{number}")
    if name in made:
        message = f"a rule of {quoted(model)} is called {quoted(name)} already"
        problems.error(form.at("name"), "duplicate-name", message, "write another name")
    rule = ScoreRule(
        name=name,
        model=model,
        when=compiler.expression(form["if"], names, "boolean").fn if "if" in form else None,
        add=add,
        add_fn=add_fn,
        cap_points=float(cap.get("points", 0)),
        cap_times=cap.get("times", 0),
        cap_ms=cap.get("per", 0),
    )
    made[name] = rule
    for event_type in dict.fromkeys(types):
        rules.setdefault(event_type, []).append(rule)
