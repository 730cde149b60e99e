"""From Python's syntax tree to the checked tree: names resolved, types known, everything else refused."""

from __future__ import annotations

import ast
from typing import Any, Final, NoReturn

import msgspec

from processor.core.expressions import operators
from processor.core.expressions.bounds import score_bounds
from processor.core.expressions.calls import check_call
from processor.core.expressions.functions import FUNCTIONS
from processor.core.expressions.names import Names
from processor.core.expressions.operators import coerce, unify
from processor.core.expressions.parse import LIST_MAX, NUMBER_MAX, STRING_CHARS_MAX, Source
from processor.core.expressions.related import bare_relation
from processor.core.expressions.tree import (
    Call,
    Choose,
    Coerce,
    Const,
    ListOf,
    Logic,
    Node,
    Not,
    Now,
    Read,
)
from processor.core.expressions.types import ExpressionError, base_type, did_you_mean, join_types, phrase
from processor.core.history import merge_series
from processor.core.model import SeriesSpec, Uses

__all__ = ["Checker", "Reads", "expect"]

_NAMED: Final[dict[str, Any]] = {"true": True, "false": False, "none": None}
_NAMESPACES: Final = ("event", "entry", "answer", "item", "let", "profile", "score", "grade")
_CONST_TYPES: Final = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "none"}


class Reads:
    """What is read, collected while checking."""

    def __init__(self) -> None:
        self.sets: dict[str, set[str]] = {}
        self.series: list[SeriesSpec] = []
        self.by_time = False

    def add(self, kind: str, name: str) -> None:
        """``kind`` is a field of :class:`~processor.core.model.Uses`."""
        self.sets.setdefault(kind, set()).add(name)

    def uses(self, tree: Node) -> Uses:
        """What was collected while ``tree`` was made."""
        sets = {kind: frozenset(names) for kind, names in self.sets.items()}
        bounds, free = score_bounds(tree)
        return Uses(
            **sets,
            series=merge_series(self.series),
            by_time=self.by_time,
            score_bounds=tuple(sorted(bounds)),
            scores_free=frozenset(free),
        )


