"""From what the pass over decisions has kept to the report: enrollments by program, and their counts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from processor.core.turn import NEVER_MS
from processor.language.graph_caption import goal_text
from processor.runtime.report.accumulate import (
    BEGAN,
    COMPLETED,
    EXITED,
    GOAL,
    HELD_OUT,
    HELD_OUT_OF_ALL,
    OUTCOMES,
    WINDOW_CLOSED,
    Accumulator,
)
from processor.runtime.report.compare import Arm, holdout_rows, money_row, variant_rows
from processor.runtime.report.model import (
    ChannelRow,
    CurveRow,
    EndingRow,
    HoldoutRow,
    MoneyRow,
    NotEnteredRow,
    ProgramRow,
    Report,
    StepRow,
    SuppressedRow,
    VariantRow,
)
from processor.runtime.report.statistics import wilson
from processor.runtime.report.survival import CENSORED, LEFT, Curve, curve
from processor.runtime.report.survival import GOAL as REACHED
from processor.runtime.report.timeline import activity_rows, grade_rows, window

if TYPE_CHECKING:
    from processor.core.model import Program, Topology

__all__ = ["build"]

_Key = TypeVar("_Key", bound=tuple[str, ...])
_ANY_HOLDOUT: Final = HELD_OUT | HELD_OUT_OF_ALL
_ENDED: Final = GOAL | EXITED | WINDOW_CLOSED


def build(found: Accumulator, topology: Topology, unreadable: int = 0) -> Report:
    """Return the report of all decisions taken. Programs are in the topology's order, then any others.

    Programs in which nothing happened are in it too, unless the accumulator was told which programs to look
    at.
    """
    cohort, before = _cohort(found)
    names = [name for name in topology.programs if name in found.programs or found.looks_at(name)]
    names += sorted({*found.programs, *(name for name, _ in found.refused)} - set(names))
    parts = [_Part(found, topology, name, cohort.get(found.programs.get(name, -1), [])) for name in names]
    bounds = window(found)
    return Report(
        topology=topology.name,
        currency=topology.currency,
        timezone=topology.timezone.key,
        from_ms=found.from_ms or None,
        to_ms=found.to_ms if found.to_ms < NEVER_MS else None,
        first_ms=found.first_ms if found.decisions else None,
        last_ms=found.last_ms if found.decisions else None,
        decisions=found.decisions,
        unreadable=unreadable,
        contacts=sum(found.contacts_by_slot.values()),
        enrollments=sum(len(part.places) for part in parts),
        began_before=before,
        bin=bounds.size,
        programs=tuple(part.row() for part in parts),
        steps=tuple(row for part in parts for row in part.steps()),
        endings=tuple(row for part in parts for row in part.endings()),
        not_entered=tuple(
            NotEnteredRow(program, reason, count)
            for (program, reason), count in _sorted(found.refused, names)
        ),
        curves=tuple(row for part in parts for row in part.curves()),
        variants=tuple(row for part in parts for row in part.variants()),
        holdouts=tuple(row for part in parts for row in part.holdouts()),
        money=tuple(row for part in parts for row in part.money()),
        channels=tuple(row for part in parts for row in part.channels()),
        suppressed=tuple(
            SuppressedRow(program, channel, reason, count)
            for (program, channel, reason), count in _sorted(found.suppressed, names)
        ),
        activity=activity_rows(found, bounds),
        grades=grade_rows(found, topology, bounds),
    )


def _sorted(counts: Mapping[_Key, int], names: Sequence[str]) -> list[tuple[_Key, int]]:
    """By program in the report's order, then the largest first."""
    order = {name: number for number, name in enumerate(names)}
    return sorted(counts.items(), key=lambda item: (order[item[0][0]], -item[1], item[0]))


