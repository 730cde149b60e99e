"""Sends that go on to the next channel: no address, no consent, or a failure that the channel reports."""

from __future__ import annotations

from processor.core.ids import command_id
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
events:
  seen: {n: integer?}
  bounced: {command_id: string?}
  push_failed: {}
profile: {email: string, phone: string}
purposes: {service: {consent: not_required}, marketing: {consent: required}}
channels:
  email: {address: email, failed_by: bounced, expires_after: 2d}
  push: {failed_by: push_failed}
  sms: {address: phone, expires_after: 3h}
policies:
  quiet_hours: {from: "20:00", to: "22:00", channels: [sms]}
"""
PROGRAM = """
entry: {on: seen}
steps:
  - send: email
    template: hello
    fallback: {fallback}
    purpose: {purpose}
  - wait: 1h
  - {send: push, template: after}
"""


def play(folder, log, fallback="sms", purpose="service"):
    text = PROGRAM.replace("{fallback}", fallback).replace("{purpose}", purpose)
    small = topology(folder, text, BASE)
    commands, decisions, _, _ = run(log, 1, topology=small, until_ms=START_MS + 60 * HOUR_MS)
    made = [(c.channel, c.template, (c.decided_ms - START_MS) / HOUR_MS) for c in commands]
    fell = [
        (d.reason, (d.detail or {})["channel"], (d.detail or {})["to_channel"])
        for d in decisions
        if d.kind == "fell_back"
    ]
    return made, fell, commands, decisions


def known(**attributes):
    return event("profile_updated", 0, **attributes)


def test_with_an_address_the_first_channel_is_taken(tmp_path):
    made, fell, _, _ = play(tmp_path, [known(email="a", phone="1"), event("seen", 0)])
    assert made == [("email", "hello", 0), ("push", "after", 1)]
    assert fell == []


def test_without_an_address_the_next_channel_is_taken_with_its_own_expiry(tmp_path):
    made, fell, commands, _ = play(tmp_path, [known(phone="1"), event("seen", 0)])
    assert made == [("sms", "hello", 0), ("push", "after", 1)]
    assert fell == [("no_address", "email", "sms")]
    assert commands[0].expires_ms == START_MS + 3 * HOUR_MS
    assert commands[0].kind == "send"


def test_without_any_address_the_last_channel_says_why(tmp_path):
    made, fell, _, decisions = play(tmp_path, [event("seen", 0)])
    assert made == [("push", "after", 1)]
    assert fell == []
    (held,) = [d for d in decisions if d.kind == "suppressed"]
    assert (held.reason, held.detail) == (
        "no_address",
        {"channel": "sms", "template": "hello", "passed": {"email": "no_address"}},
    )


def test_without_consent_for_one_channel_the_next_is_asked(tmp_path):
    log = [
        known(email="a", phone="1"),
        event("consent_granted", 0, purpose="marketing", channel="sms"),
        event("seen", 0),
    ]
    made, fell, _, _ = play(tmp_path, log, purpose="marketing")
    assert made[0] == ("sms", "hello", 0)
    assert fell == [("no_consent", "email", "sms")]


def test_a_failure_in_time_goes_through_all_channels(tmp_path):
    log = [known(email="a", phone="1"), event("seen", 0), event("bounced", 1), event("push_failed", 2)]
    made, fell, commands, _ = play(tmp_path, log, "{to: [push, sms], template: short, within: 3h}")
    assert made == [("email", "hello", 0), ("push", "short", 1), ("sms", "short", 2), ("push", "after", 3)]
    assert fell == [("failed", "email", "push"), ("failed", "push", "sms")]
    assert len({c.command_id for c in commands}) == 4


def test_no_failure_in_time_goes_on(tmp_path):
    log = [known(email="a", phone="1"), event("seen", 0), event("bounced", 3.5)]
    made, fell, _, _ = play(tmp_path, log, "{to: sms, within: 3h}")
    assert made == [("email", "hello", 0), ("push", "after", 4)]
    assert fell == []


def test_a_failure_of_another_command_is_not_this_ones(tmp_path):
    log = [known(email="a", phone="1"), event("seen", 0)]
    _, _, commands, _ = play(tmp_path, log, "{to: sms, within: 3h}")
    mine = commands[0]
    assert mine.command_id == command_id(mine.enrollment, mine.step, 1, "send")
    other, _, _, _ = play(tmp_path, [*log, event("bounced", 1, command_id="x")], "{to: sms, within: 3h}")
    assert [channel for channel, _, _ in other] == ["email", "push"]
    this = [*log, event("bounced", 1, command_id=mine.command_id)]
    assert [channel for channel, _, _ in play(tmp_path, this, "{to: sms, within: 3h}")[0]] == [
        "email",
        "sms",
        "push",
    ]


def test_a_fallback_that_is_held_does_not_go_back_to_the_channel_that_failed(tmp_path):
    log = [known(email="a", phone="1"), event("seen", 11), event("bounced", 12.5)]  # 20:30, quiet for sms
    made, fell, _, decisions = play(tmp_path, log, "{to: sms, within: 3h}")
    assert made == [("email", "hello", 11), ("sms", "hello", 14), ("push", "after", 15)]
    assert fell == [("failed", "email", "sms")]
    (held,) = [d for d in decisions if d.kind == "held"]
    assert (held.detail or {})["passed"] == {"email": "failed"}


def test_how_long_the_next_channel_may_be_held_counts_from_the_failure(tmp_path):
    log = [known(email="a", phone="1"), event("seen", 11), event("bounced", 12.5)]
    made, _, _, _ = play(tmp_path, log, "{to: sms, within: 3h}\n    hold_at_most: 2h")
    assert made[1] == ("sms", "hello", 14)
    made, _, _, decisions = play(tmp_path, log, "{to: sms, within: 3h}\n    hold_at_most: 1h")
    assert [channel for channel, _, _ in made] == ["email", "push"]
    assert [d.reason for d in decisions if d.kind == "suppressed"] == ["held_too_long"]