class Checker:
    """Checks one text. ``alone``: nothing but ``event.`` and functions of values is in reach (``where=``)."""

    def __init__(self, source: Source, names: Names, reads: Reads, *, alone: bool = False) -> None:
        self.source = source
        self.names = names
        self.reads = reads
        self.alone = alone

    def beside(self, names: Names) -> Checker:
        """A checker of a ``where=`` in the same text; what that reads does not concern the text around it."""
        return Checker(self.source, names, Reads(), alone=True)

    def within(self, names: Names) -> Checker:
        """A checker of a ``where=`` on items: what it reads concerns the text around it."""
        return Checker(self.source, names, self.reads)

    def fail(self, node: ast.expr | ast.keyword, message: str, fix: str) -> NoReturn:
        """Refuse, at the place of ``node``."""
        raise ExpressionError(message, fix, self.source.at(node))

    def check(self, node: ast.expr) -> Node:
        """The checked tree of ``node``.

        Raises:
            ExpressionError: it is not part of the language, or does not fit together.
        """
        at = self.source.at(node)
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name():
                return self._name(node)
            case ast.Attribute() | ast.Subscript():
                return self._path(node)
            case ast.Call():
                return check_call(self, node)
            case ast.Compare():
                return operators.compare(self, node)
            case ast.BoolOp():
                parts = tuple(self.condition(part) for part in node.values)
                return Logic(
                    type="boolean", offset=at, op="and" if isinstance(node.op, ast.And) else "or", parts=parts
                )
            case ast.UnaryOp(op=ast.Not()):
                return Not(type="boolean", offset=at, body=self.condition(node.operand))
            case ast.UnaryOp():
                return operators.sign(self, node)
            case ast.BinOp():
                return operators.arithmetic(self, node)
            case ast.IfExp():
                return self._choose(node)
            case ast.List() | ast.Tuple():
                return ListOf(type="list", offset=at, values=self.literals(node))
            case _:
                return self._refuse(node)

    def condition(self, node: ast.expr) -> Node:
        """The checked tree of what must be a condition."""
        return expect(self.check(node), "boolean")

    def _choose(self, node: ast.IfExp) -> Node:
        joined, (then, other) = unify([self.check(node.body), self.check(node.orelse)])
        both = then.choices and other.choices
        choices = tuple(dict.fromkeys((*then.choices, *other.choices))) if both else ()
        test = self.condition(node.test)
        at = self.source.at(node)
        return Choose(type=joined, offset=at, test=test, then=then, other=other, choices=choices)

    def _literal(self, node: ast.Constant) -> Node:
        value: Any = node.value
        kind = _CONST_TYPES.get(type(value))
        if kind is None:
            fix = 'write a number, a "text", true or false'
            self.fail(node, "this kind of literal is not part of the language", fix)
        if kind == "string" and len(value) > STRING_CHARS_MAX:
            self.fail(node, f"a text of {len(value)} characters", f"write at most {STRING_CHARS_MAX}")
        if kind == "string" and any("\ud800" <= char <= "\udfff" for char in value):
            self.fail(node, "a text with a character that is none", "remove the \\u escape")
        if kind == "number" and not abs(value) <= NUMBER_MAX:
            self.fail(node, "a number beyond 1,000,000,000,000,000", "write a smaller one")
        return Const(type=kind, offset=self.source.at(node), value=value)

    def literals(self, node: ast.List | ast.Tuple) -> tuple[Any, ...]:
        """The values of a list of literals."""
        if len(node.elts) > LIST_MAX:
            self.fail(node, f"a list of {len(node.elts)} elements", f"write at most {LIST_MAX}")
        values = []
        for element in node.elts:
            checked = (
                self.check(element) if isinstance(element, ast.Constant | ast.Name | ast.UnaryOp) else None
            )
            if not isinstance(checked, Const) or checked.type in ("time", "date", "duration"):
                self.fail(element, "a list holds literals only", 'write numbers or texts: ["a", "b"]')
            values.append(checked.value)
        return tuple(values)

    def _name(self, node: ast.Name) -> Node:
        at = self.source.at(node)
        if node.id in _NAMED:
            value = _NAMED[node.id]
            return Const(type="boolean" if value is not None else "none", offset=at, value=value)
        if node.id == "now":
            if self.alone:
                self._not_alone(node, "now")
            self.reads.by_time = True
            return Now(type="time", offset=at)
        if node.id in _NAMESPACES:
            self.fail(node, f"{node.id} alone is not a value", f"write {node.id}. and a name behind it")
        if node.id in FUNCTIONS:
            self.fail(node, f"{node.id} is a function", f"call it, as in {FUNCTIONS[node.id].example}")
        return self._unknown(node)

    def _unknown(self, node: ast.Name) -> NoReturn:
        if node.id in self.names.relations:
            bare_relation(self, node, node.id)
        for namespace, known in (("profile", self.names.profile), ("event", self._event_properties())):
            if node.id in known:
                self.fail(node, f"unknown name {node.id}", f"write {namespace}.{node.id}")
        absent = {"item"} if self.names.item is None else set()
        absent |= set() if self.names.constants else {"let"}
        spaces = [name for name in _NAMESPACES if name not in absent]
        fix = did_you_mean(node.id, (*spaces, *self.names.relations, "now", "true", "false", "none"))
        self.fail(node, f"unknown name {node.id}", f'{fix}, or put a text in quotes: "{node.id}"')

    def _event_properties(self) -> set[str]:
        types = self.names.event_types or (self.names.entry_types if self.names.event_is_entry else ())
        return {name for kind in types for name in self.names.events.get(kind, ())}

    def _not_alone(self, node: ast.expr, what: str) -> NoReturn:
        self.fail(
            node,
            f"{what} cannot be used in where=, which looks at one event alone when it happens",
            'compare properties of that event: where=event.url == "/pricing"',
        )

    def _path(self, node: ast.Attribute | ast.Subscript) -> Node:
        """``event.x``, ``profile.owner.name``, ``score["my-model"]``."""
        path: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute | ast.Subscript):
            path.append(self._member(inner))
            inner = inner.value
        path.reverse()
        if not isinstance(inner, ast.Name):
            self.fail(
                node,
                "only event, entry, answer, profile, score and grade have members",
                "remove what follows the dot",
            )
        if inner.id in self.names.relations:
            bare_relation(self, node, inner.id)
        if inner.id not in _NAMESPACES:
            fix = did_you_mean(inner.id, _NAMESPACES)
            self.fail(inner, f"unknown name {inner.id}", fix)
        if inner.id in ("score", "grade"):
            return self._score(node, inner.id, path)
        if inner.id == "profile":
            return self._profile(node, path)
        if inner.id == "let":
            return self._constant(node, path)
        if inner.id == "item":
            return self._item(node, path)
        return self._property(node, inner.id, path)

    def _member(self, node: ast.Attribute | ast.Subscript) -> str:
        if isinstance(node, ast.Attribute):
            return node.attr
        key = node.slice
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            self.fail(node, "only a name in quotes can stand in brackets", 'write it so: score["my-model"]')
        return key.value

    def _score(self, node: ast.expr, kind: str, path: list[str]) -> Node:
        if self.alone:
            self._not_alone(node, kind)
        known = self.names.scores
        if path[0] not in known:
            self.fail(node, f"unknown score model {path[0]}", did_you_mean(path[0], known))
        if len(path) > 1:
            self.fail(node, f"{kind}.{path[0]} has no members", f"remove .{path[1]}")
        self.reads.add("scores", path[0])
        if self.names.decaying is None or path[0] in self.names.decaying:
            self.reads.by_time = True
        at = self.source.at(node)
        model = Const(type="string", offset=at, value=path[0])
        if kind == "score":
            return Call(type="number", offset=at, helper="score", args=(model,), turn=True, maybe=False)
        return Call(
            type="string",
            offset=at,
            helper="grade",
            args=(model,),
            turn=True,
            maybe=False,
            choices=known[path[0]],
        )

    def _profile(self, node: ast.expr, path: list[str]) -> Node:
        if self.alone:
            self._not_alone(node, "profile")
        known = {"tz": "zone", **self.names.profile}
        if path[0] not in known:
            self.fail(node, f"unknown profile attribute {path[0]}", did_you_mean(path[0], known))
        self.reads.add("attributes", path[0])
        return self._read(node, "profile", path, base_type(known[path[0]]))

    def _constant(self, node: ast.expr, path: list[str]) -> Node:
        found = self.names.constants.get(path[0])
        if found is None:
            fix = did_you_mean(path[0], self.names.constants, "write it below let: in the program")
            self.fail(node, f"there is no constant {path[0]}", fix)
        if len(path) > 1:
            self.fail(node, f"let.{path[0]} has no members", f"remove .{path[1]}")
        return msgspec.structs.replace(found, offset=self.source.at(node))

    def _item(self, node: ast.expr, path: list[str]) -> Node:
        known = self.names.item
        if known is None:
            self.fail(node, "there is no item here", _ABSENT["item"])
        if path == ["at"] and "*" not in known:
            return Call(
                type="time", offset=self.source.at(node), helper="item_at", args=(), turn=True, maybe=False
            )
        kind = known.get(path[0], known.get("*", ""))
        if not kind:
            self.fail(node, f"there is no field {path[0]}", did_you_mean(path[0], known))
        return self._read(node, "item", path, base_type(kind))

    def _property(self, node: ast.expr, namespace: str, path: list[str]) -> Node:
        names = self.names
        if self.alone and namespace != "event":
            self._not_alone(node, namespace)
        if namespace == "event" and names.event_is_entry:
            types, source = names.entry_types or names.event_types, "entry"
        else:
            types, source = {
                "event": (names.event_types, "props"),
                "entry": (names.entry_types, "entry"),
                "answer": (names.answer_types, "answer"),
            }[namespace]
        if not types:
            self.fail(node, f"there is no {namespace} here", _ABSENT[namespace])
        schemas = [names.events[kind] for kind in types if kind in names.events]
        if not schemas:  # the event type is unknown, which is reported where it stands
            return self._read(node, source, path, "any")
        found = [base_type(schema[path[0]]) for schema in schemas if path[0] in schema]
        if not found:
            of = f"the event {types[0]}" if len(types) == 1 else f"none of the events {', '.join(types[:5])}"
            verb = "has no property" if len(types) == 1 else "has a property"
            known = {name for schema in schemas for name in schema}
            self.fail(node, f"{of} {verb} {path[0]}", did_you_mean(path[0], known, "declare it under events"))
        self.reads.add({"props": "event_props"}.get(source, f"{source}_props"), path[0])
        return self._read(node, source, path, join_types(found))

    def _read(self, node: ast.expr, source: str, path: list[str], kind: str) -> Node:
        at = self.source.at(node)
        raw = Read(type="any", offset=at, source=source, path=tuple(path))
        if len(path) == 1:
            return raw if kind == "any" else Coerce(type=kind, offset=at, body=raw)
        if kind not in ("map", "any"):
            self.fail(node, f"{path[0]} is {phrase(kind)} and has no members", f"remove .{path[1]}")
        return raw

    def _refuse(self, node: ast.expr) -> NoReturn:
        what = _REFUSED.get(type(node), ("this is not part of the language", _ELSEWHERE))
        self.fail(node, *what)


