"""Cron: the fields, the rule for the two day fields, and clock changes, against a search minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.time import DAY_MS, MINUTE_MS, format_time, local, parse_cron, parse_time, zone
from processor.core.time.zones import table

BERLIN = zone("Europe/Berlin")
UTC_ZONE = zone("UTC")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Mexico_City",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]


def following(text, after, place=UTC_ZONE, count=1):
    """Return the next `count` instants of an expression, as UTC text."""
    cron = parse_cron(text)
    found = []
    ms = parse_time(after, place)
    for _ in range(count):
        ms = cron.next(ms, place)
        found.append(format_time(ms))
    return found


@pytest.mark.parametrize(
    ("text", "after", "wanted"),
    [
        ("* * * * *", "2026-03-01T09:30Z", "2026-03-01T09:31:00Z"),
        ("30 9 * * *", "2026-03-01T09:30Z", "2026-03-02T09:30:00Z"),
        ("30 9 * * *", "2026-03-01T09:29:59.999Z", "2026-03-01T09:30:00Z"),
        ("*/20 8-18/5 * * *", "2026-03-01T08:41Z", "2026-03-01T13:00:00Z"),
        ("0 9 * * MON-FRI", "2026-03-06T09:00Z", "2026-03-09T09:00:00Z"),
        ("0 9 * * 0", "2026-03-06T09:00Z", "2026-03-08T09:00:00Z"),
        ("0 9 * * 7", "2026-03-06T09:00Z", "2026-03-08T09:00:00Z"),
        ("0 9 * * 5-7", "2026-03-06T09:00Z", "2026-03-07T09:00:00Z"),
        ("0 9 * jan,Jul *", "2026-02-01T00:00Z", "2026-07-01T09:00:00Z"),
        ("0 0 29 2 *", "2026-01-01T00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00Z", "2104-02-29T00:00:00Z"),
        ("0 0 31 * *", "2026-01-31T00:00Z", "2026-03-31T00:00:00Z"),
        ("59 23 31 12 *", "2026-12-31T23:59Z", "2027-12-31T23:59:00Z"),
        # Both days restricted: either. One of them starts with a star: both.
        ("0 0 13 * FRI", "2026-02-13T00:00Z", "2026-02-20T00:00:00Z"),
        ("0 0 12 * FRI", "2026-03-07T00:00Z", "2026-03-12T00:00:00Z"),
        ("0 0 */2 * MON", "2026-03-01T00:00Z", "2026-03-09T00:00:00Z"),
        ("0 0 1 1 *", "1931-07-04T00:00Z", "1932-01-01T00:00:00Z"),
    ],
)
def test_next(text, after, wanted):
    assert following(text, after) == [wanted]


def test_a_skipped_time_runs_at_the_jump():
    assert following("30 2 * * *", "2026-03-28 12:00", BERLIN, 2) == [
        "2026-03-29T01:00:00Z",
        "2026-03-30T00:30:00Z",
    ]
    # All the times of the gap at once, and the one that is at its end too.
    assert following("*/15 * * * *", "2026-03-29 01:45", BERLIN, 2) == [
        "2026-03-29T01:00:00Z",
        "2026-03-29T01:15:00Z",
    ]
    lord_howe = zone("Australia/Lord_Howe")
    assert following("15 2 * * *", "2026-10-03 12:00", lord_howe) == ["2026-10-03T15:30:00Z"]


def test_a_repeated_time_runs_once():
    assert following("30 2 * * *", "2026-10-24 12:00", BERLIN, 2) == [
        "2026-10-25T00:30:00Z",
        "2026-10-26T01:30:00Z",
    ]
    assert following("*/30 * * * *", "2026-10-25 01:30", BERLIN, 4) == [
        "2026-10-25T00:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T02:00:00Z",
        "2026-10-25T02:30:00Z",
    ]


numbers = st.tuples(
    st.integers(0, 59), st.integers(0, 23), st.integers(1, 28), st.integers(1, 12), st.integers(0, 7)
)


@st.composite
def expressions(draw):
    """Return an expression of which each field is a star, a number, a step or a list."""
    tops = (59, 23, 28, 12, 7)
    parts = []
    for low, top, other in zip(draw(numbers), tops, draw(numbers), strict=True):
        span = f"{min(low, other)}-{max(low, other)}"
        form = st.sampled_from(
            ["*", "*", f"*/{draw(st.integers(1, top))}", str(low), span, f"{span}/2", f"{low},{other}"]
        )
        parts.append(draw(form))
    parts[3] = "*" if draw(st.booleans()) else parts[3]
    return " ".join(parts)


@st.composite
def moments(draw):
    place = zone(draw(st.sampled_from(ZONES)))
    starts = [start for start in table(place).starts if 0 < start < 4_000_000_000_000]
    if starts and draw(st.booleans()):
        return place, draw(st.sampled_from(starts)) + draw(st.integers(-DAY_MS, DAY_MS // 8))
    return place, draw(st.integers(-(10**12), 4 * 10**12))


def shows(cron, naive):
    """Return whether a wall-clock minute matches, by the definition."""
    if naive.minute not in cron.minutes or naive.hour not in cron.hours or naive.month not in cron.months:
        return False
    days = (naive.day in cron.days, naive.weekday() in cron.weekdays)
    return any(days) if cron.either_day else all(days)


@given(expressions(), moments())
def test_next_against_a_search_by_minutes(text, case):
    place, after = case
    try:
        cron = parse_cron(text)
    except ValueError as error:
        assert "never matches" in str(error)  # noqa: PT017  a random expression may be impossible
        return
    found = cron.next(after, place)
    assert found > after
    assert cron.next(found - 1, place) == found
    # Up to two days on, every minute that the clock newly shows or jumps over is looked at.
    minute = after // MINUTE_MS * MINUTE_MS
    shown = table(place).shown(after) // MINUTE_MS
    while minute < min(found, after + 2 * DAY_MS):
        minute += MINUTE_MS
        now = (local(minute, place).replace(tzinfo=None) - EPOCH.replace(tzinfo=None)) // timedelta(minutes=1)
        passed = [EPOCH.replace(tzinfo=None) + timedelta(minutes=m) for m in range(shown + 1, now + 1)]
        shown = max(shown, now)
        if any(shows(cron, naive) for naive in passed):
            assert found == minute
            return
    assert found >= minute


@given(expressions(), moments(), st.integers(0, 40 * DAY_MS))
def test_next_is_monotonic(text, case, more):
    place, after = case
    try:
        cron = parse_cron(text)
    except ValueError:
        return
    assert cron.next(after, place) <= cron.next(after + more, place)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 fields"),
        ("0 9 * *", "has 4 fields"),
        ("@daily", 'write for example "0 0 \\* \\* \\*"'),
        ("60 * * * *", 'minute "60".* from 0 to 59; write'),
        ("* 24 * * *", 'hour "24".* from 0 to 23; write'),
        ("* * 0 * *", 'day of month "0".* from 1 to 31; write'),
        ("* * * 13 *", 'month "13".* from 1 to 12 or JAN to DEC; write'),
        ("* * * * 8", 'day of week "8".* from 0 to 7 or SUN to SAT; write'),
        ("* * * * MONDAY", 'day of week "MONDAY".*write'),
        ("* MON * * *", 'hour "MON".*write'),
        ("5/15 * * * *", "a step needs a range; write 5-59/15"),
        ("*/0 * * * *", 'the step "0" is not from 1 to 59'),
        ("*/x * * * *", 'the step "x" is not'),
        ("* 22-6 * * *", "runs backwards; .*22-23,0-6"),
        ("1,,2 * * * *", '"" is not from 0 to 59'),
        ("-5 * * * *", '"" is not from 0 to 59'),
        ("٣ * * * *", "is not from 0 to 59"),
        ("0 0 31 2 *", "never matches.*write"),
        ("0 0 30 FEB *", "never matches.*write"),
        ("0 0 31 4,6,9,11 *", "never matches.*write"),
    ],
)
def test_what_is_wrong_names_the_field_and_what_to_write(text, message):
    with pytest.raises(ValueError, match=message):
        parse_cron(text)


def test_an_impossible_day_is_fine_beside_a_weekday():
    assert following("0 0 31 2 MON", "2026-01-01T00:00Z") == ["2026-02-02T00:00:00Z"]


def test_the_end_of_the_calendar():
    cron = parse_cron("0 0 1 1 *")
    with pytest.raises(ValueError, match="year"):
        cron.next(parse_time("9999-12-31T00:00Z"), UTC_ZONE)


def test_a_cron_is_a_value():
    assert parse_cron("0  9 * * 1-5 ") == parse_cron("0 9 * * 1-5")
    assert hash(parse_cron("0 9 * * *")) == hash(parse_cron("0 9 * * *"))
