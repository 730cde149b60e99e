"""Zones: pinned data, exact offsets, the rule for skipped and repeated times, against slow zoneinfo."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.time import HOUR_MS, format_time, is_zone, local, offset, parse_time, to_ms, zone, zone_or
from processor.core.time.zones import table

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
MS = timedelta(milliseconds=1)
ZONES = [
    "UTC",
    "Etc/GMT+5",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/London",
    "America/New_York",
    "America/Mexico_City",
    "America/Sao_Paulo",
    "America/Nuuk",
    "America/St_Johns",
    "America/Caracas",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Africa/Monrovia",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
]
zones = st.sampled_from(ZONES).map(zone)
any_time = st.integers(-5_000_000_000_000, 6_000_000_000_000) | st.integers(
    -62_135_000_000_000, 253_402_000_000_000
)


@st.composite
def near_a_change(draw):
    """Return a zone and an instant within hours of one of its offset changes, or anywhere."""
    place = draw(zones)
    starts = table(place).starts
    if not starts or draw(st.booleans()):
        return place, draw(any_time)
    return place, draw(st.sampled_from(starts)) + draw(st.integers(-3 * HOUR_MS, 3 * HOUR_MS))


def slow_offset(ms, place):
    return (EPOCH + ms * MS).astimezone(place).utcoffset() // MS


def slow_resolve(local_ms, place, fold=0):
    return local_ms - (NAIVE_EPOCH + local_ms * MS).replace(tzinfo=place, fold=fold).utcoffset() // MS


@given(near_a_change())
def test_offsets_are_those_of_zoneinfo(case):
    place, ms = case
    assert offset(ms, place) == slow_offset(ms, place)
    shown = local(ms, place)
    assert shown.astimezone(UTC) == EPOCH + ms * MS
    assert shown.utcoffset() == offset(ms, place) * MS


@pytest.mark.parametrize("name", ZONES)
def test_every_change_is_exact(name):
    place = zone(name)
    for start in table(place).starts:
        for ms in (start - 1, start, start + 1):
            assert offset(ms, place) == slow_offset(ms, place)


@given(near_a_change())
def test_local_readings_resolve_as_zoneinfo_with_fold_0(case):
    place, local_ms = case
    naive = NAIVE_EPOCH + local_ms * MS
    assert to_ms(naive, place) == slow_resolve(local_ms, place)
    assert to_ms(naive.replace(fold=1), place) == to_ms(naive, place)


@given(near_a_change())
def test_round_trip(case):
    place, ms = case
    shown = local(ms, place)
    back = to_ms(shown.replace(tzinfo=None), place)
    assert back <= ms
    assert shown.fold or back == ms
    assert local(back, place).replace(tzinfo=None) == shown.replace(tzinfo=None, fold=0)


@given(near_a_change())
def test_first_and_last_enclose_every_instant_that_shows_a_reading(case):
    place, local_ms = case
    offsets = table(place)
    early, late = slow_resolve(local_ms, place), slow_resolve(local_ms, place, fold=1)
    if early <= late:
        assert (offsets.first(local_ms), offsets.last(local_ms)) == (early, late)
    else:
        # Skipped: both are the moment of the jump.
        jump = offsets.first(local_ms)
        assert jump == offsets.last(local_ms)
        assert jump - 1 + slow_offset(jump - 1, place) < local_ms < jump + slow_offset(jump, place)


@given(near_a_change())
def test_shown_is_the_highest_reading_so_far(case):
    place, ms = case
    offsets = table(place)
    shown = offsets.shown(ms)
    assert shown >= ms + offsets.offset(ms)
    assert offsets.first(shown - 1) <= ms < offsets.first(shown + 1)


@given(near_a_change(), st.integers(0, 48 * HOUR_MS))
def test_first_and_last_are_monotonic(case, more):
    place, local_ms = case
    offsets = table(place)
    assert offsets.first(local_ms) <= offsets.first(local_ms + more)
    assert offsets.last(local_ms) <= offsets.last(local_ms + more)


@pytest.mark.parametrize(
    ("name", "reading", "utc"),
    [
        # Skipped: forward by the gap.
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:30:00Z"),
        ("America/New_York", "2026-03-08 02:30", "2026-03-08T07:30:00Z"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03T15:45:00Z"),
        ("Pacific/Apia", "2011-12-30 09:00", "2011-12-30T19:00:00Z"),
        # Repeated: the first.
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30:00Z"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00Z"),
        # Plain.
        ("America/Mexico_City", "2022-07-01 12:00", "2022-07-01T17:00:00Z"),
        ("America/Mexico_City", "2026-07-01 12:00", "2026-07-01T18:00:00Z"),
        ("Asia/Kathmandu", "2026-01-01 00:00", "2025-12-31T18:15:00Z"),
        ("Asia/Kathmandu", "1980-01-01 00:00", "1979-12-31T18:30:00Z"),
        ("Europe/Berlin", "1931-07-04 12:00", "1931-07-04T11:00:00Z"),
        ("Europe/Berlin", "2150-07-04 12:00", "2150-07-04T10:00:00Z"),
    ],
)
def test_the_rule_by_example(name, reading, utc):
    assert format_time(parse_time(reading, zone(name))) == utc


def test_the_answer_is_of_the_pinned_files_whoever_made_the_zone():
    assert zone("Europe/Berlin") is zone("Europe/Berlin")
    assert offset(0, ZoneInfo("Europe/Berlin")) == HOUR_MS
    assert table(ZoneInfo("Europe/Berlin")) is table(zone("Europe/Berlin"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Berlin", "write Europe/Berlin"),
        ("europe/berlin", "write Europe/Berlin"),
        ("Europe/Berlim", "write Europe/Berlin"),
        ("America/Mexico City", "write America/Mexico_City"),
        ("New York", "write America/New_York"),
        ("", "write an IANA name"),
        ("../../etc/passwd", "write an IANA name"),
        ("/etc/localtime", "write"),
        ("qqqqqq", "write an IANA name"),
    ],
)
def test_an_unknown_zone_names_the_nearest(name, advice):
    assert not is_zone(name)
    with pytest.raises(ValueError, match=advice):
        zone(name)


def test_zone_or():
    utc = zone("UTC")
    assert zone_or("Asia/Kathmandu", utc).key == "Asia/Kathmandu"
    assert zone_or(None, utc) is zone_or("", utc) is zone_or("Nowhere/Land", utc) is utc
    assert is_zone("Asia/Kathmandu")


def test_wrong_use_says_so():
    with pytest.raises(ValueError, match="has an offset already"):
        to_ms(EPOCH, zone("UTC"))
    with pytest.raises(ValueError, match="milliseconds since 1970"):
        local(10**18, zone("UTC"))
    with pytest.raises(ValueError, match="milliseconds since 1970"):
        offset(10**18, zone("UTC"))
