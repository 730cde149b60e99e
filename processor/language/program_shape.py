"""The shape of a program's file, and of its scenarios' file."""

from __future__ import annotations

from typing import Any, Final

from processor.language.brake_shapes import BREAKER, NO_BREAKER
from processor.language.records import Either, Field, Keyed, ListOf, MapOf, OneOrMany, Record
from processor.language.shapes import (
    NAME,
    Boolean,
    Choice,
    Clock,
    Cron,
    Data,
    Definitions,
    Duration,
    Expr,
    Moment,
    Name,
    Number,
    Ref,
    Shape,
    Text,
    Zone,
)
from processor.language.source import Scalar
from processor.language.step_shapes import STEPS
from processor.language.topology_shape import CONDITION, IDENTIFIER, WORD_NAME

__all__ = ["ENDINGS", "PROGRAM", "SCENARIO"]

ENDINGS: Final = ("completed", "goal", "exited")


def _entry(kind: str, doc: str, shape: Shape, **more: Field) -> Record:
    return Record(
        name=f"entry_{kind}",
        title=f'the entry "{kind}"',
        doc=doc,
        fields={
            kind: Field(shape, doc, required=True),
            "if": Field(CONDITION, "only when this holds"),
            **more,
        },
    )


_KEY: Final = Field(Expr(examples=("event.cart_id",)), "one enrollment for each value of this")
_AT: Final = Field(Clock(), "the time of day, on the contact's clock; default 00:00")
_ENTRIES: Final = {
    "on": _entry(
        "on",
        "an event of this type",
        OneOrMany(item=Ref(kind="event", examples=("cart_abandoned",))),
        key=_KEY,
    ),
    "segment": _entry("segment", "coming into this segment", Ref(kind="segment")),
    "leaves_segment": _entry("leaves_segment", "leaving this segment", Ref(kind="segment")),
    "score": _entry(
        "score",
        "a score reaching a value",
        Ref(kind="score"),
        reaches=Field(Number(examples=(60,)), "the value that the score reaches from below", required=True),
    ),
    "grade": _entry(
        "grade",
        "a score changing its grade",
        Ref(kind="score"),
        becomes=Field(Text(examples=("hot",)), "the new grade", required=True),
    ),
    "date": _entry(
        "date",
        "a date in the profile (an attribute of type date or time)",
        Name(pattern=r"profile\.[A-Za-z_][A-Za-z0-9_]*", what="an attribute", examples=("profile.birthday",)),
        offset=Field(
            Duration(signed=True, days=True, examples=("-7d",)), "whole days before (-) or after it"
        ),
        at=_AT,
        yearly=Field(Boolean(), "every year on that day; default false: once"),
    ),
    "inactive": _entry(
        "inactive",
        "no activity for so long",
        Duration(examples=("30d",)),
        of=Field(OneOrMany(item=Ref(kind="published")), "what counts as activity; default every event type"),
    ),
    "schedule": _entry(
        "schedule",
        "a cron expression, or one date and time",
        Cron(),
        zone=Field(Zone(), "whose clock; default the topology's"),
    ),
    "by_hand": _entry("by_hand", "a person adds the contact", Boolean(only=True)),
    "from_program": _entry("from_program", "an enroll step of another program", Boolean(only=True)),
    "after_program": _entry(
        "after_program",
        "the end of another program",
        Ref(kind="program"),
        ended=Field(OneOrMany(item=Choice(options=ENDINGS)), "how it ended; default in any way"),
    ),
}
_WITHIN: Final = Field(Duration(examples=("14d",)), "how long after entry it counts; default 30d")
_VALUE: Final = Field(
    Expr(examples=("event.value",)), "what it is worth, a number or an expression, for reports"
)
_GOAL: Final = Keyed(
    name="goal",
    what="a goal",
    options={
        "on": Record(
            name="goal_on",
            title="a goal",
            fields={
                "on": Field(OneOrMany(item=Ref(kind="event")), "the event type", required=True),
                "if": Field(CONDITION, "only events for which this holds"),
                "within": _WITHIN,
                "value": _VALUE,
            },
        ),
        "when": Record(
            name="goal_when",
            title="a goal",
            fields={
                "when": Field(CONDITION, "the condition", required=True),
                "within": _WITHIN,
                "value": _VALUE,
            },
        ),
    },
)
_REASON: Final = Field(Text(), "what records call it")
_HIERARCHY: Final = Record(
    name="hierarchy",
    title="a hierarchy",
    doc="Programs that a contact is not to be in together: the one of higher value goes before the others.",
    fields={
        "group": Field(WORD_NAME, "the name of the hierarchy, the same in all its programs", required=True),
        "value": Field(Number(examples=(30,)), "its place: the higher goes before the lower", required=True),
    },
)
_EXIT: Final = Keyed(
    name="exit",
    what="an exit",
    options={
        "on": Record(
            name="exit_on",
            title="an exit",
            fields={
                "on": Field(OneOrMany(item=Ref(kind="event")), "the event type", required=True),
                "if": Field(CONDITION, "only events for which this holds"),
                "reason": _REASON,
            },
        ),
        "when": Record(
            name="exit_when",
            title="an exit",
            fields={"when": Field(CONDITION, "the condition", required=True), "reason": _REASON},
        ),
        "after": Record(
            name="exit_after",
            title="an exit",
            fields={"after": Field(Duration(examples=("90d",)), "so long after entry", required=True)},
        ),
    },
)


