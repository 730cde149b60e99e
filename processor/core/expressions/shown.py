"""Helpers of templates: values as people read them."""

from __future__ import annotations

from typing import Any, Final

from processor.core.expressions.values import NUMBER_MAX, TEXT_MAX
from processor.core.time import format_duration, local
from processor.core.turn import Turn, zone_of

__all__ = ["shown", "shown_duration", "shown_time", "text_of"]

_DECIMALS: Final = 6
_LISTED: Final = (str, int, float, bool)


def shown(value: Any) -> str:
    """A value as a template writes it: missing as nothing, whole numbers without ".0"."""
    kind = value.__class__
    if kind is str:
        text: str = value[:TEXT_MAX]
        return text
    if value is None:
        return ""
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if -NUMBER_MAX <= value <= NUMBER_MAX else shown(_as_float(value))
    if kind is float:
        if value - value != 0.0:
            return ""
        if value.is_integer() and abs(value) <= NUMBER_MAX:
            return str(int(value))
        return repr(round(value, _DECIMALS))
    if kind is list:
        return _listed(value)
    return ""


def _listed(values: list[Any]) -> str:
    """The texts and numbers of a list, no more of them than a text can hold."""
    found: list[str] = []
    length = 0
    for value in values:
        if value.__class__ in _LISTED and length < TEXT_MAX:
            found.append(shown(value))
            length += len(found[-1]) + 2
    return ", ".join(found)


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def shown_time(turn: Turn, ms: int | None) -> str:
    """A time as the contact's clock shows it: "2026-03-01 09:30"."""
    if ms is None:
        return ""
    try:
        at = local(ms, zone_of(turn))
    except (ValueError, OverflowError):
        return ""
    # Not strftime: it imports a module, and the frame of an expression has no builtins to do so.
    return f"{at.year:04}-{at.month:02}-{at.day:02} {at.hour:02}:{at.minute:02}"


def shown_duration(ms: int | None) -> str:
    """A duration in days, hours and minutes."""
    return "" if ms is None else format_duration(ms)


def text_of(*parts: str) -> str:
    """The parts as one text, cut at 2000 characters."""
    return "".join([part[:TEXT_MAX] for part in parts])[:TEXT_MAX]
