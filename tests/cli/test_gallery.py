"""The blueprints of the gallery: fit to run as they are, tested, explained and listed."""

from __future__ import annotations

import re

import pytest

from processor.cli.gallery import Renames, blueprints, renamed_program, renamed_scenarios
from processor.cli.lint import findings
from processor.language import load_scenarios, load_topology
from processor.runtime.scenario import run_scenario
from tests.cli.gallery_files import INDEX, NAMES, PLACE, index, made

LINK = re.compile(r"\]\(([^)\s#]+)")


def test_there_are_blueprints_and_each_is_offered():
    assert len(NAMES) >= 5
    for name in NAMES:
        programs = {path.name.split(".")[0] for path in (PLACE / name / "programs").glob("*.yaml")}
        assert programs <= {one.name for one in blueprints()}


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_has_nothing_to_complain_about(name):
    assert findings(PLACE / name) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_shows_what_it_does_and_what_it_does_not(name):
    scenarios = load_scenarios(load_topology(PLACE / name))
    assert len(scenarios) >= 4
    assert all(one.expect is not None for one in scenarios)


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_does_what_its_scenarios_say(name):
    loaded = load_topology(PLACE / name)
    results = [run_scenario(loaded.topology, one) for one in load_scenarios(loaded)]
    assert [(one.scenario.name, one.differences) for one in results if one.differences] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_shows_each_way_out_of_its_programs(name):
    """Each reason that an exit or an exit step names, and the goal, ends the enrollment of some scenario."""
    loaded = load_topology(PLACE / name)
    shown = {
        (program, ending)
        for one in load_scenarios(loaded)
        for program, ending in (one.expect_ended or {}).items()
    }
    for program in loaded.topology.programs:
        text = (PLACE / name / "programs" / f"{program}.yaml").read_text(encoding="utf-8")
        ways = set(re.findall(r"(?:reason|exit): ([a-z][a-z-]*)", text))
        ways |= {"goal"} if "\ngoal:" in text else set()
        ways |= {"consent_withdrawn"} if "\n  - consent_withdrawn" in text else set()
        assert {way for way in ways if (program, way) not in shown} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_has_a_page_and_is_in_the_index(name):
    text = (PLACE / name / "README.md").read_text(encoding="utf-8")
    for program in load_topology(PLACE / name).topology.programs:
        assert f"trayecto new {program}" in text
        assert f"({program}.svg)" in text
    for part in ("What to change first", "What it measures", "When not to use it"):
        assert f"- **{part}.**" in text
    assert [link for link in LINK.findall(text) if not (PLACE / name / link).exists()] == []
    assert f"({name}/README.md)" in INDEX.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_made_from_a_blueprint_is_current(name):
    for path, text in made(name).items():
        assert path.read_text(encoding="utf-8") == text, "make it anew: python -m tests.cli.gallery_files"


def test_the_index_shows_all_of_them_drawn():
    text = INDEX.read_text(encoding="utf-8")
    assert text == index(text), "make it anew: python -m tests.cli.gallery_files"
    assert [name for name in NAMES if f'<img src="{name}/' not in text] == []


def test_every_offered_program_says_what_it_does():
    assert [one.name for one in blueprints() if len(one.about) < 20] == []


def test_channels_get_their_new_names_wherever_a_step_names_them():
    text = """\
program: old
steps:
  - {send: email, template: email, fallback: [sms, push]}
  - {send: email, template: a, fallback: {to: sms, within: 1h}}
  - {series: email, every: 1d, pieces: [email]}
  - {webhook: erp, values: {to: "'sms'"}}
"""
    channels = {"email": "mail", "sms": "texts", "erp": "books"}
    assert renamed_program(text, Renames(("old", "new"), channels, {}), "") == (
        text.replace("program: old", "program: new")
        .replace("send: email", "send: mail")
        .replace("series: email", "series: mail")
        .replace("webhook: erp", "webhook: books")
        .replace("[sms, push]", "[texts, push]")
        .replace("to: sms", "to: texts")
    )


SCENARIOS = """\
# a comment
scenario: both
expect:
  - {push: a, program: other}
---
scenario: alone
expect_ended: {old: goal}
---
scenario: how both end
expect_ended: {old: goal, other: completed}
"""


def test_scenarios_about_other_programs_come_along_where_those_are():
    alone = renamed_scenarios(SCENARIOS, Renames(("old", "new")), "")
    assert alone == "# a comment\nscenario: alone\nexpect_ended: {new: goal}\n"
    whole = renamed_scenarios(SCENARIOS, Renames(("old", "new")), "", {"other"})
    assert whole == SCENARIOS.replace("old:", "new:")
