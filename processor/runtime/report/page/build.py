"""A report as one HTML page that needs nothing else: no network, no script, one file to send to somebody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from processor import __version__
from processor.runtime.report.findings import findings
from processor.runtime.report.model import Report
from processor.runtime.report.page.method import METHOD
from processor.runtime.report.page.parts import framed, largest, legend, numbers, section, table
from processor.runtime.report.page.plots import Series, bars
from processor.runtime.report.page.programs import overview, program_sections
from processor.runtime.report.page.style import GRADES, style
from processor.runtime.report.page.svg import esc, tag, to_here
from processor.runtime.report.words import NOTHING, axis_labels, count, meaning, money, percent, span, stretch

__all__ = ["page"]


def page(report: Report) -> str:
    """Return the page as text (UTF-8)."""
    zone = ZoneInfo(report.timezone)
    when = span(report.from_ms or report.first_ms, report.last_ms, zone)
    about = f"{when}, times of {report.timezone}" if report.decisions else "Nothing was decided yet."
    title = f"{report.topology}: what its programs did"
    body = [
        tag("a", "To the programs", href="#programs", class_="skip"),
        tag(
            "header",
            tag("div", tag("h1", esc(title)), tag("p", esc(about))),
        ),
        tag(
            "main",
            _tiles(report),
            _findings(report),
            overview(report),
            _sends(report, zone),
            _grades(report, zone),
            _money(report),
            tag("section", tag("h2", "Program by program"), *program_sections(report), id="each")
            if report.programs
            else "",
            _method(),
        ),
        tag("footer", tag("p", esc(_origin(report)))),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="generator" content="trayecto {esc(__version__)}">'
        f"{tag('title', esc(title))}<style>{style()}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _tiles(report: Report) -> str:
    sends = sum(row.commands for row in report.programs)
    goals = sum(row.goals for row in report.programs)
    with_goal = sum(row.entered for row in report.programs if row.rate is not None)
    tiles = [
        ("contacts", count(report.contacts)),
        ("enrollments", count(report.enrollments)),
        ("sends", count(sends)),
    ]
    if with_goal:
        tiles.append((f"goals, {percent(goals / with_goal)} of those entered", count(goals)))
    if report.money:
        cost, value = sum(row.cost for row in report.money), sum(row.value for row in report.money)
        if value:
            tiles.append(("value of the goals", money(value, report.currency)))
        if cost:
            tiles.append(("cost of the sends", money(cost, report.currency)))
    made = [
        tag("div", tag("b", _large(value)), tag("span", esc(what)), class_="tile") for what, value in tiles
    ]
    return tag("div", *made, class_="tiles")


def _large(value: str) -> str:
    """A figure, its currency smaller behind it."""
    figure, _, unit = value.partition(" ")
    return esc(figure) + (f" {tag('small', esc(unit))}" if unit else "")


def _findings(report: Report) -> str:
    found = findings(report)
    if not found:
        return ""
    items = []
    for one in found:
        title = tag("a", esc(one.title), href=f"#{to_here(one.program)}") if one.program else esc(one.title)
        items.append(
            tag(
                "li",
                tag("h4", title, style="margin:0"),
                tag("p", esc(one.text)),
                class_=f"finding {one.tone}",
            )
        )
    return section("findings", "What stands out", "", tag("ul", *items, class_="findings"))


# -------------------------------------------------------------------------------------------------- over time


def _over_time(
    report: Report, zone: ZoneInfo, what: str
) -> tuple[list[str], list[tuple[str, Sequence[int]]]]:
    """The stretches of time, and for each name its counts in them."""
    found: dict[str, list[int]] = {}
    labels: dict[int, str] = {}
    for row in report.activity:
        if row.what == what:
            found.setdefault(row.name, []).append(row.count)
            labels.setdefault(row.at_ms, stretch(row.at_ms, report.bin, zone))
    return list(labels.values()), list(found.items())


def _stacked(
    report: Report, name: str, title: str, labels: list[str], series: Sequence[Series], gap: float = 0.18
) -> str:
    below = axis_labels(labels, report.bin)
    about = "In all: " + ", ".join(f"{one.name} {count(sum(one.values))}" for one in series)
    body = [[esc(label), *(count(one.values[place]) for one in series)] for place, label in enumerate(labels)]
    return framed(
        title,
        legend([(one.name, one.colour) for one in series]),
        bars(name, title, about, list(zip(labels, below, strict=True)), series, gap),
        numbers(["", *(one.name for one in series)], body, range(1, len(series) + 1)),
    )


def _sends(report: Report, zone: ZoneInfo) -> str:
    made = []
    labels, sent = _over_time(report, zone, "sent")
    if sent:
        made.append(_stacked(report, "sent", f"Sends by channel, by the {report.bin}", labels, largest(sent)))
    labels, held = _over_time(report, zone, "suppressed")
    if held:
        title = f"Sends not made, by the {report.bin}"
        made.append(
            _stacked(
                report, "suppressed", title, labels, largest([(_rule(name), values) for name, values in held])
            )
        )
        made.append(_reasons(report))
    if not made:
        made.append(tag("p", "Nothing was sent, and nothing held back.", class_="empty"))
    about = "Every send that a policy did not let out is on the record, with the rule that decided."
    return section("sends", "Sends", about, *(tag("div", one, class_="card") for one in made))


def _rule(reason: str) -> str:
    """A rule's name as people write it."""
    return reason.replace("_", " ").replace(":", " ")


