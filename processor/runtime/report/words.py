"""Numbers and verdicts as people read them, the same on a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from processor.runtime.sentences import REASONS

__all__ = [
    "NOTHING", "VERDICTS", "axis_labels", "count", "duration", "ending", "interval_points", "meaning",
    "moment", "money", "percent", "points", "relative", "span", "stretch",
]  # fmt: skip

VERDICTS: Final[Mapping[str, str]] = {
    "": "",
    "base": "compared with",
    "better": "better",
    "worse": "worse",
    "no_difference": "no difference seen",
    "too_small": "too few to say",
    "no_holdout": "nobody held out",
    "no_value": "goal has no value",
}
"""What a verdict is called."""

_ENDINGS: Final = {
    "goal": "reached the goal",
    "exited": "left",
    "completed": "ran all steps",
    "window_closed": "the goal did not come in time",
    "open": "still inside",
}
NOTHING: Final = "\N{EN DASH}"
_CLOSE: Final = "\N{NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"
_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_LABELS_MAX: Final = 11  # names below an axis
_EVERY: Final = {
    "hour": (1, 3, 6, 12),
    "day": (1, 2, 3, 7, 14),
    "week": (1, 2, 4, 8, 13),
    "month": (1, 2, 3, 6, 12, 24, 60),
    "year": (1, 2, 5, 10, 20),
}
_TEN: Final = 10
_HUNDRED: Final = 100
_PENNY: Final = 0.01
_LEAST: Final = 0.0001
_MILLION: Final = 1_000_000


def count(value: int) -> str:
    """1234 as 1,234."""
    return f"{value:,}"


def percent(share: float | None) -> str:
    """0.1234 as 12.3%, a dash for none."""
    return NOTHING if share is None else f"{100 * share:.1f}%"


def points(difference: float | None) -> str:
    """0.0123 as +1.2: percentage points, always with their sign."""
    if difference is None:
        return NOTHING
    text = f"{100 * difference:+.1f}".replace("-", _MINUS)
    return "0.0" if text[1:] == "0.0" else text


def relative(change: float) -> str:
    """0.123 as +12%: a change of a rate in percent of it."""
    return f"{100 * change:+.0f}%".replace("-", _MINUS)


def interval_points(low: float | None, high: float | None) -> str:
    """An interval of a difference, in percentage points."""
    return NOTHING if low is None or high is None else f"{points(low)} to {points(high)}"


def money(value: float | None, currency: str = "") -> str:
    """12345.6 as 12,346 GBP: pence up to a hundred, none above, millions as such; of a penny two digits."""
    if value is None or math.isnan(value):
        return NOTHING
    size = abs(value)
    if size >= _MILLION:
        text = f"{value / _MILLION:,.2f}M"
    elif size >= _HUNDRED:
        text = f"{value:,.0f}"
    elif 0 < size < _PENNY:
        text = f"{value:.2g}" if size >= _LEAST else "0.00"
    else:
        text = f"{value:,.2f}"
    return f"{text} {currency}".replace("-", _MINUS).rstrip()


def duration(seconds: float | None) -> str:
    """A time in its largest fitting unit: 45 s, 12 min, 3.4 h, 22 d; a dash for none."""
    if seconds is None:
        return NOTHING
    for size, name in _UNITS:
        if seconds >= size or name == "s":
            value = seconds / size
            digits = 0 if value >= _TEN or name == "s" else 1
            return f"{value:.{digits}f}{_CLOSE}{name}"
    raise AssertionError("seconds take whatever is left")


def moment(at_ms: int | None, zone: ZoneInfo) -> str:
    """A day on a topology's calendar, a dash for none."""
    if at_ms is None:
        return NOTHING
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone):%Y-%m-%d}"


def span(first_ms: int | None, last_ms: int | None, zone: ZoneInfo) -> str:
    """From one day to another."""
    first, last = moment(first_ms, zone), moment(last_ms, zone)
    return first if first == last else f"{first} to {last}"


def stretch(at_ms: int, size: str, zone: ZoneInfo) -> str:
    """What a stretch of time is called; a week is called by its Monday."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    form = {"hour": "%a %d %b, %H:00", "day": "%a %d %b %Y", "week": "week of %d %b %Y", "month": "%b %Y"}
    return local.strftime(form.get(size, "%Y"))


def axis_labels(labels: Sequence[str], size: str) -> list[str]:
    """What stands below an axis of stretches of time: about a dozen of their names, in short, else nothing.

    Months are named where a round number of them has passed since a January, so that years are seen.
    """
    every = next((step for step in _EVERY[size] if len(labels) <= step * _LABELS_MAX), _EVERY[size][-1])
    first = 0
    if size == "month" and labels:
        january = next((place for place, label in enumerate(labels) if label.startswith("Jan")), 0)
        first = january % every
    made = []
    for place, label in enumerate(labels):
        short = label.removeprefix("week of ") if size == "week" else label
        if size in {"hour", "day"}:
            short = label.partition(" ")[2]
        made.append(short if place % every == first else "")
    return made


def meaning(kind: str, reason: str) -> str:
    """What the reason of a ``suppressed`` or ``not_entered`` decision means, or the reason itself."""
    rule, _, name = reason.partition(":")
    known = REASONS[kind]
    return (known.get(reason) or known.get(rule) or reason).replace("{name}", name)


def ending(name: str, reason: str) -> str:
    """How an enrollment stands or ended, in words."""
    said = _ENDINGS[name]
    if name != "exited" or not reason:
        return said
    return f"{said}: {REASONS['exited'].get(reason, reason)}"
