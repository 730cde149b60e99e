"""What is remembered of past events: totals, first and last, and the recent occurrences a window can ask for.

A :class:`~processor.core.model.SeriesSpec` says what to remember, a :class:`~processor.core.rows.Series` in the
row holds it. A window is `(now - within, now]`: what happened exactly `within` ago has just left it.

Three shapes of a series, by its specification:

* ``window_ms == 0``: total, first and last; ``times`` and ``values`` stay empty;
* ``window_ms > 0``: the occurrences of the window in ascending order, ``values`` beside them with a ``value``;
* ``window_ms == 0`` with a ``value``: ``values`` is ``[sum ever, how many were summed]``.

At most :data:`~processor.core.rows.SERIES_TIMES_MAX` occurrences are kept; then the oldest falls out of its
windows, while total, first and last go on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import blake2b
from math import isfinite
from typing import Final

import msgspec

from processor.core.model import Fn, SeriesSpec
from processor.core.rows import SERIES_TIMES_MAX, Series

__all__ = ["count", "merge_series", "record", "series_key", "series_spec", "window"]

# Old occurrences are cut off in batches: cutting at each event would move the whole list each time.
_SLACK: Final = 32


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
    """One specification a key, each with the longest window that anything asks for, in order of appearance."""
    merged: dict[str, SeriesSpec] = {}
    for spec in specs:
        known = merged.get(spec.key)
        if known is None:
            merged[spec.key] = spec
        elif spec.window_ms > known.window_ms:
            merged[spec.key] = msgspec.structs.replace(known, window_ms=spec.window_ms)
    return tuple(merged.values())


def record(
    history: dict[str, Series], spec: SeriesSpec, occurred_ms: int, value: float | None, now_ms: int
) -> None:
    """Count an occurrence at ``occurred_ms``, which a late event has before ``now_ms``.

    With ``spec.value``, an occurrence without a finite number counts in the total and in no sum.
    """
    series = history.get(spec.key)
    if series is None:
        series = history[spec.key] = Series(1, occurred_ms, occurred_ms, [], [])
    else:
        series.total += 1
        if occurred_ms >= series.last_ms:
            series.last_ms = occurred_ms
        elif occurred_ms < series.first_ms:
            series.first_ms = occurred_ms
    window_ms = spec.window_ms
    if spec.value:
        _record_value(series, window_ms, occurred_ms, value, now_ms)
    elif window_ms:
        times = series.times
        if not times or occurred_ms >= times[-1]:
            times.append(occurred_ms)
        else:
            if occurred_ms <= now_ms - window_ms:
                return
            times.insert(bisect_right(times, occurred_ms), occurred_ms)
        if len(times) >= _SLACK:
            _trim(series, now_ms - window_ms)


def _record_value(series: Series, window_ms: int, occurred_ms: int, value: float | None, now_ms: int) -> None:
    if value.__class__ not in (int, float) or value is None:
        return
    try:
        number = float(value)
    except OverflowError:
        return
    if not isfinite(number):
        return
    values = series.values
    if not window_ms:
        if values:
            total = values[0] + number
            # A sum beyond all numbers stays at the last one that is one: rows hold no infinities.
            values[0] = total if isfinite(total) else values[0]
            values[1] += 1.0
        else:
            values.extend((number, 1.0))
        return
    times = series.times
    if not times or occurred_ms >= times[-1]:
        times.append(occurred_ms)
        values.append(number)
    else:
        if occurred_ms <= now_ms - window_ms:
            return
        at = bisect_right(times, occurred_ms)
        times.insert(at, occurred_ms)
        values.insert(at, number)
    if len(times) >= _SLACK:
        _trim(series, now_ms - window_ms)


def _trim(series: Series, floor_ms: int) -> None:
    """Drop what has left the window for good, and the oldest beyond the limit."""
    times = series.times
    excess = len(times) - SERIES_TIMES_MAX
    # The half of a batch that must be old before it is dropped keeps a steady window from trimming each time.
    if excess > 0 or times[_SLACK // 2 - 1] <= floor_ms:
        cut = max(bisect_right(times, floor_ms), excess)
        del times[:cut]
        del series.values[:cut]


def window(series: Series, now_ms: int, within_ms: int) -> tuple[int, int]:
    """Where in ``series.times`` the occurrences in ``(now - within, now]`` begin and end (exclusive)."""
    times = series.times
    return bisect_right(times, now_ms - within_ms), bisect_right(times, now_ms)


def count(series: Series | None, now_ms: int, within_ms: int) -> int:
    """How many occurrences lie in ``(now - within, now]``."""
    if series is None:
        return 0
    begin, end = window(series, now_ms, within_ms)
    return end - begin
