"""What is remembered of past events: totals, first and last, and the occurrences a window can ask for.

A :class:`~processor.core.model.SeriesSpec` says what to remember, a :class:`~processor.core.rows.Series` in
the row holds it. A window is `(now - within, now]`: what happened exactly `within` ago has just left it.

Three shapes of a series, by its specification:

* ``window_ms == 0``: total, first and last; ``times`` and ``values`` stay empty;
* ``window_ms > 0``: the occurrences of the window in ascending order, ``values`` beside with a ``value``;
* ``window_ms == 0`` with a ``value``: ``values`` is ``[sum ever, how many were summed]``.

At most :data:`~processor.core.rows.SERIES_TIMES_MAX` occurrences are kept; then the oldest falls out of its
windows, while total, first and last go on.
"""

from __future__ import annotations

import dataclasses
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import isfinite
from operator import itemgetter
from struct import Struct
from typing import Any, Final

from processor.core.model import Fn, SeriesSpec
from processor.core.rows import SERIES_TIMES_MAX
from processor.core.sections import Series

__all__ = [
    "count", "merge", "merge_series", "record", "series_key", "series_spec", "times_of", "times_packed",
    "values_of", "values_packed", "window",
]  # fmt: skip

# What has left the window is cut off a few at a time: looking for it each time would cost more than it frees.
_SLACK: Final = 8
_BYTES: Final = 8  # of a packed time or value
_TIME: Final = Struct("=q")
_VALUE: Final = Struct("=d")
_STALE: Final = 3
_SUM_MAX: Final = 1e300


def series_key(event: str, where: str = "", value: str = "", *, ever: bool = False) -> str:
    """The name of a series in the row, the same for equal definitions.

    ``where`` is the condition in canonical text. ``ever`` tells a sum over everything from sums in windows,
    which keep other things.
    """
    if not (where or value):
        return event
    text = f"{where}\0{value}\0{'ever' if ever and value else ''}"
    return f"{event}#{blake2b(text.encode(), digest_size=4).hexdigest()}"


def series_spec(
    event: str, where: Fn | None = None, where_text: str = "", value: str = "", window_ms: int = 0
) -> SeriesSpec:
    """A specification with its key; ``where_text`` is the canonical text of ``where``."""
    key = series_key(event, where_text, value, ever=window_ms == 0)
    return SeriesSpec(key, event, where, value, window_ms)


def merge_series(specs: Iterable[SeriesSpec]) -> tuple[SeriesSpec, ...]:
    """One specification a key, with the longest window that anything asks for, in order of appearance."""
    merged: dict[str, SeriesSpec] = {}
    for spec in specs:
        known = merged.get(spec.key)
        if known is None:
            merged[spec.key] = spec
        elif spec.window_ms > known.window_ms:
            merged[spec.key] = dataclasses.replace(known, window_ms=spec.window_ms)
    return tuple(merged.values())


def times_of(series: Series) -> Sequence[int]:
    """The times (ms) of a series, ascending."""
    return array("q", series.times)


def values_of(series: Series) -> Sequence[float]:
    """The values beside the times; of a sum over everything, [sum, how many were summed]."""
    return array("d", series.values)


def times_packed(times: Iterable[int]) -> bytes:
    """Times as a series keeps them."""
    return array("q", times).tobytes()


def values_packed(values: Iterable[float]) -> bytes:
    """Values as a series keeps them."""
    return array("d", values).tobytes()


