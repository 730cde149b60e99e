"""Programs are compiled into the graph and the index that the machine runs."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from processor.core.nodes import (
    AddScore,
    Alert,
    ChangeList,
    Decide,
    Enroll,
    Jump,
    Leave,
    Repeat,
    Route,
    Send,
    SetProfile,
    Split,
    Wait,
    WaitClock,
    WaitFor,
    WaitTo,
)
from processor.core.time import DAY_MS, HOUR_MS, parse_time

TOP = "program: a\npurpose: marketing\nentry: {on: cart_abandoned}\n"
WAIT = "steps: [{wait: 1d}]\n"


def steps_of(shop, text: str, **others: str):
    loaded = shop.load(a=TOP + "steps:\n" + text, **others)
    return loaded.topology.programs["a"].nodes


def graph(nodes) -> dict[str, list[str | None]]:
    return {name: [to for _, to in node.edges()] for name, node in nodes.items()}


def test_every_kind_of_step(shop):
    nodes = steps_of(
        shop,
        """\
  - {send: email, template: welcome, values: {n: event.lines, hi: "Hi {profile.first_name}"},
     purpose: receipts, when_capped: wait, when_quiet: skip, hold_at_most: 3d, expires_after: 6h, id: one}
  - {send: push, template: anything}
  - wait: 1h30m
  - wait: {until: profile.trial_ends, offset: -2d, at: "09:00", if_past: exit}
  - wait: {at: "10:00", days: [mon, sun], zone: Europe/Berlin}
  - {wait_for: [email_clicked, page_viewed], timeout: 2d}
  - {wait_until: score.engagement >= 50, timeout: 30d}
  - set: {tier: "'gold'", visits: profile.visits + 1}
  - {score: engagement, add: -5}
  - {score: engagement, add: entry.value * 2}
  - {score: engagement, to: 0}
  - add_to: newsletter
  - remove_from: vip
  - {alert: slack, message: "hot lead {profile.email}"}
  - {route: inbound-sales, because: "a cart of {event.value}"}
  - enroll: b
  - {goto: one}
  - exit: enough
