"""The shapes of the steps: one record a kind. A later kind is one more entry here and one in ``steps``."""

from __future__ import annotations

from typing import Any, Final

from processor.language.content_shapes import BLOCK, VARIANT
from processor.language.offer_shapes import offer_record
from processor.language.people_shapes import PEOPLE, step_record
from processor.language.problems import instead, quoted
from processor.language.records import (
    Either,
    Field,
    Form,
    Keyed,
    Lazy,
    ListOf,
    ListOr,
    MapOf,
    OneOrMany,
    Record,
)
from processor.language.shapes import (
    NAME,
    Choice,
    Definitions,
    Duration,
    Expr,
    Name,
    Number,
    Reader,
    Ref,
    Shape,
    Text,
)
from processor.language.source import Node, Scalar
from processor.language.topology_shape import CONDITION, IDENTIFIER, WORD_NAME
from processor.language.wait_shapes import WAIT

__all__ = ["BRANCH", "SPLIT_BRANCH", "STEP", "STEPS", "STEP_RECORDS"]

STEPS: Final[Shape] = Lazy(name="steps", get=lambda: ListOf(item=STEP))
_TIMEOUT: Final = Field(Duration(), "how long at the longest")
_THEN: Final = Field(STEPS, "steps when it came")
_ELSE: Final = Field(STEPS, "steps when it did not come in time")
_VALUE: Final = Expr(
    what="an expression, or a text with {…}", examples=("profile.first_name", '"Hi {profile.first_name}"')
)


BRANCH: Final = Keyed(
    name="branch",
    what="a branch of a decide step",
    options={
        "if": Record(
            name="decide_if",
            title="a branch",
            fields={
                "if": Field(CONDITION, "the condition", required=True),
                "steps": Field(STEPS, "steps when it holds", required=True, sample="[{wait: 1d}]"),
            },
        ),
        "else": Record(
            name="decide_else",
            title="the else branch",
            fields={
                "else": Field(STEPS, "steps when no branch above holds", required=True, sample="[{wait: 1d}]")
            },
        ),
    },
)
SPLIT_BRANCH: Final = Record(
    name="split_branch",
    title="a variant of a split step",
    fields={
        "share": Field(
            Number(above=0, maximum=100, examples=(50,)),
            "percent of the contacts; needed where there is no best_by",
        ),
        "steps": Field(STEPS, "what they get; nothing where this is absent"),
    },
)
_BEST_BY: Final = Record(
    name="best_by",
    title="best_by",
    doc="Shares that move to the variant with the best rate.",
    fields={
        "on": Field(
            OneOrMany(item=Ref(kind="event", examples=("email_clicked",))),
            "the event that is a success; default the program's goal",
        ),
        "if": Field(CONDITION, "only events for which this holds"),
        "within": Field(Duration(examples=("3d",)), "how long after the split it counts"),
        "explore": Field(Number(minimum=0, maximum=100), "percent that go on being dealt evenly; default 20"),
        "at_least": Field(
            Number(minimum=1, maximum=1_000_000, whole=True),
            "results of each variant before shares move; default 100",
        ),
        "every": Field(Duration(examples=("1d",)), "how often shares move; default 1d"),
        "settles_at": Field(
            Number(above=50, maximum=100), "percent of certainty at which the best takes all; default 95"
        ),
    },
)
_FALLBACK_CHANNEL: Final = Ref(kind="channel", examples=("sms",))
_FALLBACK: Final = Record(
    name="fallback",
    title="a fallback",
    fields={
        "to": Field(OneOrMany(item=_FALLBACK_CHANNEL), "the next channels, in order", required=True),
        "template": Field(Text(), "the template there; default the same"),
        "within": Field(
            Duration(examples=("1h",)), "how long the step waits for the channel to report a failure"
        ),
    },
)
_REPEAT: Final = Record(
    name="repeat_body",
    title="repeat",
    fields={
        "times": Field(
            Number(minimum=1, maximum=1000, whole=True, examples=(3,)), "rounds at the most", required=True
        ),
        "until": Field(CONDITION, "looked at before each round: when it holds, no more rounds"),
        "steps": Field(STEPS, "the steps of a round", required=True, sample="[{wait: 1d}]"),
    },
)

