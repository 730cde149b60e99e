"""The curve of time to goal: published values, closed forms, and what holds for any data."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.runtime.report.statistics import Z95
from processor.runtime.report.survival import CENSORED, GOAL, LEFT, POINTS_MAX, Curve, Point, curve

# Weeks in remission of 21 patients on 6-mercaptopurine (Freireich and others, Blood 21, 1963); +: censored.
FREIREICH = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
REMISSION = [(int(text.rstrip("+")), CENSORED if text.endswith("+") else GOAL) for text in FREIREICH.split()]
OUTCOMES = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([CENSORED, GOAL, LEFT])), min_size=1, max_size=80
)


def at(found: Curve, after_ms: int) -> Point:
    return [point for point in found.points if point.at_ms <= after_ms][-1]


def test_kaplan_and_meier_of_the_remissions():
    found = curve(REMISSION)
    known = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {point.at_ms: round(1 - point.share, 3) for point in found.points[1:-1]} == known
    assert [point.at_risk for point in found.points[1:-1]] == [21, 17, 15, 12, 11, 7, 6]


def test_greenwood_and_the_log_log_interval_of_the_remissions():
    found = curve(REMISSION)
    # As textbooks have them: survival 0.857, from 0.620 to 0.952, at 6 weeks; 0.448, 0.188 to 0.680, at 23.
    first, last = at(found, 6), at(found, 23)
    assert (round(1 - first.high, 3), round(1 - first.low, 3)) == (0.620, 0.952)
    assert (round(1 - last.high, 3), round(1 - last.low, 3)) == (0.188, 0.680)


def test_without_censoring_it_is_the_share_of_those_who_got_there():
    outcomes = [(3, GOAL), (3, GOAL), (5, LEFT), (8, GOAL), (9, LEFT), (20, CENSORED), (20, CENSORED)]
    found = curve(outcomes)
    assert [at(found, when).share for when in (2, 3, 7, 8, 20)] == pytest.approx(
        [0, 2 / 7, 2 / 7, 3 / 7, 3 / 7]
    )
    assert found.quartiles_ms == (3, 3, 8)


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from([GOAL, LEFT])), min_size=2, max_size=60))
def test_without_censoring_the_variance_is_the_binomial_one(outcomes):
    import math

    found = curve(outcomes)
    size = len(outcomes)
    for point in found.points[1:]:
        if 0 < point.share < 1 and point.at_risk > 1 and point.at_ms < max(when for when, _ in outcomes):
            error = math.sqrt(point.share * (1 - point.share) / size)
            stay = 1 - point.share
            power = Z95 * error / (stay * abs(math.log(stay)))
            assert point.low == pytest.approx(1 - stay ** math.exp(-power), abs=1e-6)
            assert point.high == pytest.approx(1 - stay ** math.exp(power), abs=1e-6)


@given(OUTCOMES)
def test_it_rises_and_stays_between_0_and_1(outcomes):
    found = curve(outcomes)
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(found.points))
    assert all(before.share <= after.share + 1e-12 for before, after in pairwise(found.points))
    for point in found.points:
        assert -1e-12 <= point.low <= point.share + 1e-12
        assert point.share - 1e-12 <= point.high <= 1 + 1e-12
    assert found.end == pytest.approx(found.points[-1].share)


@given(OUTCOMES)
def test_who_leaves_keeps_others_from_being_overstated(outcomes):
    # As if those who left could still get there, the share would be larger.
    as_censored = [(when, CENSORED if kind == LEFT else kind) for when, kind in outcomes]
    assert curve(outcomes).end <= curve(as_censored).end + 1e-12


def test_nobody_and_nothing():
    nothing = curve([])
    assert (nothing.points, nothing.end, nothing.quartiles_ms) == ((Point(0, 0.0, 0.0, 0.0, 0),), 0.0, None)
    nobody = curve([(5, CENSORED), (9, LEFT)], until_ms=10)
    assert [point.at_ms for point in nobody.points] == [0, 10]
    assert nobody.quartiles_ms is None


def test_everybody_at_once():
    found = curve([(0, GOAL)] * 3)
    assert (found.end, found.quartiles_ms) == (1.0, (0, 0, 0))
    assert found.points[-1] == Point(0, 1.0, 0.0, 1.0, 3)  # three are few: the interval says nothing


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    found = curve([(when, GOAL if when % 3 else CENSORED) for when in range(5_000)], until_ms=6_000)
    assert len(found.points) <= POINTS_MAX
    assert (found.points[0].at_ms, found.points[-1].at_ms) == (0, 6_000)
    assert found.points[-1].share == found.end


def test_enrollments_of_one_contact_widen_the_band():
    narrow, wide = curve(REMISSION), curve(REMISSION, design=2.0)
    assert at(narrow, 10).share == at(wide, 10).share
    assert at(wide, 10).low < at(narrow, 10).low < at(narrow, 10).high < at(wide, 10).high
