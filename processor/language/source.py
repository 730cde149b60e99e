"""YAML text -> nodes that know their place.

The parser's events are turned into a small tree of our own rather than into Python values: a scalar keeps the
text as written (``10:00``, ``on`` and ``2026-03-01`` stay what they look like) and its exact line and column,
also for a place inside it. Nothing here knows what the text means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from processor.language.problems import Mark, Problems, quoted

__all__ = ["Mapping", "Node", "Scalar", "Sequence", "parse", "plain"]

DEPTH_MAX: Final = 60  # deeper nesting is refused
NODES_MAX: Final = 100_000  # more nodes in a file, repeated references counted, are refused
BYTES_MAX: Final = 2_000_000  # a larger file is refused

_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_ESCAPE_CHARS: Final = {"x": 4, "u": 6, "U": 10}

_HINTS: Final = (
    (r"'\\t'|tab", "a tab stands here", "write spaces"),
    (
        "mapping values are not allowed",
        'a second ":" stands in this line',
        'put the text that contains ":" in quotes, or start a new line',
    ),
    (
        "expected <block end>",
        "this does not line up with the lines above it, or text goes on after a quoted word",
        "indent it as its neighbours are, or put the whole expression in single quotes",
    ),
    (
        "expected ',' or '[}\\]]'",
        "a list or map in brackets is not closed",
        'write "," or the closing bracket',
    ),
    ("could not find expected ':'", 'a key without ":"', 'write ": " after the key'),
    ("unexpected end of stream", "a quotation is not closed", "write the closing quote"),
    ("undefined alias", "a reference to an anchor that is not there", "write the anchor (&name) first"),
    ("cannot start any token", "a text cannot begin with this character", "put the text in quotes"),
)


class Scalar(msgspec.Struct, frozen=True):
    """A text as written. ``bare`` is true without quotes and blocks; ``raw`` is what the file holds."""

    mark: Mark
    text: str
    style: str
    raw: str

    @property
    def bare(self) -> bool:
        """Whether it is written without quotes."""
        return not self.style

    @property
    def empty(self) -> bool:
        """Whether it says nothing: no text, ``~`` or ``null``."""
        return self.bare and self.text in _NULLS

    def at(self, offset: int) -> Mark:
        """Return the place of the character at ``offset`` of the text; of its start, where it is folded."""
        mark = self.mark
        if self.style == "|":
            return self._at_block(offset)
        if "\n" in self.raw:
            return mark
        if self.style == "'":
            shift = 1 + offset + self.text.count("'", 0, offset)
        elif self.style == '"':
            shift = _double_quoted(self.raw, offset)
        else:
            shift = offset
        return Mark(mark.file, mark.line, mark.column + shift)

    def _at_block(self, offset: int) -> Mark:
        before = self.text[:offset]
        line = before.count("\n")
        filled = (row for row in self.raw.split("\n")[1:] if row.strip())
        first = next(filled, "")
        indent = len(first) - len(first.lstrip(" "))
        column = indent + len(before) - (before.rfind("\n") + 1) + 1
        return Mark(self.mark.file, self.mark.line + 1 + line, column)


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    mark: Mark
    items: tuple[Node, ...]


class Mapping(msgspec.Struct, frozen=True):
    """Keys are scalars, each once, in the order of the file."""

    mark: Mark
    pairs: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Sequence | Mapping


def parse(text: str, file: str, problems: Problems) -> list[Node]:
    """Return the documents of a YAML text; what cannot be read is reported, and then nothing is returned."""
    before = problems.errors
    try:
        documents = _Composer(file, text, problems).documents()
    except MarkedYAMLError as error:
        _syntax(error, file, problems)
        return []
    except (YAMLError, YAMLStreamError) as error:
        reason = str(getattr(error, "reason", "") or "it cannot be read")
        place = _place(text, getattr(error, "position", 0), file)
        problems.error(place, "yaml-syntax", f"not YAML: {reason}", "take out the character")
        return []
    except _RefusedError:
        return []
    except (ValueError, OverflowError, TypeError, IndexError, AttributeError, AssertionError) as error:
        # The parser answers a few malformed escapes and directives with Python's own errors.
        message = f"not YAML: {type(error).__name__} in the parser"
        problems.error(Mark(file), "yaml-syntax", message, "look for a broken escape or directive")
        return []
    return documents if problems.errors == before else []


def plain(node: Node) -> Any:
    """Return what the node holds as JSON has it: bare numbers, booleans and null by YAML 1.2, else text."""
    if isinstance(node, Mapping):
        return {key.text: plain(value) for key, value in node.pairs}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    text = node.text
    if not node.bare:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


class _RefusedError(Exception):
    """Reported already; the rest of the file is not looked at."""


class _Composer:
    """Builds nodes from the parser's events, with an explicit stack: depth costs no recursion."""

    def __init__(self, file: str, text: str, problems: Problems) -> None:
        self._file = file
        # The parser takes a byte order mark off, and the places it gives do not count it.
        self._text = text.removeprefix("\ufeff")
        self._problems = problems
        self._anchors: dict[str, Node | None] = {}
        self._sizes: dict[int, int] = {}
        self._nodes = 0

    def documents(self) -> list[Node]:
        found: list[Node] = []
        events: Iterator[Any] = YAML(typ="safe", pure=True).parse(self._text)
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._anchors = {}
            elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent, AliasEvent)):
                node = self._node(event, events)
                # Nothing between two --- is no document.
                if not (isinstance(node, Scalar) and not node.raw):
                    found.append(node)
        return found

    def _node(self, event: Any, events: Iterator[Any]) -> Node:
        """Return the node that ``event`` starts. Raises :class:`_RefusedError` beyond the limits."""
        stack: list[tuple[Any, list[Node], int]] = []
        while True:
            done: Node | None = None
            if isinstance(event, (MappingEndEvent, SequenceEndEvent)):
                start, items, before = stack.pop()
                done = self._collection(start, items)
                self._keep(start.anchor, done, self._nodes - before)
            elif isinstance(event, ScalarEvent):
                done = self._scalar(event)
                self._keep(event.anchor, done, 1)
                self._count(event, 1)
            elif isinstance(event, AliasEvent):
                done = self._alias(event)
            else:
                self._check_tag(event)
                if len(stack) >= DEPTH_MAX:
                    self._refuse(
                        event, f"nested more than {DEPTH_MAX} deep", "move a part into its own program"
                    )
                self._count(event, 1)
                if event.anchor:
                    self._anchors[event.anchor] = None
                stack.append((event, [], self._nodes - 1))
            if done is not None:
                if not stack:
                    return done
                stack[-1][1].append(done)
            event = next(events)

    def _scalar(self, event: Any) -> Scalar:
        self._check_tag(event)
        style = "" if event.style is None else str(event.style)
        raw = self._text[event.start_mark.index : event.end_mark.index]
        return Scalar(self._mark(event), event.value, style, raw)

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            message = f'the reference "*{event.anchor}" is to nothing that stands before it'
            self._refuse(event, message, f"write the anchor &{event.anchor} first")
        self._count(event, self._sizes[id(node)])
        return node

    def _collection(self, start: Any, items: list[Node]) -> Node:
        mark = self._mark(start)
        if isinstance(start, SequenceStartEvent):
            return Sequence(mark, tuple(items))
        pairs: list[tuple[Scalar, Node]] = []
        seen: dict[str, Mark] = {}
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, Scalar):
                message = "a key cannot be a list or map"
                self._problems.error(key.mark, "yaml-syntax", message, "write a word, or put it in quotes")
                continue
            first = seen.setdefault(key.text, key.mark)
            if first is not key.mark:
                message = f"{quoted(key.text)} is written twice, first in line {first.line}"
                self._problems.error(key.mark, "duplicate-key", message, "write it once")
                continue
            # A value that is not there has no place; the parser says where the next thing begins.
            missing = isinstance(value, Scalar) and not value.raw
            pairs.append((key, msgspec.structs.replace(value, mark=key.mark) if missing else value))
        return Mapping(mark, tuple(pairs))

    def _keep(self, anchor: str | None, node: Node, size: int) -> None:
        if anchor:
            self._anchors[anchor] = node
            self._sizes[id(node)] = size

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > NODES_MAX:
            self._refuse(
                event, f"more than {NODES_MAX} entries in one file", "split it into several programs"
            )

    def _check_tag(self, event: Any) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) != "!":
            message = f"the tag {quoted(str(tag))} means nothing here"
            self._problems.error(self._mark(event), "yaml-tag", message, "take the tag out")

    def _mark(self, event: Any) -> Mark:
        start = event.start_mark
        return Mark(self._file, start.line + 1, start.column + 1)

    def _refuse(self, event: Any, message: str, fix: str) -> NoReturn:
        self._problems.error(self._mark(event), "yaml-limit", message, fix)
        raise _RefusedError


def _syntax(error: MarkedYAMLError, file: str, problems: Problems) -> None:
    where = error.problem_mark or error.context_mark
    mark = Mark(file) if where is None else Mark(file, where.line + 1, where.column + 1)
    said = " ".join(str(error.problem or error.context or "").split())
    for pattern, message, fix in _HINTS:
        if re.search(pattern, said):
            problems.error(mark, "yaml-syntax", f"not YAML: {message}", fix)
            return
    problems.error(mark, "yaml-syntax", f"not YAML: {said}", "check indentation, quotes and brackets here")


def _place(text: str, position: Any, file: str) -> Mark:
    offset = position if isinstance(position, int) else 0
    before = text[:offset]
    return Mark(file, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _double_quoted(raw: str, offset: int) -> int:
    """Return how far into a double-quoted ``raw`` the character at ``offset`` of its meaning lies."""
    at = 1
    for _ in range(offset):
        at += _ESCAPE_CHARS.get(raw[at + 1 : at + 2], 2) if raw[at : at + 1] == "\\" else 1
    return at
