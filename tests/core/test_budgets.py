"""Budgets: what sends may cost, or how many there may be, over all contacts and partitions."""

from __future__ import annotations

from collections import Counter

import pytest

from processor.core.shared import Shared
from processor.core.time import parse_time, period_span, zone
from processor.language import load_topology
from tests.core.lagging import Lagging
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import DAY_MS, event

BASE = """
topology: small
timezone: Europe/London
currency: EUR
events: {{seen: {{n: integer?}}, looked: {{}}, bought: {{}}}}
purposes: {{service: {{consent: not_required}}, receipts: {{transactional: true}}}}
channels: {{push: {{}}, sms: {{cost: 0.5, address: tz}}, crm: {{kind: task, cost: 9}}}}
policies:
  budgets: {budgets}
"""
SEND = "entry: {on: seen}\nreenter: always\nsteps: [{send: sms, template: hello%s}]\n"


def small(folder, budgets, **programs):
    (folder / "programs").mkdir()
    (folder / "topology.yaml").write_text(BASE.format(budgets=budgets))
    for name, text in programs.items():
        (folder / "programs" / f"{name}.yaml").write_text(f"program: {name}\npurpose: service\n{text}")
    return load_topology(folder).topology


def known(*names):
    return [event("profile_updated", 0, name, tz="Europe/London") for name in names]


def play(topology, log, partitions=1, days=3):
    until = START_MS + days * DAY_MS
    commands, decisions, store, _ = run(log, partitions, topology=topology, until_ms=until)
    sends = [c for c in commands if c.kind == "send"]
    held = [(d.kind, d.reason, d.contact_id) for d in decisions if d.kind in {"held", "suppressed"}]
    for number in range(partitions):  # nobody is left without an answer
        data = store.partition(number).shared()
        shared = Shared.decode(data) if data else Shared()
        assert (shared.asked, shared.claims, shared.queue, shared.recalls) == (0, [], [], 0)
    return sends, held


@pytest.mark.parametrize("partitions", [1, 2, 8])
@pytest.mark.parametrize("most", [1, 7, 250, 1000])
def test_a_budget_of_sends_is_used_to_the_last_over_all_partitions(tmp_path, partitions, most):
    topology = small(tmp_path, f"{{name: few, at_most: {most}}}", p=SEND % "")
    names = [f"c-{n}" for n in range(300)]
    sends, held = play(topology, [*known(*names), *(event("seen", 1, name) for name in names)], partitions)
    assert len(sends) == min(most, 300)
    assert Counter(held) == Counter(
        ("suppressed", "budget:few", name) for name in set(names) - {send.contact_id for send in sends}
    )


def test_a_budget_of_money_pays_for_the_channel_and_what_the_step_costs(tmp_path):
    more = ", cost: event.n * 0.1"
    topology = small(tmp_path, "{name: purse, amount: 2.6}", p=SEND % more)
    names = [f"c-{n}" for n in range(5)]
    log = [*known(*names), *(event("seen", n, name, n=10) for n, name in enumerate(names, 1))]
    log.append(event("seen", 9, "c-4", n=6))  # 1.1 is left: too little for 1.5, and just enough for it
    commands, decisions, _, _ = run(log, 1, topology=topology)
    assert [c.contact_id for c in commands] == ["c-0", "c-4"]
    costs = [(d.detail or {})["cost"] for d in decisions if d.kind == "commanded"]
    assert costs == [1.0, pytest.approx(0.6)]


@pytest.mark.parametrize(
    ("per", "fits"), [("day", [1, 25, 41, 254.5, 289]), ("week", [1, 41, 254.5]), ("month", [1, 289])]
)
def test_a_period_is_one_of_the_calendar_and_begins_anew(tmp_path, per, fits):
    """The log begins on Saturday, 2026-03-21; the clocks change eight days later."""
    topology = small(tmp_path, f"{{name: few, at_most: 1, per: {per}}}", p=SEND % "")
    hours = [1, 14, 25, 41, 49, 254.5, 289]  # 41: Monday at 1; 254.5: half past eleven on 31 March
    sends, _ = play(topology, [*known("ana"), *(event("seen", at, "ana") for at in hours)], days=20)
    got = [(send.decided_ms - START_MS) / 3_600_000 for send in sends]
    assert got == fits


def test_periods_follow_the_calendar_over_a_change_of_clocks():
    london = zone("Europe/London")
    day = period_span(parse_time("2026-03-29T12:00:00Z"), "day", london)
    assert day == (parse_time("2026-03-29T00:00:00Z"), parse_time("2026-03-29T23:00:00Z"))
    week = period_span(parse_time("2026-03-29T22:59:59Z"), "week", london)
    assert week == (parse_time("2026-03-23T00:00:00Z"), parse_time("2026-03-29T23:00:00Z"))
    month = period_span(parse_time("2026-12-31T23:59:59Z"), "month", london)
    assert month == (parse_time("2026-12-01T00:00:00Z"), parse_time("2027-01-01T00:00:00Z"))
    with pytest.raises(ValueError, match="year"):
        period_span(0, "year", london)


