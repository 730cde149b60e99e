"""Arbitration: of the programs that want to send to one contact now, one does."""

from __future__ import annotations

import pytest

from processor.language import load_topology
from tests.core.logs import START_MS, run
from tests.core.test_machine import DAY_MS, event

BASE = """
topology: small
events: {{seen: {{n: integer?}}, looked: {{n: integer?}}, bought: {{}}, failed: {{}}}}
purposes: {{service: {{consent: not_required}}, marketing: {{}}, receipts: {{transactional: true}}}}
channels: {{push: {{failed_by: failed}}, sms: {{}}, crm: {{kind: task}}}}
policies:
  {policies}
"""
RULE = "arbitration: {{name: one, channels: [push], {0}}}"
NOW = RULE.format("choose: value")
HOUR = RULE.format("choose: value, within: 1h")


def program(value, on="seen", *, more="", steps=None):
    steps = steps or "[{send: push, template: %s}]"
    return f"value: {value}\nentry: {{on: {on}}}\nreenter: always\n{more}steps: {steps}\n"


def small(folder, policies, **programs):
    (folder / "programs").mkdir(parents=True)
    (folder / "topology.yaml").write_text(BASE.format(policies=policies))
    for name, text in programs.items():
        whole = f"program: {name}\npurpose: service\n{text}".replace("%s", name)
        (folder / "programs" / f"{name}.yaml").write_text(whole)
    return load_topology(folder).topology


def play(topology, log, partitions=1, days=9):
    until = START_MS + days * DAY_MS
    every = run(log, partitions, topology=topology, until_ms=until)
    assert (
        run(log, partitions, topology=topology, until_ms=until, cuts=frozenset(range(len(log))))[:2]
        == every[:2]
    )
    sends = [(c.template, (c.decided_ms - START_MS) / 3_600_000) for c in every[0] if c.kind == "send"]
    return sends, [d for d in every[1] if d.kind in {"held", "suppressed"}]


def said(decisions, *kinds):
    return [
        (d.kind, d.program, d.reason, d.detail.get("by"))
        for d in decisions
        if d.kind in (kinds or ("suppressed",))
    ]


def test_the_program_of_the_highest_value_sends_and_the_others_are_told_which(tmp_path):
    topology = small(tmp_path, NOW, a=program("5"), b=program("event.n * 2"), c=program("none"))
    sends, decisions = play(topology, [event("seen", 1, n=3), event("seen", 2, n=1)])
    assert sends == [("b", 1), ("a", 2)]
    assert said(decisions) == [
        ("suppressed", "a", "arbitration:one", "b"),
        ("suppressed", "c", "arbitration:one", "b"),
        ("suppressed", "b", "arbitration:one", "a"),
        ("suppressed", "c", "arbitration:one", "a"),
    ]
    assert (decisions[0].detail["value"], decisions[0].detail["by_value"]) == (5.0, 6.0)


def test_by_priority_and_value_breaks_a_tie(tmp_path):
    rule = RULE.format("choose: priority")
    topology = small(
        tmp_path,
        rule,
        a=program("1", more="priority: 60\n"),
        b=program("9"),
        c=program("2", more="priority: 60\n"),
    )
    assert play(topology, [event("seen", 1)])[0] == [("c", 1)]


def test_within_a_window_the_best_of_what_came_together_is_sent_at_its_end(tmp_path):
    topology = small(tmp_path, HOUR, a=program("5"), b=program("9", on="looked"))
    sends, decisions = play(topology, [event("seen", 1), event("looked", 1.9), event("looked", 2.5)])
    assert sends == [("b", 2), ("b", 3.5)]
    assert said(decisions, "held", "suppressed") == [
        ("held", "a", "arbitration:one", None),
        ("held", "b", "arbitration:one", None),
        ("suppressed", "a", "arbitration:one", "b"),
        ("held", "b", "arbitration:one", None),
    ]


def test_those_that_lose_can_stand_for_the_next_choice(tmp_path):
    rule = RULE.format("choose: value, within: 1h, losers: wait")
    slow = "[{send: push, template: %s, hold_at_most: 3h}]"
    topology = small(
        tmp_path, rule, a=program("5", steps=slow), b=program("7"), c=program("9"), d=program("1", steps=slow)
    )
    sends, decisions = play(topology, [event("seen", 1)])
    assert sends == [("c", 2), ("b", 3), ("a", 4)]
    assert said(decisions) == [("suppressed", "d", "held_too_long", "a")]
    assert decisions[-1].detail["held_by"] == "arbitration:one"


