"""The shapes of what a wait can wait for, other than a duration."""

from __future__ import annotations

from typing import Final

from processor.language.records import Field, Keyed, ListOf, Record
from processor.language.shapes import NAME, Choice, Clock, Duration, Expr, Name, Ref, Zone
from processor.language.topology_shape import WEEKDAY_NAMES

__all__ = ["WAIT"]

_WAIT_UNTIL: Final = Record(
    name="wait_until_time",
    title="a wait until a date or time",
    fields={
        "until": Field(
            Expr(examples=("profile.trial_ends",)), "an expression of type time or date", required=True
        ),
        "offset": Field(Duration(signed=True, examples=("-2d",)), "so long before (-) or after it"),
        "at": Field(Clock(), "at this time of that day, on the contact's clock"),
        "days": Field(WEEKDAY_NAMES, "on the first of these days from then on"),
        "if_past": Field(
            Choice(options=("continue", "exit")), "when it has passed already; default continue"
        ),
    },
)
_WAIT_CLOCK: Final = Record(
    name="wait_until_clock",
    title="a wait until a clock time",
    fields={
        "at": Field(Clock(), "the next time the clock shows this", required=True),
        "days": Field(WEEKDAY_NAMES, "on one of these days"),
        "zone": Field(Zone(), "on the clock of this zone; default the contact's"),
    },
)
_WAIT_AFTER: Final = Record(
    name="wait_after_step",
    title="a wait after an earlier step",
    fields={
        "after_step": Field(
            Name(pattern=NAME, examples=("reminder",)), "the id of the earlier step", required=True
        ),
        "offset": Field(Duration(examples=("3d",)), "so long after it was done", required=True),
        "at": Field(Clock(), "at this time of that day, on the contact's clock"),
        "days": Field(WEEKDAY_NAMES, "on the first of these days from then on"),
        "if_past": Field(
            Choice(options=("continue", "exit")), "when it has passed already; default continue"
        ),
    },
)
_WAIT_BEST: Final = Record(
    name="wait_best_hour",
    title="a wait for the contact's best hour",
    fields={
        "best_hour": Field(
            Ref(kind="published", examples=("email_opened",)),
            "what shows when the contact is there",
            required=True,
        ),
        "between": Field(
            ListOf(item=Clock(examples=('"08:00"',)), least=2), "the first and the last time to choose from"
        ),
        "default": Field(
            Clock(examples=('"10:00"',)), "the time while too little is known of the contact", required=True
        ),
    },
)
WAIT: Final = Keyed(
    name="wait_map",
    what="a wait",
    options={
        "until": _WAIT_UNTIL,
        "at": _WAIT_CLOCK,
        "after_step": _WAIT_AFTER,
        "best_hour": _WAIT_BEST,
    },
)
