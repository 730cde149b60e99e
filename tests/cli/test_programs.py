"""The commands for who writes programs: init, new, lint, test, graph, preview, schema."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET

import pytest

from processor.cli.declare import declare
from processor.cli.gallery import blueprint, blueprints
from processor.language import load_topology

WAITING = """\
program: welcome
entry:
  on: signed_up
steps:
  - id: ask
    wait_for: order_completed
    timeout: 12d 10h 16m 22s
"""


def test_a_new_topology_passes_its_own_checks(cli, shop):
    assert cli("lint", shop, "--strict").out == f"{shop}: 0 errors, 0 warnings\n"
    done = cli("test", shop)
    assert done.code == 0
    assert "4 passed" in done.out
    assert (shop / "topology.yaml").read_text(encoding="utf-8").count("topology: shop") == 1


def test_init_overwrites_nothing(cli, shop):
    (shop / "programs" / "welcome.yaml").write_text("mine", encoding="utf-8")
    done = cli("init", shop)
    assert done.code == 2
    assert (shop / "programs" / "welcome.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("folder", "name"), [("My Shop", "my-shop"), ("2026", "topology-2026")])
def test_a_topology_is_named_after_its_folder(cli, folder, name):
    assert cli("init", folder, "--output", "json").json["topology"] == name
    assert cli("lint", folder).code == 0


def test_a_bad_name_is_refused(cli):
    assert cli("init", "x", "--name", "Not Good").code == 2


def test_lint_says_no_with_place_and_fix(cli, shop):
    path = shop / "programs" / "welcome.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("on: signed_up", "on: singed_up"), encoding="utf-8"
    )
    done = cli("lint", shop)
    assert done.code == 1
    said = 'there is no event type "singed_up"; write "signed_up"'
    # Where nobody watches a finding is one line, and none is filled up with spaces.
    assert f"{path}:5:13 error unknown-event: {said}" in done.out.splitlines()
    found = cli("lint", shop, "--output", "json")
    assert (found.code, found.json["good"], found.json["errors"]) == (1, False, 1)
    assert found.json["problems"][0]["line"] == 5


def test_a_warning_is_no_error_unless_strict(cli, shop):
    (shop / "extra.yaml").write_text("x: 1\n", encoding="utf-8")
    assert cli("lint", shop).code == 0
    assert cli("lint", shop, "--strict").code == 1


def test_lint_reads_scenarios_too(cli, shop):
    (shop / "programs" / "welcome.test.yaml").write_text("scenario: x\nevnts: []\n", encoding="utf-8")
    done = cli("lint", shop)
    assert done.code == 1
    assert "evnts" in done.out


def test_lint_explains_a_rule(cli):
    done = cli("lint", "--explain", "wait-without-end")
    assert done.code == 0
    assert "wait-without-end" in done.out
    assert cli("lint", "--explain", "wait-without").code == 2


@pytest.mark.parametrize("command", ["lint", "test", "graph"])
def test_a_folder_that_is_not_there_is_wrong_usage(cli, command):
    done = cli(command, "nowhere")
    assert done.code == 2
    assert "nowhere is not there" in done.err


def test_a_failed_scenario_shows_both_sides_the_difference_and_the_path(cli, shop):
    path = shop / "programs" / "welcome.test.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            "10:00, email: welcome, values", "11:00, email: welcome, values"
        ),
        encoding="utf-8",
    )
    done = cli("test", shop)
    assert done.code == 1
    for text in (
        "✗ orders on the second day",
        "- 2026-03-02 11:00  email: welcome",
        "+ 2026-03-02 10:00  email: welcome",
        "times of Europe/London",
        "reached the goal",
        "3 passed, 1 failed",
    ):
        assert text in done.out, text
    found = cli("test", shop, "--output", "json")
    assert (found.code, found.json["good"]) == (1, False)
    assert [one["passed"] for one in found.json["scenarios"]] == [False, True, True, True]


def test_scenarios_are_chosen_by_program_and_name(cli, shop):
    assert "1 passed" in cli("test", shop, "--name", "NEVER").out
    assert cli("test", shop, "--program", "nothing").code == 2
    none = cli("test", shop, "--name", "nothing like it", "--program", "welcome")
    assert none.code == 1
    assert "fits none of the 4 scenarios of welcome" in none.err


def test_programs_are_drawn(cli, shop):
    assert cli("graph", shop).out.startswith("flowchart")  # the only program
    picture = cli("graph", shop, "--program", "welcome", "--format", "svg").out
    assert ET.fromstring(picture).tag.endswith("svg")
    cli("new", "abandoned-cart", "--topology", shop)
    assert cli("graph", shop).code == 2  # which one?
    assert cli("graph", shop, "--out", "drawings", "--format", "svg").code == 0


def test_a_preview_shows_times_waits_and_what_ends_them(cli, shop):
    done = cli(
        "preview", shop, "--program", "welcome", "--start", "2026-03-02 22:30", "--tz", "Europe/Madrid"
    )
    assert done.code == 0
    for text in ("times of Europe/Madrid", "2026-03-03 08:00", "+9h 30m", "quiet hours", "wait-3d  wait 3d"):
        assert text in done.out, text


def test_what_ends_a_wait_stays_on_its_line_and_spans_stay_short(cli, shop, monkeypatch):
    monkeypatch.setenv("COLUMNS", "44")
    path = shop / "programs" / "welcome.yaml"
    path.write_text(WAITING, encoding="utf-8")
    done = cli("preview", shop, "-p", "welcome", "--start", "2026-03-02 10:00")
    assert done.code == 0, done.err
    waits = done.out.split("What ends the waits\n")[1].splitlines()
    assert waits[0].startswith("  ask  wait for order_completed")
    assert waits[0].endswith("→ the end")
    assert "+12d 10h" in done.out
    assert "16m" not in done.out.split("What ends")[0]


def test_a_preview_follows_given_events_and_a_given_contact(cli, shop, tmp_path):
    (tmp_path / "ana.yaml").write_text(
        "tz: America/New_York\nconsent: []\nevents:\n  - {at: 2026-03-02 10:00, signed_up: {source: ad}}\n",
        encoding="utf-8",
    )
    found = cli("preview", shop, "-p", "welcome", "--contact", "ana.yaml", "--output", "json").json
    assert found["zone"] == "America/New_York"
    assert found["commands"] == []
    assert [one["at"] for one in found["path"] if one["kind"] == "entered"] == ["2026-03-02T15:00:00Z"]
    arguments = ("preview", shop, "-p", "welcome", "--start", "2026-03-02 10:00", "--output", "json")
    done = cli(*arguments, "--event", "signed_up", "--event", "+1d order_completed {value: 5}")
    assert [one["template"] for one in done.json["commands"]] == ["welcome"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say which program"),
        (("--program", "nothing"), "there is no program"),
        (("-p", "welcome", "--event", "+x signed_up"), "not a duration"),
        (("-p", "welcome", "--event", "sined_up"), 'there is no event type "sined_up": write "signed_up"'),
        (("-p", "welcome", "--event", "signed_up {source: 3}"), "cannot be taken"),
        (("-p", "welcome", "--variant", "side"), "names no variant"),
        (("-p", "welcome", "--variant", "side=a"), "no split"),
        (("-p", "welcome", "--start", "yesterday"), "not a time"),
        (("-p", "welcome", "--tz", "Atlantis"), "no time zone"),
        (("-p", "welcome", "--contact", "gone.yaml"), "no file"),
    ],
)
def test_a_wrong_preview_says_what_is_wrong(cli, shop, arguments, message):
    done = cli("preview", shop, *arguments)
    assert done.code == 2
    assert message in done.err


def test_schemas_are_listed_printed_and_written(cli, tmp_path):
    assert "program.schema.json" in cli("schema").out
    assert cli("schema", "program").json["$schema"].endswith("draft-07/schema#")
    assert cli("schema", "nothing").code == 2
    cli("schema", "--out", "made")
    assert json.loads((tmp_path / "made" / "scenario.schema.json").read_text(encoding="utf-8"))["title"]


@pytest.mark.parametrize("name", [one.name for one in blueprints()])
def test_every_program_of_the_gallery_fits_a_new_topology(cli, shop, name):
    done = cli("new", name, "copy", "--topology", shop, "--output", "json")
    if name.startswith("demo/"):
        # They lean on each other and on their topology's own segments; what is missing is at least said.
        assert done.code == 0 or done.json["problems"]
        return
    assert done.code == 0, done.out
    assert cli("lint", shop).code == 0
    tested = cli("test", shop, "--program", "copy")
    assert "passed" in tested.out


def test_a_copy_is_called_what_it_is_told_and_its_scenarios_still_pass(cli, shop):
    before = (shop / "topology.yaml").read_text(encoding="utf-8")
    options = ("--channel", "push=app", "--purpose", "marketing=news")
    assert cli("new", "welcome-series", "hello", "--topology", shop, *options).code == 0
    text = (shop / "programs" / "hello.yaml").read_text(encoding="utf-8")
    assert "program: hello" in text
    assert "purpose: news" in text
    assert "send: app" in text
    assert "welcome-series" not in text
    after = (shop / "topology.yaml").read_text(encoding="utf-8")
    comments = [line for line in before.splitlines() if line.startswith("#")]
    assert [line for line in after.splitlines() if line.startswith("#")] == comments
    assert cli("test", shop).code == 0


@pytest.mark.parametrize("name", [one.name for one in blueprints() if not one.name.startswith("demo/")])
def test_a_copy_under_another_name_still_passes_its_scenarios(cli, tmp_path, name):
    """Beside the blueprint's own policies, which are not copied."""
    found = blueprint(name)
    place = tmp_path / "copied"
    shutil.copytree(found.topology, place)
    shutil.rmtree(place / "programs")
    assert cli("new", name, "another", "--topology", place).code == 0
    assert cli("lint", place, "--strict").code == 0
    tested = cli("test", place)
    assert tested.code == 0, tested.out
    assert "passed" in tested.out


