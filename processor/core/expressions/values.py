"""Helpers over plain values: conversions, numbers, texts and lists. None is missing, and nothing raises.

Numbers stay finite and whole ones within 1e15, beyond which they become floats; texts are cut at 2000
characters where they are built.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from processor.core.time import month_day, parse_time

__all__ = [
    "NUMBER_MAX", "TEXT_MAX", "absolute", "add", "as_date", "as_day", "as_time", "bounded", "coalesce",
    "contains", "dig", "divide", "ends_with", "ge", "greatest", "gt", "has_text", "join", "le", "least",
    "length", "lower", "lt", "modulo", "multiply", "negative", "plus", "rounded", "same", "starts_with",
    "subtract", "upper",
]  # fmt: skip

TEXT_MAX: Final = 2000
NUMBER_MAX: Final = 10**15
_DATE_CHARS: Final = 10
_TIME_CHARS_MAX: Final = 40
_NUMBERS: Final = (int, float)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> int | None:
    try:
        return parse_time(text)
    except (ValueError, IndexError, OverflowError):
        return None


def as_time(value: Any) -> int | None:
    """An instant from its ISO text; without an offset it is UTC."""
    if value.__class__ is not str or len(value) > _TIME_CHARS_MAX:
        return None
    return _parsed(value)


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        month_day(text)
    except ValueError:
        return False
    return True


def as_date(value: Any) -> str | None:
    """A date "YYYY-MM-DD", else missing."""
    if value.__class__ is str and len(value) == _DATE_CHARS and _is_date(value):
        found: str = value
        return found
    return None


def as_day(value: Any) -> str | int | None:
    """A date as its text, or a time as ms: what calendar days are counted to."""
    day = as_date(value)
    return as_time(value) if day is None else day


def bounded(value: Any) -> Any:
    """A result of arithmetic: a whole number beyond 1e15 as a float, missing unless finite."""
    if value.__class__ is int:
        return value if -NUMBER_MAX <= value <= NUMBER_MAX else float(value)
    return value if value - value == 0.0 else None  # neither infinite nor not a number


def _arithmetic(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def helper(left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        try:
            return bounded(operation(left, right))
        except (OverflowError, ZeroDivisionError):
            return None

    return helper


def plus(left: Any, right: Any) -> Any:
    """The sum of two values of any type: of numbers, or two texts joined."""
    if left.__class__ in _NUMBERS and right.__class__ in _NUMBERS:
        return add(left, right)
    if left.__class__ is str and right.__class__ is str:
        return join(left, right)
    return None


def join(left: str | None, right: str | None) -> str | None:
    """Two texts, one after the other, cut where a text must end."""
    if left is None or right is None:
        return None
    return (left[:TEXT_MAX] + right[:TEXT_MAX])[:TEXT_MAX]


add = _arithmetic(lambda left, right: left + right)
subtract = _arithmetic(lambda left, right: left - right)
multiply = _arithmetic(lambda left, right: left * right)
divide = _arithmetic(lambda left, right: left / right)
modulo = _arithmetic(lambda left, right: left % right)


def negative(value: Any) -> Any:
    """The number with the other sign."""
    return None if value is None else -value


def absolute(value: Any) -> Any:
    """The number without its sign."""
    return None if value is None else abs(value)


def rounded(value: Any, digits: int | None = None) -> Any:
    """The number rounded, a half to the even neighbour."""
    if value is None or value.__class__ is int:
        return value
    if value - value != 0.0:
        return None
    return bounded(round(value, digits))


def least(*values: Any) -> Any:
    """The least of those that are not missing."""
    return min((value for value in values if value is not None), default=None)


def greatest(*values: Any) -> Any:
    """The greatest of those that are not missing."""
    return max((value for value in values if value is not None), default=None)


def coalesce(*values: Any) -> Any:
    """The first that is not missing."""
    for value in values:
        if value is not None:
            return value
    return None


def dig(value: Any, *path: str) -> Any:
    """A value inside maps."""
    for name in path:
        if value.__class__ is not dict:
            return None
        value = value.get(name)
    return value


def same(left: Any, right: Any) -> bool:
    """Whether two values of any type are equal; true is not 1 here, and missing is equal to missing."""
    if (left.__class__ is bool) is not (right.__class__ is bool):
        return False
    try:
        return bool(left == right)
    except (RecursionError, TypeError):
        return False


def _ordered(operation: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def helper(left: Any, right: Any) -> bool:
        alike = left.__class__ in _NUMBERS and right.__class__ in _NUMBERS
        return (alike or (left.__class__ is str and right.__class__ is str)) and operation(left, right)

    return helper


lt = _ordered(lambda left, right: left < right)
le = _ordered(lambda left, right: left <= right)
gt = _ordered(lambda left, right: left > right)
ge = _ordered(lambda left, right: left >= right)


def contains(values: Any, item: Any) -> bool:
    """Whether a list holds the item, or a text the text."""
    if values.__class__ is list:
        return any(same(value, item) for value in values)
    return has_text(values, item)


def has_text(text: Any, part: Any) -> bool:
    """Whether the text holds the part."""
    return text.__class__ is str and part.__class__ is str and part in text


def lower(text: str | None) -> str | None:
    """The text in lower case."""
    return None if text is None else text.lower()


def upper(text: str | None) -> str | None:
    """The text in upper case."""
    return None if text is None else text.upper()


def starts_with(text: str | None, start: str | None) -> bool:
    """Whether the text begins so."""
    return text is not None and start is not None and text.startswith(start)


def ends_with(text: str | None, end: str | None) -> bool:
    """Whether the text ends so."""
    return text is not None and end is not None and text.endswith(end)


def length(value: Any) -> int | None:
    """How many characters or elements."""
    return len(value) if value.__class__ in (str, list, dict) else None
