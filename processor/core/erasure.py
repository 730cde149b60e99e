"""A contact is erased: nothing of it is kept, whoever holds some of it is told, and it stays erased.

``contact_erased`` is an event in the log, so a replay erases at the same place. The row goes, and with it
every wait, held send and timer; so do the rows of the ids that became this contact, and of the one that it
became, by messages to where they live. Every channel of the topology gets a command of kind ``erase``, since
no row remembers which of them ever had one. What is recorded of it are counts.

A shell keeps a keyed hash of the id, with the instant, and says of a contact without a row whether it was
erased (``erased_ms`` of the row). What such a contact does is refused, or begins anew, as the policy has it;
from before the erasure nothing is taken in either case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.addresses import leave_addresses
from processor.core.events import Message
from processor.core.ids import command_id, enrollment_id
from processor.core.leases import give_back
from processor.core.lifecycle import ENDED
from processor.core.outputs import Command, Decision
from processor.core.rows import Row

if TYPE_CHECKING:
    from processor.core.events import Event
    from processor.core.turn import Turn

__all__ = ["admit", "erase", "erase_by_message", "forget", "refuse_message"]


def admit(turn: Turn, event: Event, occurred_ms: int) -> bool:
    """An event of a contact that was erased: True where it begins anew, or erases it once more."""
    row = turn.row
    if event.type == "contact_erased":
        return True
    erased_ms = row.erased_ms or row.origin.anew_ms
    if occurred_ms <= erased_ms or not turn.topology.policies.erased_anew:
        at_ms = max(row.clock_ms, erased_ms, occurred_ms)
        detail = {"event": event.event_id}
        turn.out.append(Decision("refused", turn.contact_id, at_ms, "", 0, "", "", "erased", detail))
        row.gone = row.erased_ms > 0
        return False
    if row.erased_ms:
        turn.out.append(Decision("anew", turn.contact_id, occurred_ms, detail={"event": event.event_id}))
        row.change_origin().anew_ms = erased_ms
        row.erased_ms = 0
    return True


def refuse_message(turn: Turn, message: Message) -> None:
    """A message to a contact that was erased: it changes nothing, and is recorded."""
    row = turn.row
    row.gone = True
    if message.kind == "shorten":  # where an alias led that is gone
        return
    at_ms = max(message.at_ms, row.erased_ms)
    detail = {"message": message.kind}
    turn.out.append(Decision("refused", turn.contact_id, at_ms, "", 0, "", "", "erased", detail))
    if message.kind == "wake" and message.body["needs"]:
        give_back(turn, message.body["needs"])
    if message.kind == "arrive":  # a contact that became this one has left an alias behind
        turn.out.append(Message("erase", message.body["from"], at_ms, {"from": turn.contact_id, "event": ""}))


def erase_by_message(turn: Turn, message: Message) -> None:
    """Another id of the same contact was erased."""
    if turn.row.erased_ms:
        turn.row.gone = True
        return
    if message.body.get("forget"):
        if turn.row.alias == message.body["from"]:
            let_go(turn)
        return
    erase(turn, message.body["event"], max(turn.row.clock_ms, message.at_ms), message.body["from"])


def erase(turn: Turn, event_id: str, at_ms: int, asked_by: str = "") -> None:
    """Erase this contact; ``asked_by``: the other id of the same contact whose erasure this follows from."""
    row = turn.row
    turn.now_ms = at_ms
    ended = _end_all(turn, "erased")
    channels = list(turn.topology.channels)
    cause = enrollment_id(turn.contact_id, "", "", event_id)
    for name in channels:
        identity = command_id(cause, "", 1, f"erase:{name}")
        turn.out.append(
            Command(identity, name, "erase", turn.contact_id, "", 0, "", "", "", "", {}, "", at_ms, at_ms, 0)
        )
    others = [name for name in [*row.origin.merged, row.alias] if name and name != asked_by]
    detail: dict[str, Any] = {"enrollments": ended, "channels": channels, "other_ids": len(others)}
    reason = "alias" if row.alias else "other_id" if asked_by else "asked"
    turn.out.append(Decision("erased", turn.contact_id, at_ms, "", 0, "", "", reason, detail))
    leave_addresses(turn)
    body = {"from": turn.contact_id, "event": event_id}
    turn.out.extend([Message("erase", name, at_ms, body) for name in others])
    let_go(turn)
    turn.row.erased_ms = at_ms


def let_go(turn: Turn) -> None:
    """Keep nothing of the contact, here and in what the partition shares."""
    claims = [claim for claim in turn.shared.claims if claim.contact != turn.contact_id]
    if len(claims) < len(turn.shared.claims):  # what is asked for already comes back, and is refused
        turn.shared.claims = claims
        turn.shared_changed = True
    gone = Row.new(turn.row.swept)
    gone.clock_ms = max(turn.row.clock_ms, turn.now_ms)
    gone.gone = True
    turn.row = gone
    turn.runnable = []
    turn.derived = []
    turn.stale = []
    turn.redated = []
    turn.retimed = False


def forget(turn: Turn, at_ms: int) -> bool:
    """Forget a contact of whom nothing came for as long as the policy says; False where something did.

    Nobody is told, and the id may come again: it begins anew then, like any other.
    """
    row = turn.row
    latest_ms = row.active_ms or row.clock_ms
    if latest_ms + turn.topology.policies.forget_ms > at_ms:
        return False
    turn.now_ms = max(row.clock_ms, at_ms)
    others = list(row.origin.merged)
    detail = {"enrollments": _end_all(turn, "forgotten"), "other_ids": len(others)}
    turn.out.append(Decision("forgotten", turn.contact_id, turn.now_ms, "", 0, "", "", "inactive", detail))
    leave_addresses(turn)
    body = {"from": turn.contact_id, "event": "", "forget": True}
    turn.out.extend([Message("erase", name, turn.now_ms, body) for name in others])
    let_go(turn)
    return True


def _end_all(turn: Turn, reason: str) -> int:
    """Record that every enrollment ends here. Returns how many there were."""
    ended = 0
    row = turn.row
    for one in row.enrollments if row.inside else []:
        if one.state == ENDED:
            continue
        ended += 1
        step = one.tracks[0].step if one.tracks else ""
        turn.out.append(
            Decision("exited", turn.contact_id, turn.now_ms, one.program, one.version, one.id, step, reason)
        )
    return ended
