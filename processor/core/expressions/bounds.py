"""What scores are compared with: a decaying score is looked at again when it falls below one of these."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from processor.core.expressions.tree import Call, Compare, Const, Node

__all__ = ["children", "score_bounds"]

_UNIT: Final = 0.0001  # scores are rounded to four decimals


def children(node: Node) -> Iterator[Node]:
    """The nodes directly inside a node."""
    for name in node.__struct_fields__:
        value = getattr(node, name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, Node):
                yield child


def score_bounds(tree: Node) -> tuple[set[tuple[str, float]], set[str]]:
    """The (model, number) pairs of all comparisons, and the models that are used in another way.

    A bound is the least value that is still on the upper side: 50 for ``>= 50``, 50.0001 for ``> 50``.
    """
    bounds: set[tuple[str, float]] = set()
    free: set[str] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        compared: list[Node] = []
        if isinstance(node, Compare):
            for left, right in pairwise(node.parts):
                bounds |= _pair(left, right) | _pair(right, left)
            compared = [part for i, part in enumerate(node.parts) if _beside_numbers(node.parts, i)]
        elif _model(node):
            free.add(_model(node))
        waiting.extend(child for child in children(node) if not (_model(child) and child in compared))
    return bounds, free


def _pair(side: Node, other: Node) -> set[tuple[str, float]]:
    model = _model(side)
    if not model or not isinstance(other, Const) or other.type != "number":
        return set()
    return {(model, float(other.value)), (model, round(other.value + _UNIT, 4))}


def _beside_numbers(parts: tuple[Node, ...], index: int) -> bool:
    neighbours = parts[max(index - 1, 0) : index] + parts[index + 1 : index + 2]
    return all(isinstance(part, Const) and part.type == "number" for part in neighbours)


def _model(node: Node) -> str:
    if isinstance(node, Call) and node.helper == "score" and isinstance(node.args[0], Const):
        return str(node.args[0].value)
    return ""
