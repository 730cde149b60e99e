"""Scenarios: each expectation has a scenario that meets it and one that does not."""

from __future__ import annotations

import pytest

from processor.language import load_scenarios, load_topology
from processor.runtime.scenario import run_scenario

TOPOLOGY = """
topology: test
timezone: Europe/London
events:
  signed_up: {plan: string?}
  bought: {}
profile: {email: string, tier: string}
purposes: {marketing: {consent: required}}
channels: {email: {address: email}, crm: {kind: task}}
teams: {sales: {channel: crm, members: [ana]}}
lists: [vip]
scores: {points: {grades: {cold: 0, warm: 5}, rules: [{on: bought, add: 7.5}]}}
segments: {buyers: happened("bought")}
policies: {quiet_hours: [{from: "21:00", to: "08:00"}]}
"""
WELCOME = """
program: welcome
purpose: marketing
entry: {on: signed_up}
goal: {on: bought, within: 10d}
steps:
  - {send: email, template: hello, values: {plan: event.plan, vip: in_list("vip")}}
  - wait: 2d
  - {set: {tier: "'gold'"}}
  - split:
      loud: {share: 50, steps: [{route: sales, because: "signed up"}]}
      quiet: {share: 50, steps: []}
    id: noise
"""
OTHER = """
program: other
purpose: marketing
entry: {on: signed_up}
steps:
  - {send: email, template: noise}
"""
HEAD = """
scenario: it
contact: {consent: [marketing], profile: {email: a@b.example}}
variant: {noise: loud}
events:
  - {at: 2026-03-02 10:00, signed_up: {plan: basic}}
"""


@pytest.fixture
def run(tmp_path):
    folder = tmp_path
    (folder / "topology.yaml").write_text(TOPOLOGY, encoding="utf-8")
    (folder / "programs").mkdir()
    (folder / "programs" / "welcome.yaml").write_text(WELCOME, encoding="utf-8")
    (folder / "programs" / "other.yaml").write_text(OTHER, encoding="utf-8")

    def go(text, head=HEAD):
        (folder / "programs" / "welcome.test.yaml").write_text(head + text, encoding="utf-8")
        loaded = load_topology(folder)
        (scenario,) = load_scenarios(loaded)
        return run_scenario(loaded.topology, scenario)

    return go


def about(result):
    return [(d.about, d.expected, d.got) for d in result.differences]


HELLO = "  - {at: 2026-03-02 10:00, email: hello}\n"
SALES = "  - {at: 2026-03-04 10:00, crm: sales}\n"


@pytest.mark.parametrize(
    "text",
    [
        f"expect:\n{HELLO}{SALES}",
        """
expect:
  - {email: hello, values: {plan: basic, vip: false}, step: send-email-hello, purpose: marketing}
  - {crm: route, program: welcome, variant: loud}
""",
        f"expect:\n  - {{email: noise, program: other}}\n{HELLO}{SALES}",
        "expect_profile: {tier: gold}",
        "expect_ended: {welcome: completed, other: completed}",
        "until: 2026-03-03 10:00\nexpect_ended: {welcome: active}",
        "expect_score: {points: 0}\nexpect_grade: {points: cold}",
        "held: []",
    ],
)
def test_what_holds_passes(run, text):
    result = run(text)
    assert about(result) == []
    assert result.passed


@pytest.mark.parametrize(
    ("text", "key", "expected", "got"),
    [
        ("expect_profile: {tier: silver}", "expect_profile", "tier: silver", "tier: gold"),
        ("expect_profile: {country: GB}", "expect_profile", "country: GB", "country: nothing"),
        ("expect_score: {points: 3}", "expect_score", "points: 3", "points: 0.0"),
        ("expect_grade: {points: warm}", "expect_grade", "points: warm", "points: cold"),
        ("expect_segments: [buyers]", "expect_segments", "in buyers", "in no segment"),
        ("expect_lists: [vip]", "expect_lists", "on: vip", "on: nothing"),
        ("expect_consent: [marketing/sms]", "expect_consent", "to: marketing/sms", "to: marketing"),
        (
            "expect_ended: {welcome: goal}",
            "expect_ended",
            "welcome: goal",
            "welcome: completed or observed_out",
        ),
        (
            "until: 2026-03-03\nexpect_ended: {welcome: goal}",
            "expect_ended",
            "welcome: goal",
            "welcome: active",
        ),
    ],
)
def test_what_does_not_hold_is_a_difference(run, text, key, expected, got):
    result = run(text)
    assert not result.passed
    assert about(result) == [(key, expected, got)]
    assert result.differences[0].line > 0