def _reasons(report: Report) -> str:
    by_reason: dict[str, dict[str, int]] = {}
    for row in report.suppressed:
        programs = by_reason.setdefault(row.reason, {})
        programs[row.program] = programs.get(row.program, 0) + row.sends
    rows = []
    for reason, programs in sorted(by_reason.items(), key=lambda item: -sum(item[1].values())):
        most = sorted(programs.items(), key=lambda item: -item[1])
        named = ", ".join(f"{esc(name)} {count(sends)}" for name, sends in most[:3])
        more = f" and {len(most) - 3} more" if len(most) > 3 else ""  # noqa: PLR2004 - as above
        rows.append([esc(meaning("suppressed", reason)), count(sum(programs.values())), named + more])
    return table(["because", "sends", "most of them in"], rows, right=(1,), caption="Why sends were not made")


def _grades(report: Report, zone: ZoneInfo) -> str:
    made = []
    scores = dict.fromkeys(row.score for row in report.grades)
    for number, score in enumerate(scores):
        rows = [row for row in report.grades if row.score == score]
        grades = list(dict.fromkeys(row.grade for row in rows))
        labels = [stretch(at_ms, report.bin, zone) for at_ms in dict.fromkeys(row.at_ms for row in rows)]
        series = [
            Series(
                grade or "no grade",
                f"g{_ramp(place, len(grades))}",
                [max(0, row.contacts) for row in rows if row.grade == grade],
            )
            for place, grade in enumerate(grades)
        ]
        title = f"{score}: contacts by grade at the end of each {report.bin}"
        made.append(
            tag("div", _stacked(report, f"grades-{number}", title, labels, series, 0.0), class_="card")
        )
    if not made:
        return ""
    return section("grades", "Grades", "A contact who was never scored has the lowest grade.", *made)


def _ramp(place: int, size: int) -> int:
    """The colour of the grade at a place: the lowest has the first, the highest the last."""
    return round(place * (GRADES - 1) / max(1, size - 1))


# --------------------------------------------------------------------------------------- money, and the rest


def _money(report: Report) -> str:
    if not report.money:
        return ""
    currency = report.currency
    rows = []
    for row in sorted(report.money, key=lambda row: (-row.value, -row.cost)):
        valued = row.verdict != "no_value"
        between = (
            f"{money(row.extra_value_low)} to {money(row.extra_value_high)}"
            if row.extra_value is not None
            else NOTHING
        )
        rows.append(
            [
                tag("a", esc(row.program), href=f"#{to_here(row.program)}"),
                count(row.commands),
                money(row.cost),
                money(row.value) if valued else NOTHING,
                money(row.value_each) if valued else NOTHING,
                money(row.held_out_value_each),
                money(row.extra_value),
                between,
            ]
        )
    head = ["program", "sends", "cost", "value", "each", "each held out", "extra value", "95% interval"]
    title = f"Cost and return, in {currency}" if currency else "Cost and return"
    about = (
        "Extra value is what those treated were worth beyond those held out; the rest would have come anyway."
    )
    return section("money", title, about, tag("div", table(head, rows, right=range(1, 8)), class_="card"))


def _method() -> str:
    items: Iterable[str] = (tag("dt", esc(name)) + tag("dd", esc(text)) for name, text in METHOD.items())
    return section(
        "method", "How this was reckoned", "", tag("div", tag("dl", *items, class_="method"), class_="card")
    )


def _origin(report: Report) -> str:
    told = [f"From {count(report.decisions)} decisions"]
    if report.began_before:
        told.append(f"{count(report.began_before)} enrollments began before and are not counted")
    if report.unreadable:
        told.append(f"{count(report.unreadable)} records could not be read")
    return f"{'; '.join(told)}. Made by trayecto {__version__}."
