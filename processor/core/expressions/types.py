"""The language's types, and the error that every fault in an expression becomes."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

__all__ = ["ORDERED", "TYPES", "ExpressionError", "base_type", "did_you_mean", "join_types", "phrase"]

TYPES: Final = (
    "string", "number", "boolean", "time", "date", "duration", "list", "map", "any", "none",
)  # fmt: skip
ORDERED: Final = frozenset({"number", "string", "time", "date", "duration"})
_SAME: Final = {"integer": "number", "zone": "string"}
_PHRASES: Final = {
    "string": "a text", "number": "a number", "boolean": "a condition", "time": "a time", "date": "a date",
    "duration": "a duration", "list": "a list", "map": "a map", "any": "a value of any type", "none": "none",
}  # fmt: skip
_CHOICES_SHOWN: Final = 8


class ExpressionError(ValueError):
    """What is wrong with an expression, what to write instead, and where it stands in the text.

    ``offset`` counts characters from the start of the text.
    """

    def __init__(self, message: str, fix: str, offset: int) -> None:
        super().__init__(f"{message}: {fix}")
        self.message = message
        self.fix = fix
        self.offset = offset


def base_type(declared: str) -> str:
    """The type that expressions know for a declared one: "integer?" is a number, a zone is a string."""
    name = declared.removesuffix("?")
    return _SAME.get(name, name if name in TYPES else "any")


def join_types(types: Iterable[str]) -> str:
    """The type of a value that can be of each of these types; missing is of every type."""
    found = set(types) - {"none"}
    if not found:
        return "none"
    return found.pop() if len(found) == 1 else "any"


def phrase(name: str) -> str:
    """A type as a person says it: "a number"."""
    return _PHRASES[name]


def did_you_mean(wrong: str, known: Iterable[str], otherwise: str = "") -> str:
    """What to write instead of a name that nothing has."""
    names = sorted(known)
    near = get_close_matches(wrong, names, n=1, cutoff=0.6)
    if not near:
        folded = {name.casefold(): name for name in names}
        near = [folded[wrong.casefold()]] if wrong.casefold() in folded else []
    if near:
        return f'did you mean "{near[0]}"?'
    if not names:
        return otherwise or "there are none in this topology: declare it first"
    shown = ", ".join(names[:_CHOICES_SHOWN]) + (", …" if len(names) > _CHOICES_SHOWN else "")
    return f"there is: {shown}"
