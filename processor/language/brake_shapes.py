"""The shapes of what slows sends down or stops them: limits for the dormant."""

from __future__ import annotations

from typing import Final

from processor.core.limits import SENT_MAX
from processor.language.records import Field, ListOf, OneOrMany, Record
from processor.language.shapes import Duration, Name, Number, Ref

__all__ = ["DORMANT"]

_NAME: Final = Name(
    pattern=r"[a-z][a-z0-9_-]*", what="a name of small letters, digits, - and _ that starts with a letter"
)

DORMANT: Final = Record(
    name="dormant",
    title="a limit for the dormant",
    doc="At most so many sends to a contact who has been silent for long, until there is life again.",
    fields={
        "name": Field(_NAME, "what records call it; default made from the numbers"),
        "inactive": Field(Duration(examples=("180d",)), "silent for so long", required=True),
        "of": Field(
            OneOrMany(item=Ref(kind="published")), "what is a sign of life; default every event type"
        ),
        "at_most": Field(
            Number(minimum=1, maximum=SENT_MAX, whole=True, examples=(2,)), "how many sends", required=True
        ),
        "per": Field(Duration(examples=("90d",)), "in this time; default until there is life again"),
        "channels": Field(ListOf(item=Ref(kind="channel")), "default all"),
        "purposes": Field(ListOf(item=Ref(kind="purpose")), "default all but the transactional"),
    },
)
