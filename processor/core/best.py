"""Splits whose shares move to the best variant: what is counted, where, and the rule that moves them.

**What counts as evidence.** An enrollment that is *dealt evenly* counts, and no other: all of them until each
variant has ``at_least`` results, from then on the ``explore`` percent that go on trying all variants. Every
variant then has its results from the same days and the same kind of contacts. Were those counted too that
were dealt to the winner, a good week would make the variant look good that happened to have the larger share
in it (Simpson's paradox). A result is known when ``within_ms`` have passed since the deal, whether the
event came or not: successes come early and failures late, so counting each as it comes would flatter
whatever was dealt lately. So deals are counted by periods of ``every_ms``, and a period is evidence when the
last of its windows has closed.

**The rule** is randomized probability matching, in batches: a variant's share is the probability that its
rate is the highest, given what was counted, with a uniform prior for each rate. W. R. Thompson: On the
likelihood that one unknown probability exceeds another, Biometrika 25 (1933); S. L. Scott: A modern Bayesian
look at the multi-armed bandit, Applied Stochastic Models in Business and Industry 26 (2010), section 3; on
batches and delays O. Chapelle, L. Li: An empirical evaluation of Thompson sampling, NIPS 2011. A variant
whose probability reaches ``settles`` gets the whole share; those who explore go on, so that a change shows.
With ``explore`` 0 it is epsilon-first: nothing is learnt after ``at_least``. The probability is an integral,
not a sample: there is no chance in it.

**Where.** Each partition counts what it deals in its shared row. With the first deal or success of a new
period it reports to the split's home partition (the one that the hash of its name picks), which adds the
reports up and tells the new shares to every partition that has ever reported. Both are messages in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Any, Final

from processor.core.events import Message
from processor.core.ids import share_of
from processor.core.shared import SplitHere, SplitPool
from processor.core.test_list import is_test

if TYPE_CHECKING:
    from processor.core.model import Fn, Program
    from processor.core.outputs import Output
    from processor.core.sections import Enrollment
    from processor.core.shared import Shared
    from processor.core.turn import Turn

__all__ = [
    "COHORTS_MAX", "Best", "chances", "collect", "counted_until", "deal", "note_event", "note_goal",
    "take_shares",
]  # fmt: skip

COHORTS_MAX: Final = 100  # periods whose windows can be open at a time; a split with more is refused
_POINTS: Final = 1024  # of the integral: its error is far below the tenth of a percent that shares have
_WIDTHS: Final = 9.0  # standard deviations to either side of the mean; beyond is less than 1e-15
_WHOLE: Final = 100.0


@dataclass(frozen=True)
class Best:
    """How a split's shares move. ``events``: what counts as success; none: the program's goal.

    ``explore`` is in percent, ``settles`` a probability; ``variants`` are in the order of the program.
    """

    step: str
    variants: tuple[str, ...]
    events: tuple[str, ...]
    when: Fn | None
    within_ms: int
    explore: float
    at_least: int
    every_ms: int
    settles: float

    @property
    def mark(self) -> str:
        """The name under which an enrollment keeps when it was dealt evenly, until it counts or ends."""
        return f"{self.step}~dealt"


def deal(turn: Turn, rule: Best, enrollment: Enrollment) -> tuple[str, dict[str, Any]]:
    """Choose a variant. Returns it, and what the record says of the choice."""
    name = f"{enrollment.program}/{rule.step}"
    if is_test(turn):
        point = share_of(turn.topology.policies.salt, "split", enrollment.id, rule.step)
        return rule.variants[int(point * len(rule.variants) / _WHOLE)], {"dealt": "test"}
    here = _here(turn, rule, name)
    salt = turn.topology.policies.salt
    shares = here.shares
    knows = len(shares) == len(rule.variants) and all(variant in shares for variant in rule.variants)
    explores = share_of(salt, "explore", enrollment.id, rule.step) < rule.explore
    point = share_of(salt, "split", enrollment.id, rule.step)
    detail: dict[str, Any] = {"dealt": "even"}
    if knows:
        detail = {"dealt": "trial" if explores else "best", "shares": shares.copy(), "round": here.round}
        detail["results"] = {variant: here.results.get(variant, [0, 0]) for variant in rule.variants}
    if knows and not explores:
        chosen = rule.variants[-1]
        for variant in rule.variants:
            if point < shares[variant]:
                chosen = variant
                break
            point -= shares[variant]
        return chosen, detail
    count = len(rule.variants)
    chosen = rule.variants[min(int(point * count / _WHOLE), count - 1)]
    _count(here.counts, f"{turn.now_ms // rule.every_ms} {chosen}", 1, 0)
    if enrollment.done is None:
        enrollment.done = {}
    enrollment.done[rule.mark] = turn.now_ms
    return chosen, detail


def _here(turn: Turn, rule: Best, name: str) -> SplitHere:
    """What this partition knows of a split; a period that has begun is reported first."""
    shared = turn.shared
    turn.shared_changed = True
    here = shared.splits.get(name)
    period = turn.now_ms // rule.every_ms
    if here is None:
        here = shared.splits[name] = SplitHere(period=period)
    if period > here.period:
        body: dict[str, Any] = {
            "split": name,
            "counts": here.counts,
            "from": shared.number,
            "variants": list(rule.variants),
            "within_ms": rule.within_ms,
            "every_ms": rule.every_ms,
            "at_least": rule.at_least,
            "settles": rule.settles,
        }
        turn.out.append(Message("split_counts", "", turn.now_ms, body, home=f"split/{name}"))
        here.counts = {}
        here.period = period
    return here


def _count(counts: dict[str, list[int]], key: str, dealt: int, hits: int) -> None:
    pair = counts.get(key)
    if pair is None:
        counts[key] = [dealt, hits]
    else:
        pair[0] += dealt
        pair[1] += hits


def note_goal(turn: Turn, program: Program, enrollment: Enrollment) -> None:
    """The enrollment has reached the program's goal."""
    for rule in program.bests:
        if not rule.events:
            _hit(turn, rule, enrollment)