def test_one_whose_reason_has_gone_leaves_the_place_to_the_next(tmp_path):
    topology = small(tmp_path, HOUR, a=program("5"), b=program("9", more="exit: [bought]\n"))
    assert play(topology, [event("seen", 1), event("bought", 1.5)])[0] == [("a", 2)]
    sold = small(
        tmp_path / "2",
        HOUR + "\n  budgets: {name: none, at_most: 1, programs: [b]}",
        a=program("5"),
        b=program("9"),
    )
    sends, decisions = play(sold, [event("seen", 1), event("seen", 5)])
    assert sends == [("b", 2), ("a", 6)]
    assert said(decisions)[-1] == ("suppressed", "b", "budget:none", None)


@pytest.mark.parametrize("partitions", [1, 8])
@pytest.mark.parametrize("rule", [NOW, HOUR])
def test_a_lower_value_does_not_eat_the_budget_that_a_higher_one_needs(tmp_path, partitions, rule):
    """Of one contact: the programs are read in the order of their names, the best is the last of them."""
    policies = rule + "\n  budgets: {name: few, at_most: 3}"
    topology = small(tmp_path, policies, a=program("5"), b=program("9"))
    log = [event("seen", n / 10, f"c-{n}") for n in range(6)]
    sends, decisions = play(topology, log, partitions)
    assert sorted(name for name, _ in sends) == ["b", "b", "b"]
    assert [d.reason for d in decisions if d.program == "b" and d.kind == "suppressed"] == ["budget:few"] * 3
    lost = [d.reason for d in decisions if d.program == "a" and d.kind == "suppressed"]
    assert sorted(lost) == ["arbitration:one"] * 3 + ["budget:few"] * 3


def test_other_channels_transactional_sends_and_one_s_own_next_send_do_not_compete(tmp_path):
    steps = "[{send: push, template: one}, {send: sms, template: two}, {send: push, template: three}]"
    topology = small(
        tmp_path,
        NOW,
        a=program("9", steps=steps),
        b=program("5", steps="[{send: push, template: lost}, {send: push, template: r, purpose: receipts}]"),
    )
    sends, _ = play(topology, [event("seen", 1)])
    assert sorted(name for name, _ in sends) == ["one", "r", "three", "two"]


def test_branches_of_a_parallel_step_and_a_series_compete_too(tmp_path):
    both = "[{parallel: {x: [{send: push, template: x}], y: [{series: push, every: 1d, pieces: [y1, y2]}]}}]"
    topology = small(tmp_path, HOUR, a=program("5", steps=both), b=program("9"))
    sends, decisions = play(topology, [event("seen", 1)])
    assert sends == [("b", 2), ("y1", 27)]  # the series has used a round, and lost no piece
    assert [d.program for d in decisions if d.kind == "suppressed"] == ["a", "a"]


def test_a_send_that_falls_back_competes_on_the_channel_it_comes_to(tmp_path):
    first = "[{send: crm2, template: x, purpose: marketing, fallback: push}]"
    base = BASE.replace("sms: {{}}", "sms: {{}}, crm2: {{address: tz}}")
    (tmp_path / "programs").mkdir()
    (tmp_path / "topology.yaml").write_text(base.format(policies=NOW))
    for name, text in {
        "a": program("5", steps=first.replace("marketing", "service")),
        "b": program("9"),
    }.items():
        (tmp_path / "programs" / f"{name}.yaml").write_text(
            f"program: {name}\npurpose: service\n" + text.replace("%s", name)
        )
    topology = load_topology(tmp_path).topology
    sends, decisions = play(topology, [event("seen", 1)])
    assert sends == [("b", 1)]
    assert said(decisions) == [("suppressed", "a", "arbitration:one", "b")]


@pytest.mark.parametrize("partitions", [1, 8])
def test_two_contacts_become_one_and_compete_from_then_on(tmp_path, partitions):
    topology = small(tmp_path, HOUR, a=program("5"), b=program("9", on="looked"))
    log = [
        event("seen", 1, "ana"),
        event("looked", 1.5, "anon"),
        event("contact_identified", 1.7, "ana", anonymous_id="anon"),
    ]
    sends, decisions = play(topology, log, partitions)
    assert sends == [("b", 2)]
    assert said(decisions) == [("suppressed", "a", "arbitration:one", "b")]


def test_whoever_lost_is_told_so_though_the_winner_has_used_up_the_cap(tmp_path):
    policies = HOUR + "\n  caps: {name: one-a-week, at_most: 1, per: 7d}"
    topology = small(tmp_path, policies, a=program("5"), b=program("9"))
    sends, decisions = play(topology, [event("seen", 1), event("seen", 2.5)])
    assert sends == [("b", 2)]
    assert said(decisions) == [
        ("suppressed", "a", "arbitration:one", "b"),
        ("suppressed", "a", "cap:one-a-week", None),
        ("suppressed", "b", "cap:one-a-week", None),
    ]