def signs(result):
    return [pair.sign for pair in result.commands]


def test_a_command_at_another_time_is_one_difference_and_not_two(run):
    result = run(f"expect:\n  - {{at: 2026-03-02 11:00, email: hello}}\n{SALES}")
    assert signs(result) == ["!", "="]
    (pair,) = [pair for pair in result.commands if pair.sign == "!"]
    assert (pair.expected, pair.got) == (
        "2026-03-02 11:00  email: hello",
        "2026-03-02 10:00  email: hello",
    )


def test_a_missing_and_a_surplus_command_are_told_apart(run):
    assert signs(run(f"expect:\n{HELLO}")) == ["=", "+"]
    assert signs(run(f"expect:\n{HELLO}  - {{email: again}}\n{SALES}")) == ["=", "-", "="]


@pytest.mark.parametrize(
    "more",
    [
        "values: {plan: pro}",
        "values: {nothing: 1}",
        "values: {vip: 0}",
        "step: elsewhere",
        "purpose: service",
        "variant: quiet",
        "not_before: 2026-03-02 10:01",
        "expires: 2026-03-02 10:01",
    ],
)
def test_everything_that_is_asked_of_a_command_is_compared(run, more):
    result = run(f"expect:\n  - {{at: 2026-03-02 10:00, email: hello, {more}}}\n{SALES}")
    assert signs(result) == ["!", "="]


def test_programs_beside_it_run_but_are_not_compared(run):
    result = run(f"expect:\n{HELLO}{SALES}")
    assert result.passed
    assert any(moment.program == "other" and moment.kind == "commanded" for moment in result.path)


NIGHT = HEAD.replace("10:00", "22:00").replace("variant: {noise: loud}", "variant: {noise: quiet}")


def test_held_sends_are_compared(run):
    good = "held:\n  - {at: 2026-03-02 22:00, step: send-email-hello, reason: quiet_hours}\n"
    assert run(good, NIGHT).passed
    assert not run(good.replace("22:00", "23:00"), NIGHT).passed
    assert not run("held: []", NIGHT).passed
    assert not run(good.replace("quiet_hours", "no_consent"), NIGHT).passed
    (difference,) = run("held: []", NIGHT).differences
    assert difference.got == "2026-03-02 22:00  send-email-hello  quiet_hours"


def test_times_are_those_of_the_contact_across_a_clock_change(run):
    head = """
scenario: it
contact: {tz: America/New_York, consent: [marketing], profile: {email: a@b.example}}
variant: {noise: loud}
events:
  - {at: 2026-03-07 10:00, signed_up: {}}
"""
    # Clocks go forward on 8 March there: two days later it is eleven.
    result = run(
        "expect:\n  - {at: 2026-03-07 10:00, email: hello}\n  - {at: 2026-03-09 11:00, crm: sales}\n", head
    )
    assert about(result) == []
    assert str(result.zone) == "America/New_York"


def test_what_is_given_is_true_before_the_first_event(run):
    head = HEAD.replace("profile: {", "lists: [vip], profile: {")
    assert run(f"expect:\n  - {{email: hello, values: {{vip: true}}}}\n{SALES}", head).passed


def test_a_purchase_reaches_the_goal_and_scores(run):
    head = HEAD + "  - {at: 2026-03-02 12:00, bought: {}}\n"
    text = (
        f"expect:\n{HELLO}expect_ended: {{welcome: goal}}\nexpect_score: {{points: 7.5}}\n"
        "expect_grade: {points: warm}\nexpect_segments: [buyers]\n"
    )
    assert about(run(text, head)) == []
    assert about(run(text.replace("welcome: goal", "welcome: bought"), head)) == []  # by its reason, too


def test_a_holdout_receives_nothing(run):
    assert run("holdout: true\nexpect: []\nexpect_ended: {welcome: holdout}").passed
