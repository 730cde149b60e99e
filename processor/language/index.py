"""The index from an event type to what can react to it, so that an event costs only what it concerns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from processor.core.history import merge_series, series_spec
from processor.core.model import (
    Channel,
    Dormant,
    Entry,
    Expression,
    Program,
    Reaction,
    RelationSpec,
    ScoreModel,
    Segment,
    SeriesSpec,
)
from processor.language.scores import Scoring

__all__ = [
    "Parts", "always", "by_attribute", "by_consent", "by_segment", "by_series", "dates_by_attribute",
    "reactions", "segments_by", "with_limits",
]  # fmt: skip


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the index is made of. ``segments`` come in an order in which each follows those it reads."""

    event_types: Iterable[str]
    declared: tuple[str, ...]
    programs: Mapping[str, Program]
    segments: Mapping[str, Segment]
    scoring: Scoring
    expressions: list[Expression]
    relations: tuple[RelationSpec, ...] = ()
    dormant: tuple[Dormant, ...] = ()
    channels: tuple[Channel, ...] = ()


def reactions(parts: Parts) -> dict[str, Reaction]:
    """Return the reaction of each event type that anything reacts to."""
    entries = [entry for program in parts.programs.values() for entry in program.entries]
    idle = [entry for entry in entries if entry.kind == "inactive"]
    signs = [name for rule in parts.dormant for name in rule.activities]
    series = _series(parts.expressions, idle, signs)
    made = {}
    for name in parts.event_types:
        rules = tuple(parts.scoring.rules.get(name, ()))
        reaction = Reaction(
            series=tuple(spec for spec in series if spec.event == name),
            rules=rules,
            relations=tuple(spec for spec in parts.relations if spec.event == name),
            **_entries(_highest_first([entry for entry in entries if entry.event == name], parts.programs)),
            programs=frozenset(
                program.name for program in parts.programs.values() if _listens(program, name)
            ),
            activity=tuple(entry for entry in idle if name in (entry.activities or parts.declared)),
            wakes=tuple(parts.scoring.wakes.get(name, ())),
            predicts=tuple(parts.scoring.predicts.get(name, ())),
            suppresses=tuple(one.name for one in parts.channels if name in one.suppressed_by),
        )
        if reaction != Reaction():
            made[name] = reaction
    return made


def _entries(entries: tuple[Entry, ...]) -> dict[str, Any]:
    """Return the entries of an event type, and them by the property that tells most apart, if all match one.

    Of a hundred programs that wait for a segment each, a contact who comes into one concerns one.
    """
    found: dict[str, Any] = {"entries": entries}
    matches = [dict(entry.match) for entry in entries]
    shared = set.intersection(*(set(match) for match in matches)) if len(matches) > 1 else set[str]()
    if shared:
        name = max(sorted(shared), key=lambda key: len({match[key] for match in matches}))
        by_value: dict[Any, list[Entry]] = {}
        for entry, match in zip(entries, matches, strict=True):
            by_value.setdefault(match[name], []).append(entry)
        found |= {"match": name, "by_match": {value: tuple(these) for value, these in by_value.items()}}
    return found


def always(programs: Iterable[Program]) -> Reaction:
    """Return what has to be looked at after an input of any type: the programs with bare conditions."""
    names = [
        program.name
        for program in programs
        if "*" in program.listeners or program.exit_conditions or (program.goal and program.goal.condition)
    ]
    return Reaction(programs=frozenset(names))


def segments_by(segments: Mapping[str, Segment], field: str) -> dict[str, tuple[str, ...]]:
    """Return, for each name in a field of the segments' uses, the segments that read it, directly or not."""
    names = sorted({name for segment in segments.values() for name in getattr(segment.when.uses, field)})
    return {
        name: _closed(
            {key for key, segment in segments.items() if name in getattr(segment.when.uses, field)}, segments
        )
        for name in names
    }


def by_consent(segments: Mapping[str, Segment]) -> tuple[str, ...]:
    """Return the segments that an answer about consent can change."""
    found = [name for names in segments_by(segments, "consents").values() for name in names]
    return tuple(dict.fromkeys([*found, *(name for name, segment in segments.items() if segment.needs)]))


