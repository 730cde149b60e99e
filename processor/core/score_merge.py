"""Scores of two contacts that become one: added, with what both used of a rule's cap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.decay import active_since, decayed, rounded
from processor.core.named import CapUse, Score
from processor.core.outputs import Decision
from processor.core.profiling import scores_for
from processor.core.scoring import evaluate, lose, regrade

if TYPE_CHECKING:
    from processor.core.model import ScoreModel
    from processor.core.rows import Row
    from processor.core.turn import Turn

__all__ = ["merge_scores", "predict_anew"]


def merge_scores(turn: Turn, other: Row) -> None:
    """Add the scores that rules give. Only a threshold or a grade that neither had reached is an event."""
    for name, score in other.scores.all().items():
        model = turn.topology.scores.get(name)
        if model is not None and model.predictor is None and scores_for(turn, model, "", "merge"):
            _merge(turn, model, score)


def predict_anew(turn: Turn, other: Row) -> None:
    """The models that either was evaluated by are asked anew: the history is another now."""
    for name, model in turn.topology.scores.items():
        known = name in turn.row.scores or name in other.scores
        if model.predictor is not None and known and scores_for(turn, model, "", "merge"):
            evaluate(turn, model)


def _merge(turn: Turn, model: ScoreModel, theirs: Score) -> None:
    now_ms, name = turn.now_ms, model.name
    own = turn.row.scores.get(name)
    if own is None:
        caps = [CapUse(use.rule, use.since_ms, use.used) for use in theirs.caps]
        turn.row.scores.put(name, Score(theirs.value, theirs.at_ms, theirs.grade, caps))
        if theirs.value:
            _record_points(turn, name, theirs.value, decayed(model, theirs, now_ms))
        _record_grade(turn, name, "", theirs.grade)
        return
    turn.row.scores.change(own)
    if model.inactive is not None:
        lose(turn, model, own)
    mine, added = decayed(model, own, now_ms), decayed(model, theirs, now_ms)
    start = max(model.minimum, 0.0)  # where every score begins counts once
    value = rounded(min(max(mine + added - start, model.minimum), model.maximum))
    own.value = value
    own.at_ms = now_ms
    if value != mine:
        _record_points(turn, name, rounded(value - mine), value)
    _merge_caps(model, own, theirs, now_ms)
    for threshold in model.thresholds:
        if max(mine, added) < threshold <= value:
            turn.derived.append(("score_reached", {"score": name, "threshold": threshold}))
    if model.grades:
        order = [grade.name for grade in model.grades]
        if theirs.grade in order and (
            own.grade not in order or order.index(theirs.grade) > order.index(own.grade)
        ):
            _record_grade(turn, name, own.grade, theirs.grade)
            own.grade = theirs.grade
        regrade(turn, model, own, value)


def _record_points(turn: Turn, name: str, points: float, after: float) -> None:
    ledger = [{"score": name, "rule": "merge", "points": points, "after": after}]
    turn.out.append(Decision("scored", turn.contact_id, turn.now_ms, "", 0, "", "", "", {"ledger": ledger}))


def _record_grade(turn: Turn, name: str, before: str, after: str) -> None:
    if after != before:
        change = {"score": name, "from": before, "to": after}
        turn.out.append(Decision("graded", turn.contact_id, turn.now_ms, "", 0, "", "", "", change))


def _merge_caps(model: ScoreModel, own: Score, theirs: Score, now_ms: int) -> None:
    """What both used of a rule's cap in windows that are open is added; the window is the later one."""
    if model.inactive is not None:
        active = active_since(own)
        active.since_ms = max(active.since_ms, active_since(theirs).since_ms)
    lengths = {rule.name: rule.cap_ms for rule in model.rules}
    known = {use.rule: use for use in own.caps}
    for use in theirs.caps:
        if now_ms - use.since_ms >= lengths.get(use.rule, 0):
            continue
        mine = known.get(use.rule)
        if mine is None:
            own.caps.append(CapUse(use.rule, use.since_ms, use.used))
        elif now_ms - mine.since_ms >= lengths[use.rule]:
            mine.since_ms, mine.used = use.since_ms, use.used
        else:
            mine.since_ms, mine.used = max(mine.since_ms, use.since_ms), mine.used + use.used
