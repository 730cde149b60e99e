"""Calls: arguments bound to parameters, names checked, and what each function becomes in the tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from processor.core.expressions.codegen import generate
from processor.core.expressions.functions import FUNCTIONS, Function, Parameter, signature
from processor.core.expressions.operators import coerce, contains, unify
from processor.core.expressions.related import check_related, is_related
from processor.core.expressions.tree import Call, Const, Node, maybe_missing
from processor.core.expressions.types import ExpressionError, base_type, did_you_mean, phrase
from processor.core.history import series_spec
from processor.core.model import Fn
from processor.core.time import parse_duration, parse_time, zone

if TYPE_CHECKING:
    from processor.core.expressions.check import Checker

__all__ = ["check_call"]

_DIGITS_MAX: Final = 9
_DATE_CHARS: Final = 10
_SPELLINGS: Final = {"true": "True", "false": "False", "none": "None"}
_RANKED: Final = ("number", "time", "date", "duration")


def check_call(checker: Checker, node: ast.Call) -> Node:
    """The checked tree of a call.

    Raises:
        ExpressionError: no such function, or the arguments do not fit.
    """
    if is_related(checker, node):
        return check_related(checker, node)
    if not isinstance(node.func, ast.Name):
        checker.fail(
            node, "only functions of the language can be called", "write a function's name, as in count(…)"
        )
    function = FUNCTIONS.get(node.func.id)
    if function is None:
        fix = did_you_mean(node.func.id, FUNCTIONS)
        checker.fail(node, f"unknown function {node.func.id}", fix)
    if checker.alone and not function.pure:
        checker.fail(
            node,
            f"{function.name}() cannot be used in where=, which looks at one event alone when it happens",
            'compare properties of that event: where=event.url == "/pricing"',
        )
    if function.by_time:
        checker.reads.by_time = True
    given = _bind(checker, node, function)
    build = _BUILDERS.get(function.name)
    if build is not None:
        return build(checker, node, function, given)
    args = [
        _argument(checker, parameter, value, given)
        for parameter in function.parameters
        for value in given.get(parameter.name, ())
    ]
    return _made(checker, node, function, args)


def _made(
    checker: Checker, node: ast.Call, function: Function, args: Iterable[Node], helper: str = ""
) -> Call:
    return Call(
        type=function.result,
        offset=checker.source.at(node),
        helper=helper or function.helper,
        args=tuple(args),
        turn=function.turn,
        maybe=function.maybe,
        choices=function.choices,
    )


_Given = dict[str, list[ast.expr]]


def _bind(checker: Checker, node: ast.Call, function: Function) -> _Given:
    """Arguments by parameter name."""
    parameters = function.parameters
    by_name = {parameter.name: parameter for parameter in parameters}
    in_order = [p for p in parameters if p.required or not p.kind.startswith("@w")]
    given: _Given = {}
    for index, value in enumerate(node.args):
        if isinstance(value, ast.Starred):
            checker.fail(value, "* before a value is not part of the language", "write the values one by one")
        if index >= len(in_order):
            if function.rest:
                given[in_order[-1].name].append(value)
                continue
            checker.fail(value, f"{function.name} takes no such argument", f"write {signature(function)}")
        given[in_order[index].name] = [value]
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in by_name:
            fix = did_you_mean(keyword.arg or "**", by_name, "it takes none")
            checker.fail(keyword, f"{function.name} has no argument {keyword.arg or '**'}", fix)
        if keyword.arg in given:
            checker.fail(keyword, f"{keyword.arg} is given twice", f"write {signature(function)}")
        given[keyword.arg] = [keyword.value]
    for parameter in parameters:
        if parameter.required and parameter.name not in given:
            checker.fail(
                node,
                f"{function.name} needs its argument {parameter.name}",
                f"write it as in {function.example}",
            )
    return given


def _argument(checker: Checker, parameter: Parameter, value: ast.expr, given: _Given) -> Node:
    if parameter.kind.startswith("@"):
        at = checker.source.at(value)
        literal = _LITERALS[parameter.kind](checker, value, given)
        return Const(type="any", offset=at, value=literal)
    return _fitting(checker.check(value), parameter.kind.split("|"))


def _fitting(node: Node, kinds: list[str]) -> Node:
    if "any" in kinds or node.type in kinds:
        return node
    if node.type == "any" and kinds == ["date", "time"]:
        return Call(type="any", offset=node.offset, helper="as_day", args=(node,))
    if node.type == "any":
        return coerce(node, kinds[0]) if len(kinds) == 1 else node
    if node.type == "none":
        return node
    wanted = " or ".join(phrase(kind) for kind in kinds)
    fix = f"write {wanted} here"
    if isinstance(node, Const) and node.type == "string" and "date" in kinds:
        fix = 'write date("2026-03-01")'
    raise ExpressionError(f"this is {phrase(node.type)}, not {wanted}", fix, node.offset)


# ------------------------------------------------------------------------------------------------- literals


def _string(checker: Checker, value: ast.expr, what: str, example: str) -> str:
    if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
        checker.fail(value, f"{what} must be written out, in quotes", f"write {example}")
    return value.value


def _event(checker: Checker, value: ast.expr, given: _Given) -> str:
    name = _string(checker, value, "an event type", '"order_completed"')
    if name not in checker.names.events:
        checker.fail(value, f"unknown event type {name}", did_you_mean(name, checker.names.events))
    checker.reads.add("events", name)
    return name


def _property(checker: Checker, value: ast.expr, given: _Given) -> str:
    name = _string(checker, value, "a property", '"value"')
    event = _event(checker, given["type"][0], given)
    schema = checker.names.events[event]
    if name not in schema:
        checker.fail(
            value, f"the event {event} has no property {name}", did_you_mean(name, schema, "declare it")
        )
    if base_type(schema[name]) not in ("number", "any"):
        numbers = [key for key, kind in schema.items() if base_type(kind) == "number"]
        fix = did_you_mean(name, numbers, "declare a property of type number")
        checker.fail(value, f"{name} is {phrase(base_type(schema[name]))}, not a number", fix)
    return name


def _known(kind: str, plural: str, uses: str) -> Callable[[Checker, ast.expr, _Given], str]:
    """A check of a literal name against ``Names.<plural>``, collected as ``uses``."""

    def check(checker: Checker, value: ast.expr, given: _Given) -> str:
        known: Iterable[str] = getattr(checker.names, plural)
        name = _string(
            checker, value, f"a {kind}", f'the name of a {kind} in quotes, such as "{_first(known)}"'
        )
        if name not in known:
            checker.fail(value, f"unknown {kind} {name}", did_you_mean(name, known))
        if uses:
            checker.reads.add(uses, name)
        return name

    return check


def _first(known: Iterable[str]) -> str:
    return min(known, default="name")


def _duration(checker: Checker, value: ast.expr, given: _Given) -> int:
    text = _string(checker, value, "a duration", 'a number and its unit in quotes, such as "7d"')
    try:
        return parse_duration(text)
    except ValueError as error:
        checker.fail(value, *_halves(error))


def _within(checker: Checker, value: ast.expr, given: _Given) -> int:
    ms = _duration(checker, value, given)
    if ms == 0:
        checker.fail(value, "a window of no length holds nothing", 'write a longer one, such as "7d"')
    return ms


def _date(checker: Checker, value: ast.expr, given: _Given) -> str:
    text = _string(checker, value, "a date", '"2026-03-01"')
    try:
        parse_time(text)
    except ValueError:
        text = ""
    if len(text) != _DATE_CHARS:
        checker.fail(value, "this is not a date", 'write year, month and day: date("2026-03-01")')
    return text


def _time(checker: Checker, value: ast.expr, given: _Given) -> int:
    text = _string(checker, value, "a time", '"2026-03-01T09:30Z"')
    try:
        return parse_time(text)
    except ValueError as error:
        checker.fail(value, *_halves(error))


def _halves(error: ValueError) -> tuple[str, str]:
    message, _, fix = str(error).partition(": ")
    return message, fix


def _zone(checker: Checker, value: ast.expr, given: _Given) -> str:
    name = _string(checker, value, "a time zone", '"Europe/London"')
    try:
        zone(name)
    except ValueError as error:
        checker.fail(value, *_halves(error))
    return name


def _digits(checker: Checker, value: ast.expr, given: _Given) -> int:
    digits = value.value if isinstance(value, ast.Constant) else None
    if type(digits) is not int or not 0 <= digits <= _DIGITS_MAX:
        checker.fail(
            value,
            "the number of decimals must be written out",
            f"write a whole number from 0 to {_DIGITS_MAX}",
        )
    return digits


_LITERALS: Final[dict[str, Callable[[Checker, ast.expr, _Given], Any]]] = {
    "@event": _event,
    "@property": _property,
    "@within": _within,
    "@segment": _known("segment", "segments", "segments"),
    "@list": _known("list", "lists", "lists"),
    "@program": _known("program", "programs", "programs"),
    "@purpose": _known("purpose", "purposes", "consents"),
    "@channel": _known("channel", "channels", ""),
    "@split": _known("split", "splits", ""),
    "@duration": _duration,
    "@date": _date,
    "@time": _time,
    "@digits": _digits,
    "@zone": _zone,
}


# ----------------------------------------------------------------------------------- functions with a twist


def _history(checker: Checker, node: ast.Call, function: Function, given: _Given) -> Node:
    """Functions over past events: they ask for a series, and read it by its key."""
    event = _event(checker, given["type"][0], given)
    value = _property(checker, given["property"][0], given) if "property" in given else ""
    within = _within(checker, given["within"][0], given) if "within" in given else 0
    where, text = _where(checker, given["where"][0], event) if "where" in given else (None, "")
    spec = series_spec(event, where, text, value, within)
    checker.reads.series.append(spec)
    at = checker.source.at(node)
    args = [Const(type="string", offset=at, value=spec.key)]
    if within:
        checker.reads.by_time = True
        args.append(Const(type="duration", offset=at, value=within))
    helper = function.helper + ("_within" if within else "_ever" if "within" in _names(function) else "")
    return _made(checker, node, function, args, helper)


def _names(function: Function) -> set[str]:
    return {parameter.name for parameter in function.parameters}


def _where(checker: Checker, node: ast.expr, event: str) -> tuple[Fn, str]:
    """The compiled condition on the counted event, and its text in one canonical form."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        checker.fail(node, "where= is a condition, not a text", "write it without the quotes around it")
    names = msgspec.structs.replace(checker.names, event_types=(event,), event_is_entry=False, item=None)
    condition = checker.beside(names).condition(node)
    return generate(condition, condition=True), _canonical(node, names.constants)


