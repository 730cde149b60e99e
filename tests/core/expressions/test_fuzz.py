"""Hostile and random input: refused with a place, or compiled to what cannot raise, reach Python or grow."""

from __future__ import annotations

import ast
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.expressions import ExpressionError, Names, compile_expression, compile_template
from processor.core.expressions.functions import FUNCTIONS
from processor.core.expressions.runtime import HELPERS
from processor.core.model import Expression
from tests.core.expressions.strategies import anything, prepare, turns, well_typed
from tests.core.expressions.world import NAMES, code_names, compiled, is_expression, turn_over

CLASSES = {"NUMBERS", "str", "bool", "list", "dict"}
ATTRIBUTES = {"props", "entry", "answer", "row", "profile", "attributes", "get", "now_ms", "__class__"}

HOSTILE = [
    "().__class__.__bases__[0].__subclasses__()",
    "event.__class__",
    "event.value.__class__",
    "profile.owner.__class__.__init__",
    "__import__('os').system('id')",
    "eval('1')",
    "exec('1')",
    "open('x')",
    "globals()",
    "getattr(event, 'x')",
    "print(1)",
    "event.get('x')",
    "count.__globals__",
    "t",
    "t.row",
    "v0",
    "self",
    "HELPERS",
    "NUMBERS",
    "str",
    "dict",
    "expression",
    "9**9**9",
    "2**99999",
    "1 << 99999",
    "'a' * 1000000000",
    "[1] * 1000000000",
    "event.tags * 9",
    "'%1000000000d' % 1",
    "'{0.__class__}'.format(1)",
    "f'{event}'",
    "lambda: 1",
    "[x for x in [1]]",
    "{x for x in [1]}",
    "{1: 2}",
    "(x for x in [1])",
    "(x := 1)",
    "*event.tags",
    "[*event.tags]",
    "count(*['a'])",
    "count(**{'type': 'a'})",
    "event.tags[0]",
    "event.tags[0:1]",
    "event['a']['b']",
    "score[event.value]",
    "await event",
    "yield 1",
    "...",
    "b''",
    "1j",
    "not",
    "a b",
    "1 +",
    "import os",
    "event.value; 1",
    "event.value\nimport os",
    "()",
    "{}",
    "`id`",
    "$(id)",
    "\\",
    "'",
    '"""',
    "\x00",
    "\ud800",
    "event.\uff56alue > 1",
    "\uff45vent.value",
    "\u202eevent.value",
    "event\u200b.value",
    "0x" + "f" * 500,
    "1" * 5000,
    "1e" + "9" * 400,
    "-" * 900 + "1",
    "(" * 900,
    "[" * 900 + "]" * 900,
    "not " * 400 + "true",
    "1 if 1 else " * 150 + "1",
    "1" + "+1" * 900,
    "lower(" * 200 + "'a'" + ")" * 200,
    "true and " * 180 + "true",
    "1 < " * 180 + "2",
    "event" + ".a" * 900,
    "min(" + "1," * 900 + "1)",
    "# nothing",
    "true # and more",
    "count('downloaded', within='99999999999999999999d')",
    "round(1, digits=999999999)",
    "duration('9999999999w')",
    "date('')",
]

words = st.one_of(
    st.sampled_from(
        [
            "event",
            "entry",
            "answer",
            "profile",
            "score",
            "grade",
            "now",
            "true",
            "none",
            "and",
            "or",
            "not",
            "in",
            "if",
            "else",
            "is",
            "lambda",
            "for",
            ".",
            ",",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "==",
            "!=",
            "<",
            ">=",
            "+",
            "-",
            "*",
            "**",
            "/",
            "//",
            "%",
            "=",
            ":=",
            ":",
            ";",
            "@",
            "~",
            "^",
            "|",
            "&",
            "<<",
            "value",
            "order_id",
            "tags",
            "blob",
            "ends",
            "engagement",
            "__class__",
            "within",
            "where",
            "1",
            "0.5",
            "1e400",
            "'a'",
            '"7d"',
            '"order_completed"',
            '"value"',
            "'''",
            "\\",
            "\n",
            "\t",
            "#",
            "é",
            "日",
            "\x00",
            "\u2028",
            "…",
            "{event.value}",
            "%s",
        ]
    ),
    st.sampled_from(sorted(FUNCTIONS)),
    st.text(max_size=4),
)
texts = st.lists(words, max_size=25).flatmap(
    lambda found: st.sampled_from(["", " "]).map(lambda gap: gap.join(found))
)

_names = st.sampled_from(
    ["event", "profile", "score", "now", "true", "none", "count", "lower", "__builtins__", "t"]
)
_constants = st.sampled_from([0, 1, -1.5, 10**20, "a", "order_completed", "7d", True, None, b"x", 2j, ...])
_binary = st.sampled_from(
    [ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Pow, ast.LShift, ast.FloorDiv, ast.MatMult]
)
_compare = st.sampled_from([ast.Eq, ast.NotEq, ast.Lt, ast.GtE, ast.In, ast.NotIn, ast.Is])


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.sampled_from(["value", "order_id", "tags", "blob", "engagement", "__class__", "__dict__"])
    return st.one_of(
        st.builds(lambda a, op, b: ast.BinOp(a, op(), b), inner, _binary, inner),
        st.builds(lambda a, op, b: ast.Compare(a, [op()], [b]), inner, _compare, inner),
        st.builds(
            lambda a, op, b: ast.BoolOp(op(), [a, b]), inner, st.sampled_from([ast.And, ast.Or]), inner
        ),
        st.builds(
            lambda op, a: ast.UnaryOp(op(), a), st.sampled_from([ast.Not, ast.USub, ast.Invert]), inner
        ),
        st.builds(ast.IfExp, inner, inner, inner),
        st.builds(lambda a, name: ast.Attribute(a, name, ast.Load()), inner, members),
        st.builds(lambda a, b: ast.Subscript(a, b, ast.Load()), inner, inner),
        st.builds(lambda f, args: ast.Call(f, args, []), inner, st.lists(inner, max_size=3)),
        st.builds(
            lambda name, args, key: ast.Call(
                ast.Name(name, ast.Load()), args, [ast.keyword(key, ast.Constant("7d"))]
            ),
            st.sampled_from(sorted(FUNCTIONS)),
            st.lists(inner, max_size=3),
            st.sampled_from(["within", "where", "digits", None]),
        ),
        st.builds(lambda items: ast.List(items, ast.Load()), st.lists(inner, max_size=3)),
        st.builds(lambda items: ast.Tuple(items, ast.Load()), st.lists(inner, max_size=3)),
        st.builds(lambda a: ast.Starred(a, ast.Load()), inner),
        st.builds(lambda a: ast.NamedExpr(ast.Name("v0", ast.Store()), a), inner),
        st.builds(lambda a: ast.JoinedStr([ast.FormattedValue(a, -1)]), inner),
    )


