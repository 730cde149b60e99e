"""Expressions: what conditions, values and texts are written in, compiled to functions of a turn.

`parse` reads the text into Python's syntax tree, `check` turns a closed list of its nodes into a tree of
our own in which every name is known and every type fits, `codegen` builds a Python function from that.
Reading what `functions` lists is reading the whole library. A compiled expression cannot loop, cannot
raise, cannot reach Python, and builds no text longer than 2000 characters.

Values: a number is int or float, a time int ms since 1970 UTC, a date the text "YYYY-MM-DD", a duration
int ms, and None is missing. A date that is used as a time (compared with one, or moved by a duration) is
the midnight it begins with in the contact's zone. Events and profiles hold times and dates as ISO texts.
"""

from __future__ import annotations

from processor.core.expressions.check import Checker, Reads, expect
from processor.core.expressions.codegen import generate
from processor.core.expressions.functions import FUNCTIONS, Function, Parameter, signature
from processor.core.expressions.names import Names
from processor.core.expressions.parse import parse, split_template
from processor.core.expressions.tree import Call, Const, ListOf, Node, Text
from processor.core.expressions.types import TYPES, ExpressionError
from processor.core.model import Expression

__all__ = [
    "FUNCTIONS", "TYPES", "ExpressionError", "Function", "Names", "Parameter", "compile_constant",
    "compile_expression", "compile_template", "signature",
]  # fmt: skip


def compile_expression(text: str, names: Names, *, want: str = "any") -> Expression:
    """Compile ``text``, whose value must be of type ``want``; a date will do where a time is wanted.

    With ``want="boolean"`` the function returns True or False; else None stands for missing. With
    ``want="any"``, where the value is to be kept or sent, a time comes as its ISO text and not as ms: that is
    how events, profiles and commands hold it.

    Raises:
        ExpressionError: with what to write instead, and where.
    """
    reads = Reads()
    source = parse(text)
    tree = expect(Checker(source, names, reads).check(source.body), want)
    if want == "any" and tree.type == "time":
        tree = Call(type="time", offset=tree.offset, helper="iso", args=(tree,))
    fn = generate(tree, condition=want == "boolean")
    return Expression(text=text, fn=fn, type=tree.type, uses=reads.uses(tree))


def compile_constant(text: str, names: Names) -> Node:
    """Compile a value that is the same for everybody at any time.

    Raises:
        ExpressionError: it is none; with what to write instead, and where.
    """
    source = parse(text)
    tree = Checker(source, names, Reads()).check(source.body)
    if not isinstance(tree, Const | ListOf) or tree.type == "none":
        fix = "write a number, a text in quotes, true or false, date(…), time(…), duration(…) or a list"
        raise ExpressionError("this is no constant", fix, 0)
    return tree


def compile_template(text: str, names: Names) -> Expression:
    """Compile a text with expressions in braces, "Hi {profile.first_name}"; ``{{`` and ``}}`` are braces.

    Missing values leave nothing, times are shown on the contact's clock, at most 2000 characters are kept.

    Raises:
        ExpressionError: with what to write instead, and where in the whole text.
    """
    reads = Reads()
    parts: list[Node] = []
    for is_expression, part, offset in split_template(text):
        if is_expression:
            source = parse(part, offset)
            parts.append(Checker(source, names, reads).check(source.body))
        else:
            parts.append(Const(type="string", offset=offset, value=part))
    tree = Text(type="string", offset=0, parts=tuple(parts))
    return Expression(text=text, fn=generate(tree), type="string", uses=reads.uses(tree))