_PIECE: Final = Record(
    name="piece",
    title="a piece of a series",
    fields={
        "template": Field(Text(examples=("tip-1",)), "the template", required=True),
        "if": Field(CONDITION, "only while this holds"),
    },
)
_SENDING: Final[dict[str, Field]] = {
    "values": Field(MapOf(key=IDENTIFIER, value=_VALUE, what="values"), "what fills its placeholders"),
    "purpose": Field(Ref(kind="purpose"), "in place of the program's purpose"),
    "when_capped": Field(Choice(options=("skip", "wait")), "when a cap is used up; default skip"),
    "when_quiet": Field(Choice(options=("wait", "skip")), "in quiet hours and blackouts; default wait"),
    "when_spent": Field(Choice(options=("skip", "wait")), "when a budget is spent; default skip"),
    "cost": Field(
        Expr(examples=("5", "event.value * 0.1")),
        "what it costs beside its channel, a discount for one: a number or an expression",
    ),
    "hold_at_most": Field(Duration(), "how long it may wait for a policy; default 2d"),
    "expires_after": Field(Duration(), "how long the command is good; default the channel's"),
    "reply_to": Field(Choice(options=("owner",)), "answers go to the contact's owner"),
}

_ANSWER: Final[dict[str, Field]] = {
    "channel": Field(Ref(kind="channel"), "on this channel only"),
    "text": Field(Text(), "the text it was given to, or how it came"),
}

