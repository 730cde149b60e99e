"""Helpers over what is remembered of the contact: past events, segments, lists, programs."""

from __future__ import annotations

from typing import Any, Final

from librt.strings import read_f64_le, read_i64_le
from mypy_extensions import i64

from processor.core.expressions.moments import look_again, next_step
from processor.core.expressions.values import bounded
from processor.core.history import values_of, window
from processor.core.packing import first_after
from processor.core.time import DAY_MS
from processor.core.turn import Turn

__all__ = [
    "avg_ever", "avg_within", "count_ever", "count_within", "days_since", "entries", "first", "happened_ever",
    "happened_within", "in_list", "in_program", "in_segment", "last", "sum_ever", "sum_within", "variant",
    "was_in_program",
]  # fmt: skip

_ACTIVE: Final = 1
_BYTES: Final = 8  # of a packed time or value
_DECIMALS: Final = 6  # of sums and averages, so that ten times 0.1 is 1


def count_ever(turn: Turn, key: str) -> int:
    """How often ever."""
    series = turn.row.history.get(key)
    return 0 if series is None else series.total


def count_within(turn: Turn, key: str, within_ms: int, low: int = -1, high: int = -1) -> int:
    """How often in the window.

    A count falls by time alone. Compared with a number, its fall matters only when it reaches ``low`` or
    ``high``, so that most counts need no second look; -1: every fall matters.
    """
    series = turn.row.history.get(key)
    if series is None:
        return 0
    times = series.times
    begin = first_after(times, turn.now_ms - within_ms)
    end: i64 = len(times) // _BYTES
    if begin == end:
        return 0
    if read_i64_le(times, (end - 1) * _BYTES) > turn.now_ms:
        return _count_amid(turn, times, begin, within_ms)
    count = end - begin
    if high < 0:
        leaving = begin
    elif count > high:
        leaving = end - 1 - high
    elif count > low:
        leaving = end - 1 - low
    else:
        return count
    until = read_i64_le(times, leaving * _BYTES) + within_ms
    turn.until_ms = min(turn.until_ms, until)
    return count


def _count_amid(turn: Turn, times: bytes, begin: i64, within_ms: int) -> int:
    """The count where some occurrences are still to come."""
    end = first_after(times, turn.now_ms)
    look_again(turn, read_i64_le(times, end * _BYTES))
    if begin < end:
        look_again(turn, read_i64_le(times, begin * _BYTES) + within_ms)
    return end - begin


def _values(turn: Turn, key: str, within_ms: int) -> list[float]:
    """The values in the window."""
    series = turn.row.history.get(key)
    if series is None:
        return []
    times = series.times
    begin, end = window(series, turn.now_ms, within_ms)
    if begin < end:
        look_again(turn, read_i64_le(times, begin * _BYTES) + within_ms)
    if end < len(times) // _BYTES:
        look_again(turn, read_i64_le(times, end * _BYTES))
    values = series.values
    return [read_f64_le(values, index * _BYTES) for index in range(begin, end)]


def _total(values: list[float]) -> float:
    """Added one by one: ``sum`` of Python 3.12 and later rounds otherwise, and all have to decide alike."""
    total = 0.0
    for value in values:
        total += value
    return total


def sum_within(turn: Turn, key: str, within_ms: int) -> Any:
    """The sum over the window."""
    values = _values(turn, key, within_ms)
    if not values:
        return 0
    total = _total(values)
    if total - total != 0.0:
        return 0
    return bounded(round(total, _DECIMALS))


def avg_within(turn: Turn, key: str, within_ms: int) -> Any:
    """The average over the window."""
    values = _values(turn, key, within_ms)
    if not values:
        return None
    mean = _total(values) / len(values)
    return bounded(round(mean, _DECIMALS)) if mean - mean == 0.0 else None


def sum_ever(turn: Turn, key: str) -> Any:
    """The sum over all."""
    series = turn.row.history.get(key)
    return 0 if series is None or not series.values else round(values_of(series)[0], _DECIMALS)


def avg_ever(turn: Turn, key: str) -> Any:
    """The average over all."""
    series = turn.row.history.get(key)
    if series is None or not series.values:
        return None
    total, number = values_of(series)
    return round(total / number, _DECIMALS)


def happened_ever(turn: Turn, key: str) -> bool:
    """Whether it ever happened."""
    return key in turn.row.history


def happened_within(turn: Turn, key: str, within_ms: int) -> bool:
    """Whether it happened in the window."""
    series = turn.row.history.get(key)
    if series is None:
        return False
    times = series.times
    begin, end = window(series, turn.now_ms, within_ms)
    if end < len(times) // _BYTES:
        look_again(turn, read_i64_le(times, end * _BYTES))
    if begin == end:
        return False
    look_again(turn, read_i64_le(times, (end - 1) * _BYTES) + within_ms)
    return True


def last(turn: Turn, key: str) -> int | None:
    """When it happened last."""
    series = turn.row.history.get(key)
    return None if series is None else series.last_ms


def first(turn: Turn, key: str) -> int | None:
    """When it happened first."""
    series = turn.row.history.get(key)
    return None if series is None else series.first_ms


def days_since(turn: Turn, key: str, *steps: int) -> int | None:
    """Full days of 24 hours since the last one; ``steps`` as of `next_step`."""
    series = turn.row.history.get(key)
    if series is None:
        return None
    days = max(turn.now_ms - series.last_ms, 0) // DAY_MS
    ahead = next_step(days, steps)
    if ahead is not None:
        look_again(turn, series.last_ms + (days + ahead) * DAY_MS)
    return days


def in_segment(turn: Turn, name: str) -> bool:
    """Whether the contact is in the segment."""
    return name in turn.row.segments


def in_list(turn: Turn, name: str) -> bool:
    """Whether the contact is on the list."""
    return name in turn.row.lists


def in_program(turn: Turn, name: str) -> bool:
    """Whether an enrollment in the program is active."""
    for enrollment in turn.row.enrollments:
        if enrollment.program == name and enrollment.state == _ACTIVE:
            return True
    return False


def was_in_program(turn: Turn, name: str) -> bool:
    """Whether the program was ever entered."""
    return name in turn.row.past


def entries(turn: Turn, name: str) -> int:
    """How often the program was entered."""
    past = turn.row.past.get(name)
    return 0 if past is None else past.entries


def variant(turn: Turn, split: str) -> str | None:
    """The way taken at the split."""
    return turn.variants.get(split)
