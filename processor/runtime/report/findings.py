"""What stands out in a report, as sentences: first what is certain, last what cannot be said.

A sentence says how large an effect is and how sure that is. "No difference seen" never means that there is
none: it comes with the smallest difference that so many would have shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from processor.runtime.report.model import HoldoutRow, MoneyRow, Report, VariantRow
from processor.runtime.report.words import count, meaning, money, percent, points, relative

__all__ = ["Finding", "chosen_holdouts", "findings"]

_NAMES_MAX: Final = 6  # programs that one sentence names
_FULL_MAX: Final = 3  # findings of a kind that are told in full
_FEW: Final = "On each side five should reach the goal, and five not, before a comparison means anything."


@dataclass(frozen=True)
class Finding:
    """``tone`` is good, bad, neutral or unsure; ``program`` is the one that it is about, or empty."""

    tone: str
    title: str
    text: str
    program: str = ""


def findings(report: Report) -> list[Finding]:
    """Return what stands out; of each kind a few in full, the largest, and the rest by name."""
    found = [*_lifts(report), *_variants(report), *_money(report), *_suppressed(report)]
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
    worth = {row.program: row for row in report.money}
    for verdict, said in (("better", "work"), ("worse", "do harm")):
        sure = sorted((row for row in rows if row.verdict == verdict), key=lambda row: -abs(row.extra_goals))
        for row in sure[:_FULL_MAX]:
            yield _lift(row, worth.get(row.program), report.currency)
        rest = [row.program for row in sure[_FULL_MAX:]]
        if rest:
            tone = "good" if verdict == "better" else "bad"
            title = f"{_names(rest)} {said}{'s' if len(rest) == 1 and verdict == 'better' else ''} too"
            total = sum(row.extra_goals for row in sure[_FULL_MAX:])
            yield Finding(tone, title, f"Together about {count(round(abs(total)))} goals.")
    unclear = [row for row in rows if row.verdict == "no_difference"]
    if len(unclear) == 1:
        yield _unclear(unclear[0])
    elif unclear:
        text = "What they bring may be more or less than nothing: their intervals hold 0."
        yield Finding("unsure", f"No lift seen for {_names([row.program for row in unclear])}", text)
    few = [row.program for row in rows if row.verdict == "too_small"]
    if few:
        verb = "brings" if len(few) == 1 else "bring"
        yield Finding("unsure", f"Too few to say what {_names(few)} {verb}", _FEW)


def _unclear(row: HoldoutRow) -> Finding:
    text = (
        f"It reaches {percent(row.treated_rate)} of those it treats, and {percent(row.held_out_rate)} "
        f"of those held out get there by themselves. The lift lies between "
        f"{_between(row.lift_low, row.lift_high)} points{_blind(row.detectable)}."
    )
    return Finding("unsure", f"No lift seen for {row.program}", text, row.program)


def _lift(row: HoldoutRow, worth: MoneyRow | None, currency: str) -> Finding:
    better = row.verdict == "better"
    low, high = sorted((abs(row.extra_goals_low), abs(row.extra_goals_high)))
    change = f" ({relative(row.relative)})" if row.relative is not None else ""
    text = (
        f"{percent(row.treated_rate)} of those it treats reach its goal, and {percent(row.held_out_rate)} of "
        f"those held out: {points(row.lift)} points{change}, between "
        f"{_between(row.lift_low, row.lift_high)}. About {count(round(abs(row.extra_goals)))} "
        f"goals ({count(round(low))} to {count(round(high))}) would {'not ' if better else ''}have come "
        "without it."
    )
    if worth is not None and worth.verdict == row.verdict:
        text += f" {_worth(worth, currency)}"
    title = f"{row.program} works" if better else f"{row.program} does harm"
    return Finding("good" if better else "bad", title, text, row.program)


def _worth(row: MoneyRow, currency: str) -> str:
    size = abs(row.extra_value or 0.0)
    low, high = sorted((abs(row.extra_value_low or 0.0), abs(row.extra_value_high or 0.0)))
    between = f"{money(size, currency)} ({money(low)} to {money(high)})"
    if row.verdict == "worse":
        return f"That lost {between}."
    cost = f", for {money(row.cost, currency)} of sends" if row.cost else ""
    return f"That brought {between}{cost}."


def _variants(report: Report) -> Iterable[Finding]:
    bases = {(row.program, row.split): row for row in report.variants if row.base}
    pairs = [(row, bases[row.program, row.split]) for row in report.variants if not row.base]
    sure = sorted(
        (pair for pair in pairs if pair[0].verdict in {"better", "worse"}),
        key=lambda pair: -abs(pair[0].difference or 0.0),
    )
    for row, base in sure[:_FULL_MAX]:
        best, other = (row, base) if row.verdict == "better" else (base, row)
        text = (
            f"{best.variant} reaches {percent(best.rate)} of {count(best.enrollments)}, "
            f"{other.variant} {percent(other.rate)} of {count(other.enrollments)}. The difference "
            f"lies between {_between(*_facing(row, best))} points."
        )
        yield Finding("good", f"{row.program}: {best.variant} beats {other.variant}", text, row.program)
    rest = list(dict.fromkeys(row.program for row, _ in sure[_FULL_MAX:]))
    if rest:
        text = "One variant is better than another beyond chance."
        yield Finding("good", f"Variants differ in {_names(rest)} too", text)
    unclear = [pair for pair in pairs if pair[0].verdict == "no_difference"]
    for row, base in unclear[:_FULL_MAX]:
        text = (
            f"{percent(base.rate)} against {percent(row.rate)}; the difference lies between "
            f"{_between(row.difference_low, row.difference_high)} points{_blind(row.detectable)}."
        )
        title = f"{row.program}: {base.variant} or {row.variant}, no difference seen"
        yield Finding("unsure", title, text, row.program)
    rest = list(dict.fromkeys(row.program for row, _ in unclear[_FULL_MAX:]))
    if rest:
        text = "Variants may be alike, or differ by less than so many can show."
        yield Finding("unsure", f"No difference seen between variants of {_names(rest)} either", text)
    few = [
        row.program
        for row, base in pairs
        if row.verdict == "too_small" and row.enrollments + base.enrollments
    ]
    if few:
        yield Finding(
            "unsure", f"Too few to compare the variants of {_names(list(dict.fromkeys(few)))}", _FEW
        )


def _facing(row: VariantRow, best: VariantRow) -> tuple[float | None, float | None]:
    """The interval of the better one less the other."""
    if best is row or row.difference_low is None or row.difference_high is None:
        return row.difference_low, row.difference_high
    return -row.difference_high, -row.difference_low


def _money(report: Report) -> Iterable[Finding]:
    told = {(row.program, row.verdict) for row in chosen_holdouts(report)}
    for row in report.money:  # worth more, though not more goals: those that come are larger
        if row.verdict in {"better", "worse"} and (row.program, row.verdict) not in told:
            tone, verb = ("good", "more") if row.verdict == "better" else ("bad", "less")
            title = f"{row.program}: goals are worth {verb} than among those held out"
            yield Finding(tone, title, _worth(row, report.currency), row.program)
    cost, value = sum(row.cost for row in report.money), sum(row.value for row in report.money)
    if not cost and not value:
        return
    text = "No goal that was reached has a value."
    if value:
        worth = money(value, report.currency)
        anyway = "What would have come anyway is in it: only a holdout takes that off."
        text = f"Goals worth {worth} were reached by those treated. {anyway}"
    title = f"All commands cost {money(cost, report.currency)}" if cost else "Commands cost nothing"
    yield Finding("neutral", title, text)


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


def _between(low: float | None, high: float | None) -> str:
    """An interval after the word "between"."""
    return f"{points(low)} and {points(high)}"


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
