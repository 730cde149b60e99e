"""Histories: what is kept, and what a window sees of it, against a plain list of everything that happened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.history import (
    count,
    merge,
    merge_series,
    record,
    series_key,
    series_spec,
    times_of,
    values_of,
    window,
)
from processor.core.limits import SERIES_TIMES_MAX
from processor.core.named import History, Series
from processor.core.rows import Row

NOW = 1_800_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR

events = st.lists(
    st.tuples(st.integers(0, 3 * HOUR), st.integers(0, 30 * HOUR), st.integers(-50, 50) | st.none()),
    max_size=80,
)


def replay(moves, spec):
    """Record moves of (time since the one before, how late, value): history, all that happened, now."""
    history = History(b"", 0, 0)
    happened = []
    now = NOW
    for step, late, value in moves:
        now += step
        record(history, spec, now - late, value, now)
        happened.append((now - late, value))
    return history, happened, now


def plain(series: Series):
    """What a series holds."""
    return series.total, series.first_ms, series.last_ms, times_of(series), values_of(series)


def test_a_key_is_the_event_type_alone_or_with_a_hash_of_the_definition():
    assert series_key("page_viewed") == "page_viewed"
    key = series_key("page_viewed", "event.url == 'x'")
    assert key.startswith("page_viewed#")
    assert len(key) == len("page_viewed#") + 8
    others = {
        series_key("page_viewed", "event.url == 'y'"),
        series_key("page_viewed", "", "seconds"),
        series_key("page_viewed", "", "seconds", ever=True),
        series_key("page_viewed", "event.url == 'x'", "seconds"),
    }
    assert len(others | {key}) == 5


def test_keys_are_stable_because_rows_hold_them():
    assert series_key("order_completed", "", "value") == "order_completed#cab8a2bb"
    assert series_key("order_completed", "event.value > 3", "value") == "order_completed#1a541465"


def test_merging_specifications_keeps_one_a_key_with_the_longest_window():
    short, long = series_spec("a", window_ms=DAY), series_spec("a", window_ms=7 * DAY)
    other, plain = series_spec("a", value="x", window_ms=DAY), series_spec("a")
    assert merge_series([short, other, long, plain]) == (long, other)


@given(events)
def test_a_count_in_a_window_is_what_a_plain_list_counts(moves):
    spec = series_spec("a", window_ms=DAY)
    history, happened, now = replay(moves, spec)
    for within in (HOUR, 5 * HOUR, DAY):
        expected = sum(now - within < at <= now for at, _ in happened)
        assert count(history.get("a"), now, within) == expected
    if happened:
        series = history.all()["a"]
        assert series.total == len(happened)
        assert series.first_ms == min(at for at, _ in happened)
        assert series.last_ms == max(at for at, _ in happened)
        assert list(times_of(series)) == sorted(times_of(series))
        assert not series.values


@given(events)
def test_values_stay_beside_their_times(moves):
    spec = series_spec("a", value="v", window_ms=DAY)
    history, happened, now = replay(moves, spec)
    for series in history.all().values():
        begin, end = window(series, now, DAY)
        expected = sorted((at, v) for at, v in happened if now - DAY < at <= now and v is not None)
        kept = zip(times_of(series)[begin:end], values_of(series)[begin:end], strict=True)
        assert sorted(kept) == expected
        assert series.total == len(happened)


@given(events)
def test_a_sum_over_everything_keeps_two_numbers(moves):
    spec = series_spec("a", value="v")
    history, happened, _ = replay(moves, spec)
    values = [value for _, value in happened if value is not None]
    if happened:
        assert not history.all()[spec.key].times
        assert list(values_of(history.all()[spec.key])) == ([sum(values), len(values)] if values else [])


@given(events)
def test_a_row_that_was_stored_goes_on_alike(moves):
    spec = series_spec("a", value="v", window_ms=DAY)
    straight, _, _ = replay(moves, spec)
    row, now = Row.new(), NOW
    for step, late, value in moves:
        now += step
        record(row.history, spec, now - late, value, now)
        row = Row.decode(row.encode())
    assert list(row.history.all()) == list(straight.all())
    for key, series in straight.all().items():
        assert plain(row.history.all()[key]) == plain(series)


def test_without_a_window_no_times_are_kept():
    history, _, _ = replay([(HOUR, 0, None)] * 50, series_spec("a"))
    assert plain(history.all()["a"]) == (50, NOW + HOUR, NOW + 50 * HOUR, [], [])


@pytest.mark.parametrize("value", ["", "v"])
def test_the_oldest_falls_out_beyond_the_limit_and_the_total_goes_on(value):
    spec = series_spec("a", value=value, window_ms=DAY)
    history, _, now = replay([(1, 0, 2)] * (SERIES_TIMES_MAX + 40), spec)
    series = history.all()[spec.key]
    assert series.total == SERIES_TIMES_MAX + 40
    assert list(times_of(series)) == list(range(now - SERIES_TIMES_MAX + 1, now + 1))
    assert len(values_of(series)) == (SERIES_TIMES_MAX if value else 0)


@pytest.mark.parametrize("value", ["", "v"])
def test_what_left_the_window_does_not_pile_up(value):
    history, _, _ = replay([(5 * HOUR, 0, 1)] * 500, series_spec("a", value=value, window_ms=DAY))
    (series,) = history.all().values()
    assert len(times_of(series)) <= 9


@pytest.mark.parametrize("value", [True, "7", None, float("nan"), float("inf"), 10**400, [1]])
def test_a_value_that_is_no_finite_number_counts_and_is_not_summed(value):
    for spec in (series_spec("a", value="v", window_ms=DAY), series_spec("a", value="v")):
        history = History(b"", 0, 0)
        record(history, spec, NOW, value, NOW)
        assert plain(history.all()[spec.key]) == (1, NOW, NOW, [], [])


def test_a_sum_never_becomes_infinite():
    spec = series_spec("a", value="v")
    history, _, _ = replay([(1, 0, 1.7e308)] * 3, spec)
    assert list(values_of(history.all()[spec.key])) == [1e300, 3.0]


@given(events, events)
def test_merged_histories_hold_what_both_held(mine, theirs):
    for spec in (series_spec("a", window_ms=90 * DAY), series_spec("a", value="v", window_ms=90 * DAY)):
        one, happened_one, now_one = replay(mine, spec)
        two, happened_two, now_two = replay(theirs, spec)
        merge(one, two)
        both, now = [*happened_one, *happened_two], max(now_one, now_two)
        kept = [pair for pair in both if pair[1] is not None] if spec.value else both
        if both:
            series = one.all()[spec.key]
            assert series.total == len(both)
            assert (series.first_ms, series.last_ms) == (min(at for at, _ in both), max(at for at, _ in both))
            assert list(times_of(series)) == sorted(at for at, _ in kept)
            assert now >= times_of(series)[-1] if kept else True
            if spec.value:
                assert sorted(values_of(series)) == sorted(value for _, value in kept)


def test_merged_sums_over_everything_add_up():
    spec = series_spec("a", value="v")
    one, _, _ = replay([(1, 0, 2), (1, 0, None)], spec)
    two, _, _ = replay([(1, 0, 5), (1, 0, 6)], spec)
    merge(one, two)
    assert list(values_of(one.all()[spec.key])) == [13.0, 3.0]
    empty, _, _ = replay([(1, 0, None)], spec)
    merge(empty, two)
    assert list(values_of(empty.all()[spec.key])) == [11.0, 2.0]
