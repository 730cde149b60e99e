"""Steps on the way out: what is done when an enrollment ends for a reason."""

from __future__ import annotations

import pytest

from processor.core.shared import Brake
from processor.language import LanguageError
from processor.runtime.driver import Driver
from processor.runtime.sentences import of_decision, sentence
from processor.store.memory import MemoryStore
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
events: {seen: {n: integer?}, bought: {}, left: {}}
profile: {tier: string, owner: map}
purposes: {service: {consent: not_required}}
channels: {email: {}, slack: {kind: alert}, crm: {kind: task}}
teams: {sales: {channel: crm, members: [ana]}}
lists: [lost, buyers]
"""
PROGRAM = """
entry: {on: seen}
reenter: always
goal: {on: bought, within: 9d}
exit: [left, {when: in_list("lost"), reason: lost them}, {after: 3d}]
on_exit:
  goal: [{add_to: buyers}, {alert: slack, message: "bought {event.n}"}]
  left:
    - decide:
        - if: event.n > 5
          steps: [{route: sales, because: left}]
        - else: [{set: {tier: "'gone'"}}]
  any: [{alert: slack, message: out}]
steps:
  - {send: email, template: hello, purpose: service}
  - wait: 1d
  - decide: [{if: event.n == 7, steps: [{exit: seven}]}]
  - wait: 9d
"""


def play(folder, log, program=PROGRAM):
    small = topology(folder, program, BASE)
    commands, decisions, _, _ = run(log, 1, topology=small, until_ms=START_MS + 99 * HOUR_MS)
    made = [c for c in commands if c.kind != "send"]
    said = [(c.kind, c.values.get("message") or c.values.get("because"), hours(c.decided_ms)) for c in made]
    return said, decisions


def hours(at_ms):
    return (at_ms - START_MS) / HOUR_MS


def test_the_goal_and_an_exit_have_their_own(tmp_path):
    said, decisions = play(tmp_path, [event("seen", 0, n=1), event("bought", 2)])
    assert said == [("alert", "bought 1", 2)]
    order = [d.kind for d in decisions if d.enrollment and d.at_ms == START_MS + 2 * HOUR_MS]
    assert order == ["stepped", "commanded", "goal"], "done before the end is recorded"
    said, _ = play(tmp_path, [event("seen", 0, n=6), event("left", 2)])
    assert said == [("route", "left", 2)]
    said, _ = play(tmp_path, [event("seen", 0, n=5), event("left", 2)])
    assert said == []


@pytest.mark.parametrize(
    ("log", "at"),
    [
        ([event("seen", 0), event("list_joined", 3, list="lost")], 3),
        ([event("seen", 0)], 72),
        ([event("seen", 0, n=7)], 24),
        ([event("seen", 0), event("contact_removed", 4, program="p")], 4),
    ],
)
def test_all_other_exits_have_those_of_any(tmp_path, log, at):
    assert play(tmp_path, log)[0] == [("alert", "out", at)]


def test_a_goal_after_the_last_step_has_them_and_an_exit_does_not(tmp_path):
    short = PROGRAM[: PROGRAM.index("  - wait: 1d")]
    assert play(tmp_path, [event("seen", 0, n=3), event("bought", 2)], short)[0] == [("alert", "bought 3", 2)]
    assert play(tmp_path, [event("seen", 0, n=9), event("left", 2)], short)[0] == []


def test_who_is_held_out_gets_nothing_on_the_way_out(tmp_path):
    log = [event("seen", 0), event("bought", 2)]
    said, decisions = play(tmp_path, log, "holdout: 100\n" + PROGRAM)
    assert said == []
    assert [d.kind for d in decisions if d.enrollment] == ["holdout", "goal"]


def test_an_enrollment_that_runs_its_last_step_has_none(tmp_path):
    program = PROGRAM[: PROGRAM.index("  - wait: 1d")].replace("goal: {on: bought, within: 9d}\n", "")
    program = program.replace('  goal: [{add_to: buyers}, {alert: slack, message: "bought {event.n}"}]\n', "")
    assert play(tmp_path, [event("seen", 0)], program)[0] == []


def test_a_paused_program_commands_nothing_on_the_way_out(tmp_path):
    log = [event("seen", 0, n=6), event("left", 2)]
    small = topology(tmp_path, PROGRAM, BASE)
    driver = Driver(small, MemoryStore(1), 1)
    driver.feed(log[0], log[0].occurred_ms)
    driver.partitions[0].shared.brakes["p"] = Brake(paused=True)
    driver.feed(log[1], log[1].occurred_ms)
    taken = driver.take()
    assert not taken.failures
    assert [c.kind for c in taken.commands] == ["send"]
    (found,) = [d for d in taken.decisions if d.reason == "leaving"]
    assert "who leaves does not wait" in sentence(of_decision(found), str)
    assert [d.reason for d in taken.decisions if d.kind == "exited"] == ["left"]


@pytest.mark.parametrize("partitions", [1, 8])
def test_any_slicing_gives_the_same(tmp_path, partitions):
    log = [event("seen", n / 3, f"c-{n % 7}", n=n % 9) for n in range(40)]
    log += [event(kind, 14 + n, f"c-{n}") for n, kind in enumerate(["left", "bought", "left", "bought"])]
    small = topology(tmp_path, PROGRAM, BASE)
    whole = run(log, partitions, topology=small, until_ms=START_MS + 99 * HOUR_MS)
    cut = run(log, partitions, topology=small, until_ms=START_MS + 99 * HOUR_MS, cuts=frozenset(range(44)))
    assert cut[:2] == whole[:2]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("  any:", "  lfet:", "unknown-exit"),
        ("{add_to: buyers}", "{send: email, template: x, purpose: service}", "on-exit-step"),
        ("{add_to: buyers}", "{wait: 1d}", "on-exit-step"),
        ("{add_to: buyers}", "{add_to: buyres}", "unknown-list"),
    ],
)
def test_mistakes(tmp_path, old, new, rule):
    with pytest.raises(LanguageError) as found:
        topology(tmp_path, PROGRAM.replace(old, new, 1), BASE)
    assert [problem.rule for problem in found.value.problems] == [rule]
