"""Variants of a template, blocks, and the test list."""

from __future__ import annotations

import pytest

from processor.core.time import parse_time
from processor.language import LanguageError
from processor.runtime.report import Accumulator
from processor.runtime.sentences import of_decision, sentence
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
timezone: Europe/London
events: {seen: {n: integer?}, answered: {}, bought: {}}
profile: {locale: string, email: string}
purposes: {service: {consent: not_required}, marketing: {consent: required}}
channels: {email: {address: email}, sms: {}}
lists: [staff, vip]
"""
VARIANTS = """
  - send: email
    template: hello
    purpose: service
    fallback: {to: sms, template: short}
    variants:
      - {if: 'in_list("vip")', template: hello-vip, name: vip}
      - {locale: [de-AT, de-CH], template: hello-alps}
      - {locale: de, template: hello-de}
      - {season: {from: 12-20, to: 01-06}, template: hello-winter}
    blocks:
      hero:
        - {if: 'in_list("vip")', show: gold}
        - {locale: de, show: schwarz}
        - plain
      foot: {season: {from: 03-01, to: 03-31}, show: spring}
"""


def play(folder, steps, log, base=BASE, head="entry: {on: seen}\nreenter: always\n", **more):
    small = topology(folder, f"{head}steps:\n{steps}", base)
    commands, decisions, _, _ = run(log, 1, topology=small, **more)
    return commands, decisions


def at(text, kind, **properties):
    return event(kind, (parse_time(text) - START_MS) / HOUR_MS, **properties)


@pytest.mark.parametrize(
    ("locale", "day", "lists", "chosen"),
    [
        (None, "2026-03-31", [], ("hello", "", "plain", "spring")),
        ("de", "2026-04-01", [], ("hello-de", "hello-de", "schwarz", None)),
        ("de_CH", "2026-04-01", [], ("hello-alps", "hello-alps", "schwarz", None)),
        ("DE-lu", "2026-12-24", [], ("hello-de", "hello-de", "schwarz", None)),
        ("den", "2026-12-20", [], ("hello-winter", "hello-winter", "plain", None)),
        ("en", "2027-01-06", [], ("hello-winter", "hello-winter", "plain", None)),
        ("en", "2027-01-07", [], ("hello", "", "plain", None)),
        ("de", "2026-12-24", ["vip"], ("hello-vip", "vip", "gold", None)),
    ],
)
def test_the_first_variant_that_fits(tmp_path, locale, day, lists, chosen):
    template, variant, hero, foot = chosen
    log = [at(day, "profile_updated", locale=locale, email="a")]
    log += [at(day, "list_joined", list=name) for name in lists]
    (command,), _ = play(tmp_path, VARIANTS, [*log, at(f"{day} 12:00", "seen")])
    assert (command.template, command.values["blocks"]) == (template, {"hero": hero, "foot": foot})
    assert command.variant == (f"send-email-hello={variant}" if variant else "")


def test_a_channel_with_a_template_of_its_own_has_no_variants(tmp_path):
    log = [event("list_joined", 0, list="vip"), event("seen", 1)]
    (command,), _ = play(tmp_path, VARIANTS, log)
    assert (command.channel, command.template, command.variant) == ("sms", "short", "")
    assert command.values["blocks"]["hero"] == "gold"
    both = VARIANTS.replace("{to: sms, template: short}", "sms")
    (command,), _ = play(tmp_path, both, log)
    assert (command.channel, command.template, command.variant) == (
        "sms",
        "hello-vip",
        "send-email-hello=vip",
    )


def test_the_variant_stands_beside_that_of_a_split(tmp_path):
    steps = "  - split: {x: {share: 100, steps: [{send: sms, template: a, purpose: service, variants: "
    steps += "[{if: 'true', template: b}]}]}}\n"
    (command,), _ = play(tmp_path, steps, [event("seen", 0)])
    assert command.variant == "split-x=x,send-sms-a=b"


TESTED = """
  - {send: sms, template: one, purpose: marketing}
  - wait: 3d
  - {send: sms, template: two, purpose: marketing}
  - wait_for: answered
    timeout: 7d
    else: [{send: sms, template: three, purpose: marketing}]
  - wait: {until: 'date("2026-12-24")'}
  - {send: sms, template: four, purpose: marketing}
