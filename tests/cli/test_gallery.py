"""The blueprints of the gallery: fit to run as they are, tested, explained and listed."""

from __future__ import annotations

import pytest

from processor.cli.gallery import Renames, blueprints, folder, renamed_program
from processor.cli.lint import findings
from processor.language import load_scenarios, load_topology

PLACE = folder() / "blueprints"
NAMES = sorted(path.parent.name for path in PLACE.glob("*/topology.yaml"))


def test_there_are_blueprints_and_each_is_offered():
    assert len(NAMES) >= 5
    assert set(NAMES) <= {one.name for one in blueprints()}


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_has_nothing_to_complain_about(name):
    assert findings(PLACE / name) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_shows_what_it_does_and_what_it_does_not(name):
    scenarios = load_scenarios(load_topology(PLACE / name))
    assert len(scenarios) >= 4
    assert all(one.expect is not None for one in scenarios)


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_has_a_page_and_is_in_the_index(name):
    page = (PLACE / name / "README.md").read_text(encoding="utf-8")
    assert f"trayecto new {name}" in page
    assert f"({name}/README.md)" in (PLACE / "README.md").read_text(encoding="utf-8")


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
