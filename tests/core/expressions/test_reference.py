"""Compiled expressions against a slow interpreter of the checked tree that spells the semantics out."""

from __future__ import annotations

import math
import operator
from functools import singledispatch
from typing import Any

from hypothesis import given

from processor.core.expressions.runtime import HELPERS
from processor.core.expressions.tree import (
    Arith,
    Call,
    Choose,
    Coerce,
    Compare,
    Const,
    Contains,
    ListOf,
    Logic,
    Node,
    Not,
    Now,
    Read,
)
from processor.core.turn import Turn
from tests.core.expressions.strategies import conditions, prepare, turns, well_typed
from tests.core.expressions.world import checked, compiled


@singledispatch
def value(node: Node, turn: Turn) -> Any:
    """What the node yields, None for missing."""
    raise AssertionError(node)


def holds(node: Node, turn: Turn) -> bool:
    return value(node, turn) is True


@value.register
def _(node: Const, turn: Turn) -> Any:
    return node.value


@value.register
def _(node: ListOf, turn: Turn) -> Any:
    return list(node.values)


@value.register
def _(node: Now, turn: Turn) -> Any:
    return turn.now_ms


@value.register
def _(node: Read, turn: Turn) -> Any:
    found: Any = turn.row.attributes if node.source == "profile" else getattr(turn, node.source)
    for name in node.path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


@value.register
def _(node: Coerce, turn: Turn) -> Any:
    inner = value(node.body, turn)
    match node.type:
        case "number":
            return inner if isinstance(inner, int | float) and not isinstance(inner, bool) else None
        case "string" | "boolean" | "list" | "map":
            return (
                inner
                if isinstance(inner, {"string": str, "boolean": bool, "list": list, "map": dict}[node.type])
                else None
            )
        case "date":
            return HELPERS["as_date"](inner)
        case "time" if node.body.type == "date":
            return HELPERS["midnight"](turn, inner)
        case _:
            return HELPERS["as_time"](inner)


@value.register
def _(node: Call, turn: Turn) -> Any:
    args = [value(arg, turn) for arg in node.args]
    return HELPERS[node.helper](*([turn] if node.turn else []), *args)


@value.register
def _(node: Arith, turn: Turn) -> Any:
    left, right = value(node.left, turn), value(node.right, turn)
    if node.helper == "plus":
        kinds = {type(left), type(right)}
        if kinds == {str}:
            return (left + right)[:2000]
        return number("add", left, right) if kinds <= {int, float} else None
    if left is None or right is None:
        return None
    match node.helper:
        case "join":
            return (left + right)[:2000]
        case "later":
            return year_1_to_9999(left + right)
        case "earlier":
            return year_1_to_9999(left - right)
        case "between":
            return left - right
        case "between_dates" | "times" | "parted":
            return HELPERS[node.helper](left, right)
        case _:
            return number(node.helper, left, right)


def year_1_to_9999(ms: int) -> int | None:
    return ms if -62_135_596_800_000 <= ms < 253_402_300_800_000 else None


def number(operation: str, left: Any, right: Any) -> Any:
    try:
        match operation:
            case "add":
                result = left + right
            case "subtract":
                result = left - right
            case "multiply":
                result = left * right
            case "divide":
                result = left / right
            case _:
                result = left % right
        if isinstance(result, int) and abs(result) > 10**15:
            result = float(result)
    except (OverflowError, ZeroDivisionError):
        return None
    return result if math.isfinite(result) else None


@value.register
def _(node: Logic, turn: Turn) -> bool:
    results = [holds(part, turn) for part in node.parts]
    return all(results) if node.op == "and" else any(results)


@value.register
def _(node: Not, turn: Turn) -> bool:
    return not holds(node.body, turn)


@value.register
def _(node: Choose, turn: Turn) -> Any:
    return value(node.then, turn) if holds(node.test, turn) else value(node.other, turn)


@value.register
def _(node: Contains, turn: Turn) -> bool:
    item = value(node.item, turn)
    return item is not None and item in node.values


@value.register
def _(node: Compare, turn: Turn) -> bool:
    values = [value(part, turn) for part in node.parts]
    return all(
        pair(op, left, right) for op, left, right in zip(node.ops, values[:-1], values[1:], strict=True)
    )


ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def pair(op: str, left: Any, right: Any) -> bool:
    if op in ("==", "!="):
        alike = isinstance(left, bool) == isinstance(right, bool)
        return (alike and left == right) == (op == "==")
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    texts = isinstance(left, str) and isinstance(right, str)
    return (numbers or texts) and bool(ORDER[op](left, right))


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and repr(one) == repr(other)


@given(well_typed, turns())
def test_values(text, given_turn):
    turn, past = given_turn
    prepare(text, turn, past)
    made = compiled(text)
    expected = value(checked(text), turn)
    if made.type == "time":
        expected = HELPERS["iso"](expected)
    assert equal(made.fn(turn), expected)


@given(conditions, turns())
def test_conditions(text, given_turn):
    turn, past = given_turn
    prepare(text, turn, past)
    assert compiled(text, "boolean").fn(turn) is holds(checked(text), turn)
