"""Durations, instants and clock times as text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.time import (
    DAY_MS,
    EARLIEST_MS,
    HOUR_MS,
    LATEST_MS,
    MINUTE_MS,
    SECOND_MS,
    WEEK_MS,
    format_duration,
    format_time,
    parse_clock,
    parse_duration,
    parse_time,
    zone,
)

YEAR_1_MS = -62_135_596_800_000
YEAR_10000_MS = 253_402_300_800_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90 * SECOND_MS),
        ("30m", 30 * MINUTE_MS),
        ("1h", HOUR_MS),
        ("2d", 2 * DAY_MS),
        ("1w", WEEK_MS),
        ("1h30m", 90 * MINUTE_MS),
        ("1d 12h", 36 * HOUR_MS),
        (" 1w 1d  1h ", WEEK_MS + DAY_MS + HOUR_MS),
        ("0s", 0),
    ],
)
def test_durations(text, ms):
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "5", "h", "-1d", "1.5h", "5ms", "1 h", "1H", "1y", "1h 1h", "٣d", "36501d", "9999999999w"]
)
def test_what_is_not_a_duration_says_what_to_write(text):
    with pytest.raises(ValueError, match="write"):
        parse_duration(text)


@given(st.integers(0, 36_500 * 86_400))
def test_duration_round_trip(seconds):
    assert parse_duration(format_duration(seconds * SECOND_MS)) == seconds * SECOND_MS


def test_duration_text():
    assert format_duration(36 * HOUR_MS) == "1d 12h"
    assert format_duration(0) == "0s"
    assert format_duration(999) == format_duration(-999) == "0s"
    assert format_duration(-90 * SECOND_MS) == "-1m 30s"


@given(st.integers(YEAR_1_MS, YEAR_10000_MS - 1))
def test_time_round_trip_and_oracle(ms):
    text = format_time(ms)
    assert parse_time(text) == ms
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert datetime.fromisoformat(text) == at


@given(st.integers(EARLIEST_MS, LATEST_MS), st.integers(1, DAY_MS))
def test_later_times_are_later_texts(ms, more):
    # Seconds only: "30Z" would come after "30.250Z" in the alphabet.
    assert format_time(ms // 1000 * 1000) < format_time((ms // 1000 + more) * 1000)


def test_time_text():
    assert format_time(0) == "1970-01-01T00:00:00Z"
    assert format_time(1) == "1970-01-01T00:00:00.001Z"
    assert format_time(-1) == "1969-12-31T23:59:59.999Z"
    assert format_time(EARLIEST_MS) == "1970-01-01T00:00:00Z"
    assert format_time(LATEST_MS) == "2100-01-01T00:00:00Z"


@pytest.mark.parametrize("ms", [YEAR_1_MS - 1, YEAR_10000_MS, 10**30, -(10**30)])
def test_times_that_no_calendar_has(ms):
    with pytest.raises(ValueError, match="milliseconds since 1970"):
        format_time(ms)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01 09:30", "2026-03-01T09:30:00Z"),
        ("2026-03-01 09:30:15", "2026-03-01T09:30:15Z"),
        ("2026-03-01T09:30:00.25Z", "2026-03-01T09:30:00.250Z"),
        ("2026-03-01T09:30:00.123456789Z", "2026-03-01T09:30:00.123Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999Z"),
        ("2026-03-01T09:30:00+02:00", "2026-03-01T07:30:00Z"),
        ("2026-03-01T09:30-06:00", "2026-03-01T15:30:00Z"),
        ("1931-07-04", "1931-07-04T00:00:00Z"),
    ],
)
def test_times(text, utc):
    assert format_time(parse_time(text)) == utc


def test_a_time_without_offset_is_local_to_the_zone():
    mexico = zone("America/Mexico_City")
    assert format_time(parse_time("2026-03-01 10:00", mexico)) == "2026-03-01T16:00:00Z"
    assert format_time(parse_time("2026-03-01", mexico)) == "2026-03-01T06:00:00Z"
    assert format_time(parse_time("2026-03-01T10:00Z", mexico)) == "2026-03-01T10:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "20260301",
        "2026-W09-7",
        "2026-3-1",
        "2026-03-01x09:30",
        "2026-02-30",
        "2026-03-01 24:30",
        "2026-03-01 09:30:60",
        "1772357400000",
        "٢٠٢٦-03-01",
        "2026-03-01 09:30 ",
    ],
)
def test_what_is_not_a_time_says_what_to_write(text):
    with pytest.raises(ValueError, match="is not a time: write 2026-03-01"):
        parse_time(text)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_value_error(text):
    for parse in (parse_time, parse_duration, parse_clock):
        try:
            assert isinstance(parse(text), int)
        except ValueError as error:
            assert "write" in str(error)  # noqa: PT017  either outcome is right


def test_clock_times():
    assert parse_clock("21:00") == 1260
    assert parse_clock("0:00") == parse_clock(" 00:00 ") == 0
    assert parse_clock("23:59") == 1439


@pytest.mark.parametrize("text", ["24:00", "9", "9:5", "12:60", "9pm", "-1:00", "٢١:00", ""])
def test_what_is_not_a_clock_time_says_what_to_write(text):
    with pytest.raises(ValueError, match="write hours and minutes"):
        parse_clock(text)
