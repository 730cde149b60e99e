"""The shapes of what slows sends down or stops them: pacing, circuit breakers, limits for the dormant."""

from __future__ import annotations

from typing import Final

from processor.core.limits import SENT_MAX
from processor.language.records import Field, ListOf, OneOrMany, Record
from processor.language.shapes import Choice, Duration, Name, Number, Ref

__all__ = ["BREAKER", "DORMANT", "NO_BREAKER", "PACING"]

_NAME: Final = Name(
    pattern=r"[a-z][a-z0-9_-]*", what="a name of small letters, digits, - and _ that starts with a letter"
)

PACING: Final = Record(
    name="pacing",
    title="pacing",
    doc="At most so many sends on a channel in a period, to all contacts together; others wait their turn.",
    fields={
        "channel": Field(Ref(kind="channel", examples=("sms",)), "the channel", required=True),
        "at_most": Field(Number(minimum=1, whole=True, examples=(600,)), "how many sends", required=True),
        "per": Field(Duration(examples=("1h",)), "in each period of this length", required=True),
    },
)
BREAKER: Final = Record(
    name="breaker",
    title="a circuit breaker",
    doc="Too many commands of a program in a time trip it: all further ones are held until somebody looks.",
    fields={
        "more_than": Field(
            Number(minimum=1, whole=True, examples=(10_000,)),
            "more than so many commands trip it",
        ),
        "times_usual": Field(
            Number(above=1, examples=(5,)), "more than so many times the mean of the seven periods before do"
        ),
        "at_least": Field(
            Number(minimum=1, whole=True), "no fewer than these trip it by times_usual; default 100"
        ),
        "per": Field(Duration(examples=("1h",)), "in this time", required=True),
        "alert": Field(Ref(kind="channel", examples=("ops",)), "the channel that is told", required=True),
        "hold_at_most": Field(Duration(), "how long a held command is worth it; default 7d"),
    },
)
NO_BREAKER: Final = Choice(options=("none",))
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
