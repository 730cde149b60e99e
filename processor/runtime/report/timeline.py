"""What happened over time: counts and grades, put into stretches of time of a length that suits the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from processor.runtime.report.accumulate import Accumulator
from processor.runtime.report.calendar import bin_for, bin_start, bins_between
from processor.runtime.report.model import ActivityRow, GradeRow

if TYPE_CHECKING:
    from processor.core.model import ScoreModel, Topology

__all__ = ["Window", "activity_rows", "grade_rows", "window"]

_WHAT: Final = ("entered", "goal", "sent", "suppressed")


@dataclass(frozen=True)
class Window:
    """The stretches of time of a report: their length, and the first slot of each."""

    size: str
    bins: tuple[int, ...]


def window(found: Accumulator) -> Window:
    """Return the stretches from the first decision that counts to the last."""
    first_ms = max(found.from_ms, found.first_ms)
    if not found.decisions or first_ms > found.last_ms:
        return Window("day", ())
    size = bin_for(found.last_ms - first_ms)
    bins = bins_between(found.slots.of(first_ms), found.slots.of(found.last_ms), size)
    return Window(size, tuple(bins))


def activity_rows(found: Accumulator, bounds: Window) -> tuple[ActivityRow, ...]:
    """Return counts over time; of each kind the most frequent name first, then in order of time."""
    names = sorted(
        found.by_slot, key=lambda key: (_WHAT.index(key[0]), -sum(found.by_slot[key].values()), key[1])
    )
    starts = [(start, found.slots.instant(start)) for start in bounds.bins]
    rows: list[ActivityRow] = []
    for what, name in names:
        counts = _binned(found.by_slot[what, name].items(), bounds.size)
        rows.extend(ActivityRow(at_ms, what, name, counts[start]) for start, at_ms in starts)
    return tuple(rows)


def _binned(slots: Iterable[tuple[int, int]], size: str) -> Counter[int]:
    counts: Counter[int] = Counter()
    for slot, count in slots:
        counts[bin_start(slot, size)] += count
    return counts


def grade_rows(found: Accumulator, topology: Topology, bounds: Window) -> tuple[GradeRow, ...]:
    """Return contacts by grade at the end of each stretch, by score model, from the lowest grade."""
    scores = [name for name, model in topology.scores.items() if model.grades]
    scores += sorted({score for score, _ in found.grade_moves} - set(topology.scores))
    rows: list[GradeRow] = []
    for score in scores:
        rows.extend(_of_score(found, score, topology.scores.get(score), bounds))
    return tuple(rows)


def _of_score(found: Accumulator, score: str, model: ScoreModel | None, bounds: Window) -> Iterable[GradeRow]:
    start = _first_grade(model) if model is not None else ""
    moves: dict[str, Counter[int]] = {start: Counter(found.contacts_by_slot)}
    for (name, grade), slots in found.grade_moves.items():
        if name == score:
            moves.setdefault(start if grade is None else grade, Counter()).update(slots)
    order = [grade.name for grade in model.grades] if model is not None else []
    known = [grade for grade in ["", *order] if grade in moves or grade in order]
    for grade in [*known, *sorted(set(moves) - set(known))]:
        yield from _cumulated(found, score, grade, moves.get(grade, Counter()), bounds)


def _cumulated(
    found: Accumulator, score: str, grade: str, moves: Counter[int], bounds: Window
) -> Iterable[GradeRow]:
    level = 0
    slots: Sequence[tuple[int, int]] = sorted(moves.items())
    number = 0
    for start in bounds.bins:
        while number < len(slots) and bin_start(slots[number][0], bounds.size) <= start:
            level += slots[number][1]
            number += 1
        yield GradeRow(found.slots.instant(start), score, grade, level)


def _first_grade(model: ScoreModel) -> str:
    """The grade of a contact who was never scored."""
    begin = max(model.minimum, 0.0)
    reached = [grade.name for grade in model.grades if grade.at <= begin]
    return reached[-1] if reached else ""
