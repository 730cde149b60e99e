"""What an event leaves behind in the row: histories that something counts, and relations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.history import record
from processor.core.relations import keep
from processor.core.time import hour
from processor.core.turn import zone_of

if TYPE_CHECKING:
    from processor.core.model import Reaction
    from processor.core.turn import Turn

__all__ = ["remember"]


def remember(turn: Turn, reaction: Reaction) -> None:
    """Keep the event at hand where something asks for it, and mark the segments that do."""
    if reaction.relations:
        keep(turn, reaction.relations)
    history = turn.row.history
    for spec in reaction.series:
        if spec.where is None or spec.where(turn):
            value = turn.props.get(spec.value) if spec.value else None
            if spec.by_hour:
                value = hour(turn.occurred_ms, zone_of(turn))
            record(history, spec, turn.occurred_ms, value, turn.now_ms)
            readers = turn.topology.segments_by_series.get(spec.key)
            if readers:
                turn.stale.extend(readers)
