"""The shape of the step that chooses an offer."""

from __future__ import annotations

from processor.language.people_shapes import step_record
from processor.language.records import Field, MapOf, Record
from processor.language.shapes import NAME, Duration, Expr, Name, Shape
from processor.language.words import CONDITION, WORD_NAME

__all__ = ["offer_record"]


def offer_record(steps: Shape) -> Record:
    """Return the shape of the step; ``steps`` is that of a list of steps."""
    offer = Record(
        name="offer_of",
        title="an offer",
        fields={
            "value": Field(
                Expr(examples=("4", "event.value * 0.1")),
                "what it is worth, a number or an expression",
                required=True,
            ),
            "if": Field(CONDITION, "only contacts for whom this holds"),
            "again_after": Field(
                Duration(examples=("90d",)), "fits again so long after it was had; default never"
            ),
            "steps": Field(steps, "what those get for whom it is chosen"),
        },
    )
    return step_record(
        "offer",
        "Choose the offer of the highest value that fits the contact, and that it has not had.",
        {
            "offer": Field(
                MapOf(key=WORD_NAME, value=offer, least=1, what="offers"),
                "the offers, by name",
                required=True,
            ),
            "name": Field(
                Name(pattern=NAME), "steps of one name share what was had; default the program and the step"
            ),
            "else": Field(steps, "steps where no offer fits"),
        },
        {"offer": {"ten-off": {"value": "event.value * 0.1"}, "free-shipping": {"value": 4}}},
    )
