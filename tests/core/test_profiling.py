"""Without consent no score is kept, nobody is in a segment, and no profile value leaves in a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.drawers import Drawer
from processor.core.named import CapUse, Score
from processor.core.rows import Row
from processor.store.memory import MemoryStore
from tests.core.test_machine import event, kinds, topology

BASE = """
    topology: small
    events: {seen: {n: integer?}}
    profile: {name: string}
    purposes:
      profiling: {consent: required}
      personal: {consent: required}
      service: {consent: not_required}
      receipts: {transactional: true}
    channels: {push: {}, slack: {kind: alert}, erp: {kind: webhook}}
    scores:
      heat:
        needs: profiling
        half_life: 1d
        grades: {cold: 0, hot: 10}
        rules: [{on: seen, add: 6, cap: {times: 9, per: 1d}}]
      plain: {rules: [{on: seen, add: 1}]}
    segments:
      busy: {if: 'count("seen", within="9d") >= 2', needs: profiling}
      warm: score.heat >= 6
    policies: {personalising: {needs: personal, channels: [push, erp, slack]}}
"""
SCORES = """
    entry: {on: seen}
    reenter: always
    steps: [{id: more, score: heat, add: 2}]
"""


def run(log, folder, program, base=BASE):
    from tests.core.logs import run as run_log

    return run_log(log, 1, topology=topology(folder, program, base), until_ms=log[-1].occurred_ms)


def row_of(store: MemoryStore) -> Row:
    (data,) = store.partition(0).get_many(["ana"])
    assert data is not None
    return Row.decode(data)


def agreed(hours: float, purpose: str, **more: object):
    return event("consent_granted", hours, purpose=purpose, **more)


def test_no_score_is_kept_and_nobody_is_in_a_segment_without_consent(tmp_path):
    _, decisions, store, _ = run([event("seen", 1), event("seen", 2)], tmp_path, SCORES)
    row = row_of(store)
    assert row.scores.names() == ["plain"]
    assert [*row.segments] == []
    assert kinds(decisions, "not_scored") == [("not_scored", "no_consent", hour) for hour in (1.0, 2.0)]
    assert {(d.step, str(d.detail)) for d in decisions if d.kind == "not_scored"} == {
        ("more", "{'score': 'heat', 'needs': 'profiling'}")
    }


def test_a_withdrawal_deletes_the_scores_their_timers_and_the_memberships(tmp_path):
    log = [
        agreed(0, "profiling"), event("seen", 1), event("seen", 2),
        event("consent_withdrawn", 3, purpose="profiling"), event("seen", 4),
    ]  # fmt: skip
    _, decisions, store, _ = run(log, tmp_path, SCORES)
    row = row_of(store)
    assert row.scores.names() == ["plain"]
    assert row.scores.all()["plain"].value == 3
    assert [timer.kind for timer in row.timers] == []
    assert kinds(decisions, "segment_entered", "segment_left", "unscored")[-3:] == [
        ("unscored", "no_consent", 3.0), ("segment_left", "busy", 3.0), ("segment_left", "warm", 3.0),
    ]  # fmt: skip
    again = run([*log, agreed(5, "profiling"), event("seen", 6)], tmp_path, SCORES)
    assert row_of(again[2]).scores.all()["heat"].value == 8
    assert [*row_of(again[2]).segments] == ["busy", "warm"]


def test_a_merge_keeps_no_score_that_the_contact_does_not_agree_to(tmp_path):
    log = [
        event("consent_granted", 0, "anon", purpose="profiling"), event("seen", 1, "anon"),
        event("consent_withdrawn", 2, purpose="profiling"),
        event("contact_identified", 3, anonymous_id="anon"),
    ]  # fmt: skip
    _, decisions, store, _ = run(log, tmp_path, SCORES)
    assert row_of(store).scores.names() == ["plain"]
    assert [d.step for d in decisions if d.kind == "not_scored"] == ["merge"]


SENDS = """
    entry: {on: seen}
    reenter: always
    steps:
      - send: push
        template: hello
        values: {hi: "Hi {profile.name}", n: event.n, heat: score.heat, often: 'count("seen")', is: "'x'"}
      - {alert: slack, message: "see {profile.name}"}
      - {webhook: erp, values: {who: profile.name, n: event.n}}
      - {send: push, template: receipt, purpose: receipts, values: {who: profile.name}}
