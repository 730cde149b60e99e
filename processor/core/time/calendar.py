"""Wall-clock arithmetic: the next 09:00, quiet hours, birthdays, weekdays, each in a contact's own zone.

Instants and results are ms since 1970 UTC, clock times are minutes after local midnight (0 to 1439), weekdays
are 0 for Monday to 6 for Sunday. Local times that are skipped or repeated follow the rule of `zones`: a
skipped one moves forward by the gap, of a repeated one the first counts. Quiet periods have a stricter rule,
see `quiet_until`.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from processor.core.time.constants import DAY_MINUTES, DAY_MS, EPOCH_ORDINAL, HOUR_MS, MINUTE_MS
from processor.core.time.units import date_of_day, parse_time
from processor.core.time.zones import table

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EVERY_DAY: Final = frozenset(range(7))
_LEAP_YEAR: Final = 2000
_FEBRUARY: Final = 2
_LEAP_DAY: Final = 29
_DATE_CHARS: Final = len("2026-03-01")
_THURSDAY: Final = 3  # 1970-01-01


def next_clock(after_ms: int, minutes: int, zone: ZoneInfo, weekdays: frozenset[int] | None = None) -> int:
    """Return the first instant from `after_ms` on at which the clocks show `minutes`, on one of `weekdays`.

    Each local day has the clock time once: on a day that skips it the instant is as much later as the gap is
    long, on a day that repeats it the first counts, so from between the two the answer is a later day. None
    means every weekday.

    Raises:
        ValueError: `minutes` not from 0 to 1439, or `weekdays` empty or not from 0 to 6.
    """
    _check_clock(minutes)
    _check_weekdays(weekdays)
    offsets = table(zone)
    clock_ms = minutes * MINUTE_MS
    # The day before counts too: a gap at midnight moves its late clock times into the day after.
    day = (after_ms + offsets.offset(after_ms)) // DAY_MS - 1
    while True:
        if weekdays is None or (day + _THURSDAY) % 7 in weekdays:
            found = offsets.resolve(day * DAY_MS + clock_ms)
            if found >= after_ms:
                return found
        day += 1


def add_local_days(ms: int, n: int, zone: ZoneInfo) -> int:
    """Return the instant `n` local days after `ms` (negative: before) at the same wall-clock time, to the ms.

    A day of 23 or 25 hours counts as one day.
    """
    if n == 0:
        return ms
    offsets = table(zone)
    return offsets.resolve(ms + offsets.offset(ms) + n * DAY_MS)


def quiet_until(
    ms: int, from_min: int, to_min: int, zone: ZoneInfo, weekdays: frozenset[int] | None = None
) -> int | None:
    """Return the instant at which the quiet period that contains `ms` ends, or None when `ms` is not in one.

    A period runs from the clock time `from_min` to the next `to_min`, over midnight when that is not later;
    both equal means 24 hours. `weekdays` are those it starts on (None: every one). The start belongs to it,
    the end does not. Periods that touch are one.

    Whenever the clock shows a time of the period, it is quiet: a period that starts in a repeated hour
    starts at the first pass, one that ends in it ends at the second, and a start or an end in a skipped
    hour is the moment of the jump.

    Raises:
        ValueError: clock times not from 0 to 1439, bad weekdays, or quiet at all times.
    """
    starts, ends = _quiet(ms // DAY_MS, from_min, to_min, zone, weekdays)
    index = bisect_right(starts, ms)
    if index and ms < ends[index - 1]:
        return ends[index - 1]
    return None


def next_quiet_start(
    ms: int, from_min: int, to_min: int, zone: ZoneInfo, weekdays: frozenset[int] | None = None
) -> int:
    """Return the first instant after `ms`, never `ms` itself, at which a quiet period starts (`quiet_until`).

    Periods that touch are one: where Saturday and Sunday are quiet all day, Sunday's midnight is not a start.

    Raises:
        ValueError: as `quiet_until`.
    """
    starts, _ = _quiet(ms // DAY_MS, from_min, to_min, zone, weekdays)
    return starts[bisect_right(starts, ms)]


@lru_cache(maxsize=16_384)
def _quiet(
    utc_day: int, from_min: int, to_min: int, zone: ZoneInfo, weekdays: frozenset[int] | None
) -> tuple[list[int], list[int]]:
    """Return the starts and ends of the quiet periods around a UTC day; at least one starts after it."""
    _check_clock(from_min)
    _check_clock(to_min)
    _check_weekdays(weekdays)
    if from_min == to_min and (weekdays is None or weekdays == _EVERY_DAY):
        msg = "quiet at every hour of every day never ends: leave some free, or pause the program"
        raise ValueError(msg)
    offsets = table(zone)
    length = (to_min - from_min) % DAY_MINUTES or DAY_MINUTES
    # Days to look back and ahead: whole days run for up to six, a gap can swallow one week's period.
    back, ahead = (3, 5) if weekdays is None else (9, 17)
    starts: list[int] = []
    ends: list[int] = []
    for day in range(utc_day - back, utc_day + ahead):
        if weekdays is not None and (day + _THURSDAY) % 7 not in weekdays:
            continue
        local_ms = day * DAY_MS + from_min * MINUTE_MS
        start, end = offsets.first(local_ms), offsets.last(local_ms + length * MINUTE_MS)
        if start >= end:
            continue
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def yearly(after_ms: int, month: int, day: int, offset_days: int, minutes: int, zone: ZoneInfo) -> int:
    """Return the first instant from `after_ms` on that is the anniversary of `month`/`day`, local time.

    `offset_days` whole local days are added to the date first; negative is before it. An anniversary of
    29 February is on 28 February in common years: it stays in its month, the last of it as in leap years, and
    what is announced for a day (a renewal, a trial's end) is rather a day early than late.

    Raises:
        ValueError: no such day in any year, or `minutes` not from 0 to 1439.
    """
    _check_clock(minutes)
    _check_month_day(month, day)
    offsets = table(zone)
    today = (after_ms + offsets.offset(after_ms)) // DAY_MS
    year = date.fromordinal(today - offset_days + EPOCH_ORDINAL).year - 1
    while True:
        year += 1
        on = date(year, month, _day_in(year, month, day)).toordinal() - EPOCH_ORDINAL + offset_days
        if on < today - 1:
            continue
        found = offsets.resolve(on * DAY_MS + minutes * MINUTE_MS)
        if found >= after_ms:
            return found


def date_at(date_iso: str, offset_days: int, minutes: int, zone: ZoneInfo) -> int:
    """Return the instant at the local clock time, `offset_days` whole days after the date "YYYY-MM-DD".

    The date may be before 1970 (a birth date), the result is negative then.

    Raises:
        ValueError: not such a date, or `minutes` not from 0 to 1439.
    """
    _check_clock(minutes)
    on = _parse_date(date_iso).toordinal() - EPOCH_ORDINAL + offset_days
    return table(zone).resolve(on * DAY_MS + minutes * MINUTE_MS)


@lru_cache(maxsize=4_096)
def local_span(begin: str, end: str, zone: ZoneInfo) -> tuple[int, int]:
    """Return the instants from the beginning of ``begin`` to the end of ``end`` (exclusive), in a zone.

    Each is a date or a time; a date ends with its last local minute, a time is the end itself.

    Raises:
        ValueError: neither a date nor a time.
    """
    first = date_at(begin, 0, 0, zone) if len(begin) == _DATE_CHARS else parse_time(begin, zone)
    return first, date_at(end, 1, 0, zone) if len(end) == _DATE_CHARS else parse_time(end, zone)


def local_date(text: str, zone: ZoneInfo) -> str:
    """Return the date that a text means in `zone`: a date "YYYY-MM-DD" as it is, a time's local date.

    Raises:
        ValueError: `text` is longer or shorter than a date, and not a time.
    """
    return text if len(text) == _DATE_CHARS else date_text(parse_time(text, zone), zone)


def month_day(date_iso: str) -> tuple[int, int]:
    """Return month and day of a date "YYYY-MM-DD", for `yearly`.

    Raises:
        ValueError: not such a date.
    """
    parsed = _parse_date(date_iso)
    return parsed.month, parsed.day


def weekday(ms: int, zone: ZoneInfo) -> int:
    """Return the local weekday at `ms`: 0 for Monday to 6 for Sunday."""
    return ((ms + table(zone).offset(ms)) // DAY_MS + _THURSDAY) % 7


def hour(ms: int, zone: ZoneInfo) -> int:
    """Return the hour that the local clock shows at `ms`, 0 to 23."""
    return (ms + table(zone).offset(ms)) % DAY_MS // HOUR_MS


def clock(ms: int, zone: ZoneInfo) -> int:
    """Return the minutes after midnight that the local clock shows at `ms`, 0 to 1439."""
    return (ms + table(zone).offset(ms)) % DAY_MS // MINUTE_MS


def date_text(ms: int, zone: ZoneInfo) -> str:
    """Return the local date at `ms` as "YYYY-MM-DD".

    Raises:
        ValueError: outside the years 1 to 9999.
    """
    return date_of_day((ms + table(zone).offset(ms)) // DAY_MS)


def days_between(a_ms: int, b_ms: int) -> int:
    """Return how many full days of 24 hours pass from `a_ms` to `b_ms`; negative when `b_ms` is earlier."""
    return (b_ms - a_ms) // DAY_MS if b_ms >= a_ms else -((a_ms - b_ms) // DAY_MS)


def _day_in(year: int, month: int, day: int) -> int:
    if month == _FEBRUARY and day == _LEAP_DAY and (year % 4 or (year % 100 == 0 and year % 400)):
        return _LEAP_DAY - 1
    return day


def _parse_date(text: str) -> date:
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.isoformat() != text:
        msg = f'"{text}" is not a date: write year, month and day such as 2026-03-01'
        raise ValueError(msg)
    return parsed


def _check_month_day(month: int, day: int) -> None:
    try:
        date(_LEAP_YEAR, month, day)
    except ValueError:
        msg = f"month {month} has no day {day} in any year: write a month from 1 to 12 and a day that it has"
        raise ValueError(msg) from None


def _check_clock(minutes: int) -> None:
    if not 0 <= minutes < DAY_MINUTES:
        msg = f"the clock time {minutes} is not from 0 to 1439: write minutes after midnight"
        raise ValueError(msg)


def _check_weekdays(weekdays: frozenset[int] | None) -> None:
    if weekdays is not None and not (weekdays and weekdays <= _EVERY_DAY):
        msg = f"the weekdays {sorted(weekdays)} are not some of 0 (Monday) to 6 (Sunday)"
        raise ValueError(msg)