class _Written(ast.NodeTransformer):
    """Constants of a program written out: another program's may have the same name."""

    def __init__(self, constants: Mapping[str, Node]) -> None:
        self._constants = constants

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """``let.X``."""
        found = self._constants.get(node.attr)
        if isinstance(node.value, ast.Name) and node.value.id == "let" and found is not None:
            value = found.value if isinstance(found, Const) else getattr(found, "values", None)
            return ast.Constant(value=value)
        self.generic_visit(node)
        return node


def _canonical(node: ast.expr, constants: Mapping[str, Node]) -> str:
    """One form whatever the spaces, quotes and spelling of true, as it names stored histories."""
    copy = _Written(constants).visit(ast.parse(ast.unparse(node), mode="eval"))
    for part in ast.walk(copy):
        if isinstance(part, ast.Name) and part.id in _SPELLINGS:
            part.id = _SPELLINGS[part.id]
    return ast.unparse(copy)


def _ranked(checker: Checker, node: ast.Call, function: Function, given: _Given) -> Node:
    """``min`` and ``max``: of one type that has an order."""
    values = [checker.check(value) for value in given["value"]]
    kinds = {value.type for value in values} - {"any", "none"}
    kind = "time" if kinds == {"time", "date"} else next(iter(kinds)) if len(kinds) == 1 else "number"
    for value in values:
        fits = value.type in (kind, "any", "none") or (kind == "time" and value.type == "date")
        if kind not in _RANKED or not fits or (kind == "duration" and value.type == "any"):
            fix = "give numbers, or times, or dates, or durations"
            raise ExpressionError(f"{function.name} cannot rank {phrase(value.type)} here", fix, value.offset)
    args = [value if value.type == "none" else coerce(value, kind) for value in values]
    return msgspec.structs.replace(_made(checker, node, function, args), type=kind)


