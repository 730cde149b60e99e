"""The page: whole, alone, to be read without seeing it, and without breaking on anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from processor.core.outputs import Decision
from processor.runtime.report.findings import findings
from processor.runtime.report.page import page
from processor.runtime.report.page.plots import Line, Range, Series, bars, curves, intervals
from processor.runtime.report.page.style import style
from processor.runtime.report.page.svg import ticks
from tests.runtime.report.made import PROGRAM, TOP, day, of, report_of, topology, year

VOID = {"meta", "br", "img", "link"}


class Parsed(HTMLParser):
    """What is on a page. Raises AssertionError where elements are not closed as they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.parents: list[tuple[str, ...]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        self.parents.append(tuple(self.open))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, Any]]:
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    made = topology(tmp_path_factory.mktemp("made"), ["one", "two", "idle"])
    return report_of(made, year(["one", "two"], 2_500, days=120))


@pytest.fixture(scope="module")
def parsed(report):
    return Parsed(page(report))


def sound(found: Parsed) -> None:
    """What holds for any page."""
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    for attrs in found.all("a"):
        assert attrs["href"].startswith("#")
        assert attrs["href"][1:] in ids
    for _, attrs in found.elements:
        assert not {"src", "onclick", "onload"} & set(attrs)
        assert "url(" not in (attrs.get("style") or "")
    assert not found.all("script")
    assert not found.all("link")
    for attrs in found.all("svg", role="img"):
        assert all(name in ids for name in attrs["aria-labelledby"].split())
    hidden = [attrs for attrs in found.all("svg") if attrs.get("role") != "img"]
    assert all(attrs.get("aria-hidden") == "true" for attrs in hidden)
    for name in ("x", "y", "x1", "x2", "y1", "y2", "width", "height", "cx", "cy", "d"):
        for tag, attrs in found.elements:
            if name in attrs and tag != "meta":
                assert not re.search(r"nan|inf|e[+-]?\d", attrs[name]), (tag, attrs)
    for attrs in found.all("rect"):
        assert float(attrs["width"]) > 0
        assert float(attrs["height"]) >= 0


def test_it_is_whole_and_needs_nothing_else(report, parsed):
    text = page(report)
    assert text.startswith("<!doctype html>")
    sound(parsed)
    assert parsed.all("html", lang="en")
    policy = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in text.replace("http-equiv", "")
    assert "@import" not in style()
    assert "url(" not in style()


def test_each_plot_has_its_words_and_its_numbers(parsed):
    plots = parsed.all("svg", role="img")
    assert (
        len(plots) == 1 + 2 + 1 + 2 * 2
    )  # lifts; sends, not sent; grades; curve and variants of two programs
    # Behind each is a table: folded away, or right below it (variants).
    assert len(parsed.all("details", **{"class": "data"})) == len(plots) - 2
    titles = [
        place
        for place, (tag, _) in enumerate(parsed.elements)
        if tag == "title" and "svg" in parsed.parents[place]
    ]
    assert len(titles) > len(plots)  # parts of plots have titles too, which browsers show as hints
    for tag, attrs in parsed.elements:
        if tag == "th":
            assert attrs["scope"] == "col"
    heads = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch(r"h[1-4]", tag)]
    assert heads[0] == 1
    assert heads.count(1) == 1


def test_what_it_says_is_what_the_report_holds(report, parsed):
    for row in report.programs:
        assert row.program in parsed.words
        if row.entered:
            assert f"{row.entered:,} entered" in parsed.words
            assert f"{100 * (row.rate or 0):.1f}%" in parsed.words
    for one in findings(report):
        assert one.title in parsed.words
        assert " ".join(one.text.split()) in parsed.words
    assert "Nobody came into idle ." in parsed.words


def test_findings_say_how_large_and_how_sure(report):
    said = {one.title: one for one in findings(report)}
    lift = next(row for row in report.holdouts if row.program == "one")
    assert lift.verdict == "better"
    works = said["one works"]
    assert works.tone == "good"
    assert f"{100 * lift.lift:+.1f} points" in works.text
    assert f"between {100 * lift.lift_low:+.1f} and {100 * lift.lift_high:+.1f}" in works.text


def test_names_from_outside_stay_text(tmp_path):
    evil = "<script>alert(1)</script>&\"'"
    made = topology(tmp_path, ["one"], TOP.replace("topology: made", "topology: made"))
    log = [
        *of(
            "ana",
            evil,
            (0, "entered"),
            (1, "commanded", evil, "", {"channel": evil}),
            (2, "goal", "", "bought"),
        ),
        *of(
            "bo",
            evil,
            (0, "entered"),
            (0, "split", evil, evil),
            (1, "suppressed", evil, f"cap:{evil}", {"channel": evil}),
        ),
        *of("cem", evil, (0, "entered"), (1, "exited", evil, evil), (1, "not_entered", evil, evil)),
        *of("dua", evil, (0, "holdout", "", "program")),
        Decision("graded", "eve", day(1), "", 0, "", "", "", {"score": evil, "from": "", "to": evil}),
    ]
    text = page(report_of(made, log))
    assert "<script" not in text
    found = Parsed(text)
    sound(found)
    assert evil in found.words


