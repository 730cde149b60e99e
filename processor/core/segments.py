"""Segments: memberships that follow from conditions.

A segment is looked at again only when something that it reads changed, or when time alone can change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.outputs import Decision
from processor.core.profiling import allows
from processor.core.timers import look_again
from processor.core.turn import NEVER_MS

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["refresh_segments"]


def refresh_segments(turn: Turn) -> None:
    """Look again at the segments in ``turn.stale``, each after those it reads, and raise what changed."""
    topology = turn.topology
    stale = turn.stale
    turn.stale = []
    if len(stale) > 1:
        stale = sorted(set(stale), key=topology.segment_order.__getitem__)
    for name in stale:
        _refresh(turn, name)


def _refresh(turn: Turn, name: str) -> None:
    segment = turn.topology.segments[name]
    turn.until_ms = NEVER_MS
    inside = allows(turn, segment.needs) and bool(segment.when.fn(turn))
    if segment.when.uses.by_time:
        look_again(turn, "segment", name, turn.until_ms)
    memberships = turn.row.segments
    if inside == (name in memberships):
        return
    if inside:
        turn.row.change_segments()[name] = turn.now_ms
        kind = "segment_entered"
    else:
        del turn.row.change_segments()[name]
        kind = "segment_left"
    turn.out.append(Decision(kind, turn.contact_id, turn.now_ms, "", 0, "", "", name))
    turn.derived.append((kind, {"segment": name}))
    turn.stale.extend(turn.topology.segments_by_segment.get(name, ()))