@pytest.mark.parametrize("name", [one.name for one in blueprints() if not one.name.startswith("demo/")])
def test_a_copy_with_other_channels_and_purposes_still_passes_its_scenarios(cli, tmp_path, name):
    found = blueprint(name)
    made = load_topology(found.topology).topology
    place = tmp_path / "copied"
    place.mkdir()
    path = place / "topology.yaml"
    head, _, rest = (found.topology / "topology.yaml").read_text(encoding="utf-8").partition("\nevents:")
    path.write_text(head + "\n", encoding="utf-8")
    options = [f"--channel={one}={one}-2" for one in made.channels]
    options += [f"--purpose={one}={one}-2" for one in made.purposes]
    done = cli("new", name, "copy", "--topology", place, *options)
    assert done.code == 0, done.err
    # Policies are not copied. Here they are, with the new names.
    _, begins, policies = rest.partition("\npolicies:")
    named = re.compile(r"(?<=(?:channels|purposes): \[)[^\]]+(?=\])")
    policies = named.sub(lambda match: re.sub(r"[a-z-]+", r"\g<0>-2", match[0]), policies)
    with path.open("a", encoding="utf-8") as file:
        file.write(begins + policies)
    tested = cli("test", place)
    assert tested.code == 0, tested.out
    nodes = load_topology(place).topology.programs["copy"].nodes.values()
    channels = {one for one in (getattr(node, "channel", "") for node in nodes) if one}
    assert [one for one in channels if not one.endswith("-2")] == []
    copied = (place / "programs" / "copy.yaml").read_text(encoding="utf-8")
    assert [one for one in (*made.channels, *made.purposes) if f'"{one}"' in copied] == []


