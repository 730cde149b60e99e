"""The statistics of reports: intervals of rates, differences and ratios, tests, and when to say nothing.

Everything is in closed form, two-sided and at 95 percent. Enrollments of one contact are alike, so a
sample has a **design effect**: how much less it tells than as many contacts with one enrollment each would.
Intervals are then those of the effective sample size, size / design (Kish, Survey Sampling, 1965; Korn and
Graubard, Survey Methodology 24, 1998). With one enrollment a contact it is 1 and nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

__all__ = [
    "EXPECTED_MIN", "Z95", "Interval", "Mean", "Sample", "detectable", "difference", "holm",
    "mean_difference", "mean_of", "p_value", "ratio", "sample_of", "too_small", "wilson",
]  # fmt: skip

_NORMAL: Final = NormalDist()
Z95: Final = _NORMAL.inv_cdf(0.975)
_Z_POWER: Final = _NORMAL.inv_cdf(0.8)
EXPECTED_MIN: Final = 5.0  # goals, and misses, that each side should have before anything is said of them
_DESIGN_EXACT: Final = 1.0 + 1e-9


@dataclass(frozen=True)
class Interval:
    """A 95 percent confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Sample:
    """``size`` enrollments, ``hits`` of which reached the goal; ``design``: the design effect, 1 or more."""

    size: int
    hits: int
    design: float = 1.0

    @property
    def rate(self) -> float:
        """The share that reached the goal, 0 of none."""
        return self.hits / self.size if self.size else 0.0

    @property
    def effective(self) -> float:
        """The size of a sample of independent enrollments that tells as much."""
        return self.size / self.design


@dataclass(frozen=True)
class Mean:
    """A mean over ``size`` enrollments of ``clusters`` contacts, and its standard error."""

    value: float
    error: float
    size: int
    clusters: int


def sample_of(contacts: Iterable[tuple[int, int]]) -> Sample:
    """Return the sample of (enrollments, goals) of each contact, with its design effect.

    The variance of the rate is that of a ratio of totals over contacts (Cochran, Sampling Techniques, 3rd
    ed. 1977, section 3.12), the design effect that over p(1-p)/n. Where nobody or everybody reached the goal
    the variance says nothing, and the design effect is the worst case, enrollments for each contact.
    """
    pairs = list(contacts)
    size, hits = sum(n for n, _ in pairs), sum(x for _, x in pairs)
    clusters = len(pairs)
    if clusters == size or clusters < 2:  # noqa: PLR2004 - the variance of one contact is not known
        return Sample(size, hits, float(max(1, size)) if clusters < size else 1.0)
    rate = hits / size
    if not 0 < hits < size:
        return Sample(size, hits, size / clusters)
    spread = sum((x - rate * n) ** 2 for n, x in pairs) * clusters / (clusters - 1)
    return Sample(size, hits, max(1.0, spread / (size * rate * (1 - rate))))


def wilson(sample: Sample) -> Interval:
    """Return the score interval of a rate (Wilson, JASA 22, 1927), [0, 1] where there is nothing.

    Newcombe, Statistics in Medicine 17:857 (1998) compares it with others.
    """
    size = sample.effective
    if size == 0:
        return Interval(0.0, 1.0)
    rate, square = sample.rate, Z95 * Z95
    middle = rate + square / (2 * size)
    half = Z95 * math.sqrt(rate * (1 - rate) / size + square / (4 * size * size))
    scale = 1 + square / size
    low = 0.0 if sample.hits == 0 else (middle - half) / scale
    high = 1.0 if sample.hits == sample.size else (middle + half) / scale
    return Interval(max(0.0, low), min(1.0, high))


def difference(of: Sample, base: Sample) -> Interval:
    """Return the interval of the difference of two rates, ``of`` less ``base``.

    The hybrid score method, number 10 of Newcombe, Statistics in Medicine 17:873 (1998).
    """
    one, other = wilson(of), wilson(base)
    rate = of.rate - base.rate
    below = math.hypot(of.rate - one.low, other.high - base.rate)
    above = math.hypot(one.high - of.rate, base.rate - other.low)
    return Interval(max(-1.0, rate - below), min(1.0, rate + above))


def ratio(of: Sample, base: Sample) -> Interval | None:
    """Return the interval of the ratio of two rates; None where one of them is 0.

    By the delta method on the log scale (Katz, Baptista, Azen and Pike, Biometrics 34, 1978).
    """
    if not of.hits or not base.hits:
        return None
    error = math.sqrt(sum((1 - each.rate) / (each.rate * each.effective) for each in (of, base)))
    middle = math.log(of.rate / base.rate)
    return Interval(math.exp(middle - Z95 * error), math.exp(middle + Z95 * error))


