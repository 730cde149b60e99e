"""Helpers over times, dates and durations, and the clock in the contact's zone.

What changes by time alone lowers ``turn.until_ms`` to the first instant at which it can be another value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.expressions.values import as_time, divide, multiply
from processor.core.time import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    add_local_days,
    date_at,
    date_text,
    format_time,
    local,
    month_day,
    next_clock,
    offset,
    yearly,
)
from processor.core.time import zone as zone_named
from processor.core.turn import Turn, zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = [
    "age", "between", "between_dates", "days_since_date", "days_until", "earlier", "flip", "hour", "iso",
    "later",
    "look_again", "midnight", "next_step", "now", "parted", "times", "today", "weekday",
]  # fmt: skip

_SPAN_MAX: Final = 365_000 * DAY_MS
_FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01
_END_MS: Final = 253_402_300_800_000  # 10000-01-01
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_AHEAD_MAX: Final = 36_500
_THURSDAY: Final = 3  # 1970-01-01


def look_again(turn: Turn, at_ms: int) -> None:
    """Note that a value can change at ``at_ms``."""
    turn.until_ms = min(turn.until_ms, at_ms)


def midnight(turn: Turn, day: str | None) -> int | None:
    """A date as a time: the midnight it begins with in the contact's zone."""
    if day is None:
        return None
    try:
        return date_at(day, 0, 0, zone_of(turn))
    except (ValueError, OverflowError):
        return None


def iso(ms: int | None) -> str | None:
    """A time as the text that events and profiles hold it in: "2026-03-01T09:30:00Z"."""
    return None if ms is None or _instant(ms) is None else format_time(ms)


def _instant(ms: int) -> int | None:
    return ms if _FIRST_MS <= ms < _END_MS else None


def later(left: int | None, right: int | None) -> int | None:
    """A time or duration plus a duration."""
    return None if left is None or right is None else _instant(left + right)


def earlier(left: int | None, right: int | None) -> int | None:
    """A time or duration minus a duration."""
    return None if left is None or right is None else _instant(left - right)


def between(left: int | None, right: int | None) -> int | None:
    """The duration from the right time to the left one."""
    return None if left is None or right is None else left - right


def between_dates(left: str | None, right: str | None) -> int | None:
    """Whole days, each of 24 hours, as both dates are of one zone."""
    start, end = as_time(right), as_time(left)
    return None if start is None or end is None else end - start


def times(left: Any, right: Any) -> int | None:
    """A duration so many times."""
    product = multiply(left, right)
    return None if product is None or abs(product) > _SPAN_MAX else round(product)


def parted(left: Any, right: Any) -> int | None:
    """A duration divided by a number."""
    part = divide(left, right)
    return None if part is None or abs(part) > _SPAN_MAX else round(part)


def now(turn: Turn) -> int:
    """The instant of the turn, where nothing foretells when it matters: looked at again each minute."""
    ms = turn.now_ms
    turn.until_ms = min(turn.until_ms, ms + MINUTE_MS)
    return ms


def flip(turn: Turn, left: int, right: int, drift: int, after: int) -> bool:
    """Note when a comparison of two times turns out otherwise; always true, to stand in a condition.

    ``drift``: by how much ``left`` rises against ``right`` each ms. The outcome changes ``after`` ms after
    they meet; -1: as they meet, and again just after.
    """
    wait = (right - left) * drift
    wait = (wait or 1) if after < 0 else wait + after
    if wait > 0:
        look_again(turn, turn.now_ms + wait)
    return True


def next_step(value: int, steps: tuple[int, ...]) -> int | None:
    """How far a growing ``value`` is from the next step that matters; without ``steps`` each one does."""
    if not steps:
        return 1
    return min((step - value for step in steps if step > value), default=None)


def _zone(turn: Turn, name: str) -> ZoneInfo:
    """The zone of that name, the contact's without one."""
    return zone_named(name) if name else zone_of(turn)


def _midnight_in(turn: Turn, days: int, name: str = "") -> None:
    """The value changes at the local midnight so many days ahead."""
    zone = _zone(turn, name)
    at_ms = next_clock(turn.now_ms + 1, 0, zone)
    if days > 1:
        at_ms = add_local_days(at_ms, min(days, _DAYS_AHEAD_MAX) - 1, zone)
    look_again(turn, at_ms)


def _today(turn: Turn, name: str = "") -> int:
    return (turn.now_ms + offset(turn.now_ms, _zone(turn, name))) // DAY_MS


def today(turn: Turn, name: str = "") -> str:
    """The date in the contact's zone, or in the one of that name."""
    _midnight_in(turn, 1, name)
    return date_text(turn.now_ms, _zone(turn, name))


def weekday(turn: Turn, name: str = "") -> str:
    """The weekday in the contact's zone, or in the one of that name."""
    _midnight_in(turn, 1, name)
    return _WEEKDAYS[(_today(turn, name) + _THURSDAY) % 7]


def hour(turn: Turn, name: str = "") -> int:
    """The hour that the contact's clock shows, or the one of that zone."""
    shown = turn.now_ms + offset(turn.now_ms, _zone(turn, name))
    look_again(turn, turn.now_ms + HOUR_MS - shown % HOUR_MS)
    return shown % DAY_MS // HOUR_MS


def _day_of(turn: Turn, value: str | int | None) -> int | None:
    """The day number of a date, or of a time in the contact's zone."""
    if value.__class__ is int:
        try:
            return (value + offset(value, zone_of(turn))) // DAY_MS
        except (ValueError, OverflowError):
            return None
    ms = as_time(value)
    return None if ms is None else ms // DAY_MS


def days_until(turn: Turn, value: str | int | None, *steps: int) -> int | None:
    """Calendar days from today to the day; ``steps`` are those of the days that fall (see `next_step`)."""
    day = _day_of(turn, value)
    if day is None:
        return None
    days = day - _today(turn)
    ahead = next_step(-days, steps)
    if ahead is not None:
        _midnight_in(turn, ahead)
    return days


def days_since_date(turn: Turn, value: str | int | None, *steps: int) -> int | None:
    """Calendar days from the day to today; ``steps`` as of `next_step`."""
    day = _day_of(turn, value)
    if day is None:
        return None
    days = _today(turn) - day
    ahead = next_step(days, steps)
    if ahead is not None:
        _midnight_in(turn, ahead)
    return days


def age(turn: Turn, day: str | None) -> int | None:
    """Full years, missing before the day. Of 29 February: 28 February in common years, as in `yearly`."""
    if day is None:
        return None
    zone = zone_of(turn)
    month, of_month = month_day(day)
    try:
        following = yearly(turn.now_ms + 1, month, of_month, 0, 0, zone)
        years = local(following, zone).year - int(day[:4]) - 1
    except (ValueError, OverflowError):
        return None
    look_again(turn, following)
    return years if years >= 0 else None
