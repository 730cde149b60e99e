"""The JSON Schemas and the reader come from the same shapes, and agree."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from processor.language import json_schema
from processor.language.problems import Problems
from processor.language.schemas import KINDS, file_name, write
from processor.language.source import parse, plain
from processor.language.step_shapes import STEP_RECORDS

REPO = Path(__file__).parents[2]

PROGRAM = """\
program: a
version: 2
description: all there is
purpose: marketing
priority: 10
entry:
  - {on: [cart_abandoned], if: event.value > 2, key: event.cart_id}
  - {segment: staff, if: true}
  - {leaves_segment: staff}
  - {score: engagement, reaches: 60}
  - {grade: engagement, becomes: hot}
  - {date: profile.birthday, offset: -7d, at: 09:00, yearly: true}
  - {inactive: 30d, of: page_viewed}
  - {schedule: 0 9 * * mon, zone: Europe/London}
  - {by_hand: true}
  - {from_program: true}
  - {after_program: a, ended: goal}
audience: {only: in_segment("staff"), never: false}
window: {opens: 2026-01-01, closes: 2026-12-31 18:00}
reenter: after 7d
entrants: {at_most: 5}
holdout: 2.5
goal: {on: order_completed, if: event.value > 0, within: 14d}
exit: [order_completed, {on: page_viewed}, {when: profile.visits > 3, reason: enough}, {after: 90d}]
steps:
  - {send: email, template: welcome, values: {n: 3, t: "Hi {profile.first_name}"}, when_capped: wait, id: s}
  - wait: 3d
  - wait: {until: profile.trial_ends, offset: -2d, at: 09:00, if_past: exit}
  - wait: {at: 10:00, days: [mon], zone: UTC}
  - {wait_for: email_clicked, if: event.template == "x", timeout: 2d, then: [stop], else: [{stop: late}]}
  - {wait_until: score.engagement > 3, timeout: 1d, then: [], else: []}
  - decide: [{if: profile.visits > 1, steps: [exit]}, {else: []}]
  - split: {x: {share: 50, steps: []}, y: {share: 50}}
  - set: {tier: "'gold'", visits: 1}
  - {score: engagement, add: -5}
  - {score: engagement, to: 0}
  - add_to: vip
  - remove_from: vip
  - {alert: slack, message: hello}
  - {route: inbound-sales, because: "{event.value}"}
  - {assign: inbound-sales, by: owner}
  - {grant: marketing, channel: email, text: asked on the phone}
  - {withdraw: marketing}
  - {audience: ads, add: retarget, values: {n: event.value}}
  - {finish: enough, id: f}
  - enroll: a
  - repeat: {times: 2, until: profile.visits > 2, steps: [{wait: 1d}]}
  - {goto: s}
"""

SCENARIO = """\
scenario: all there is
contact: {id: c, tz: Europe/London, consent: [marketing, marketing/email], profile: {visits: 3}, lists: [vip]}
start: 2026-01-01
until: 2026-02-01 12:00
events:
  - {at: 2026-01-02 10:00, page_viewed: {url: /x}}
expect:
  - {at: 2026-01-03, email: welcome, values: {n: 3}, step: s, program: a, variant: x, purpose: marketing}
held:
  - {at: 2026-01-03, step: s, reason: cap}
expect_profile: {tier: gold}
expect_score: {engagement: 12.5}
expect_grade: {engagement: warm}
expect_segments: [staff]
expect_ended: {a: goal}
variant: {split-x-y: x}
holdout: false
"""


def data(text: str):
    problems = Problems()
    (node,) = parse(text, "x.yaml", problems)
    return plain(node)


def complaints(kind: str, text: str) -> list[str]:
    return [error.message for error in Draft7Validator(json_schema(kind)).iter_errors(data(text))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_in_the_repository_are_up_to_date(kind, tmp_path):
    write(tmp_path)
    made = (tmp_path / file_name(kind)).read_text(encoding="utf-8")
    kept = (REPO / "schemas" / file_name(kind)).read_text(encoding="utf-8")
    assert kept == made, "run: python -m processor.language"


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_schemas(kind):
    schema = json_schema(kind)
    Draft7Validator.check_schema(schema)
    references = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(schema)))
    assert references == set(schema["definitions"])
    for name, record in [(kind, schema), *schema["definitions"].items()]:
        if "properties" in record:
            assert "additionalProperties" in record, name
            for key, field in record["properties"].items():
                assert field["description"], f"{name}.{key}"


def test_what_loads_is_valid(shop):
    shop.load(a=PROGRAM)
    assert complaints("topology", shop.text) == []
    assert complaints("program", PROGRAM) == []
    assert complaints("scenario", SCENARIO) == []


def test_every_kind_of_step_is_in_the_schema():
    definitions = json_schema("program")["definitions"]
    steps = {name.removeprefix("step_") for name in definitions if name.startswith("step_")}
    assert steps == set(STEP_RECORDS)
    for kind in STEP_RECORDS:
        assert kind in definitions[f"step_{kind}"]["required"]
        assert data(PROGRAM)["steps"], kind


@pytest.mark.parametrize(
    "line",
    [line for line in PROGRAM.splitlines() if re.match(r"  - \{|[a-z]+: \{", line)],
)
def test_unknown_keys_are_refused_by_both(shop, line):
    text = PROGRAM.replace(line, line[::-1].replace("}", "}1 :zzz ,", 1)[::-1])
    assert text != PROGRAM
    found = shop.problems(a=text)
    assert len(found) == 1
    assert ' unknown-key: "zzz" is not a key of ' in found[0]
    assert complaints("program", text)


MISTAKES = Path(__file__).parent / "mistakes" / "programs.txt"
SHAPE_RULES = (
    "unknown-key",
    "unknown-kind",
    "two-kinds",
    "missing-key",
    "wrong-type",
    "bad-choice",
    "bad-number",
)
# Where the reader knows more than a schema can say: what keys mean together, types of expressions.
BEYOND = {"score both", "set type", "entry date2"}


def test_mistakes_of_shape_are_refused_by_the_schema_too():
    seen = 0
    for block in MISTAKES.read_text(encoding="utf-8").split("=== ")[1:]:
        title, _, rest = block.partition("\n")
        text, _, report = rest.partition("--->\n")
        if any(f" {rule}" in report for rule in SHAPE_RULES) and title not in BEYOND:
            assert complaints("program", text), title
            seen += 1
    assert seen > 20


def test_the_schema_of_something_else():
    with pytest.raises(ValueError, match="program, scenario, topology"):
        json_schema("step")
