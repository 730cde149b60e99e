"""What a score is worth later: decay by half-life, loss by inactivity, and when a value falls below a bound.

Nothing is written when a score decays. It is stored as of an instant, and its value at any later one follows
from that alone: so it is exact whenever somebody looks, and nothing sweeps over contacts.

**Loss by inactivity** takes points away ``after_ms`` after the contact's latest activity, and again every
``every_ms``. When the activity was is kept among the score's uses of caps, under a name no rule can have; a
loss is written into the score by whatever writes the score next, so that an activity ends what is to come and
not what has been.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, floor, log, log2
from typing import TYPE_CHECKING, Final

from processor.core.named import CapUse
from processor.core.turn import NEVER_MS

if TYPE_CHECKING:
    from processor.core.model import ScoreModel
    from processor.core.named import Score

__all__ = ["Inactivity", "active_since", "aged", "decayed", "decays", "falls_below", "rounded"]

_LN_2: Final = log(2.0)
_UNITS: Final = 10_000.0  # in a point: scores have four decimals
_HALF_UNIT: Final = 0.5 / _UNITS
_WHOLE_MAX: Final = 1e15  # so many units are whole in any case
_INACTIVE: Final = "~"  # among the uses of caps: since when the contact has not been active
_LOSSES_MAX: Final = 1_000  # looked ahead; what is further away is looked at again then


@dataclass(frozen=True)
class Inactivity:
    """Loss ``after_ms`` after the latest activity, and every ``every_ms`` from then on (0: once).

    Each time ``points`` are lost, or where these are 0 the ``share`` (0 to 1) of what is left.
    """

    after_ms: int
    every_ms: int
    points: float
    share: float


def rounded(value: float) -> float:
    """``value`` to four decimals, halves upward: a tenth of what ``round`` costs."""
    units = value * _UNITS
    if not -_WHOLE_MAX < units < _WHOLE_MAX:
        return value
    return floor(units + 0.5) / _UNITS


def decays(model: ScoreModel) -> bool:
    """Whether time alone lowers the score."""
    return model.half_life_ms > 0 or model.inactive is not None


def decayed(model: ScoreModel, score: Score, now_ms: int) -> float:
    """The score's value at ``now_ms``, rounded."""
    value = score.value
    if not value or now_ms <= score.at_ms:
        return value
    if model.half_life_ms:
        halvings = (now_ms - score.at_ms) / model.half_life_ms
        return rounded(value * exp(-_LN_2 * halvings))
    inactive = model.inactive
    if inactive is None:
        return value
    active_ms = active_since(score).since_ms
    left = _losses(inactive, active_ms, now_ms) - _losses(inactive, active_ms, score.at_ms)
    while left > 0:
        lower = _lost(model, inactive, value)
        if lower == value:
            break
        value = lower
        left -= 1
    return value


def aged(model: ScoreModel, points: float, age_ms: int) -> float:
    """What points of an event that comes ``age_ms`` late are worth now."""
    if age_ms > 0 and model.half_life_ms:
        return rounded(points * exp(-_LN_2 * (age_ms / model.half_life_ms)))
    return points


def falls_below(model: ScoreModel, score: Score, value: float, now_ms: int, bound: float) -> int:
    """When time alone takes the score, which is ``value`` now, below ``bound``; NEVER_MS for never."""
    if bound <= _HALF_UNIT or value <= 0:
        return NEVER_MS
    if model.half_life_ms:
        # Half a unit below the bound the rounded value is below it.
        wait = ceil(model.half_life_ms * log2(value / (bound - _HALF_UNIT))) + 1
        return now_ms + max(wait, 1)
    inactive = model.inactive
    if inactive is None:
        return NEVER_MS
    active_ms = active_since(score).since_ms
    number = _losses(inactive, active_ms, now_ms)
    for _ in range(_LOSSES_MAX):
        if number and not inactive.every_ms:
            return NEVER_MS
        at_ms = active_ms + inactive.after_ms + number * inactive.every_ms
        lower = _lost(model, inactive, value)
        if lower < bound:
            return at_ms
        if lower == value:
            return NEVER_MS
        value = lower
        number += 1
    return active_ms + inactive.after_ms + number * inactive.every_ms


def active_since(score: Score) -> CapUse:
    """Where the score keeps the instant of the latest activity; made where it is missing."""
    for use in score.caps:
        if use.rule == _INACTIVE:
            return use
    use = CapUse(_INACTIVE, score.at_ms, 0.0)
    score.caps.append(use)
    return use


def _losses(inactive: Inactivity, active_ms: int, until_ms: int) -> int:
    """How many losses fall due from the activity until this instant, included."""
    first_ms = active_ms + inactive.after_ms
    if until_ms < first_ms:
        return 0
    if not inactive.every_ms:
        return 1
    return 1 + (until_ms - first_ms) // inactive.every_ms


def _lost(model: ScoreModel, inactive: Inactivity, value: float) -> float:
    """The value after one loss: never below 0, nor below the model's minimum; what is below 0 stays."""
    floor_at = model.minimum if model.minimum > 0 else 0.0
    if value <= floor_at:
        return value
    if inactive.points:
        return rounded(max(value - inactive.points, floor_at))
    # Downwards, so that each loss takes something and a share of little ends at nothing.
    return max(floor(value * (1.0 - inactive.share) * _UNITS) / _UNITS, floor_at)
