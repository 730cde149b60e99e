"""What compiled expressions call. Nothing here raises on any value, and None is missing everywhere.

A helper whose value changes by time alone lowers ``turn.until_ms`` to the first instant at which it can be
another, so that the machine looks again exactly then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from processor.core.history import window
from processor.core.rows import Series
from processor.core.time import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    date_at,
    date_text,
    local,
    month_day,
    next_clock,
    offset,
    parse_time,
    yearly,
)  # fmt: skip
from processor.core.turn import Turn, zone_of

__all__ = ["HELPERS"]

TEXT_MAX: Final = 2000
_NUMBER_MAX: Final = 10**15
_SPAN_MAX: Final = 36_500 * DAY_MS * 10
_FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01
_END_MS: Final = 253_402_300_800_000  # 10000-01-01
_ACTIVE: Final = 1
_DECIMALS: Final = 6  # of sums and averages, so that ten times 0.1 is 1
_DATE_CHARS: Final = 10
_TIME_CHARS_MAX: Final = 40
_LIST_SHOWN: Final = 100
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBERS: Final = (int, float)

# --------------------------------------------------------------------------------------------------- conversions


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


def midnight(turn: Turn, day: str | None) -> int | None:
    """A date as a time: the midnight it begins with in the contact's zone."""
    if day is None:
        return None
    try:
        return date_at(day, 0, 0, zone_of(turn))
    except (ValueError, OverflowError):
        return None


# --------------------------------------------------------------------------------------------------------- numbers


def _bounded(value: Any) -> Any:
    if value.__class__ is int:
        return value if -_NUMBER_MAX <= value <= _NUMBER_MAX else float(value)
    return value if value - value == 0.0 else None  # neither infinite nor not a number