class _Reenter(Duration, frozen=True, kw_only=True):
    """``never`` (-1), ``always`` (0), or ``after 7d`` (ms)."""

    what: str = "never, always, or after and a duration"
    rule: str = "bad-choice"
    examples: tuple[Any, ...] = ("never", "always", "after 7d")

    def understand(self, node: Scalar) -> int:
        word, _, rest = node.text.strip().partition(" ")
        if word == "after" and rest:
            return super().understand(Scalar(node.mark, rest, "", rest))
        if word not in ("never", "always") or rest:
            raise ValueError(f'"{node.text}" is not {self.what}: write never, always or after 7d')
        return -1 if word == "never" else 0

    def schema(self, defs: Definitions) -> dict[str, Any]:
        pattern = "^ *(never|always|after +([0-9]+[wdhms] *)+) *$"
        return {"type": "string", "pattern": pattern, "examples": list(self.examples)}


PROGRAM: Final = Record(
    name="program",
    title="the program",
    doc="A journey: who comes in, what happens step by step, and how it ends.",
    fields={
        "program": Field(Name(pattern=NAME, examples=("abandoned-cart",)), "its name", required=True),
        "version": Field(Number(minimum=1, whole=True), "counted up with every change; default 1"),
        "description": Field(Text(), "for readers"),
        "purpose": Field(Ref(kind="purpose"), "what consent its sends need"),
        "priority": Field(
            Number(whole=True), "higher runs first and takes what is left of a cap; default 50"
        ),
        "value": Field(
            Expr(examples=("event.value * 0.05",)),
            "what a send of it is worth where sends compete: a number or an expression",
        ),
        "hierarchy": Field(_HIERARCHY, "which programs it ends on entry, and which keep contacts out of it"),
        "let": Field(
            MapOf(key=IDENTIFIER, value=Expr(examples=(20,)), least=1, what="constants"),
            "constants of the program, written let.NAME in its expressions",
        ),
        "entry": Field(
            OneOrMany(item=Keyed(name="entry", what="an entry", options=_ENTRIES)),
            "who comes in",
            required=True,
            sample="{on: event_type}",
        ),
        "audience": Field(
            Record(
                name="audience",
                title="the audience",
                fields={
                    "only": Field(CONDITION, "only contacts for whom this holds"),
                    "never": Field(CONDITION, "no contact for whom this holds"),
                },
            ),
            "looked at on entry",
        ),
        "window": Field(
            Record(
                name="window",
                title="the window",
                fields={
                    "opens": Field(Moment(), "nobody comes in before"),
                    "closes": Field(
                        Moment(), "nobody comes in after; a date without a time counts to its end"
                    ),
                },
            ),
            "when contacts can come in",
        ),
        "reenter": Field(
            _Reenter(),
            "whether a contact may come in again; default never, always where entries recur (yearly, cron)",
        ),
        "entrants": Field(
            Record(
                name="entrants",
                title="entrants",
                fields={
                    "at_most": Field(
                        Number(minimum=1, whole=True, examples=(1000,)), "contacts", required=True
                    )
                },
            ),
            "how many may come in, all in all",
        ),
        "holdout": Field(Number(minimum=0, maximum=100), "percent, kept apart for measuring"),
        "breaker": Field(
            Either(text=NO_BREAKER, other=BREAKER),
            "how many commands hold all further ones; default that of the policies, none for no breaker",
        ),
        "goal": Field(_GOAL, "what it is for; reaching it ends the enrollment"),
        "exit": Field(OneOrMany(item=Either(text=Ref(kind="event"), other=_EXIT)), "other ways out"),
        "on_exit": Field(
            MapOf(key=Text(), value=STEPS, least=1, what="ways out"),
            "steps that are done at once when it ends for a reason: of an exit, goal, removed, or any",
        ),
        "steps": Field(STEPS, "what happens", required=True, sample="[{wait: 1d}]"),
    },
)

