"""The sections about programs: all of them at a glance, and each one in full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from processor.runtime.report.findings import chosen_holdouts
from processor.runtime.report.model import HoldoutRow, MoneyRow, ProgramRow, Report, StepRow, VariantRow
from processor.runtime.report.page.parts import bar, chip, facts, framed, legend, numbers, section, table
from processor.runtime.report.page.plots import Line, Range, curves, intervals, mini_interval
from processor.runtime.report.page.svg import esc, tag, to_here
from processor.runtime.report.words import (
    NOTHING,
    count,
    duration,
    ending,
    interval_points,
    meaning,
    money,
    percent,
    points,
)

__all__ = ["overview", "program_sections"]

_TONES = {"better": "good", "worse": "bad"}
_P_LEAST = 0.001


def overview(report: Report) -> str:
    """A row for each program, and their lifts as a plot."""
    if not report.programs:
        return section("programs", "Programs", "", tag("p", "There are no programs.", class_="empty"))
    lifts = {row.program: row for row in chosen_holdouts(report)}
    most = max([row.rate_high or 0.0 for row in report.programs if row.entered] or [0.0]) or 1.0
    rows = [_overview_row(row, lifts.get(row.program), most) for row in report.programs]
    head = [
        "program",
        "entered",
        "held out",
        "sends",
        "goals",
        "rate",
        "",
        "median time",
        "against holdout",
        "",
    ]
    inside = [tag("div", table(head, rows, right=(1, 2, 3, 4, 5, 7, 8)), class_="card")]
    if lifts:
        inside.append(tag("div", _lift_plot(list(lifts.values())), class_="card"))
    about = "The rate is the share of those entered that has reached the goal so far, with its 95% interval."
    return section("programs", "Programs", about, *inside)


def _overview_row(row: ProgramRow, lift: HoldoutRow | None, most: float) -> list[str]:
    rate = NOTHING
    drawn = ""
    if row.rate is not None and row.rate_low is not None and row.rate_high is not None:
        rate = percent(row.rate)
        drawn = mini_interval(row.rate, row.rate_low, row.rate_high, most)
    return [
        tag("a", esc(row.program), href=f"#{to_here(row.program)}"),
        count(row.entered),
        count(row.holdout) if row.holdout else NOTHING,
        count(row.commands),
        count(row.goals) if row.goal else NOTHING,
        rate,
        drawn,
        duration(row.median_s),
        f"{points(lift.lift)} pt" if lift is not None else NOTHING,
        chip(lift.verdict) if lift is not None else "",
    ]


def _lift_plot(rows: Sequence[HoldoutRow]) -> str:
    ordered = sorted(rows, key=lambda row: (row.verdict == "too_small", -row.lift))
    ranges = [
        Range(
            row.program,
            100 * row.lift,
            100 * row.lift_low,
            100 * row.lift_high,
            _TONES.get(row.verdict, "unsure"),
            f"{points(row.lift)} ({interval_points(row.lift_low, row.lift_high)})",
            f"#{to_here(row.program)}",
        )
        for row in ordered
    ]
    title = "What programs bring: goals for each 100 enrollments, more than among those held out"
    about = "; ".join(f"{one.name} {one.said}" for one in ranges)
    drawn = intervals("lifts", title, about, ranges, lambda value: f"{value:+g}" if value else "0")
    note = (
        "Points are the estimates, lines their 95% intervals. Grey ones hold 0: what is seen may be chance."
    )
    return framed(title, drawn, tag("p", esc(note), class_="soft small"), _lift_numbers(ordered))


def _lift_numbers(rows: Iterable[HoldoutRow]) -> str:
    head = [
        "program",
        "held out of",
        "treated",
        "rate",
        "held out",
        "rate",
        "lift",
        "95% interval",
        "relative",
        "p",
        "",
    ]
    body = [
        [
            esc(row.program),
            "it" if row.holdout == "program" else "all programs",
            count(row.treated),
            percent(row.treated_rate),
            count(row.held_out),
            percent(row.held_out_rate),
            points(row.lift),
            interval_points(row.lift_low, row.lift_high),
            f"{100 * row.relative:+.0f}%" if row.relative is not None else NOTHING,
            _p(row.p),
            chip(row.verdict),
        ]
        for row in rows
    ]
    return numbers(head, body, range(2, 10))


def _p(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"&lt; {_P_LEAST}" if value < _P_LEAST else f"{value:.3f}"


def program_sections(report: Report) -> Iterable[str]:
    """Yield a section for each program in which anything happened."""
    refused = {row.program for row in report.not_entered}
    quiet = [
        row.program
        for row in report.programs
        if not (row.entered or row.holdout) and row.program not in refused
    ]
    for row in report.programs:
        if row.program not in quiet:
            yield _program(report, row)
    if quiet:
        names = ", ".join(tag("span", esc(name), id=to_here(name)) for name in quiet)
        yield tag("p", f"Nobody came into {names}.", class_="soft")


def _program(report: Report, row: ProgramRow) -> str:
    name = to_here(row.program)
    pairs = [("entered", count(row.entered))]
    if row.holdout:
        pairs.append(("held out", count(row.holdout)))
    pairs.append(("sends", count(row.commands)))
    if row.suppressed:
        pairs.append(("sends not made", count(row.suppressed)))
    if row.open:
        pairs.append(("still inside", count(row.open)))
    if row.rate is not None:
        low, high = percent(row.rate_low), percent(row.rate_high)
        pairs.append((f"({low} to {high}) reached the goal", percent(row.rate)))
    about = f"Goal: {row.goal}." if row.goal else "It has no goal, so there is no conversion to measure."
    parts = [
        tag("h3", esc(row.program)),
        tag(
            "p",
            esc(about),
            tag("span", esc(f" Version {row.versions}."), class_="soft") if row.versions else "",
            class_="soft",
        ),
        facts(pairs),
    ]
    plots = [_curve(report, row, name), _endings(report, row)]
    parts.append(tag("div", *(plot for plot in plots if plot), class_="two"))
    parts.append(_funnel([step for step in report.steps if step.program == row.program]))
    parts.extend(
        _splits([one for one in report.variants if one.program == row.program], name, report.currency)
    )
    parts.append(_bring([one for one in report.holdouts if one.program == row.program]))
    parts.append(_money([one for one in report.money if one.program == row.program], report.currency))
    return tag("section", *(part for part in parts if part), class_="card program", id=name)


def _curve(report: Report, row: ProgramRow, name: str) -> str:
    lines = []
    for arm, colour, called in (("treated", "c1", "treated"), ("holdout", "c2", "held out")):
        found = [
            (one.after_s, one.share, one.share_low, one.share_high)
            for one in report.curves
            if one.program == row.program and one.arm == arm
        ]
        if found:
            lines.append(Line(called, colour, found))
    if not lines or not row.goals:
        return ""
    title = "How soon the goal is reached"
    told = (
        f"Of those who get there a quarter takes {duration(row.quarter_s)}, half {duration(row.median_s)}, "
        f"three quarters {duration(row.three_quarters_s)}."
    )
    about = f"{told} In the end {percent(row.expected)} reach it."
    body = [
        [esc(line.name), duration(at), percent(share), f"{percent(low)} to {percent(high)}"]
        for line in lines
        for at, share, low, high in line.points
    ]
    head = ["", "after", "have reached it", "95% interval"]
    return framed(
        title,
        legend([(line.name, line.colour) for line in lines]),
        curves(f"{name}-curve", title, about, lines),
        tag("p", esc(told), class_="soft small"),
        numbers(head, body, (1, 2, 3)),
    )


def _endings(report: Report, row: ProgramRow) -> str:
    rows = []
    for one in report.endings:
        if one.program == row.program and one.arm == "treated":
            share = one.enrollments / row.entered
            rows.append(
                [esc(ending(one.ending, one.reason)), count(one.enrollments), percent(share), bar(share)]
            )
    refused = [
        [esc(meaning("not_entered", one.reason)), count(one.entries)]
        for one in report.not_entered
        if one.program == row.program
    ]
    made = []
    if rows:
        made.append(
            framed("How it went on", table(["", "enrollments", "share", ""], rows, right=(1, 2), wide=False))
        )
    if refused:
        made.append(framed("Entries refused", table(["because", "entries"], refused, right=(1,), wide=False)))
    return tag("div", *made, style="display:grid;gap:22px;align-content:start") if made else ""


def _funnel(steps: Sequence[StepRow]) -> str:
    if not any(step.reached for step in steps):
        return ""
    told = [
        ("sent", "sent"),
        ("suppressed", "not sent"),
        ("held", "held"),
        ("heard", "came"),
        ("timed_out", "timed out"),
    ]
    used = [(field, name) for field, name in told if any(getattr(step, field) for step in steps)]
    head = ["step", "", "reached", "share", *(name for _, name in used)]
    rows = [
        [
            esc(step.title) + (tag("div", esc(step.step), class_="kind") if step.step != step.title else ""),
            bar(min(1.0, step.share)),
            count(step.reached),
            percent(step.share),
            *(count(getattr(step, field)) if getattr(step, field) else NOTHING for field, _ in used),
        ]
        for step in steps
    ]
    made = table(head, rows, right=range(2, len(head)))
    return tag("div", tag("h4", "Step by step"), made, style="margin-top:22px")


def _splits(rows: Sequence[VariantRow], name: str, currency: str) -> Iterable[str]:
    for number, (split, group) in enumerate(groupby(rows, key=lambda row: row.split)):
        yield _split(split, list(group), f"{name}-s{number}", currency)


def _split(split: str, rows: Sequence[VariantRow], name: str, currency: str) -> str:
    title = f"Variants of {split}"
    judged = any(row.verdict for row in rows)
    worth = any(row.value for row in rows)
    moving = any(row.share is not None for row in rows)
    head = ["variant", "enrollments", "sends"]
    if moving:
        title += ", those dealt evenly"
        head = ["variant", "share now", "got it by share", "enrollments", "sends"]
    if judged:
        head += ["goals", "rate", "95% interval", "difference", "95% interval", "p"]
    if worth:
        head.append("value each")
    right = range(1, len(head))
    head += [""] if judged else []
    body = []
    for row in rows:
        cells = [esc(row.variant)]
        if moving:
            cells += [percent(row.share or 0.0), count(row.chosen)]
        cells += [count(row.enrollments), count(row.commands)]
        if judged:
            cells += _judged(row)
        if worth:
            cells.append(esc(money(row.value_each, currency)))
        body.append([*cells, chip(row.verdict)] if judged else cells)
    parts = [tag("h4", esc(title))]
    if judged and len(rows) > 1:
        ranges = [
            Range(
                row.variant,
                100 * row.rate,
                100 * row.rate_low,
                100 * row.rate_high,
                _TONES.get(row.verdict, "unsure"),
                f"{percent(row.rate)} of {count(row.enrollments)}",
            )
            for row in rows
            if row.enrollments
        ]
        about = "; ".join(f"{one.name} {one.said}" for one in ranges)
        parts.append(
            intervals(
                name, f"{title}: share that reaches the goal", about, ranges, lambda value: f"{value:g}%"
            )
        )
    parts.append(table(head, body, right=right))
    if len(rows) == 1:
        parts.append(tag("p", "There is one variant, so there is nothing to compare.", class_="soft small"))
    return tag("div", *parts, style="margin-top:22px")


def _judged(row: VariantRow) -> list[str]:
    low, high = percent(row.rate_low), percent(row.rate_high)
    return [
        count(row.goals),
        percent(row.rate) if row.enrollments else NOTHING,
        f"{low} to {high}" if row.enrollments else NOTHING,
        points(row.difference),
        interval_points(row.difference_low, row.difference_high),
        _p(row.p_adjusted),
    ]


def _bring(rows: Sequence[HoldoutRow]) -> str:
    if not rows:
        return ""
    return tag("div", tag("h4", "Against those held out"), _open_lifts(rows), style="margin-top:22px")


def _open_lifts(rows: Sequence[HoldoutRow]) -> str:
    head = [
        "held out of",
        "treated",
        "rate",
        "held out",
        "rate",
        "lift",
        "95% interval",
        "goals it brought",
        "",
    ]
    body = [
        [
            "this program" if row.holdout == "program" else "all programs",
            count(row.treated),
            percent(row.treated_rate),
            count(row.held_out),
            percent(row.held_out_rate),
            points(row.lift),
            interval_points(row.lift_low, row.lift_high),
            f"{row.extra_goals:,.0f} ({row.extra_goals_low:,.0f} to {row.extra_goals_high:,.0f})".replace(
                "-", "&minus;"
            ),
            chip(row.verdict),
        ]
        for row in rows
    ]
    return table(head, body, right=range(1, 8))


def _money(rows: Sequence[MoneyRow], currency: str) -> str:
    if not rows:
        return ""
    row = rows[0]
    pairs = [("all commands", money(row.cost, currency))]
    if row.verdict != "no_value":
        pairs.append((f"worth of {count(row.goals)} goals", money(row.value, currency)))
        pairs.append(("for each enrollment", money(row.value_each, currency)))
    if row.extra_value is not None:
        between = f"{money(row.extra_value_low)} to {money(row.extra_value_high)}"
        pairs.append((f"more than without it ({between})", money(row.extra_value, currency)))
    said = "" if row.verdict == "no_value" else chip(row.verdict)
    return tag("div", tag("h4", "Cost and return"), facts(pairs), said, style="margin-top:22px")
