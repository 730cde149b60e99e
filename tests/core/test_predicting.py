"""Scores that a model gives: when it is asked, what its answers set off, and what becomes of its faults."""

from __future__ import annotations

import dataclasses

import pytest

from processor.core.predicting import TWICE_PERCENT
from processor.runtime.sentences import of_decision, sentence
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, kinds, sent, topology

DAY = 24
DAY_MS = DAY * HOUR_MS
BASE = """
    topology: small
    events: {seen: {}, order_completed: {}}
    purposes: {service: {consent: not_required}}
    channels: {push: {}}
    scores:
      churn:
        model: tests.core.churn:score
        features: {days: 'days_since("order_completed")', orders: 'count("order_completed", within="90d")'}
        evaluate: EVALUATE
        grades: {low: 0, high: {at: 0.6, until: 0.5}}
"""
AT_RISK = "entry: {grade: churn, becomes: high}\nsteps: [{send: push, template: stay}]\n"
REACHES = "entry: {score: churn, reaches: 0.5}\nsteps: [{send: push, template: stay}]\n"
LOOKS = """
entry: {on: seen}
reenter: always
steps:
  - decide: [{if: score.churn >= 0.5, steps: [{send: push, template: stay}]}]
"""


def play(folder, log, program, evaluate, days=100, fn=None):
    made = topology(folder, program, BASE.replace("EVALUATE", evaluate))
    if fn is not None:
        model = made.scores["churn"]
        assert model.predictor is not None
        predictor = dataclasses.replace(model.predictor, fn=fn)
        made.scores["churn"] = dataclasses.replace(model, predictor=predictor)
    return run(log, 1, topology=made, until_ms=START_MS + days * DAY_MS)


def evaluations(decisions):
    return [
        (line["after"], (one.at_ms - START_MS) / DAY_MS)
        for one in decisions
        if one.kind == "scored"
        for line in (one.detail or {})["ledger"]
    ]


def test_it_is_evaluated_at_its_events_and_at_no_other(tmp_path):
    log = [
        event("seen", 1),
        event("order_completed", 2),
        event("seen", 40 * DAY),
        event("order_completed", 41 * DAY),
    ]
    _, decisions, _, _ = play(tmp_path, log, LOOKS, "{on: order_completed}")
    assert [day for _, day in evaluations(decisions)] == [2 / DAY, 41]


def test_the_record_holds_the_features_and_which_model_it_was(tmp_path):
    _, decisions, _, _ = play(tmp_path, [event("order_completed", 2)], LOOKS, "{on: order_completed}")
    (one,) = (d for d in decisions if d.kind == "scored")
    detail = one.detail or {}
    assert detail["features"] == {"days": 0, "orders": 1}
    assert detail["model"].startswith("python:")
    assert len(detail["model"]) == len("python:") + 16
    assert sentence(of_decision(one), str).endswith("(model), from days 0, orders 1")


def test_events_soon_after_an_evaluation_cause_no_other(tmp_path):
    log = [event("order_completed", hours) for hours in (0, 1, 5, 7)]
    _, decisions, _, _ = play(tmp_path, log, LOOKS, "{on: order_completed, at_most_every: 6h}")
    assert [day * DAY for _, day in evaluations(decisions)] == [0, 7]


def test_who_looks_at_a_stale_answer_gets_a_fresh_one(tmp_path):
    log = [
        event("seen", 0),
        event("seen", 3 * DAY),
        event("order_completed", 3 * DAY),
        event("seen", 50 * DAY),
    ]
    base_looks = LOOKS.replace("score.churn", "score.churn + 0")
    commands, decisions, _, _ = play(tmp_path, log, base_looks, "{fresh_for: 7d}", days=60)
    # The grade keeps a timer, so that it is right though nobody looks: every 7 days.
    assert evaluations(decisions)[0] == (0.982, 0)
    assert [hours / DAY for _, hours in sent(commands)] == [0, 3, 50]


def test_without_grades_nothing_is_asked_before_somebody_looks(tmp_path):
    log = [event("seen", 0), event("order_completed", 1), event("seen", 50 * DAY)]
    made = topology(tmp_path, LOOKS, BASE.replace("EVALUATE", "{fresh_for: 7d}").split("        grades")[0])
    _, decisions, _, _ = run(log, 1, topology=made, until_ms=START_MS + 90 * DAY_MS)
    assert [day for _, day in evaluations(decisions)] == [0, 50]


