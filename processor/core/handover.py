"""Handing a contact over to a person: who it goes to, and what that person is told.

A topology in which a step asks for ``context`` remembers, beside the relations, each contact's latest events
and the latest lines of its score ledger; any other remembers nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.expressions.moments import iso
from processor.core.outputs import Decision
from processor.core.profile import set_attribute
from processor.core.relations import append, items_of
from processor.core.scoring import grade_now, score_now

if TYPE_CHECKING:
    from processor.core.events import Event
    from processor.core.model import Team
    from processor.core.turn import Turn

__all__ = ["CONTEXT_MAX", "context", "note_event", "note_points", "own", "owner_in", "reply_to"]

CONTEXT_MAX: Final = 5  # events, and lines of the ledger, that are remembered for a hand-over
PROPERTIES_MAX: Final = 5  # of an event in it
_TEXT_CHARS_MAX: Final = 100
_EVENTS: Final = "~events"
_POINTS: Final = "~points"


def note_event(turn: Turn, event: Event) -> None:
    """Remember an event for a hand-over: its type, and what of it is short."""
    said: dict[str, Any] = {}
    for name, value in event.properties.items():
        if len(said) < PROPERTIES_MAX and value.__class__ in {int, float, bool, str}:
            said[name] = value[:_TEXT_CHARS_MAX] if value.__class__ is str else value
    fields: dict[str, Any] = {"event": event.type}
    if said:
        fields["properties"] = said
    append(turn.row.history, _EVENTS, turn.occurred_ms, fields, CONTEXT_MAX)


def note_points(turn: Turn) -> None:
    """Remember the points that this turn has given and that are not remembered yet."""
    index = turn.noted
    out = turn.out
    while index < len(out):
        output = out[index]
        index += 1
        if isinstance(output, Decision) and output.kind == "scored" and output.detail:
            for line in output.detail["ledger"]:
                append(turn.row.history, _POINTS, output.at_ms, line, CONTEXT_MAX)
    turn.noted = index


def context(turn: Turn) -> dict[str, Any]:
    """What a person is told: scores with their grades, the latest points and events, the latest first."""
    note_points(turn)
    history = turn.row.history
    scores: dict[str, Any] = {}
    for name in turn.topology.scores:
        scores[name] = {"value": score_now(turn, name)}
        grade = grade_now(turn, name)
        if grade:
            scores[name]["grade"] = grade
    return {
        "scores": scores,
        "points": [{"at": iso(at_ms), **line} for _, at_ms, line in reversed(items_of(history, _POINTS))],
        "events": [{"at": iso(at_ms), **said} for _, at_ms, said in reversed(items_of(history, _EVENTS))],
    }


def owner_in(turn: Turn, team: Team) -> str:
    """The contact's owner where it is a member of the team, else the empty text."""
    owner = turn.row.attributes.get("owner")
    name = owner.get("name") if isinstance(owner, dict) else None
    return name if isinstance(name, str) and name in team.members else ""


def own(turn: Turn, team: Team, member: str) -> None:
    """Make a member of the team the contact's owner."""
    set_attribute(turn, "owner", {"name": member, "team": team.name, **team.addresses.get(member, {})})


def reply_to(turn: Turn) -> dict[str, Any] | None:
    """The owner's name and addresses as the team has them now; as they were assigned for who has left it."""
    owner = turn.row.attributes.get("owner")
    if not isinstance(owner, dict) or not isinstance(owner.get("name"), str):
        return None
    team = turn.topology.teams.get(str(owner.get("team")))
    addresses = team.addresses.get(owner["name"]) if team is not None else None
    if addresses is None:
        addresses = {key: value for key, value in owner.items() if key not in {"name", "team"}}
    return {"name": owner["name"], **addresses}
