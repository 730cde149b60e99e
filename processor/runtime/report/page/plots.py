"""The plots of a page: bars over time, curves of time to goal, and intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from processor.runtime.report.page.svg import Scale, figure, number, tag, text, ticks

__all__ = ["Line", "Range", "Series", "bars", "curves", "intervals", "mini_interval", "spark"]

_CHAR: Final = 6.6  # the width of a character in labels, about
_BOLD: Final = 8.1  # and of a bold one
_NOTHING: Final = 1e-12  # less than this is 0, in sums of floats


@dataclass(frozen=True)
class Series:
    """Values over time, drawn in the colour of a class such as ``c1``."""

    name: str
    colour: str
    values: Sequence[int]


@dataclass(frozen=True)
class Line:
    """A curve in steps: (x, share, low, high), and what it is called."""

    name: str
    colour: str
    points: Sequence[tuple[float, float, float, float]]


@dataclass(frozen=True)
class Range:
    """A value with its interval: a row of :func:`intervals`. ``href`` leads to where it is told in full."""

    name: str
    value: float
    low: float
    high: float
    tone: str
    said: str
    href: str = ""


def _count(value: float) -> str:
    return f"{value / 1000:,.4g}k" if value >= 10_000 else f"{value:,.4g}"  # noqa: PLR2004


def bars(
    name: str, title: str, about: str, labels: Sequence[tuple[str, str]], series: Sequence[Series], gap: float
) -> str:
    """Bars over time, the series on top of each other, the first at the bottom.

    ``labels``: what each stretch of time is called, and what stands below the axis there, or nothing.
    ``gap``: between bars, as a share of a bar's room.
    """
    width, height, left, top, bottom = 1000.0, 250.0, 52.0, 12.0, 30.0
    totals = [sum(one.values[place] for one in series) for place in range(len(labels))]
    highest = max([*totals, 1])
    y = Scale(0, highest, height - bottom, top)
    room = (width - left - 8) / max(1, len(labels))
    gap = min(3.0, room * gap)
    drawn = [_grid(y, left, width, ticks(0, highest, min(4, highest)), _count)]
    for place, (label, _) in enumerate(labels):
        base = 0
        parts = []
        x = left + place * room + gap / 2
        for one in series:
            value = one.values[place]
            if value:
                parts.append(
                    tag(
                        "rect",
                        x=x,
                        y=y(base + value),
                        width=min(room - gap, 56.0),
                        height=y(base) - y(base + value),
                        class_=one.colour,
                    )
                )
                base += value
        if parts:
            said = ", ".join(f"{one.name} {one.values[place]:,}" for one in series if one.values[place])
            drawn.append(
                tag("g", tag("title", f"{label}: {said}".replace("&", "&amp;").replace("<", "&lt;")), *parts)
            )
    drawn.extend(
        text(left + place * room + gap / 2, height - 9, below, "axis")
        for place, (_, below) in enumerate(labels)
        if below
    )
    return figure(name, title, about, (width, height), *drawn)


def _grid(y: Scale, left: float, right: float, marks: Sequence[float], shown: Callable[[float], str]) -> str:
    lines = []
    for value in marks:
        at = y(value)
        lines.append(tag("line", x1=left, x2=right, y1=at, y2=at, class_="grid" if value else "base"))
        lines.append(text(left - 8, at + 4, shown(value), "axis", "end"))
    return "".join(lines)


_TIMES: Final = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def curves(name: str, title: str, about: str, lines: Sequence[Line]) -> str:
    """Shares over the time since entry (in seconds), in steps, each with a band for its interval."""
    width, height, left, top, bottom, right = 560.0, 268.0, 46.0, 14.0, 42.0, 64.0
    end = max([line.points[-1][0] for line in lines if line.points] or [1.0]) or 1.0
    highest = min(1.0, max([point[3] for line in lines for point in line.points] or [0.0]) * 1.04 or 0.1)
    unit, called = next(((size, word) for size, word in _TIMES if end >= 2 * size), _TIMES[-1])
    x, y = Scale(0, end, left, width - right), Scale(0, highest, height - bottom, top)
    drawn = [_grid(y, left, width - right, ticks(0, highest, 4), lambda share: f"{100 * share:.3g}%")]
    drawn.extend(
        text(x(value * unit), height - bottom + 17, f"{value:g}", "axis", "middle")
        for value in ticks(0, end / unit, 6)
    )
    drawn.append(text((left + width - right) / 2, height - 6, f"{called} since entry", "axis", "middle"))
    ends = _apart([y(line.points[-1][1]) if line.points else 0 for line in lines], 15.0, top, height - bottom)
    for line, at in zip(lines, ends, strict=True):
        if not line.points:
            continue
        lows, highs = [(p[0], p[2]) for p in line.points], [(p[0], p[3]) for p in line.points]
        band = f"{_steps(highs, x, y)}L{_steps(lows, x, y, back=True)[1:]}Z"
        drawn.append(tag("path", d=band, class_=f"band {line.colour}"))
        drawn.append(
            tag("path", d=_steps([(p[0], p[1]) for p in line.points], x, y), class_=f"line {line.colour}")
        )
        last = line.points[-1]
        drawn.append(tag("circle", cx=x(last[0]), cy=y(last[1]), r=3.2, class_=f"dot {line.colour}"))
        drawn.append(text(x(last[0]) + 9, at + 4.5, f"{100 * last[1]:.1f}%", f"end {line.colour}"))
    return figure(name, title, about, (width, height), *drawn)


def _steps(points: Sequence[tuple[float, float]], x: Scale, y: Scale, *, back: bool = False) -> str:
    """A path in steps: level to the next point, then up; or the same the other way round."""
    places = [(x(points[0][0]), y(points[0][1]))]
    for at, share in points[1:]:
        places += [(x(at), places[-1][1]), (x(at), y(share))]
    if back:
        places.reverse()
    return "M" + "L".join(f"{number(px)},{number(py)}" for px, py in places)


def _apart(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Move labels apart that would lie on each other."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    made = list(places)
    for before, after in pairwise(order):
        made[after] = max(made[after], made[before] + least)
    over = max([0.0, *(at - high for at in made)])
    return [max(low, at - over) if over else at for at in made]


def intervals(name: str, title: str, about: str, rows: Sequence[Range], shown: Callable[[float], str]) -> str:
    """A row for each value: a point, a line for its interval, its name before and what is said of it behind.

    Where values can lie on both sides of 0, a line stands there.
    """
    longest = max([len(row.name) for row in rows] or [0])
    wordiest = max([len(row.said) for row in rows] or [0])
    width, step, top, bottom = 1000.0, 30.0, 8.0, 30.0
    left, right = min(330.0, 30 + longest * _BOLD), min(400.0, 30 + wordiest * _CHAR)
    height = top + step * len(rows) + bottom
    low, high = min([0.0, *(row.low for row in rows)]), max([0.0, *(row.high for row in rows)])
    margin = (high - low or 1.0) * 0.03
    x = Scale(low - (margin if low < 0 else 0), high + margin, left, width - right)
    drawn = []
    for value in ticks(x.low, x.high, 6):
        at = x(value)
        drawn.append(
            tag(
                "line",
                x1=at,
                x2=at,
                y1=top,
                y2=height - bottom,
                class_="zero" if abs(value) < _NOTHING else "grid",
            )
        )
        drawn.append(text(at, height - 10, shown(value), "axis", "middle"))
    for place, row in enumerate(rows):
        at = top + step * (place + 0.5)
        label = text(left - 14, at + 4.5, _short(row.name, int((left - 14) / _BOLD)), "label", "end")
        inside = [
            tag("title", f"{row.name}: {row.said}".replace("&", "&amp;").replace("<", "&lt;")),
            tag("a", label, href=row.href) if row.href else label,
            tag("line", x1=x(row.low), x2=x(row.high), y1=at, y2=at, class_=f"whisker {row.tone}"),
            tag("circle", cx=x(row.value), cy=at, r=5.0, class_=f"dot {row.tone}"),
            text(width - right + 16, at + 4.5, row.said, f"said {row.tone}"),
        ]
        drawn.append(tag("g", *inside))
    return figure(name, title, about, (width, height), *drawn)


def _short(value: str, most: int) -> str:
    return value if len(value) <= most else f"{value[: max(1, most - 1)]}…"


def mini_interval(value: float, low: float, high: float, most: float) -> str:
    """A small point with its interval on a line from 0 to ``most``, for a cell beside one that says it."""
    width, height = 116.0, 16.0
    x = Scale(0, most, 3, width - 3)
    inside = [
        tag("line", x1=3.0, x2=width - 3, y1=8.0, y2=8.0, class_="grid"),
        tag("line", x1=x(low), x2=x(high), y1=8.0, y2=8.0, class_="whisker plain"),
        tag("circle", cx=x(value), cy=8.0, r=3.6, class_="dot plain"),
    ]
    return tag(
        "svg", *inside, viewBox=f"0 0 {number(width)} {number(height)}", class_="mini", aria_hidden="true"
    )


def spark(values: Sequence[int]) -> str:
    """A small curve without axes, for a cell of a table."""
    width, height = 116.0, 22.0
    highest = max([*values, 1])
    x, y = Scale(0, max(1, len(values) - 1), 1, width - 1), Scale(0, highest, height - 2, 2)
    path = "M" + "L".join(f"{number(x(place))},{number(y(value))}" for place, value in enumerate(values))
    return tag(
        "svg",
        tag("path", d=path, class_="line c1"),
        viewBox=f"0 0 {number(width)} {number(height)}",
        class_="mini",
        aria_hidden="true",
    )