def expect(node: Node, want: str) -> Node:
    """``node`` as a value of type ``want``.

    Raises:
        ExpressionError: it is of another type.
    """
    if want in ("any", node.type) or (want == "time" and node.type == "date"):
        return node
    if node.type == "any" and want != "duration":
        return coerce(node, want)
    if node.type == "none" and want != "boolean":
        return node
    fix = f"write {phrase(want)} here"
    if want == "boolean":
        fix = _COMPARE.get(node.type, "compare it: … == …").replace("…", _shown(node), 1)
    raise ExpressionError(f"this is {phrase(node.type)}, not {phrase(want)}", fix, node.offset)


def _shown(node: Node) -> str:
    match node:
        case Coerce():
            return _shown(node.body)
        case Read():
            name = {"props": "event"}.get(node.source, node.source)
            return ".".join((name, *node.path))
        case Call(helper="score" | "grade", args=(Const(value=model), *_)):
            return f"{node.helper}.{model}"
        case _:
            return "…"


_COMPARE: Final = {
    "number": "compare it: … > 0",
    "string": 'compare it: … == "text"',
    "list": "compare its length: length(…) > 0",
    "map": "compare it: … != none",
    "time": "compare it: … < now",
    "date": "compare it: … < today()",
    "duration": 'compare it: … > duration("1d")',
    "none": "write true or false",
}
_ABSENT: Final = {
    "event": "use profile., count() or last() instead; event. exists where an event is looked at",
    "entry": "use event. or profile. instead; entry. exists inside a program that an event starts",
    "answer": "use it after a wait_for: answer. is the event that ended it",
    "item": "use it in the where= of a relation: orders.count(where=item.total > 50)",
}
_ELSEWHERE: Final = "write comparisons, and, or, not, + - * / % and the functions of the language"
_REFUSED: Final[dict[type[ast.expr], tuple[str, str]]] = {
    ast.Lambda: ("lambda is not part of the language", _ELSEWHERE),
    ast.ListComp: ("loops are not part of the language", 'count events: count("…", where=…)'),
    ast.SetComp: ("loops are not part of the language", 'count events: count("…", where=…)'),
    ast.DictComp: ("loops are not part of the language", 'count events: count("…", where=…)'),
    ast.GeneratorExp: ("loops are not part of the language", 'count events: count("…", where=…)'),
    ast.JoinedStr: (
        "f-texts are not part of the language",
        'write a text template: "Hi {profile.first_name}"',
    ),
    ast.NamedExpr: ("an expression cannot set a name", "write == to compare"),
    ast.Starred: ("* before a value is not part of the language", "write the values one by one"),
    ast.Await: ("await is not part of the language", _ELSEWHERE),
}
