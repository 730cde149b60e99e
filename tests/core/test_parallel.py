"""Branches that run at the same time: where they begin and end, and what ends them."""

from __future__ import annotations

import pytest

from processor.core.lifecycle import JOINING
from processor.core.rows import Row
from processor.runtime.driver import Driver
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, kinds, sent, topology

ALL = """
entry: {on: seen}
steps:
  - parallel:
      mail:
        - {send: push, template: m1}
        - wait: 2h
        - {send: push, template: m2}
      calls:
        - wait: 5h
        - {send: push, template: c1}
    {until}
  - {send: push, template: after}
"""


def program(until: str = "") -> str:
    return ALL.replace("{until}", until and f"until: {until}")


def test_branches_run_side_by_side_and_all_have_to_end(tmp_path):
    small = topology(tmp_path, program())
    commands, decisions, _, _ = run([event("seen", 0)], 1, topology=small, until_ms=START_MS + 9 * HOUR_MS)
    assert sent(commands) == [("m1", 0), ("m2", 2), ("c1", 5), ("after", 5)]
    assert kinds(decisions, "completed") == [("completed", "", 5)]
    assert [d.reason for d in decisions if d.kind == "stepped"] == ["branches", "all_ended"]


def test_until_first_the_others_end_with_the_first(tmp_path):
    small = topology(tmp_path, program("first"))
    commands, decisions, _, _ = run([event("seen", 0)], 1, topology=small, until_ms=START_MS + 9 * HOUR_MS)
    assert sent(commands) == [("m1", 0), ("m2", 2), ("after", 2)]
    assert [d.reason for d in decisions if d.kind == "stepped"] == ["branches", "first_ended"]


def test_the_row_holds_a_track_for_each_branch(tmp_path):
    small = topology(tmp_path, program())
    _, _, store, _ = run([event("seen", 0)], 1, topology=small, until_ms=START_MS + HOUR_MS)
    data = store.partition(0).get_many(["ana"])[0]
    assert data is not None
    tracks = Row.decode(data).enrollments[0].tracks
    assert [(track.step, track.fork) for track in tracks] == [
        ("parallel-mail-calls", ""),
        ("wait-2h", "parallel-mail-calls"),
        ("wait-5h", "parallel-mail-calls"),
    ]
    assert tracks[0].state == JOINING


def test_one_event_wakes_every_branch_that_waits_for_it(tmp_path):
    text = """
    entry: {on: seen}
    steps:
      - parallel:
          a: [{wait_for: bought, timeout: 9h, then: [{send: push, template: a}]}]
          b: [{wait_for: bought, timeout: 9h, then: [{send: push, template: b}]}, {wait: 1h}]
      - {send: push, template: after}
    """
    small = topology(tmp_path, text)
    log = [event("seen", 0), event("bought", 3)]
    commands, _, _, _ = run(log, 1, topology=small, until_ms=START_MS + 30 * HOUR_MS)
    assert sent(commands) == [("a", 3), ("b", 3), ("after", 4)]


def test_an_exit_in_a_branch_ends_the_enrollment(tmp_path):
    text = """
    entry: {on: seen}
    steps:
      - parallel:
          a: [{wait: 1h}, {exit: enough}]
          b: [{wait: 2h}, {send: push, template: b}]
      - {send: push, template: after}
    """
    small = topology(tmp_path, text)
    commands, decisions, store, _ = run(
        [event("seen", 0)], 1, topology=small, until_ms=START_MS + 9 * HOUR_MS
    )
    assert sent(commands) == []
    assert kinds(decisions, "exited") == [("exited", "enough", 1)]
    data = store.partition(0).get_many(["ana"])[0]
    assert data is not None
    assert Row.decode(data).due_ms == 0


@pytest.mark.parametrize(("until", "at"), [("all", 7), ("first", 1)])
def test_a_parallel_step_in_a_branch_ends_with_it(tmp_path, until, at):
    text = f"""
    entry: {{on: seen}}
    steps:
      - parallel:
          short: [{{wait: 1h}}]
          long:
            - parallel:
                x: [{{wait: 3h}}, {{send: push, template: x}}]
                y: [{{wait: 7h}}, {{send: push, template: y}}]
        until: {until}
      - {{send: push, template: after}}
    """
    small = topology(tmp_path, text)
    commands, _, _, _ = run([event("seen", 0)], 1, topology=small, until_ms=START_MS + 30 * HOUR_MS)
    inner = [("x", 3), ("y", 7)] if until == "all" else []
    assert sent(commands) == [*inner, ("after", at)]


def test_in_a_loop_every_round_has_its_branches_and_its_command_ids(tmp_path):
    text = """
    entry: {on: seen}
    steps:
      - repeat:
          times: 3
          steps:
            - parallel:
                a: [{send: push, template: a}]
                b: [{wait: 1h}]
    """
    small = topology(tmp_path, text)
    commands, _, _, _ = run([event("seen", 0)], 1, topology=small, until_ms=START_MS + 30 * HOUR_MS)
    assert sent(commands) == [("a", 0), ("a", 1), ("a", 2)]
    assert len({command.command_id for command in commands}) == 3


def test_a_branch_keeps_its_answer(tmp_path):
    text = """
    entry: {on: seen}
    steps:
      - {wait_for: bought, timeout: 9h}
      - parallel:
          a: [{wait_for: bought, timeout: 9h}, {send: push, template: a, values: {v: answer.value}}]
          b: [{wait: 3h}, {send: push, template: b, values: {v: answer.value}}]
      - {send: push, template: after, values: {v: answer.value}}
    """
    small = topology(tmp_path, text)
    log = [event("seen", 0), event("bought", 1, value=1), event("bought", 2, value=2)]
    commands, _, _, _ = run(log, 1, topology=small, until_ms=START_MS + 30 * HOUR_MS)
    assert [(c.template, c.values["v"]) for c in commands] == [("a", 2), ("b", 1), ("after", 1)]


def test_a_parallel_step_that_is_taken_out_lets_the_contact_go(tmp_path):
    before = topology(tmp_path, program())
    after = topology(tmp_path, "entry: {on: seen}\nsteps: [{wait: 9h}]\n")
    _, _, store, _ = run([event("seen", 0)], 1, topology=before, until_ms=START_MS + HOUR_MS)
    driver = Driver(after, store, 1)
    driver.move(START_MS + 9 * HOUR_MS)
    taken = driver.take()
    assert not taken.failures
    assert kinds(taken.decisions, "exited") == [("exited", "step_removed", 2)]