trees = st.recursive(
    st.one_of(
        _names.map(lambda name: ast.Name(name, ast.Load())),
        _constants.map(ast.Constant),
        st.sampled_from(
            ["event.value", "event.order_id", "event.tags", "event.blob", "event.gift", "profile.owner.x"]
        ).map(lambda text: ast.parse(text, mode="eval").body),
    ),
    _nodes,
    max_leaves=12,
)


def attempt(compile_text: Callable[[str, Names], Expression], text: str) -> Expression | None:
    """The compiled text, or None when it is refused as it should be: with advice, and a place in it."""
    refused: ExpressionError | None = None
    try:
        return compile_text(text, NAMES)
    except ExpressionError as error:
        refused = error
    assert refused.message
    assert refused.fix
    assert 0 <= refused.offset <= len(text)
    return None


def survive(text: str, data: dict[str, Any]) -> None:
    """Compile and run, or be refused with a place inside the text."""
    for compile_text in (compile_expression, compile_template):
        made = attempt(compile_text, text)
        if made is None:
            continue
        turn = turn_over(data, attributes=data)
        result = made.fn(turn)
        if isinstance(result, str) and not any(
            isinstance(value, str) and len(value) > 2000 for value in data.values()
        ):
            assert len(result) <= 6000
        if made.type == "number":
            assert result is None or type(result) in (int, float)
        names = code_names(made.fn.__code__)
        assert names <= HELPERS.keys() | CLASSES | ATTRIBUTES
        assert made.fn.__globals__["__builtins__"] == {}
        assert made.fn.__closure__ is None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile(text):
    survive(text, {"value": 1, "order_id": "a", "tags": [1]})
    with suppress(ExpressionError):
        compiled(text, "boolean").fn(turn_over())


@given(
    texts,
    st.dictionaries(st.sampled_from(["value", "order_id", "tags", "blob", "ends"]), anything, max_size=3),
)
def test_random_text(text, data):
    survive(text, data)


@given(
    trees,
    st.dictionaries(st.sampled_from(["value", "order_id", "tags", "blob", "gift"]), anything, max_size=3),
)
def test_random_trees(tree, data):
    text = ast.unparse(ast.fix_missing_locations(ast.Expression(tree)))
    survive(text, data)


@given(well_typed, turns(), st.integers(0, 400), st.sampled_from("()[]{}.,'\"=<>+-*/% 1aé\n"))
def test_well_typed_text_with_one_character_changed(text, given_turn, at, char):
    turn, _ = given_turn
    survive(text[:at] + char + text[at + 1 :], turn.props)


@given(well_typed, turns())
def test_well_typed_text_compiles_and_its_code_names_only_helpers(text, given_turn):
    turn, past = given_turn
    prepare(text, turn, past)
    made = compiled(text)
    made.fn(turn)
    assert code_names(made.fn.__code__) <= HELPERS.keys() | CLASSES | ATTRIBUTES
    assert made.uses.series == compiled(text).uses.series or made.uses.series[0].key
    assert is_expression(text)


def test_helpers_take_any_value():
    """Beyond what the checker lets through, those that take any value take every one."""
    odd: list[Any] = [
        None,
        True,
        7,
        -1.5,
        float("nan"),
        10**400,
        "x",
        "2026-03-18",
        [1],
        {"a": 1},
        b"x",
        object(),
    ]
    for name in ("as_time", "as_date", "as_day", "dig", "length", "shown"):
        for value in odd:
            HELPERS[name](value)
    for name in ("plus", "same", "lt", "le", "gt", "ge", "contains", "has_text"):
        for left in odd:
            for right in odd:
                HELPERS[name](left, right)


def test_deep_values_are_compared_without_raising():
    deep: Any = []
    other: Any = []
    for _ in range(100_000):
        deep, other = [deep], [other]
    assert compiled("event.blob == event.tags").fn(turn_over({"blob": deep, "tags": other})) is False
    with suppress(RecursionError):  # taking such a list apart is beyond Python as well
        del deep, other


def test_memory_stays_bounded():
    data = {"order_id": "x" * 100_000, "value": 10**300, "blob": "y" * 100_000, "tags": ["z" * 100_000] * 100}
    turn = turn_over(data)
    fns = [
        compile_template("{event.tags}" * 50, NAMES).fn,
        compiled(" + ".join(["event.order_id"] * 25)).fn,
        compiled(" * ".join(["event.value"] * 25)).fn,
        compiled("lower(event.order_id) + upper(event.order_id) + event.blob").fn,
    ]
    for fn in fns:
        tracemalloc.start()
        fn(turn)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2_000_000
