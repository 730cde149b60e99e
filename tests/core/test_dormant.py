"""Limits for the dormant: when they begin and end, what counts, and who is spared them."""

from __future__ import annotations

import pytest

from tests.core.logs import START_MS, run
from tests.core.test_machine import event, topology

DAY = 24
BASE = """
topology: small
events: {{seen: {{n: integer?}}, clicked: {{}}, nudged: {{}}}}
purposes: {{service: {{consent: not_required}}, receipts: {{transactional: true}}}}
channels: {{push: {{}}, sms: {{}}, slack: {{kind: alert}}}}
policies:
  dormant: {dormant}
"""
PROGRAM = "entry: {on: nudged}\nreenter: always\nsteps: [{send: push, template: hello%s}]\n"
RULE = "{name: quiet, inactive: 30d, of: [seen, clicked], at_most: 1, per: 20d}"


def play(folder, dormant, days, more="", first="seen"):
    """What becomes of a nudge on each of the days, after one sign of life on the first."""
    small = topology(folder, PROGRAM % more, BASE.format(dormant=dormant))
    log = [event(first, 0)] + [event(kind, day * DAY, eid=f"{kind}-{day}") for kind, day in days]
    until_ms = START_MS + 200 * DAY * 3_600_000
    commands, decisions, _, _ = run(log, 1, topology=small, until_ms=until_ms)
    held = [(d.kind, d.reason) for d in decisions if d.kind in {"held", "suppressed"}]
    return [(c.decided_ms - START_MS) / 86_400_000 for c in commands], held


def nudges(*days):
    return [("nudged", day) for day in days]


def test_only_the_dormant_are_bound_and_only_what_they_were_sent_counts(tmp_path):
    sent, held = play(tmp_path, RULE, nudges(1, 10, 29, 31, 40, 50, 52))
    assert sent == [1, 10, 29, 31, 52]  # the 20 days since day 31 end with day 51
    assert held == [("suppressed", "dormant:quiet")] * 2


def test_a_sign_of_life_lifts_it(tmp_path):
    sent, _ = play(tmp_path, RULE, [*nudges(31, 35), ("clicked", 36), *nudges(37, 38, 65, 67, 68)])
    assert sent == [31, 37, 38, 65, 67]


def test_what_is_not_named_is_no_life_and_without_names_everything_is(tmp_path):
    assert play(tmp_path, RULE, nudges(31, 32))[0] == [31]
    anything = "{inactive: 30d, at_most: 1, per: 20d}"
    assert play(tmp_path, anything, nudges(31, 32))[0] == [31, 32]  # a nudge is an event itself


def test_without_a_time_it_is_so_many_until_there_is_life(tmp_path):
    ever = "{inactive: 30d, of: seen, at_most: 2}"
    sent, held = play(tmp_path, ever, [*nudges(31, 60, 90, 150), ("seen", 160), *nudges(161)])
    assert sent == [31, 60, 161]
    assert held == [("suppressed", "dormant:30d-2")] * 2


def test_a_step_may_wait_for_room(tmp_path):
    sent, held = play(tmp_path, RULE, nudges(31, 40), ", when_capped: wait, hold_at_most: 15d")
    assert sent == [31, 51]
    assert held == [("held", "dormant:quiet")]


def test_of_who_never_showed_life_the_first_send_begins_the_silence(tmp_path):
    sent, _ = play(tmp_path, RULE, nudges(1, 20, 32, 40, 53), first="nudged")
    assert sent == [0, 1, 20, 32, 53]


@pytest.mark.parametrize("narrowed", ["channels: [sms]", "purposes: [receipts]"])
def test_it_can_be_narrowed(tmp_path, narrowed):
    assert play(tmp_path, RULE[:-1] + f", {narrowed}}}", nudges(31, 32))[0] == [31, 32]


def test_transactional_sends_pass_and_do_not_count(tmp_path):
    assert play(tmp_path, RULE, nudges(31, 32, 33), ", purpose: receipts")[0] == [31, 32, 33]