"""


def test_no_profile_value_leaves_without_consent(tmp_path):
    log = [event("profile_updated", 0, name="Ana"), event("seen", 1, n=3)]
    commands, decisions, _, _ = run(log, tmp_path, SENDS)
    assert [c.values for c in commands] == [{"n": 3, "is": "x"}, {}, {"n": 3}, {"who": "Ana"}]
    assert [(d.detail or {}).get("withheld") for d in decisions if d.kind == "commanded"] == [
        ["hi", "heat", "often"], ["message"], ["who"], None,
    ]  # fmt: skip
    log.insert(1, agreed(0.5, "personal"))
    commands, decisions, _, _ = run(log, tmp_path, SENDS)
    assert [c.values for c in commands] == [
        {"hi": "Hi Ana", "n": 3, "heat": 0.0, "often": 1, "is": "x"},
        {"message": "see Ana"}, {"who": "Ana", "n": 3}, {"who": "Ana"},
    ]  # fmt: skip
    log.insert(2, event("consent_withdrawn", 0.6, purpose="personal", channel="push"))
    commands, _, _, _ = run(log, tmp_path, SENDS)
    assert commands[0].values == {"n": 3, "is": "x"}
    assert commands[2].values == {"who": "Ana", "n": 3}


def test_blocks_that_a_profile_picks_and_the_context_of_a_hand_over_are_personal_too(tmp_path):
    steps = """
    entry: {on: seen}
    steps:
      - send: push
        template: hello
        blocks: {top: [{if: 'profile.name == "Ana"', show: ana}, {show: all}]}
      - {send: push, template: other, blocks: {top: [{if: event.n > 1, show: many}, {show: few}]}}
      - {alert: slack, message: look, context: true}
    """
    log = [event("profile_updated", 0, name="Ana"), event("seen", 1, n=3)]
    commands, _, _, _ = run(log, tmp_path, steps)
    assert [c.values for c in commands] == [{}, {"blocks": {"top": "many"}}, {"message": "look"}]
    log.insert(1, agreed(0.5, "personal"))
    commands, _, _, _ = run(log, tmp_path, steps)
    assert commands[0].values == {"blocks": {"top": "ana"}}
    assert "context" in commands[2].values


def test_the_policy_can_be_for_some_channels_only(tmp_path):
    base = BASE.replace("channels: [push, erp, slack]", "channels: [erp]")
    log = [event("profile_updated", 0, name="Ana"), event("seen", 1, n=3)]
    commands, _, _, _ = run(log, tmp_path, SENDS, base)
    assert [len(c.values) for c in commands] == [5, 1, 1, 1]


@given(
    names=st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
    gone=st.sampled_from("abcdef"),
    stored=st.booleans(),
    touched=st.sampled_from("abcdef"),
)
def test_an_item_removed_from_a_drawer_is_gone_and_the_rest_stays(names, gone, stored, touched):
    row = Row.new()
    for number, name in enumerate(names):
        row.scores.put(name, Score(number, 5, "g", [CapUse("r", 1, 2.0)]))
    if stored:
        row = Row.decode(row.encode())
    if touched in names:
        score = row.scores.get(touched)
        assert score is not None
        row.scores.change(score)
        score.value = 77
    row.scores.remove(gone)
    left = [name for name in names if name != gone]
    assert row.scores.names() == left
    again = Row.decode(row.encode())
    assert sorted(again.scores.names()) == sorted(left)
    for name in left:
        kept = again.scores.get(name)
        assert kept is not None
        assert kept.value == (77 if name == touched else names.index(name))
    row.scores.put(gone, Score(1, 1, "", []))
    assert gone in Row.decode(row.encode()).scores


def test_a_drawer_without_what_is_removed_stays_as_it_is():
    row = Row.new()
    row.scores.remove("none")
    assert isinstance(row.scores, Drawer)
    assert Row.decode(row.encode()).scores.names() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("needs: profiling\n        half", "needs: service\n        half"),
        ("needs: personal", "needs: service"),
    ],
)
def test_a_purpose_that_everybody_agrees_to_is_no_condition(tmp_path, old, new):
    from processor.language import LanguageError

    with pytest.raises(LanguageError, match="bad-needs"):
        topology(tmp_path, SCORES, BASE.replace(old, new))
