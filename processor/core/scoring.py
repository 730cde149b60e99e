"""Scores: points for events, decay evaluated when somebody asks, grades with hysteresis.

A score is stored as of an instant; its value at ``now`` is ``value * 0.5 ** ((now - at) / half_life)``,
rounded so that machines with different maths libraries agree. Nothing sweeps over contacts: a grade that
decay alone will lower gets one timer in the row, which is set to the crossing and moved only when it fires.
"""

from __future__ import annotations

from math import ceil, exp, floor, log, log2
from typing import TYPE_CHECKING, Any, Final

from processor.core.named import CapUse, Score
from processor.core.outputs import Decision
from processor.core.sections import Timer
from processor.core.time import DAY_MS
from processor.core.turn import NEVER_MS

if TYPE_CHECKING:
    from processor.core.model import ScoreModel, ScoreRule
    from processor.core.turn import Turn

__all__ = ["add_points", "apply_rules", "check_grade", "grade_now", "score_now", "set_score"]


_LN_2: Final = log(2.0)
_UNITS: Final = 10_000.0  # in a point: scores have four decimals
_HALF_UNIT: Final = 0.5 / _UNITS
_WHOLE_MAX: Final = 1e15  # so many units are whole in any case


def rounded(value: float) -> float:
    """``value`` to four decimals, halves upward: a tenth of what ``round`` costs."""
    units = value * _UNITS
    if not -_WHOLE_MAX < units < _WHOLE_MAX:
        return value
    return floor(units + 0.5) / _UNITS


def _reached(bounds: tuple[float, ...], value: float) -> int:
    """How many of the ascending bounds the value is at or above: few, so they are gone through in turn."""
    count = 0
    for bound in bounds:
        if value < bound:
            break
        count += 1
    return count


def decayed(model: ScoreModel, score: Score, now_ms: int) -> float:
    """The score's value at ``now_ms``, rounded."""
    value = score.value
    if model.half_life_ms and value and now_ms > score.at_ms:
        halvings = (now_ms - score.at_ms) / model.half_life_ms
        value = rounded(value * exp(-_LN_2 * halvings))
    return value


def score_now(turn: Turn, name: str) -> float:
    """A score's value now, 0 (or the model's minimum above it) for a contact without one.

    Lowers ``turn.until_ms`` to the instant at which decay takes it below the next value anything compares
    it with; a model that is compared with something that is no constant is looked at again every day.
    """
    model = turn.topology.scores[name]
    score = turn.row.scores.get(name)
    if score is None:
        return model.minimum if model.minimum > 0 else 0.0
    value = decayed(model, score, turn.now_ms)
    if model.half_life_ms and value:
        crossing = _next_crossing(model, value, turn.now_ms)
        turn.until_ms = min(turn.until_ms, crossing)
    return value


def grade_now(turn: Turn, name: str) -> str:
    """A score's grade now; the lowest grade for a contact without a score, "" for a model without grades."""
    model = turn.topology.scores[name]
    score = turn.row.scores.get(name)
    return _grade_of(model, score_now(turn, name), score.grade if score else "")


def _grade_of(model: ScoreModel, value: float, current: str) -> str:
    """The highest grade whose ``at`` is reached, or the current one while its ``until`` holds."""
    best = ""
    for grade in model.grades:
        if value >= grade.at or (grade.name == current and value >= grade.until):
            best = grade.name
    return best


def _next_crossing(model: ScoreModel, value: float, now_ms: int) -> int:
    """The first instant at which the decaying value is below a bound that it is not below now."""
    below = _reached(model.bounds, value)
    bound = model.bounds[below - 1] if below else 0.0
    soonest = now_ms + DAY_MS if model.compared_freely else NEVER_MS
    return min(soonest, _below_at(model, value, now_ms, bound))


def _below_at(model: ScoreModel, value: float, at_ms: int, bound: float) -> int:
    """When decay has taken ``value``, as of ``at_ms``, below ``bound``; NEVER_MS for never."""
    if bound <= _HALF_UNIT or value <= 0:
        return NEVER_MS
    # Half a unit below the bound the rounded value is below it.
    wait = ceil(model.half_life_ms * log2(value / (bound - _HALF_UNIT))) + 1
    return at_ms + max(wait, 1)


def apply_rules(turn: Turn, rules: tuple[ScoreRule, ...], age_ms: int) -> None:
    """Give the points of one event; ``age_ms`` older than now, its points have decayed since."""
    ledger: list[dict[str, Any]] = []
    for rule in rules:
        if rule.when is not None and not rule.when(turn):
            continue
        points = rule.add if rule.add_fn is None else rule.add_fn(turn)
        if not points:
            continue
        model = turn.topology.scores[rule.model]
        score = turn.row.scores.get(rule.model)
        if score is None:
            score = _new_score(turn, model)
        if rule.cap_ms:
            turn.row.scores.change(score)  # what is used of the cap is kept, though no points may be left
            points = _capped(score, rule, points, turn.now_ms)
            if not points:
                continue
        if age_ms > 0 and model.half_life_ms:
            points = rounded(points * exp(-_LN_2 * (age_ms / model.half_life_ms)))
        value = _change(turn, model, score, points)
        ledger.append({"score": rule.model, "rule": rule.name, "points": points, "after": value})
    if ledger:
        turn.out.append(
            Decision(
                "scored",
                turn.contact_id,
                turn.now_ms,
                "",
                0,
                "",
                "",
                "",
                {"event": turn.event_id, "ledger": ledger},
            )
        )


