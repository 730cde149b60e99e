"""A small topology's names, and turns over rows, that the expression tests share."""

from __future__ import annotations

import ast
from types import CodeType
from typing import Any

import msgspec

from processor.core.expressions import Names, compile_expression
from processor.core.expressions.check import Checker, Reads
from processor.core.expressions.parse import parse
from processor.core.expressions.tree import Node
from processor.core.history import record
from processor.core.model import Expression, Grade, Policies, Reaction, ScoreModel, Topics, Topology
from processor.core.named import GRANTED, WITHDRAWN, Past, Score
from processor.core.rows import Row
from processor.core.sections import Enrollment, Track
from processor.core.shared import Shared
from processor.core.time import parse_time, zone, zone_or
from processor.core.turn import NEVER_MS, Turn

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = parse_time("2026-03-18T15:30:00Z")  # a Wednesday

NAMES = Names(
    events={
        "order_completed": {
            "order_id": "string",
            "value": "number?",
            "pieces": "integer",
            "ends": "time",
            "day": "date",
            "gift": "boolean",
            "tags": "list?",
            "address": "map",
            "blob": "any",
        },
        "downloaded": {"kind": "string", "size": "integer", "value": "string"},
        "page_viewed": {"url": "string", "seconds": "number?"},
    },
    event_types=("order_completed",),
    entry_types=("downloaded",),
    answer_types=("page_viewed", "downloaded"),
    profile={
        "email": "string",
        "visits": "integer",
        "birthday": "date",
        "trial_ends": "time",
        "vip": "boolean",
        "owner": "map",
        "tags": "list",
        "tz": "zone",
    },
    scores={"engagement": ("cold", "warm", "hot"), "fit-model": ("a", "b")},
    segments=frozenset({"staff", "big-spender"}),
    lists=frozenset({"newsletter", "vip"}),
    programs=frozenset({"welcome", "win-back"}),
    purposes=frozenset({"marketing", "service"}),
    channels=frozenset({"email", "sms"}),
    splits={"split-a-b": ("a", "b")},
    decaying=frozenset({"fit-model"}),
)

_GRADES = (Grade("cold", 0, 0), Grade("warm", 30, 30), Grade("hot", 60, 50))
_SCORES = {
    "engagement": ScoreModel("engagement", 0, 0, 1000, _GRADES, ()),
    "fit-model": ScoreModel("fit-model", 14 * DAY, 0, 1000, (), ()),
}
_TOPOLOGY = Topology(
    name="world",
    digest="",
    timezone=zone("Europe/London"),
    zones=lambda name: zone_or(name, zone("Europe/London")),
    event_schemas={},
    profile_schema={},
    programs={},
    purposes={},
    channels={},
    scores=_SCORES,
    segments={},
    policies=Policies((), (), 0.0, ""),
    teams={},
    topics=Topics(("events",), "", 8, {}),
    reactions={},
    always=Reaction(),
    segments_by_series={},
    segments_by_score={},
    segments_by_attribute={},
    segments_by_relation={},
    segments_by_list=(),
    segments_by_program=(),
    segments_by_consent=(),
    segments_by_segment={},
    segment_order={},
    dates=(),
    dates_by_attribute={},
    idle=(),
    schedules=(),
)


def turn_over(
    props: dict[str, Any] | None = None,
    *,
    attributes: dict[str, Any] | None = None,
    entry: dict[str, Any] | None = None,
    answer: dict[str, Any] | None = None,
    now_ms: int = NOW,
) -> Turn:
    """A turn at ``now_ms`` over a fresh row with these attributes and properties."""
    row = Row.new()
    row.change_attributes().update(attributes or {})
    made = Turn(_TOPOLOGY, row, Shared(), "contact", now_ms, [])
    made.props = props or {}
    made.enrollment = Enrollment("e", "p", 1, "", now_ms, 1, [])
    made.enrollment._entry = entry
    made.track = Track("s", 0, 0, now_ms, answer=answer)
    return made


def furnish(turn: Turn) -> Turn:
    """Fill in a row with a past: a list, a segment, programs, consents, a split, a score."""
    row = turn.row
    row.change_lists()["newsletter"] = NOW - DAY
    row.consents.answer("marketing", GRANTED, NOW - DAY)
    row.consents.answer("marketing/sms", WITHDRAWN, NOW - DAY)
    row.change_segments()["staff"] = NOW - DAY
    row.change_enrollments().append(Enrollment("1", "welcome", 1, "", NOW - DAY, 1, []))
    row.change_enrollments().append(Enrollment("2", "win-back", 1, "", NOW - DAY, 2, []))
    row.past.put("welcome", Past(3, NOW - DAY, 0))
    row.scores.put("engagement", Score(64.0, NOW - DAY, "hot", []))
    assert turn.enrollment is not None
    turn.enrollment.variants = {"split-a-b": "a"}
    return turn


def remember(turn: Turn, expression: Expression, *occurrences: tuple[int, dict[str, Any]]) -> None:
    """Record occurrences (ms before now, properties) of what the expression counts, at their own times."""
    for spec in expression.uses.series:
        for ago, props in sorted(occurrences, key=lambda pair: -pair[0]):
            at = turn.now_ms - ago
            moment = turn_over(props, now_ms=at)
            if spec.where is None or spec.where(moment):
                record(turn.row.history, spec, at, props.get(spec.value), at)


def compiled(text: str, want: str = "any", **changed: Any) -> Expression:
    """An expression over `NAMES`, some of which can be replaced."""
    return compile_expression(text, msgspec.structs.replace(NAMES, **changed), want=want)


def evaluate(text: str, turn: Turn, want: str = "any") -> Any:
    """The value of an expression."""
    turn.until_ms = NEVER_MS
    return compiled(text, want).fn(turn)


def checked(text: str) -> Node:
    """The checked tree of an expression."""
    source = parse(text)
    return Checker(source, NAMES, Reads()).check(source.body)


def code_names(code: CodeType) -> set[str]:
    """Every global and attribute that a code object, or one inside it, names."""
    found = set(code.co_names) | set(code.co_freevars) | set(code.co_cellvars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= code_names(constant)
    return found


def is_expression(text: str) -> bool:
    """Whether Python reads it as one."""
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True
