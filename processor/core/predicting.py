"""Scores that a model gives: a propensity, a risk of churn. The model comes from outside as a plain function.

The function gets the features by name, numbers or None for what is missing, and returns a number. It must
give the same for the same, whenever and wherever it is asked: what is decided has to follow from the log.
That cannot be proved, so it is checked where it is cheap: now and then, by a hash of contact and instant, the
function is asked twice, and two answers are none.

A model that raises, or whose answer is no number, stops nobody. The score stays as it was, the decision
``model_failed`` says why, and the contact is evaluated anew when it would have been in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from processor.core.ids import share_of

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["TWICE_PERCENT", "Answer", "Predictor", "Trigger", "ask"]

TWICE_PERCENT: Final = 6.25  # of evaluations are made twice: one in sixteen

ModelFn = Callable[[dict[str, "float | None"]], Any]
FeatureFn = Callable[["Turn"], Any]


@dataclass(frozen=True)
class Predictor:
    """A model: what it is asked with, and for how long its answer is good.

    ``identity`` is the hash of what the model was loaded from; it goes on the record. An answer older than
    ``fresh_ms`` is asked for again when somebody looks (0: it is good until an event says otherwise). An
    event that comes within ``rest_ms`` of the last evaluation does not cause another.
    """

    fn: ModelFn
    identity: str
    features: tuple[tuple[str, FeatureFn], ...]
    fresh_ms: int
    rest_ms: int
    decimals: int


@dataclass(frozen=True)
class Trigger:
    """An event type has come that the model of this score is evaluated at, if ``when`` holds."""

    score: str
    when: FeatureFn | None


@dataclass(init=False)
class Answer:
    """What a model said: the value, or why there is none ("raised", "no_number", "not_finite", "changing").

    ``error`` is the class of what was raised; its text may hold anything, so it is not kept.
    """

    value: float
    fault: str
    error: str
    features: dict[str, float | None]

    def __init__(self, value: float, fault: str, error: str, features: dict[str, float | None]) -> None:
        self.value = value
        self.fault = fault
        self.error = error
        self.features = features


def ask(turn: Turn, score: str, predictor: Predictor) -> Answer:
    """Compute the features as of now, and ask the model. Never raises for what the model does."""
    until_ms = turn.until_ms
    features: dict[str, float | None] = {}
    for name, feature in predictor.features:
        value = feature(turn)
        # A condition counts as 1 or 0.
        features[name] = float(value) if isinstance(value, bool) else value
    turn.until_ms = until_ms  # a feature that moves with time does not make anybody look again
    try:
        value = predictor.fn(dict(features))
        if share_of("twice", score, turn.contact_id, str(turn.now_ms)) < TWICE_PERCENT:
            again = predictor.fn(dict(features))
            if again != value and (again == again or value == value):  # noqa: PLR0124 - neither is a number
                return Answer(0.0, "changing", "", features)
    except Exception as error:  # noqa: BLE001 - whatever a model does, it must not stop the partition
        return Answer(0.0, "raised", type(error).__name__, features)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Answer(0.0, "no_number", type(value).__name__, features)
    number = float(value)
    if number - number != 0.0:
        return Answer(0.0, "not_finite", "", features)
    return Answer(round(number, predictor.decimals), "", "", features)
