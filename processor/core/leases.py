"""Leases: quantities that all partitions share, handed out by one home through messages in the log.

A **pot** is such a quantity: a cap on entrants, or a budget in one of its periods. All pots have one home,
the partition that the hash of HOME picks, so that a claim on several of them is granted whole or not at
all. A partition has a **pool** of each pot: units granted to it that anyone there may take. Who finds too
little claims what is lacking and waits; the claims of a partition go to the home in one message at a time.

- **Grants.** A grant is for the one who claimed it: it travels with the message that wakes the contact, and
  goes home again when the contact no longer wants it. With it may come a batch for the pool: a hundredth of
  the pot, and less as the pot empties, since what lies in a pool is out of reach for others.
- **Returns.** Where the home has too little, it first recalls what lies in pools, and answers when every
  partition that may hold some has given it back. So a pot is said to be spent only when no unit lies idle.
- **Order.** Claims that wait together at the home or in a partition are served by their value, the highest
  first, then in the order in which they came; one that has to wait for returns holds back the later ones on
  its pots. Between claims that never wait together the log decides: first come, first served.
- **Spent.** A partition that was refused remembers it and asks no more for as much. What comes home after
  that (a contact had left meanwhile) is for those who do ask, and may stay unused.

Pots of periods are called ``NAME@START``. The latest PERIODS_MAX of a name are kept; a claim on an older
one is refused, so that no pot is ever filled twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.best import collect, take_shares
from processor.core.brake_home import advance_home
from processor.core.brakes import set_brake
from processor.core.events import Message
from processor.core.pacing import advance_pace
from processor.core.shared import Claim, Pot, Spent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processor.core.model import Topology
    from processor.core.outputs import Output
    from processor.core.shared import Shared
    from processor.core.turn import Turn

__all__ = ["HOME", "PERIODS_MAX", "TAKEN", "WAITS", "advance_shared", "give_back", "take"]

HOME: Final = "leases"
TAKEN: Final = "taken"
WAITS: Final = "waits"
FULL: Final = "full"
PERIODS_MAX: Final = 40  # of one budget, that are kept at the home and in pools; older ones are over
_CLAIMS_AN_ASK: Final = 500  # of one partition in one message
_BATCH_SHARE: Final = 100  # a batch is at most this part of its pot
_HOLDER_SHARE: Final = 4  # and at most this part of what is left for each partition that holds some


def take(turn: Turn, claim: Claim, waiters_max: int) -> str:
    """Take what is claimed from the pools, all or nothing.

    Returns TAKEN; or WAITS, where it was claimed from the home, whose answer wakes the contact; or FULL,
    where more than ``waiters_max`` wait here; or the name of a pot that has too little left.
    """
    shared = turn.shared
    pot = _spent_pot(shared, claim)
    if pot:
        return pot
    turn.shared_changed = True
    if _take(shared, claim):
        return TAKEN
    if len(shared.claims) + shared.asked >= waiters_max:
        return FULL
    shared.claims.append(claim)
    turn.claimed = True
    if not shared.asked:
        turn.out.append(_ask(shared, turn.now_ms))
    return WAITS


def give_back(turn: Turn, needs: dict[str, int]) -> None:
    """Units that came with a wake-up and are not wanted any more go home."""
    body = {"units": dict(needs), "recalled": False}
    turn.out.append(Message("lease_return", "", turn.now_ms, body, home=HOME))


def _spent_pot(shared: Shared, claim: Claim) -> str:
    if shared.spent:
        for pot, need in claim.needs.items():
            spent = shared.spent.get(pot)
            if spent is not None and need >= spent.need and claim.limits[pot] == spent.limit:
                return pot
    return ""


def _take(shared: Shared, claim: Claim) -> bool:
    pools = shared.at_hand
    for pot, need in claim.needs.items():
        if pools.get(pot, 0) < need:
            return False
    for pot, need in claim.needs.items():
        pools[pot] -= need
    return True


def _ask(shared: Shared, at_ms: int) -> Message:
    asked = shared.claims[:_CLAIMS_AN_ASK]
    shared.claims = shared.claims[_CLAIMS_AN_ASK:]
    shared.asked = len(asked)
    claims = [[c.contact, c.ticket, c.needs, c.limits, c.value] for c in asked]
    return Message("lease_ask", "", at_ms, {"from": shared.number, "claims": claims}, home=HOME)


def advance_shared(topology: Topology, shared: Shared, message: Message, watermark_ms: int) -> list[Output]:
    """A message to the partition's shared row: a request or a report at a home, or the home's answer."""
    if not message.kind.startswith("lease_"):
        return _of_others(topology, shared, message, watermark_ms)
    body, at_ms = message.body, message.at_ms
    if message.kind == "lease_ask":
        number = body["from"]
        shared.queue.extend([Claim(c[0], c[1], c[2], c[3], c[4], number) for c in body["claims"]])
        return _serve(shared, at_ms)
    if message.kind == "lease_return":
        for name, units in body["units"].items():
            pot = shared.pots.get(name)
            if pot is not None:
                pot.given -= units
        if body["recalled"]:
            shared.recalls -= 1
        return _serve(shared, at_ms)
    if message.kind == "lease_grant":
        return _granted(shared, body, at_ms)
    if message.kind == "lease_recall":
        units = {name: shared.at_hand.pop(name, 0) for name in body["pots"]}
        return [Message("lease_return", "", at_ms, {"units": units, "recalled": True}, home=HOME)]
    raise _misdirected(message)


def _of_others(topology: Topology, shared: Shared, message: Message, watermark_ms: int) -> list[Output]:
    """A message about anything but leases: splits by best performer, brakes, paced channels."""
    if message.kind == "split_counts":
        return collect(shared, message)
    if message.kind == "split_shares":
        return take_shares(shared, message)
    if message.kind in {"brake_set", "brake_full"}:
        set_brake(shared, message, watermark_ms)
        return []
    if message.kind.startswith("brake_"):
        return advance_home(topology, shared, message)
    if message.kind.startswith("pace_"):
        return advance_pace(shared, message)
    raise _misdirected(message)


def _misdirected(message: Message) -> AssertionError:
    return AssertionError(f"message kind {message.kind!r} is not for a shared row")


def _by_value(claims: list[Claim]) -> list[Claim]:
    """The order in which claims are served: sorting leaves equals in the order in which they came."""
    return sorted(claims, key=lambda claim: -claim.value)


# --- at the home


def _serve(shared: Shared, at_ms: int) -> list[Output]:
    """Answer the claims that can be answered; recall pools where the pots themselves hold too little."""
    if shared.recalls or not shared.queue:
        return []
    answers: dict[int, dict[str, Any]] = {}
    stopped: set[str] = set()  # pots on which a claim waits for returns
    waiting: list[Claim] = []
    for claim in _by_value(shared.queue):
        if any(name in stopped for name in claim.needs):
            waiting.append(claim)
            continue
        short = [name for name, need in claim.needs.items() if _left(shared, name, claim) < need]
        held = [name for name in short if name in shared.pots and shared.pots[name].holders]
        if held and len(held) == len(short):
            stopped.update(held)
            waiting.append(claim)
            continue
        answer = answers.setdefault(claim.partition, {"grants": [], "refused": [], "extra": {}})
        if short:
            name = next(name for name in short if name not in held)
            need, limit = claim.needs[name], claim.limits[name]
            answer["refused"].append([claim.contact, claim.ticket, name, need, limit])
        else:
            _grant(shared, claim, answer)
    shared.queue = waiting
    for answer in answers.values():
        _add_batches(shared, answer, stopped)
    out: list[Output] = [
        Message("lease_grant", "", at_ms, answer, partition=number) for number, answer in answers.items()
    ]
    return out + _recall(shared, stopped, at_ms)


def _left(shared: Shared, name: str, claim: Claim) -> int:
    """What the home has of a pot; nothing of a period that is long over."""
    pot = shared.pots.get(name)
    limit = claim.limits[name]
    if pot is None:
        if not _keep_latest(shared.pots, name):
            return -1
        pot = shared.pots[name] = Pot(limit)
    pot.limit = limit  # of the topology that the claim was made under
    return pot.limit - pot.given


def _grant(shared: Shared, claim: Claim, answer: dict[str, Any]) -> None:
    for name, need in claim.needs.items():
        pot = shared.pots[name]
        pot.given += need
        if claim.partition not in pot.holders:
            pot.holders.append(claim.partition)
        answer["extra"][name] = need  # until the batch is known: what one more send like this takes
    answer["grants"].append([claim.contact, claim.ticket, claim.needs])


def _add_batches(shared: Shared, answer: dict[str, Any], stopped: set[str]) -> None:
    """Give the partition a batch for its pool, in whole sends."""
    extra = answer["extra"]
    for name, need in extra.items():
        pot = shared.pots.get(name)
        if pot is None:  # a claim behind it was on a later period, and this one is over
            extra[name] = 0
            continue
        left = pot.limit - pot.given
        room = min(pot.limit // _BATCH_SHARE, left // (_HOLDER_SHARE * len(pot.holders)))
        units = 0 if name in stopped else max(0, room // need * need)
        pot.given += units
        extra[name] = units


def _recall(shared: Shared, pots: set[str], at_ms: int) -> list[Output]:
    by_holder: dict[int, list[str]] = {}
    for name in sorted(pots):
        pot = shared.pots.get(name)
        if pot is None:
            continue
        for number in pot.holders:
            by_holder.setdefault(number, []).append(name)
        pot.holders = []
    shared.recalls = len(by_holder)
    return [
        Message("lease_recall", "", at_ms, {"pots": names}, partition=number)
        for number, names in sorted(by_holder.items())
    ]


# --- in a partition


def _granted(shared: Shared, body: dict[str, Any], at_ms: int) -> list[Output]:
    """The home has answered: wake those it answered, then whoever the pools are enough for now."""
    out: list[Output] = []
    for name, units in body["extra"].items():
        if units and _keep_latest(shared.at_hand, name):
            shared.at_hand[name] = shared.at_hand.get(name, 0) + units
    for contact, ticket, needs in body["grants"]:
        out.append(Message("wake", contact, at_ms, {"ticket": ticket, "needs": needs}))
    for contact, ticket, name, need, limit in body["refused"]:
        spent = shared.spent.get(name)
        if (spent is None or spent.limit != limit or need < spent.need) and _keep_latest(shared.spent, name):
            shared.spent[name] = Spent(need, limit)
        out.append(Message("wake", contact, at_ms, {"ticket": ticket, "needs": None}))
    shared.asked -= len(body["grants"]) + len(body["refused"])
    waiting: list[Claim] = []
    served: list[Claim] = _by_value(shared.claims) if len(shared.claims) > 1 else shared.claims
    for claim in served:
        if _spent_pot(shared, claim):
            out.append(Message("wake", claim.contact, at_ms, {"ticket": claim.ticket, "needs": None}))
        elif _take(shared, claim):
            out.append(Message("wake", claim.contact, at_ms, {"ticket": claim.ticket, "needs": claim.needs}))
        else:
            waiting.append(claim)
    shared.claims = waiting
    if waiting and not shared.asked:
        out.append(_ask(shared, at_ms))
    return out


def _keep_latest(pots: Any, name: str) -> bool:
    """Make room for a pot: of a budget's periods the latest are kept. False for one older than all those."""
    if name in pots:
        return True
    budget, _, start = name.rpartition("@")
    if not budget:
        return True
    known = sorted(int(start) for start in _starts(pots, budget))
    if len(known) < PERIODS_MAX:
        return True
    if int(start) < known[0]:
        return False
    del pots[f"{budget}@{known[0]}"]
    return True


def _starts(pots: Iterable[str], budget: str) -> list[str]:
    return [name.rpartition("@")[2] for name in pots if name.rpartition("@")[0] == budget]
