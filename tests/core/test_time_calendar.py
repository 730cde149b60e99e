"""Wall-clock arithmetic, against slow oracles of datetime and zoneinfo, around clock changes above all."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.time import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    add_local_days,
    clock,
    date_at,
    date_text,
    days_between,
    format_time,
    hour,
    local,
    month_day,
    next_clock,
    next_quiet_start,
    parse_time,
    quiet_until,
    to_ms,
    weekday,
    yearly,
    zone,
)
from processor.core.time.zones import table

BERLIN = zone("Europe/Berlin")
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Mexico_City",
    "America/Sao_Paulo",
    "America/Nuuk",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]
minutes = st.integers(0, 1439)
weekday_sets = st.none() | st.frozensets(st.integers(0, 6), min_size=1)


@st.composite
def places(draw):
    """Return a zone and an instant from 1960 to 2099, half of them within two days of an offset change."""
    place = zone(draw(st.sampled_from(ZONES)))
    starts = [start for start in table(place).starts if -300_000_000_000 < start < 4_000_000_000_000]
    if starts and draw(st.booleans()):
        return place, draw(st.sampled_from(starts)) + draw(st.integers(-2 * DAY_MS, 2 * DAY_MS))
    return place, draw(st.integers(-315_619_200_000, 4_102_444_800_000))


def at(text, place=BERLIN):
    return parse_time(text, place)


def clock_on(day, minute, place):
    """Return the instant of a clock time on a date, by zoneinfo."""
    return to_ms(datetime(day.year, day.month, day.day, minute // 60, minute % 60), place)  # noqa: DTZ001


def slow_next_clock(after_ms, minute, place, weekdays):
    first = local(after_ms, place).date() - timedelta(days=2)
    days = [first + timedelta(days=i) for i in range(13)]
    found = [clock_on(day, minute, place) for day in days if weekdays is None or day.weekday() in weekdays]
    return min(ms for ms in found if ms >= after_ms)


@given(places(), minutes, weekday_sets)
def test_next_clock_is_the_first_of_all_days(case, minute, weekdays):
    place, ms = case
    found = next_clock(ms, minute, place, weekdays)
    assert found == slow_next_clock(ms, minute, place, weekdays)
    assert found >= ms
    assert next_clock(found, minute, place, weekdays) == found


@given(places(), minutes, weekday_sets, st.integers(0, 3 * DAY_MS))
def test_next_clock_is_monotonic(case, minute, weekdays, more):
    place, ms = case
    assert next_clock(ms, minute, place, weekdays) <= next_clock(ms + more, minute, place, weekdays)


def test_next_clock_over_days_of_23_and_25_hours():
    assert next_clock(at("2026-03-28 09:00:01"), 540, BERLIN) == at("2026-03-28 09:00:00") + 23 * HOUR_MS
    assert next_clock(at("2026-10-24 09:00:01"), 540, BERLIN) == at("2026-10-24 09:00:00") + 25 * HOUR_MS
    # Skipped: later by the gap. Repeated: once, so between the two passes the next is tomorrow's.
    assert next_clock(at("2026-03-29 00:00"), 150, BERLIN) == at("2026-03-29 03:30")
    first = next_clock(at("2026-10-25 00:00"), 150, BERLIN)
    assert format_time(first) == "2026-10-25T00:30:00Z"
    assert next_clock(first + 1, 150, BERLIN) == at("2026-10-26 02:30")


def test_next_clock_on_weekdays():
    friday = at("2026-03-06 16:00")
    assert next_clock(friday, 960, BERLIN, frozenset({4})) == friday
    assert next_clock(friday + 1, 960, BERLIN, frozenset({4})) == at("2026-03-13 16:00")
    assert next_clock(friday + 1, 540, BERLIN, frozenset({0, 1, 2, 3, 4})) == at("2026-03-09 09:00")


@given(places(), st.integers(-800, 800))
def test_add_local_days_keeps_the_clock(case, days):
    place, ms = case
    found = add_local_days(ms, days, place)
    before, after = local(ms, place), local(found, place)
    wanted = before.replace(tzinfo=None, fold=0) + timedelta(days=days)
    assert found == (to_ms(wanted, place) if days else ms)
    if after.replace(tzinfo=None, fold=0) != wanted:
        # Only a skipped time differs, by the gap.
        assert wanted < after.replace(tzinfo=None) <= wanted + timedelta(days=1)


@given(places())
def test_what_the_clock_and_calendar_show(case):
    place, ms = case
    shown = local(ms, place)
    assert weekday(ms, place) == shown.weekday()
    assert hour(ms, place) == shown.hour
    assert clock(ms, place) == shown.hour * 60 + shown.minute
    assert date_text(ms, place) == shown.date().isoformat()


@given(st.integers(-(10**13), 10**13), st.integers(-(10**13), 10**13))
def test_days_between(a_ms, b_ms):
    days = days_between(a_ms, b_ms)
    assert days == -days_between(b_ms, a_ms)
    assert abs(days) * DAY_MS <= abs(a_ms - b_ms) < (abs(days) + 1) * DAY_MS


# ---------------------------------------------------------------------------------------------- quiet periods


@st.composite
def quiet_cases(draw):
    place, ms = draw(places())
    start, end = draw(minutes), draw(minutes)
    if draw(st.integers(0, 3)) == 0:
        end = start
    weekdays = draw(weekday_sets)
    if start == end and (weekdays is None or len(weekdays) == 7):
        weekdays = frozenset({5, 6})
    return ms, start, end, place, weekdays


def shows_quiet(ms, start, end, place, weekdays):
    """Return whether the wall clock at `ms` reads a time of the period, by datetime alone."""
    shown = local(ms, place)
    minute = shown.hour * 60 + shown.minute
    today, yesterday = shown.weekday(), (shown.weekday() - 1) % 7
    if start < end:
        return start <= minute < end and (weekdays is None or today in weekdays)
    if minute >= start:
        return weekdays is None or today in weekdays
    return minute < end and (weekdays is None or yesterday in weekdays)


@given(quiet_cases())
def test_whatever_the_clock_shows_as_quiet_is_quiet(case):
    ms, *period = case
    end = quiet_until(ms, *period)
    if shows_quiet(ms, *period):
        assert end is not None
    elif end is not None:
        # Quiet though the clock does not show it: only while a repeated hour is passing.
        ahead = [ms + step * 5 * MINUTE_MS for step in range(-13, 26)]
        assert any(local(one, period[2]).fold for one in ahead)


@given(quiet_cases())
def test_a_quiet_period_ends_and_what_follows_is_not_quiet(case):
    ms, *period = case
    end = quiet_until(ms, *period)
    if end is not None:
        assert end > ms
        assert quiet_until(end, *period) is None
        assert quiet_until(end - 1, *period) == end
        assert quiet_until((ms + end) // 2, *period) == end
        assert not shows_quiet(end, *period)


@given(quiet_cases(), st.floats(0, 1, exclude_max=True))
def test_the_next_start_is_the_next_change_to_quiet(case, share):
    ms, *period = case
    start = next_quiet_start(ms, *period)
    assert start > ms
    assert quiet_until(start, *period) is not None
    assert quiet_until(start - 1, *period) is None
    loud_from = quiet_until(ms, *period) or ms
    assert loud_from < start
    between = loud_from + int((start - loud_from) * share)
    assert quiet_until(between, *period) is None
    assert next_quiet_start(between, *period) == start


def test_quiet_hours_over_midnight():
    night = (1260, 480, BERLIN)
    assert quiet_until(at("2026-03-01 20:59:59"), *night) is None
    assert quiet_until(at("2026-03-01 21:00"), *night) == at("2026-03-02 08:00")
    assert quiet_until(at("2026-03-02 07:59:59"), *night) == at("2026-03-02 08:00")
    assert quiet_until(at("2026-03-02 08:00"), *night) is None
    assert next_quiet_start(at("2026-03-01 21:00"), *night) == at("2026-03-02 21:00")
    assert next_quiet_start(at("2026-03-01 20:59"), *night) == at("2026-03-01 21:00")
    # The night of the clock change is an hour shorter, or longer.
    assert quiet_until(at("2026-03-28 21:00"), *night) == at("2026-03-28 21:00") + 10 * HOUR_MS
    assert quiet_until(at("2026-10-24 21:00"), *night) == at("2026-10-24 21:00") + 12 * HOUR_MS


def test_weekdays_are_those_on_which_a_period_starts():
    friday_night = (1260, 480, BERLIN, frozenset({4}))
    assert quiet_until(at("2026-03-07 07:00"), *friday_night) == at("2026-03-07 08:00")
    assert quiet_until(at("2026-03-06 07:00"), *friday_night) is None
    assert next_quiet_start(at("2026-03-06 21:00"), *friday_night) == at("2026-03-13 21:00")


def test_whole_days_that_touch_are_one_period():
    weekend = (0, 0, BERLIN, frozenset({5, 6}))
    assert quiet_until(at("2026-03-07 00:00"), *weekend) == at("2026-03-09 00:00")
    assert next_quiet_start(at("2026-03-07 00:00"), *weekend) == at("2026-03-14 00:00")


def test_a_period_in_the_hour_that_is_skipped_or_repeated():
    early = (120, 150, BERLIN)
    assert quiet_until(at("2026-03-29 03:00"), *early) is None
    assert next_quiet_start(at("2026-03-28 12:00"), *early) == at("2026-03-30 02:00")
    for utc in ("2026-10-25T00:00Z", "2026-10-25T00:45Z", "2026-10-25T01:29Z"):
        assert format_time(quiet_until(parse_time(utc), *early) or 0) == "2026-10-25T01:30:00Z"
    # It starts in the gap and ends after it: quiet from the jump on.
    assert quiet_until(at("2026-03-29 03:00"), 150, 240, BERLIN) == at("2026-03-29 04:00")


@pytest.mark.parametrize("weekdays", [None, frozenset(range(7))])
def test_quiet_for_ever_is_refused(weekdays):
    with pytest.raises(ValueError, match="never ends"):
        quiet_until(0, 60, 60, BERLIN, weekdays)


@pytest.mark.parametrize("weekdays", [frozenset(), frozenset({7}), frozenset({-1, 3})])
def test_wrong_weekdays_are_refused(weekdays):
    with pytest.raises(ValueError, match=r"0 \(Monday\) to 6 \(Sunday\)"):
        next_quiet_start(0, 60, 90, BERLIN, weekdays)
    with pytest.raises(ValueError, match=r"0 \(Monday\) to 6 \(Sunday\)"):
        next_clock(0, 60, BERLIN, weekdays)


@pytest.mark.parametrize("minute", [-1, 1440])
def test_wrong_clock_times_are_refused(minute):
    for call in (
        lambda: next_clock(0, minute, BERLIN),
        lambda: quiet_until(0, minute, 5, BERLIN),
        lambda: quiet_until(0, 5, minute, BERLIN),
        lambda: yearly(0, 1, 1, 0, minute, BERLIN),
        lambda: date_at("2026-01-01", 0, minute, BERLIN),
    ):
        with pytest.raises(ValueError, match="0 to 1439"):
            call()


# ---------------------------------------------------------------------------------------------- anniversaries


def anniversary(year, month, day):
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, 2, 28)


@given(places(), st.dates(date(2000, 1, 1), date(2000, 12, 31)), st.integers(-800, 800), minutes)
def test_yearly_is_the_first_of_all_years(case, born, days, minute):
    place, ms = case
    found = yearly(ms, born.month, born.day, days, minute, place)
    year = local(ms, place).year
    dates = [anniversary(year + i, born.month, born.day) + timedelta(days=days) for i in range(-5, 6)]
    assert found == min(one for one in (clock_on(day, minute, place) for day in dates) if one >= ms)
    assert yearly(found, born.month, born.day, days, minute, place) == found


def test_a_leap_day_birthday():
    assert yearly(at("2026-01-01"), 2, 29, 0, 540, BERLIN) == at("2026-02-28 09:00")
    assert yearly(at("2028-01-01"), 2, 29, 0, 540, BERLIN) == at("2028-02-29 09:00")
    assert yearly(at("2100-01-01"), 2, 29, 0, 540, BERLIN) == at("2100-02-28 09:00")
    assert yearly(at("2026-01-01"), 2, 29, 1, 540, BERLIN) == at("2026-03-01 09:00")
    assert yearly(at("2028-01-01"), 2, 29, -3, 540, BERLIN) == at("2028-02-26 09:00")


def test_yearly_with_an_offset_over_the_new_year():
    assert yearly(at("2026-12-01"), 1, 3, -7, 540, BERLIN) == at("2026-12-27 09:00")
    assert yearly(at("2026-12-27 09:00:01"), 1, 3, -7, 540, BERLIN) == at("2027-12-27 09:00")
    assert yearly(at("1950-06-01"), 5, 1, 0, 0, BERLIN) == at("1951-05-01")


@pytest.mark.parametrize(("month", "day"), [(2, 30), (13, 1), (0, 1), (4, 31), (1, 0)])
def test_a_day_that_no_year_has_is_refused(month, day):
    with pytest.raises(ValueError, match="in any year"):
        yearly(0, month, day, 0, 0, BERLIN)


def test_date_at():
    assert date_at("2026-03-29", 0, 150, BERLIN) == at("2026-03-29 03:30")
    assert date_at("2026-03-01", -3, 540, BERLIN) == at("2026-02-26 09:00")
    assert date_at("1931-07-04", 1, 0, zone("UTC")) == parse_time("1931-07-05") < 0
    assert month_day("2024-02-29") == (2, 29)


@pytest.mark.parametrize("text", ["", "2026-02-29", "20260301", "2026-W09-7", "2026-03-01T09:00", "1.3.2026"])
def test_what_is_not_a_date_says_what_to_write(text):
    with pytest.raises(ValueError, match="write year, month and day"):
        date_at(text, 0, 0, BERLIN)
    with pytest.raises(ValueError, match="write year, month and day"):
        month_day(text)


def test_the_same_instant_in_every_zone():
    ms = int(datetime(2026, 3, 1, 23, 30, tzinfo=UTC).timestamp()) * 1000
    assert [date_text(ms, zone(name)) for name in ("America/New_York", "UTC", "Asia/Kathmandu")] == [
        "2026-03-01",
        "2026-03-01",
        "2026-03-02",
    ]
