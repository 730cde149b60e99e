"""A run's report as tables: what was done, for whom it was held back, and how far contacts came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from processor.core.time import format_time
from processor.core.turn import NEVER_MS
from processor.runtime.sentences import REASONS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from processor.runtime.summary import Funnel, RunReport

__all__ = [
    "commands_table",
    "funnels_table",
    "grades_table",
    "report_json",
    "report_tables",
    "suppressed_table",
]


def report_tables(report: RunReport) -> Iterator[RenderableType]:
    """Yield the tables of a report, without those that would be empty."""
    if report.commands:
        yield commands_table(report)
    if any(funnel.entered or funnel.holdout or funnel.not_entered for funnel in report.funnels.values()):
        yield funnels_table(report)
    if report.suppressed:
        yield suppressed_table(report)
    if report.grades:
        yield grades_table(report)
    yield _figures(report)


def commands_table(report: RunReport) -> RenderableType:
    """Commands by channel, with a bar each."""
    from processor.cli.output import table

    largest = max(report.commands.values(), default=0)
    rows = [
        (channel, count, "█" * max(1, round(count * 40 / largest)))
        for channel, count in sorted(report.commands.items(), key=lambda item: -item[1])
    ]
    return table("Commands by channel", ["channel", "commands", ""], rows, right=(1,))


def funnels_table(report: RunReport) -> RenderableType:
    """A line for each program: who came in, who was sent something, who reached the goal."""
    from processor.cli.output import table

    rows = []
    for name, funnel in report.funnels.items():
        treated = funnel.entered + funnel.holdout
        stopped = sum(funnel.exited.values())
        share = f"{100 * funnel.goal / treated:.1f}%" if treated else "-"
        rows.append(
            (
                name,
                funnel.entered,
                funnel.holdout,
                _commanded(funnel),
                funnel.goal,
                share,
                stopped,
                funnel.completed,
            )
        )
    columns = ["program", "entered", "holdout", "sent", "goal", "share", "left", "ended"]
    return table("Programs", columns, rows, right=(1, 2, 3, 4, 5, 6, 7))


def _commanded(funnel: Funnel) -> int:
    return sum(kinds.get("commanded", 0) for kinds in funnel.steps.values())


def suppressed_table(report: RunReport) -> RenderableType:
    """Sends that a policy did not let out, by reason."""
    from processor.cli.output import table

    rows = [(reason, count, _meaning(reason)) for reason, count in report.suppressed.items()]
    return table("Sends not made", ["rule", "sends", "because"], rows, right=(1,))


def _meaning(reason: str) -> str:
    rule, _, name = reason.partition(":")
    known = REASONS["suppressed"]
    return (known.get(reason) or known.get(rule, "")).replace("{name}", name)


def grades_table(report: RunReport) -> RenderableType:
    """Contacts by grade of each score model."""
    from processor.cli.output import table

    rows = []
    for model, grades in report.grades.items():
        largest = max(grades.values(), default=0)
        for number, (grade, count) in enumerate(grades.items()):
            bar = "█" * (max(1, round(count * 36 / largest)) if count else 0)
            rows.append((model if number == 0 else "", grade, count, bar))
    return table("Contacts by grade", ["score", "grade", "contacts", ""], rows, right=(2,))


def _figures(report: RunReport) -> RenderableType:
    from processor.cli.output import table

    rows: list[tuple[str, Any]] = [
        ("events read, over all runs", report.events),
        ("applied", report.applied),
    ]
    if report.outcome != "stopped":  # which does not count them
        rows.append(("contacts", report.contacts))
    rows += [(f"refused: {reason}", count) for reason, count in report.refused.items()]
    counts = (
        ("came a second time (dropped)", report.duplicates),
        ("came late", report.late),
        ("claimed a time ahead of the log", report.clamped),
        ("failed (see dead-letters)", report.failures),
        ("contacts with a timer that still waits", report.waiting),
    )
    rows += [(name, count) for name, count in counts if count]
    if 0 < report.next_due_ms < NEVER_MS:
        rows.append(("the first of those timers", format_time(report.next_due_ms)))
    if report.watermark_ms:
        rows.append(("time has come to", format_time(report.watermark_ms)))
    if report.run_records:
        rows.append(("events a second", round(report.events_per_second)))
    return table("Run", ["", "count"], rows, right=(1,))


def report_json(report: RunReport) -> dict[str, Any]:
    """What scripts get of a report: its fields, with times as text."""
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(report)
    if report.outcome == "stopped":  # they were not counted, which is not none
        found["contacts"] = found["waiting"] = None
    for name in ("next_due_ms", "watermark_ms"):
        at_ms = found.pop(name)
        found[name.removesuffix("_ms")] = format_time(at_ms) if 0 < at_ms < NEVER_MS else None
    found["events_per_second"] = round(report.events_per_second)
    return found
