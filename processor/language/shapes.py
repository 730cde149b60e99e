"""What a value in a file may look like, declared once: the reader and the JSON Schema both come from it.

A shape reads a node into a value and reports what does not fit at its line and column; it also gives the
JSON Schema (draft-07) of what it reads. Shapes of texts and numbers are here, those that hold others in
:mod:`processor.language.records`. A shape knows no topology: references are collected by the
:class:`Reader` and checked when everything has been read, and expressions are compiled then.
"""

# ruff: noqa: D102  the methods of a shape mean what Shape says they mean

from __future__ import annotations

import math
import re
from typing import Any, Final

import msgspec

from processor.core.time import DAY_MS, is_zone, parse_clock, parse_cron, parse_duration, parse_time, zone
from processor.language.problems import Mark, Problems, instead, quoted
from processor.language.source import Mapping, Node, Scalar, Sequence, plain

__all__ = [
    "BAD",
    "NAME",
    "WORD",
    "Boolean",
    "Choice",
    "Clock",
    "Cron",
    "Data",
    "Definitions",
    "Duration",
    "Expr",
    "Moment",
    "Name",
    "Number",
    "Reader",
    "Ref",
    "Reference",
    "Shape",
    "Text",
    "Zone",
    "describe",
]

BAD: Final[Any] = object()  # what reading returns when it has reported a problem
NAME: Final = r"[a-z][a-z0-9-]*"
WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"

Definitions = dict[str, dict[str, Any]]


class Reference(msgspec.Struct, frozen=True):
    """A word that must name something of this ``kind`` (``event``, ``channel``), checked at the end."""

    kind: str
    word: str
    mark: Mark


class Reader(msgspec.Struct):
    """What reading hands on beside the values: problems and references."""

    problems: Problems
    references: list[Reference] = []

    def wrong(self, node: Node, rule: str, message: str, fix: str) -> Any:
        """Report a problem at ``node`` and return :data:`BAD`."""
        self.problems.error(node.mark, rule, message, fix)
        return BAD


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all shapes. ``label`` says in messages which value it is ("timeout")."""

    examples: tuple[Any, ...] = ()

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        """Return the value, or :data:`BAD` after reporting why not."""
        raise NotImplementedError

    def schema(self, defs: Definitions) -> dict[str, Any]:
        """Return the JSON Schema; shapes with a name put themselves into ``defs`` and return a reference."""
        raise NotImplementedError


class _Written(Shape, frozen=True, kw_only=True):
    """A shape written as one text; subclasses say how it is understood."""

    rule: str = "wrong-type"
    what: str = "a text"

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        fix = f"write {self.what}{self._example()}"
        if not isinstance(node, Scalar):
            message = f"{label} must be {self.what}, not {describe(node)}"
            return reader.wrong(node, "wrong-type", message, fix)
        if node.empty:
            return reader.wrong(node, "missing-value", f"{label} is empty", fix)
        try:
            return self.understand(node)
        except ValueError as error:
            message, _, advice = str(error).partition(": ")
            return reader.wrong(node, self.rule, f"{label}: {message}", advice or fix)

    def understand(self, node: Scalar) -> Any:
        """Return the value that the text means; a ValueError says "what is wrong: what to write"."""
        raise NotImplementedError

    def _example(self) -> str:
        return f" such as {self.examples[0]}" if self.examples else ""


class Text(_Written, frozen=True, kw_only=True):
    """Any text."""

    def understand(self, node: Scalar) -> str:
        return node.text

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"]}


class Name(_Written, frozen=True, kw_only=True):
    """A text of few characters: a name that other places can refer to."""

    pattern: str = NAME
    rule: str = "bad-name"
    what: str = "a name of small letters, digits and dashes that starts with a letter"

    def understand(self, node: Scalar) -> str:
        if re.fullmatch(self.pattern, node.text) is None:
            raise ValueError(f"{quoted(node.text)} cannot stand here")
        return node.text

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


class Ref(_Written, frozen=True, kw_only=True):
    """The name of something declared elsewhere: an event type, a channel, a list and so on."""

    kind: str
    what: str = "a name"

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        found = super().read(node, reader, label)
        if found is not BAD:
            reader.references.append(Reference(self.kind, found, node.mark))
        return found

    def understand(self, node: Scalar) -> str:
        return node.text

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": "string"}


class Choice(_Written, frozen=True, kw_only=True):
    """One of a few words."""

    options: tuple[str, ...]
    rule: str = "bad-choice"

    def understand(self, node: Scalar) -> str:
        if node.text not in self.options:
            fix = instead(node.text, self.options)
            raise ValueError(f"{quoted(node.text)} is not one of {', '.join(self.options)}: {fix}")
        return node.text

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"enum": list(self.options)}


class Boolean(_Written, frozen=True, kw_only=True):
    """``true`` or ``false``; ``only`` allows just one of them."""

    only: bool | None = None
    rule: str = "bad-choice"
    what: str = "true or false"

    def understand(self, node: Scalar) -> bool:
        value = plain(node)
        if not isinstance(value, bool) or (self.only is not None and value is not self.only):
            wanted = "true or false" if self.only is None else str(self.only).lower()
            raise ValueError(f"{quoted(node.text)} is not {wanted}: write {wanted}")
        return value

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": "boolean"} if self.only is None else {"const": self.only}


class Number(_Written, frozen=True, kw_only=True):
    """A number between bounds; ``above`` is a bound that is itself too small."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    whole: bool = False
    rule: str = "bad-number"
    what: str = "a number"

    def understand(self, node: Scalar) -> float:
        value = plain(node)
        kind = "a whole number" if self.whole else "a number"
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            quotes = "" if node.bare else ", quotes make it a text"
            raise ValueError(f"{quoted(node.text)} is not {kind}{quotes}: write {kind}{self._bounds()}")
        if self.whole and not isinstance(value, int):
            raise ValueError(f"{node.text} is not a whole number: write a whole number{self._bounds()}")
        low = self.minimum is not None and value < self.minimum
        low = low or (self.above is not None and value <= self.above)
        if low or (self.maximum is not None and value > self.maximum):
            raise ValueError(f"{node.text} is out of bounds: write {kind}{self._bounds()}")
        return value

    def _bounds(self) -> str:
        words = []
        if self.above is not None:
            words.append(f"above {self.above:g}")
        if self.minimum is not None:
            words.append(
                f"from {self.minimum:g}" if self.maximum is not None else f"of at least {self.minimum:g}"
            )
        if self.maximum is not None:
            words.append(f"to {self.maximum:g}" if self.minimum is not None else f"up to {self.maximum:g}")
        return " " + " ".join(words) if words else ""

    def schema(self, defs: Definitions) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        bounds = {"minimum": self.minimum, "maximum": self.maximum, "exclusiveMinimum": self.above}
        made.update({name: bound for name, bound in bounds.items() if bound is not None})
        return made


