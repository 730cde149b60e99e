"""Relations in expressions: ``orders.count(where=item.total > 50)``, ``orders.last("total")``.

``where=`` is a condition on each item, in which ``item.`` are its fields and ``item.at`` when it was written
last. Unlike the ``where=`` of past events it is looked at when somebody asks, so it may read anything that is
in reach around it: ``views.count(where=item.sku == event.sku)``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from processor.core.expressions.codegen import generate
from processor.core.expressions.operators import coerce
from processor.core.expressions.tree import Call, Const, Held, Node
from processor.core.expressions.types import base_type, did_you_mean, phrase
from processor.core.relations import KEPT_MAX
from processor.core.time import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.core.expressions.check import Checker

__all__ = ["METHODS", "Method", "bare_relation", "check_related", "is_related"]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """``field``: it takes the name of one, of a type in ``kinds`` (none: any)."""

    name: str
    helper: str
    result: str  # a type, or "" for the field's
    doc: str
    example: str
    field: bool = True
    kinds: tuple[str, ...] = ()
    at_most: bool = False
    maybe: bool = True
    more: tuple[Any, ...] = ()


_RANKED: Final = ("number", "date", "time")
METHODS: Final = {
    method.name: method
    for method in (
        Method(
            name="count", helper="items_count", result="number", field=False, maybe=False,
            doc="How many items are kept.", example="orders.count(where=item.total >= 50) >= 2",
        ),
        Method(
            name="sum", helper="items_sum", result="number", kinds=("number",), maybe=False,
            doc="The sum of a number field; 0 when there are none.",
            example='orders.sum("total", within="90d") >= 500',
        ),
        Method(
            name="avg", helper="items_average", result="number", kinds=("number",),
            doc="The average of a number field; missing when there are none.",
            example='orders.avg("total") > 20',
        ),
        Method(
            name="max", helper="items_extreme", result="", kinds=_RANKED, more=(1,),
            doc="The greatest value of a field (a number, a date or a time).",
            example='orders.max("total") > 99',
        ),
        Method(
            name="min", helper="items_extreme", result="", kinds=_RANKED, more=(-1,),
            doc="The least value of a field (a number, a date or a time).", example='orders.min("total") < 5',
        ),
        Method(
            name="last", helper="items_value", result="", more=(0,),
            doc="A field of the item that was written last.",
            example='orders.last("at") < now - duration("30d")',
        ),
        Method(
            name="first", helper="items_value", result="", more=(-1,),
            doc="A field of the oldest item that is kept.", example='orders.first("status") == "open"',
        ),
        Method(
            name="most", helper="items_most", result="",
            doc="The value that a field has most often; of several the one that was there last.",
            example='views.most("category", within="30d") == "shoes"',
        ),
        Method(
            name="list", helper="items_list", result="list", at_most=True, maybe=False,
            doc="The values of a field, the latest first, each once.",
            example='contains(orders.list("status"), "open")',
        ),
        Method(
            name="rows", helper="items_rows", result="list", field=False, at_most=True, maybe=False,
            doc="The items themselves, the latest first, as maps with all fields and `at`: for a template.",
            example='length(views.rows(where=item.category == "shoes", at_most=3)) == 3',
        ),
    )
}  # fmt: skip


def is_related(checker: Checker, node: ast.Call) -> bool:
    """Whether the call is one on a relation."""
    func = node.func
    return (
        isinstance(func, ast.Attribute)
        and isinstance(func.value, ast.Name)
        and func.value.id in checker.names.relations
    )


def bare_relation(checker: Checker, node: ast.expr, name: str) -> NoReturn:
    """Refuse a relation that is read as if it were a value."""
    fix = f'ask something of it: {name}.count(), {name}.last("at"); it has {", ".join(METHODS)}'
    checker.fail(node, f"{name} is a relation, not a value", fix)


def check_related(checker: Checker, node: ast.Call) -> Node:
    """The checked tree of a call on a relation.

    Raises:
        ExpressionError: it has no such function, or the arguments do not fit.
    """
    func = node.func
    assert isinstance(func, ast.Attribute)
    assert isinstance(func.value, ast.Name)
    relation = func.value.id
    if checker.alone:
        checker.fail(
            node,
            "a relation cannot be used in this where=, which looks at one event alone when it happens",
            "compare properties of that event",
        )
    method = METHODS.get(func.attr)
    if method is None:
        checker.fail(node, f"{relation} has no {func.attr}()", did_you_mean(func.attr, METHODS))
    checker.reads.add("relations", relation)
    at = checker.source.at(node)
    schema = checker.names.relations[relation]
    given = _keywords(checker, node, method)
    within = _within(checker, given["within"]) if "within" in given else 0
    where: Any = None
    if "where" in given:
        names = msgspec.structs.replace(checker.names, item=schema)
        where = generate(checker.within(names).condition(given["where"]), condition=True)
    args: list[Node] = [
        Const(type="string", offset=at, value=relation),
        Const(type="duration", offset=at, value=within),
        Held(type="any", offset=at, value=where),
    ]
    kind = "any"
    if method.field:
        field, kind = _field(checker, node, method, schema)
        args.append(Const(type="string", offset=at, value=field))
    if method.helper == "items_extreme":
        kind = "number" if kind == "any" else kind
        args.append(Const(type="string", offset=at, value=kind))
    args += [Const(type="number", offset=at, value=value) for value in method.more]
    if method.at_most:
        args.append(Const(type="number", offset=at, value=_at_most(checker, given)))
    ready = method.result or (kind if method.helper == "items_extreme" else "any")
    made = Call(type=ready, offset=at, helper=method.helper, args=tuple(args), turn=True, maybe=method.maybe)
    return made if method.result or ready != "any" or kind == "any" else coerce(made, kind)


def _keywords(checker: Checker, node: ast.Call, method: Method) -> dict[str, ast.expr]:
    allowed = ["where", "within", *(["at_most"] if method.at_most else [])]
    if len(node.args) != int(method.field):
        needs = 'takes the name of a field, as in last("at")' if method.field else "takes no field"
        checker.fail(node, f"{method.name}() {needs}", f"write it as in {method.example}")
    given: dict[str, ast.expr] = {}
    for keyword in node.keywords:
        if keyword.arg not in allowed:
            fix = did_you_mean(keyword.arg or "**", allowed)
            checker.fail(keyword, f"{method.name}() has no argument {keyword.arg or '**'}", fix)
        given[keyword.arg] = keyword.value
    if "within" in given:
        checker.reads.by_time = True
    return given


def _field(checker: Checker, node: ast.Call, method: Method, schema: Mapping[str, str]) -> tuple[str, str]:
    value = node.args[0]
    if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
        checker.fail(value, "a field must be written out, in quotes", 'write it so: "total"')
    name = value.value
    if name not in schema:
        checker.fail(value, f"there is no field {name}", did_you_mean(name, schema))
    kind = base_type(schema[name])
    if method.kinds and kind not in (*method.kinds, "any"):
        wanted = " or ".join(phrase(one) for one in method.kinds)
        checker.fail(value, f"{name} is {phrase(kind)}, not {wanted}", f"name a field that is {wanted}")
    return name, kind


def _within(checker: Checker, value: ast.expr) -> int:
    text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
    try:
        found = parse_duration(text)
    except ValueError:
        found = 0
    if not found:
        checker.fail(value, "within= takes a duration in quotes", 'write it so: within="7d"')
    return found


def _at_most(checker: Checker, given: dict[str, ast.expr]) -> int:
    if "at_most" not in given:
        return KEPT_MAX
    value = given["at_most"]
    found = value.value if isinstance(value, ast.Constant) else None
    if type(found) is not int or not 1 <= found <= KEPT_MAX:
        checker.fail(value, "at_most= takes a number", f"write a whole number from 1 to {KEPT_MAX}")
    return found
