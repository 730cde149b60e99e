"""Answers about consent: on the record, confirmed where that is asked for, in force at once."""

from __future__ import annotations

from typing import Any

import pytest

from processor.core.events import Event
from processor.core.named import GRANTED, PENDING, WITHDRAWN
from processor.core.outputs import Decision
from processor.core.rows import Row
from processor.core.schema import validate
from processor.store.memory import MemoryStore
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, kinds, sent, topology

DAY = 24
BASE = """
    topology: small
    events: {seen: {}, failed: {}}
    profile: {size: string, phone: string}
    purposes:
      marketing: {consent: required}
      news: {consent: required, double_opt_in: {confirmation: [please, please-again], within: 2d}}
      service: {consent: not_required}
    channels: {push: {cancels: true, failed_by: failed}, sms: {address: phone}, crm: {kind: task}}
    lists: [vip, weekly]
    segments: {agreed: 'consent("news")'}
    policies:
      quiet_hours: {from: "20:00", to: "06:00", purposes: [marketing, news]}
      caps: {at_most: 1, per: 1d, purposes: [news]}
"""
NIGHT = 14  # hours from the start of the logs: 22:00


def consented(decisions: list[Decision]) -> list[tuple[str, Any, float]]:
    return [
        (d.reason, (d.detail or {})["for"], (d.at_ms - START_MS) / HOUR_MS)
        for d in decisions
        if d.kind == "consented"
    ]


def answers(store: MemoryStore) -> dict[str, tuple[int, str, str]]:
    (data,) = store.partition(0).get_many(["ana"])
    assert data is not None
    return {key: (one.state, one.wording, one.by) for key, one in Row.decode(data).consents.all().items()}


def granted(hours: float, purpose: str = "marketing", **more: Any) -> Event:
    return event("consent_granted", hours, purpose=purpose, **more)


def test_each_answer_is_on_record_with_its_text_and_by_whom(tmp_path):
    small = topology(tmp_path, "entry: {on: seen}\nsteps: [{wait: 1d}]\n", BASE)
    log = [
        granted(1, text="terms-3", by="desk"),
        granted(2, channel="sms"),
        event("consent_withdrawn", 3, by="ana"),
    ]
    _, decisions, store, _ = run(log, 1, topology=small)
    assert consented(decisions) == [
        ("granted", ["marketing"], 1.0),
        ("granted", ["marketing/sms"], 2.0),
        ("withdrawn", ["marketing", "marketing/sms", "news"], 3.0),  # what arrives later is withdrawn, too
    ]
    assert decisions[0].detail == {
        "for": ["marketing"], "text": "terms-3", "by": "desk", "event": log[0].event_id,
    }  # fmt: skip
    no = (WITHDRAWN, "", "ana")
    assert answers(store) == {"marketing": no, "marketing/sms": no, "news": no}


CONFIRM = """
    entry: {on: consent_granted, if: event.purpose == "news"}
    reenter: always
    exit: [consent_confirmed]
    steps:
      - {send: push, template: please, purpose: news}
      - {send: push, template: other, purpose: news}
      - wait: 1d
      - {send: push, template: please-again, purpose: news}
"""


def test_a_pending_consent_lets_only_its_confirmations_out_and_they_count_for_nothing(tmp_path):
    small = topology(tmp_path, CONFIRM, BASE)
    log = [granted(NIGHT, "news"), event("seen", NIGHT + 30)]
    commands, decisions, store, _ = run(log, 1, topology=small)
    assert sent(commands) == [("please", NIGHT), ("please-again", NIGHT + DAY)]  # at night, and above the cap
    assert kinds(decisions, "suppressed") == [("suppressed", "no_consent", NIGHT)]
    assert [d.reason for d in decisions if d.kind == "commanded"] == ["confirmation"] * 2
    assert answers(store) == {"news": (PENDING, "", "")}


def test_a_confirmed_consent_counts_and_an_unconfirmed_one_lapses(tmp_path):
    small = topology(tmp_path, CONFIRM, BASE)
    log = [
        granted(1, "news", text="t1"),
        event("consent_confirmed", 2, purpose="news"),
        event("consent_confirmed", 3, purpose="news"),
        granted(4, "news", text="t2"),  # what is confirmed stays so
        granted(5, "news", channel="sms"),
    ]
    _, decisions, store, _ = run(log, 1, topology=small, until_ms=START_MS + 60 * HOUR_MS)
    assert consented(decisions) == [
        ("pending", ["news"], 1.0), ("confirmed", ["news"], 2.0), ("not_pending", ["news"], 3.0),
        ("granted", ["news"], 4.0), ("pending", ["news/sms"], 5.0), ("lapsed", ["news/sms"], 53.0),
    ]  # fmt: skip
    assert answers(store) == {"news": (GRANTED, "t2", ""), "news/sms": (WITHDRAWN, "", "")}
    assert kinds(decisions, "segment_entered") == [("segment_entered", "agreed", 2.0)]


def test_a_grant_that_is_repeated_has_its_whole_time_again_and_a_withdrawal_ends_the_wait(tmp_path):
    small = topology(tmp_path, CONFIRM, BASE)
    log = [granted(1, "news"), granted(30, "news"), event("consent_confirmed", 77, purpose="news")]
    assert consented(run(log, 1, topology=small)[1])[-1] == ("confirmed", ["news"], 77.0)
    log = [granted(1, "news"), event("consent_withdrawn", 2, purpose="news"), event("seen", 80)]
    assert [reason for reason, _, _ in consented(run(log, 1, topology=small)[1])] == ["pending", "withdrawn"]