def _coalesce(checker: Checker, node: ast.Call, function: Function, given: _Given) -> Node:
    kind, values = unify([checker.check(value) for value in given["value"]])
    made = _made(checker, node, function, values)
    return msgspec.structs.replace(made, type=kind, maybe=all(maybe_missing(value) for value in values))


def _contains(checker: Checker, node: ast.Call, function: Function, given: _Given) -> Node:
    container, item = checker.check(given["in"][0]), checker.check(given["value"][0])
    return contains(item, container, checker.source.at(node))


def _constant(checker: Checker, node: ast.Call, function: Function, given: _Given) -> Node:
    value = _LITERALS[function.parameters[0].kind](checker, given["text"][0], given)
    return Const(type=function.result, offset=checker.source.at(node), value=value)


def _variant(checker: Checker, node: ast.Call, function: Function, given: _Given) -> Node:
    split = _argument(checker, function.parameters[0], given["split"][0], given)
    assert isinstance(split, Const)
    made = _made(checker, node, function, [split])
    return msgspec.structs.replace(made, choices=tuple(checker.names.splits[split.value]))


_BUILDERS: Final[dict[str, Callable[[Checker, ast.Call, Function, _Given], Node]]] = {
    **dict.fromkeys(("count", "sum", "avg", "happened", "last", "first", "days_since"), _history),
    "min": _ranked,
    "max": _ranked,
    "coalesce": _coalesce,
    "contains": _contains,
    "duration": _constant,
    "date": _constant,
    "time": _constant,
    "variant": _variant,
}
