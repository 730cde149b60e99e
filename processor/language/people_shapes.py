"""The shapes of steps that go to people, and how the record of a step is made."""

from __future__ import annotations

from typing import Any, Final

from processor.language.records import Either, Field, ListOf, ListOr, Record
from processor.language.shapes import NAME, Boolean, Choice, Duration, Expr, Name, Ref, Text
from processor.language.topology_shape import CONDITION

__all__ = ["PEOPLE", "step_record"]

_ID: Final = Field(Name(pattern=NAME), "a stable name for the step; default made from its kind and argument")
_TEMPLATE: Final = Expr(what="a text, with expressions in {…}", examples=('"hot lead {profile.email}"',))


def step_record(kind: str, doc: str, fields: dict[str, Field], example: Any = None) -> Record:
    """Return the record of a kind of step; ``id`` is one of its keys."""
    examples = () if example is None else (example,)
    title = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} step"
    return Record(name=f"step_{kind}", title=title, doc=doc, fields={**fields, "id": _ID}, examples=examples)


_TERRITORY: Final = Record(
    name="territory",
    title="a territory",
    fields={
        "if": Field(CONDITION, "who belongs to it; the last may do without"),
        "to": Field(Ref(kind="team", examples=("inbound-sales",)), "the team", required=True),
        "member": Field(Text(examples=("ana",)), "the member; default the next in turn"),
    },
)
_TEAM: Final = Either(
    text=Ref(kind="team", examples=("inbound-sales",)),
    other=ListOr(items=ListOf(item=_TERRITORY, least=1), other=_TERRITORY),
)
_BY: Final = Field(
    Choice(options=("turn", "owner")), "owner: the contact's own rep stays where a member; default turn"
)
_CONTEXT: Final = Field(Boolean(), "tell scores, the latest points and events too; default false")
_DUE: Final = Field(Duration(examples=("2d",)), "when it is due, from now")
PEOPLE: Final[dict[str, Record]] = {
    "alert": step_record(
        "alert",
        "Tell a person.",
        {
            "alert": Field(
                Ref(kind="channel", examples=("slack",)), "a channel of kind alert or task", required=True
            ),
            "message": Field(_TEMPLATE, "what to say", required=True),
            "context": _CONTEXT,
            "due": _DUE,
        },
        {"alert": "slack", "message": "hot lead {profile.email}"},
    ),
    "route": step_record(
        "route",
        "Give the contact to a member of a team, and tell them.",
        {
            "route": Field(_TEAM, "the team, or territories of which the first counts", required=True),
            "because": Field(_TEMPLATE, "the reason they are told"),
            "by": _BY,
            "context": _CONTEXT,
            "due": _DUE,
        },
        {"route": "inbound-sales", "because": "left a cart of {event.value}"},
    ),
    "assign": step_record(
        "assign",
        "Give the contact an owner.",
        {
            "assign": Field(_TEAM, "the team, or territories of which the first counts", required=True),
            "by": _BY,
        },
        {"assign": {"to": "inbound-sales", "member": "ana"}},
    ),
}
"""The steps that go to people, by kind."""
