"""Audiences of ad networks: into them with consent and an address, out of them always."""

from __future__ import annotations

import pytest

from processor.language import LanguageError, load_topology
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event

BASE = """
topology: small
events: {seen: {n: integer?}, bought: {}}
profile: {email: string}
purposes: {service: {consent: not_required}, advertising: {consent: required}}
channels: {email: {}, ads: {kind: audience, address: email, expires_after: 6h}}
policies:
  caps: [{at_most: 1, per: 90d}]
  quiet_hours: {from: "00:00", to: "00:00"}
"""
PROGRAM = """
purpose: advertising
entry: {on: seen}
exit: [{on: bought}, consent_withdrawn]
on_exit: {any: [{audience: ads, remove: retarget}]}
steps:
  - repeat:
      times: 3
      steps:
        - {audience: ads, add: retarget, values: {seen: event.n}}
        - wait: 30d
"""


@pytest.fixture
def go(tmp_path):
    def run_it(log, program=PROGRAM):
        (tmp_path / "programs").mkdir(exist_ok=True)
        (tmp_path / "topology.yaml").write_text(BASE)
        (tmp_path / "programs" / "p.yaml").write_text("program: p\n" + program)
        small = load_topology(tmp_path).topology
        commands, decisions, _, _ = run(log, 1, topology=small, until_ms=START_MS + 200 * 24 * HOUR_MS)
        made = [(c.kind, c.values, (c.decided_ms - START_MS) / HOUR_MS) for c in commands]
        return made, decisions, commands

    return run_it


IN, OUT = {"audience": "retarget", "do": "add", "seen": 4}, {"audience": "retarget", "do": "remove"}
YES = [event("profile_updated", 0, email="a"), event("consent_granted", 0, purpose="advertising")]


def test_in_again_and_again_and_out_by_a_purchase(go):
    made, _, commands = go([*YES, event("seen", 1, n=4), event("bought", 800)])
    assert made == [("audience", IN, 1), ("audience", IN, 721), ("audience", OUT, 800)]
    assert commands[0].expires_ms - commands[0].decided_ms == 6 * HOUR_MS
    assert len({c.command_id for c in commands}) == 3


def test_out_when_the_consent_is_gone(go):
    made, _, _ = go([*YES, event("seen", 1, n=4), event("consent_withdrawn", 5, purpose="advertising")])
    assert [one for one in made if one[0] == "audience"] == [("audience", IN, 1), ("audience", OUT, 5)]


@pytest.mark.parametrize(("log", "rule"), [(YES[:1], "no_consent"), (YES[1:], "no_address")])
def test_nobody_comes_in_without(go, log, rule):
    made, decisions, _ = go([*log, event("seen", 1, n=4), event("bought", 2)])
    assert made == [("audience", OUT, 2)]
    (held,) = [d for d in decisions if d.kind == "suppressed"]
    assert (held.reason, held.detail) == (rule, {"channel": "ads", "audience": "retarget"})


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("add: retarget,", "add: retarget, remove: other,", "audience-both"),
        ("add: retarget, values: {seen: event.n}", "values: {seen: event.n}", "audience-both"),
        ("values: {seen:", "values: {do:", "bad-name"),
        ("{audience: ads, add", "{audience: email, add", "wrong-channel"),
        (
            "{audience: ads, add: retarget, values: {seen: event.n}}",
            "{send: ads, template: x}",
            "wrong-channel",
        ),
        ("purpose: advertising\n", "", "missing-purpose"),
    ],
)
def test_mistakes(go, old, new, rule):
    assert old in PROGRAM
    with pytest.raises(LanguageError) as found:
        go([], PROGRAM.replace(old, new, 1))
    assert rule in {problem.rule for problem in found.value.problems}
