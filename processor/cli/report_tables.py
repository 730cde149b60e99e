"""A report as tables of a terminal, 80 columns wide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from processor.runtime.report.words import (
    NOTHING,
    VERDICTS,
    duration,
    interval_points,
    meaning,
    money,
    percent,
    points,
    span,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from processor.runtime.report.model import HoldoutRow, Report, VariantRow

__all__ = ["report_tables"]

_STYLES: Final = {"better": "green", "worse": "red"}
_SHORT: Final = {"base": "base", "no_difference": "unclear", "too_small": "too few"}
_BARS: Final = "▁▂▃▄▅▆▇█"
_SPARK_MAX: Final = 24
_P_LEAST: Final = 0.001


def report_tables(report: Report, *, steps: bool) -> Iterator[RenderableType]:
    """Yield the parts of a report, without those that would be empty; ``steps``: step by step, too."""
    yield _heading(report)
    if report.programs:
        yield _programs(report)
    if steps:
        yield from _funnels(report)
    if report.holdouts:
        yield _holdouts(report)
    yield from _variants(report)
    if report.money:
        yield _money(report)
    if report.suppressed:
        yield _suppressed(report)
    if report.not_entered:
        yield _not_entered(report)
    if report.grades:
        yield _grades(report)
    yield from _findings(report)
    if not steps and report.enrollments:
        yield _dim("\nStep by step: --program NAME. With plots, to show: --html report.html.")


def _dim(text: str) -> Text:
    from rich.text import Text

    return Text(text, style="dim")


def _heading(report: Report) -> Text:
    from rich.text import Text

    if not report.decisions:
        return Text("Nothing was decided in this time.\n")
    zone = ZoneInfo(report.timezone)
    when = span(report.from_ms or report.first_ms, report.last_ms, zone)
    made = Text.assemble(
        (report.topology, "bold"),
        f", {when}\n",
        (f"{report.contacts:,} contacts", "bold"),
        ", ",
        (f"{report.enrollments:,} enrollments", "bold"),
        f", {report.decisions:,} decisions",
    )
    if report.began_before:
        made.append(f"\n{report.began_before:,} enrollments began before and are not counted", style="dim")
    made.append("\n")
    return made


def _programs(report: Report) -> RenderableType:
    from processor.cli.output import table

    rows = [
        (
            row.program,
            row.entered,
            row.holdout or NOTHING,
            row.goals if row.rate is not None else NOTHING,
            percent(row.rate),
            _range(row.rate_low, row.rate_high),
            duration(row.median_s).replace("\N{NO-BREAK SPACE}", " "),
        )
        for row in report.programs
    ]
    columns = ["program", "entered", "held out", "goals", "rate", "95%", "half in"]
    return table("Programs", columns, rows, right=range(1, 7), whole=range(7))


def _range(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}"


def _funnels(report: Report) -> Iterator[RenderableType]:
    from processor.cli.output import table

    for program in report.programs:
        rows = [
            (
                step.step,
                step.reached,
                percent(step.share),
                "█" * round(16 * min(1.0, step.share)),
                step.sent or NOTHING,
                step.suppressed or NOTHING,
                step.held or NOTHING,
            )
            for step in report.steps
            if step.program == program.program
        ]
        if program.entered:
            columns = ["step", "reached", "share", "", "sent", "not sent", "held"]
            yield table(
                f"{program.program}, step by step", columns, rows, right=(1, 2, 4, 5, 6), whole=range(1, 7)
            )


def _verdict(verdict: str) -> Text:
    from rich.text import Text

    return Text(_SHORT.get(verdict, VERDICTS[verdict]), style=_STYLES.get(verdict, "dim"))


def _holdouts(report: Report) -> RenderableType:
    from processor.cli.output import table

    rows = [(row.program, *_lift(row), _verdict(row.verdict)) for row in report.holdouts]
    columns = ["program", "treated", "held out", "lift", "95%", ""]
    title = "Goals against those held out (*: of all programs)"
    return table(title, columns, rows, right=(1, 2, 3, 4), whole=(1, 2, 3, 4, 5))


def _lift(row: HoldoutRow) -> Sequence[str]:
    mark = "*" if row.holdout == "global" else ""
    return (
        percent(row.treated_rate),
        f"{mark}{percent(row.held_out_rate)}",
        points(row.lift),
        interval_points(row.lift_low, row.lift_high),
    )


def _variants(report: Report) -> Iterator[RenderableType]:
    from processor.cli.output import table

    for (program, split), rows in groupby(report.variants, key=lambda row: (row.program, row.split)):
        shown = list(rows)
        if any(row.enrollments for row in shown):
            columns = ["variant", "got it", "rate", "difference", "95%", "p", ""]
            title = f"{program}, variants of {split}"
            cells = [_variant(row) for row in shown]
            right, whole = range(1, 7), range(1, 8)
            if any(row.share is not None for row in shown):
                title += ", those dealt evenly"
                columns[1:1] = ["share now", "by share"]
                cells = [
                    (one[0], percent(row.share or 0.0), row.chosen, *one[1:])
                    for one, row in zip(cells, shown, strict=True)
                ]
                right, whole = range(1, 9), range(1, 10)
            yield table(title, columns, cells, right=right, whole=whole)


def _variant(row: VariantRow) -> Sequence[object]:
    p = row.p_adjusted
    return (
        row.variant,
        row.enrollments,
        percent(row.rate) if row.verdict and row.enrollments else NOTHING,
        points(row.difference),
        interval_points(row.difference_low, row.difference_high),
        NOTHING if p is None else f"<{_P_LEAST}" if p < _P_LEAST else f"{p:.3f}",
        _verdict(row.verdict),
    )


def _money(report: Report) -> RenderableType:
    from processor.cli.output import table

    rows = [
        (
            row.program,
            row.commands,
            money(row.cost),
            money(row.value) if row.verdict != "no_value" else NOTHING,
            money(row.extra_value),
            f"{money(row.extra_value_low)} to {money(row.extra_value_high)}"
            if row.extra_value is not None
            else NOTHING,
        )
        for row in report.money
    ]
    currency = f", in {report.currency}" if report.currency else ""
    columns = ["program", "sends", "cost", "value", "extra", "95%"]
    return table(f"Cost and return{currency}", columns, rows, right=range(1, 6), whole=range(1, 6))


def _suppressed(report: Report) -> RenderableType:
    from processor.cli.output import table

    sends: Counter[str] = Counter()
    for row in report.suppressed:
        sends[row.reason] += row.sends
    rows = [(reason, n, meaning("suppressed", reason)) for reason, n in sends.most_common()]
    return table("Sends not made", ["rule", "sends", "because"], rows, right=(1,), whole=(1,))


def _not_entered(report: Report) -> RenderableType:
    from processor.cli.output import table

    rows = [(row.program, row.entries, meaning("not_entered", row.reason)) for row in report.not_entered]
    return table("Entries refused", ["program", "entries", "because"], rows, right=(1,), whole=(1,))


def _grades(report: Report) -> RenderableType:
    from processor.cli.output import table

    rows = []
    levels: dict[tuple[str, str], list[int]] = {}
    for row in report.grades:
        levels.setdefault((row.score, row.grade), []).append(row.contacts)
    before = ""
    for (score, grade), values in levels.items():
        rows.append((score if score != before else "", grade or "none", values[-1], _spark(values)))
        before = score
    return table("Contacts by grade", ["score", "grade", "now", f"by the {report.bin}"], rows, right=(2,))


def _spark(values: Sequence[int]) -> str:
    """A small curve of a level over time, at most _SPARK_MAX signs long."""
    size = min(len(values), _SPARK_MAX)
    picked = [values[(place + 1) * len(values) // size - 1] for place in range(size)]
    highest = max([*picked, 1])
    return "".join(_BARS[max(0, value) * (len(_BARS) - 1) // highest] for value in picked)


def _findings(report: Report) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    from processor.runtime.report.findings import findings

    found = findings(report)
    if found:
        yield Text("What stands out", style="bold")
    styles = {"good": "green", "bad": "red", "unsure": "dim"}
    for one in found:
        yield Padding(Text(one.title, style=styles.get(one.tone, "cyan")), (1, 0, 0, 2))
        yield Padding(Text(one.text), (0, 0, 0, 4))
