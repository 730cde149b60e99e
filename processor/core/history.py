"""What is remembered of past events: totals, first and last, and the occurrences a window can ask for.

A :class:`~processor.core.model.SeriesSpec` says what to remember, a :class:`~processor.core.named.Series` in
the row holds it. A window is `(now - within, now]`: what happened exactly `within` ago has just left it.

Four shapes of a series, by its specification:

* ``window_ms == 0``: total, first and last; ``times`` and ``values`` stay empty;
* ``window_ms > 0``: the occurrences of the window in ascending order, ``values`` beside with a ``value``;
* ``window_ms == 0`` with a ``value``: ``values`` is ``[sum ever, how many were summed]``;
* ``by_hour``: ``values`` counts occurrences by the hour of the contact's clock, 24 of them. When they are
  more than :data:`HOURS_SUM_MAX` together all are halved: what a contact does now counts more than long ago.

A series called ``items:`` holds the packed items of a relation (:mod:`processor.core.relations`).

At most :data:`~processor.core.limits.SERIES_TIMES_MAX` occurrences are kept; then the oldest falls out of its
windows, while total, first and last go on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from hashlib import blake2b
from math import isfinite
from operator import itemgetter
from typing import Any, Final

from librt.strings import BytesWriter, read_f64_le, read_i64_le, write_f64_le, write_i64_le
from mypy_extensions import i64

from processor.core.limits import SERIES_TIMES_MAX
from processor.core.model import Fn, SeriesSpec
from processor.core.named import History, Series
from processor.core.packing import first_after
from processor.core.relations import merge_items

__all__ = [
    "HOURS_SUM_MAX", "count", "hours_spec", "merge", "merge_series", "record", "series_key", "series_spec",
    "times_of", "times_packed", "values_of", "values_packed", "window",
]  # fmt: skip

# What has left the window is cut off a few at a time: looking for it each time would cost more than it frees.
_SLACK: Final = 8
_BYTES: Final = 8  # of a packed time or value
_STALE: Final = 3
_SUM_MAX: Final = 1e300
HOURS_SUM_MAX: Final = 100.0  # occurrences that a histogram of hours holds before it is halved
_HOURS: Final = 24


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


def hours_spec(event: str) -> SeriesSpec:
    """A specification of a histogram of hours."""
    return SeriesSpec(f"{event}#hours", event, None, "", 0, by_hour=True)


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


def times_of(series: Series) -> list[int]:
    """The times (ms) of a series, ascending."""
    times = series.times
    return [read_i64_le(times, at) for at in range(0, len(times), _BYTES)]


def values_of(series: Series) -> list[float]:
    """The values beside the times; of a sum over everything, [sum, how many were summed]."""
    values = series.values
    return [read_f64_le(values, at) for at in range(0, len(values), _BYTES)]


def times_packed(times: Iterable[int]) -> bytes:
    """Times as a series keeps them."""
    to = BytesWriter()
    for at_ms in times:
        write_i64_le(to, at_ms)
    return to.getvalue()


def values_packed(values: Iterable[float]) -> bytes:
    """Values as a series keeps them."""
    to = BytesWriter()
    for value in values:
        write_f64_le(to, value)
    return to.getvalue()


def record(history: History, spec: SeriesSpec, occurred_ms: int, value: Any, now_ms: int) -> None:
    """Count an occurrence at ``occurred_ms``, which for a late event is before ``now_ms``.

    With ``spec.by_hour`` the ``value`` is the hour of the contact's clock. With ``spec.value``, an occurrence
    without a finite number counts in the total and in no sum.
    """
    series = history.get(spec.key)
    in_order = True
    if series is None:
        series = Series(1, occurred_ms, occurred_ms)
        history.put(spec.key, series)
    else:
        history.change(series)
        series.total += 1
        if occurred_ms >= series.last_ms:
            series.last_ms = occurred_ms
        else:
            in_order = False
            series.first_ms = min(occurred_ms, series.first_ms)
    if spec.by_hour:
        series.values = _counted(series.values, value)
    elif spec.value:
        _record_value(series, spec.window_ms, occurred_ms, value, now_ms, in_order=in_order)
    elif spec.window_ms:
        times = series.times
        end = len(times) if in_order else first_after(times, occurred_ms) * _BYTES
        cut = _cut(times, end, occurred_ms, now_ms - spec.window_ms)
        series.times = _with_time(times, end, occurred_ms, cut)


def _with_time(times: bytes, end: i64, at_ms: i64, cut: i64) -> bytes:
    """The times with one more before ``end`` (bytes), without the ``cut`` oldest."""
    begin = cut * _BYTES
    to = BytesWriter()
    if begin < end:
        to.write(times[begin:end])
    if begin <= end:
        write_i64_le(to, at_ms)
        begin = end + _BYTES
    if begin - _BYTES < len(times):
        to.write(times[begin - _BYTES :])
    return to.getvalue()


def _with_value(values: bytes, end: i64, value: float, cut: i64) -> bytes:
    """The same for the values beside them."""
    begin = cut * _BYTES
    to = BytesWriter()
    if begin < end:
        to.write(values[begin:end])
    if begin <= end:
        write_f64_le(to, value)
        begin = end + _BYTES
    if begin - _BYTES < len(values):
        to.write(values[begin - _BYTES :])
    return to.getvalue()


def _cut(times: bytes, end: i64, occurred_ms: i64, floor_ms: i64) -> i64:
    """How many of the oldest to let go of, once ``occurred_ms`` stands before ``end`` (bytes).

    Those that left the window, and what is too many.
    """
    count = len(times) // _BYTES + 1
    if count <= _SLACK:
        return 0
    cut: i64 = 0
    stale_ms = _time_at(times, end, occurred_ms, _STALE)
    if stale_ms <= floor_ms:
        cut = first_after(times, floor_ms)
        if occurred_ms <= floor_ms:
            cut += 1
    return max(cut, count - SERIES_TIMES_MAX)


def _time_at(times: bytes, end: i64, occurred_ms: i64, index: i64) -> i64:
    at = index * _BYTES
    if at < end:
        return read_i64_le(times, at)
    return occurred_ms if at == end else read_i64_le(times, at - _BYTES)


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
        series.values = _added(series.values, number, 1.0)
        return
    times = series.times
    end = len(times) if in_order else first_after(times, occurred_ms) * _BYTES
    cut = _cut(times, end, occurred_ms, now_ms - window_ms)
    series.times = _with_time(times, end, occurred_ms, cut)
    series.values = _with_value(series.values, end, number, cut)


def _counted(values: bytes, hour: int) -> bytes:
    """A packed histogram of hours with one more."""
    counts = [read_f64_le(values, at) for at in range(0, len(values), _BYTES)] if values else [0.0] * _HOURS
    counts[hour] += 1.0
    if sum(counts) > HOURS_SUM_MAX:
        counts = [number / 2 for number in counts]
    return values_packed(counts)


def _summed(mine: bytes, theirs: bytes) -> bytes:
    """Packed sums, number by number. A sum stays within what a float holds."""
    if not mine or not theirs:
        return mine or theirs
    to = BytesWriter()
    for at in range(0, len(mine), _BYTES):
        total = read_f64_le(mine, at) + read_f64_le(theirs, at)
        write_f64_le(to, min(max(total, -_SUM_MAX), _SUM_MAX))
    return to.getvalue()


def _added(values: bytes, total: float, count: float) -> bytes:
    """A packed [sum ever, how many], with more. A sum stays within what a float holds."""
    if values:
        total = min(max(read_f64_le(values, 0) + total, -_SUM_MAX), _SUM_MAX)
        count += read_f64_le(values, _BYTES)
    to = BytesWriter()
    write_f64_le(to, total)
    write_f64_le(to, count)
    return to.getvalue()


def merge(mine: History, theirs: History) -> None:
    """Add another contact's history to this one, which both are of one person."""
    for key, series in theirs.all().items():
        own = mine.get(key)
        if own is None:
            taken = Series(series.total, series.first_ms, series.last_ms, series.times, series.values)
            mine.put(key, taken)
            continue
        mine.change(own)
        own.total += series.total
        own.first_ms = min(own.first_ms, series.first_ms)
        own.last_ms = max(own.last_ms, series.last_ms)
        if key.startswith("items:"):
            own.values = merge_items(own.values, series.values)
        elif (own.values and not own.times) or (series.values and not series.times):
            own.values = _summed(own.values, series.values)
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
    times = series.times
    return first_after(times, now_ms - within_ms), first_after(times, now_ms)


def count(series: Series | None, now_ms: int, within_ms: int) -> int:
    """How many occurrences lie in ``(now - within, now]``."""
    if series is None:
        return 0
    begin, end = window(series, now_ms, within_ms)
    return end - begin