class Duration(_Written, frozen=True, kw_only=True):
    """A duration such as ``2d`` or ``1h30m``, read into ms. ``signed``: may start with a minus.

    ``zero``: may be nothing. ``days``: whole days only.
    """

    signed: bool = False
    zero: bool = False
    days: bool = False
    rule: str = "bad-duration"
    what: str = "a duration"
    examples: tuple[Any, ...] = ("30m", "2d")

    def understand(self, node: Scalar) -> int:
        text = node.text.strip()
        sign = -1 if self.signed and text.startswith("-") else 1
        length = parse_duration(text.lstrip("+-") if self.signed else text)
        if not length and not (self.zero or self.signed):
            raise ValueError(f"{quoted(text)} is no time at all: write at least 1s")
        if self.days and length % DAY_MS:
            raise ValueError(f"{quoted(text)} is not a number of whole days: write whole days such as -7d")
        return sign * length

    def schema(self, defs: Definitions) -> dict[str, Any]:
        sign = "[+-]?" if self.signed else ""
        return {
            "type": "string",
            "pattern": rf"^ *{sign}([0-9]+[wdhms] *)+$",
            "examples": list(self.examples),
        }


class Clock(_Written, frozen=True, kw_only=True):
    """A wall-clock time such as ``"09:00"``, read into minutes after midnight."""

    rule: str = "bad-clock"
    what: str = "a clock time"
    examples: tuple[Any, ...] = ('"09:00"',)

    def understand(self, node: Scalar) -> int:
        return parse_clock(node.text)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": "string", "pattern": "^ *([01]?[0-9]|2[0-3]):[0-5][0-9] *$", "examples": ["09:00"]}


class Moment(_Written, frozen=True, kw_only=True):
    """A date or time, kept as text because its zone is not known while reading."""

    rule: str = "bad-time"
    what: str = "a date or time"
    examples: tuple[Any, ...] = ("2026-03-01", "2026-03-01 09:30")

    def understand(self, node: Scalar) -> str:
        parse_time(node.text)
        return node.text

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}", "examples": list(self.examples)}


class Cron(_Written, frozen=True, kw_only=True):
    """A cron expression of five fields, or a date or time; kept as text."""

    rule: str = "bad-cron"
    what: str = "a cron expression or a time"
    examples: tuple[Any, ...] = ('"0 9 * * mon"', '"2026-12-01 09:00"')

    def understand(self, node: Scalar) -> str:
        if re.match(r"[0-9]{4}-", node.text):
            parse_time(node.text)
        else:
            parse_cron(node.text)
        return node.text

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": "string", "examples": ["0 9 * * mon", "2026-12-01 09:00"]}


class Zone(_Written, frozen=True, kw_only=True):
    """The IANA name of a time zone."""

    rule: str = "bad-zone"
    what: str = "a time zone"
    examples: tuple[Any, ...] = ("Europe/London",)

    def understand(self, node: Scalar) -> str:
        if not is_zone(node.text):
            zone(node.text)  # raises, with the nearest names
        return node.text

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": "string", "examples": list(self.examples)}


class Expr(_Written, frozen=True, kw_only=True):
    """An expression or a text template, kept as its :class:`Scalar`: it is compiled once all is read."""

    rule: str = "bad-expression"
    what: str = "an expression"
    examples: tuple[Any, ...] = ("event.value >= 20",)

    def understand(self, node: Scalar) -> Scalar:
        return node

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"]}


class Data(Shape, frozen=True, kw_only=True):
    """Anything that JSON can hold."""

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        return plain(node)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {}


def describe(node: Node) -> str:
    """Return what the node is, for a message."""
    if isinstance(node, Mapping):
        return "a map"
    if isinstance(node, Sequence):
        return "a list"
    return "nothing" if node.empty else quoted(node.text)