def _cohort(found: Accumulator) -> tuple[dict[int, list[int]], int]:
    """The places of the enrollments that count, by program; and how many began too early to count."""
    columns = found.columns
    cohort: defaultdict[int, list[int]] = defaultdict(list)
    before = 0
    for place, flags in enumerate(columns.flags):
        if flags & BEGAN and columns.began_ms[place] >= found.from_ms:
            cohort[columns.program[place]].append(place)
        elif columns.ended_ms[place] >= found.from_ms or not columns.ended_ms[place]:
            before += 1
    return cohort, before


class _Part:
    """One program's enrollments, from which its rows are made."""

    def __init__(self, found: Accumulator, topology: Topology, name: str, places: list[int]) -> None:
        self._found, self._topology, self._name = found, topology, name
        self._program: Program | None = topology.programs.get(name)
        self._goal = self._program.goal if self._program is not None else None
        self._costs = {channel.name: channel.cost for channel in topology.channels.values()}
        self.places = places
        flags = found.columns.flags
        self._entered = [place for place in places if not flags[place] & _ANY_HOLDOUT]
        self._held = {
            "program": [place for place in places if flags[place] & HELD_OUT],
            "global": [place for place in places if flags[place] & HELD_OUT_OF_ALL],
        }
        self._treated = Arm(found, self._entered, self._costs)
        self._arms = {kind: Arm(found, held, self._costs) for kind, held in self._held.items() if held}
        self._curves = dict(self._made_curves())

    @property
    def _has_goal(self) -> bool:
        return self._goal is not None or bool(self._treated.sample.hits)

    def row(self) -> ProgramRow:
        """What became of all of them."""
        flags = self._found.columns.flags
        sample = self._treated.sample
        interval = wilson(sample)
        told = self._has_goal and sample.size > 0
        line = self._curves.get("treated")
        quartiles = line.quartiles_ms if line is not None else None
        quarters = [at_ms / 1000 for at_ms in quartiles] if quartiles is not None else [None] * 3
        return ProgramRow(
            program=self._name,
            versions=", ".join(map(str, sorted(self._found.versions.get(self._name, ())))),
            purpose=self._program.purpose if self._program is not None else "",
            goal=goal_text(self._goal) if self._goal is not None else "",
            goal_within_s=self._goal.within_ms / 1000 if self._goal is not None else None,
            contacts=len({self._found.columns.contact[place] for place in self.places}),
            entered=sample.size,
            holdout=len(self.places) - sample.size,
            open=sum(self._ending(place) == "open" for place in self._entered),
            goals=sample.hits,
            rate=sample.rate if told else None,
            rate_low=interval.low if told else None,
            rate_high=interval.high if told else None,
            expected=line.end if line is not None else None,
            quarter_s=quarters[0],
            median_s=quarters[1],
            three_quarters_s=quarters[2],
            completed=sum(flags[place] & (COMPLETED | GOAL) == COMPLETED for place in self._entered),
            exited=sum(self._ending(place) == "exited" for place in self._entered),
            not_entered=sum(n for (program, _), n in self._found.refused.items() if program == self._name),
            commands=self._treated.commands,
            suppressed=sum(n for (program, *_), n in self._found.suppressed.items() if program == self._name),
        )

    # ------------------------------------------------------------------------------------- steps and endings

    def steps(self) -> Iterable[StepRow]:
        """Its steps in the order of the program; then those that only older versions had."""
        number = self._found.programs.get(self._name)
        known = self._found.steps[number] if number is not None else {}
        nodes = self._program.nodes if self._program is not None else {}
        masks = Counter(self._found.columns.steps[place] for place in self._entered)
        for step in dict.fromkeys([*nodes, *known]):
            counts = [0] * len(OUTCOMES)
            if step in known:
                for mask, count in masks.items():
                    bits = mask >> known[step] * len(OUTCOMES)
                    for bit in range(len(OUTCOMES)):
                        counts[bit] += count * (bits >> bit & 1)
            if step not in nodes and not counts[0]:
                continue
            node = nodes.get(step)
            yield StepRow(
                self._name,
                step,
                node.kind if node is not None else "",
                node.title() if node is not None else step,
                counts[0],
                counts[0] / len(self._entered) if self._entered else 0.0,
                *counts[1:],
            )

    def _ending(self, place: int) -> str:
        columns = self._found.columns
        flags = columns.flags[place]
        for flag, ending in ((GOAL, "goal"), (EXITED, "exited"), (WINDOW_CLOSED, "window_closed")):
            if flags & flag:
                return ending
        if flags & COMPLETED:
            window_ms = self._goal.within_ms if self._goal is not None else 0
            return "open" if columns.began_ms[place] + window_ms > self._found.last_ms else "completed"
        return "open"

    def endings(self) -> Iterable[EndingRow]:
        """How they stand or ended, the most frequent first."""
        held = [place for places in self._held.values() for place in places]
        for arm, places in (("treated", self._entered), ("holdout", held)):
            counts = Counter(
                (
                    ending := self._ending(place),
                    self._found.columns.reason[place] if ending == "exited" else "",
                )
                for place in places
            )
            for (ending, reason), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
                yield EndingRow(self._name, arm, ending, reason, count)

    # -------------------------------------------------------------------------------------------- over time

    def _made_curves(self) -> Iterable[tuple[str, Curve]]:
        if not self._has_goal:
            return
        began_ms = min((self._found.columns.began_ms[place] for place in self.places), default=0)
        seen_ms = max(0, self._found.last_ms - began_ms)
        until_ms = min(seen_ms, self._goal.within_ms) if self._goal is not None else seen_ms
        arms = [("treated", self._treated)]
        chosen = self._arms.get("program") or self._arms.get("global")
        if chosen is not None:
            arms.append(("holdout", chosen))
        for name, arm in arms:
            if arm.places:
                outcomes = [self._outcome(place) for place in arm.places]
                yield name, curve(outcomes, until_ms=until_ms, design=arm.sample.design)

    def _outcome(self, place: int) -> tuple[int, int]:
        columns = self._found.columns
        flags = columns.flags[place]
        end_ms = columns.ended_ms[place] if flags & _ENDED else self._found.last_ms
        after_ms = max(0, end_ms - columns.began_ms[place])
        if not flags & GOAL and self._goal is not None:
            after_ms = min(after_ms, self._goal.within_ms)  # nobody can reach it later
        kind = REACHED if flags & GOAL else LEFT if flags & EXITED else CENSORED
        return after_ms, kind

    def curves(self) -> Iterable[CurveRow]:
        """The points of the curves of those treated and those held out."""
        for arm, line in self._curves.items():
            for point in line.points:
                yield CurveRow(
                    self._name, arm, point.at_ms / 1000, point.share, point.low, point.high, point.at_risk
                )

    # -------------------------------------------------------------------------------------------- comparing

    def variants(self) -> Iterable[VariantRow]:
        """Its splits, in the order of the program."""
        return variant_rows(self._found, self._name, self._program, self._treated, has_goal=self._has_goal)

    def holdouts(self) -> Iterable[HoldoutRow]:
        """Those treated against those held out of the program, and of all programs."""
        if not self._has_goal or not self._treated.places:
            return ()
        return [holdout_rows(self._name, kind, self._treated, arm) for kind, arm in self._arms.items()]

    def money(self) -> Iterable[MoneyRow]:
        """What it costs and brings; nothing where the topology names neither."""
        worth = any(not math.isnan(self._found.columns.value[place]) for place in self.places)
        if self._treated.cost or worth:
            yield money_row(self._name, self._treated, self._arms.get("program") or self._arms.get("global"))

    def channels(self) -> Iterable[ChannelRow]:
        """Commands by channel."""
        for channel, count in sorted(self._treated.channels.items(), key=lambda item: (-item[1], item[0])):
            each = self._costs.get(channel, 0.0)
            yield ChannelRow(self._name, channel, count, each, each * count)
