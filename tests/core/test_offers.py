"""The offer step: the best that fits, and that the contact has not had."""

from __future__ import annotations

import pytest

from processor.language import LanguageError, load_scenarios, load_topology
from processor.runtime.scenario import run_scenario
from tests.core.logs import START_MS, run
from tests.core.test_machine import DAY_MS, event, topology

BASE = """
topology: small
events: {seen: {n: integer?}, bought: {order: string?}}
purposes: {service: {consent: not_required}}
channels: {push: {}}
lists: [vip]
"""
STEPS = """
entry: {on: seen}
reenter: always
steps:
  - id: choice
    offer:
      points: {value: 1, again_after: 2d}
      discount: {value: event.n, steps: [{send: push, template: discount}]}
      gift: {value: 50, if: 'in_list("vip")'}
    else: [{send: push, template: nothing}]
  - decide:
      - if: variant("choice") == "points"
        steps: [{send: push, template: has-points}]
  - send: push
    template: after
    values: {offer: variant("choice")}
"""


def play(folder, *log, partitions=1, text=STEPS):
    small = topology(folder, text, BASE)
    commands, decisions, _, _ = run(list(log), partitions, topology=small, until_ms=START_MS + 9 * DAY_MS)
    return [c.template for c in commands], [d for d in decisions if d.kind == "offered"], commands


def test_the_highest_value_that_fits_is_chosen_and_recorded_with_the_others(tmp_path):
    templates, offered, commands = play(tmp_path, event("seen", 0, n=5))
    assert templates == ["discount", "after"]
    assert [(d.reason, d.detail) for d in offered] == [
        ("discount", {"value": 5.0, "others": {"points": 1.0}, "passed_over": {"gift": "condition"}})
    ]
    assert commands[1].values == {"offer": "discount"}
    assert commands[1].variant == "choice=discount"


def test_a_missing_value_is_nothing_and_the_first_of_equals_is_chosen(tmp_path):
    _, offered, _ = play(tmp_path, event("seen", 0), event("seen", 1, "bo", n=1))
    assert [d.reason for d in offered] == ["points", "points"]


def test_what_was_had_is_not_offered_again_before_its_time(tmp_path):
    log = [event("seen", hour, n=5) for hour in (0, 1, 2, 49.5, 50)]
    templates, offered, _ = play(tmp_path, *log)
    assert [d.reason for d in offered] == ["discount", "points", "points"]
    assert templates == [
        *("discount", "after"),
        *("has-points", "after"),
        *("nothing", "after"),
        *("has-points", "after"),
        *("nothing", "after"),
    ]


@pytest.mark.parametrize("partitions", [1, 8])
def test_two_contacts_that_become_one_have_had_what_either_had(tmp_path, partitions):
    log = [
        event("seen", 0, "anon", n=5),
        event("contact_identified", 1, "ana", anonymous_id="anon"),
        event("seen", 2, "ana", n=5),
    ]
    _, offered, _ = play(tmp_path, *log, partitions=partitions)
    assert [(d.contact_id, d.reason) for d in offered] == [("anon", "discount"), ("ana", "points")]


def test_steps_of_one_name_share_what_was_had(tmp_path):
    two = "entry: {on: seen}\nsteps:\n  - {id: a, offer: {x: {value: 2}, y: {value: 1}}, name: all}\n"
    two += "  - {id: b, offer: {y: {value: 3}, x: {value: 4}}, name: all}\n"
    two += "  - {id: c, offer: {y: {value: 3}, x: {value: 4}}}\n"
    _, offered, _ = play(tmp_path, event("seen", 0), text=two)
    assert [(d.step, d.reason) for d in offered] == [("a", "x"), ("b", "y"), ("c", "x")]


def test_an_unknown_offer_in_a_condition_is_refused_with_what_there_is(tmp_path):
    with pytest.raises(LanguageError, match=r"gift|points"):
        topology(tmp_path, STEPS.replace('== "points"', '== "pointz"'), BASE)


def test_too_many_offers_are_refused(tmp_path):
    many = ", ".join(f"o{n}: {{value: {n}}}" for n in range(51))
    with pytest.raises(LanguageError, match="51 offers, 50 are the most"):
        topology(tmp_path, f"entry: {{on: seen}}\nsteps: [{{offer: {{{many}}}}}]\n", BASE)


def test_a_scenario_shows_it(tmp_path):
    topology(tmp_path, STEPS, BASE)
    text = "scenario: gets the gift\ncontact: {lists: [vip]}\n"
    text += "events: [{at: 2026-03-02 10:00, seen: {n: 7}}]\n"
    text += "expect: [{push: after, values: {offer: gift}, variant: choice=gift}]\n"
    (tmp_path / "programs" / "p.test.yaml").write_text(text)
    loaded = load_topology(tmp_path)
    (one,) = load_scenarios(loaded)
    assert run_scenario(loaded.topology, one).differences == ()
