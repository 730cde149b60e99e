"""Pacing: how many sends go out in a period over all partitions, who waits until when, and in what order."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.events import Message
from processor.core.model import Topology
from processor.core.pacing import PERIODS_KEPT_MAX, advance_pace
from processor.core.sending import Pacing
from processor.core.shared import Shared
from tests.core.logs import HOUR_MS, START_MS, everything, logs, run
from tests.core.test_brakes import noted
from tests.core.test_machine import event, topology

BASE = """
topology: small
events: {{seen: {{n: integer?}}, gone: {{}}, failed: {{}}}}
purposes: {{service: {{consent: not_required}}, receipts: {{transactional: true}}}}
channels: {{push: {{}}, sms: {{failed_by: failed}}, slack: {{kind: alert}}}}
policies: {{pacing: {{channel: push, at_most: {at_most}, per: 1h}}{more}}}
"""
SEND = "entry: {on: seen}\nreenter: always\nexit: gone\nsteps: [{send: push, template: hello%s}]\n"
CONTACTS = [f"c{number}" for number in range(9)]
HALF = 1 / 60


def play(folder, log, at_most=2, program=SEND % "", more="", partitions=1, cuts=frozenset()):
    small = topology(folder, program, BASE.format(at_most=at_most, more=more))
    until_ms = START_MS + 9 * 24 * HOUR_MS
    commands, decisions, _, _ = run(log, partitions, topology=small, until_ms=until_ms, cuts=cuts)
    sent = [(c.contact_id, round((c.decided_ms - START_MS) / HOUR_MS, 2)) for c in commands]
    return sorted(sent, key=lambda one: one[1]), decisions


def seen(contacts, hours=1.0):
    return [event("seen", hours + number * HALF, contact) for number, contact in enumerate(contacts)]


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_so_many_in_a_period_and_the_others_in_order_spread_over_the_next(tmp_path, partitions):
    sent, decisions = play(tmp_path, seen(CONTACTS[:7]), partitions=partitions)
    assert sent == [
        ("c0", 1.0), ("c1", 1.02), ("c2", 2.0), ("c3", 2.5), ("c4", 3.0), ("c5", 3.5), ("c6", 4.0),
    ]  # fmt: skip
    held = [(d.contact_id, d.reason, d.detail and d.detail["until"]) for d in decisions if d.kind == "held"]
    assert held[0] == ("c2", "pacing:push", START_MS + 2 * HOUR_MS)
    assert [contact for contact, _, _ in held] == CONTACTS[2:7]


@pytest.mark.parametrize("partitions", [1, 3])
def test_who_comes_later_does_not_overtake_and_unused_room_is_not_hoarded(tmp_path, partitions):
    log = [*seen(CONTACTS[:4]), *seen(["late"], 2.6), *seen(["later"], 30)]
    sent, _ = play(tmp_path, log, partitions=partitions)
    assert sent[2:] == [("c2", 2.0), ("c3", 2.5), ("late", 3.0), ("later", 30.0)]


def test_a_batch_costs_a_message_and_what_is_left_of_it_is_only_lost_for_its_period(tmp_path):
    many = [f"c{number}" for number in range(700)]
    log = [event("seen", 1 + number / 3600, contact) for number, contact in enumerate(many)]
    sent, _ = play(tmp_path, log, at_most=300, partitions=2)
    by_hour = Counter(int(at) for _, at in sent)
    assert sum(by_hour.values()) == 700
    assert max(by_hour.values()) <= 300
    assert by_hour[1] >= 300 - 2 * 2  # a hundredth of it for each of two partitions, less one
    assert by_hour[4] <= 2 * 2


def test_what_waits_too_long_is_given_up_and_leaves_its_place_to_others(tmp_path):
    sent, decisions = play(tmp_path, seen(CONTACTS[:6]), program=SEND % ", hold_at_most: 90m")
    assert [contact for contact, _ in sent] == ["c0", "c1", "c2", "c3"]
    assert noted(decisions, "suppressed") == [("suppressed", c, "held_too_long") for c in ("c4", "c5")]
    given_up = [(d.at_ms - START_MS) / 60_000 for d in decisions if d.kind == "suppressed"]
    assert given_up == pytest.approx([154, 155])


def test_quiet_hours_go_first_and_come_again_when_the_room_has_come(tmp_path):
    quiet = ", quiet_hours: {from: '10:00', to: '12:00'}"  # it is 09:00
    sent, decisions = play(tmp_path, seen(CONTACTS[:5]), more=quiet)
    assert sent == [("c0", 1.0), ("c1", 1.02), ("c2", 4.0), ("c3", 4.0), ("c4", 5.0)]
    assert Counter(d.reason for d in decisions if d.kind == "held")["quiet_hours"] == 3


def test_room_of_who_leaves_goes_to_who_comes_in_its_period(tmp_path):
    log = [*seen(CONTACTS[:4]), event("gone", 1.5, "c2"), *seen(["new"], 2.25)]
    sent, _ = play(tmp_path, log)
    assert sent[2:] == [("new", 2.25), ("c3", 2.5)]


def test_transactional_sends_and_other_channels_are_not_paced(tmp_path):
    receipts, _ = play(tmp_path, seen(CONTACTS), program=SEND % ", purpose: receipts")
    other, _ = play(tmp_path, seen(CONTACTS), program=SEND.replace("send: push", "send: sms") % "")
    assert len([at for _, at in receipts if at < 2]) == len([at for _, at in other if at < 2]) == 9


def test_the_pieces_of_a_series_are_paced(tmp_path):
    series = "entry: {on: seen}\nsteps: [{series: push, every: 1m, pieces: [a, b, c]}]\n"
    sent, _ = play(tmp_path, seen(["ana"]), program=series)
    assert sent == [("ana", 1.0), ("ana", 1.02), ("ana", 2.0)]


def test_a_fallback_waits_for_room_on_its_own_channel(tmp_path):
    program = SEND.replace("send: push", "send: sms") % ", fallback: {to: push, within: 3h}"
    log = [*seen(CONTACTS[:4]), *[event("failed", 1.2, c, eid=f"f{c}") for c in CONTACTS[:4]]]
    sent, decisions = play(tmp_path, log, program=program)
    assert sent[4:] == [("c0", 1.2), ("c1", 1.2), ("c2", 2.0), ("c3", 2.5)]
    assert len(noted(decisions, "fell_back")) == 4


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_place_goes_along_with_a_merge(tmp_path, partitions):
    log = [*seen([*CONTACTS[:2], "anon"]), event("contact_identified", 1.5, "ana", anonymous_id="anon")]
    sent, _ = play(tmp_path, log, partitions=partitions)
    assert sent[2:] == [("ana", 2.0)]


def ask(shared, period, units, until=10**6, at_most=3):
    body = {
        "channel": "push", "per_ms": 10, "at_most": at_most, "period": period, "until": until, "units": units,
        "from": 0,
    }  # fmt: skip
    (answer,) = advance_pace(shared, Message("pace_ask", "", period * 10, body, home="pacing/push"))
    assert isinstance(answer, Message)
    return answer.body["slots"]


def test_the_home_gives_what_is_left_and_then_the_periods_behind_it():
    shared = Shared()
    assert ask(shared, 100, 2) == [(100, 2, 0)]
    assert ask(shared, 100, 5) == [(100, 1, 2), (101, 3, 0), (102, 1, 0)]
    assert ask(shared, 99, 4) == [(99, 3, 0), (102, 1, 1)]  # a partition that is behind
    assert ask(shared, 100, 9, until=102) == [(102, 1, 2)]
    assert ask(shared, 100, 1, until=102) == []
    assert ask(shared, 200, 1) == [(200, 1, 0)]
    assert ask(shared, 150, 1, until=155) == [(153, 1, 0)]  # no further back than is remembered
    assert len(shared.rooms["push/10"].given) <= PERIODS_KEPT_MAX


def paced() -> Topology:
    """The topology that uses the whole language, with its channels paced tightly."""
    pacing = {"email": Pacing(1, HOUR_MS), "push": Pacing(2, 5 * HOUR_MS), "sms": Pacing(1, 1_000)}
    channels = {
        name: dataclasses.replace(channel, pacing=pacing.get(name))
        for name, channel in everything().channels.items()
    }
    return dataclasses.replace(everything(), channels=channels, paced=True)


@pytest.mark.parametrize("partitions", [1, 2, 8])
@given(log=logs(max_size=40, braked=("cart", "weekly")), data=st.data())
def test_any_log_any_slicing_and_never_more_than_there_is_room_for(partitions, log, data):
    topology = paced()
    cuts = data.draw(st.frozensets(st.integers(0, len(log) - 1)))
    until_ms = log[-1].occurred_ms + 9 * 24 * HOUR_MS
    whole = run(log, partitions, topology=topology, until_ms=until_ms)
    sliced = run(
        log,
        partitions,
        topology=topology,
        until_ms=until_ms,
        cuts=cuts,
        rows_held_max=data.draw(st.integers(1, 5)),
    )
    assert sliced[:2] == whole[:2]
    used = Counter(
        (command.channel, command.decided_ms // pacing.per_ms)
        for command in whole[0]
        if command.kind == "send"
        and not topology.purposes[command.purpose].transactional
        and (pacing := topology.channels[command.channel].pacing) is not None
    )
    for (channel, _), count in used.items():
        pacing = topology.channels[channel].pacing
        assert pacing is not None
        assert count <= pacing.at_most


RIVALS = """
topology: rivals
events: {{seen: {{n: integer?}}}}
purposes: {{service: {{consent: not_required}}}}
channels: {{push: {{cost: 1}}}}
policies:
  pacing: {{channel: push, at_most: 1, per: 1h}}
  {more}
