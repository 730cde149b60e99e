"""Time in bins: hours of a topology's clock, put together to days, weeks, months or years.

A **slot** is an hour of the local calendar, 24 times the day's number plus the hour. An hour that occurs
twice in autumn is one slot, the hour that is missing in spring is none; so a day is 24 slots whatever the
clock does.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from processor.core.time import DAY_MS

__all__ = ["BINS", "Slots", "bin_for", "bin_start", "bins_between"]

BINS: Final = ("hour", "day", "week", "month", "year")
HOURS_MAX: Final = 49  # bins of an hour for up to two days, ...
DAYS_MAX: Final = 93  # ... of a day for up to three months, ...
WEEKS_MAX: Final = 106  # ... of a week for up to two years, ...
MONTHS_MAX: Final = 240  # ... of a month for up to twenty, then of a year

_DAY: Final = 24
_QUARTER_MS: Final = 15 * 60 * 1000  # no zone has an offset that is no multiple of it
_EPOCH: Final = date(1970, 1, 1).toordinal()


class Slots:
    """Slots of one zone, remembered by the quarter of an hour."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._known: dict[int, int] = {}

    def of(self, at_ms: int) -> int:
        """Return the slot of an instant."""
        quarter = at_ms // _QUARTER_MS
        slot = self._known.get(quarter)
        if slot is None:
            local = datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, UTC).astimezone(self.zone)
            slot = self._known[quarter] = (local.toordinal() - _EPOCH) * _DAY + local.hour
        return slot

    def instant(self, slot: int) -> int:
        """Return the instant (ms) at which a slot begins."""
        day = date.fromordinal(slot // _DAY + _EPOCH)
        local = datetime(day.year, day.month, day.day, slot % _DAY, tzinfo=self.zone)
        return int(local.timestamp() * 1000)


def bin_for(span_ms: int) -> str:
    """Return the bin that a time so long is best shown in."""
    days = span_ms / DAY_MS
    if days * _DAY <= HOURS_MAX:
        return "hour"
    if days <= DAYS_MAX:
        return "day"
    if days <= 7 * WEEKS_MAX:
        return "week"
    return "month" if days <= 31 * MONTHS_MAX else "year"


def bin_start(slot: int, size: str) -> int:
    """Return the slot with which the bin of a slot begins; weeks begin on Monday."""
    if size == "hour":
        return slot
    day = date.fromordinal(slot // _DAY + _EPOCH)
    if size == "week":
        day -= timedelta(days=day.weekday())
    elif size == "month":
        day = day.replace(day=1)
    elif size == "year":
        day = day.replace(month=1, day=1)
    return (day.toordinal() - _EPOCH) * _DAY


def bins_between(first: int, last: int, size: str) -> list[int]:
    """Return the first slots of all bins, from that of one slot to that of another, none left out."""
    found = [bin_start(first, size)]
    end = bin_start(last, size)
    while found[-1] < end:
        step = {"hour": 1, "day": _DAY, "week": 7 * _DAY, "month": 32 * _DAY, "year": 367 * _DAY}[size]
        found.append(bin_start(found[-1] + step, size))
    return found
