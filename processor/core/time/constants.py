"""Lengths of time and the accepted range of event times, all in milliseconds."""

from __future__ import annotations

from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
WEEK_MS: Final = 604_800_000

DAY_MINUTES: Final = 1_440
"""Minutes on a clock face: a wall-clock time is an int from 0 to 1439."""

EARLIEST_MS: Final = 0
"""The earliest accepted event time: 1970-01-01T00:00:00Z."""

LATEST_MS: Final = 4_102_444_800_000
"""The first instant that is too late for an event: 2100-01-01T00:00:00Z."""

EPOCH_ORDINAL: Final = 719_163
"""`date(1970, 1, 1).toordinal()`: turns a day number since 1970 into a calendar date."""
