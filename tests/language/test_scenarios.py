"""Scenario files are read as exactly as programs are."""

from __future__ import annotations

from pathlib import Path

import pytest

from processor.core.time import parse_time
from processor.language import Expected, Held, LanguageError, ScenarioEvent, load_scenarios, load_topology

PROGRAM = """\
program: a
purpose: marketing
entry: {on: cart_abandoned}
steps: [{split: {x: {share: 50}, y: {share: 50}}}]
"""


@pytest.fixture
def read(shop):
    def read(text: str, name: str = "a"):
        folder = shop.write(a=PROGRAM)
        (folder / "programs" / f"{name}.test.yaml").write_text(text, encoding="utf-8")
        return load_scenarios(load_topology(folder))

    return read


@pytest.fixture
def refused(read):
    def refused(text: str, name: str = "a") -> list[str]:
        with pytest.raises(LanguageError) as caught:
            read(text, name)
        return [str(problem) for problem in caught.value.problems]

    return refused


def test_a_whole_scenario(read):
    (scenario,) = read("""\
scenario: buys before the reminder
contact:
  tz: America/Mexico_City
  consent: [marketing, marketing/email]
  profile: {email: a@b.example, visits: 3}
  lists: [vip]
until: 2026-03-20
events:
  - {at: 2026-03-01 10:00, cart_abandoned: {cart_id: "7", value: 80}}
  - {at: "2026-03-01T17:00Z", email_clicked: {template: 'x'}}
expect:
  - {at: 2026-03-01 11:00, email: cart-reminder, values: {lines: 3}, step: one}
held:
  - {at: 2026-03-01 12:00, step: one, reason: cap}
expect_profile: {tier: gold}
expect_score: {engagement: 12}
expect_grade: {engagement: warm}
expect_segments: [big-spender]
expect_ended: {a: goal}
variant: {split-x-y: x}
holdout: true
""")
    assert (scenario.name, scenario.program) == ("buys before the reminder", "a")
    assert (scenario.file, scenario.line) == ("programs/a.test.yaml", 1)
    assert (scenario.contact_id, scenario.tz) == ("buys-before-the-reminder", "America/Mexico_City")
    assert scenario.profile == {"email": "a@b.example", "visits": 3}
    assert scenario.consents == ("marketing", "marketing/email")
    assert scenario.lists == ("vip",)
    # Mexico City is six hours behind.
    first_ms = parse_time("2026-03-01T16:00Z")
    assert scenario.start_ms == first_ms - 60_000
    assert scenario.until_ms == parse_time("2026-03-20T06:00Z")
    assert scenario.events == (
        ScenarioEvent(first_ms, "cart_abandoned", {"cart_id": "7", "value": 80}, 9),
        ScenarioEvent(parse_time("2026-03-01T17:00Z"), "email_clicked", {"template": "x"}, 10),
    )
    eleven_ms = parse_time("2026-03-01T17:00Z")
    assert scenario.expect == (
        Expected(
            channel="email",
            template="cart-reminder",
            line=12,
            at_ms=eleven_ms,
            values={"lines": 3},
            step="one",
        ),
    )
    assert scenario.held == (Held(line=14, at_ms=parse_time("2026-03-01T18:00Z"), step="one", reason="cap"),)
    assert scenario.expect_profile == {"tier": "gold"}
    assert scenario.expect_score == {"engagement": 12}
    assert scenario.expect_grade == {"engagement": "warm"}
    assert scenario.expect_segments == ("big-spender",)
    assert scenario.expect_ended == {"a": "goal"}
    assert (scenario.variants, scenario.holdout) == ({"split-x-y": "x"}, True)
    assert scenario.lines["expect_grade"] == 17


def test_what_is_absent_is_not_compared(read):
    one, two = read("""\
scenario: one
start: 2026-03-01
---
scenario: two
contact: {id: c-1}
events: [{at: 2026-07-01 10:00, page_viewed: {url: /x}}]
expect: []
""")
    assert one.expect is one.held is one.expect_profile is one.expect_score is one.until_ms is None
    assert (one.events, one.variants, one.holdout, one.tz) == ((), {}, False, "")
    assert one.start_ms == parse_time("2026-03-01")
    assert (two.contact_id, two.expect, two.line) == ("c-1", (), 4)
    assert two.events[0].at_ms == parse_time("2026-07-01T09:00Z"), "on the topology's clock"


def cases() -> dict[str, tuple[str, list[str]]]:
    """The mistakes of the file: === name, what is written, ---> and the report."""
    found = {}
    whole = (Path(__file__).parent / "mistakes" / "scenarios.txt").read_text(encoding="utf-8")
    for block in whole.split("=== ")[1:]:
        title, _, rest = block.partition("\n")
        text, _, report = rest.partition("--->\n")
        found[title] = (text, report.strip().splitlines())
    assert len(found) > 10
    return found


CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_in_a_scenario(refused, case):
    text, expected = CASES[case]
    assert refused(text) == expected


def test_scenarios_without_a_program(refused):
    (report,) = refused("scenario: x\nstart: 2026-01-01\n", name="b")
    assert report.startswith('programs/b.test.yaml:1:1 error unknown-program: there is no program "b" beside')