def p_value(of: Sample, base: Sample) -> float:
    """Return the two-sided p-value of the two rates being one.

    The chi-squared test with N - 1 where at least one hit and one miss are to be expected on each side, else
    Fisher's exact test, as Campbell, Statistics in Medicine 26:3661 (2007) advises. 1 where there is nothing
    to compare.
    """
    size = of.effective + base.effective
    hits = of.rate * of.effective + base.rate * base.effective
    if not of.size or not base.size or not 0 < hits < size:
        return 1.0
    pooled = hits / size
    fewest = min(of.effective, base.effective) * min(pooled, 1 - pooled)
    if fewest < 1 and max(of.design, base.design) < _DESIGN_EXACT:
        return _fisher(of, base)
    spread = pooled * (1 - pooled) * (1 / of.effective + 1 / base.effective)
    square = (of.rate - base.rate) ** 2 / spread * max(0.0, 1 - 1 / size)
    return math.erfc(math.sqrt(square / 2))


def _fisher(of: Sample, base: Sample) -> float:
    """Fisher's exact test: the tables with these margins that are no likelier than this one."""
    hits = of.hits + base.hits
    ways = math.lgamma

    def log_choose(n: int, k: int) -> float:
        return ways(n + 1) - ways(k + 1) - ways(n - k + 1)

    def log_chance(k: int) -> float:
        return log_choose(of.size, k) + log_choose(base.size, hits - k)

    here = log_chance(of.hits)
    tables = range(max(0, hits - base.size), min(hits, of.size) + 1)
    whole = log_choose(of.size + base.size, hits)
    found = (log_chance(k) for k in tables)
    return min(1.0, sum(math.exp(chance - whole) for chance in found if chance <= here + 1e-7))


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for being several (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, number in enumerate(sorted(range(len(values)), key=lambda number: values[number])):
        highest = max(highest, min(1.0, (len(values) - rank) * values[number]))
        adjusted[number] = highest
    return adjusted


def too_small(of: Sample, base: Sample) -> bool:
    """Whether the samples are too small to say anything.

    Less than EXPECTED_MIN hits or misses to be expected on a side (the rule of Cochran, Biometrics 10, 1954).
    """
    size = of.effective + base.effective
    if not of.size or not base.size:
        return True
    pooled = (of.rate * of.effective + base.rate * base.effective) / size
    return min(of.effective, base.effective) * min(pooled, 1 - pooled) < EXPECTED_MIN


def detectable(of: Sample, base: Sample) -> float | None:
    """Return the smallest difference of rates that these samples find with a chance of 80 percent.

    Normal approximation at the pooled rate (Fleiss, Levin and Paik, Statistical Methods for Rates and
    Proportions, 3rd ed. 2003, chapter 4). None where there is no rate to begin with.
    """
    size = of.effective + base.effective
    if not of.size or not base.size:
        return None
    pooled = (of.rate * of.effective + base.rate * base.effective) / size
    if not 0 < pooled < 1:
        return None
    error = math.sqrt(pooled * (1 - pooled) * (1 / of.effective + 1 / base.effective))
    return min(1.0, (Z95 + _Z_POWER) * error)


def mean_of(contacts: Iterable[tuple[int, float]]) -> Mean:
    """Return the mean for each enrollment, from (enrollments, total) of each contact.

    A ratio of totals over contacts, as in :func:`sample_of`. The error is NaN for fewer than two contacts.
    """
    pairs = list(contacts)
    size, clusters = sum(n for n, _ in pairs), len(pairs)
    if not size:
        return Mean(0.0, math.nan, 0, 0)
    value = math.fsum(v for _, v in pairs) / size
    if clusters < 2:  # noqa: PLR2004 - see above
        return Mean(value, math.nan, size, clusters)
    spread = math.fsum((v - value * n) ** 2 for n, v in pairs) * clusters / (clusters - 1)
    return Mean(value, math.sqrt(spread) / size, size, clusters)


def mean_difference(of: Mean, base: Mean) -> Interval | None:
    """Return the interval of the difference of two means, by the normal distribution; None if unknown."""
    error = math.hypot(of.error, base.error)
    if math.isnan(error):
        return None
    middle = of.value - base.value
    return Interval(middle - Z95 * error, middle + Z95 * error)
