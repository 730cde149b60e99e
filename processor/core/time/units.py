"""Durations, instants and clock times as text.

Inside the core every instant is an int of milliseconds since 1970-01-01T00:00:00Z and every duration an int
of milliseconds; this module is where text becomes one of them, and where they become text.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from processor.core.time.constants import (
    DAY_MS,
    EARLIEST_MS,
    EPOCH_ORDINAL,
    HOUR_MS,
    LATEST_MS,
    MINUTE_MS,
    SECOND_MS,
    WEEK_MS,
)
from processor.core.time.zones import to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = [
    "DAY_MS",
    "EARLIEST_MS",
    "HOUR_MS",
    "LATEST_MS",
    "MINUTE_MS",
    "SECOND_MS",
    "WEEK_MS",
    "date_of_day",
    "format_duration",
    "format_time",
    "parse_clock",
    "parse_duration",
    "parse_time",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"w": WEEK_MS, "d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS}
_DURATION: Final = re.compile(r"(?:[0-9]{1,10}[wdhms])(?: *[0-9]{1,10}[wdhms])*")
_PART: Final = re.compile(r"([0-9]+)([wdhms])")
_LONGEST_MS: Final = 36_500 * DAY_MS
_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DATE_CHARS: Final = 10
_MINUTES: Final = tuple(f"T{h:02d}:{m:02d}:" for h in range(24) for m in range(60))
_SECONDS: Final = tuple(f"{s:02d}Z" for s in range(60))


def parse_duration(text: str) -> int:
    """Return the duration that `text` says, in ms: "90s", "30m", "1h", "2d", "1w", "1h30m", "1d 12h".

    Raises:
        ValueError: not a duration, a unit twice, or more than 36500d; the message says what to write.
    """
    body = text.strip()
    if _DURATION.fullmatch(body) is None:
        msg = (
            f'"{text}" is not a duration: write whole numbers with the units w, d, h, m or s, '
            "largest first, such as 30m, 2d or 1h30m"
        )
        raise ValueError(msg)
    total = 0
    seen: set[str] = set()
    for number, unit in _PART.findall(body):
        if unit in seen:
            msg = f'"{text}" says the unit {unit} twice: write each unit once, such as 1h30m'
            raise ValueError(msg)
        seen.add(unit)
        total += int(number) * _UNITS[unit]
    if total > _LONGEST_MS:
        msg = f'"{text}" is longer than a hundred years: write at most 36500d'
        raise ValueError(msg)
    return total


def format_duration(ms: int) -> str:
    """Return a duration in ms as text that `parse_duration` reads: "1d 12h".

    Days are the largest unit; parts of a second are cut off, so less than one second is "0s". A negative
    duration starts with a minus sign, which `parse_duration` does not read.
    """
    left = abs(ms)
    parts = []
    for unit in "dhms":
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if not parts:
        return "0s"
    return ("-" if ms < 0 else "") + " ".join(parts)


def parse_time(text: str, zone: ZoneInfo | None = None) -> int:
    """Return the instant that an ISO 8601 `text` says; digits beyond the ms are cut off.

    Read are "2026-03-01", "2026-03-01 09:30", "2026-03-01T09:30:00.250", the latter two also with "Z" or an
    offset such as "+02:00". A time without offset is local to `zone` (none: UTC), by the rule of
    `zones.to_ms`. The result can lie outside EARLIEST_MS to LATEST_MS: a birth date does.

    Raises:
        ValueError: not such a time; the message says what to write.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_time_message(text)) from None
    if text[4] != "-" or text[7] != "-" or (len(text) > _DATE_CHARS and text[_DATE_CHARS] not in "T "):
        raise ValueError(_time_message(text))
    if parsed.tzinfo is None:
        if zone is not None:
            return to_ms(parsed, zone)
        parsed = parsed.replace(tzinfo=UTC)
    since = parsed - _EPOCH
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000


def format_time(ms: int) -> str:
    """Return an instant as ISO 8601 in UTC: "2026-03-01T09:30:00Z", or "…:00.250Z" when not a whole second.

    Raises:
        ValueError: outside the years 1 to 9999.
    """
    day, rest = divmod(ms, DAY_MS)
    minute, rest = divmod(rest, MINUTE_MS)
    second, milli = divmod(rest, SECOND_MS)
    if milli:
        return f"{date_of_day(day)}{_MINUTES[minute]}{second:02d}.{milli:03d}Z"
    return date_of_day(day) + _MINUTES[minute] + _SECONDS[second]


def parse_clock(text: str) -> int:
    """Return a wall-clock time such as "21:00" or "9:05" as minutes after midnight, 0 to 1439.

    Raises:
        ValueError: not a clock time; the message says what to write.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        msg = f'"{text}" is not a clock time: write hours and minutes from 00:00 to 23:59, such as 21:00'
        raise ValueError(msg)
    return int(match[1]) * 60 + int(match[2])


@lru_cache(maxsize=8192)
def date_of_day(day: int) -> str:
    """Return the date "2026-03-01" of a day number (0 is 1970-01-01).

    Raises:
        ValueError: outside the years 1 to 9999.
    """
    try:
        return date.fromordinal(day + EPOCH_ORDINAL).isoformat()
    except (ValueError, OverflowError):
        msg = f"day {day} is outside the years 1 to 9999: check the unit, times are milliseconds since 1970"
        raise ValueError(msg) from None


def _time_message(text: str) -> str:
    return f'"{text}" is not a time: write 2026-03-01, 2026-03-01 09:30 or 2026-03-01T09:30:00Z'
