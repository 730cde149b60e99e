"""From the checked tree to a Python function, by building a new syntax tree of it.

Nothing of the text gets here but the constants and property names of the checked tree, as constants. The code
refers to its argument, to its own temporaries and to the helpers it is given, and to no builtins.

Comparisons are written out rather than called: ``event.value >= 20`` becomes
``(v0 := t.props.get("value")).__class__ in NUMBERS and v0 >= 20``, which guards against what is missing and
against what is of another type in one look.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from processor.core.expressions.runtime import HELPERS
from processor.core.expressions.tree import (
    Arith,
    Call,
    Choose,
    Coerce,
    Compare,
    Const,
    Contains,
    Held,
    ListOf,
    Logic,
    Node,
    Not,
    Now,
    Read,
    Text,
    maybe_missing,
)
from processor.core.expressions.watch import MIRRORED
from processor.core.model import Fn

__all__ = ["generate"]

_TURN: Final = "t"
_CLASSES: Final[dict[str, type]] = {"string": str, "boolean": bool, "list": list, "map": dict}
_OPS: Final[dict[str, ast.cmpop]] = {
    "==": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(),
}  # fmt: skip
_ANY_OPS: Final = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_GLOBALS: Final[dict[str, Any]] = {
    "NUMBERS": frozenset({int, float}), "str": str, "bool": bool, "list": list, "dict": dict,
}  # fmt: skip


def generate(tree: Node, *, condition: bool = False) -> Fn:
    """Compile the tree. With ``condition`` the function returns True or False, never None."""
    generator = _Generator()
    value = generator.condition(tree) if condition else generator.value(tree)
    module = ast.parse(f"def expression({_TURN}):\n    return None")
    body = module.body[0]
    assert isinstance(body, ast.FunctionDef)
    body.body = [ast.Return(value=value)]
    ast.fix_missing_locations(module)
    scope: dict[str, Any] = {"__builtins__": {}, **{name: _helper(name) for name in sorted(generator.names)}}
    scope.update(generator.held)
    exec(compile(module, "<expression>", "exec"), scope)  # noqa: S102 - built here, of whitelisted nodes
    made: Fn = scope["expression"]
    return made


def _helper(name: str) -> Any:
    return _GLOBALS[name] if name in _GLOBALS else HELPERS[name]


class _Generator:
    def __init__(self) -> None:
        self.names: set[str] = set()
        self.held: dict[str, Any] = {}
        self._temporaries = 0

    def value(self, node: Node) -> ast.expr:
        """The node's value, None when missing."""
        match node:
            case Const():
                return ast.Constant(value=node.value)
            case Read():
                return self._read(node)
            case Held():
                return self._held(node.value)
            case Coerce():
                return self._coerce(node)
            case Now():
                return _attribute("now_ms") if node.watched else self._call("now", turn=True)
            case Call():
                return self._call(node.helper, *(self.value(arg) for arg in node.args), turn=node.turn)
            case Arith():
                return self._call(node.helper, self.value(node.left), self.value(node.right))
            case Choose():
                return ast.IfExp(
                    test=self.condition(node.test), body=self.value(node.then), orelse=self.value(node.other)
                )
            case ListOf():
                return ast.List(elts=[ast.Constant(value=value) for value in node.values], ctx=ast.Load())
            case Text():
                return self._call("text_of", *(self._shown(part) for part in node.parts))
            case _:
                return self.condition(node)

    def condition(self, node: Node) -> ast.expr:
        """The node as a condition: True or False, and False when missing."""
        match node:
            case Logic():
                op = ast.And() if node.op == "and" else ast.Or()
                return ast.BoolOp(op=op, values=[self.condition(part) for part in node.parts])
            case Not():
                return ast.UnaryOp(op=ast.Not(), operand=self.condition(node.body))
            case Compare():
                return self._compare(node)
            case Contains():
                return self._contains(node)
            case Call(type="boolean", maybe=False):
                return self.value(node)
            case Const():
                return ast.Constant(value=node.value is True)
            case Choose():
                return ast.IfExp(
                    test=self.condition(node.test),
                    body=self.condition(node.then),
                    orelse=self.condition(node.other),
                )
            case Coerce(type="boolean"):
                return _is(self.value(node.body), True)
            case _:
                return _is(self.value(node), True)

    # ------------------------------------------------------------------------------------------------ reads

    def _read(self, node: Read) -> ast.expr:
        if node.source == "profile":
            holder: ast.expr = ast.Attribute(value=_attribute("row"), attr="attributes", ctx=ast.Load())
        else:
            holder = _attribute(node.source)
        getter = ast.Attribute(value=holder, attr="get", ctx=ast.Load())
        found: ast.expr = ast.Call(func=getter, args=[ast.Constant(value=node.path[0])], keywords=[])
        if len(node.path) > 1:
            found = self._call("dig", found, *(ast.Constant(value=name) for name in node.path[1:]))
        return found

    def _coerce(self, node: Coerce) -> ast.expr:
        body = self.value(node.body)
        if node.type == "time":
            return (
                self._call("midnight", body, turn=True)
                if node.body.type == "date"
                else self._call("as_time", body)
            )
        if node.type == "date":
            return self._call("as_date", body)
        name, store = self._keep(body)
        return ast.IfExp(test=self._is_of(store, node.type), body=name, orelse=ast.Constant(value=None))

    def _is_of(self, value: ast.expr, kind: str) -> ast.expr:
        """A test of the value's class."""
        of = ast.Attribute(value=value, attr="__class__", ctx=ast.Load())
        if kind == "number":
            return ast.Compare(left=of, ops=[ast.In()], comparators=[self._global("NUMBERS")])
        return ast.Compare(left=of, ops=[ast.Is()], comparators=[self._global(_CLASSES[kind].__name__)])

    # ------------------------------------------------------------------------------------------ comparisons

    def _compare(self, node: Compare) -> ast.expr:
        parts = node.parts
        if len(parts) == 2:  # noqa: PLR2004 - a comparison of two
            plain = self._plain(node.ops[0], parts[0], parts[1])
            if plain is not None and not node.flips[0]:
                return plain
        terms: list[ast.expr] = []
        names: list[ast.expr] = []
        for index, part in enumerate(parts):
            guards = any(op not in ("==", "!=") for op in node.ops[max(index - 1, 0) : index + 1])
            names.append(self._operand(part, terms, guard=guards))
            if index:
                terms.extend(self._pair(node, index - 1, names))
        return terms[0] if len(terms) == 1 else ast.BoolOp(op=ast.And(), values=terms)

    def _pair(self, node: Compare, index: int, names: list[ast.expr]) -> list[ast.expr]:
        op, left, right = node.ops[index], names[index], names[index + 1]
        terms: list[ast.expr] = []
        if node.flips[index]:
            drift = ast.Constant(value=node.flips[index])
            # Of a rising side, `<` ends as the two meet and `<=` just after; of a falling one, conversely.
            after = -1 if op in ("==", "!=") else int((op in ("<=", ">")) is (node.flips[index] > 0))
            note: ast.expr = self._call("flip", left, right, drift, ast.Constant(value=after), turn=True)
            if op in ("==", "!="):
                missing = [_is(side, None) for side in (left, right)]
                note = ast.BoolOp(op=ast.Or(), values=[*missing, note])
            terms.append(note)
        kinds = {node.parts[index].type, node.parts[index + 1].type}
        if "any" in kinds and op in _ANY_OPS:
            terms.append(self._call(_ANY_OPS[op], left, right))
        elif "any" in kinds and "none" not in kinds:
            equal = self._call("same", left, right)
            terms.append(equal if op == "==" else ast.UnaryOp(op=ast.Not(), operand=equal))
        else:
            terms.append(ast.Compare(left=left, ops=[_OPS[op]], comparators=[right]))
        return terms

    def _operand(self, part: Node, terms: list[ast.expr], *, guard: bool) -> ast.expr:
        """The operand as a name or constant; what must hold before it is used joins ``terms``."""
        if isinstance(part, Const):
            return self.value(part)
        guarded = guard and part.type != "any"
        if guarded and isinstance(part, Coerce) and part.type in ("number", "string"):
            name, store = self._keep(self.value(part.body))
            terms.append(self._is_of(store, part.type))
            return name
        if guarded and maybe_missing(part):
            name, store = self._keep(self.value(part))
            terms.append(ast.Compare(left=store, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]))
            return name
        name, store = self._keep(self.value(part))
        # Stored by a test that always holds, as the value itself may be false.
        terms.append(ast.BoolOp(op=ast.Or(), values=[_is(store, None), ast.Constant(value=True)]))
        return name

    def _plain(self, op: str, left: Node, right: Node) -> ast.expr | None:
        """Two sides compared without temporaries, where that is safe; else None."""
        if isinstance(left, Const) and not isinstance(right, Const):
            left, right, op = right, left, MIRRORED.get(op, op)
        if op in ("==", "!="):
            return self._equal(op, left, right)
        if "any" in (left.type, right.type):
            return self._call(_ANY_OPS[op], self.value(left), self.value(right))
        if not maybe_missing(left) and not maybe_missing(right):
            return ast.Compare(left=self.value(left), ops=[_OPS[op]], comparators=[self.value(right)])
        return None

    def _equal(self, op: str, left: Node, right: Node) -> ast.expr:
        same = op == "=="
        if right.type == "none" or left.type == "none":
            side = left if right.type == "none" else right
            return _is(self.value(side), None, same=same)
        if isinstance(right, Const) and right.type == "boolean":
            body = left.body if isinstance(left, Coerce) else left
            return _is(self.value(body), right.value, same=same)
        if (
            isinstance(right, Const)
            and right.type == "string"
            and isinstance(left, Coerce)
            and left.type == "string"
        ):
            return ast.Compare(left=self.value(left.body), ops=[_OPS[op]], comparators=[self.value(right)])
        if isinstance(right, Const) and right.type == "number" and isinstance(left, Coerce):
            name, store = self._keep(self.value(left.body))
            equal = ast.Compare(left=name, ops=[ast.Eq()], comparators=[self.value(right)])
            both = ast.BoolOp(op=ast.And(), values=[self._is_of(store, "number"), equal])
            return both if same else ast.UnaryOp(op=ast.Not(), operand=both)
        if {"any", "list", "map"} & {left.type, right.type}:
            call = self._call("same", self.value(left), self.value(right))
            return call if same else ast.UnaryOp(op=ast.Not(), operand=call)
        return ast.Compare(left=self.value(left), ops=[_OPS[op]], comparators=[self.value(right)])

    def _contains(self, node: Contains) -> ast.expr:
        values = ast.Set(elts=[ast.Constant(value=value) for value in dict.fromkeys(node.values)])
        item = node.item
        if isinstance(item, Coerce):
            name, store = self._keep(self.value(item.body))
            inside = ast.Compare(left=name, ops=[ast.In()], comparators=[values])
            return ast.BoolOp(op=ast.And(), values=[self._is_of(store, item.type), inside])
        return ast.Compare(left=self.value(item), ops=[ast.In()], comparators=[values])

    # ----------------------------------------------------------------------------------------------- pieces

    def _shown(self, part: Node) -> ast.expr:
        if isinstance(part, Const) and part.type == "string":
            return self.value(part)
        if part.type == "time":
            return self._call("shown_time", self.value(part), turn=True)
        return self._call("shown_duration" if part.type == "duration" else "shown", self.value(part))

    def _call(self, helper: str, *args: ast.expr, turn: bool = False) -> ast.expr:
        given = [ast.Name(id=_TURN, ctx=ast.Load()), *args] if turn else list(args)
        return ast.Call(func=self._global(helper), args=given, keywords=[])

    def _global(self, name: str) -> ast.expr:
        self.names.add(name)
        return ast.Name(id=name, ctx=ast.Load())

    def _held(self, value: Any) -> ast.expr:
        if value is None:
            return ast.Constant(value=None)
        name = f"h{len(self.held)}"
        self.held[name] = value
        return ast.Name(id=name, ctx=ast.Load())

    def _keep(self, value: ast.expr) -> tuple[ast.expr, ast.expr]:
        """A temporary: (its name, the expression that stores ``value`` in it)."""
        name = f"v{self._temporaries}"
        self._temporaries += 1
        store = ast.NamedExpr(target=ast.Name(id=name, ctx=ast.Store()), value=value)
        return ast.Name(id=name, ctx=ast.Load()), store


def _attribute(name: str) -> ast.expr:
    return ast.Attribute(value=ast.Name(id=_TURN, ctx=ast.Load()), attr=name, ctx=ast.Load())


def _is(value: ast.expr, constant: bool | None, *, same: bool = True) -> ast.expr:  # noqa: FBT001 - a value
    """A test of identity, which also keeps 1 apart from true; Python warns of one with a literal."""
    if isinstance(value, ast.Constant):
        return ast.Constant(value=(value.value is constant) is same)
    op: ast.cmpop = ast.Is() if same else ast.IsNot()
    return ast.Compare(left=value, ops=[op], comparators=[ast.Constant(value=constant)])
