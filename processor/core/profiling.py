"""Purposes for more than sending: without consent no score is kept, and no profile value leaves in a command.

A score model or a segment that ``needs`` a purpose is for contacts who agree to it. Of one who does not,
points are not given and memberships not looked for; nothing of that is written down event by event,
since such a record would be a profile of its own. A withdrawal deletes the scores, which is on record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.core.outputs import Decision
from processor.core.policies import has_consent

if TYPE_CHECKING:
    from processor.core.model import Channel, Node, Purpose, ScoreModel
    from processor.core.turn import Turn

__all__ = ["allows", "delete_scores", "scores_for", "withheld"]


def allows(turn: Turn, needs: str) -> bool:
    """Whether the contact agrees to what a score, a segment or a value needs ("" for nothing)."""
    return not needs or has_consent(turn, needs)


def scores_for(turn: Turn, model: ScoreModel, program: str, step: str) -> bool:
    """Whether points may be given by a step, or by a merge; that they may not is recorded."""
    if allows(turn, model.needs):
        return True
    detail = {"score": model.name, "needs": model.needs}
    turn.out.append(
        Decision("not_scored", turn.contact_id, turn.now_ms, program, 0, "", step, "no_consent", detail)
    )
    return False


def delete_scores(turn: Turn) -> None:
    """Delete what is kept without consent: an answer has changed, or another contact's came in."""
    topology = turn.topology
    if not topology.needs_consent:
        return
    scores = turn.row.scores
    for name in scores.names():
        model = topology.scores.get(name)
        if model is None or allows(turn, model.needs):
            continue
        scores.remove(name)
        kept = [timer for timer in turn.row.timers if not (timer.kind == "grade" and timer.name == name)]
        if len(kept) < len(turn.row.timers):
            turn.row.change_timers()[:] = kept
            turn.retimed = True
        turn.stale.extend(topology.segments_by_score.get(name, ()))
        detail = {"score": name, "needs": model.needs}
        turn.out.append(
            Decision("unscored", turn.contact_id, turn.now_ms, "", 0, "", "", "no_consent", detail)
        )


def withheld(turn: Turn, node: Node, purpose: Purpose, channel: Channel, values: dict[str, Any]) -> list[str]:
    """The values of a command that say something of the contact, and may not leave without its consent."""
    personalising = turn.topology.policies.personalising
    if personalising is None or purpose.transactional:
        return []
    if personalising.channels and channel.name not in personalising.channels:
        return []
    if has_consent(turn, personalising.needs, channel.name):
        return []
    return [name for name in values if name in node.personal]
