"""A series: piece after piece, each that the contact has not had, remembered across enrollments."""

from __future__ import annotations

from processor.core.rows import Row
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import BASE, event, kinds, sent, topology

DAY = 24
UNTIL_MS = START_MS + 90 * DAY * HOUR_MS
PROGRAM = """
entry: {on: seen}
reenter: always
steps:
  - series: push
    every: 2d
    pieces: [a, b, {template: c, if: event.n > 5}, d]
  - {send: push, template: after}
"""
POLICIES = """
    policies:
      caps: [{at_most: 1, per: 5d, channels: [push]}]
"""


def play(folder, log, program=PROGRAM, base=BASE, until_ms=UNTIL_MS):
    return run(log, 1, topology=topology(folder, program, base), until_ms=until_ms)


def test_a_piece_every_two_days_and_on_when_they_are_used_up(tmp_path):
    commands, decisions, _, _ = play(tmp_path, [event("seen", 0, n=9)])
    days = [(template, hours / DAY) for template, hours in sent(commands)]
    assert days == [("a", 0), ("b", 2), ("c", 4), ("d", 6), ("after", 6)]
    assert ("stepped", "used_up", 6 * DAY) in kinds(decisions, "stepped")
    assert len({command.command_id for command in commands}) == 5


def test_a_piece_whose_condition_does_not_hold_is_passed_over(tmp_path):
    commands, _, _, _ = play(tmp_path, [event("seen", 0, n=1)])
    # One round more, for the piece whose condition might hold by then.
    assert [(template, hours / DAY) for template, hours in sent(commands)] == [
        ("a", 0), ("b", 2), ("d", 4), ("after", 6),
    ]  # fmt: skip


def test_what_was_had_is_not_sent_again_in_a_later_enrollment(tmp_path):
    program = PROGRAM + "exit: [bought]\n"
    log = [event("seen", 0, n=9), event("bought", 3 * DAY), event("seen", 30 * DAY, n=9)]
    commands, _, _, _ = play(tmp_path, log, program)
    days = [(template, hours / DAY) for template, hours in sent(commands)]
    assert days == [("a", 0), ("b", 2), ("c", 30), ("d", 32), ("after", 32)]
    third = play(tmp_path, [event("seen", 0, n=9), event("seen", 40 * DAY, n=9)])[0]
    assert sent(third)[-1] == ("after", 40 * DAY)
    assert len(third) == 6


def test_series_of_one_name_share_what_was_had(tmp_path):
    program = """
    entry: {on: seen}
    steps:
      - {series: push, every: 1d, pieces: [a, b], name: tips}
      - {series: push, every: 1d, pieces: [b, c], name: tips}
    """
    commands, _, _, _ = play(tmp_path, [event("seen", 0)], program)
    assert [template for template, _ in sent(commands)] == ["a", "b", "c"]


def test_contacts_that_become_one_have_had_what_either_had(tmp_path):
    log = [
        event("seen", 0, "anon", n=9),
        event("contact_identified", 3 * DAY, "ana", anonymous_id="anon"),
    ]
    commands, _, _, _ = play(tmp_path, log)
    assert [(command.template, command.contact_id) for command in commands] == [
        ("a", "anon"), ("b", "anon"), ("c", "ana"), ("d", "ana"), ("after", "ana"),
    ]  # fmt: skip


def test_a_suppressed_round_is_used_up_and_the_piece_stays(tmp_path):
    commands, decisions, _, _ = play(tmp_path, [event("seen", 0, n=9)], base=BASE + POLICIES)
    # Rounds on days 0, 2, 4 and 6; the cap leaves one of them in five days.
    assert [(template, hours / DAY) for template, hours in sent(commands)] == [("a", 0), ("b", 6)]
    suppressed = [(d.detail or {})["template"] for d in decisions if d.kind == "suppressed"]
    assert suppressed == ["b", "b", "after"]


def test_a_held_piece_waits_and_the_next_counts_from_when_it_went(tmp_path):
    program = PROGRAM.replace("every: 2d", "every: 2d\n    when_capped: wait\n    hold_at_most: 9d")
    commands, _, _, _ = play(tmp_path, [event("seen", 0, n=9)], program, BASE + POLICIES)
    days = [(template, hours / DAY) for template, hours in sent(commands)]
    assert days == [("a", 0), ("b", 5), ("c", 10), ("d", 15)]


def test_nobody_without_consent_is_stuck(tmp_path):
    program = PROGRAM.replace("every: 2d", "every: 2d\n    purpose: marketing")
    commands, decisions, _, _ = play(tmp_path, [event("seen", 0, n=9)], program)
    assert [(template, hours / DAY) for template, hours in sent(commands)] == [("after", 6)]
    assert len(kinds(decisions, "suppressed")) == 4


def test_the_row_remembers_no_more_than_the_pieces(tmp_path):
    log = [event("seen", 20 * DAY * number, n=9) for number in range(4)]
    _, _, store, _ = play(tmp_path, log)
    data = store.partition(0).get_many(["ana"])[0]
    assert data is not None
    had = [name for name in Row.decode(data).history.all() if name.startswith("piece:")]
    assert sorted(had) == [f"piece:p/series-push/{piece}" for piece in "abcd"]