_AT_TIME: Final = Field(Moment(examples=("2026-03-01 10:00",)), "when, on the contact's clock", required=True)
_PROFILE: Final = MapOf(key=IDENTIFIER, value=Data(), what="attributes")
_EXPECT: Final = Record(
    name="expected_command",
    title="an expected command",
    fields={
        "at": Field(Moment(), "when it is decided"),
        "step": Field(Name(), "the step it comes from"),
        "program": Field(Name(), "the program it comes from"),
        "values": Field(
            MapOf(key=IDENTIFIER, value=Data(), what="values"), "values it carries, others may be there"
        ),
        "not_before": Field(Moment(), "when it may be carried out at the earliest"),
        "expires": Field(Moment(), "when it expires"),
        "variant": Field(Text(), "the variant of the split it comes from"),
        "purpose": Field(Text(), "its purpose"),
    },
    extra=(Ref(kind="channel"), Text()),
)
_HELD: Final = Record(
    name="expected_held",
    title="an expected held send",
    fields={
        "at": Field(Moment(), "when it is held or suppressed"),
        "step": Field(Name(), "the step"),
        "program": Field(Name(), "the program"),
        "reason": Field(Text(), "the rule that held it"),
    },
)
SCENARIO: Final = Record(
    name="scenario",
    title="the scenario",
    doc="A test of programs in virtual time: what happens, and what must come of it.",
    fields={
        "scenario": Field(Text(examples=("buys before the reminder",)), "what it shows", required=True),
        "contact": Field(
            Record(
                name="scenario_contact",
                title="the contact",
                fields={
                    "id": Field(Text(), "default made from the scenario's name"),
                    "tz": Field(Zone(), "default the topology's"),
                    "consent": Field(ListOf(item=Text()), "purposes, or purpose/channel, consented to"),
                    "profile": Field(_PROFILE, "attributes"),
                    "lists": Field(ListOf(item=Ref(kind="list")), "lists the contact is on"),
                },
            ),
            "who it is about",
        ),
        "start": Field(Moment(), "when what is given of the contact becomes true"),
        "until": Field(Moment(), "virtual time runs to here"),
        "events": Field(
            ListOf(
                item=Record(
                    name="scenario_event",
                    title="an event",
                    fields={"at": _AT_TIME},
                    extra=(Ref(kind="published"), MapOf(key=IDENTIFIER, value=Data(), what="properties")),
                )
            ),
            "what the contact does, in order",
        ),
        "expect": Field(ListOf(item=_EXPECT), "the commands, in order and complete"),
        "held": Field(ListOf(item=_HELD), "sends that a policy holds back, in order"),
        "expect_profile": Field(_PROFILE, "attributes at the end"),
        "expect_score": Field(
            MapOf(key=Ref(kind="score"), value=Number(), what="scores"), "scores at the end"
        ),
        "expect_grade": Field(MapOf(key=Ref(kind="score"), value=Text(), what="grades"), "grades at the end"),
        "expect_lists": Field(
            ListOf(item=Ref(kind="list")), "the lists the contact is on at the end, all of them"
        ),
        "expect_consent": Field(
            ListOf(item=Text()), "all purposes, or purpose/channel, agreed to at the end"
        ),
        "expect_segments": Field(ListOf(item=Ref(kind="segment")), "segments the contact is in at the end"),
        "expect_ended": Field(
            MapOf(key=Ref(kind="program"), value=Text(), what="programs"),
            'how the last run ended, or "active"',
        ),
        "variant": Field(MapOf(key=Name(), value=Text(), what="splits"), "which way each split goes"),
        "holdout": Field(Boolean(), "whether the contact is held out; default false"),
    },
)
