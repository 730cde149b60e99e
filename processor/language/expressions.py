"""From the texts of the files to compiled expressions, with every fault at its line and column."""

from __future__ import annotations

import msgspec

from processor.core.expressions import (
    ExpressionError,
    Names,
    compile_constant,
    compile_expression,
    compile_template,
)
from processor.core.expressions.tree import Node
from processor.core.model import Expression, Uses
from processor.core.turn import Turn
from processor.language.names import Known
from processor.language.problems import Problems
from processor.language.source import Scalar

__all__ = ["Compiler"]


class Compiler(msgspec.Struct):
    """Compiles expressions and keeps them all: what they read decides what the machine must remember."""

    known: Known
    problems: Problems
    compiled: list[Expression] = []

    def expression(self, scalar: Scalar, names: Names, want: str = "any") -> Expression:
        """Return the compiled expression; what is wrong is reported, and then it is one that is missing."""
        try:
            made = compile_expression(scalar.text, names, want=want)
        except ExpressionError as error:
            return self._wrong(scalar, error)
        self.compiled.append(made)
        return made

    def template(self, scalar: Scalar, names: Names) -> Expression:
        """Return a compiled text with expressions in braces."""
        try:
            made = compile_template(scalar.text, names)
        except ExpressionError as error:
            return self._wrong(scalar, error)
        self.compiled.append(made)
        return made

    def constant(self, scalar: Scalar, names: Names) -> Node | None:
        """Return the checked tree of a constant; None after reporting why it is none."""
        try:
            return compile_constant(scalar.text, names)
        except ExpressionError as error:
            self._wrong(scalar, error)
            return None

    def value(self, scalar: Scalar, names: Names) -> Expression:
        """Return an expression, or a template where the text has braces."""
        return self.template(scalar, names) if "{" in scalar.text else self.expression(scalar, names)

    def _wrong(self, scalar: Scalar, error: ExpressionError) -> Expression:
        fix = error.fix
        if fix.startswith("did you mean "):
            fix = f"write {fix.removeprefix('did you mean ').removesuffix('?')}"
        self.problems.error(scalar.at(error.offset), "bad-expression", error.message, fix)
        return Expression(scalar.text, _missing, "any", Uses())


def _missing(turn: Turn) -> None:
    """Stand in for an expression that did not compile; nothing runs it, since loading fails."""