def test_a_purpose_that_is_added_takes_none_away(cli, shop):
    """A topology without purposes has one, marketing, which its programs use."""
    path = shop / "topology.yaml"
    text = path.read_text(encoding="utf-8")
    without = text.replace("purposes:\n  marketing: {consent: required}\n", "")
    assert without != text
    path.write_text(without, encoding="utf-8")
    assert cli("lint", shop).code == 0
    assert cli("new", "sales-follow-up", "--topology", shop).code == 0
    assert set(load_topology(shop).topology.purposes) == {"marketing", "sales"}


def test_a_copy_takes_nobodys_place(cli, shop):
    before = (shop / "programs" / "welcome.yaml").read_text(encoding="utf-8")
    assert cli("new", "birthday", "welcome", "--topology", shop).code == 2
    assert (shop / "programs" / "welcome.yaml").read_text(encoding="utf-8") == before
    done = cli("new", "birthdy", "--topology", shop)
    assert done.code == 2
    assert 'write "birthday"' in done.err


def test_without_the_gallery_something_is_down(cli, monkeypatch):
    monkeypatch.setenv("TRAYECTO_GALLERY", "nowhere")
    assert cli("new").code == 3
    assert cli("demo").code == 3


def test_relations_are_declared_with_what_they_read(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    relation = "{on: bought, key: event.order, fields: {value: event.value}}"
    events = "events: {bought: {order: string, value: number}}\n"
    (source / "topology.yaml").write_text(f"topology: a\n{events}relations:\n  orders: {relation}\n")
    (target / "topology.yaml").write_text("topology: b\n")
    assert declare(source, target, {}, {}) == ["event bought", "relation orders"]
    topology = load_topology(target).topology
    assert [spec.name for spec in topology.reactions["bought"].relations] == ["orders"]
