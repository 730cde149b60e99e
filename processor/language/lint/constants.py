"""Conditions that are always true or never, told from their text alone.

A condition is read as a tree; what is known of a value is the range it lies in: a number for itself, a
score between its bounds, an hour from 0 to 23. A comparison of ranges that can come out only one way is
decided, and so are the ands and ors above it. Parts of an ``and`` that compare the same thing narrow its
range first, so that ``x > 5 and x < 3`` is found out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Any, Final

import msgspec

from processor.core.expressions import ExpressionError
from processor.core.expressions.parse import parse, split_template
from processor.core.model import ScoreModel
from processor.language.records import Form
from processor.language.source import Scalar

__all__ = ["Found", "always", "calls", "conditions", "scalars", "trees"]

_WORDS: Final[Mapping[str, Any]] = {"true": True, "false": False, "none": None}
_COMPARE: Final[Mapping[type[ast.cmpop], str]] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
# Functions whose values are numbers in a known range and never missing.
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "count": (0, inf),
    "entries": (0, inf),
    "hour": (0, 23),
}
_UNKNOWN: Final = object()


class _Range(msgspec.Struct, frozen=True):
    """What is known of a number: between ``low`` and ``high``; ``sure`` that it is not missing."""

    low: float
    high: float
    sure: bool


def scalars(value: Any) -> Iterator[Scalar]:
    """Yield every text that is an expression or a template, in all that was read of a file."""
    if isinstance(value, Scalar):
        yield value
    elif isinstance(value, Form):
        for inner in value.values.values():
            yield from scalars(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from scalars(inner)


class Found(msgspec.Struct, frozen=True):
    """A condition, the key it stands under, and the form it belongs to."""

    scalar: Scalar
    key: str
    form: Form


_NAMED: Final = ("set", "values", "segments")  # maps whose keys are the writer's own
_CONDITION_KEYS: Final = ("if", "when", "only", "never", "until", "wait_until")


def conditions(value: Any) -> Iterator[Found]:
    """Yield every condition in what was read of a file (the date of a wait is none)."""
    if isinstance(value, Form):
        for key, inner in value.values.items():
            if isinstance(inner, Scalar) and value.kind in _NAMED:
                continue
            if isinstance(inner, Scalar):
                # "until" is a condition in a repeat, and a date in a wait.
                if key in _CONDITION_KEYS and not (key == "until" and value.kind == "until"):
                    yield Found(inner, key, value)
            else:
                yield from conditions(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from conditions(inner)


def trees(scalar: Scalar) -> Iterator[ast.expr]:
    """Yield the syntax trees of an expression, or of each expression in a template."""
    try:
        if "{" in scalar.text:
            for is_expression, part, offset in split_template(scalar.text):
                if is_expression:
                    yield parse(part, offset).body
        else:
            yield parse(scalar.text).body
    except ExpressionError:
        return


def calls(tree: ast.expr) -> Iterator[tuple[str, ast.Call]]:
    """Yield every function call with the function's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node


def always(text: str, scores: Mapping[str, ScoreModel]) -> bool | None:
    """Return True for a condition that always holds, False for one that never does, None for others."""
    try:
        tree = parse(text).body
    except ExpressionError:
        return None
    return _Judge(scores).judge(tree)


