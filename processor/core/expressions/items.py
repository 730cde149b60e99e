"""Helpers over relations: items are looked at from the latest back."""

from __future__ import annotations

from typing import Any, Final

from processor.core.expressions.moments import iso, look_again
from processor.core.expressions.values import as_time
from processor.core.model import Fn
from processor.core.relations import items_of
from processor.core.turn import Turn

__all__ = [
    "item_at", "items_average", "items_count", "items_extreme", "items_list", "items_most", "items_rows",
    "items_sum", "items_value",
]  # fmt: skip

_DECIMALS: Final = 6
_NUMBERS: Final = (int, float)
_NUMBER_MAX: Final = 1e300
_Found = list[tuple[str, int, dict[str, Any]]]


def _passing(turn: Turn, name: str, within_ms: int, where: Fn | None) -> _Found:
    """The items that pass, the latest first; ``item.`` is left as it was."""
    found: _Found = []
    items = items_of(turn.row.history, name)
    before, before_ms = turn.item, turn.item_ms
    for item in reversed(items):
        at_ms = item[1]
        if within_ms:
            if at_ms <= turn.now_ms - within_ms:
                continue
            look_again(turn, at_ms + within_ms)
        turn.item, turn.item_ms = item[2], at_ms
        if where is None or where(turn):
            found.append(item)
    turn.item, turn.item_ms = before, before_ms
    return found


def _field(item: tuple[str, int, dict[str, Any]], field: str) -> Any:
    return iso(item[1]) if field == "at" else item[2].get(field)


def item_at(turn: Turn) -> int:
    """When the item was written last."""
    return turn.item_ms


def items_count(turn: Turn, name: str, within_ms: int, where: Fn | None) -> int:
    """How many."""
    return len(_passing(turn, name, within_ms, where))


def _numbers(turn: Turn, name: str, within_ms: int, where: Fn | None, field: str) -> list[float]:
    values = [item[2].get(field) for item in _passing(turn, name, within_ms, where)]
    return [value for value in values if value.__class__ in _NUMBERS and -_NUMBER_MAX < value < _NUMBER_MAX]


def items_sum(turn: Turn, name: str, within_ms: int, where: Fn | None, field: str) -> float:
    """The sum of a number field."""
    total = 0.0
    for value in _numbers(turn, name, within_ms, where, field):
        total += value
    return round(min(max(total, -_NUMBER_MAX), _NUMBER_MAX), _DECIMALS)


def items_average(turn: Turn, name: str, within_ms: int, where: Fn | None, field: str) -> float | None:
    """The average of a number field."""
    values = _numbers(turn, name, within_ms, where, field)
    total = 0.0
    for value in values:
        total += value / len(values)
    return round(total, _DECIMALS) if values else None


def items_extreme(
    turn: Turn,
    name: str,
    within_ms: int,
    where: Fn | None,
    field: str,
    kind: str,
    sign: int,
) -> Any:
    """The greatest (``sign`` 1) or least (-1) value of a field of type ``kind``: number, date or time."""
    best: Any = None
    for item in _passing(turn, name, within_ms, where):
        value = _field(item, field)
        if kind == "time":
            value = as_time(value)
        elif value.__class__ not in (_NUMBERS if kind == "number" else (str,)):
            continue
        if value is not None and (best is None or (value > best if sign > 0 else value < best)):
            best = value
    return best


def items_value(
    turn: Turn,
    name: str,
    within_ms: int,
    where: Fn | None,
    field: str,
    place: int,
) -> Any:
    """A field of the latest item (``place`` 0) or of the earliest (-1)."""
    found = _passing(turn, name, within_ms, where)
    return _field(found[place], field) if found else None


def items_most(turn: Turn, name: str, within_ms: int, where: Fn | None, field: str) -> Any:
    """The value that a field has most often; of several the one that was there last."""
    values: list[Any] = []
    counts: list[int] = []
    for item in _passing(turn, name, within_ms, where):
        value = _field(item, field)
        if value is None:
            continue
        if value in values:
            counts[values.index(value)] += 1
        else:
            values.append(value)
            counts.append(1)
    return values[counts.index(max(counts))] if values else None


def items_list(
    turn: Turn,
    name: str,
    within_ms: int,
    where: Fn | None,
    field: str,
    at_most: int,
) -> list[Any]:
    """The values of a field, the latest first, each once."""
    values: list[Any] = []
    for item in _passing(turn, name, within_ms, where):
        value = _field(item, field)
        if value is not None and value not in values and len(values) < at_most:
            values.append(value)
    return values


def items_rows(turn: Turn, name: str, within_ms: int, where: Fn | None, at_most: int) -> list[Any]:
    """The items as maps, the latest first."""
    return [{**item[2], "at": iso(item[1])} for item in _passing(turn, name, within_ms, where)[:at_most]]
