"""The shape of a score model: its rules, its decay, or the model that gives it."""

from __future__ import annotations

from typing import Any, Final

from processor.language.records import Either, Field, ListOf, MapOf, OneOrMany, Record
from processor.language.shapes import BAD, Definitions, Duration, Expr, Number, Reader, Ref, Shape, Text
from processor.language.source import Node, Scalar
from processor.language.words import CONDITION, IDENTIFIER, WORD_NAME

__all__ = ["SCORE"]

_GRADE: Final = Record(
    name="grade",
    title="a grade",
    fields={
        "at": Field(Number(examples=(60,)), "the score from which it holds", required=True),
        "until": Field(Number(), "it is lost only below this; default the same as at"),
    },
)


class _Loss(Shape, frozen=True, kw_only=True):
    """Points, or percent of what is left: read into (points, share), of which one is 0."""

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        """Return what is lost."""
        if isinstance(node, Scalar) and node.text.endswith("%"):
            text = Scalar(node.mark, node.text[:-1].strip(), node.style, node.raw)
            percent = Number(above=0, maximum=100).read(text, reader, label)
            return BAD if percent is BAD else (0.0, percent / 100)
        points = Number(above=0, examples=self.examples).read(node, reader, label)
        return BAD if points is BAD else (float(points), 0.0)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        """Return the JSON Schema."""
        share = {"type": "string", "pattern": "^[0-9]+([.][0-9]+)? *%$"}
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, share]}


_CAP_OF_RULE: Final = Record(
    name="rule_cap",
    title="the cap of a score rule",
    fields={
        "points": Field(Number(above=0), "at most so many points"),
        "times": Field(Number(above=0, whole=True), "at most so many times"),
        "per": Field(Duration(examples=("1d",)), "in this time", required=True),
    },
)
_RULE: Final = Record(
    name="score_rule",
    title="a score rule",
    doc="Points for an event.",
    fields={
        "on": Field(
            OneOrMany(item=Ref(kind="published", examples=("page_viewed",))), "the event type", required=True
        ),
        "if": Field(CONDITION, "only events for which this holds"),
        "add": Field(Expr(examples=(3,)), "points, a number or an expression", required=True),
        "cap": Field(_CAP_OF_RULE, "an upper bound on what the rule gives"),
        "name": Field(WORD_NAME, "what records call it; default made from the event type and its place"),
    },
)
_INACTIVE: Final = Record(
    name="inactive_score",
    title="the loss of points by inactivity",
    fields={
        "after": Field(Duration(examples=("30d",)), "so long after the latest activity", required=True),
        "lose": Field(_Loss(examples=(10,)), "points, or a share of what is left such as 20%", required=True),
        "every": Field(Duration(examples=("7d",)), "and again so often; default once"),
        "of": Field(
            OneOrMany(item=Ref(kind="published")), "the event types that are activity; default the rules'"
        ),
    },
)
_EVALUATE: Final = Record(
    name="evaluation",
    title="when a model is evaluated",
    fields={
        "on": Field(OneOrMany(item=Ref(kind="published", examples=("order_completed",))), "at these events"),
        "if": Field(CONDITION, "only at events for which this holds"),
        "at_most_every": Field(Duration(examples=("1h",)), "an event so soon after the last does not count"),
        "fresh_for": Field(
            Duration(examples=("7d",)), "an older answer is asked for anew when something looks at it"
        ),
    },
)
SCORE: Final = Record(
    name="score_model",
    title="a score model",
    fields={
        "model": Field(
            Text(examples=("mypackage.churn:score",)),
            "a Python callable, package.module:function, or the path of an .onnx file, in place of rules",
        ),
        "features": Field(
            MapOf(key=IDENTIFIER, value=Expr(examples=('count("order_completed")',)), what="features"),
            "what the model is asked with: numbers or conditions, in the order of an ONNX model's columns",
        ),
        "evaluate": Field(_EVALUATE, "when the model is asked"),
        "decimals": Field(
            Number(minimum=0, maximum=4, whole=True), "its answers are rounded to so many; default 4"
        ),
        "output": Field(Text(), "the output of an ONNX model that holds the answer; default its last"),
        "files": Field(ListOf(item=Text()), "files that the model reads; its identity covers them"),
        "inactive": Field(_INACTIVE, "points that are lost by inactivity"),
        "half_life": Field(Duration(examples=("14d",)), "the score halves in this time without new points"),
        "min": Field(Number(), "the least it can be; default 0"),
        "max": Field(Number(), "the most it can be"),
        "needs": Field(Ref(kind="purpose"), "it is kept only with consent to this purpose"),
        "grades": Field(
            MapOf(key=WORD_NAME, value=Either(text=Number(), other=_GRADE), least=1, what="grades"),
            "names for ranges, from the lowest up",
        ),
        "rules": Field(ListOf(item=_RULE), "what gives points"),
    },
)
