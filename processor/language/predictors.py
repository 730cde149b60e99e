"""Scores that a model gives, from what was read to what the machine runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from processor.core.model import Expression
from processor.core.predicting import Predictor, Trigger
from processor.language.expressions import Compiler
from processor.language.models import ModelError, load_model, tried
from processor.language.problems import quoted
from processor.language.records import Form

__all__ = ["OF_MODELS", "Predicted", "find_circles", "predictor"]

OF_MODELS: Final = ("features", "evaluate", "decimals", "output", "files")
_OF_RULES: Final = ("rules", "half_life", "inactive")
_DECIMALS: Final = 4


class Predicted(msgspec.Struct):
    """A model and when it is evaluated: by event type. ``reads`` are the scores that its features look at."""

    predictor: Predictor
    triggers: dict[str, Trigger]
    reads: frozenset[str]


def predictor(name: str, form: Form, compiler: Compiler, folder: Path) -> Predicted | None:
    """Return the model of a score, None for one that rules give or that cannot be used; both are reported."""
    problems = compiler.problems
    if "model" not in form.marks:
        for key in OF_MODELS:
            if key in form.marks:
                message = f"{quoted(key)} is of scores that a model gives, and {quoted(name)} has none"
                problems.error(form.at(key), "score-kind", message, "write model: package.module:function")
        return None
    for key in _OF_RULES:
        if key in form.marks:
            message = f"the model gives {quoted(name)}, so it has no {key}"
            fix = "write a score of its own for it, and a feature that reads that"
            problems.error(form.at(key), "score-kind", message, fix)
    before = problems.errors
    features = _features(form, compiler)
    evaluated = form.get("evaluate", Form(form.mark))
    if not ("on" in evaluated.marks or "fresh_for" in evaluated.marks):
        message = f"nothing says when the model of {quoted(name)} is evaluated"
        fix = "write evaluate: {on: order_completed} or evaluate: {fresh_for: 7d}"
        problems.error(form.at("evaluate"), "never-evaluated", message, fix)
    if form.broken or evaluated.broken or problems.errors > before:
        return None
    if not features:
        message = f"the model of {quoted(name)} has no features"
        fix = 'write features: {orders: count("order_completed")}'
        problems.error(form.at("model"), "missing-key", message, fix)
        return None
    names = tuple(features)
    try:
        loaded = load_model(
            folder, form["model"], names, tuple(form.get("files", ())), form.get("output", "")
        )
        raises = tried(loaded.fn, names)
    except ModelError as error:
        message, _, fix = str(error).rpartition(": ")
        problems.error(form.at("model"), "bad-model", f"the model of {quoted(name)}: {message}", fix)
        return None
    if raises:
        message = f"the model of {quoted(name)} raises {raises} for features that are all alike"
        fix = "return a number for every input: what it raises leaves the score as it was"
        problems.warn(form.at("model"), "model-raises", message, fix)
    made = Predictor(
        fn=loaded.fn,
        identity=loaded.identity,
        features=tuple((key, one.fn) for key, one in features.items()),
        fresh_ms=evaluated.get("fresh_for", 0),
        rest_ms=evaluated.get("at_most_every", 0),
        decimals=form.get("decimals", _DECIMALS),
    )
    reads = frozenset[str]().union(*(one.uses.scores for one in features.values()))
    return Predicted(made, _triggers(name, evaluated, compiler), reads)


def find_circles(predicted: Mapping[str, Predicted], forms: Mapping[str, Form], compiler: Compiler) -> None:
    """Report models whose features lead back to their own score."""
    for name, one in predicted.items():
        seen: set[str] = set()
        waiting = set(one.reads)
        while waiting:
            read = waiting.pop()
            if read not in seen:
                seen.add(read)
                waiting |= predicted[read].reads if read in predicted else set()
        if name in seen:
            message = f"the model of {quoted(name)} reads its own score, by its features or those they read"
            fix = f"take score.{name} out of its features"
            compiler.problems.error(forms[name].at("features"), "model-circle", message, fix)


def _features(form: Form, compiler: Compiler) -> dict[str, Expression]:
    made = {}
    names = compiler.known.names()
    for key, scalar in form.get("features", Form(form.mark)).values.items():
        before = compiler.problems.errors
        one = compiler.expression(scalar, names)
        if one.type not in ("number", "boolean") and compiler.problems.errors == before:
            message = f"the feature {quoted(key)} is {one.type}, and models take numbers"
            fix = "write a number or a condition"
            compiler.problems.error(scalar.mark, "bad-feature", message, fix)
        made[key] = one
    return made


def _triggers(name: str, form: Form, compiler: Compiler) -> dict[str, Trigger]:
    types = tuple(kind for kind in form.get("on", ()) if kind in compiler.known.events)
    if not types:
        return {}
    names = msgspec.structs.replace(compiler.known.names(), event_types=types)
    when = compiler.expression(form["if"], names, "boolean").fn if "if" in form else None
    return {kind: Trigger(name, when) for kind in types}
