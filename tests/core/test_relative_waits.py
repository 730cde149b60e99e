"""Waits that count from an earlier step, and waits for the contact's own best hour."""

from __future__ import annotations

import pytest

from processor.core.history import HOURS_SUM_MAX, hours_spec, merge, record, values_of
from processor.core.named import Series
from processor.core.rows import Row
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, kinds, sent, topology

UNTIL_MS = START_MS + 200 * HOUR_MS  # START_MS is 2026-03-21 08:00 UTC
AFTER = """
entry: {on: seen}
steps:
  - id: offer
    send: push
    template: offer
    when_quiet: wait
  - {wait_for: bought, timeout: 90h}
  - wait: {after_step: offer, offset: 3d%s}
  - {send: push, template: last}
"""
QUIET = 'policies: {quiet_hours: {from: "09:00", to: "11:00"}}\n'


def play(folder, program, log, more=""):
    from tests.core.test_machine import BASE

    small = topology(folder, program, BASE + more.replace("policies", "    policies", 1))
    return run(log, 2, topology=small, until_ms=UNTIL_MS)


@pytest.mark.parametrize(("bought", "at"), [(1, 72), (50, 72), (80, 80)])
def test_a_wait_counts_from_when_the_earlier_step_was_done(tmp_path, bought, at):
    commands, _, _, _ = play(tmp_path, AFTER % "", [event("seen", 0), event("bought", bought)])
    assert sent(commands) == [("offer", 0), ("last", at)]


def test_a_send_that_was_held_counts_from_when_it_went(tmp_path):
    log = [event("seen", 2), event("bought", 9)]  # quiet until 11:00, three hours after the start
    commands, _, _, _ = play(tmp_path, AFTER % "", log, QUIET)
    assert sent(commands) == [("offer", 3), ("last", 75)]


def test_a_time_of_that_day(tmp_path):
    log = [event("seen", 0), event("bought", 9)]
    commands, _, _, _ = play(tmp_path, AFTER % ', at: "17:00"', log)
    assert sent(commands)[-1] == ("last", 72 + 9)


def test_what_has_passed_goes_on_or_leaves(tmp_path):
    log = [event("seen", 0)]  # the wait_for ends after 90 hours
    assert sent(play(tmp_path, AFTER % "", log)[0])[-1] == ("last", 90)
    commands, decisions, _, _ = play(tmp_path, AFTER % ", if_past: exit", log)
    assert sent(commands) == [("offer", 0)]
    assert kinds(decisions, "exited") == [("exited", "date_passed", 90)]


def test_a_step_that_was_not_done_is_not_waited_for(tmp_path):
    program = """
    entry: {on: seen}
    steps:
      - decide:
          - if: event.n > 5
            steps: [{id: offer, send: push, template: offer}]
      - wait: {after_step: offer, offset: 3d}
      - {send: push, template: last}
    """
    commands, decisions, _, _ = play(tmp_path, program, [event("seen", 0, n=1)])
    assert sent(commands) == [("last", 0)]
    assert ("stepped", "step_not_done", 0) in kinds(decisions, "stepped")
    assert sent(play(tmp_path, program, [event("seen", 0, n=9)])[0]) == [("offer", 0), ("last", 72)]


def test_the_end_of_an_earlier_wait_for_can_be_counted_from(tmp_path):
    program = """
    entry: {on: seen}
    steps:
      - {id: heard, wait_for: bought, timeout: 90h}
      - wait: 1h
      - wait: {after_step: heard, offset: 1d}
      - {send: push, template: last}
    """
    assert sent(play(tmp_path, program, [event("seen", 0), event("bought", 5)])[0]) == [("last", 29)]
    assert sent(play(tmp_path, program, [event("seen", 0)])[0]) == [("last", 114)]


BEST = """
entry: {on: bought}
steps:
  - wait: {best_hour: seen, between: ["09:00", "21:00"], default: "10:00"}
  - {send: push, template: now}
"""


def seen_at(*hours):
    """Occurrences at these hours of the clock (UTC), on days that follow each other."""
    return [event("seen", 24 * day + hour - 8) for day, hour in enumerate(hours, 1)]


@pytest.mark.parametrize(
    ("hours", "best"),
    [
        ([], 10),
        ([14, 14], 10),  # too little is known
        ([14, 14, 14], 14),
        ([18, 18, 14, 14], 14),  # the earlier of equal ones
        ([3, 3, 3, 3, 14, 14], 10),  # what lies outside of the hours does not count
        ([3, 3, 3, 3, 20, 14, 20], 20),
    ],
)
def test_the_hour_at_which_the_contact_is_there_most_often(tmp_path, hours, best):
    days = len(hours) + 1
    log = [*seen_at(*hours), event("bought", 24 * days)]  # 08:00
    small = topology(tmp_path, BEST)
    commands, decisions, _, _ = run(log, 1, topology=small, until_ms=START_MS + 24 * (days + 2) * HOUR_MS)
    assert sent(commands) == [("now", 24 * days + best - 8)]
    expected = "default_hour" if best == 10 else "best_hour"
    assert [d.reason for d in decisions if d.kind == "waiting"] == [expected]


def test_the_hour_is_that_of_the_contacts_clock(tmp_path):
    log = [event("profile_updated", 0, tz="Asia/Tokyo"), *seen_at(3, 3, 3), event("bought", 24 * 5)]
    commands, _, _, _ = run(log, 1, topology=topology(tmp_path, BEST), until_ms=START_MS + 24 * 7 * HOUR_MS)
    assert sent(commands) == [("now", 24 * 6 - 8 + 3)]  # 12:00 in Tokyo, the day after


def test_a_histogram_is_bounded_and_follows_new_habits():
    history = Row.new().history
    spec = hours_spec("seen")
    for hour in [5] * 1_000 + [7] * 200:
        record(history, spec, 0, hour, 0)
    series = history.get(spec.key)
    assert series is not None
    counts = values_of(series)
    assert len(counts) == 24
    assert sum(counts) <= HOURS_SUM_MAX
    assert counts[7] > counts[5] > 0
    assert series.times == b""


def test_histograms_of_two_contacts_are_added():
    mine, theirs, spec = Row.new().history, Row.new().history, hours_spec("seen")
    for history, hours in ((mine, [5, 5]), (theirs, [5, 7])):
        for hour in hours:
            record(history, spec, 0, hour, 0)
    merge(mine, theirs)
    series = mine.get(spec.key)
    assert isinstance(series, Series)
    counts = values_of(series)
    assert (counts[5], counts[7], sum(counts), series.total) == (3, 1, 4, 4)
