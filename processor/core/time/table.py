"""One zone as sorted integers, so that converting an instant is one bisection.

`zoneinfo` answers through `datetime` objects; on the hot path that costs more than all that is done with
the answer. A `ZoneTable` holds the same transitions (taken from the same pinned file, the rule for future
years unrolled up to 2110) as lists of milliseconds. Beyond the unrolled years it asks `zoneinfo`, so it is
exact for the years 1 to 9999.

"Local ms" below means the reading of the wall clock as if it were UTC: milliseconds since 1970-01-01T00:00
on that clock.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from processor.core.time.constants import DAY_MS, SECOND_MS, WEEK_MS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  a wall-clock reading, of no zone
_RULE_FROM_MS: Final = -2_208_988_800_000  # 1900: where a zone without listed transitions starts to be probed
_TABLE_END_MS: Final = 4_417_977_600_000  # 2110-01-01
_HEADER_BYTES: Final = 44
_MS: Final = timedelta(milliseconds=1)


class ZoneTable:
    """The UTC offsets of one zone over time.

    `starts[i]` is the instant at which the offset changes from `offsets[i]` to `offsets[i + 1]`, both in ms.
    """

    __slots__ = ("_latest_wall", "_wall_earlier", "_wall_later", "_zone", "offsets", "starts")

    def __init__(self, zone: ZoneInfo, content: bytes) -> None:
        """Build the table of `zone` from its TZif file `content`."""
        self._zone = zone
        self.starts: list[int] = []
        self.offsets: list[int] = [_slow_offset(zone, _first_probe(content))]
        for start in _transitions(zone, content):
            offset = _slow_offset(zone, start)
            if offset != self.offsets[-1]:
                self.starts.append(start)
                self.offsets.append(offset)
        steps = list(zip(self.starts, self.offsets, self.offsets[1:], strict=False))
        # Readings below _wall_later[i] can be of before transition i, from _wall_earlier[i] on of after it.
        self._wall_later = [start + max(before, after) for start, before, after in steps]
        self._wall_earlier = [start + min(before, after) for start, before, after in steps]
        self._latest_wall = _TABLE_END_MS - DAY_MS

    def offset(self, ms: int) -> int:
        """Return the UTC offset in ms at the instant `ms`.

        Raises:
            ValueError: beyond the year 9999.
        """
        if ms < _TABLE_END_MS:
            return self.offsets[bisect_right(self.starts, ms)]
        return _slow_offset(self._zone, ms)

    def resolve(self, local_ms: int) -> int:
        """Return the instant of a reading: a skipped one moves by the gap, of a repeated one the first."""
        if local_ms < self._latest_wall:
            return local_ms - self.offsets[bisect_right(self._wall_later, local_ms)]
        return local_ms - self._slow_wall_offset(local_ms, fold=0)

    def first(self, local_ms: int) -> int:
        """Return the first instant at which the wall clock shows `local_ms` or has jumped past it."""
        if local_ms < self._latest_wall:
            index = bisect_right(self._wall_later, local_ms)
            found = local_ms - self.offsets[index]
            if index < len(self.starts) and found > self.starts[index]:
                return self.starts[index]
            return found
        before = self._slow_wall_offset(local_ms, fold=0)
        after = self._slow_wall_offset(local_ms, fold=1)
        if after > before:
            return self._slow_gap(local_ms - after, local_ms - before)
        return local_ms - before

    def last(self, local_ms: int) -> int:
        """Return the last instant at which the wall clock shows `local_ms`, or jumps past it."""
        if local_ms < self._latest_wall:
            index = bisect_right(self._wall_earlier, local_ms)
            found = local_ms - self.offsets[index]
            if index and found < self.starts[index - 1]:
                return self.starts[index - 1]
            return found
        before = self._slow_wall_offset(local_ms, fold=0)
        after = self._slow_wall_offset(local_ms, fold=1)
        if after > before:
            return self._slow_gap(local_ms - after, local_ms - before)
        return local_ms - after

    def shown(self, ms: int) -> int:
        """Return the highest local ms that the clock has shown by `ms`; while it repeats, more than now."""
        index = bisect_right(self.starts, ms)
        local_ms = ms + self.offset(ms)
        if index and index < len(self.offsets):
            return max(local_ms, self.starts[index - 1] + self.offsets[index - 1])
        return local_ms

    def _slow_wall_offset(self, local_ms: int, *, fold: int) -> int:
        try:
            wall = (_NAIVE_EPOCH + timedelta(milliseconds=local_ms)).replace(tzinfo=self._zone, fold=fold)
        except OverflowError:
            raise ValueError(_range_message(local_ms)) from None
        return _as_ms(wall.utcoffset())

    def _slow_gap(self, low_ms: int, high_ms: int) -> int:
        return _bisect(self._zone, low_ms, high_ms + SECOND_MS)


def _range_message(ms: int) -> str:
    return f"the time {ms} ms is outside the years 1 to 9999: check the unit, it is milliseconds since 1970"


def _as_ms(offset: timedelta | None) -> int:
    return 0 if offset is None else offset // _MS


def _slow_offset(zone: ZoneInfo, ms: int) -> int:
    try:
        return _as_ms((_EPOCH + timedelta(milliseconds=ms)).astimezone(zone).utcoffset())
    except OverflowError:
        raise ValueError(_range_message(ms)) from None


def _listed(content: bytes) -> list[int]:
    """Return the transition instants in ms that a TZif file lists, of its 64-bit block if it has one."""
    at, width = 0, 4
    counts = _counts(content, 0)
    if content[4:5] >= b"2":
        at = _HEADER_BYTES + _block_bytes(counts, 4)
        width = 8
        counts = _counts(content, at)
    begin = at + _HEADER_BYTES
    times = (content[begin + i * width : begin + (i + 1) * width] for i in range(counts[3]))
    return [int.from_bytes(time, "big", signed=True) * SECOND_MS for time in times]


def _counts(content: bytes, at: int) -> tuple[int, ...]:
    """Return the six counts of a TZif header: isut, isstd, leap, time, type, char."""
    if content[at : at + 4] != b"TZif":
        msg = "the zone file is not in TZif format: reinstall the tzdata package"
        raise ValueError(msg)
    return tuple(int.from_bytes(content[at + 20 + i * 4 : at + 24 + i * 4], "big") for i in range(6))


def _block_bytes(counts: tuple[int, ...], width: int) -> int:
    isut, isstd, leap, time, kind, char = counts
    return time * (width + 1) + kind * 6 + char + leap * (width + 4) + isstd + isut


def _first_probe(content: bytes) -> int:
    listed = _listed(content)
    return max(listed[0] - DAY_MS, _EARLIEST_PROBE_MS) if listed else _RULE_FROM_MS


def _transitions(zone: ZoneInfo, content: bytes) -> list[int]:
    """Return the instants at which the offset may change: those listed, then those by the rule."""
    found = [ms for ms in _listed(content) if _EARLIEST_PROBE_MS < ms < _TABLE_END_MS]
    low = found[-1] if found else _RULE_FROM_MS
    before = _slow_offset(zone, low)
    while low < _TABLE_END_MS:
        # A rule changes the offset at most twice a year, months apart: a probe every four weeks misses none.
        high = min(low + 4 * WEEK_MS, _TABLE_END_MS)
        after = _slow_offset(zone, high)
        if after != before:
            found.append(_bisect(zone, low, high))
        low, before = high, after
    return found


def _bisect(zone: ZoneInfo, low_ms: int, high_ms: int) -> int:
    """Return the instant in (low, high], a whole second, at which the offset stops being that of `low_ms`."""
    before = _slow_offset(zone, low_ms)
    low, high = low_ms // SECOND_MS, -(-high_ms // SECOND_MS)
    while high - low > 1:
        middle = (low + high) // 2
        if _slow_offset(zone, middle * SECOND_MS) == before:
            low = middle
        else:
            high = middle
    return high * SECOND_MS


_EARLIEST_PROBE_MS: Final = (
    -62_135_510_400_000
)  # 0001-01-02: the earliest day that datetime can show in every zone