def note_event(turn: Turn, program: Program, enrollment: Enrollment) -> None:
    """The event at hand may be a success for one of the program's splits."""
    for rule in program.bests:
        if turn.event_type in rule.events and (rule.when is None or rule.when(turn)):
            _hit(turn, rule, enrollment)


def _hit(turn: Turn, rule: Best, enrollment: Enrollment) -> None:
    done, variants = enrollment.done, enrollment.variants
    dealt_ms = done.get(rule.mark) if done else None
    chosen = variants.get(rule.step) if variants else None
    if done is None or dealt_ms is None or chosen is None:
        return
    turn.row.change_enrollment(enrollment)
    del done[rule.mark]
    if turn.now_ms - dealt_ms <= rule.within_ms:
        here = _here(turn, rule, f"{enrollment.program}/{rule.step}")
        _count(here.counts, f"{dealt_ms // rule.every_ms} {chosen}", 0, 1)


def counted_until(program: Program, enrollment: Enrollment) -> int:
    """Until when an event may still be a success of one of the enrollment's splits; 0: no longer."""
    until_ms = 0
    done = enrollment.done
    if done:
        for rule in program.bests:
            dealt_ms = done.get(rule.mark)
            if rule.events and dealt_ms is not None:
                until_ms = max(until_ms, dealt_ms + rule.within_ms)
    return until_ms


# -------------------------------------------------------------------------------------- at the split's home


