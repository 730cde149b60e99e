"""The shapes of budgets and of arbitration."""

from __future__ import annotations

from typing import Final

from processor.core.time import PERIODS
from processor.language.records import Field, Keyed, ListOf, Record
from processor.language.shapes import Choice, Duration, Number, Ref, Zone
from processor.language.words import WORD_NAME

__all__ = ["ARBITRATION", "BUDGETS"]

_COVERED: Final[dict[str, Field]] = {
    "channels": Field(ListOf(item=Ref(kind="channel")), "default all"),
    "purposes": Field(ListOf(item=Ref(kind="purpose")), "default all but the transactional"),
}
_BUDGET: Final[dict[str, Field]] = {
    "name": Field(WORD_NAME, "what records call it", required=True),
    "per": Field(Choice(options=PERIODS), "the period it is for; default once and for all"),
    "zone": Field(Zone(), "on whose calendar; default the topology's"),
    "programs": Field(ListOf(item=Ref(kind="program")), "default all"),
    "groups": Field(ListOf(item=WORD_NAME), "the programs of these hierarchies, too"),
    **_COVERED,
}
BUDGETS: Final = Keyed(
    name="budget",
    what="a budget",
    options={
        "amount": Record(
            name="budget_amount",
            title="a budget of money",
            doc="What sends may cost, over all contacts.",
            fields={
                "amount": Field(Number(above=0, examples=(500,)), "in the currency", required=True),
                **_BUDGET,
            },
        ),
        "at_most": Record(
            name="budget_at_most",
            title="a budget of sends",
            doc="How many sends there may be, over all contacts.",
            fields={
                "at_most": Field(Number(minimum=1, whole=True, examples=(1000,)), "sends", required=True),
                **_BUDGET,
            },
        ),
    },
)
ARBITRATION: Final = Record(
    name="arbitration",
    title="arbitration",
    doc="Programs that want to send to one contact at the same time: one of them does.",
    fields={
        "name": Field(WORD_NAME, "what records call it; default made from its channels"),
        "within": Field(
            Duration(examples=("1h",)), "how long sends are held to be chosen from; default: one instant"
        ),
        "choose": Field(
            Choice(options=("priority", "value")), "by what the best is chosen; default priority"
        ),
        "losers": Field(
            Choice(options=("skip", "wait")), "whether the others stand for the next choice; default skip"
        ),
        **_COVERED,
    },
)