def test_a_step_can_wait_for_the_next_period(tmp_path):
    topology = small(tmp_path, "{name: few, at_most: 1, per: day}", p=SEND % ", when_spent: wait")
    names = ["a", "b", "c", "d"]
    log = [*known(*names), *(event("seen", 1, name) for name in names)]
    sends, held = play(topology, log, days=9)
    assert [send.contact_id for send in sends] == ["a", "b", "c"]  # held for two days, not three
    midnight = parse_time("2026-03-22T00:00:00Z")
    assert [send.decided_ms for send in sends[1:]] == [midnight, midnight + DAY_MS]
    assert held[-1] == ("suppressed", "held_too_long", "d")


def test_it_covers_its_channels_programs_and_groups_and_no_transactional_send(tmp_path):
    budgets = """
    - {name: by-channel, at_most: 1, channels: [push]}
    - {name: by-group, at_most: 2, groups: [shop], programs: [alone]}
    """
    grouped = "hierarchy: {group: shop, value: 1}\nentry: {on: seen}\nreenter: always\n"
    topology = small(
        tmp_path,
        budgets,
        alone="entry: {on: looked}\nreenter: always\nsteps: [{send: sms, template: alone}]\n",
        grouped=grouped + "steps: [{send: sms, template: grouped}]\n",
        free="entry: {on: bought}\nreenter: always\nsteps:\n  - {send: push, template: free}\n"
        "  - {send: push, template: receipt, purpose: receipts}\n",
    )
    log = known("ana")
    for hour in range(1, 4):
        log += [event(kind, hour, "ana") for kind in ("looked", "seen", "bought")]
    sends, held = play(topology, log)
    assert [send.template for send in sends] == [
        *("alone", "grouped", "free", "receipt"),
        *("receipt", "receipt"),
    ]
    assert Counter(rule for _, rule, _ in held) == {"budget:by-group": 4, "budget:by-channel": 2}


@pytest.mark.parametrize("partitions", [1, 8])
def test_what_several_budgets_cover_takes_of_all_or_none(tmp_path, partitions):
    budgets = (
        "[{name: purse, amount: 10}, {name: few, at_most: 5, channels: [sms]}, {name: many, at_most: 11}]"
    )
    topology = small(
        tmp_path, budgets, p=SEND % "", q=(SEND % "").replace("sms", "push").replace("seen", "looked")
    )
    names = [f"c-{n}" for n in range(12)]
    log = [*known(*names)]
    for number, name in enumerate(names):
        log += [event("seen", number + 1, name), event("looked", number + 1.5, name)]
    sends, held = play(topology, log, partitions)
    assert Counter(send.channel for send in sends) == {"sms": 5, "push": 6}
    assert {rule for _, rule, _ in held} == {"budget:few", "budget:many"}


def test_a_contact_that_has_left_gives_its_units_back(tmp_path):
    """Two become one while a send waits for the home's answer: what was granted is for somebody else."""
    topology = small(tmp_path, "{name: few, at_most: 2}", p=SEND % "")
    log = [*known("ana", "anon", "bo"), event("seen", 1, "anon")]
    log += [event("contact_identified", 1, "ana", anonymous_id="anon"), event("seen", 2, "bo")]
    sends, held = play(topology, log, 8)
    assert (len(sends), held) == (2, [])


@pytest.mark.parametrize("seed", range(6))
def test_partitions_of_different_pace_use_a_budget_to_the_last_and_never_beyond(tmp_path, seed):
    """Each partition with a driver of its own, messages late, and memory lost now and then."""
    policies = "{name: few, at_most: 30}\n  arbitration: {choose: value, within: 1h, channels: [sms]}"
    two = (SEND % "").replace("entry:", "value: event.n\nentry:")
    topology = small(tmp_path, policies, p=two, q=two.replace("event.n", "5"))
    names = [f"c-{n}" for n in range(40)]
    log = [*known(*names), *(event("seen", 1 + n / 100, name, n=n % 11) for n, name in enumerate(names))]
    live = Lagging(topology, 8, seed)
    live.run(log, START_MS + 4 * HOUR_MS)  # less than a send waits for an answer
    sends = [command for command in live.commands if command.kind == "send"]
    assert len(sends) == 30
    assert len({send.contact_id for send in sends}) == 30  # of each contact's two, one
    kept = Counter(d.reason for d in live.decisions if d.kind == "suppressed")
    assert kept == {"budget:few": 20, "arbitration:sms": 30}
    won = {send.contact_id: send.program for send in sends}
    for number, name in enumerate(names):
        if name in won:
            assert won[name] == ("p" if number % 11 >= 5 else "q")
