"""When a comparison can turn out otherwise by time alone.

A comparison with the clock flips when the two sides meet, and not before; one with a count or a number of
days flips when that passes the number beside it. Knowing this, a condition such as
``now >= profile.trial_ends`` or ``count("opened", within="30d") >= 5`` is looked at again once, instead of
every minute or at every occurrence that leaves the window.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, floor
from typing import Final

import msgspec

from processor.core.expressions.bounds import children
from processor.core.expressions.tree import Arith, Call, Const, Node, Now

__all__ = ["MIRRORED", "bounded", "find_flips", "watched"]

MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
# Functions whose values move by time alone, one at a time: up or down.
_STEPPING: Final = {"count_within": -1, "days_since": 1, "days_until": -1, "days_since_date": 1}
_NEVER: Final = 10**9
_DRIFTS: Final = {"later": 1, "earlier": -1, "between": -1}


def bounded(parts: list[Node], op: str) -> list[Node]:
    """Tell a function of time which of its values matter here, so that it looks again no sooner."""
    left, right = parts
    if isinstance(left, Call) and left.helper in _STEPPING and isinstance(right, Const):
        return [_stepping(left, right, op), right]
    if isinstance(right, Call) and right.helper in _STEPPING and isinstance(left, Const):
        return [left, _stepping(right, left, MIRRORED.get(op, op))]
    return parts


def _stepping(call: Call, bound: Const, op: str) -> Call:
    """``call op bound`` with the whole numbers at which the outcome changes as further arguments."""
    if bound.type != "number":
        return call
    # The outcome is one below ``at`` and another from it on; == and != have two such places.
    ats = [ceil(bound.value)] if op in ("<", ">=") else [floor(bound.value) + 1]
    if op in ("==", "!="):
        ats = [ceil(bound.value), floor(bound.value) + 1]
    steps = sorted(set(ats)) if _STEPPING[call.helper] > 0 else sorted({1 - at for at in ats})
    if call.helper == "count_within":
        # It falls to at - 1, and never below 0.
        falls = sorted(at - 1 for at in ats if at > 0) or [_NEVER]
        steps = [falls[0], falls[-1]]
    more = [Const(type="number", offset=bound.offset, value=step) for step in steps]
    return msgspec.structs.replace(call, args=(*call.args, *more))


def find_flips(parts: list[Node]) -> tuple[int, ...] | None:
    """How each pair drifts; None where a side is more than a shifted clock, which nothing can foretell."""
    drifts = [_drift(part) for part in parts]
    flips = []
    for left, right in pairwise(drifts):
        if left is None or right is None or abs(left - right) > 1:
            return None
        flips.append(left - right)
    return tuple(flips)


def _drift(node: Node) -> int | None:
    if isinstance(node, Now):
        return 1
    if isinstance(node, Arith) and node.helper in _DRIFTS:
        left, right = _drift(node.left), _drift(node.right)
        if left is None or right is None:
            return None
        return left + _DRIFTS[node.helper] * right
    return None if _has_now(node) else 0


def _has_now(node: Node) -> bool:
    if isinstance(node, Now):
        return not node.watched
    return any(_has_now(child) for child in children(node))


def watched(node: Node) -> Node:
    """The side of a comparison with its clock marked as foretold by it."""
    if isinstance(node, Now):
        return msgspec.structs.replace(node, watched=True)
    if isinstance(node, Arith) and node.helper in _DRIFTS:
        return msgspec.structs.replace(node, left=watched(node.left), right=watched(node.right))
    return node
