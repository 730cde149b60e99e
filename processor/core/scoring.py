"""Scores: points for events or the word of a model, decay as somebody asks, grades with hysteresis.

A score is stored as of an instant; :mod:`processor.core.decay` says what it is worth later. Nothing sweeps
over contacts: a grade that time alone will change gets one timer in the row, which is set to the crossing and
is put off only when it fires. The score of a model (:mod:`processor.core.predicting`) is stored as of its
evaluation, and evaluated again by an event or, where its answers go stale, by the first look after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.decay import active_since, aged, decayed, decays, falls_below, rounded
from processor.core.named import CapUse, Score
from processor.core.outputs import Decision
from processor.core.predicting import ask
from processor.core.profiling import allows, scores_for
from processor.core.sections import Timer
from processor.core.time import DAY_MS
from processor.core.turn import NEVER_MS

if TYPE_CHECKING:
    from processor.core.model import Reaction, ScoreModel, ScoreRule
    from processor.core.predicting import Trigger
    from processor.core.turn import Turn

__all__ = [
    "add_points", "apply_rules", "check_grade", "evaluate", "grade_now", "lose", "predict", "regrade",
    "score", "score_now", "set_score", "stay_active",
]  # fmt: skip


def _reached(bounds: tuple[float, ...], value: float) -> int:
    """How many of the ascending bounds the value is at or above: few, so they are gone through in turn."""
    count = 0
    for bound in bounds:
        if value < bound:
            break
        count += 1
    return count


def score_now(turn: Turn, name: str) -> float:
    """A score's value now, 0 (or the model's minimum above it) for a contact without one.

    Lowers ``turn.until_ms`` to the instant at which decay takes it below the next value anything compares
    it with; a model that is compared with something that is no constant is looked at again every day.
    """
    model = turn.topology.scores[name]
    score = turn.row.scores.get(name)
    if model.predictor is not None and allows(turn, model.needs):
        score = _fresh(turn, model, score)
    if score is None:
        return model.minimum if model.minimum > 0 else 0.0
    value = decayed(model, score, turn.now_ms)
    if value and decays(model):
        crossing = _next_crossing(model, score, value, turn.now_ms)
        turn.until_ms = min(turn.until_ms, crossing)
    return value


def _fresh(turn: Turn, model: ScoreModel, score: Score | None) -> Score | None:
    """A model's score, evaluated anew where it has gone stale; whoever looks, looks again when it does."""
    predictor = model.predictor
    assert predictor is not None, "rules give the score"
    if not predictor.fresh_ms:
        return score
    if score is None or turn.now_ms >= score.at_ms + predictor.fresh_ms:
        score = evaluate(turn, model)
    turn.until_ms = min(turn.until_ms, score.at_ms + predictor.fresh_ms)
    return score


def grade_now(turn: Turn, name: str) -> str:
    """A score's grade now; the lowest grade for a contact without a score, "" for a model without grades."""
    model = turn.topology.scores[name]
    value = score_now(turn, name)
    score = turn.row.scores.get(name)
    return _grade_of(model, value, score.grade if score else "")


def _grade_of(model: ScoreModel, value: float, current: str) -> str:
    """The highest grade whose ``at`` is reached, or the current one while its ``until`` holds."""
    best = ""
    for grade in model.grades:
        if value >= grade.at or (grade.name == current and value >= grade.until):
            best = grade.name
    return best


def _next_crossing(model: ScoreModel, score: Score, value: float, now_ms: int) -> int:
    """The first instant at which the decaying value is below a bound that it is not below now."""
    below = _reached(model.bounds, value)
    bound = model.bounds[below - 1] if below else 0.0
    soonest = now_ms + DAY_MS if model.compared_freely else NEVER_MS
    return min(soonest, falls_below(model, score, value, now_ms, bound))


def score(turn: Turn, reaction: Reaction) -> None:
    """An event: points by rules, then what the models say to them."""
    if reaction.rules:
        apply_rules(turn, reaction.rules, turn.now_ms - turn.occurred_ms)
    if reaction.wakes:
        stay_active(turn, reaction.wakes)
    if reaction.predicts:
        predict(turn, reaction.predicts)


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
        if model.needs and not allows(turn, model.needs):
            continue
        score = turn.row.scores.get(rule.model)
        if score is None:
            score = _new_score(turn, model)
        if rule.cap_ms:
            turn.row.scores.change(score)  # what is used of the cap is kept, though no points may be left
            # What is imported has its caps' windows where it occurred, and not all of it in one.
            at_ms = turn.occurred_ms if turn.muted else turn.now_ms
            points = _capped(score, rule, points, at_ms)
            if not points:
                continue
        points = aged(model, points, age_ms)
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


def stay_active(turn: Turn, models: tuple[str, ...]) -> None:
    """An activity: what the scores lose by inactivity counts from here; what they have lost stays lost."""
    for name in models:
        score = turn.row.scores.get(name)
        if score is not None:
            lose(turn, turn.topology.scores[name], score)
            turn.row.scores.change(score)
            use = active_since(score)
            use.since_ms = max(use.since_ms, turn.occurred_ms)


def lose(turn: Turn, model: ScoreModel, score: Score) -> None:
    """Write what inactivity has taken by now into the score, and onto the record."""
    active_since(score)  # kept from now on, also where nothing is lost
    value = decayed(model, score, turn.now_ms)
    if value == score.value:
        return
    points = rounded(value - score.value)
    ledger = [{"score": model.name, "rule": "inactive", "points": points, "after": value}]
    turn.out.append(Decision("scored", turn.contact_id, turn.now_ms, "", 0, "", "", "", {"ledger": ledger}))
    turn.row.scores.change(score)
    score.value = value
    score.at_ms = turn.now_ms


