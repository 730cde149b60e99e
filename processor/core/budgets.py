"""Budgets: what sends may cost, or how many there may be, in a period, over all contacts and partitions.

A budget is a pot of units in each of its periods, handed out by leases (:mod:`processor.core.leases`):
sends, or millionths of the currency. The period is the one that the send is decided in. A send takes what
it needs of every budget that covers it, all or nothing; where the partition has too little at hand it waits
for the home's answer, which is no time on one machine and a moment on many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.leases import FULL, TAKEN, WAITS, give_back, take
from processor.core.policies import SEND, Verdict
from processor.core.rivalry import ticket_of
from processor.core.shared import CLAIMS_MAX, Claim
from processor.core.time import MINUTE_MS, period_span

if TYPE_CHECKING:
    from processor.core.model import Budget, Channel, Purpose
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["MICRO", "budget_of", "spend"]

MICRO: Final = 1_000_000  # units of a currency's unit, in budgets of money
_RETRY_MS: Final = MINUTE_MS  # where too many wait already
_POT: Final = "budget/"


def spend(  # noqa: PLR0913, PLR0917 - what a send is made of, and what it may cost
    turn: Turn,
    enrollment: Enrollment,
    track: Track,
    purpose: Purpose,
    channel: Channel,
    cost: float,
    value: float,
    when_spent: str,
) -> Verdict:
    """Take what the send needs of its budgets; "lease" means that the home has to be asked first."""
    claim = _claim(turn, enrollment, track, purpose, channel, cost, value)
    rivalry = turn.rivalry
    if rivalry is not None and rivalry.grant is not None and rivalry.ticket == claim.ticket:
        grant = rivalry.grant
        rivalry.grant = None
        if grant == claim.needs:
            return SEND
        give_back(turn, grant)  # another period has begun, or it costs something else now
    if not claim.needs:
        return SEND
    answer = take(turn, claim, CLAIMS_MAX)
    if answer == TAKEN:
        return SEND
    if answer == WAITS:
        return Verdict("lease", f"budget:{budget_of(next(iter(claim.needs)))}")
    if answer == FULL:
        name = budget_of(next(iter(claim.needs)))
        return Verdict("wait", f"budget:{name}", turn.now_ms + _RETRY_MS)
    name = budget_of(answer)
    budget = next(one for one in turn.topology.policies.budgets if one.name == name)
    if when_spent == "wait" and budget.per:
        return Verdict("wait", f"budget:{name}", period_span(turn.now_ms, budget.per, budget.zone)[1])
    return Verdict("skip", f"budget:{name}")


def budget_of(pot: str) -> str:
    """The name of the budget that a pot belongs to."""
    return pot.removeprefix(_POT).partition("@")[0]


def _claim(
    turn: Turn,
    enrollment: Enrollment,
    track: Track,
    purpose: Purpose,
    channel: Channel,
    cost: float,
    value: float,
) -> Claim:
    needs: dict[str, int] = {}
    limits: dict[str, int] = {}
    micros = round(cost * MICRO)
    for budget in turn.topology.policies.budgets:
        if _covers(budget, enrollment.program, purpose.name, channel.name):
            need = micros if budget.money else 1
            if need > 0:
                pot = _pot(budget, turn.now_ms)
                needs[pot] = need
                limits[pot] = budget.limit
    return Claim(turn.contact_id, ticket_of(enrollment.id, track.step), needs, limits, value)


def _pot(budget: Budget, now_ms: int) -> str:
    if not budget.per:
        return f"{_POT}{budget.name}"
    start_ms, _ = period_span(now_ms, budget.per, budget.zone)
    return f"{_POT}{budget.name}@{start_ms}"


def _covers(budget: Budget, program: str, purpose: str, channel: str) -> bool:
    return (
        (not budget.programs or program in budget.programs)
        and (not budget.channels or channel in budget.channels)
        and (not budget.purposes or purpose in budget.purposes)
    )
