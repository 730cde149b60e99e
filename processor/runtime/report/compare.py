"""Comparing: variants of a split with each other, and those a program treats with those held out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from processor.core.nodes import Split
from processor.runtime.report.accumulate import BY_BEST, GOAL, Accumulator
from processor.runtime.report.model import HoldoutRow, MoneyRow, VariantRow
from processor.runtime.report.statistics import (
    Mean,
    Sample,
    detectable,
    difference,
    holm,
    mean_difference,
    mean_of,
    p_value,
    ratio,
    sample_of,
    too_small,
    wilson,
)

if TYPE_CHECKING:
    from processor.core.model import Program

__all__ = ["SIGNIFICANT", "Arm", "holdout_rows", "money_row", "variant_rows"]

SIGNIFICANT: Final = 0.05


class Arm:
    """Enrollments that are compared with others: their goals, commands, costs and values."""

    def __init__(self, found: Accumulator, places: Sequence[int], costs: Mapping[str, float]) -> None:
        self._costs = costs
        self.places = places
        columns = found.columns
        contacts: dict[int, tuple[int, int, float]] = {}
        sent: Counter[int] = Counter()
        self.valued = 0
        self._own = math.fsum(columns.cost[place] for place in places)
        for place in places:
            size, hits, total = contacts.get(columns.contact[place], (0, 0, 0.0))
            worth = 0.0
            hit = columns.flags[place] & GOAL
            if hit and not math.isnan(columns.value[place]):
                worth = columns.value[place]
                self.valued += 1
            contacts[columns.contact[place]] = (size + 1, hits + bool(hit), total + worth)
            sent[columns.sent[place]] += 1
        self.sample: Sample = sample_of((size, hits) for size, hits, _ in contacts.values())
        self.mean: Mean = mean_of((size, total) for size, _, total in contacts.values())
        self.value = math.fsum(total for _, _, total in contacts.values())
        self.channels: Counter[str] = Counter()
        for state, count in sent.items():
            for channel, each in found.sent.tuples[state]:
                self.channels[channel] += each * count

    @property
    def commands(self) -> int:
        """Commands given to them."""
        return sum(self.channels.values())

    @property
    def cost(self) -> float:
        """What those commands cost: their channels' cost, and their own."""
        channels = (self._costs.get(channel, 0.0) * count for channel, count in self.channels.items())
        return math.fsum([*channels, self._own])

    def part(self, found: Accumulator, places: Sequence[int]) -> Arm:
        """Some of the same kind."""
        return Arm(found, places, self._costs)


def _verdict(of: Sample, base: Sample, p: float) -> str:
    if too_small(of, base):
        return "too_small"
    if p >= SIGNIFICANT:
        return "no_difference"
    return "better" if of.rate > base.rate else "worse"


def variant_rows(
    found: Accumulator, name: str, program: Program | None, treated: Arm, *, has_goal: bool
) -> Iterable[VariantRow]:
    """Yield the variants of each split, the first one as the base of the others.

    Splits and variants are in the order of the program; those that it no longer has come last. Of a split by
    best performer those are compared that were dealt evenly.
    """
    by_state: dict[int, list[int]] = {}
    for place in treated.places:
        by_state.setdefault(found.columns.variants[place], []).append(place)
    met: dict[str, dict[str, list[int]]] = {}
    chosen: Counter[tuple[str, str]] = Counter()
    for state in sorted(by_state):
        for split, variant in found.variants.tuples[state]:
            if variant.endswith(BY_BEST):
                chosen[split, variant.removesuffix(BY_BEST)] += len(by_state[state])
                met.setdefault(split, {}).setdefault(variant.removesuffix(BY_BEST), [])
            else:
                met.setdefault(split, {}).setdefault(variant, []).extend(by_state[state])
    nodes = program.nodes if program is not None else {}
    for split in [
        *(step for step, node in nodes.items() if isinstance(node, Split)),
        *sorted(set(met) - set(nodes)),
    ]:
        node = nodes.get(split)
        known = [branch[0] for branch in node.branches] if isinstance(node, Split) else []
        variants = [*known, *sorted(set(met.get(split, ())) - set(known))]
        arms = [treated.part(found, met.get(split, {}).get(variant, [])) for variant in variants]
        rows = _compared(name, split, variants, arms, has_goal=has_goal)
        if (name, split) not in found.shares:
            yield from rows
            continue
        shares = found.shares[name, split][1]
        for row in rows:
            share = shares.get(row.variant, 0.0) / 100 if shares else 1 / len(variants)
            yield replace(row, chosen=chosen[split, row.variant], share=share)


