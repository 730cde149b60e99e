"""Time zones from the pinned `tzdata` package, never from the machine.

Two machines with different system zone files would decide differently about the same log, so every zone is
read from the files of the installed `tzdata` package, once, and kept: the caches are bounded by the number
of zones there are (about 600).

One rule covers local times that are not a single instant, in all of this package unless a function says
otherwise:

* one that is **skipped** (the clock jumps over it in spring) moves forward by the gap: 02:30 becomes 03:30;
* one that is **repeated** (the clock is put back in autumn) means its first occurrence.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from processor.core.time.constants import DAY_MS, SECOND_MS
from processor.core.time.table import ZoneTable

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  a wall-clock reading, of no zone
_ZONES: Final[dict[str, ZoneInfo]] = {}
_TABLES: Final[dict[str, ZoneTable]] = {}


def zone(name: str) -> ZoneInfo:
    """Return the zone called `name`, such as "Europe/Berlin"; the same object each time.

    Raises:
        ValueError: no such zone; the message names the nearest ones.
    """
    found = _ZONES.get(name)
    if found is not None:
        return found
    if not is_zone(name):
        raise ValueError(_unknown(name))
    with _file(name).open("rb") as stream:
        return _ZONES.setdefault(name, ZoneInfo.from_file(stream, key=name))


def is_zone(name: str) -> bool:
    """Return whether `name` is the name of a zone, in exact upper and lower case."""
    return name in _names()


def zone_or(name: Any, default: ZoneInfo) -> ZoneInfo:
    """Return the zone called `name`, or `default` where that is missing, empty, unknown or no text."""
    if not name or not isinstance(name, str):
        return default
    found = _ZONES.get(name)
    if found is not None:
        return found
    return zone(name) if is_zone(name) else default


def table(zone: ZoneInfo) -> ZoneTable:
    """Return the offsets of `zone` as sorted integers, of the pinned file whichever way the object was made.

    Raises:
        ValueError: the zone has no name, or one that is not known.
    """
    found = _TABLES.get(zone.key)
    return found if found is not None else _make_table(zone)


def offset(ms: int, zone: ZoneInfo) -> int:
    """Return how many ms the clocks of `zone` are ahead of UTC at the instant `ms` (negative: behind).

    Raises:
        ValueError: beyond the year 9999.
    """
    return table(zone).offset(ms)


def local(ms: int, zone: ZoneInfo) -> datetime:
    """Return `ms` as an aware datetime in `zone`; `fold` is 1 in the second pass of a repeated hour.

    Raises:
        ValueError: outside the years 1 to 9999.
    """
    try:
        return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)
    except OverflowError:
        msg = (
            f"the time {ms} ms is outside the years 1 to 9999: check the unit, it is milliseconds since 1970"
        )
        raise ValueError(msg) from None


def to_ms(naive: datetime, zone: ZoneInfo) -> int:
    """Return the instant in ms of a wall-clock reading in `zone`, microseconds cut off.

    A skipped reading moves forward by the gap, a repeated one means its first occurrence; `fold` is ignored.

    Raises:
        ValueError: `naive` carries a zone of its own.
    """
    if naive.tzinfo is not None:
        msg = f"{naive.isoformat()} has an offset already: give the local time without one"
        raise ValueError(msg)
    since = naive - _NAIVE_EPOCH
    return table(zone).resolve(since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000)


def _make_table(zone_: ZoneInfo) -> ZoneTable:
    name = str(zone_.key)  # None for a zone that was read from a file without naming it
    pinned = zone(name)
    return _TABLES.setdefault(name, ZoneTable(pinned, _file(name).read_bytes()))


def _file(name: str) -> Traversable:
    place: Traversable = files("tzdata") / "zoneinfo"
    for part in name.split("/"):
        place = place / part
    return place


@cache
def _names() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text(encoding="ascii").split())


def _unknown(name: str) -> str:
    wanted = name.strip().replace(" ", "_").casefold()
    by_fold: dict[str, list[str]] = {}
    for known in sorted(_names()):
        for form in {known.casefold(), known.rpartition("/")[2].casefold()}:
            by_fold.setdefault(form, []).append(known)
    near = get_close_matches(wanted, sorted(by_fold), n=3, cutoff=0.75)
    hits = list(dict.fromkeys(known for form in near for known in by_fold[form]))[:3]
    advice = f"write {' or '.join(hits)}" if hits else 'write an IANA name such as "Europe/Berlin" or "UTC"'
    return f'unknown time zone "{name}": {advice}'
