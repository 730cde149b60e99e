"""Ways around boxes, for the few edges that the nesting of a program does not hold.

The shortest way with few bends on a grid made of the boxes' own edges (Dijkstra). It keeps its distance from
boxes and labels, and avoids lying on top of other lines.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

import msgspec

from processor.language.graph_parts import Box, Point, Sheet

__all__ = ["Router"]

_CLEAR: Final = 9.0  # nothing comes nearer to a box
_STUB: Final = 16.0  # how far a line goes straight before its first bend
_BEND: Final = 70.0
_OVERLAP: Final = 5.0  # a pixel on top of another line costs so many more
_NEAR: Final = 6.0
_GRID_MAX: Final = 60_000  # a larger grid is not searched
_LOOKS_MAX: Final = 100_000  # states looked at in a whole drawing; lines after that go around it

_Span = tuple[float, float]
_State = tuple[int, int, bool]  # column, row, whether it moves along the row


class _Grid(msgspec.Struct):
    """``walls`` and ``taken`` hold for each column (then row) what blocks it, and what lies on it already."""

    xs: list[float]
    ys: list[float]
    column_walls: list[list[_Span]]
    row_walls: list[list[_Span]]
    column_taken: list[list[_Span]]
    row_taken: list[list[_Span]]


class Router:
    """Finds ways on a sheet; every line that the sheet has gained meanwhile is seen by the next."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._looks = _LOOKS_MAX

    def route(self, source: Box, target: Box) -> tuple[list[Point], bool]:
        """Return the points from one box to the other, and whether that leads back up."""
        starts = _ports(source)
        if source.kind == "goto":
            starts.append(((source.centre, source.bottom), (source.centre, source.bottom + _STUB)))
        goals = _ports(target)
        stubs = [stub for _, stub in (*starts, *goals)]
        grid = self._grid(stubs)
        back = target.y <= source.y
        if len(grid.xs) * len(grid.ys) > _GRID_MAX or not self._looks:
            return self._around(source, target), back
        by_start, by_goal = ({stub: port for port, stub in ports} for ports in (starts, goals))
        path, looks = _search(grid, by_start, by_goal, self._looks)
        self._looks -= looks
        return path or self._around(source, target), back

    def _grid(self, stubs: list[Point]) -> _Grid:
        sheet = self._sheet
        walls = [
            (box.x - _CLEAR, box.y - _CLEAR, box.x + box.width + _CLEAR, box.bottom + _CLEAR)
            for box in sheet.boxes
        ]
        walls += [
            (
                one.x - one.width / 2 - 2,
                one.y - one.height / 2 - 2,
                one.x + one.width / 2 + 2,
                one.y + one.height / 2 + 2,
            )
            for one in sheet.labels
        ]
        xs = {x for x, _ in stubs} | {-sheet.left - 12, sheet.right + 12}
        ys = {y for _, y in stubs} | {sheet.height + 12}
        for box in sheet.boxes:
            xs.update(
                (box.x - _STUB, box.x - _STUB - 9, box.x + box.width + _STUB, box.x + box.width + _STUB + 9)
            )
            ys.update((box.y - 12, box.bottom + 12))
        for frame in sheet.frames:
            xs.update((frame.x - 14, frame.x + frame.width + 14))
        columns, rows = sorted(xs), sorted(ys)
        segments = [
            (a, b) for line in sheet.lines for a, b in zip(line.points, line.points[1:], strict=False)
        ]
        upright = [(a[0], min(a[1], b[1]), max(a[1], b[1])) for a, b in segments if a[0] == b[0]]
        upright += [
            (x, frame.y, frame.y + frame.height)
            for frame in sheet.frames
            for x in (frame.x, frame.x + frame.width)
        ]
        level = [(a[1], min(a[0], b[0]), max(a[0], b[0])) for a, b in segments if a[1] == b[1]]
        return _Grid(
            columns,
            rows,
            [[(top, low) for left, top, right, low in walls if left < x < right] for x in columns],
            [[(left, right) for left, top, right, low in walls if top < y < low] for y in rows],
            [[(top, low) for at, top, low in upright if abs(at - x) < _NEAR] for x in columns],
            [[(left, right) for at, left, right in level if abs(at - y) < _NEAR] for y in rows],
        )

    def _around(self, source: Box, target: Box) -> list[Point]:
        lane = -self._sheet.left - _STUB
        y1, y2 = source.y + source.height / 2, target.y + target.height / 2
        return [(source.x, y1), (lane, y1), (lane, y2), (target.x, y2)]


def _ports(box: Box) -> list[tuple[Point, Point]]:
    middle = box.y + box.height / 2
    return [
        ((box.x, middle), (box.x - _STUB, middle)),
        ((box.x + box.width, middle), (box.x + box.width + _STUB, middle)),
    ]


def _search(
    grid: _Grid, starts: dict[Point, Point], goals: dict[Point, Point], looks_max: int
) -> tuple[list[Point], int]:
    """Return the points of the best way, or none, and how many looks it took."""
    column = {x: number for number, x in enumerate(grid.xs)}
    row = {y: number for number, y in enumerate(grid.ys)}
    queue: list[tuple[float, _State]] = []
    best: dict[_State, float] = {}
    before: dict[_State, _State] = {}
    for (x, y), (port_x, _) in starts.items():
        state = (column[x], row[y], port_x != x)
        best[state] = 0.0
        heappush(queue, (0.0, state))
    ends = {(column[x], row[y]) for x, y in goals}
    looks = 0
    while queue and looks < looks_max:
        cost, state = heappop(queue)
        if cost > best[state]:
            continue
        looks += 1
        # A goal is entered level: its ports are at its sides.
        if state[2] and (state[0], state[1]) in ends:
            return _path(grid, state, before, starts, goals), looks
        for following, more in _moves(grid, state):
            total = cost + more
            if total < best.get(following, float("inf")):
                best[following] = total
                before[following] = state
                heappush(queue, (total, following))
    return [], looks


def _moves(grid: _Grid, state: _State) -> list[tuple[_State, float]]:
    at, down, level = state
    found: list[tuple[_State, float]] = [((at, down, not level), _BEND)]
    for step in (-1, 1):
        if level and 0 <= at + step < len(grid.xs):
            low, high = sorted((grid.xs[at], grid.xs[at + step]))
            cost = _cost(low, high, grid.row_walls[down], grid.row_taken[down])
            if cost is not None:
                found.append(((at + step, down, True), cost))
        elif not level and 0 <= down + step < len(grid.ys):
            low, high = sorted((grid.ys[down], grid.ys[down + step]))
            cost = _cost(low, high, grid.column_walls[at], grid.column_taken[at])
            if cost is not None:
                found.append(((at, down + step, False), cost))
    return found


def _cost(low: float, high: float, walls: list[_Span], taken: list[_Span]) -> float | None:
    if any(start < high and low < end for start, end in walls):
        return None
    cost = high - low
    for start, end in taken:
        cost += max(0.0, min(end, high) - max(start, low)) * _OVERLAP
    return cost


def _path(
    grid: _Grid,
    state: _State,
    before: dict[_State, _State],
    starts: dict[Point, Point],
    goals: dict[Point, Point],
) -> list[Point]:
    points: list[Point] = []
    at: _State | None = state
    while at is not None:
        points.append((grid.xs[at[0]], grid.ys[at[1]]))
        at = before.get(at)
    points.reverse()
    return [starts[points[0]], *points, goals[points[-1]]]