def _compared(
    name: str, split: str, variants: Sequence[str], arms: Sequence[Arm], *, has_goal: bool
) -> Iterable[VariantRow]:
    base = arms[0].sample
    tests = [p_value(arm.sample, base) for arm in arms[1:]]
    for number, (variant, arm, p, adjusted) in enumerate(
        zip(variants, arms, [None, *tests], [None, *holm(tests)], strict=True)
    ):
        sample = arm.sample
        interval = wilson(sample)
        told = has_goal and p is not None and bool(sample.size) and bool(base.size)
        gap = difference(sample, base) if told else None
        if not has_goal:
            verdict = ""
        else:
            verdict = (
                "base" if number == 0 else _verdict(sample, base, adjusted if adjusted is not None else 1.0)
            )
        yield VariantRow(
            program=name,
            split=split,
            variant=variant,
            base=number == 0,
            enrollments=sample.size,
            goals=sample.hits,
            rate=sample.rate,
            rate_low=interval.low,
            rate_high=interval.high,
            difference=sample.rate - base.rate if told else None,
            difference_low=gap.low if gap else None,
            difference_high=gap.high if gap else None,
            p=p if told else None,
            p_adjusted=adjusted if told else None,
            detectable=detectable(sample, base) if told else None,
            verdict=verdict,
            commands=arm.commands,
            cost=arm.cost,
            value=arm.value,
            value_each=arm.mean.value,
            chosen=0,
            share=None,
        )


def holdout_rows(name: str, kind: str, treated: Arm, held: Arm) -> HoldoutRow:
    """Compare those treated with those held out."""
    of, base = treated.sample, held.sample
    one, other = wilson(of), wilson(base)
    lift = of.rate - base.rate
    gap = difference(of, base)
    times = ratio(of, base)
    p = p_value(of, base)
    return HoldoutRow(
        program=name,
        holdout=kind,
        treated=of.size,
        treated_goals=of.hits,
        treated_rate=of.rate,
        treated_low=one.low,
        treated_high=one.high,
        held_out=base.size,
        held_out_goals=base.hits,
        held_out_rate=base.rate,
        held_out_low=other.low,
        held_out_high=other.high,
        lift=lift,
        lift_low=gap.low,
        lift_high=gap.high,
        relative=of.rate / base.rate - 1 if times else None,
        relative_low=times.low - 1 if times else None,
        relative_high=times.high - 1 if times else None,
        p=p,
        detectable=detectable(of, base),
        extra_goals=lift * of.size,
        extra_goals_low=gap.low * of.size,
        extra_goals_high=gap.high * of.size,
        verdict=_verdict(of, base, p),
    )


def money_row(name: str, treated: Arm, held: Arm | None) -> MoneyRow:
    """What a program costs and brings; against those held out, where there are any."""
    valued = treated.valued + (held.valued if held is not None else 0)
    held = held if valued else None  # without values there is nothing to compare
    gap = mean_difference(treated.mean, held.mean) if held is not None else None
    size = treated.sample.size
    cost = treated.cost
    extra = (treated.mean.value - held.mean.value) * size if held is not None and gap is not None else None
    if not valued:
        verdict = "no_value"
    elif held is None:
        verdict = "no_holdout"
    elif gap is None or too_small(treated.sample, held.sample):
        verdict = "too_small"
    elif gap.low <= 0 <= gap.high:
        verdict = "no_difference"
    else:
        verdict = "better" if gap.low > 0 else "worse"
    return MoneyRow(
        program=name,
        commands=treated.commands,
        cost=cost,
        goals=treated.valued,
        value=treated.value,
        value_each=treated.mean.value if size and valued else None,
        held_out_value_each=held.mean.value if held is not None else None,
        extra_value=extra,
        extra_value_low=gap.low * size if gap else None,
        extra_value_high=gap.high * size if gap else None,
        extra_profit=extra - cost if extra is not None else None,
        extra_return=extra / cost if extra is not None and cost else None,
        verdict=verdict,
    )