""",
        b="program: b\nentry: {from_program: true}\n" + WAIT,
    )
    one = nodes["one"]
    assert isinstance(one, Send)
    assert (one.channel, one.template, one.purpose) == ("email", "welcome", "receipts")
    assert (one.when_capped, one.when_quiet) == ("wait", "skip")
    assert (one.hold_ms, one.expires_ms) == (3 * DAY_MS, 6 * HOUR_MS)
    assert [name for name, _ in one.values] == ["n", "hi"]
    assert len(one.expressions) == 2
    push = nodes["send-push-anything"]
    assert isinstance(push, Send)
    assert (push.purpose, push.when_capped, push.when_quiet) == ("marketing", "skip", "wait")
    assert (push.hold_ms, push.expires_ms) == (2 * DAY_MS, 4 * HOUR_MS)
    wait = nodes["wait-1h-30m"]
    assert isinstance(wait, Wait)
    assert wait.duration_ms == 90 * 60_000
    until = nodes["wait-until-profile-trial-ends"]
    assert isinstance(until, WaitTo)
    assert (until.offset_ms, until.at_minutes, until.if_past_exit) == (-2 * DAY_MS, 540, True)
    clock = nodes["wait-at-10-00"]
    assert isinstance(clock, WaitClock)
    assert (clock.at_minutes, clock.weekdays) == (600, frozenset({0, 6}))
    assert clock.zone is not None
    assert clock.zone.key == "Europe/Berlin"
    heard = nodes["wait-for-email-clicked-page-viewed"]
    assert isinstance(heard, WaitFor)
    assert (heard.events, heard.timeout_ms) == (("email_clicked", "page_viewed"), 2 * DAY_MS)
    looked = nodes["wait-until-score-engagement-50"]
    assert isinstance(looked, WaitFor)
    assert looked.condition is not None
    assert looked.listens() == ("*",)
    assert isinstance(nodes["set-tier-visits"], SetProfile)
    less, more, zero = (nodes[f"score-engagement{number}"] for number in ("", "-2", "-3"))
    assert isinstance(less, AddScore)
    assert isinstance(more, AddScore)
    assert isinstance(zero, AddScore)
    assert (less.add, less.add_fn, less.to) == (-5.0, None, None)
    assert more.add_fn is not None
    assert zero.to == 0.0
    joined, left = nodes["add-to-newsletter"], nodes["remove-from-vip"]
    assert isinstance(joined, ChangeList)
    assert isinstance(left, ChangeList)
    assert (joined.join, left.join, left.list) == (True, False, "vip")
    assert isinstance(nodes["alert-slack"], Alert)
    assert isinstance(nodes["route-inbound-sales"], Route)
    assert isinstance(nodes["enroll-b"], Enroll)
    assert isinstance(nodes["goto-one"], Jump)
    leave = nodes["exit-enough"]
    assert isinstance(leave, Leave)
    assert leave.reason == "enough"


def test_ids_stay_when_steps_are_added_elsewhere(shop):
    before = steps_of(shop, "  - wait: 1d\n  - wait: 1d\n  - wait: 2d\n  - {wait: 1d, id: wait-1d-2}\n")
    assert list(before) == ["wait-1d", "wait-1d-3", "wait-2d", "wait-1d-2"]
    after = steps_of(
        shop, "  - wait: 1d\n  - exit\n  - wait: 1d\n  - wait: 2d\n  - {wait: 1d, id: wait-1d-2}\n"
    )
    assert list(after) == ["wait-1d", "exit-exit", "wait-1d-3", "wait-2d", "wait-1d-2"]


def test_nested_steps_go_on_where_the_outer_step_does(shop):
    nodes = steps_of(
        shop,
        """\
  - wait_for: email_clicked
    timeout: 2d
    then: [{wait: 1h}]
    else:
      - split:
          x: {share: 30, steps: [{wait: 2h}, {wait: 3h}]}
          y: {share: 70}
  - decide:
      - if: profile.visits > 1
        steps: [{wait: 4h}]
      - if: profile.visits > 0
        steps: []
  - wait: 5h
""",
    )
    assert graph(nodes) == {
        "wait-for-email-clicked": ["wait-1h", "split-x-y"],
        "wait-1h": ["decide"],
        "split-x-y": ["wait-2h", "decide"],
        "wait-2h": ["wait-3h"],
        "wait-3h": ["decide"],
        "decide": ["wait-4h", "wait-5h", "wait-5h"],
        "wait-4h": ["wait-5h"],
        "wait-5h": [None],
    }
    split = nodes["split-x-y"]
    assert isinstance(split, Split)
    assert [(name, share) for name, share, _ in split.branches] == [("x", 30.0), ("y", 70.0)]
    decide = nodes["decide"]
    assert isinstance(decide, Decide)
    assert decide.texts == ("profile.visits > 1", "profile.visits > 0")
    assert not any(node.looped for node in nodes.values())


def test_decide_with_else(shop):
    nodes = steps_of(
        shop, "  - decide:\n      - {if: profile.visits > 1, steps: []}\n      - else: [exit]\n  - wait: 1d\n"
    )
    assert graph(nodes) == {"decide": ["wait-1d", "exit-exit"], "exit-exit": [], "wait-1d": [None]}


def test_a_repeat_leads_back_and_is_looped(shop):
    nodes = steps_of(
        shop,
        """\
  - wait: 1h
  - repeat:
      times: 3
      until: profile.visits > 2
      steps:
        - wait: 2h
        - decide:
            - {if: profile.visits > 1, steps: [{wait: 3h}, {exit: seen}]}
  - wait: 4h
