"""Time to goal: the share that has reached the goal so long after entry, with what is still open taken in.

An enrollment that is still inside when the record ends is **censored**: it counts until then, and no longer.
One that left by an exit will not reach the goal: it stays among those who did not. The curve is the
cumulative incidence of Aalen and Johansen (Scandinavian Journal of Statistics 5, 1978), which is 1 less the
estimate of Kaplan and Meier (JASA 53, 1958) where nobody leaves. Its variance is by the delta method, as in
Marubini and Valsecchi, Analysing Survival Data from Clinical Trials (1995), section 10.3 (Greenwood's where
nobody leaves); its interval is on the scale of log(-log), so that it stays between 0 and 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from processor.runtime.report.statistics import Z95

__all__ = ["CENSORED", "GOAL", "LEFT", "POINTS_MAX", "Curve", "Point", "curve"]

CENSORED, GOAL, LEFT = 0, 1, 2
POINTS_MAX: Final = 120  # points of a curve that are kept: more cannot be told apart in a plot
_POWER_MAX: Final = 700.0  # beyond it the interval's upper end is 1 to the last digit


@dataclass(frozen=True)
class Point:
    """``at_ms`` after entry ``share`` had reached the goal; ``at_risk`` were still inside just before."""

    at_ms: int
    share: float
    low: float
    high: float
    at_risk: int


@dataclass(frozen=True)
class Curve:
    """A curve in steps: a point's share holds until the next. The first point is at 0.

    ``end`` is the share at the end. ``quartiles_ms``: when a quarter, a half and three quarters of that share
    had come; None where nobody came.
    """

    points: tuple[Point, ...]
    end: float
    quartiles_ms: tuple[int, int, int] | None


def curve(outcomes: Iterable[tuple[int, int]], *, until_ms: int = 0, design: float = 1.0) -> Curve:
    """Return the curve of (ms after entry, GOAL, LEFT or CENSORED).

    Args:
        outcomes: of each enrollment, in any order.
        until_ms: where the curve ends, so that those of one program end alike; 0 for the last outcome.
        design: the design effect, by which the variance is larger.
    """
    tallies: dict[int, Counter[int]] = {CENSORED: Counter(), GOAL: Counter(), LEFT: Counter()}
    for after_ms, kind in outcomes:
        tallies[kind][after_ms] += 1
    goals, left, censored = tallies[GOAL], tallies[LEFT], tallies[CENSORED]
    moments = sorted({*goals, *left, *censored})
    inside = sum(count for tally in tallies.values() for count in tally.values())
    found = [Point(0, 0.0, 0.0, 0.0, inside)]
    incidence = _Incidence(design)
    for at_ms in moments:
        if goals[at_ms] or left[at_ms]:
            incidence.step(inside, goals[at_ms], left[at_ms])
            if goals[at_ms]:
                found.append(Point(at_ms, min(1.0, incidence.share), *incidence.interval(), inside))
        inside -= goals[at_ms] + left[at_ms] + censored[at_ms]
    quartiles = _quartiles(found)
    last_ms = max(until_ms, moments[-1] if moments else 0)
    if last_ms > found[-1].at_ms:
        end = found[-1]
        found.append(Point(last_ms, end.share, end.low, end.high, inside))
    return Curve(_thinned(found), incidence.share, quartiles)


class _Incidence:
    """The incidence so far, with the sums that its variance needs.

    With I the incidence now and J that before a step, S the share that was inside before it, n inside, d out
    by any way and g by the goal, the variance is the sum over steps of (I-J')^2 d/(n(n-d)) + S^2 g(n-g)/n^3 -
    2 (I-J') S g/n^2, J' being the incidence after the step; multiplied out, so that a step costs the same
    however many came before.
    """

    def __init__(self, design: float) -> None:
        self.share = 0.0
        self._design = design
        self._inside = 1.0
        self._low = 0.0
        self._a0 = self._a1 = self._a2 = self._b = self._c0 = self._c1 = 0.0

    def step(self, inside: int, goals: int, left: int) -> None:
        """Take what happened at one time."""
        out = goals + left
        self.share += self._inside * goals / inside
        if out < inside:
            weight = out / (inside * (inside - out))
            self._a0 += weight
            self._a1 += weight * self.share
            self._a2 += weight * self.share * self.share
        self._b += self._inside**2 * goals * (inside - goals) / inside**3
        weight = self._inside * goals / inside**2
        self._c0 += weight
        self._c1 += weight * self.share
        self._inside *= 1 - out / inside

    def interval(self) -> tuple[float, float]:
        """The interval of the incidence now; the scale has no value for 1, where the last lower end stays."""
        now = self.share
        if now >= 1:
            return (self._low, 1.0)
        variance = now * now * self._a0 - 2 * now * self._a1 + self._a2 + self._b
        variance -= 2 * (now * self._c0 - self._c1)
        error = math.sqrt(max(0.0, variance) * self._design)
        stay = 1 - now
        power = min(_POWER_MAX, Z95 * error / (stay * abs(math.log(stay))))
        self._low = 1 - stay ** math.exp(-power)
        return (self._low, 1 - stay ** math.exp(power))


def _quartiles(points: list[Point]) -> tuple[int, int, int] | None:
    end = points[-1].share
    if end <= 0:
        return None
    found = [
        next(point.at_ms for point in points if point.share >= part * end - 1e-12)
        for part in (0.25, 0.5, 0.75)
    ]
    return (found[0], found[1], found[2])


def _thinned(points: list[Point]) -> tuple[Point, ...]:
    """At most POINTS_MAX of the points, evenly over time: the last one of each stretch."""
    if len(points) <= POINTS_MAX:
        return tuple(points)
    last_ms = points[-1].at_ms
    kept: dict[int, Point] = {}
    for point in points[1:]:
        kept[point.at_ms * (POINTS_MAX - 2) // max(1, last_ms)] = point
    return (points[0], *kept.values())
