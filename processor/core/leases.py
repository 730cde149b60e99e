"""Leases: a quantity all partitions share, handed out by its home partition through messages in the log.

The home of a quantity is the partition that the hash of its name picks. A partition that runs out of units
asks its home for a batch, once; the contacts that need one meanwhile wait, and are woken when the answer
comes. Units that a partition was granted and does not use are not returned: with P partitions up to
``P * (batch - 1)`` of a quantity can stay unused, which a batch of a hundredth of it keeps small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.best import collect, take_shares
from processor.core.brake_home import advance_home
from processor.core.brakes import set_brake
from processor.core.events import Message
from processor.core.shared import LEASE_WAITERS_MAX, Lease

if TYPE_CHECKING:
    from processor.core.model import Program, Topology
    from processor.core.outputs import Output
    from processor.core.shared import Shared
    from processor.core.turn import Turn

__all__ = ["advance_shared", "take_unit", "unit_for"]


def _name(program: Program) -> str:
    return f"entrants/{program.name}"


def take_unit(turn: Turn, program: Program) -> bool:
    """Take a unit of the program's cap on entrants, or queue the contact and ask for more (False)."""
    name = _name(program)
    shared = turn.shared
    lease = shared.leases.get(name)
    if lease is None:
        lease = shared.leases[name] = Lease(0, asked=False, exhausted=False, waiting=[])
    turn.shared_changed = True
    if lease.available > 0:
        lease.available -= 1
        return True
    if lease.exhausted or len(lease.waiting) >= LEASE_WAITERS_MAX:
        turn.out.append(Message("wake", turn.contact_id, turn.now_ms, {"lease": name}))
        return False
    _wait(turn, program, lease)
    return False


def wait_again(turn: Turn, program: Program) -> bool:
    """A woken contact for which the grant did not suffice queues once more; False where no more come."""
    lease = turn.shared.leases.get(_name(program))
    if lease is None or lease.exhausted or len(lease.waiting) >= LEASE_WAITERS_MAX:
        return False
    _wait(turn, program, lease)
    return True


def _wait(turn: Turn, program: Program, lease: Lease) -> None:
    name, shared = _name(program), turn.shared
    turn.shared_changed = True
    lease.waiting.append(turn.contact_id)
    if not lease.asked:
        lease.asked = True
        units = max(1, program.entrants_max // 100)
        body = {"lease": name, "units": units, "limit": program.entrants_max, "from": shared.number}
        turn.out.append(Message("lease_ask", "", turn.now_ms, body, home=name))


def unit_for(turn: Turn, program: Program) -> bool:
    """A woken contact takes a unit, if there is one now."""
    lease = turn.shared.leases.get(_name(program))
    if lease is None or lease.available <= 0:
        return False
    lease.available -= 1
    turn.shared_changed = True
    return True


def advance_shared(topology: Topology, shared: Shared, message: Message, watermark_ms: int) -> list[Output]:
    """A message to the partition's shared row: a request or a report at a home, or the home's answer."""
    if message.kind == "split_counts":
        return collect(shared, message)
    if message.kind == "split_shares":
        return take_shares(shared, message)
    if message.kind in {"brake_set", "brake_full"}:
        set_brake(shared, message, watermark_ms)
        return []
    if message.kind.startswith("brake_"):
        return advance_home(topology, shared, message)
    name = message.body["lease"]
    if message.kind == "lease_ask":
        given = shared.granted.get(name, 0)
        units = max(0, min(message.body["units"], message.body["limit"] - given))
        shared.granted[name] = given + units
        body = {"lease": name, "units": units}
        return [Message("lease_grant", "", message.at_ms, body, partition=message.body["from"])]
    if message.kind != "lease_grant":
        reason = f"message kind {message.kind!r} is not for a shared row"
        raise AssertionError(reason)
    lease = shared.leases[name]
    lease.asked = False
    lease.available += message.body["units"]
    lease.exhausted = message.body["units"] == 0
    waiting, lease.waiting = lease.waiting, []
    return [Message("wake", contact, message.at_ms, {"lease": name}) for contact in waiting]
