"""Hierarchies: who ends whom, who keeps whom out, and who is let be."""

from __future__ import annotations

import pytest

from processor.language import load_topology
from tests.core.logs import START_MS, run
from tests.core.test_machine import DAY_MS, event, kinds

BASE = """
topology: small
events: {seen: {}, looked: {n: integer?}, bought: {}}
purposes: {service: {consent: not_required}}
channels: {push: {}}
"""
LOW = """
entry: {on: seen}
hierarchy: {group: shop, value: 10}
goal: {on: bought, within: 5d}
steps:
  - {send: push, template: low-1}
  - parallel: {a: [{wait: 1d}, {send: push, template: low-2}], b: [{wait: 2d}]}
"""
HIGH = """
entry: {on: looked}
hierarchy: {group: shop, value: 20}
reenter: always
steps: [{wait: 3h}, {send: push, template: high}]
"""
OTHER = """
entry: {on: looked}
hierarchy: {group: else, value: 5}
steps: [{send: push, template: other}]
"""


def small(folder, **programs):
    (folder / "programs").mkdir()
    (folder / "topology.yaml").write_text(BASE)
    for name, text in programs.items():
        (folder / "programs" / f"{name}.yaml").write_text(f"program: {name}\npurpose: service\n{text}")
    return load_topology(folder).topology


def play(topology, log, days=20, partitions=1):
    commands, decisions, _, _ = run(log, partitions, topology=topology, until_ms=START_MS + days * DAY_MS)
    return [c.template for c in commands], decisions


def ended(decisions):
    return [(d.program, d.reason, d.detail) for d in decisions if d.kind == "exited"]


def test_a_higher_program_ends_the_lower_with_all_its_branches(tmp_path):
    topology = small(tmp_path, low=LOW, high=HIGH, other=OTHER)
    sent, decisions = play(topology, [event("seen", 0), event("looked", 1)])
    assert sent == ["low-1", "other", "high"]
    assert ended(decisions) == [("low", "outranked", {"by": "high"})]


def test_its_end_is_an_event_that_others_hear(tmp_path):
    after = "entry: {after_program: low, ended: exited}\nsteps: [{send: push, template: after}]\n"
    topology = small(tmp_path, low=LOW, high=HIGH, after=after)
    sent, _ = play(topology, [event("seen", 0), event("looked", 1)])
    assert sent == ["low-1", "after", "high"]


def test_every_key_of_the_lower_ends_and_equals_let_each_other_be(tmp_path):
    low = "entry: {on: seen}\nhierarchy: {group: shop, value: 10}\nsteps: [{wait: 9d}]\n"
    keyed = "entry: {on: looked, key: event.n}\nhierarchy: {group: shop, value: 10}\nsteps: [{wait: 9d}]\n"
    top = "entry: {on: bought}\nhierarchy: {group: shop, value: 10.5}\nsteps: [{wait: 1d}]\n"
    topology = small(tmp_path, low=low, keyed=keyed, top=top)
    log = [event("seen", 0), event("looked", 1, n=1), event("looked", 2, n=2), event("bought", 3)]
    _, decisions = play(topology, log)
    assert [one[0] for one in ended(decisions)] == ["low", "keyed", "keyed"]


def test_a_lower_program_takes_nobody_in_who_is_inside_a_higher_one(tmp_path):
    topology = small(tmp_path, low=LOW, high=HIGH)
    log = [event("looked", 0), event("seen", 1), event("seen", 4)]
    sent, decisions = play(topology, log)
    assert sent == ["high", "low-1", "low-2"]
    refused = [(d.program, d.reason, d.detail) for d in decisions if d.kind == "not_entered"]
    assert refused == [("low", "outranked", {"by": "high"})]


def test_one_event_for_both_begins_the_higher_only(tmp_path):
    both = LOW.replace("on: seen", "on: looked")
    topology = small(tmp_path, a=both, high=HIGH)  # a is read first
    sent, decisions = play(topology, [event("looked", 0)])
    assert sent == ["high"]
    assert kinds(decisions, "not_entered", "exited") == [("not_entered", "outranked", 0)]


def test_what_is_held_out_or_done_keeps_nobody_out_and_ends_nothing(tmp_path):
    """A higher program's holdout goes on in the lower; one that is observed has had all it gets."""
    done = "entry: {on: looked}\nhierarchy: {group: shop, value: 20}\ngoal: {on: bought}\n"
    done += "steps: [{wait: 1h}]\n"
    topology = small(tmp_path, low=LOW, high=done)
    sent, decisions = play(topology, [event("looked", 0), event("seen", 2), event("bought", 50)])
    assert sent == ["low-1", "low-2"]
    assert [d.program for d in decisions if d.kind == "goal"] == ["high", "low"]
    (tmp_path / "held").mkdir()
    held = small(tmp_path / "held", low=LOW, high=HIGH.replace("reenter", "holdout: 100\nreenter"))
    sent, decisions = play(held, [event("seen", 0), event("looked", 1)])
    assert sent == ["low-1", "low-2"]
    assert ended(decisions) == []


@pytest.mark.parametrize("hours", [1, 60])  # while its steps run, and while it is observed
def test_the_goal_window_of_the_lower_closes_with_it(tmp_path, hours):
    topology = small(tmp_path, low=LOW, high=HIGH)
    _, decisions = play(topology, [event("seen", 0), event("looked", hours), event("bought", hours + 1)])
    assert [d.kind for d in decisions if d.program == "low" and d.kind in {"goal", "exited"}] == ["exited"]


def test_one_that_waits_to_be_let_in_ends_the_lower_when_it_is(tmp_path):
    high = HIGH.replace("reenter: always", "reenter: always\nentrants: {at_most: 1}")
    topology = small(tmp_path, low=LOW, high=high)
    log = [
        event("seen", 0, "ana"),
        event("seen", 0, "bo"),
        event("looked", 1, "ana"),
        event("looked", 2, "bo"),
    ]
    _, decisions = play(topology, log)
    assert [(d.contact_id, d.reason) for d in decisions if d.kind == "exited"] == [("ana", "outranked")]
    assert [(d.contact_id, d.reason) for d in decisions if d.kind == "not_entered"] == [
        ("bo", "entrants_full")
    ]


@pytest.mark.parametrize("partitions", [1, 8])
@pytest.mark.parametrize("stays", ["low", "high"])
def test_two_contacts_become_one_and_the_highest_is_left(tmp_path, partitions, stays):
    topology = small(tmp_path, low=LOW, high=HIGH)
    one, two = ("looked", "seen") if stays == "high" else ("seen", "looked")
    log = [
        event(one, 0, "ana"),
        event(two, 0, "anon"),
        event("contact_identified", 1, "ana", anonymous_id="anon"),
    ]
    sent, decisions = play(topology, log, partitions=partitions)
    assert sorted(sent) == ["high", "low-1"]
    assert ended(decisions) == [("low", "outranked", {"by": "high"})]
    assert {d.contact_id for d in decisions if d.kind == "exited"} == {"ana"}


def test_a_program_without_a_hierarchy_is_free_of_it(tmp_path):
    low = LOW.replace("hierarchy: {group: shop, value: 10}", "")
    sent, decisions = play(small(tmp_path, low=low, high=HIGH), [event("looked", 0), event("seen", 1)])
    assert sorted(sent) == ["high", "low-1", "low-2"]
    assert kinds(decisions, "not_entered", "exited") == []