def collect(shared: Shared, message: Message) -> list[Output]:
    """A partition's report has come: add it up, and tell the shares where there is something new."""
    body = message.body
    name: str = body["split"]
    pool = shared.pools.get(name)
    if pool is None:
        pool = shared.pools[name] = SplitPool()
    for key, (dealt, hits) in body["counts"].items():
        cohort, _, variant = key.partition(" ")
        if int(cohort) < pool.folded:
            _count(pool.totals, variant, dealt, hits)
        else:
            _count(pool.open, key, dealt, hits)
    ripe = (message.at_ms - body["within_ms"]) // body["every_ms"]
    news = False
    if ripe > pool.folded:
        pool.folded = ripe
        for key in [key for key in pool.open if int(key.partition(" ")[0]) < ripe]:
            dealt, hits = pool.open.pop(key)
            _count(pool.totals, key.partition(" ")[2], dealt, hits)
            news = True
    sender: int = body["from"]
    told = [sender] if sender not in pool.partitions else []
    pool.partitions.extend(told)
    if news:
        pool.round += 1
        told = pool.partitions
    results = {variant: pool.totals.get(variant, [0, 0]).copy() for variant in body["variants"]}
    answer = {
        "split": name,
        "round": pool.round,
        "results": results,
        "shares": shares_of(results, body["at_least"], body["settles"]),
    }
    return [Message("split_shares", "", message.at_ms, answer, partition=number) for number in told]


def take_shares(shared: Shared, message: Message) -> list[Output]:
    """The home's answer has come."""
    body = message.body
    here = shared.splits.get(body["split"])
    if here is None:
        here = shared.splits[body["split"]] = SplitHere()
    if body["round"] >= here.round:
        here.round = body["round"]
        here.shares = body["shares"]
        here.results = body["results"]
    return []


def shares_of(results: dict[str, list[int]], at_least: int, settles: float) -> dict[str, float]:
    """Percent by variant, to tenths; empty while a variant has fewer results than ``at_least``."""
    if any(dealt < at_least for dealt, _ in results.values()):
        return {}
    found = chances([(dealt, min(hits, dealt)) for dealt, hits in results.values()])
    best = max(range(len(found)), key=lambda index: (found[index], -index))
    if found[best] >= settles:
        return {variant: _WHOLE if index == best else 0.0 for index, variant in enumerate(results)}
    shares = [round(chance * _WHOLE, 1) for chance in found]
    shares[best] = round(shares[best] + _WHOLE - sum(shares), 1)
    return dict(zip(results, shares))  # noqa: B905 - strict is not compiled


def chances(results: list[tuple[int, int]]) -> list[float]:
    """For each (dealt, hits): the probability that its rate is the highest.

    The rates' posteriors are beta distributions, hits + 1 and misses + 1; the integral of each density times
    the others' distribution functions is a sum over a grid that holds all but 1e-15 of them.
    """
    low, high = 1.0, 0.0
    for dealt, hits in results:
        a, b = hits + 1.0, dealt - hits + 1.0
        mean = a / (a + b)
        width = _WIDTHS * sqrt(mean * (1.0 - mean) / (a + b + 1.0))
        low, high = min(low, mean - width), max(high, mean + width)
    low, high = max(low, 0.0), min(high, 1.0)
    step = (high - low) / _POINTS
    grid = [low + (index + 0.5) * step for index in range(_POINTS)]
    masses = [_masses(grid, hits, dealt - hits) for dealt, hits in results]
    below: list[list[float]] = []
    for mass in masses:
        total = 0.0
        column: list[float] = []
        for each in mass:
            column.append(total + each / 2.0)
            total += each
        below.append(column)
    found: list[float] = []
    for own, mass in enumerate(masses):
        chance = 0.0
        for index, each in enumerate(mass):
            product = each
            for other, column in enumerate(below):
                if other != own:
                    product *= column[index]
            chance += product
        found.append(chance)
    whole = sum(found)
    return [chance / whole for chance in found]


def _masses(grid: list[float], hits: int, misses: int) -> list[float]:
    """A beta density on the grid, so that the sum is 1."""
    logs = [hits * log(at) + misses * log(1.0 - at) for at in grid]
    top = max(logs)
    raw = [exp(value - top) for value in logs]
    whole = sum(raw)
    return [value / whole for value in raw]
