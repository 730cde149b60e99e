"""The shapes of what a send shows to whom: variants and blocks."""

from __future__ import annotations

from typing import Final

from processor.language.records import Either, Field, OneOrMany, Record
from processor.language.shapes import NAME, Name, Text
from processor.language.topology_shape import CONDITION

__all__ = ["BLOCK", "VARIANT"]

_LOCALE: Final = Name(
    pattern=r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", what="a locale such as de or de-AT", examples=("de",)
)
_DAY: Final = Name(
    pattern=r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
    rule="bad-day",
    what="a month and a day such as 12-24",
    examples=("12-01",),
)
_SEASON: Final = Record(
    name="season",
    title="a season",
    doc="Days of every year, on the contact's own clock.",
    fields={
        "from": Field(_DAY, "its first day", required=True),
        "to": Field(_DAY, "its last day; may be in the next year", required=True),
    },
)
_FITS: Final = {
    "if": Field(CONDITION, "only contacts for whom this holds"),
    "locale": Field(OneOrMany(item=_LOCALE), "only those whose profile.locale is, or begins with, this"),
    "season": Field(_SEASON, "only on these days"),
}
VARIANT: Final = Record(
    name="variant",
    title="a variant of a template",
    fields={
        "template": Field(Text(examples=("welcome-de",)), "its template", required=True),
        "name": Field(Name(pattern=NAME), "what commands call it; default made from the template"),
        **_FITS,
    },
)
BLOCK: Final = Either(
    text=Text(examples=("hero",)),
    other=Record(
        name="block",
        title="what a block shows",
        fields={"show": Field(Text(examples=("hero",)), "the name of the content", required=True), **_FITS},
    ),
)
