"""The function library: one entry a function, read by the checker and by the documentation.

A parameter's ``kind`` is a type of the language, several of them joined by "|", or begins with "@" for what
must be written as a literal: ``@event`` is the name of an event type, ``@within`` a duration such as "7d".
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["FUNCTIONS", "Function", "Parameter", "signature"]


class Parameter(msgspec.Struct, frozen=True):
    """``required`` ones come in order or by name, others by name only (a consent's channel: both)."""

    name: str
    kind: str
    required: bool = True


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """``helper`` is the function of `runtime` behind it, called with the turn first if ``turn``.

    ``rest``: the last parameter can be given any number of times. ``by_time``: its value can change by time
    alone. ``pure``: it depends on its arguments only, so ``where=`` can use it. ``maybe``: it can be missing.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: str
    doc: str
    example: str
    helper: str
    turn: bool = False
    rest: bool = False
    by_time: bool = False
    pure: bool = False
    maybe: bool = True
    choices: tuple[str, ...] = ()


_EVENT: Final = Parameter("type", "@event")
_PROPERTY: Final = Parameter("property", "@property")
_WITHIN: Final = Parameter("within", "@within", required=False)
_WHERE: Final = Parameter("where", "@where", required=False)
_PROGRAM: Final = Parameter("program", "@program")
_TEXT: Final = Parameter("text", "string")
_NUMBER: Final = Parameter("number", "number")
_DAY: Final = Parameter("day", "date|time")
_ANY: Final = Parameter("value", "any")
_ZONE: Final = Parameter("zone", "@zone", required=False)
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HISTORY: Final = (
    Function(
        name="count", parameters=(_EVENT, _WITHIN, _WHERE), result="number", turn=True, maybe=False,
        doc="How often an event has happened, ever or within the time before now.",
        example='count("downloaded", within="1d", where=event.kind == "pdf") >= 2', helper="count",
    ),
    Function(
        name="sum", parameters=(_EVENT, _PROPERTY, _WITHIN, _WHERE), result="number", turn=True, maybe=False,
        doc="The sum of a number property over the events, ever or within; 0 when there are none.",
        example='sum("order_completed", "value", within="90d") >= 500', helper="sum",
    ),
    Function(
        name="avg", parameters=(_EVENT, _PROPERTY, _WITHIN, _WHERE), result="number", turn=True,
        doc="The average of a number property over the events; missing when there are none.",
        example='avg("order_completed", "value", within="1w") > 20', helper="avg",
    ),
    Function(
        name="happened", parameters=(_EVENT, _WITHIN, _WHERE), result="boolean", turn=True, maybe=False,
        doc="Whether an event has happened, ever or within the time before now.",
        example='happened("webinar_attended", within="30d")', helper="happened",
    ),
    Function(
        name="last", parameters=(_EVENT, _WHERE), result="time", turn=True,
        doc="When an event happened last; missing when it never has.",
        example='last("order_completed") < now - duration("30d")', helper="last",
    ),
    Function(
        name="first", parameters=(_EVENT, _WHERE), result="time", turn=True,
        doc="When an event happened for the first time; missing when it never has.",
        example='first("order_completed") > time("2026-01-01T00:00Z")', helper="first",
    ),
    Function(
        name="days_since", parameters=(_EVENT, _WHERE), result="number", turn=True, by_time=True,
        doc="Full days of 24 hours since an event happened last; missing when it never has.",
        example='days_since("order_completed") >= 30', helper="days_since",
    ),
)  # fmt: skip

_CONTACT: Final = (
    Function(
        name="in_segment", parameters=(Parameter("segment", "@segment"),), result="boolean", turn=True,
        maybe=False, doc="Whether the contact is in the segment.", example='in_segment("staff")',
        helper="in_segment",
    ),
    Function(
        name="in_list", parameters=(Parameter("list", "@list"),), result="boolean", turn=True, maybe=False,
        doc="Whether the contact is on the list.", example='in_list("newsletter")', helper="in_list",
    ),
    Function(
        name="in_program", parameters=(_PROGRAM,), result="boolean", turn=True, maybe=False,
        doc="Whether the contact is in the program now.", example='not in_program("win-back")',
        helper="in_program",
    ),
    Function(
        name="was_in_program", parameters=(_PROGRAM,), result="boolean", turn=True, maybe=False,
        doc="Whether the contact has ever entered the program, is in it now included.",
        example='was_in_program("welcome")', helper="was_in_program",
    ),
    Function(
        name="entries", parameters=(_PROGRAM,), result="number", turn=True, maybe=False,
        doc="How often the contact has entered the program.", example='entries("win-back") < 3',
        helper="entries",
    ),
    Function(
        name="consent",
        parameters=(Parameter("purpose", "@purpose"), Parameter("channel", "@channel", required=False)),
        result="boolean", turn=True, maybe=False,
        doc="Whether the contact consents to the purpose, on the channel if one is named.",
        example='consent("marketing", channel="sms")', helper="consent",
    ),
    Function(
        name="variant", parameters=(Parameter("split", "@split"),), result="string", turn=True,
        doc="The way that the contact took at a split, by the split's step id; missing before it.",
        example='variant("split-discount-plain") == "discount"', helper="variant",
    ),
)  # fmt: skip

_CLOCK: Final = (
    Function(
        name="today", parameters=(_ZONE,), result="date", turn=True, by_time=True, maybe=False,
        doc="The date in the contact's zone, or in another.", example='today() >= date("2026-12-01")',
        helper="today",
    ),
    Function(
        name="weekday", parameters=(_ZONE,), result="string", turn=True, by_time=True, maybe=False,
        choices=_WEEKDAYS, doc='The weekday in the contact\'s zone, or in another, "mon" to "sun".',
        example='weekday(zone="Europe/London") in ["sat", "sun"]', helper="weekday",
    ),
    Function(
        name="hour", parameters=(_ZONE,), result="number", turn=True, by_time=True, maybe=False,
        doc="The hour on the clock in the contact's zone, or in another, 0 to 23.",
        example="hour() >= 16", helper="hour",
    ),
    Function(
        name="days_until", parameters=(_DAY,), result="number", turn=True, by_time=True,
        doc="Calendar days in the contact's zone from today to the day; negative when it has passed.",
        example="days_until(profile.trial_ends) <= 3", helper="days_until",
    ),
    Function(
        name="days_since_date", parameters=(_DAY,), result="number", turn=True, by_time=True,
        doc="Calendar days in the contact's zone from the day to today; negative when it is to come.",
        example="days_since_date(profile.trial_ends) > 14", helper="days_since_date",
    ),
    Function(
        name="age", parameters=(Parameter("day", "date"),), result="number", turn=True, by_time=True,
        doc="Full years since the date, in the contact's zone.", example="age(profile.birthday) >= 18",
        helper="age",
    ),
)  # fmt: skip

_VALUES: Final = (
    Function(
        name="lower", parameters=(_TEXT,), result="string", pure=True, doc="The text in lower case.",
        example='lower(profile.country) == "gb"', helper="lower",
    ),
    Function(
        name="upper", parameters=(_TEXT,), result="string", pure=True, doc="The text in upper case.",
        example='upper(profile.country) == "GB"', helper="upper",
    ),
    Function(
        name="starts_with", parameters=(_TEXT, Parameter("start", "string")), result="boolean", pure=True,
        maybe=False, doc="Whether the text begins so.", example='starts_with(event.url, "/pricing")',
        helper="starts_with",
    ),
    Function(
        name="ends_with", parameters=(_TEXT, Parameter("end", "string")), result="boolean", pure=True,
        maybe=False, doc="Whether the text ends so.", example='ends_with(profile.email, "@shop.example")',
        helper="ends_with",
    ),
    Function(
        name="contains", parameters=(Parameter("in", "string|list"), _ANY), result="boolean", pure=True,
        maybe=False, doc="Whether the text, or the list, holds the value.",
        example='contains(event.url, "sale")', helper="contains",
    ),
    Function(
        name="length", parameters=(Parameter("of", "string|list|map"),), result="number", pure=True,
        doc="How many characters, or elements.", example="length(event.lines) > 2", helper="length",
    ),
    Function(
        name="min", parameters=(_ANY,), result="any", rest=True, pure=True,
        doc="The least of the values (numbers, times, dates or durations); missing ones are left out.",
        example="min(event.value, 100)", helper="least",
    ),
    Function(
        name="max", parameters=(_ANY,), result="any", rest=True, pure=True,
        doc="The greatest of the values (numbers, times, dates or durations); missing ones are left out.",
        example="max(event.value, 0)", helper="greatest",
    ),
    Function(
        name="abs", parameters=(_NUMBER,), result="number", pure=True, doc="The number without its sign.",
        example="abs(event.change) > 10", helper="absolute",
    ),
    Function(
        name="round", parameters=(_NUMBER, Parameter("digits", "@digits", required=False)), result="number",
        pure=True, doc="The number rounded, to so many decimals; a half goes to the even neighbour.",
        example="round(event.value / 3, digits=2)", helper="rounded",
    ),
    Function(
        name="coalesce", parameters=(_ANY,), result="any", rest=True, pure=True,
        doc="The first of the values that is not missing.", example='coalesce(profile.first_name, "there")',
        helper="coalesce",
    ),
    Function(
        name="duration", parameters=(Parameter("text", "@duration"),), result="duration", pure=True,
        maybe=False, doc="A length of time, to add to a time or compare with a difference of times.",
        example='profile.trial_ends - now < duration("2d")', helper="",
    ),
    Function(
        name="date", parameters=(Parameter("text", "@date"),), result="date", pure=True, maybe=False,
        doc="A date.", example='today() < date("2026-12-24")', helper="",
    ),
    Function(
        name="time", parameters=(Parameter("text", "@time"),), result="time", pure=True, maybe=False,
        doc="An instant; without an offset it is UTC.", example='now < time("2026-12-24T18:00Z")', helper="",
    ),
)  # fmt: skip

FUNCTIONS: Final = {function.name: function for function in (*_HISTORY, *_CONTACT, *_CLOCK, *_VALUES)}


def signature(function: Function) -> str:
    """How the function is written: ``count(type, within=, where=)``."""
    names = [parameter.name + ("" if parameter.required else "=") for parameter in function.parameters]
    return f"{function.name}({', '.join(names)}{', …' if function.rest else ''})"
