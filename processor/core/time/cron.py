"""Cron expressions of five fields: minute, hour, day of month, month, day of week.

A field is `*`, a number, a range `1-5`, a list `1,15` or a step `*/10` or `8-18/2`. Months and weekdays can
be names (JAN, MON); Sunday is 0 or 7. Where neither of the two day fields starts with `*`, a day that
matches either one counts, as in the cron of Unix; else both must match.

Times are of a zone's wall clock. A time that the clock skips in spring runs at the moment of the jump
(several such run once); a time that it repeats in autumn runs once, at the first pass.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from processor.core.time.constants import DAY_MS, EPOCH_ORDINAL, MINUTE_MS
from processor.core.time.zones import table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_PROBE_FROM: Final = date(1999, 12, 31).toordinal() - EPOCH_ORDINAL
_PROBE_DAYS: Final = 8 * 366
_SEARCH_DAYS: Final = 48 * 366  # 29 February of a given weekday comes back within 40 years


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    example: str
    names: dict[str, int]
    size: int = 99  # how many different values there are: Sunday has two numbers


_FIELDS: Final = (
    _Field("minute", 0, 59, "0, */15 or 0,30", {}),
    _Field("hour", 0, 23, "9, 8-18 or */2", {}),
    _Field("day of month", 1, 31, "1, 1,15 or *", {}),
    _Field("month", 1, 12, "1-6, JAN or *", {name: i + 1 for i, name in enumerate(_MONTHS)}),
    _Field("day of week", 0, 7, "MON-FRI, 0 (Sunday) or *", {name: i for i, name in enumerate(_WEEKDAYS)}, 7),
)
_SHORTHANDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression; weekdays are 0 for Monday to 6 for Sunday. Made by `parse_cron`."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def next(self, after_ms: int, zone: ZoneInfo) -> int:
        """Return the first matching instant after `after_ms`, never that itself, by the clocks of `zone`.

        Raises:
            ValueError: no match within 48 years, or beyond the year 9999.
        """
        offsets = table(zone)
        first_day, rest = divmod(offsets.shown(after_ms), DAY_MS)
        minute = -(-rest // MINUTE_MS)
        day = first_day
        while day <= first_day + _SEARCH_DAYS:
            on = _date(day)
            if on.month not in self.months:
                day, minute = _next_month(on), 0
                continue
            if self._on(on):
                for found in self._from(minute):
                    instant = offsets.first(day * DAY_MS + found * MINUTE_MS)
                    if instant > after_ms:
                        return instant
            day, minute = day + 1, 0
        msg = (
            f'cron "{self.text}" has no match within 48 years: change the day of month, month or day of week'
        )
        raise ValueError(msg)

    def _on(self, on: date) -> bool:
        """Return whether a day of a matching month counts."""
        in_days, in_weekdays = on.day in self.days, on.weekday() in self.weekdays
        return in_days or in_weekdays if self.either_day else in_days and in_weekdays

    def _from(self, minute_of_day: int) -> Iterator[int]:
        """Yield the matching minutes of a day from `minute_of_day` on."""
        first_hour, first_minute = divmod(minute_of_day, 60)
        for hour in self.hours[bisect_left(self.hours, first_hour) :]:
            skip = bisect_left(self.minutes, first_minute) if hour == first_hour else 0
            for minute in self.minutes[skip:]:
                yield hour * 60 + minute


def parse_cron(text: str) -> Cron:
    """Return the expression `text`, such as "0 9 * * MON-FRI".

    Raises:
        ValueError: a field that is wrong, by its name, with what to write; or a day that never comes (31
        February).
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        wanted = _SHORTHANDS.get(text.strip().lower(), "0 9 * * MON-FRI")
        msg = (
            f'cron "{text}" has {len(parts)} fields, not the five minute, hour, day of month, month, '
            f'day of week: write for example "{wanted}"'
        )
        raise ValueError(msg)
    minutes, hours, days, months, weekdays = (
        _parse_field(part, field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    cron = Cron(
        text=" ".join(parts),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset((value - 1) % 7 for value in weekdays),
        either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
    )
    if not _ever(cron):
        msg = (
            f'cron "{text}" never matches: its day of month "{parts[2]}" does not come in its month '
            f'"{parts[3]}" (day of week "{parts[4]}") within eight years; write a day that does, such as 28'
        )
        raise ValueError(msg)
    return cron


def _ever(cron: Cron) -> bool:
    days = (_date(_PROBE_FROM + i) for i in range(_PROBE_DAYS))
    return any(on.month in cron.months and cron._on(on) for on in days)  # noqa: SLF001  same module


def _parse_field(text: str, field: _Field) -> set[int]:
    values: set[int] = set()
    for item in text.split(","):
        values.update(_parse_item(item, text, field))
    return values


def _parse_item(item: str, text: str, field: _Field) -> range:
    """Return the values of one item of a list: `*`, a number or a range, the step applied."""
    span, slash, step_text = item.partition("/")
    low_text, dash, high_text = span.partition("-")
    if span == "*":
        low, high = field.low, min(field.high, field.low + field.size - 1)
    else:
        low = _number(low_text, text, field)
        high = _number(high_text, text, field) if dash else low
    if high < low:
        advice = f"write the smaller end first, or two ranges such as {low}-{field.high},{field.low}-{high}"
        raise _wrong(text, field, f'the range "{span}" runs backwards', advice)
    if not slash:
        return range(low, high + 1)
    if span != "*" and not dash:
        raise _wrong(text, field, "a step needs a range", f"write {span}-{field.high}/{step_text or 2}")
    if not (step_text.isascii() and step_text.isdigit()) or not 1 <= int(step_text) <= field.high:
        raise _wrong(text, field, f'the step "{step_text}" is not from 1 to {field.high}', f"write {span}/2")
    return range(low, high + 1, int(step_text))


def _number(word: str, text: str, field: _Field) -> int:
    named = field.names.get(word.upper())
    if named is not None:
        return named
    if not (word.isascii() and word.isdigit()) or not field.low <= int(word) <= field.high:
        names = f" or {next(iter(field.names))} to {list(field.names)[-1]}" if field.names else ""
        what = f'"{word}" is not from {field.low} to {field.high}{names}'
        raise _wrong(text, field, what, f"write for example {field.example}")
    return int(word)


def _wrong(text: str, field: _Field, what: str, advice: str) -> ValueError:
    return ValueError(f'cron {field.name} "{text}": {what}; {advice}')


def _date(day: int) -> date:
    try:
        return date.fromordinal(day + EPOCH_ORDINAL)
    except (ValueError, OverflowError):
        msg = f"day {day} since 1970 is outside the years 1 to 9999: check the unit, times are milliseconds"
        raise ValueError(msg) from None


def _next_month(on: date) -> int:
    """Return the day number of the first of the month after `on`."""
    month = on.year * 12 + on.month
    try:
        return date(month // 12, month % 12 + 1, 1).toordinal() - EPOCH_ORDINAL
    except ValueError:
        msg = "no match before the year 10000: give an earlier time"
        raise ValueError(msg) from None