def predict(turn: Turn, triggers: tuple[Trigger, ...]) -> None:
    """An event has come at which models are evaluated."""
    for trigger in triggers:
        model = turn.topology.scores[trigger.score]
        assert model.predictor is not None, "rules give the score"
        score = turn.row.scores.get(model.name)
        if score is not None and turn.now_ms - score.at_ms < model.predictor.rest_ms:
            continue
        if allows(turn, model.needs) and (trigger.when is None or trigger.when(turn)):
            evaluate(turn, model)


def evaluate(turn: Turn, model: ScoreModel) -> Score:
    """Ask the model, and raise what follows from its answer; the score as it is now."""
    predictor = model.predictor
    assert predictor is not None, "rules give the score"
    now_ms = turn.now_ms
    answer = ask(turn, model.name, predictor)
    score = turn.row.scores.get(model.name)
    first = score is None
    if score is None:
        score = _new_score(turn, model)
    about: dict[str, Any] = {"model": predictor.identity, "features": answer.features}
    if turn.event_id:
        about["event"] = turn.event_id
    if answer.fault:
        turn.row.scores.change(score)
        score.at_ms = now_ms  # nobody asks again before it would have gone stale
        about["score"] = model.name
        if answer.error:
            about["error"] = answer.error
        turn.out.append(Decision("model_failed", turn.contact_id, now_ms, "", 0, "", "", answer.fault, about))
    else:
        before = score.value
        value = _change(turn, model, score, answer.value - before)
        if first or value != before:
            points = rounded(value - before)
            about["ledger"] = [{"score": model.name, "rule": "model", "points": points, "after": value}]
            turn.out.append(Decision("scored", turn.contact_id, now_ms, "", 0, "", "", "", about))
    if predictor.fresh_ms and (model.grades or model.thresholds):
        _watch(turn, model, score.at_ms + predictor.fresh_ms)
    return score


def add_points(turn: Turn, name: str, points: float, program: str, step: str) -> None:
    """Points given by a step of a program."""
    model = turn.topology.scores[name]
    if not scores_for(turn, model, program, step):
        return
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
    if model.inactive is not None:
        active_since(score)
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
    if model.inactive is not None:
        lose(turn, model, score)
    turn.row.scores.change(score)
    before = decayed(model, score, now_ms)
    value = rounded(min(max(before + points, model.minimum), model.maximum))
    score.value = value
    score.at_ms = now_ms
    for threshold in model.thresholds:
        if before < threshold <= value:
            turn.derived.append(("score_reached", {"score": model.name, "threshold": threshold}))
    # Between two bounds no grade changes and no comparison its answer; but whoever waits for decay to cross
    # one has to wait for less after points were taken away.
    crossed = _reached(model.bounds, before) != _reached(model.bounds, value)
    if not crossed and points < 0 and decays(model):
        crossed = True
    if crossed and model.grades:
        regrade(turn, model, score, value)
    if crossed or model.compared_freely:
        turn.stale.extend(turn.topology.segments_by_score.get(model.name, ()))
    return value


def regrade(turn: Turn, model: ScoreModel, score: Score, value: float) -> None:
    """The score is this value now: see whether its grade is another, and watch for when it will be."""
    grade = _grade_of(model, value, score.grade)
    if grade != score.grade:
        change = {"score": model.name, "from": score.grade, "to": grade}
        score.grade = grade
        turn.out.append(Decision("graded", turn.contact_id, turn.now_ms, "", 0, "", "", "", change))
        turn.derived.append(("grade_changed", change))
    if decays(model) and grade != model.grades[0].name and grade:
        floor = next(grade.until for grade in model.grades if grade.name == score.grade)
        _watch(turn, model, falls_below(model, score, value, turn.now_ms, floor))


def _watch(turn: Turn, model: ScoreModel, due_ms: int) -> None:
    """One timer for what time alone does to the score; one that is earlier finds out when it fires."""
    if due_ms >= NEVER_MS:
        return
    for timer in turn.row.timers:
        if timer.kind == "grade" and timer.name == model.name:
            if due_ms < timer.due_ms:
                turn.row.change_timers()
                timer.due_ms = due_ms
                turn.retimed = True
            return
    turn.row.change_timers().append(Timer(due_ms, "grade", model.name))
    turn.retimed = True


def check_grade(turn: Turn, name: str) -> None:
    """A score's timer fired: see what time has done to its grade, and watch for the next change."""
    model = turn.topology.scores.get(name)
    score = turn.row.scores.get(name)
    if model is None or score is None:
        return
    if model.predictor is not None:
        fresh_ms = model.predictor.fresh_ms
        if fresh_ms and turn.now_ms < score.at_ms + fresh_ms:
            _watch(turn, model, score.at_ms + fresh_ms)  # an event was first
        elif fresh_ms:
            evaluate(turn, model)
        return
    if not model.grades:
        return
    if model.inactive is not None:
        lose(turn, model, score)
    value = decayed(model, score, turn.now_ms)
    turn.row.scores.change(score)
    score.value = value
    score.at_ms = turn.now_ms
    regrade(turn, model, score, value)
    turn.stale.extend(turn.topology.segments_by_score.get(name, ()))
