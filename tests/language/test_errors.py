"""Every kind of mistake is reported at its line and column, with what is wrong and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from processor.language import LanguageError, load_topology

TOP = "program: a\nentry: {on: cart_abandoned}\n"
STEPS = "steps:\n  - wait: 1d\n"
MISTAKES = Path(__file__).parent / "mistakes"


def cases(name: str) -> dict[str, tuple[str, list[str]]]:
    """The mistakes of a file: === name, what is written, ---> and the report.

    A report that is cut short after its rule comes from another package, which is free to say it better.
    """
    found = {}
    for block in (MISTAKES / name).read_text(encoding="utf-8").split("=== ")[1:]:
        title, _, rest = block.partition("\n")
        text, _, report = rest.partition("--->\n")
        found[title] = (text, report.strip().splitlines())
    assert len(found) > 20
    return found


PROGRAMS = cases("programs.txt")
TOPOLOGIES = cases("topologies.txt")


def holds(found: list[str], expected: list[str]) -> None:
    assert len(found) == len(expected), found
    for report, beginning in zip(found, expected, strict=True):
        rule = beginning.split(" error ")[1]
        exact = ":" in rule
        assert report == beginning if exact else report.startswith(f"{beginning}: "), report
        assert " - " in report, "says what to write instead"


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_mistake_in_a_program(shop, case):
    text, expected = PROGRAMS[case]
    holds(shop.problems(a=text), expected)


@pytest.mark.parametrize("case", TOPOLOGIES)
def test_a_mistake_in_the_topology(shop, case):
    change, expected = TOPOLOGIES[case]
    old, new = (part.strip("\n") for part in change.split("===>"))
    assert old in shop.text
    holds(shop.problems(shop.text.replace(old, new, 1), a=TOP + STEPS), expected)


def test_the_unchanged_shop_is_without_fault(shop):
    assert shop.load(a=TOP + STEPS).warnings == ()


def test_all_problems_of_all_files_come_together_and_sorted(shop):
    bad = TOP + "priority: high\nsteps:\n  - send: emial\n    template: x\n  - wait: soon\n"
    found = shop.problems(shop.text.replace("holdout: 5", "holdout: much"), a=bad, b=bad)
    places = [report.split(" ")[0] for report in found]
    assert places == [
        "programs/a.yaml:3:11",
        "programs/a.yaml:5:11",
        "programs/a.yaml:7:11",
        "programs/b.yaml:1:10",
        "programs/b.yaml:3:11",
        "programs/b.yaml:5:11",
        "programs/b.yaml:7:11",
        "topology.yaml:51:12",
    ]


def test_a_broken_step_does_not_hide_what_is_wrong_inside_it(shop):
    text = """\
  - wait_for: email_clicked
    timeout: soon
    else:
      - decide:
          - if: event.nothing > 1
            steps: [{add_to: nowhere}]
"""
    found = shop.problems(a=TOP + "steps:\n" + text)
    assert [report.split(": ")[0] for report in found] == [
        "programs/a.yaml:5:14 error bad-duration",
        "programs/a.yaml:8:17 error bad-expression",
        "programs/a.yaml:9:30 error unknown-list",
    ]


def test_a_whole_section_that_cannot_be_read_is_one_problem(shop):
    found = shop.problems(shop.text.replace("lists: [newsletter, vip]", "lists: newsletter"), a=TOP + STEPS)
    assert found == [
        (
            'topology.yaml:26:8 error wrong-type: lists must be a list, not "newsletter" - '
            'write each item on a line that starts with "- "'
        )
    ]


def test_a_folder_without_topology(tmp_path):
    with pytest.raises(LanguageError) as caught:
        load_topology(tmp_path)
    assert str(caught.value) == (
        "topology.yaml:1:1 error missing-file: there is no topology.yaml in this folder - "
        "write one that begins with topology: and a name"
    )


def test_a_file_that_is_not_utf8(shop):
    folder = shop.write(a=TOP + STEPS)
    (folder / "programs" / "a.yaml").write_bytes(b"program: a\ndescription: caf\xe9\n")
    with pytest.raises(LanguageError) as caught:
        load_topology(folder)
    assert str(caught.value).startswith("programs/a.yaml:2:17 error not-utf8: ")


def test_a_section_in_two_places(shop):
    folder = shop.write(a=TOP + STEPS)
    (folder / "lists.yaml").write_text("[newsletter]\n")
    with pytest.raises(LanguageError) as caught:
        load_topology(folder)
    assert str(caught.value) == (
        'topology.yaml:26:8 error duplicate-section: "lists" is also in lists.yaml - write it in one place'
    )


def test_files_that_are_not_read_are_warned_of(shop):
    folder = shop.write(a=TOP + STEPS)
    (folder / "programs" / "b.yml").write_text("program: b\n")
    (folder / "segment.yaml").write_text("{}\n")
    first, second = map(str, load_topology(folder).warnings)
    assert first == (
        "programs/b.yml:1:1 warning unused-file: files that end in .yml are not read - rename it to b.yaml"
    )
    assert second == (
        'segment.yaml:1:1 warning unused-file: "segment.yaml" is not the name of a section - write "segments"'
    )
