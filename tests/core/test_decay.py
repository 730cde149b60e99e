"""Loss by inactivity, and decay after points were taken away: exact, whenever somebody looks."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.decay import Inactivity, decayed, falls_below
from processor.core.model import ScoreModel
from processor.core.named import CapUse, Score
from processor.core.rows import Row
from processor.core.turn import NEVER_MS
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, kinds, topology

DAY = 24
DAY_MS = DAY * HOUR_MS
BASE = """
    topology: small
    events: {seen: {}, read: {}, scolded: {}}
    purposes: {service: {consent: not_required}}
    channels: {push: {}}
    scores:
      interest:
        inactive: {after: 30d, lose: 10, every: 7d, of: [seen, read]}
        grades: {none: 0, some: 20, much: {at: 40, until: 30}}
        rules: [{on: seen, add: 45}, {on: scolded, add: -12}]
      heat:
        half_life: 1d
        grades: {cold: 0, hot: {at: 10, until: 5}}
        rules: [{on: seen, add: 20}, {on: scolded, add: -8}]
    segments:
      interested: score.interest >= 30
      warm: score.heat >= 8
"""
PROGRAM = """
entry: {segment: interested}
reenter: always
exit: [{on: segment_left, if: event.segment == "interested"}]
steps: [{wait: 400d}]
"""


def play(folder, log, days, base=BASE):
    return run(log, 1, topology=topology(folder, PROGRAM, base), until_ms=START_MS + days * DAY_MS)


def scores(decisions, model="interest"):
    """Every line of the ledger of a model: (rule, points, after, day)."""
    return [
        (line["rule"], line["points"], line["after"], (one.at_ms - START_MS) / DAY_MS)
        for one in decisions
        if one.kind == "scored"
        for line in (one.detail or {})["ledger"]
        if line["score"] == model
    ]


def test_points_are_lost_at_the_instants_that_follow_from_the_latest_activity(tmp_path):
    _, decisions, _, _ = play(tmp_path, [event("seen", 0)], 100)
    days = [(kind, reason, hours / DAY) for kind, reason, hours in kinds(decisions, "graded", "segment_left")]
    # 45; 35 after 30 days, 25 after 37, 15 after 44.
    assert ("segment_left", "interested", 37) in days
    grades = [
        ((d.detail or {})["to"], (d.at_ms - START_MS) / DAY_MS) for d in decisions if d.kind == "graded"
    ]
    assert [one for one in grades if one[0] in {"none", "some", "much"}] == [
        ("much", 0),
        ("some", 37),
        ("none", 44),
    ]


def test_an_activity_without_points_puts_the_loss_off_and_keeps_what_was_lost(tmp_path):
    log = [event("seen", 0), event("read", 20 * DAY), event("read", 51 * DAY)]
    _, decisions, _, _ = play(tmp_path, log, 80)
    assert ("inactive", -10, 35, 51) in scores(decisions)  # lost on day 50, written down when it mattered
    assert [day / DAY for _, name, day in kinds(decisions, "segment_left") if name == "interested"] == []
    _, decisions, _, _ = play(tmp_path, log, 81)
    assert [day / DAY for _, name, day in kinds(decisions, "segment_left") if name == "interested"] == [81]


def test_the_ledger_holds_every_point_that_inactivity_took(tmp_path):
    log = [event("seen", 0), event("seen", 40 * DAY), event("seen", 200 * DAY)]
    _, decisions, _, _ = play(tmp_path, log, 200)
    lines = scores(decisions)
    assert sum(points for _, points, _, _ in lines) == lines[-1][2] == 45
    assert lines[-2][:3] == ("inactive", lines[-2][1], 0)


def test_points_taken_away_bring_the_loss_of_a_grade_forward(tmp_path):
    """20 points are below 5 after two days; with 8 less after an hour it is sooner."""
    _, decisions, _, _ = play(tmp_path, [event("seen", 0), event("scolded", 1)], 10)
    lost = next(d for d in decisions if d.kind == "graded" and (d.detail or {})["to"] == "cold")
    value = 20 * 0.5 ** (1 / 24) - 8
    assert lost.at_ms - START_MS == pytest.approx(HOUR_MS + DAY_MS * log2(value / 5), rel=1e-4)
    left = next(hours for _, name, hours in kinds(decisions, "segment_left") if name == "warm")
    assert left * HOUR_MS == pytest.approx(HOUR_MS + DAY_MS * log2(value / 8), rel=1e-4)


models = st.builds(
    lambda after, every, lose, low: ScoreModel(
        "m", 0, low, 1e15, (), (), inactive=Inactivity(after, every, *lose)
    ),
    st.integers(1, 50),
    st.integers(0, 20),
    st.tuples(st.sampled_from([0.5, 3.0, 10.0]), st.just(0.0))
    | st.tuples(st.just(0.0), st.sampled_from([0.1, 0.5, 1.0])),
    st.sampled_from([-20.0, 0.0, 4.0]),
)


@given(
    models, st.floats(-30, 60).map(lambda value: round(value, 4)), st.lists(st.integers(0, 300), max_size=6)
)
def test_looks_in_between_change_nothing(model, value, looks):
    """Writing the score down at any instants, as points and timers do, leaves it what it is."""
    once = Score(value, 0, "", [CapUse("~", 0, 0.0)])
    often = Score(value, 0, "", [CapUse("~", 0, 0.0)])
    for at in sorted(looks):
        often.value, often.at_ms = decayed(model, often, at), at
    assert decayed(model, often, 300) == decayed(model, once, 300)


@given(
    models,
    st.floats(0.1, 60).map(lambda value: round(value, 4)),
    st.integers(0, 200),
    st.sampled_from([1.0, 5.0, 20.0]),
)
def test_it_falls_below_a_bound_when_it_is_said_to(model, value, now, bound):
    score = Score(value, 0, "", [CapUse("~", 0, 0.0)])
    current = decayed(model, score, now)
    if current < bound:
        return
    at = falls_below(model, score, current, now, bound)
    later = now + 2_000 if at == NEVER_MS else at
    assert decayed(model, score, later - 1) >= bound
    assert (decayed(model, score, later) < bound) == (at != NEVER_MS)


def test_when_the_activity_was_survives_the_row(tmp_path):
    _, _, store, _ = play(tmp_path, [event("seen", 0), event("read", 20 * DAY)], 20)
    data = store.partition(0).get_many(["ana"])[0]
    assert data is not None
    score = Row.decode(data).scores.get("interest")
    assert score is not None
    assert (score.value, [use.since_ms for use in score.caps]) == (45, [START_MS + 20 * DAY_MS])