def record(history: dict[str, Series], spec: SeriesSpec, occurred_ms: int, value: Any, now_ms: int) -> None:
    """Count an occurrence at ``occurred_ms``, which for a late event is before ``now_ms``.

    With ``spec.value``, an occurrence without a finite number counts in the total and in no sum.
    """
    series = history.get(spec.key)
    last_ms = occurred_ms
    if series is None:
        series = history[spec.key] = Series(1, occurred_ms, occurred_ms)
    else:
        series.total += 1
        last_ms = series.last_ms
        if occurred_ms >= last_ms:
            series.last_ms = occurred_ms
        elif occurred_ms < series.first_ms:
            series.first_ms = occurred_ms
    if spec.value:
        _record_value(series, spec.window_ms, occurred_ms, value, now_ms, in_order=occurred_ms >= last_ms)
    elif spec.window_ms:
        times = series.times
        end = len(times) if occurred_ms >= last_ms else bisect_right(array("q", times), occurred_ms) * _BYTES
        times = times[:end] + _TIME.pack(occurred_ms) + times[end:]
        series.times = times[_cut(times, now_ms - spec.window_ms) * _BYTES :]


def _cut(times: bytes, floor_ms: int) -> int:
    """How many of the oldest occurrences to let go of: those that left the window, and what is too many."""
    count = len(times) // _BYTES
    if count <= _SLACK:
        return 0
    cut = 0
    stale_ms: int = _TIME.unpack_from(times, _STALE * _BYTES)[0]
    if stale_ms <= floor_ms:
        cut = bisect_right(array("q", times), floor_ms)
    return max(cut, count - SERIES_TIMES_MAX)


def _record_value(
    series: Series, window_ms: int, occurred_ms: int, value: Any, now_ms: int, *, in_order: bool
) -> None:
    if value.__class__ not in (int, float):
        return
    try:
        number = float(value)
    except OverflowError:
        return
    if not isfinite(number):
        return
    if not window_ms:
        series.values = _added(series.values, (number, 1.0))
        return
    times, values = series.times, series.values
    end = len(times) if in_order else bisect_right(array("q", times), occurred_ms) * _BYTES
    times = times[:end] + _TIME.pack(occurred_ms) + times[end:]
    cut = _cut(times, now_ms - window_ms) * _BYTES
    series.times = times[cut:]
    series.values = (values[:end] + _VALUE.pack(number) + values[end:])[cut:]


def _added(values: bytes, more: Sequence[float]) -> bytes:
    """Two [sum ever, how many], as one. A sum stays within what a float can hold: rows keep no infinities."""
    if not values:
        return values_packed(more)
    total, count = array("d", values)
    return values_packed((min(max(total + more[0], -_SUM_MAX), _SUM_MAX), count + more[1]))


def merge(mine: dict[str, Series], theirs: dict[str, Series]) -> None:
    """Add another contact's history to this one, which both are of one person."""
    for key, series in theirs.items():
        own = mine.get(key)
        if own is None:
            mine[key] = series
            continue
        own.total += series.total
        own.first_ms = min(own.first_ms, series.first_ms)
        own.last_ms = max(own.last_ms, series.last_ms)
        if (own.values and not own.times) or (series.values and not series.times):
            own.values = _added(own.values, values_of(series)) if series.values else own.values
        elif own.values or series.values:
            pairs = [
                *zip(times_of(own), values_of(own), strict=True),
                *zip(times_of(series), values_of(series), strict=True),
            ]
            pairs = sorted(pairs, key=itemgetter(0))[-SERIES_TIMES_MAX:]
            own.times = times_packed([at for at, _ in pairs])
            own.values = values_packed([value for _, value in pairs])
        else:
            own.times = times_packed(sorted((*times_of(own), *times_of(series)))[-SERIES_TIMES_MAX:])


def window(series: Series, now_ms: int, within_ms: int) -> tuple[int, int]:
    """Where among the times the occurrences in ``(now - within, now]`` begin and end (exclusive)."""
    times = array("q", series.times)
    return bisect_right(times, now_ms - within_ms), bisect_right(times, now_ms)


def count(series: Series | None, now_ms: int, within_ms: int) -> int:
    """How many occurrences lie in ``(now - within, now]``."""
    if series is None:
        return 0
    begin, end = window(series, now_ms, within_ms)
    return end - begin
