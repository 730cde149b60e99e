"""The operators: which types go together, and what comes of them."""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from processor.core.expressions.tree import (
    Arith,
    Call,
    Coerce,
    Compare,
    Const,
    Contains,
    ListOf,
    Node,
    Not,
    maybe_missing,
)
from processor.core.expressions.types import ORDERED, ExpressionError, did_you_mean, join_types, phrase
from processor.core.expressions.watch import bounded, find_flips, watched

if TYPE_CHECKING:
    from processor.core.expressions.check import Checker

__all__ = ["arithmetic", "check_choice", "coerce", "compare", "contains", "sign", "unify"]

_COMPARISONS: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_EQUALITY: Final = ("==", "!=")
_SIGNS: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%",
}  # fmt: skip
# (operator, left, right) -> (result, helper). A date beside a duration or a time counts as a time.
_ARITHMETIC: Final = {
    ("+", "number", "number"): ("number", "add"),
    ("-", "number", "number"): ("number", "subtract"),
    ("*", "number", "number"): ("number", "multiply"),
    ("/", "number", "number"): ("number", "divide"),
    ("%", "number", "number"): ("number", "modulo"),
    ("+", "string", "string"): ("string", "join"),
    ("+", "any", "any"): ("any", "plus"),
    ("+", "time", "duration"): ("time", "later"),
    ("+", "duration", "time"): ("time", "later"),
    ("-", "time", "duration"): ("time", "earlier"),
    ("-", "time", "time"): ("duration", "between"),
    ("-", "date", "date"): ("duration", "between_dates"),
    ("+", "duration", "duration"): ("duration", "later"),
    ("-", "duration", "duration"): ("duration", "earlier"),
    ("*", "duration", "number"): ("duration", "times"),
    ("*", "number", "duration"): ("duration", "times"),
    ("/", "duration", "number"): ("duration", "parted"),
    ("/", "duration", "duration"): ("number", "divide"),
}


def coerce(node: Node, want: str) -> Node:
    """``node``, of any type or a date, turned into ``want``; what does not fit is missing."""
    return node if node.type == want else Coerce(type=want, offset=node.offset, body=node)


# ---------------------------------------------------------------------------------------------- comparisons


def compare(checker: Checker, node: ast.Compare) -> Node:
    """``a < b``, ``a < b <= c``, ``a == b``, ``x in y``."""
    sides = [node.left, *node.comparators]
    if any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
        if len(node.ops) > 1:
            checker.fail(node, "in cannot be chained with another comparison", "join two conditions by and")
        inside = _contains(checker, node.left, node.comparators[0])
        if isinstance(node.ops[0], ast.In):
            return inside
        return Not(type="boolean", offset=inside.offset, body=inside)
    ops = []
    for kind in node.ops:
        if type(kind) not in _COMPARISONS:
            checker.fail(node, "is does not compare", "write == or !=")
        ops.append(_COMPARISONS[type(kind)])
    parts = [checker.check(side) for side in sides]
    for op, (left, right) in zip(ops, pairwise(parts), strict=True):
        if op in _EQUALITY:
            check_choice(left, right)
            check_choice(right, left)
        _comparable(op, left, right)
    parts = _unify(parts, ops)
    flips = find_flips(parts)
    if flips is None:
        flips = (0,) * len(ops)
    else:
        parts = [watched(part) for part in parts]
    if len(parts) == 2:  # noqa: PLR2004 - a comparison of two
        parts = bounded(parts, ops[0])
    at = checker.source.at(node)
    return Compare(type="boolean", offset=at, parts=tuple(parts), ops=tuple(ops), flips=flips)


def _comparable(op: str, left: Node, right: Node) -> None:
    kinds = {left.type, right.type}
    if op not in _EQUALITY:
        for side in (left, right):
            if side.type not in ORDERED and side.type != "any":
                fix = "compare it by == or !="
                if side.type in ("list", "map"):
                    fix = "compare its length: length(…)"
                raise ExpressionError(
                    f"{phrase(side.type)} has no order, so {op} means nothing", fix, side.offset
                )
    if len(kinds - {"any"}) <= 1 and kinds != {"any", "duration"}:
        return
    if op in _EQUALITY and "none" in kinds:
        return
    if kinds == {"time", "date"}:
        return
    later = max(left, right, key=lambda side: side.offset)
    raise ExpressionError(
        f"{phrase(left.type)} is compared with {phrase(right.type)}", _conversion(left, right), later.offset
    )


