"""The checked tree: what an expression means, once its names and types are known.

Every node yields either a value of its ``type`` or None for missing. Values are canonical: a number is an
int or a finite-checked float and never a boolean, a time is int ms, a date is "YYYY-MM-DD", a duration is
int ms. What comes from events and profiles is of any type until a :class:`Coerce` stands around it, which
turns what is not of its type into missing. So no node needs to guard against types, and none can raise.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "Arith", "Call", "Choose", "Coerce", "Compare", "Const", "Contains", "Held", "ListOf", "Logic", "Node",
    "Not", "Now", "Read", "Text", "maybe_missing",
]  # fmt: skip


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """``choices``: the only values that a string can have here, if they are known."""

    type: str
    offset: int
    choices: tuple[str, ...] = ()


class Const(Node, frozen=True, kw_only=True):
    """A literal."""

    value: Any


class Read(Node, frozen=True, kw_only=True):
    """A property of ``source`` (props, entry, answer or profile), as it comes; ``path`` leads into maps."""

    source: str
    path: tuple[str, ...]


class Coerce(Node, frozen=True, kw_only=True):
    """``body`` where it is of this node's type, a time or date read from text, else missing."""

    body: Node


class Now(Node, frozen=True, kw_only=True):
    """The instant of the turn. ``watched``: a comparison around it says when its outcome changes."""

    watched: bool = False


class Call(Node, frozen=True, kw_only=True):
    """``helper`` of :mod:`~processor.core.expressions.runtime`, with the turn before ``args`` if ``turn``."""

    helper: str
    args: tuple[Node, ...]
    turn: bool = False
    maybe: bool = True


class Held(Node, frozen=True, kw_only=True):
    """An object that the code is given as it is: the compiled condition of a ``where=`` on items."""

    value: Any


class Compare(Node, frozen=True, kw_only=True):
    """``parts[0] ops[0] parts[1] ops[1] …``, all true; parts beside each other are of one type.

    ``flips[i]``: how the two sides around ``ops[i]`` drift with the clock: 1 if the left one rises by 1 ms a
    ms against the right one, -1 if it falls, 0 if neither moves.
    """

    parts: tuple[Node, ...]
    ops: tuple[str, ...]
    flips: tuple[int, ...]


class Logic(Node, frozen=True, kw_only=True):
    """``and`` or ``or`` of conditions."""

    op: str
    parts: tuple[Node, ...]


class Not(Node, frozen=True, kw_only=True):
    """The opposite of a condition."""

    body: Node


class Contains(Node, frozen=True, kw_only=True):
    """``item in values``, the values being literals of one type (string or number), as is the item."""

    item: Node
    values: tuple[Any, ...]


class Arith(Node, frozen=True, kw_only=True):
    """``helper(left, right)``."""

    helper: str
    left: Node
    right: Node


class Choose(Node, frozen=True, kw_only=True):
    """``then if test else other``."""

    test: Node
    then: Node
    other: Node


class ListOf(Node, frozen=True, kw_only=True):
    """A list of literals."""

    values: tuple[Any, ...]


class Text(Node, frozen=True, kw_only=True):
    """A template: literal texts and values, one after the other."""

    parts: tuple[Node, ...]


def maybe_missing(node: Node) -> bool:
    """Whether the node can yield None."""
    match node:
        case Const():
            return node.value is None
        case Now() | Compare() | Logic() | Not() | Contains() | ListOf() | Text():
            return False
        case Call():
            return node.maybe
        case Choose():
            return maybe_missing(node.then) or maybe_missing(node.other)
        case _:
            return True
