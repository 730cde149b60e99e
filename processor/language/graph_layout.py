"""Where everything of a program's drawing goes.

A program is written as lists in lists, and a step's ``next`` says where the list it stands in goes on; so the
branches of a step are laid out side by side, each a sheet of its own, and come together above what follows.
Lines never have to cross boxes that way. What the lists do not hold (a goto, steps that nothing leads to) is
laid out beside them and joined by ways found around the boxes (:mod:`processor.language.graph_route`).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

import msgspec

from processor.core.model import Node, Program
from processor.language.graph_caption import entry_text
from processor.language.graph_parts import Box, Frame, Label, Line, Open, Point, Sheet, card, label_for, pill
from processor.language.graph_route import Router

__all__ = ["Drawing", "lay_out", "reached"]

END: Final = "end:"  # no step id holds a colon
_GAP: Final = 30.0  # between a box and the one below it
_BUS: Final = 18.0  # from a box down to where its branches part
_COLUMN_GAP: Final = 30.0
_FRAME_PAD: Final = 18.0
_LANE: Final = 26.0  # room for a line that leads back
_SNAP: Final = 48.0
_SAME: Final = 0.01  # nearer coordinates are one
_MARGIN: Final = 12.0
_NUMBERED: Final = re.compile(r"-[0-9]+$")


class Drawing(msgspec.Struct):
    """A finished layout: every coordinate is 0 or more, and at most ``width`` or ``height``."""

    width: float
    height: float
    boxes: list[Box]
    lines: list[Line]
    labels: list[Label]
    frames: list[Frame]


class _Extra(msgspec.Struct):
    """An edge to a box that was placed elsewhere."""

    source: str
    target: str
    label: str
    style: str


def lay_out(program: Program) -> Drawing:
    """Lay a program out: entries at the top, then its steps, steps that nothing leads to at the right."""
    return _Layout(program).draw()


class _Layout:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._nodes = program.nodes
        self._placed: set[str] = set()
        self._extras: list[_Extra] = []
        self._ends_drawn = 0
        targets = {node.target for node in program.nodes.values() if hasattr(node, "target")}
        self._reached = reached(program)
        self._tagged = {name for name, node in program.nodes.items() if name in targets or _named(node)}

    def draw(self) -> Drawing:
        sheet = self._entries()
        self._finish(sheet)
        outs = {first: reason for reason, first in self._program.ways_out.items()}
        for name in self._nodes:
            if name not in self._placed:
                aside = self._way_out(name, outs[name]) if name in outs else self._sequence(name, None)
                self._finish(aside)
                sheet.put(aside, sheet.right + _COLUMN_GAP * 2 + aside.left, 60.0)
        self._lead_extras(sheet)
        return _settle(sheet)

    # ------------------------------------------------------------------------------------------- lists

    def _entries(self) -> Sheet:
        sheet = Sheet()
        entries = [pill(f"entry:{entry.id}", "entry", entry_text(entry)) for entry in self._program.entries]
        if not entries:
            entries = [pill("entry:", "entry", "nothing enters")]
        width = sum(box.width for box in entries) + _COLUMN_GAP * (len(entries) - 1)
        at = -width / 2
        for box in entries:
            box.x = at
            at += box.width + _COLUMN_GAP
            sheet.boxes.append(box)
        height = entries[0].height
        bus = height + (_BUS if len(entries) > 1 else 0)
        sheet.reach(width / 2, width / 2)
        opens = [
            Open(box.key, "", "plain", [(box.centre, height), (box.centre, bus), (0.0, bus)])
            for box in entries
        ]
        steps = self._sequence(self._program.first, None)
        top = bus + _GAP
        ends = steps.ends
        sheet.put(steps, 0.0, top)
        if self._program.first in self._nodes:
            sheet.close(opens, self._program.first, (0.0, top + steps.entry))
        sheet.ends = ends
        return sheet

    def _way_out(self, first: str, reason: str) -> Sheet:
        """Lay out the steps that are done when it ends for a reason."""
        sheet = Sheet()
        box = pill(f"exit:{reason}", "entry", f"on exit: {reason}")
        box.x = -box.width / 2
        sheet.boxes.append(box)
        sheet.reach(box.width / 2, box.width / 2)
        steps = self._sequence(first, None)
        top = box.height + _GAP
        ends = steps.ends
        sheet.put(steps, 0.0, top)
        opens = [Open(box.key, "", "plain", [(box.centre, box.height)])]
        sheet.close(opens, first, (0.0, top + steps.entry))
        sheet.ends = ends
        return sheet

    def _sequence(self, start: str | None, stop: str | None) -> Sheet:
        """Lay out the steps from ``start`` until the list ends at ``stop``; its ends lead there."""
        sheet = Sheet()
        at: str | None = start
        pending: list[Open] = []
        while at is not None and at != stop and at in self._nodes and at not in self._placed:
            self._placed.add(at)
            item = self._item(self._nodes[at])
            y = sheet.height + (_GAP if sheet.height else 0.0)
            ends = item.ends
            sheet.entry = sheet.entry if sheet.boxes else item.entry
            sheet.put(item, 0.0, y)
            sheet.close(pending, at, (0.0, y + item.entry))
            pending = ends
            at = _following(self._nodes[at]) if pending else None
        sheet.ends = pending
        if at is not None and at != stop and at in self._placed:
            self._extras += [_Extra(one.source, at, one.label, one.style) for one in pending]
            sheet.ends = []
        elif at is None and stop is not None:
            self._finish(sheet)
        return sheet

    def _item(self, node: Node) -> Sheet:
        """Lay out one step with what hangs below it; its ends lead to what follows, from the axis."""
        box = card(node, tagged=node.id in self._tagged, faded=node.id not in self._reached)
        sheet = Sheet(boxes=[box])
        sheet.reach(box.width / 2, box.width / 2)
        sheet.height = box.height
        edges = node.edges()
        if node.kind == "repeat":
            self._loop(sheet, node, box)
        elif node.kind == "goto":
            self._extras += [_Extra(node.id, target, label, "jump") for label, target in edges if target]
        elif len(edges) == 1 and node.kind not in ("wait_for", "decide", "split", "offer"):
            sheet.ends = [Open(node.id, edges[0][0], "plain", [(0.0, box.height)])]
        elif edges:
            self._branches(sheet, node, box)
        return sheet

    # ---------------------------------------------------------------------------------------- branches

    def _branches(self, sheet: Sheet, node: Node, above: Box) -> None:
        columns: list[tuple[Sheet, Label | None, str, str, str | None]] = []
        for number, (label, target) in enumerate(node.edges()):
            style = "timeout" if node.kind == "wait_for" and number else "plain"
            if target in self._nodes and target != node.next and target in self._placed:
                self._extras.append(_Extra(node.id, target, label, style))
                continue
            branch = self._branch(node, target)
            shown = label_for(node, label, style)
            half = max(shown.width / 2 + 2 if shown else 0.0, 14.0)
            branch.reach(half, half)
            first = branch.boxes[0].key if branch.boxes else None
            columns.append((branch, shown, label, style, first))
        if not columns:
            return
        axes = _axes([column[0] for column in columns])
        bus = above.height + _BUS
        room = max((column[1].height for column in columns if column[1]), default=0.0)
        top = bus + room + (34 if room else 16)
        ends: list[Open] = []
        for x, (branch, shown, label, style, target) in zip(axes, columns, strict=True):
            start = Open(node.id, label, style, [(0.0, above.height), (0.0, bus), (x, bus)])
            inner = branch.ends
            sheet.put(branch, x, top)
            if shown is not None:
                shown.x, shown.y = x, bus + 12 + room / 2
                sheet.labels.append(shown)
            if target is None:
                ends.append(start)
            else:
                sheet.close([start], target, (x, top + branch.entry))
                ends += inner
        sheet.height = max(sheet.height, top)
        merge = sheet.height + 16
        for one in ends:
            x = one.points[-1][0]
            one.points += [(x, merge), (0.0, merge)]
        if ends:
            sheet.height = merge
        sheet.ends = ends

    def _branch(self, node: Node, target: str | None) -> Sheet:
        """Lay out one branch of a step; an empty sheet where it goes straight to what follows."""
        if target == node.next:
            return Sheet()
        branch = self._sequence(target, node.next)
        if target is None:
            box = self._end()
            branch = Sheet(boxes=[box], height=box.height, left=box.width / 2, right=box.width / 2)
        return branch

    # ------------------------------------------------------------------------------------------- loops

    def _loop(self, sheet: Sheet, node: Node, box: Box) -> None:
        """A repeat stands on a frame with its steps; the last leads back at the left, the frame leads on."""
        (label, first), (on, _) = node.edges()
        if first is not None and first in self._placed:
            self._extras.append(_Extra(node.id, first, label, "plain"))
        body = self._sequence(first, node.id)
        top = box.height + _GAP
        back = body.ends
        sheet.put(body, 0.0, top)
        if body.boxes and first is not None:
            sheet.close([Open(node.id, label, "plain", [(0.0, box.height)])], first, (0.0, top + body.entry))
        turn = sheet.height + 16
        lane = -(sheet.left + _LANE - 8)
        middle = box.height / 2
        sheet.close(back, node.id, (0.0, turn), (lane, turn), (lane, middle), (box.x, middle), back=True)
        sheet.reach(sheet.left + _LANE, sheet.right)
        left, right, height = sheet.left + _FRAME_PAD, sheet.right + _FRAME_PAD, turn + _FRAME_PAD
        for frame in sheet.frames:
            frame.depth += 1
        sheet.shift(0.0, _FRAME_PAD)
        sheet.entry = _FRAME_PAD
        sheet.frames.insert(0, Frame(-left, 0.0, left + right, height + _FRAME_PAD))
        sheet.left, sheet.right, sheet.height = left, right, height + _FRAME_PAD
        sheet.ends = [Open(node.id, on, "plain", [(0.0, sheet.height)])]

    # ------------------------------------------------------------------------------------------ the rest

    def _finish(self, sheet: Sheet) -> None:
        """Lead the ways that are still open to the end of the program."""
        if not sheet.ends:
            return
        box = self._end()
        y = box.y = sheet.height + _GAP
        sheet.boxes.append(box)
        sheet.close(sheet.ends, box.key, (0.0, y))
        sheet.ends = []
        sheet.height = y + box.height

    def _end(self) -> Box:
        self._ends_drawn += 1
        return pill(f"{END}{self._ends_drawn}", "end", "end")

    def _lead_extras(self, sheet: Sheet) -> None:
        if not self._extras:
            return
        boxes = {box.key: box for box in sheet.boxes}
        router = Router(sheet)
        for extra in self._extras:
            points, back = router.route(boxes[extra.source], boxes[extra.target])
            sheet.lines.append(Line(extra.source, extra.target, extra.label, extra.style, points, back))
            shown = label_for(self._nodes[extra.source], extra.label, extra.style)
            if shown is not None:
                middle = _middle(points)
                shown.x, shown.y = middle
                sheet.labels.append(shown)


def reached(program: Program) -> set[str]:
    """Return the ids of the steps that some way leads to from the first, or that are on a way out."""
    found: set[str] = set()
    waiting = [program.first, *program.ways_out.values()]
    while waiting:
        name = waiting.pop()
        if name in program.nodes and name not in found:
            found.add(name)
            waiting += [target for _, target in program.nodes[name].edges() if target is not None]
    return found


def _named(node: Node) -> bool:
    """Whether the step was given its id by hand: it does not begin as a made one does."""
    made = {
        "list": ("add-to", "remove-from"),
        "wait_for": ("wait-for", "wait-until"),
        "exit": ("exit", "stop"),
    }
    return not _NUMBERED.sub("", node.id).startswith(made.get(node.kind, (node.kind,)))


def _following(node: Node) -> str | None:
    edges = node.edges()
    return (
        edges[0][1]
        if len(edges) == 1 and node.kind not in ("wait_for", "decide", "split", "offer")
        else node.next
    )


def _axes(columns: list[Sheet]) -> list[float]:
    """Return the axes of sheets side by side, the first and the last as far from 0, or nearly.

    Where one is near 0 it is put there: a straight way down reads better than a small bend.
    """
    axes = [0.0]
    for before, after in pairwise(columns):
        axes.append(axes[-1] + before.right + _COLUMN_GAP + after.left)
    middle = (axes[0] + axes[-1]) / 2
    nearest = min(axes, key=lambda x: abs(x - middle))
    middle = nearest if len(axes) > 2 and abs(nearest - middle) < _SNAP else middle  # noqa: PLR2004
    return [x - middle for x in axes]


def _middle(points: list[Point]) -> Point:
    """Return the middle of the longest piece."""
    pieces = list(pairwise(points))
    (x1, y1), (x2, y2) = max(
        pieces, key=lambda piece: abs(piece[0][0] - piece[1][0]) + abs(piece[0][1] - piece[1][1])
    )
    return (x1 + x2) / 2, (y1 + y2) / 2


def _settle(sheet: Sheet) -> Drawing:
    """Move everything to positive coordinates, and take the points out that lie on straight ways."""
    xs = [x for line in sheet.lines for x, _ in line.points]
    ys = [y for line in sheet.lines for _, y in line.points]
    left = min([-sheet.left, *xs, *(label.x - label.width / 2 for label in sheet.labels)])
    right = max([sheet.right, *xs, *(label.x + label.width / 2 for label in sheet.labels)])
    top = min([0.0, *ys])
    sheet.shift(_MARGIN - left, _MARGIN - top)
    for line in sheet.lines:
        line.points = _straight(line.points)
    width = right - left + 2 * _MARGIN
    height = max([sheet.height, *ys]) - top + 2 * _MARGIN
    return Drawing(width, height, sheet.boxes, sheet.lines, sheet.labels, sheet.frames)


def _straight(points: list[Point]) -> list[Point]:
    kept: list[Point] = []
    for point in points:
        if kept and abs(kept[-1][0] - point[0]) < _SAME and abs(kept[-1][1] - point[1]) < _SAME:
            continue
        if len(kept) > 1 and (
            _in_line(kept[-2], kept[-1], point, 0) or _in_line(kept[-2], kept[-1], point, 1)
        ):
            kept.pop()
        kept.append(point)
    return kept


def _in_line(first: Point, second: Point, third: Point, axis: int) -> bool:
    return abs(first[axis] - second[axis]) < _SAME and abs(second[axis] - third[axis]) < _SAME
