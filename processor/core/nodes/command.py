"""Giving a command, the one place where commands are made; and holding one back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.admission import note_sent
from processor.core.brakes import count_command
from processor.core.handover import reply_to
from processor.core.ids import command_id
from processor.core.lifecycle import move_track
from processor.core.outputs import Command
from processor.core.policies import ASKED, Verdict, expiry, is_confirmation
from processor.core.profiling import withheld
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.model import Channel, Fn, Node, Purpose
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["give_command", "hold_back", "identity_of", "own_cost", "values_of"]


def identity_of(enrollment: Enrollment, node: Node, way: str = "") -> str:
    """The id of the command that the step gives on this visit."""
    visits = enrollment.visits
    occurrence = visits.get(node.id, 1) if visits else 1
    return command_id(enrollment.id, node.id, occurrence, f"{node.kind}:{way}" if way else node.kind)


def own_cost(turn: Turn, own: Fn | None) -> float | None:
    """What a send costs beside its channel's cost, in the topology's currency; None where it says nothing."""
    more = None if own is None else own(turn)
    return None if more is None else max(0.0, float(more))


def give_command(  # noqa: PLR0913 - a command is made of that many things, all named
    turn: Turn,
    enrollment: Enrollment,
    node: Node,
    *,
    channel: Channel,
    purpose: Purpose,
    template: str,
    values: dict[str, Any],
    expires_ms: int,
    way: str = "",
    variant: str = "",
    cost: float | None = None,
) -> None:
    """Put a command on its channel, and its decision on the record.

    ``way`` tells a step's further commands from its first: the channel that a send fell back on, or the piece
    of a series. A piece is sent as any message is. ``variant`` is the send's own, by locale say; ``cost`` is
    the send's own, beside what its channel costs.
    """
    identity = identity_of(enrollment, node, way)
    variants = enrollment.variants
    kept_back = withheld(turn, node, purpose, channel, values) if node.personal else []
    if kept_back:
        values = {name: value for name, value in values.items() if name not in kept_back}
    turn.out.append(
        Command(
            identity,
            channel.name,
            "send" if node.kind == "series" else node.kind,
            turn.contact_id,
            enrollment.program,
            enrollment.version,
            enrollment.id,
            node.id,
            _variant(node, variants, variant) if variants or variant else "",
            template,
            values,
            purpose.name,
            turn.now_ms,
            turn.now_ms,
            expiry(turn, purpose, channel, expires_ms),
        )
    )
    if turn.slot >= 0 and turn.slot_channel == channel.name:
        turn.slot = -1  # its room is used
    breakers = turn.topology.breakers
    if breakers:
        breaker = breakers.get(enrollment.program)
        if breaker is not None:
            count_command(turn, breaker, enrollment.program)
    asks = purpose.confirm_ms and is_confirmation(turn, purpose, channel.name, template)
    detail: dict[str, Any] = {"command": identity, "channel": channel.name, "template": template}
    if kept_back:
        detail["withheld"] = kept_back
    if cost is not None:
        detail["cost"] = cost
    record(turn, "commanded", enrollment, node.id, "confirmation" if asks else "", detail)
    if turn.rivalry is not None:
        note_sent(turn, enrollment, purpose, channel)


def _variant(node: Node, variants: dict[str, str] | None, own: str) -> str:
    """The ways taken at splits, and the variant of the step itself."""
    taken = [f"{split}={chosen}" for split, chosen in variants.items()] if variants else []
    if own:
        taken.append(f"{node.id}={own}")
    return ",".join(taken)


def values_of(turn: Turn, values: tuple[tuple[str, Fn], ...], *, replies: bool) -> dict[str, Any]:
    """What a template is filled with; with ``replies`` also who answers go to, None without an owner."""
    made = {name: value(turn) for name, value in values}
    if replies:
        made["reply_to"] = reply_to(turn)
    return made


def hold_back(
    turn: Turn,
    enrollment: Enrollment,
    track: Track,
    verdict: Verdict,
    hold_ms: int,
    detail: dict[str, Any],
) -> bool:
    """Hold a send, at most ``hold_ms`` after the track came to it, or suppress it; True where it is held."""
    if verdict.detail is not None:
        detail |= verdict.detail
    if verdict.outcome == "stand":  # it is held already
        if verdict.until_ms:
            record(turn, "held", enrollment, track.step, verdict.rule, detail | {"until": verdict.until_ms})
        return True
    if verdict.outcome == "wait":
        asked = verdict.rule == ASKED  # an answer is on its way: however long that takes, it is waited for
        give_up_ms = verdict.until_ms if asked else track.since_ms + hold_ms
        if turn.now_ms < give_up_ms:
            track.due_ms = min(verdict.until_ms, give_up_ms)
            turn.retimed = True
            move_track(track, "hold")
            record(turn, "held", enrollment, track.step, verdict.rule, detail | {"until": track.due_ms})
            return True
        detail["held_by"] = verdict.rule
        verdict = Verdict("skip", "held_too_long")
    record(turn, "suppressed", enrollment, track.step, verdict.rule, detail)
    return False