def _conversion(left: Node, right: Node) -> str:
    """How to make two types comparable."""
    for side, other in ((left, right), (right, left)):
        if isinstance(side, Const) and side.type == "string":
            if other.type in ("time", "date"):
                return (
                    f'write {other.type}("{"2026-03-01T09:30Z" if other.type == "time" else "2026-03-01"}")'
                )
            if other.type == "duration":
                return 'write duration("2d")'
            if other.type == "number":
                return "write the number without quotes"
            if other.type == "boolean":
                return "write true or false, without quotes"
        if side.type == "list" and other.type in ("string", "number"):
            return "write: value in list"
        if side.type == "duration" and other.type == "number":
            return 'write duration("2d") for a length of time'
    return "compare values of one type"


def _unify(parts: list[Node], ops: list[str]) -> list[Node]:
    """Make what stands beside each other of one type."""
    kinds = {part.type for part in parts} - {"any", "none"}
    if kinds == {"time", "date"}:
        return [part if part.type == "none" else coerce(part, "time") for part in parts]
    if len(kinds) != 1 or "any" not in {part.type for part in parts}:
        return parts
    kind = kinds.pop()
    plain = all(op in _EQUALITY for op in ops) and kind not in ("time", "date")
    if plain and not any(isinstance(part, Const) and part.type == kind for part in parts):
        return parts  # compared as they are: a text is not equal to a missing number
    return [coerce(part, kind) if part.type == "any" else part for part in parts]


def unify(nodes: list[Node]) -> tuple[str, list[Node]]:
    """One type for values of which one is chosen, and the values turned into it.

    Texts and numbers may be mixed, which makes the choice a value of any type; times, dates and durations,
    which are other values here than in an event, may not.

    Raises:
        ExpressionError: types that cannot be mixed.
    """
    kinds = {node.type for node in nodes} - {"none"}
    kind = join_types(kinds)
    special = kinds & {"time", "date", "duration"}
    if kind != "any" or not special:
        return kind, nodes
    if kinds <= {"time", "date", "any"}:
        kind = "time" if "time" in kinds else "date"
        return kind, [node if node.type == "none" else coerce(node, kind) for node in nodes]
    odd = nodes[-1]
    other = next(node for node in nodes if node.type not in ("none", odd.type))
    message = f"this can be {phrase(other.type)} or {phrase(odd.type)}"
    raise ExpressionError(message, "choose between values of one type", odd.offset)


def check_choice(node: Node, other: Node) -> None:
    """Refuse a literal text that ``node`` can never be.

    Raises:
        ExpressionError: with the nearest value that it can be.
    """
    if not node.choices:
        return
    values: tuple[object, ...] = ()
    if isinstance(other, Const):
        values = (other.value,)
    elif isinstance(other, ListOf):
        values = other.values
    for value in values:
        if isinstance(value, str) and value not in node.choices:
            raise ExpressionError(f'it is never "{value}"', did_you_mean(value, node.choices), other.offset)


def _contains(checker: Checker, left: ast.expr, right: ast.expr) -> Node:
    item, container = checker.check(left), checker.check(right)
    return contains(item, container, checker.source.at(left))


def contains(item: Node, container: Node, at: int) -> Node:
    """``item in container``: a literal list, a list, a text, or a value of any type."""
    if isinstance(container, ListOf):
        check_choice(item, container)
        kinds = {type(value) for value in container.values}
        alike = kinds == {str} or (kinds and kinds <= {int, float})
        kind = "string" if kinds == {str} else "number"
        if alike and item.type not in ("any", kind):
            raise ExpressionError(
                f"{phrase(item.type)} can never be in this list",
                f"list values that are {phrase(item.type)}",
                container.offset,
            )
        if alike:
            return Contains(type="boolean", offset=at, item=coerce(item, kind), values=container.values)
    elif container.type == "string":
        if item.type not in ("string", "any"):
            raise ExpressionError(
                f"{phrase(item.type)} cannot be inside a text", "look for a text", item.offset
            )
        args = (container, coerce(item, "string"))
        return Call(type="boolean", offset=at, helper="has_text", args=args, maybe=False)
    elif container.type not in ("list", "any"):
        raise ExpressionError(
            f"{phrase(container.type)} holds nothing to look for",
            'write a list: ["a", "b"]',
            container.offset,
        )
    if item.type in ("time", "date", "duration"):
        raise ExpressionError(
            f"{phrase(item.type)} cannot be looked for in a list", "compare it by ==", item.offset
        )
    return Call(type="boolean", offset=at, helper="contains", args=(container, item), maybe=False)