""",
    )
    assert graph(nodes) == {
        "wait-1h": ["repeat"],
        "repeat": ["wait-2h", "wait-4h"],
        "wait-2h": ["decide"],
        "decide": ["wait-3h", "repeat"],
        "wait-3h": ["exit-seen"],
        "exit-seen": [],
        "wait-4h": [None],
    }
    assert {name for name, node in nodes.items() if node.looped} == {"repeat", "wait-2h", "decide"}
    repeat = nodes["repeat"]
    assert isinstance(repeat, Repeat)
    assert (repeat.times, repeat.until is None) == (3, False)


def test_a_goto_back_makes_a_loop(shop):
    nodes = steps_of(shop, "  - {wait: 1h, id: x}\n  - wait: 2h\n  - goto: x\n  - wait: 3h\n")
    assert {name for name, node in nodes.items() if node.looped} == {"x", "wait-2h", "goto-x"}


def test_steps_know_their_line_and_their_expressions(shop):
    loaded = shop.load(a=TOP + "steps:\n  - wait: 1h\n  - set:\n      tier: profile.tier\n      visits: 1\n")
    nodes = loaded.topology.programs["a"].nodes
    assert {name: node.line for name, node in nodes.items()} == {"wait-1h": 5, "set-tier-visits": 6}
    assert [made.text for made in nodes["set-tier-visits"].expressions] == ["profile.tier", "1"]
    mark = loaded.sources["a"].steps["set-tier-visits"]
    assert (mark.file, mark.line, mark.column) == ("programs/a.yaml", 6, 5)


def test_what_an_enrollment_keeps(shop):
    program = shop.load(
        a="""\
program: a
entry: {on: [cart_abandoned, order_completed], if: event.value > 3, key: event.cart_id}
goal: {on: order_completed, if: event.order_id == entry.order_id}
exit: {on: page_viewed, if: event.seconds > entry.lines}
steps:
  - {wait_for: email_clicked, if: event.template == "x", timeout: 1d}
  - {alert: slack, message: "{event.value} {answer.template}"}
"""
    ).topology.programs["a"]
    assert program.keeps == ("lines", "order_id", "value")
    assert program.answers == ("template",)
    assert program.keyed


ENTRIES = {
    "{on: [cart_abandoned, page_viewed]}": [
        ("on-cart-abandoned", "event", "cart_abandoned", ()),
        ("on-page-viewed", "event", "page_viewed", ()),
    ],
    "{segment: big-spender}": [
        ("segment-big-spender", "segment", "segment_entered", (("segment", "big-spender"),))
    ],
    "{leaves_segment: staff}": [("leaves-segment-staff", "segment", "segment_left", (("segment", "staff"),))],
    "{score: engagement, reaches: 60}": [
        ("score-engagement-60", "score", "score_reached", (("score", "engagement"), ("threshold", 60.0)))
    ],
    "{grade: engagement, becomes: hot}": [
        ("grade-engagement-hot", "grade", "grade_changed", (("score", "engagement"), ("to", "hot")))
    ],
    "{by_hand: true}": [("by-hand", "hand", "contact_added", (("program", "a"),))],
    "{from_program: true}": [("from-program", "program", "enrolled", (("program", "a"),))],
    "{after_program: b}": [("after-b", "program", "program_ended", (("program", "b"),))],
    "{after_program: b, ended: [goal, exited]}": [
        ("after-b-goal", "program", "program_ended", (("program", "b"), ("reason", "goal"))),
        ("after-b-exited", "program", "program_ended", (("program", "b"), ("reason", "exited"))),
    ],
    "[{segment: staff}, {segment: staff, if: profile.visits > 1}]": [
        ("segment-staff", "segment", "segment_entered", (("segment", "staff"),)),
        ("segment-staff-2", "segment", "segment_entered", (("segment", "staff"),)),
    ],
}


@pytest.mark.parametrize("text", ENTRIES)
def test_entries_by_events(shop, text):
    topology = shop.load(
        a=f"program: a\nentry: {text}\n{WAIT}", b="program: b\nentry: {by_hand: true}\n" + WAIT
    ).topology
    entries = topology.programs["a"].entries
    assert [(one.id, one.kind, one.event, one.match) for one in entries] == ENTRIES[text]
    for entry in entries:
        assert entry in topology.reactions[entry.event].entries
    thresholds = topology.scores["engagement"].thresholds
    assert thresholds == ((60.0,) if "reaches" in text else ())


def test_entries_by_time(shop):
    topology = shop.load(
        a=f"""\