def add_points(turn: Turn, name: str, points: float, program: str, step: str) -> None:
    """Points given by a step of a program."""
    model = turn.topology.scores[name]
    score = turn.row.scores.get(name)
    if score is None:
        score = _new_score(turn, model)
    points = rounded(points)
    value = _change(turn, model, score, points)
    ledger = [{"score": name, "rule": f"{program}/{step}", "points": points, "after": value}]
    turn.out.append(
        Decision("scored", turn.contact_id, turn.now_ms, program, 0, "", step, "", {"ledger": ledger})
    )


def set_score(turn: Turn, name: str, value: float, program: str, step: str) -> None:
    """Set a score to a value; recorded as the points that takes."""
    add_points(turn, name, value - score_now(turn, name), program, step)


def _new_score(turn: Turn, model: ScoreModel) -> Score:
    start = model.minimum if model.minimum > 0 else 0.0
    score = Score(start, turn.now_ms, _grade_of(model, start, ""), [])
    turn.row.scores.put(model.name, score)
    return score


def _capped(score: Score, rule: ScoreRule, points: float, now_ms: int) -> float:
    """What the rule's cap leaves of the points. The cap's window starts with the first points in it."""
    use = _cap_use(score, rule.name, now_ms)
    if now_ms - use.since_ms >= rule.cap_ms:
        use.since_ms = now_ms
        use.used = 0.0
    if rule.cap_times:
        if use.used >= rule.cap_times:
            return 0.0
        use.used += 1
        return points
    left = rule.cap_points - use.used
    if left <= 0:
        return 0.0
    points = min(points, left) if points > 0 else max(points, -left)
    use.used += abs(points)
    return points


def _cap_use(score: Score, rule: str, now_ms: int) -> CapUse:
    for use in score.caps:
        if use.rule == rule:
            return use
    use = CapUse(rule, now_ms, 0.0)
    score.caps.append(use)
    return use


def _change(turn: Turn, model: ScoreModel, score: Score, points: float) -> float:
    """Add points, then raise what follows: thresholds crossed, a grade changed, segments to look at."""
    now_ms = turn.now_ms
    turn.row.scores.change(score)
    before = decayed(model, score, now_ms)
    value = rounded(min(max(before + points, model.minimum), model.maximum))
    score.value = value
    score.at_ms = now_ms
    for threshold in model.thresholds:
        if before < threshold <= value:
            turn.derived.append(("score_reached", {"score": model.name, "threshold": threshold}))
    # Between two bounds no grade changes and no comparison its answer.
    crossed = _reached(model.bounds, before) != _reached(model.bounds, value)
    if crossed and model.grades:
        _regrade(turn, model, score, value)
    if crossed or model.compared_freely:
        turn.stale.extend(turn.topology.segments_by_score.get(model.name, ()))
    return value


def _regrade(turn: Turn, model: ScoreModel, score: Score, value: float) -> None:
    grade = _grade_of(model, value, score.grade)
    if grade != score.grade:
        change = {"score": model.name, "from": score.grade, "to": grade}
        score.grade = grade
        turn.out.append(Decision("graded", turn.contact_id, turn.now_ms, "", 0, "", "", "", change))
        turn.derived.append(("grade_changed", change))
    if model.half_life_ms and grade != model.grades[0].name and grade:
        _watch_grade(turn, model, score)


def _watch_grade(turn: Turn, model: ScoreModel, score: Score) -> None:
    """One timer for the grade's loss. Points only put the crossing off, so an earlier timer is left alone."""
    for timer in turn.row.timers:
        if timer.kind == "grade" and timer.name == model.name:
            return
    floor = next(grade.until for grade in model.grades if grade.name == score.grade)
    due_ms = _below_at(model, score.value, score.at_ms, floor)
    if due_ms < NEVER_MS:
        turn.row.change_timers().append(Timer(due_ms, "grade", model.name))
        turn.retimed = True


def check_grade(turn: Turn, name: str) -> None:
    """A grade's timer fired: lower the grade if decay has, and watch for the next loss."""
    model = turn.topology.scores.get(name)
    score = turn.row.scores.get(name)
    if model is None or score is None or not model.grades:
        return
    value = decayed(model, score, turn.now_ms)
    turn.row.scores.change(score)
    score.value = value
    score.at_ms = turn.now_ms
    _regrade(turn, model, score, value)
    turn.stale.extend(turn.topology.segments_by_score.get(name, ()))