"""
STRICT = """
test_list: {list: staff, wait_at_most: 2m}
policies:
  quiet_hours: {from: "08:00", to: "20:00"}
  caps: [{name: one, at_most: 1, per: 90d}]
  holdout: 100
"""
HEAD = "entry: {on: seen}\nreenter: never\nentrants: {at_most: 1}\ngoal: {on: bought}\n"


def test_who_is_on_the_test_list_gets_everything_in_minutes(tmp_path):
    log = [
        event("list_joined", 0, list="staff"),
        event("consent_granted", 0, purpose="marketing"),
        event("seen", 1),
        event("seen", 2),
    ]
    commands, decisions = play(tmp_path, TESTED, log, BASE + STRICT, HEAD, until_ms=START_MS + 3 * HOUR_MS)
    minutes = [(c.template, round((c.decided_ms - START_MS) / 60_000)) for c in commands]
    once = [("one", 60), ("two", 62), ("three", 64), ("four", 66)]
    assert minutes == [*once, *((template, at + 60) for template, at in once)]
    waits = [d for d in decisions if d.kind == "waiting" and d.reason == "test_list"]
    assert "cut short, as the contact is on the test list" in sentence(of_decision(waits[0]), str)
    found = Accumulator(topology(tmp_path, f"{HEAD}steps:\n{TESTED}", BASE + STRICT).timezone)
    for decision in decisions:
        found.add(decision)
    assert len(found.columns) == 0
    assert found.by_slot["sent", "sms"] == {}


def test_consent_counts_for_the_test_list_too(tmp_path):
    log = [event("list_joined", 0, list="staff"), event("seen", 1)]
    commands, decisions = play(tmp_path, TESTED, log, BASE + STRICT, HEAD, until_ms=START_MS + 3 * HOUR_MS)
    assert commands == []
    assert {d.reason for d in decisions if d.kind == "suppressed"} == {"no_consent"}


def test_all_others_are_as_before(tmp_path):
    log = [event("consent_granted", 0, purpose="marketing"), event("seen", 1)]
    commands, decisions = play(tmp_path, TESTED, log, BASE + STRICT, HEAD, until_ms=START_MS + 99 * HOUR_MS)
    assert commands == []
    assert [d.kind for d in decisions if d.enrollment] == ["holdout"]
    open_house = BASE + STRICT.replace("holdout: 100", "holdout: 0")
    commands, _ = play(tmp_path, TESTED, log, open_house, HEAD, until_ms=START_MS + 99 * HOUR_MS)
    assert [(c.template, (c.decided_ms - START_MS) / HOUR_MS) for c in commands] == [("one", 12)]


def test_a_test_is_no_result_of_a_split_by_best_performer(tmp_path):
    steps = "  - split: {a: {}, b: {}}\n    best_by: goal\n"
    log = [event("list_joined", 0, list="staff"), event("seen", 1)]
    small = topology(tmp_path, f"{HEAD}steps:\n{steps}", BASE + "test_list: staff\n")
    _, decisions, _, driver = run(log, 1, topology=small)
    (split,) = [d for d in decisions if d.kind == "split"]
    assert split.detail == {"dealt": "test"}
    assert driver.partitions[0].shared.splits == {}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("locale: de, template", "locale: d, template", "bad-name"),
        ("{from: 12-20,", "{from: 13-20,", "bad-day"),
        ("template: hello-de}", "template: hello-alps}", "duplicate-name"),
        ("    blocks:", "    values: {blocks: \"'x'\"}\n    blocks:", "bad-name"),
    ],
)
def test_mistakes(tmp_path, old, new, rule):
    assert old in VARIANTS
    with pytest.raises(LanguageError) as found:
        play(tmp_path, VARIANTS.replace(old, new, 1), [])
    assert [problem.rule for problem in found.value.problems] == [rule]


def test_a_locale_needs_its_attribute(tmp_path):
    with pytest.raises(LanguageError) as found:
        play(tmp_path, VARIANTS, [], BASE.replace("locale: string, ", ""))
    assert {problem.rule for problem in found.value.problems} == {"unknown-attribute"}