program: a
entry:
  - {{date: profile.birthday, offset: -7d, at: "09:00", yearly: true}}
  - {{inactive: 30d, of: [page_viewed, order_completed]}}
  - {{inactive: 60d}}
  - {{schedule: "0 9 * * mon", zone: Europe/Berlin}}
  - {{schedule: 2026-12-01 09:00}}
{WAIT}"""
    ).topology
    date, some, every, cron, once = topology.programs["a"].entries
    assert (date.kind, date.attribute, date.offset_days, date.at_minutes, date.yearly) == (
        "date", "birthday", -7, 540, True,
    )  # fmt: skip
    assert topology.dates == (date,)
    assert topology.dates_by_attribute == {"birthday": (date,)}
    assert (some.inactive_ms, some.activities) == (30 * DAY_MS, ("page_viewed", "order_completed"))
    assert topology.idle == (some, every)
    assert topology.reactions["page_viewed"].activity == (some, every)
    assert topology.reactions["email_clicked"].activity == (every,)
    assert "contact_added" not in topology.reactions
    # When an activity was last seen is a history that somebody must keep.
    assert [spec.key for spec in topology.reactions["page_viewed"].series] == ["page_viewed"]
    assert cron.cron is not None
    assert (cron.id, cron.zone, once.id) == ("schedule", "Europe/Berlin", "schedule-2")
    assert once.once_ms == parse_time("2026-12-01T09:00Z")
    assert topology.schedules == (cron, once)


def test_rules_of_a_program(shop):
    program = shop.load(
        a=f"""\
program: a
version: 3
description: a cart
purpose: marketing
priority: 70
entry: {{on: cart_abandoned}}
audience: {{only: in_segment("big-spender"), never: in_list("vip")}}
window: {{opens: 2026-06-01, closes: 2026-06-30}}
reenter: after 7d
entrants: {{at_most: 1000}}
holdout: 10
goal: {{on: order_completed, within: 14d}}
{WAIT}"""
    ).topology.programs["a"]
    assert (program.version, program.description, program.purpose, program.priority) == (
        3,
        "a cart",
        "marketing",
        70,
    )
    assert program.audience.only is not None
    assert program.audience.never is not None
    # London is an hour ahead of UTC then, and the last day counts whole.
    assert (
        program.opens_ms
        == parse_time("2026-06-01", ZoneInfo("Europe/London"))
        == parse_time("2026-05-31T23:00Z")
    )
    assert program.closes_ms == parse_time("2026-06-30T23:00Z")
    assert (program.reenter_ms, program.entrants_max, program.holdout_share) == (7 * DAY_MS, 1000, 10.0)
    assert program.goal is not None
    assert (program.goal.events, program.goal.within_ms) == (("order_completed",), 14 * DAY_MS)
    assert program.goal_events == {"order_completed"}
    assert (program.first, program.file) == ("wait-1d", "programs/a.yaml")


def test_defaults_of_a_program(shop):
    program = shop.load(a=TOP + "goal: {when: profile.visits > 3}\n" + WAIT).topology.programs["a"]
    assert (program.version, program.priority, program.reenter_ms) == (1, 50, -1)
    assert (program.opens_ms, program.closes_ms, program.entrants_max) == (0, 0, 0)
    assert program.goal is not None
    assert program.goal.condition is not None
    assert program.goal.within_ms == 30 * DAY_MS
    assert not program.keyed


def test_exits(shop):
    topology = shop.load(
        a=TOP
        + """\