@pytest.mark.parametrize("days", [0.01, 1.5, 40, 365, 4000])
def test_any_length_of_time(tmp_path, days):
    made = topology(tmp_path, ["one"])
    sound(Parsed(page(report_of(made, year(["one"], 40, days=days)))))


def test_nothing_at_all(tmp_path):
    for number, names in enumerate(([], ["one"])):
        made = topology(tmp_path / str(number), names)
        found = Parsed(page(report_of(made, [])))
        sound(found)
        assert "Nothing was decided yet." in found.words
        assert not found.all("svg")


@pytest.mark.parametrize(
    "cut", ["goal: {on: bought, within: 14d, value: event.value}\n", "holdout: 10\n", ", value: event.value"]
)
def test_programs_that_lack_something(tmp_path, cut):
    made = topology(tmp_path, {"one": PROGRAM.replace(cut, "")})
    log = [one for one in year(["one"], 150) if "goal" not in cut or one.kind not in {"goal", "observed_out"}]
    found = Parsed(page(report_of(made, log)))
    sound(found)
    assert ("It has no goal" in found.words) == cut.startswith("goal")


def test_fifty_programs(tmp_path):
    names = [f"program-{number}" for number in range(50)]
    made = topology(tmp_path, names)
    report = report_of(made, year(names, 6_000))
    text = page(report)
    sound(Parsed(text))
    assert len(text) < 3_000_000
    assert len(findings(report)) <= 20


def test_one_contact_and_one_goal(tmp_path):
    made = topology(tmp_path, ["one"])
    log = of("ana", "one", (0, "entered"), (0, "goal", "", "bought", {"value": 3}))
    sound(Parsed(page(report_of(made, log))))


def test_a_variant_has_a_row_however_it_is_called(tmp_path):
    made = topology(tmp_path, ["one"])
    long = "a-variant-with-a-name-that-goes-on-and-on-and-does-not-fit-beside-any-plot-at-all"
    log = [
        *of(
            "ana",
            "one",
            (0, "entered"),
            (1, "split", "split-plain-bold-text", long),
            (2, "goal", "", "bought"),
        )
    ]
    assert long in Parsed(page(report_of(made, log))).words


# ---------------------------------------------------------------------------------------------- parts


def test_bars_are_as_high_as_their_values():
    drawn = bars(
        "b",
        "t",
        "a",
        [("mon", "mon"), ("tue", "")],
        [Series("x", "c1", [4, 2]), Series("y", "c2", [4, 0])],
        0.2,
    )
    heights = [float(value) for value in re.findall(r'height="([\d.]+)"', drawn)]
    assert heights[0] == pytest.approx(heights[1])
    assert heights[2] == pytest.approx(heights[0] / 2, abs=0.02)
    assert "mon: x 4, y 4" in drawn


def test_a_curve_goes_in_steps_and_ends_where_it_says():
    drawn = curves("c", "t", "a", [Line("x", "c1", [(0, 0, 0, 0), (10, 0.5, 0.4, 0.6), (20, 0.5, 0.4, 0.6)])])
    path = re.findall(r'<path d="M([^"]+)" class="line c1"', drawn)[0]
    places = [tuple(map(float, place.split(","))) for place in path.split("L")]
    assert places[0][1] == places[1][1] > places[2][1] == places[3][1]
    assert places[1][0] == places[2][0]
    assert ">50.0%<" in drawn


def test_intervals_stand_on_one_scale():
    rows = [Range("a", 1.0, 0.0, 2.0, "good", "one"), Range("b", -1.0, -2.0, 0.0, "bad", "two")]
    drawn = intervals("i", "t", "a", rows, str)
    lines = [
        tuple(map(float, found)) for found in re.findall(r'x1="([\d.]+)" x2="([\d.]+)"[^>]*whisker', drawn)
    ]
    assert lines[0][0] == pytest.approx(lines[1][1])
    assert lines[0][1] - lines[0][0] == pytest.approx(lines[1][1] - lines[1][0], abs=0.02)


@pytest.mark.parametrize(
    ("low", "high", "most", "marks"),
    [(0, 10, 5, [0, 2, 4, 6, 8, 10]), (0, 1, 4, [0, 0.5, 1]), (-3, 7, 5, [-2, 0, 2, 4, 6]), (5, 5, 3, [5])],
)
def test_marks_of_axes_are_round(low, high, most, marks):
    assert ticks(low, high, most) == pytest.approx(marks)


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]+)", block))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("number", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_from_their_ground(number):
    blocks = re.findall(r":root \{(.*?)\}", style(), re.DOTALL)
    found = colours(blocks[number])
    for name in ("c1", "c2", "c3", "c4", "c5", "c6", "good", "bad", "unsure"):
        assert contrast(found[name], found["card"]) >= 3, name  # WCAG 2.2, 1.4.11: of drawings
    for name in ("ink", "soft", "accent", "good", "bad"):
        assert contrast(found[name], found["card"]) >= 4.5, name  # 1.4.3: of text
    for name in ("good", "bad", "unsure", "neutral"):
        assert contrast(found[name], found[f"{name}-bg"]) >= 4.5, name
    assert colours(blocks[2]) | {"page": ""} == colours(blocks[0]) | {"page": ""}  # paper is light