def _arithmetic(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def helper(left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        try:
            return _bounded(operation(left, right))
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
    return None if value is None else -value


def absolute(value: Any) -> Any:
    return None if value is None else abs(value)


def rounded(value: Any, digits: int | None = None) -> Any:
    if value is None or value.__class__ is int:
        return value
    if value - value != 0.0:
        return None
    return _bounded(round(value, digits))


def least(*values: Any) -> Any:
    return min((value for value in values if value is not None), default=None)


def greatest(*values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def coalesce(*values: Any) -> Any:
    for value in values:
        if value is not None:
            return value
    return None


# ------------------------------------------------------------------------------------------- times and durations


def _instant(ms: int) -> int | None:
    return ms if _FIRST_MS <= ms < _END_MS else None


def later(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else _instant(left + right)


def earlier(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else _instant(left - right)


def between(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left - right


def between_dates(left: str | None, right: str | None) -> int | None:
    """Whole days, each of 24 hours, as both dates are of one zone."""
    start, end = as_time(right), as_time(left)
    return None if start is None or end is None else end - start


def times(left: Any, right: Any) -> int | None:
    product = multiply(left, right)
    return None if product is None or abs(product) > _SPAN_MAX else round(product)


def parted(left: Any, right: Any) -> int | None:
    part = divide(left, right)
    return None if part is None or abs(part) > _SPAN_MAX else round(part)


def now(turn: Turn) -> int:
    """The instant of the turn, where nothing foretells when it matters: looked at again each minute."""
    ms = turn.now_ms
    turn.until_ms = min(turn.until_ms, ms + MINUTE_MS)
    return ms


def flip(turn: Turn, left: int, right: int, drift: int) -> bool:
    """Note when a comparison of these can turn out otherwise: as they meet, and just after. Always true."""
    gap = (right - left) * drift
    if gap >= 0:
        at = turn.now_ms + (gap or 1)
        turn.until_ms = min(turn.until_ms, at)
    return True


def _look_again(turn: Turn, at_ms: int) -> None:
    turn.until_ms = min(turn.until_ms, at_ms)


def _day(turn: Turn) -> int:
    """The day number in the contact's zone; the value changes at the next local midnight."""
    zone = zone_of(turn)
    _look_again(turn, next_clock(turn.now_ms + 1, 0, zone))
    return (turn.now_ms + offset(turn.now_ms, zone)) // DAY_MS


def today(turn: Turn) -> str:
    zone = zone_of(turn)
    _look_again(turn, next_clock(turn.now_ms + 1, 0, zone))
    return date_text(turn.now_ms, zone)


def weekday(turn: Turn) -> str:
    return _WEEKDAYS[(_day(turn) + 3) % 7]


def hour(turn: Turn) -> int:
    shown = turn.now_ms + offset(turn.now_ms, zone_of(turn))
    _look_again(turn, turn.now_ms + HOUR_MS - shown % HOUR_MS)
    return shown % DAY_MS // HOUR_MS


def _day_of(turn: Turn, value: Any) -> int | None:
    """The day number of a date, or of a time in the contact's zone."""
    if value.__class__ is int:
        try:
            return int(value + offset(value, zone_of(turn))) // DAY_MS
        except (ValueError, OverflowError):
            return None
    day = as_date(value)
    ms = as_time(value)
    if day is None:
        return None if ms is None else _day_of(turn, ms)
    return None if ms is None else ms // DAY_MS


def days_until(turn: Turn, value: Any) -> int | None:
    day = _day_of(turn, value)
    return None if day is None else day - _day(turn)


def days_since_date(turn: Turn, value: Any) -> int | None:
    day = _day_of(turn, value)
    return None if day is None else _day(turn) - day


def age(turn: Turn, day: str | None) -> int | None:
    """Full years; of 29 February one turns older on 28 February in common years, as `yearly` has it."""
    if day is None:
        return None
    zone = zone_of(turn)
    month, of_month = month_day(day)
    try:
        following = yearly(turn.now_ms + 1, month, of_month, 0, 0, zone)
        years = local(following, zone).year - int(day[:4]) - 1
    except (ValueError, OverflowError):
        return None
    _look_again(turn, following)
    return years


# ------------------------------------------------------------------------------------------------------- history


def count_ever(turn: Turn, key: str) -> int:
    series = turn.row.history.get(key)
    return 0 if series is None else series.total


def count_within(turn: Turn, key: str, within_ms: int) -> int:
    series = turn.row.history.get(key)
    if series is None:
        return 0
    occurred = series.times
    now_ms = turn.now_ms
    begin = bisect_right(occurred, now_ms - within_ms)
    end = len(occurred)
    if begin == end:
        return 0
    if occurred[-1] > now_ms:
        end = bisect_right(occurred, now_ms)
        turn.until_ms = min(turn.until_ms, occurred[end])
    until = occurred[begin] + within_ms
    if until < turn.until_ms and begin < end:
        turn.until_ms = until
    return end - begin


def _values(turn: Turn, key: str, within_ms: int) -> list[float]:
    """The values in the window."""
    series: Series | None = turn.row.history.get(key)
    if series is None:
        return []
    begin, end = window(series, turn.now_ms, within_ms)
    if begin < end:
        _look_again(turn, series.times[begin] + within_ms)
    if end < len(series.times):
        _look_again(turn, series.times[end])
    return series.values[begin:end]


def sum_within(turn: Turn, key: str, within_ms: int) -> Any:
    total = sum(_values(turn, key, within_ms))
    return _bounded(round(total, _DECIMALS)) if total - total == 0.0 else 0


def avg_within(turn: Turn, key: str, within_ms: int) -> Any:
    values = _values(turn, key, within_ms)
    if not values:
        return None
    mean = sum(values) / len(values)
    return _bounded(round(mean, _DECIMALS)) if mean - mean == 0.0 else None


def sum_ever(turn: Turn, key: str) -> Any:
    series = turn.row.history.get(key)
    return 0 if series is None or not series.values else round(series.values[0], _DECIMALS)


def avg_ever(turn: Turn, key: str) -> Any:
    series = turn.row.history.get(key)
    if series is None or not series.values:
        return None
    return round(series.values[0] / series.values[1], _DECIMALS)


def happened_ever(turn: Turn, key: str) -> bool:
    return key in turn.row.history


def happened_within(turn: Turn, key: str, within_ms: int) -> bool:
    series = turn.row.history.get(key)
    if series is None:
        return False
    begin, end = window(series, turn.now_ms, within_ms)
    if end < len(series.times):
        _look_again(turn, series.times[end])
    if begin == end:
        return False
    _look_again(turn, series.times[end - 1] + within_ms)
    return True


def last(turn: Turn, key: str) -> int | None:
    series = turn.row.history.get(key)
    return None if series is None else series.last_ms


def first(turn: Turn, key: str) -> int | None:
    series = turn.row.history.get(key)
    return None if series is None else series.first_ms


def days_since(turn: Turn, key: str) -> int | None:
    series = turn.row.history.get(key)
    if series is None:
        return None
    days = max(turn.now_ms - series.last_ms, 0) // DAY_MS
    _look_again(turn, series.last_ms + (days + 1) * DAY_MS)
    return days


# ------------------------------------------------------------------------------------------------------- contact


def in_segment(turn: Turn, name: str) -> bool:
    return name in turn.row.segments


def in_list(turn: Turn, name: str) -> bool:
    return name in turn.row.profile.lists


def in_program(turn: Turn, name: str) -> bool:
    for enrollment in turn.row.enrollments:
        if enrollment.program == name and enrollment.state == _ACTIVE:
            return True
    return False


def was_in_program(turn: Turn, name: str) -> bool:
    return name in turn.row.memory.past


def entries(turn: Turn, name: str) -> int:
    past = turn.row.memory.past.get(name)
    return 0 if past is None else past.entries


def variant(turn: Turn, split: str) -> str | None:
    return turn.variants.get(split)


# --------------------------------------------------------------------------------------------------------- values


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


def contains(values: Any, item: Any) -> bool:
    """Whether a list holds the item, or a text the text."""
    if values.__class__ is list:
        return any(same(value, item) for value in values)
    return has_text(values, item)


def has_text(text: Any, part: Any) -> bool:
    return text.__class__ is str and part.__class__ is str and part in text


def lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def upper(text: str | None) -> str | None:
    return None if text is None else text.upper()


def starts_with(text: str | None, start: str | None) -> bool:
    return text is not None and start is not None and text.startswith(start)


def ends_with(text: str | None, end: str | None) -> bool:
    return text is not None and end is not None and text.endswith(end)


def length(value: Any) -> int | None:
    return len(value) if value.__class__ in (str, list, dict) else None


# ------------------------------------------------------------------------------------------------------ templates


def shown(value: Any) -> str:
    """A value as a template writes it: missing as nothing, whole numbers without ".0"."""
    kind = value.__class__
    if kind is str:
        text: str = value
        return text
    if value is None:
        return ""
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if -_NUMBER_MAX <= value <= _NUMBER_MAX else shown(_as_float(value))
    if kind is float:
        if value - value != 0.0:
            return ""
        if value.is_integer() and abs(value) <= _NUMBER_MAX:
            return str(int(value))
        return repr(round(value, _DECIMALS))
    if kind is list:
        return ", ".join(
            shown(item) for item in value[:_LIST_SHOWN] if item.__class__ in (str, int, float, bool)
        )
    return ""


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
        return local(ms, zone_of(turn)).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return ""


def shown_duration(ms: int | None) -> str:
    """A duration in days, hours and minutes."""
    return "" if ms is None else format_span(ms)


def format_span(ms: int) -> str:
    from processor.core.time import format_duration  # noqa: PLC0415

    return format_duration(ms)


def text_of(*parts: str) -> str:
    """The parts as one text, cut at 2000 characters."""
    return "".join([part[:TEXT_MAX] for part in parts])[:TEXT_MAX]


HELPERS: Final[Mapping[str, Callable[..., Any]]] = {
    "lt": _ordered(lambda left, right: left < right),
    "le": _ordered(lambda left, right: left <= right),
    "gt": _ordered(lambda left, right: left > right),
    "ge": _ordered(lambda left, right: left >= right),
    **{
        helper.__name__: helper
        for helper in (
            as_time, as_date, midnight, plus, join, negative, absolute, rounded, least, greatest, coalesce, later,
            earlier, between, between_dates, times, parted, now, flip, today, weekday, hour, days_until,
            days_since_date, age, count_ever, count_within, sum_within, avg_within, sum_ever, avg_ever,
            happened_ever, happened_within, last, first, days_since, in_segment, in_list, in_program,
            was_in_program, entries, variant, dig, same, contains, has_text, lower, upper, starts_with, ends_with,
            length, shown, shown_time, shown_duration, text_of,
        )
    },
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "modulo": modulo,
}  # fmt: skip