STEP_RECORDS: Final[dict[str, Record]] = {
    "send": step_record(
        "send",
        "Command a channel to send a template.",
        {
            "send": Field(Ref(kind="channel", examples=("email",)), "the channel", required=True),
            "template": Field(Text(examples=("cart-reminder",)), "the template", required=True),
            "fallback": Field(
                Either(
                    text=_FALLBACK_CHANNEL,
                    other=ListOr(items=ListOf(item=_FALLBACK_CHANNEL, least=1), other=_FALLBACK),
                ),
                "the channels to try where there is no address or no consent, or the channel fails",
            ),
            "variants": Field(
                ListOf(item=VARIANT, least=1), "templates in place of this one: the first that fits"
            ),
            "blocks": Field(
                MapOf(key=IDENTIFIER, value=OneOrMany(item=BLOCK), least=1, what="blocks"),
                "parts of the template, and what each shows: the first that fits",
            ),
            **_SENDING,
        },
        {"send": "email", "template": "cart-reminder"},
    ),
    "series": step_record(
        "series",
        "Send piece after piece, each that the contact has not had.",
        {
            "series": Field(Ref(kind="channel", examples=("email",)), "the channel", required=True),
            "pieces": Field(
                ListOf(item=Either(text=Text(examples=("tip-1",)), other=_PIECE), least=1),
                "the templates, in order",
                required=True,
                sample="[tip-1, tip-2]",
            ),
            "every": Field(Duration(examples=("7d",)), "the time from piece to piece", required=True),
            "name": Field(
                Name(pattern=NAME), "steps of one name share what was had; default the program and the step"
            ),
            **_SENDING,
        },
        {"series": "email", "every": "7d", "pieces": ["tip-1", "tip-2"]},
    ),
    "wait": step_record(
        "wait",
        "Wait for a duration, until a date, or until a clock time.",
        {
            "wait": Field(
                Either(
                    text=Duration(examples=("3d",)),
                    other=WAIT,
                ),
                "how long, or until when",
                required=True,
            )
        },
        {"wait": "3d"},
    ),
    "wait_for": step_record(
        "wait_for",
        "Wait for an event.",
        {
            "wait_for": Field(
                OneOrMany(item=Ref(kind="event", examples=("email_clicked",))), "it", required=True
            ),
            "if": Field(CONDITION, "only events for which this holds"),
            "timeout": _TIMEOUT,
            "then": _THEN,
            "else": _ELSE,
        },
        {"wait_for": "email_clicked", "timeout": "2d"},
    ),
    "wait_until": step_record(
        "wait_until",
        "Wait for a condition.",
        {
            "wait_until": Field(Expr(examples=("score.engagement >= 50",)), "the condition", required=True),
            "timeout": _TIMEOUT,
            "then": _THEN,
            "else": _ELSE,
        },
        {"wait_until": "score.engagement >= 50", "timeout": "30d"},
    ),
    "decide": step_record(
        "decide",
        "Go the way of the first branch whose condition holds.",
        {"decide": Field(ListOf(item=BRANCH, least=1), "branches, tried in order", required=True)},
        {"decide": [{"if": "score.engagement >= 60", "steps": [{"wait": "1d"}]}, {"else": []}]},
    ),
    "split": step_record(
        "split",
        "Divide the contacts by fixed shares that add up to 100, or by what each variant has brought.",
        {
            "split": Field(
                MapOf(key=WORD_NAME, value=SPLIT_BRANCH, least=1, what="variants"),
                "the variants",
                required=True,
            ),
            "best_by": Field(
                Either(text=Choice(options=("goal",)), other=_BEST_BY),
                "shares move to the variant with the best rate: of the program's goal, or of an event",
            ),
        },
        {"split": {"a": {"share": 50, "steps": []}, "b": {"share": 50, "steps": []}}},
    ),
    "offer": offer_record(STEPS),
    "parallel": step_record(
        "parallel",
        "Go several ways at the same time.",
        {
            "parallel": Field(
                MapOf(key=WORD_NAME, value=STEPS, least=2, what="branches"),
                "the branches, by name",
                required=True,
            ),
            "until": Field(Choice(options=("all", "first")), "how many branches have to end; default all"),
        },
        {"parallel": {"mail": [{"wait": "1d"}], "calls": [{"wait": "3d"}]}},
    ),
    "set": step_record(
        "set",
        "Change attributes of the profile.",
        {
            "set": Field(
                MapOf(key=IDENTIFIER, value=_VALUE, least=1, what="attributes"), "attributes", required=True
            )
        },
        {"set": {"tier": "'gold'"}},
    ),
    "score": step_record(
        "score",
        "Add to a score, or set it.",
        {
            "score": Field(Ref(kind="score", examples=("engagement",)), "the score model", required=True),
            "add": Field(Expr(examples=(5,)), "points, a number or an expression; may be negative"),
            "to": Field(Number(), "the value it gets"),
        },
        {"score": "engagement", "add": 5},
    ),
    "add_to": step_record(
        "add_to",
        "Add the contact to a list.",
        {"add_to": Field(Ref(kind="list", examples=("newsletter",)), "the list", required=True)},
    ),
    "remove_from": step_record(
        "remove_from",
        "Take the contact off a list.",
        {"remove_from": Field(Ref(kind="list", examples=("newsletter",)), "the list", required=True)},
    ),
    **PEOPLE,
    "audience": step_record(
        "audience",
        "Put the contact into an audience of an ad network, or take it out.",
        {
            "audience": Field(
                Ref(kind="channel", examples=("ads",)), "a channel of kind audience", required=True
            ),
            "add": Field(Text(examples=("retarget",)), "the audience it comes into"),
            "remove": Field(Text(), "the audience it goes out of"),
            "values": Field(MapOf(key=IDENTIFIER, value=_VALUE, what="values"), "what else it needs"),
            "purpose": Field(Ref(kind="purpose"), "in place of the program's purpose"),
        },
        {"audience": "ads", "add": "retarget"},
    ),
    "webhook": step_record(
        "webhook",
        "Tell another system.",
        {
            "webhook": Field(
                Ref(kind="channel", examples=("erp",)), "a channel of kind webhook", required=True
            ),
            "values": Field(MapOf(key=IDENTIFIER, value=_VALUE, what="values"), "what it is told"),
        },
        {"webhook": "erp", "values": {"email": "profile.email"}},
    ),
    "grant": step_record(
        "grant",
        "Write down that the contact agrees to a purpose.",
        {"grant": Field(Ref(kind="purpose"), "the purpose", required=True), **_ANSWER},
    ),
    "withdraw": step_record(
        "withdraw",
        "Write down that the contact takes its consent back.",
        {"withdraw": Field(Ref(kind="purpose"), "the purpose", required=True), **_ANSWER},
    ),
    "enroll": step_record(
        "enroll",
        "Start another program, one with the entry from_program.",
        {"enroll": Field(Ref(kind="program"), "the program", required=True)},
    ),
    "repeat": step_record(
        "repeat",
        "Run steps again and again.",
        {"repeat": Field(_REPEAT, "how often, and what", required=True)},
        {"repeat": {"times": 3, "steps": [{"wait": "7d"}]}},
    ),
    "goto": step_record(
        "goto",
        "Go on at another step.",
        {"goto": Field(Name(pattern=NAME, examples=("reminder",)), "the id of the step", required=True)},
    ),
    "finish": step_record(
        "finish",
        "End the steps; the goal still counts.",
        {"finish": Field(Text(), "a word for readers", required=True)},
    ),
    "exit": step_record(
        "exit", "End the enrollment.", {"exit": Field(Text(), "the reason, for records", required=True)}
    ),
    "stop": step_record(
        "stop", "End the enrollment.", {"stop": Field(Text(), "the reason, for records", required=True)}
    ),
}


class _Bare(Shape, frozen=True, kw_only=True):
    """A step of one word: ``exit``, ``stop`` or ``finish``."""

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        assert isinstance(node, Scalar)
        if node.text in ("exit", "stop", "finish"):
            return Form(node.mark, node.text, {node.text: node.text}, {node.text: node.mark})
        fix = "write exit, or a map such as {wait: 3d}"
        if node.text in STEP_RECORDS:
            fix = f"write {node.text}: and what it takes"
        elif node.text:
            word, _, rest = node.text.partition(" ")
            fix = f"write {word}: {rest}" if word in STEP_RECORDS else instead(word, STEP_RECORDS, fix)
        return reader.wrong(node, "unknown-kind", f"{quoted(node.text)} is not a step", fix)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"enum": ["exit", "stop", "finish"]}


STEP: Final[Shape] = Either(text=_Bare(), other=Keyed(name="step", what="a step", options=STEP_RECORDS))