class _Judge:
    def __init__(self, scores: Mapping[str, ScoreModel]) -> None:
        self._scores = scores

    def judge(self, tree: ast.expr) -> bool | None:
        """True: always, False: never, None: it depends."""
        match tree:
            case ast.BoolOp(op=ast.And()):
                return self._all([self.judge(part) for part in tree.values], tree)
            case ast.BoolOp(op=ast.Or()):
                outcomes = [self.judge(part) for part in tree.values]
                if True in outcomes:
                    return True
                return False if all(one is False for one in outcomes) else None
            case ast.UnaryOp(op=ast.Not()):
                inner = self.judge(tree.operand)
                return None if inner is None else not inner
            case ast.Compare():
                return self._compare(tree)
        value = _constant(tree)
        if value is _UNKNOWN:
            return None
        return bool(value is True)

    def _all(self, outcomes: list[bool | None], tree: ast.BoolOp) -> bool | None:
        if False in outcomes:
            return False
        if all(outcomes):
            return True
        return False if self._contradicts(tree) else None

    def _contradicts(self, tree: ast.BoolOp) -> bool:
        """Whether the comparisons with numbers or texts, all of which must hold, leave nothing."""
        ranges: dict[str, tuple[float, bool, float, bool]] = {}
        texts: dict[str, set[str]] = {}
        for part in tree.values:
            if not isinstance(part, ast.Compare) or len(part.ops) != 1:
                continue
            left, op, right = part.left, _COMPARE.get(type(part.ops[0])), part.comparators[0]
            value = _constant(right)
            if value is _UNKNOWN:
                left, right, op = right, left, _TURNED.get(op or "")
                value = _constant(right)
            if op is None or value is _UNKNOWN or _constant(left) is not _UNKNOWN:
                continue
            name = ast.unparse(left)
            if isinstance(value, str) and op == "==":
                texts.setdefault(name, set()).add(value)
            elif _is_number(value):
                ranges[name] = _narrow(ranges.get(name, (-inf, True, inf, True)), op, float(value))
        if any(len(values) > 1 for values in texts.values()):
            return True
        return any(
            low > high or (low == high and not (with_low and with_high))
            for low, with_low, high, with_high in ranges.values()
        )

    def _compare(self, tree: ast.Compare) -> bool | None:
        outcomes = []
        left = tree.left
        for op, right in zip(tree.ops, tree.comparators, strict=True):
            outcomes.append(self._pair(left, op, right))
            left = right
        if False in outcomes:
            return False
        return True if all(outcomes) else None

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool | None:
        one, other = _constant(left), _constant(right)
        sign = _COMPARE.get(type(op))
        if sign in ("==", "!=") and one is not _UNKNOWN and other is not _UNKNOWN:
            return bool((one == other) == (sign == "=="))
        a, b = self._range(left), self._range(right)
        if sign is None or a is None or b is None:
            return None
        outcome = _decide(sign, a, b)
        return None if outcome is True and not (a.sure and b.sure) else outcome

    def _range(self, tree: ast.expr) -> _Range | None:
        value = _constant(tree)
        if _is_number(value):
            return _Range(float(value), float(value), sure=True)
        match tree:
            case ast.Call(func=ast.Name(id=name)) if name in _RANGES:
                return _Range(*_RANGES[name], sure=True)
            case ast.Attribute(value=ast.Name(id="score"), attr=name):
                return self._score(name)
            case ast.Subscript(value=ast.Name(id="score"), slice=ast.Constant(value=str(name))):
                return self._score(name)
        return None

    def _score(self, name: str) -> _Range | None:
        model = self._scores.get(name)
        return None if model is None else _Range(model.minimum, model.maximum, sure=True)


def _decide(sign: str, a: _Range, b: _Range) -> bool | None:
    """Compare two ranges: True or False where every pair of values compares so."""
    if sign in (">", ">="):
        sign, a, b = _TURNED[sign], b, a
    if sign == "<":
        return True if a.high < b.low else False if a.low >= b.high else None
    if sign == "<=":
        return True if a.high <= b.low else False if a.low > b.high else None
    apart = a.high < b.low or a.low > b.high
    if not apart:
        return None
    return sign == "!="


def _narrow(known: tuple[float, bool, float, bool], op: str, value: float) -> tuple[float, bool, float, bool]:
    """Narrow (low, low included, high, high included) by a comparison with a number."""
    low, with_low, high, with_high = known
    if op in (">", ">=", "==") and (value > low or (value == low and op == ">")):
        low, with_low = value, op != ">"
    if op in ("<", "<=", "==") and (value < high or (value == high and op == "<")):
        high, with_high = value, op != "<"
    return low, with_low, high, with_high


def _constant(tree: ast.expr) -> Any:
    """Return the value of a literal, or _UNKNOWN."""
    match tree:
        case ast.Constant():
            return tree.value
        case ast.Name(id=name) if name in _WORDS:
            return _WORDS[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    folded = _ARITHMETIC.get(type(tree.op)) if isinstance(tree, ast.BinOp) else None
    if folded is None:
        return _UNKNOWN
    assert isinstance(tree, ast.BinOp)
    left, right = _constant(tree.left), _constant(tree.right)
    return folded(left, right) if _is_number(left) and _is_number(right) else _UNKNOWN


_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
