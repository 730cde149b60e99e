"""What stands out in a report, as sentences: first what is certain, last what cannot be said.

A sentence says how large an effect is and how sure that is. "No difference seen" never means that there is
none: it comes with the smallest difference that so many would have shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from processor.runtime.report.model import HoldoutRow, MoneyRow, Report, VariantRow
from processor.runtime.report.words import count, interval_points, meaning, money, percent, points, relative

__all__ = ["Finding", "chosen_holdouts", "findings"]

_NAMES_MAX: Final = 6  # programs that one sentence names


@dataclass(frozen=True)
class Finding:
    """``tone`` is good, bad, neutral or unsure; ``program`` is the one that it is about, or empty."""

    tone: str
    title: str
    text: str
    program: str = ""


def findings(report: Report) -> list[Finding]:
    """Return what stands out."""
    found = [
        *_lifts(report),
        *_variants(report),
        *_money(report),
        *_suppressed(report),
    ]
    order = ("good", "bad", "neutral", "unsure")
    return sorted(found, key=lambda one: order.index(one.tone))


def chosen_holdouts(report: Report) -> list[HoldoutRow]:
    """Return one comparison for each program: with those held out of it alone, where there are any."""
    chosen: dict[str, HoldoutRow] = {}
    for row in report.holdouts:
        if row.program not in chosen or row.holdout == "program":
            chosen[row.program] = row
    return list(chosen.values())


def _lifts(report: Report) -> Iterable[Finding]:
    rows = chosen_holdouts(report)
    for row in rows:
        if row.verdict in {"better", "worse"}:
            yield _lift(row)
    unclear = [row.program for row in rows if row.verdict == "no_difference"]
    if len(unclear) == 1:
        row = next(row for row in rows if row.program == unclear[0])
        between = interval_points(row.lift_low, row.lift_high)
        text = (
            f"It reaches {percent(row.treated_rate)} of those it treats, and {percent(row.held_out_rate)} "
            f"of those held out get there by themselves. The lift lies between {between} points"
            f"{_blind(row.detectable)}."
        )
        yield Finding("unsure", f"No lift seen for {row.program}", text, row.program)
    elif unclear:
        text = "What they bring may be more or less than nothing: their intervals hold 0."
        yield Finding("unsure", f"No lift seen for {_names(unclear)}", text)
    few = [row.program for row in rows if row.verdict == "too_small"]
    if few:
        yield Finding("unsure", f"Too few to say what {_names(few)} {_verb(few, 'brings', 'bring')}", _few())


def _lift(row: HoldoutRow) -> Finding:
    better = row.verdict == "better"
    extra = abs(row.extra_goals)
    low, high = sorted((abs(row.extra_goals_low), abs(row.extra_goals_high)))
    change = f" ({relative(row.relative)})" if row.relative is not None else ""
    text = (
        f"{percent(row.treated_rate)} of those it treats reach its goal, and {percent(row.held_out_rate)} of "
        f"those held out: {points(row.lift)} points{change}, between "
        f"{interval_points(row.lift_low, row.lift_high)}. About {count(round(extra))} goals ({count(round(low))} to {count(round(high))}) "
    )
    if better:
        return Finding("good", f"{row.program} works", f"{text}would not have come without it.", row.program)
    return Finding("bad", f"{row.program} does harm", f"{text}would have come without it.", row.program)


def _variants(report: Report) -> Iterable[Finding]:
    bases = {(row.program, row.split): row for row in report.variants if row.base}
    unclear: list[VariantRow] = []
    few: list[VariantRow] = []
    for row in report.variants:
        base = bases[row.program, row.split]
        if row.verdict in {"better", "worse"}:
            best, other = (row, base) if row.verdict == "better" else (base, row)
            text = (
                f"{best.variant} reaches {percent(best.rate)} of {count(best.enrollments)}, "
                f"{other.variant} {percent(other.rate)} of {count(other.enrollments)}. The difference "
                f"lies between {interval_points(*_facing(row, best))} points."
            )
            yield Finding("good", f"{row.program}: {best.variant} beats {other.variant}", text, row.program)
        elif row.verdict == "no_difference":
            unclear.append(row)
        elif row.verdict == "too_small":
            few.append(row)
    for row in unclear[:_NAMES_MAX]:
        base = bases[row.program, row.split]
        text = (
            f"{percent(base.rate)} against {percent(row.rate)}; the difference lies between "
            f"{interval_points(row.difference_low, row.difference_high)} points{_blind(row.detectable)}."
        )
        title = f"{row.program}: {base.variant} or {row.variant}, no difference seen"
        yield Finding("unsure", title, text, row.program)
    names = list(dict.fromkeys(row.program for row in few))
    if names:
        yield Finding("unsure", f"Too few to compare the variants of {_names(names)}", _few())


def _facing(row: VariantRow, best: VariantRow) -> tuple[float | None, float | None]:
    """The interval of the better one less the other."""
    if best is row or row.difference_low is None or row.difference_high is None:
        return row.difference_low, row.difference_high
    return -row.difference_high, -row.difference_low


def _money(report: Report) -> Iterable[Finding]:
    for row in report.money:
        if row.verdict in {"better", "worse"}:
            yield _worth(row, report.currency)
    cost, value = sum(row.cost for row in report.money), sum(row.value for row in report.money)
    if cost or value:
        told = (
            f"Goals worth {money(value, report.currency)} were reached by those treated"
            if value
            else "No goal has a value"
        )
        text = f"{told}. What would have come anyway is in it: only a holdout takes that off."
        title = f"All commands cost {money(cost, report.currency)}" if cost else "Commands cost nothing"
        yield Finding("neutral", title, text)


def _worth(row: MoneyRow, currency: str) -> Finding:
    gained = row.verdict == "better"
    back = (
        f" That is {row.extra_return:,.1f} for each 1 spent."
        if gained and row.extra_return is not None
        else ""
    )
    text = (
        f"Compared with those held out, between {money(row.extra_value_low, currency)} and "
        f"{money(row.extra_value_high, currency)}; its commands cost {money(row.cost, currency)}.{back}"
    )
    verb = "brought" if gained else "lost"
    worth = money(abs(row.extra_value or 0.0), currency)
    return Finding("good" if gained else "bad", f"{row.program} {verb} {worth}", text, row.program)


def _suppressed(report: Report) -> Iterable[Finding]:
    sends: dict[str, int] = {}
    for row in report.suppressed:
        sends[row.reason] = sends.get(row.reason, 0) + row.sends
    total = sum(sends.values())
    if total:
        made = sum(row.count for row in report.activity if row.what == "sent")
        most = max(sends, key=lambda reason: sends[reason])
        text = f"Most often because {meaning('suppressed', most)}: {count(sends[most])} of {count(total)}."
        yield Finding("neutral", f"{percent(total / (total + made))} of all sends were not made", text)


def _blind(detectable: float | None) -> str:
    if detectable is None:
        return ""
    return f"; with so many, one below {100 * detectable:.1f} would mostly not be seen"


def _names(names: Sequence[str]) -> str:
    shown = list(names[:_NAMES_MAX])
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many


def _few() -> str:
    return (
        "On each side at least five should reach the goal, and five not, before a comparison means anything."
    )