exit:
  - order_completed
  - {on: [page_viewed, email_clicked], reason: seen}
  - {when: in_segment("staff")}
  - {when: 'profile.tier == "gold"', reason: gold}
  - {after: 90d}
  - {after: 30d}
"""
        + WAIT
    ).topology
    program = topology.programs["a"]
    assert [(way.reason, way.events, way.after_ms) for way in program.exits] == [
        ("order_completed", ("order_completed",), 0),
        ("seen", ("page_viewed",), 0),
        ("seen", ("email_clicked",), 0),
        ('in_segment("staff")', (), 0),
        ("gold", (), 0),
        ("after 90d", (), 90 * DAY_MS),
        ("after 30d", (), 30 * DAY_MS),
    ]
    assert program.exit_after_ms == 30 * DAY_MS
    assert program.exit_events["order_completed"] == (program.exits[0],)
    assert program.exit_conditions == program.exits[3:5]
    assert topology.always.programs == {"a"}
    assert topology.reactions["email_clicked"].programs == {"a"}


class _Turn:
    def __init__(self, **props: object) -> None:
        self.props = props


@pytest.mark.parametrize(
    ("props", "concerned"),
    [
        ({}, True),
        ({"purpose": "marketing"}, True),
        ({"purpose": None}, True),
        ({"purpose": "receipts"}, False),
        ({"purpose": "marketing", "channel": "email"}, False),
        ({"channel": "email"}, False),
    ],
)
def test_the_exit_by_withdrawn_consent(shop, props, concerned):
    program = shop.load(a=TOP + "exit: consent_withdrawn\n" + WAIT).topology.programs["a"]
    (way,) = program.exit_events["consent_withdrawn"]
    assert way.when is not None
    assert bool(way.when(_Turn(**props))) is concerned


@pytest.mark.parametrize(
    ("entry", "reenter_ms"),
    [
        ("{on: page_viewed}", -1),
        ("{date: profile.birthday, yearly: true}", 0),
        ("{date: profile.birthday}", -1),
        ('{schedule: "0 9 * * mon"}', 0),
        ('{schedule: "2026-12-01 09:00"}', -1),
        ('[{schedule: "0 9 * * mon"}, {on: page_viewed}]', -1),
    ],
)
def test_programs_whose_entries_come_round_are_entered_again(shop, entry, reenter_ms):
    loaded = shop.load(a=f"program: a\npurpose: marketing\nentry: {entry}\n" + WAIT)
    assert loaded.topology.programs["a"].reenter_ms == reenter_ms


def test_an_undeclared_entry_event_is_one_mistake_and_not_one_for_each_of_its_properties(shop):
    steps = 'steps: [{wait: {until: event.starts}}, {alert: slack, message: "{event.title}"}]\n'
    problems = shop.problems(a="program: a\npurpose: marketing\nentry: {on: webinar}\n" + steps)
    assert len(problems) == 1
    assert "unknown-event" in problems[0]


def test_advice_for_a_goto_to_nowhere_is_never_the_goto_itself(shop):
    steps = "steps: [{id: again, wait: 1d}, {goto: agin}]\n"
    (problem,) = shop.problems(a=TOP + steps)
    assert 'write "again"' in problem


def test_a_message_goes_on_no_channel_of_webhooks(shop):
    topology = shop.text.replace("crm: {kind: task}", "crm: {kind: webhook}")
    text = (
        "program: a\npurpose: marketing\nentry: {on: cart_abandoned}\nsteps:\n  - {send: crm, template: x}\n"
    )
    (found,) = [one for one in shop.problems(topology, a=text) if "wrong-channel" in one]
    assert found == (
        'programs/a.yaml:5:12 error wrong-channel: "crm" is a channel of webhooks, not of messages'
        " - write webhook: crm with values:"
    )