# ----------------------------------------------------------------------------------------------- arithmetic


def sign(checker: Checker, node: ast.UnaryOp) -> Node:
    """``-x`` and ``+x``."""
    if not isinstance(node.op, ast.USub | ast.UAdd):
        checker.fail(node, "~ is not part of the language", "write not for the opposite of a condition")
    body = checker.check(node.operand)
    at = checker.source.at(node)
    if body.type not in ("number", "duration", "any"):
        checker.fail(node, f"{phrase(body.type)} has no sign", "write - before numbers and durations only")
    if body.type == "any":
        body = coerce(body, "number")
    if isinstance(node.op, ast.UAdd):
        return body
    if isinstance(body, Const):
        return Const(type=body.type, offset=at, value=-body.value)
    return Call(type=body.type, offset=at, helper="negative", args=(body,), maybe=maybe_missing(body))


def arithmetic(checker: Checker, node: ast.BinOp) -> Node:
    """``a + b`` and the like."""
    op = _SIGNS.get(type(node.op))
    at = checker.source.at(node)
    if op is None:
        text = {ast.Pow: "**", ast.FloorDiv: "//", ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|"}
        fix = {
            ast.Pow: "multiply: x * x", ast.FloorDiv: "write round(a / b)", ast.BitAnd: "write and",
            ast.BitOr: "write or",
        }  # fmt: skip
        kind = type(node.op)
        checker.fail(
            node,
            f"{text.get(kind, 'this')} is not an operator of the language",
            fix.get(kind, "use + - * / %"),
        )
    left, right = _operands(op, checker.check(node.left), checker.check(node.right))
    found = _ARITHMETIC.get((op, left.type, right.type))
    if found is None:
        checker.fail(
            node,
            f"{op} cannot be used with {phrase(left.type)} and {phrase(right.type)}",
            _advice(left, right),
        )
    kind_, helper = found
    return Arith(type=kind_, offset=at, helper=helper, left=left, right=right)


def _advice(left: Node, right: Node) -> str:
    kinds = {left.type, right.type}
    if kinds == {"string", "number"}:
        return 'write a text template: "{profile.first_name}: {event.value}"'
    if kinds & {"time", "date"} and "number" in kinds:
        return 'add a duration: now + duration("2d")'
    if kinds & {"time", "date"} and "string" in kinds:
        return 'write duration("2d"), date("2026-03-01") or time("2026-03-01T09:30Z")'
    if "boolean" in kinds:
        return "write: 1 if condition else 0"
    return "calculate with numbers, or with times and durations"


def _operands(op: str, left: Node, right: Node) -> tuple[Node, Node]:
    """Both sides with dates as times beside times and durations, and any as what the other side needs."""
    if left.type == "date" and (right.type in ("time", "duration") or right.type == "any"):
        left = coerce(left, "time")
    if right.type == "date" and left.type in ("time", "duration", "any"):
        right = coerce(right, "time")
    if left.type == "any" and right.type == "any":
        if op == "+":
            return left, right
        return coerce(left, "number"), coerce(right, "number")
    if left.type == "any":
        return coerce(left, _beside(op, right.type)), right
    if right.type == "any":
        return left, coerce(right, _beside(op, left.type))
    if "none" in (left.type, right.type):
        raise ExpressionError(
            "none cannot be calculated with", "leave it out", (left if left.type == "none" else right).offset
        )
    return left, right


def _beside(op: str, other: str) -> str:
    """What a value of any type must be beside one of type ``other``."""
    if other == "string" and op == "+":
        return "string"
    if other == "duration" and op in "+-":
        return "time"
    return "time" if other == "time" and op == "-" else "number"