STEPS = {
    "send": "{send: push, template: hello, purpose: marketing}",
    "series": "{series: push, every: 1d, pieces: [hello, more], purpose: marketing}",
    "fallback": "{send: push, template: hello, purpose: marketing, fallback: sms}",
    "parallel": "{parallel: {x: [{send: push, template: hello, purpose: marketing}], y: [{wait: 9d}]}}",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["withdrawn", "preferences"])
def test_a_withdrawal_ends_what_is_held_at_once(tmp_path, step, how):
    text = f"entry: {{on: seen}}\nsteps: [{STEPS[step]}]\n"
    small = topology(tmp_path, text, BASE)
    log = [event("profile_updated", 0, phone="+1"), granted(1), event("seen", NIGHT)]
    if how == "withdrawn":
        log.append(event("consent_withdrawn", NIGHT + 1, purpose="marketing"))
    else:
        log.append(event("preferences_changed", NIGHT + 1, consents={"marketing": False, "news": True}))
    commands, decisions, _, _ = run(log, 1, topology=small, until_ms=START_MS + 10 * DAY * HOUR_MS)
    assert sent(commands) == []
    seen = kinds(decisions, "held", "suppressed")
    assert seen[:2] == [("held", "quiet_hours", NIGHT), ("suppressed", "no_consent", NIGHT + 1)]
    (cancel,) = [c for c in commands if c.kind == "cancel"]
    assert (cancel.channel, cancel.purpose, cancel.values) == ("push", "marketing", {})
    assert [d.detail for d in decisions if d.kind == "cancelled"] == [
        {"channel": "push", "purpose": "marketing"}
    ]


def test_a_withdrawal_on_one_channel_sends_a_held_one_to_the_next_channel(tmp_path):
    text = f"entry: {{on: seen}}\nsteps: [{STEPS['fallback']}]\n"
    day = BASE.replace("purposes: [marketing, news]}", "channels: [push]}")
    small = topology(tmp_path, text, day)
    log = [
        event("profile_updated", 0, phone="+1"),
        granted(1),
        event("seen", NIGHT),
        event("consent_withdrawn", NIGHT + 1, purpose="marketing", channel="push"),
    ]
    commands, decisions, _, _ = run(log, 1, topology=small)
    assert [(c.channel, c.kind) for c in commands] == [("push", "cancel"), ("sms", "send")]
    assert kinds(decisions, "fell_back") == [("fell_back", "no_consent", NIGHT + 1)]


def test_an_exit_by_withdrawal_comes_before_the_held_send_goes_on(tmp_path):
    text = f"""
    purpose: marketing
    entry: {{on: seen}}
    exit: [consent_withdrawn]
    steps: [{STEPS["send"]}, {{send: push, template: free, purpose: service}}]
    """
    small = topology(tmp_path, text.replace("purpose: marketing\n    entry", "entry"), BASE)
    for withdrawal in (
        event("consent_withdrawn", NIGHT + 1),
        event("preferences_changed", NIGHT + 1, consents={"marketing": False}),
    ):
        commands, decisions, _, _ = run([granted(1), event("seen", NIGHT), withdrawal], 1, topology=small)
        ended = [d.reason for d in decisions if d.kind == "exited"]
        if withdrawal.type == "consent_withdrawn":  # of all purposes; the program's own is service
            assert ended == ["consent_withdrawn"]
            assert sent(commands) == []
        else:
            assert sent(commands) == [("free", NIGHT + 1)]


def test_preferences_are_all_in_force_before_anything_reacts(tmp_path):
    text = """
    entry: [{on: list_joined}, {on: consent_granted}, {on: consent_withdrawn}]
    reenter: always
    steps:
      - decide:
          - if: consent("marketing") and not consent("marketing", "sms") and in_list("weekly")
            steps: [{send: push, template: all, purpose: service}]
          - else: [{send: push, template: some, purpose: service}]
    """
    small = topology(tmp_path, text, BASE)
    chosen = {
        "consents": {"marketing": True, "marketing/sms": False},
        "lists": {"weekly": True, "vip": False},
        "profile": {"size": "XL"},
        "text": "centre-2",
    }
    log = [granted(1, channel="sms"), event("preferences_changed", 5, **chosen)]
    commands, decisions, store, _ = run(log, 1, topology=small)
    assert [template for template, _ in sent(commands)][1:] == ["all"] * 3
    assert consented(decisions)[1:] == [
        ("withdrawn", ["marketing/sms"], 5.0), ("granted", ["marketing"], 5.0),
    ]  # fmt: skip
    assert answers(store)["marketing"] == (GRANTED, "centre-2", "")
    (data,) = store.partition(0).get_many(["ana"])
    assert data is not None
    row = Row.decode(data)
    assert (row.attributes, [*row.lists]) == ({"size": "XL"}, ["weekly"])


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"consents": {"marketing": True, "news/sms": False}}, None),
        ({"consents": {"markting": True}}, "unknown_name: consents"),
        ({"consents": {"marketing/fax": True}}, "unknown_name: consents"),
        ({"consents": {"marketing": "yes"}}, "wrong_type: consents"),
        ({"lists": {"none": True}}, "unknown_name: lists"),
        ({"lists": {"vip": 1}}, "wrong_type: lists"),
        ({"profile": {"size": 3}}, "wrong_type: size"),
        ({"profile": 3}, "wrong_type: profile"),
    ],
)
def test_preferences_that_name_nothing_are_no_preferences(tmp_path, properties, reason):
    small = topology(tmp_path, "entry: {on: seen}\nsteps: [{wait: 1d}]\n", BASE)
    found = validate(small, "preferences_changed", properties)
    assert found == reason if reason is None else (found or "").startswith(reason)
