"""The statistics give the values of published worked examples, and what follows from their definitions."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.runtime.report.statistics import (
    Mean,
    Sample,
    detectable,
    difference,
    holm,
    mean_difference,
    mean_of,
    p_value,
    ratio,
    sample_of,
    too_small,
    wilson,
)

SAMPLES = st.integers(0, 400).flatmap(
    lambda size: st.builds(Sample, st.just(size), st.integers(0, size), st.sampled_from([1.0, 1.3, 4.0]))
)
CONTACTS = st.lists(
    st.integers(1, 5).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size))),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize(
    ("hits", "size", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_rates_have_the_intervals_of_newcombe_1998_table_i(hits, size, low, high):
    found = wilson(Sample(size, hits))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("of", "base", "low", "high"),
    [
        (Sample(70, 56), Sample(80, 48), 0.0524, 0.3339),
        (Sample(10, 9), Sample(10, 3), 0.1705, 0.8090),
        (Sample(10, 10), Sample(20, 0), 0.6791, 1.0),
    ],
)
def test_differences_have_the_intervals_of_newcombe_1998_method_10(of, base, low, high):
    found = difference(of, base)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_the_ratio_of_the_physicians_health_study():
    # Heart attacks: 189 of 11,034 with placebo, 104 of 11,037 with aspirin: 1.82, from 1.43 to 2.31.
    found = ratio(Sample(11_034, 189), Sample(11_037, 104))
    assert found is not None
    assert (round(found.low, 2), round(found.high, 2)) == (1.43, 2.31)


def test_the_lady_tasting_tea():
    # Three of four cups each way: 34 of the 70 ways to choose are as far from chance, or farther.
    from processor.runtime.report import statistics

    assert statistics._fisher(Sample(4, 3), Sample(4, 1)) == pytest.approx(34 / 70)


def test_fisher_is_used_where_little_is_expected():
    # One hit in all, of one on the one side and 99 on the other: it falls there by chance in 1 of 100.
    assert p_value(Sample(1, 1), Sample(99, 0)) == pytest.approx(0.01)


def test_the_chi_squared_test_with_n_less_1():
    # [[20, 80], [35, 65]]: (N-1)(ad-bc)^2 / product of the margins, with one degree of freedom.
    square = 199 * (20 * 65 - 80 * 35) ** 2 / (55 * 145 * 100 * 100)
    assert p_value(Sample(100, 20), Sample(100, 35)) == pytest.approx(math.erfc(math.sqrt(square / 2)))
    assert p_value(Sample(100, 20), Sample(100, 35)) == pytest.approx(0.0178, abs=5e-4)


def test_holm_as_in_any_package():
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.04, 0.01, 0.5]) == pytest.approx([0.08, 0.03, 0.5])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusting_keeps_the_order_and_makes_nothing_smaller(values):
    found = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, found, strict=True))
    ranked = [found[number] for number in sorted(range(len(values)), key=lambda number: values[number])]
    assert all(before <= after for before, after in pairwise(ranked))


@given(SAMPLES, SAMPLES)
def test_intervals_hold_their_values_and_turn_around(of, base):
    for sample in (of, base):
        found = wilson(sample)
        assert 0 <= found.low <= sample.rate + 1e-12
        assert sample.rate - 1e-12 <= found.high <= 1
    there, back = difference(of, base), difference(base, of)
    assert there.low <= of.rate - base.rate + 1e-12
    assert of.rate - base.rate - 1e-12 <= there.high
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert 0 <= p_value(of, base) <= 1
    assert p_value(of, base) == pytest.approx(p_value(base, of))


@given(st.integers(1, 60), st.integers(0, 60))
def test_more_of_the_same_is_surer(size, hits):
    hits = min(hits, size)
    few, many = wilson(Sample(size, hits)), wilson(Sample(10 * size, 10 * hits))
    assert many.high - many.low < few.high - few.low


@given(CONTACTS)
def test_enrollments_of_one_contact_tell_no_more_than_independent_ones(contacts):
    sample = sample_of(contacts)
    assert (sample.size, sample.hits) == (sum(n for n, _ in contacts), sum(x for _, x in contacts))
    assert sample.design >= 1
    if all(n == 1 for n, _ in contacts):
        assert sample.design == 1


def test_contacts_that_do_the_same_each_time_count_once():
    # 50 contacts, four enrollments each, all alike within a contact: as much as 50 independent ones.
    sample = sample_of([(4, 4)] * 20 + [(4, 0)] * 30)
    assert sample.design == pytest.approx(4 * 50 / 49)
    alike = wilson(Sample(50, 20))
    found = wilson(sample)
    assert (found.low, found.high) == pytest.approx((alike.low, alike.high), abs=0.003)


def test_nobody_reached_the_goal_in_many_enrollments_of_few():
    assert sample_of([(10, 0)] * 3).design == 10
    assert wilson(sample_of([(10, 0)] * 3)).high == pytest.approx(wilson(Sample(3, 0)).high)


def test_means_are_those_of_totals_over_contacts():
    found = mean_of([(1, 10.0), (1, 20.0), (1, 60.0)])
    # Each contact once: the mean, and the usual standard error (variance 700 / 3).
    assert found.value == pytest.approx(30)
    assert found.error == pytest.approx(math.sqrt(700 / 3))
    assert math.isnan(mean_of([(2, 5.0)]).error)
    assert mean_of([]).size == 0


def test_a_difference_of_means():
    found = mean_difference(Mean(10, 3.0, 50, 50), Mean(4, 4.0, 60, 60))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((6 - 1.959964 * 5, 6 + 1.959964 * 5))
    assert mean_difference(Mean(1, math.nan, 1, 1), Mean(4, 4.0, 60, 60)) is None


def test_what_is_too_small_and_what_could_be_seen():
    assert too_small(Sample(0, 0), Sample(50, 20))
    assert too_small(Sample(1000, 4), Sample(1000, 5))  # 4.5 expected on each side
    assert not too_small(Sample(1000, 5), Sample(1000, 5))
    assert too_small(Sample(1000, 5, 2.0), Sample(1000, 5))
    # With 392 on each side and a rate of a half, ten points are found in four cases of five.
    found = detectable(Sample(392, 196), Sample(392, 196))
    assert found == pytest.approx(0.1, abs=5e-4)
    assert detectable(Sample(10, 0), Sample(10, 0)) is None


def test_nothing_to_compare():
    nothing = Sample(0, 0)
    assert (wilson(nothing).low, wilson(nothing).high) == (0, 1)
    assert p_value(nothing, Sample(5, 2)) == p_value(Sample(5, 5), Sample(5, 5)) == 1
    assert ratio(Sample(5, 0), Sample(5, 1)) is None