"""


@pytest.mark.parametrize("within", ["", ", within: 2h"])
@pytest.mark.parametrize("partitions", [1, 2])
def test_among_sends_that_compete_the_chosen_one_has_the_room(tmp_path, within, partitions):
    """Whoever stands keeps its place, and one that was chosen and then waits is not put up again."""
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "q.yaml").write_text(
        "program: q\npurpose: service\npriority: 90\nentry: {on: seen}\n"
        "steps: [{send: push, template: best, hold_at_most: 3d}]\n",
        encoding="utf-8",
    )
    more = f"arbitration: {{name: one, choose: priority{within}}}"
    small = topology(tmp_path, SEND.replace("exit: gone\n", "") % "", RIVALS.format(more=more))
    until_ms = START_MS + 9 * 24 * HOUR_MS
    commands, decisions, _, _ = run(seen(CONTACTS[:4]), partitions, topology=small, until_ms=until_ms)
    best = sorted((c.decided_ms, c.contact_id) for c in commands if c.template == "best")
    assert sorted(contact for _, contact in best) == CONTACTS[:4]
    by_hour = Counter(c.decided_ms // HOUR_MS for c in commands)
    assert max(by_hour.values()) == 1
    lost = [("suppressed", contact, "arbitration:one") for contact in CONTACTS[:4]]
    assert sorted(noted(decisions, "suppressed")) == lost


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_a_budget_is_only_taken_by_what_has_room(tmp_path, partitions):
    more = "budgets: {name: purse, at_most: 3}"
    small = topology(tmp_path, SEND.replace("exit: gone\n", "") % "", RIVALS.format(more=more))
    until_ms = START_MS + 9 * 24 * HOUR_MS
    commands, decisions, _, _ = run(seen(CONTACTS[:5]), partitions, topology=small, until_ms=until_ms)
    by_hour = Counter(c.decided_ms // HOUR_MS for c in commands)
    assert list(by_hour.values()) == [1, 1, 1]
    assert [reason for _, _, reason in noted(decisions, "suppressed")] == ["budget:purse"] * 2