def by_segment(segments: Mapping[str, Segment]) -> dict[str, tuple[str, ...]]:
    """Return, for each segment, those that read it directly."""
    return {
        name: readers
        for name in segments
        if (readers := tuple(key for key, other in segments.items() if name in other.when.uses.segments))
    }


def dates_by_attribute(dates: tuple[Entry, ...]) -> dict[str, tuple[Entry, ...]]:
    """Return, for each attribute, the date entries that look at it."""
    return {
        name: tuple(entry for entry in dates if entry.attribute == name)
        for name in dict.fromkeys(entry.attribute for entry in dates)
    }


def by_series(segments: Mapping[str, Segment]) -> dict[str, tuple[str, ...]]:
    """Return, for the key of each history, the segments that read it, directly or not."""
    keys = {spec.key for segment in segments.values() for spec in segment.when.uses.series}
    return {
        key: _closed(
            {name for name, one in segments.items() if key in {s.key for s in one.when.uses.series}}, segments
        )
        for key in sorted(keys)
    }


def by_attribute(segments: Mapping[str, Segment]) -> dict[str, tuple[str, ...]]:
    """Return, for each attribute, the segments that read it; the zone moves all that depend on the clock."""
    found = segments_by(segments, "attributes")
    by_clock = {name for name, segment in segments.items() if segment.when.uses.by_time}
    found["tz"] = _closed(by_clock | set(found.get("tz", ())), segments)
    return found


def with_limits(
    models: Mapping[str, ScoreModel], programs: Iterable[Program], expressions: Iterable[Expression]
) -> dict[str, ScoreModel]:
    """Return the score models with what their values are compared with.

    ``thresholds`` are the values whose crossing some program starts on, ``bounds`` all that a fall below can
    change: the constants in expressions and the grades' limits; both ascend.
    """
    found: dict[str, set[float]] = {}
    for program in programs:
        for entry in program.entries:
            if entry.kind == "score":
                match: dict[str, Any] = dict(entry.match)
                found.setdefault(match["score"], set()).add(match["threshold"])
    bounds: dict[str, set[float]] = {
        name: {limit for grade in model.grades for limit in (grade.at, grade.until)}
        for name, model in models.items()
    }
    freely: set[str] = set()
    for expression in expressions:
        if expression.type != "boolean":
            continue  # a value or a text is taken once; only conditions are looked at again
        freely |= expression.uses.scores_free
        for name, bound in expression.uses.score_bounds:
            bounds[name].add(bound)
    return {
        name: dataclasses.replace(
            model,
            thresholds=tuple(sorted(found.get(name, ()))),
            bounds=tuple(sorted(bounds[name])),
            compared_freely=name in freely,
        )
        for name, model in models.items()
    }


def _series(
    expressions: Iterable[Expression], idle: Iterable[Entry], signs: Iterable[str]
) -> tuple[SeriesSpec, ...]:
    """Return every history that is needed: what expressions count, and when an activity was last seen."""
    wanted = [spec for expression in expressions for spec in expression.uses.series]
    wanted.extend(series_spec(name) for entry in idle for name in entry.activities)
    wanted.extend(series_spec(name) for name in signs)
    return merge_series(wanted)


def _highest_first(entries: list[Entry], programs: Mapping[str, Program]) -> tuple[Entry, ...]:
    """Return the entries with those of hierarchies first, the highest before the lower.

    One event can be the entry of several programs of a hierarchy: a lower one is not to begin, only to be
    ended by the next.
    """

    def place(entry: Entry) -> tuple[bool, float]:
        program = programs[entry.program]
        return not program.group, -program.rank

    return tuple(sorted(entries, key=place))


def _listens(program: Program, name: str) -> bool:
    return (
        name in program.listeners
        or name in program.goal_events
        or name in program.exit_events
        or name in program.best_events
    )


def _closed(found: set[str], segments: Mapping[str, Segment]) -> tuple[str, ...]:
    """Return the segments and those that read them, directly or not, in the order of the topology."""
    for name, segment in segments.items():  # each comes after those it reads
        if segment.when.uses.segments & found:
            found.add(name)
    return tuple(name for name in segments if name in found)
