"""Days, weeks and months of a zone's calendar, as spans of instants."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from processor.core.time.constants import DAY_MS, EPOCH_ORDINAL
from processor.core.time.zones import table

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["PERIODS", "period_span"]

PERIODS: Final = ("day", "week", "month")


def period_span(ms: int, per: str, zone: ZoneInfo) -> tuple[int, int]:
    """Return the first instant of the local day, week (from Monday) or month at `ms`, and that of the next.

    Raises:
        ValueError: `per` is none of PERIODS, or the instant is outside the years 1 to 9999.
    """
    offsets = table(zone)
    today = date.fromordinal((ms + offsets.offset(ms)) // DAY_MS + EPOCH_ORDINAL)
    if per == "day":
        first, after = today, today + timedelta(days=1)
    elif per == "week":
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=7)
    elif per == "month":
        first = today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    else:
        raise ValueError(f"{per!r} is not one of {', '.join(PERIODS)}")
    return (
        offsets.resolve((first.toordinal() - EPOCH_ORDINAL) * DAY_MS),
        offsets.resolve((after.toordinal() - EPOCH_ORDINAL) * DAY_MS),
    )