@pytest.mark.parametrize(("program", "day"), [(AT_RISK, 35), (REACHES, 28)])
def test_a_risk_that_rises_while_nothing_happens_is_seen(tmp_path, program, day):
    """0.182 on the day of the order; 0.5 after 25 days, 0.6 after 30: seen at the next seventh day."""
    evaluate = "{on: order_completed, fresh_for: 7d}"
    commands, _, _, _ = play(tmp_path, [event("order_completed", 0)], program, evaluate)
    assert [hours / DAY for _, hours in sent(commands)] == [day]


def test_a_segment_follows_the_model(tmp_path):
    base = BASE + "    segments: {leaving: score.churn >= 0.5}\n"
    made = topology(tmp_path, LOOKS, base.replace("EVALUATE", "{on: order_completed, fresh_for: 5d}"))
    log = [event("order_completed", 0), event("order_completed", 60 * DAY)]
    _, decisions, _, _ = run(log, 1, topology=made, until_ms=START_MS + 80 * DAY_MS)
    moved = [(kind, hours / DAY) for kind, _, hours in kinds(decisions, "segment_entered", "segment_left")]
    assert moved == [("segment_entered", 25), ("segment_left", 60)]


def raising(features):
    raise KeyError("a secret")


def changing():
    answers = iter(x / 1e6 for x in range(10**6))
    return lambda _: next(answers)


FAULTS = [
    (raising, "raised", "KeyError"),
    (lambda _: "much", "no_number", "str"),
    (lambda _: float("nan"), "not_finite", None),
    (lambda _: float("inf"), "not_finite", None),
    (lambda _: True, "no_number", "bool"),
]


@pytest.mark.parametrize(("fn", "reason", "error"), FAULTS)
def test_a_fault_of_the_model_stops_nobody_and_is_on_the_record(tmp_path, fn, reason, error):
    log = [event("order_completed", 0), event("seen", 1), event("order_completed", 2)]
    commands, decisions, _, _ = play(tmp_path, log, LOOKS, "{on: order_completed}", fn=fn)
    failed = [d for d in decisions if d.kind == "model_failed"]
    assert [d.reason for d in failed] == [reason, reason]
    assert (failed[0].detail or {}).get("error") == error
    assert "secret" not in str(failed)
    assert commands == []
    assert evaluations(decisions) == []
    assert ("completed", "", 1.0) in kinds(decisions, "completed")


def test_a_model_that_recovers_is_asked_again_in_its_time(tmp_path):
    calls = []

    def fn(features):
        calls.append(features)
        if len(calls) == 1:
            raise ValueError
        return 0.7

    log = [event("seen", 0), event("seen", 2 * DAY), event("seen", 8 * DAY)]
    commands, decisions, _, _ = play(tmp_path, log, LOOKS, "{fresh_for: 7d}", days=8, fn=fn)
    assert [hours / DAY for _, _, hours in kinds(decisions, "model_failed")] == [0]
    assert evaluations(decisions) == [(0.7, 7)]
    assert [hours / DAY for _, hours in sent(commands)] == [8]


def test_a_model_that_is_not_a_function_of_its_features_is_found_out(tmp_path):
    contacts = [f"c-{number}" for number in range(400)]
    log = [event("order_completed", 0, contact) for contact in contacts]
    _, decisions, _, _ = play(tmp_path, log, LOOKS, "{on: order_completed}", fn=changing())
    failed = [d.reason for d in decisions if d.kind == "model_failed"]
    assert set(failed) == {"changing"}
    assert 0.5 * TWICE_PERCENT < len(failed) / 4 < 2 * TWICE_PERCENT


def test_a_model_cannot_change_what_is_on_the_record(tmp_path):
    def fn(features):
        features.clear()
        return 0.5

    _, decisions, _, _ = play(tmp_path, [event("order_completed", 0)], LOOKS, "{on: order_completed}", fn=fn)
    (one,) = (d for d in decisions if d.kind == "scored")
    assert (one.detail or {})["features"] == {"days": 0, "orders": 1}


def test_contacts_that_become_one_are_evaluated_by_the_history_of_both(tmp_path):
    log = [
        event("order_completed", 0, "anon"),
        event("order_completed", 1, "ana"),
        event("contact_identified", 2, "ana", anonymous_id="anon"),
    ]
    _, decisions, _, _ = play(tmp_path, log, LOOKS, "{on: order_completed}")
    last = [d for d in decisions if d.kind == "scored"][-1]
    assert (last.contact_id, (last.detail or {})["features"]["orders"]) == ("ana", 2)
