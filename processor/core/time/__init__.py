"""Time in the core: instants are int ms since 1970 UTC (`_ms`), durations int ms.

Nothing here reads a clock. `units` turns text into times and back, `zones` resolves local times by the pinned
`tzdata` package, `calendar` does wall-clock arithmetic (next 09:00, quiet hours, birthdays), `cron`
schedules. Import from this package, not from its modules.
"""

from processor.core.time.calendar import (
    add_local_days,
    clock,
    date_at,
    date_text,
    days_between,
    hour,
    local_date,
    local_span,
    month_day,
    next_clock,
    next_quiet_start,
    quiet_until,
    weekday,
    yearly,
)
from processor.core.time.constants import (
    DAY_MINUTES,
    DAY_MS,
    EARLIEST_MS,
    HOUR_MS,
    LATEST_MS,
    MINUTE_MS,
    SECOND_MS,
    WEEK_MS,
)
from processor.core.time.cron import Cron, parse_cron
from processor.core.time.periods import PERIODS, period_span
from processor.core.time.units import format_duration, format_time, parse_clock, parse_duration, parse_time
from processor.core.time.zones import is_zone, local, offset, to_ms, zone, zone_or

__all__ = [
    "DAY_MINUTES",
    "DAY_MS",
    "EARLIEST_MS",
    "HOUR_MS",
    "LATEST_MS",
    "MINUTE_MS",
    "PERIODS",
    "SECOND_MS",
    "WEEK_MS",
    "Cron",
    "add_local_days",
    "clock",
    "date_at",
    "date_text",
    "days_between",
    "format_duration",
    "format_time",
    "hour",
    "is_zone",
    "local",
    "local_date",
    "local_span",
    "month_day",
    "next_clock",
    "next_quiet_start",
    "offset",
    "parse_clock",
    "parse_cron",
    "parse_duration",
    "parse_time",
    "period_span",
    "quiet_until",
    "to_ms",
    "weekday",
    "yearly",
    "zone",
    "zone_or",
]
