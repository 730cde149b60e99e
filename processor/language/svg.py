"""A program as a self-contained SVG: nothing outside the file is needed; it fits light and dark pages.

The layout is :mod:`processor.language.graph_layout`'s; here it is turned into shapes. The output depends on
nothing but the program and the counts, so equal programs give equal files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from processor.core.model import Program
from processor.language.graph_caption import exit_text, facts, goal_text
from processor.language.graph_layout import Drawing, lay_out
from processor.language.graph_parts import (
    DETAIL_SIZE,
    LABEL_SIZE,
    PAD_LEFT,
    Box,
    Frame,
    Label,
    Line,
    Point,
)
from processor.language.graph_text import clip, safe, text_width, wrap, xml
from processor.language.svg_style import COLOURS, ICONS, STYLE

__all__ = ["svg"]

_WIDTH_MIN: Final = 600.0
_PAD: Final = 28.0
_RADIUS: Final = 10.0
_BACK_RADIUS: Final = 16.0
_TIP: Final = 6.0
_MILLION: Final = 1_000_000
_TITLE_SIZE: Final = 21.0
_NOTE_SIZE: Final = 12.5
_CHIP_HEIGHT: Final = 24.0
_CHIP_WIDTH_MAX: Final = 420.0
_CHIPS_MAX: Final = 12


def svg(program: Program, counts: Mapping[str, int] | None = None) -> str:
    """Return the program drawn as SVG. ``counts`` is a number of contacts by step id, shown on the steps."""
    drawing = lay_out(program)
    width = max(drawing.width + 2 * _PAD, _WIDTH_MIN)
    header, top = _header(program, width)
    height = top + drawing.height + _PAD
    left = (width - drawing.width) / 2
    described = f"{len(program.nodes)} steps. {program.description}".strip()
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tp" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label="{xml(f"Program {program.name}")}">'
    )
    parts = [
        opening,
        f"<title>{xml(f'Program {program.name}, version {program.version}')}</title>",
        f"<desc>{xml(described)}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{_n(width)}" height="{_n(height)}" rx="14"/>',
        *header,
        f'<g transform="translate({_n(left)} {_n(top)})">',
        *_body(drawing, counts or {}),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


# -------------------------------------------------------------------------------------------------- header


class _Chip(msgspec.Struct):
    what: str
    text: str
    style: str


def _header(program: Program, width: float) -> tuple[list[str], float]:
    """Return the head of the drawing and the y below it."""
    room = width - 2 * _PAD
    version = f"version {program.version}"
    version_width = text_width(version, DETAIL_SIZE) + 22
    name = clip(program.name, _TITLE_SIZE, room - version_width - 14, bold=True)
    parts = [f'<text class="title" x="{_n(_PAD)}" y="47">{xml(name)}</text>']
    x = _PAD + text_width(name, _TITLE_SIZE, bold=True) + 12
    parts.append(_chip(_Chip("", version, "plain"), x, 30, version_width))
    y = 54.0
    for line in wrap(program.description, _NOTE_SIZE, room, 3):
        y += 18
        parts.append(f'<text class="note" x="{_n(_PAD)}" y="{_n(y)}">{xml(line)}</text>')
    y += 14
    x = _PAD
    for chip in _chips(program):
        text = clip(safe(chip.text), DETAIL_SIZE, min(_CHIP_WIDTH_MAX, room) - 90)
        what = text_width(chip.what, DETAIL_SIZE, bold=True) + (5 if chip.what else 0)
        chip_width = what + text_width(text, DETAIL_SIZE) + 22
        if x > _PAD and x + chip_width > width - _PAD:
            x, y = _PAD, y + _CHIP_HEIGHT + 6
        parts.append(_chip(_Chip(chip.what, text, chip.style), x, y, chip_width, full=chip.text))
        x += chip_width + 7
    y += _CHIP_HEIGHT + 16
    parts.append(f'<path class="rule" d="M{_n(_PAD)} {_n(y)}H{_n(width - _PAD)}"/>')
    return parts, y + 14


def _chips(program: Program) -> list[_Chip]:
    chips = [_Chip("goal", goal_text(program.goal), "goal")] if program.goal else []
    chips += [_Chip("exit", exit_text(one), "exit") for one in program.exits]
    chips += [_Chip("", fact, "plain") for fact in facts(program)]
    if len(chips) > _CHIPS_MAX:
        chips = [*chips[:_CHIPS_MAX], _Chip("", f"and {len(chips) - _CHIPS_MAX} more", "plain")]
    return chips


def _chip(chip: _Chip, x: float, y: float, width: float, full: str = "") -> str:
    what, at = "", x + 11
    if chip.what:
        what = f'<text class="what" x="{_n(at)}" y="{_n(y + 16)}">{xml(chip.what)}</text>'
        at += text_width(chip.what, DETAIL_SIZE, bold=True) + 5
    title = f"<title>{xml(full)}</title>" if full else ""
    return (
        f'<g class="chip chip-{chip.style}">{title}<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" '
        f'height="{_n(_CHIP_HEIGHT)}" rx="12"/>'
        f'{what}<text x="{_n(at)}" y="{_n(y + 16)}">{xml(chip.text)}</text></g>'
    )


# ---------------------------------------------------------------------------------------------------- body


def _body(drawing: Drawing, counts: Mapping[str, int]) -> list[str]:
    parts = [_frame(frame) for frame in sorted(drawing.frames, key=lambda frame: frame.depth)]
    parts += [_line(line) for line in drawing.lines]
    tips = dict.fromkeys(_tip(line) for line in drawing.lines)
    parts += tips
    parts += [_label(label) for label in drawing.labels]
    for box in drawing.boxes:
        parts.append(_card(box, counts.get(box.key)) if box.role == "step" else _pill(box))
    return parts


def _frame(frame: Frame) -> str:
    return (
        f'<rect class="frame" x="{_n(frame.x)}" y="{_n(frame.y)}" width="{_n(frame.width)}" '
        f'height="{_n(frame.height)}" rx="16"/>'
    )


def _line(line: Line) -> str:
    title = f"<title>{xml(line.label)}</title>" if line.label else ""
    style = " ".join(
        ["line", *([] if line.style == "plain" else [line.style]), *(["back"] if line.back else [])]
    )
    data = f'data-from="{xml(line.source)}" data-to="{xml(line.target)}"'
    radius = _BACK_RADIUS if line.back or line.style == "jump" else _RADIUS
    return f'<path class="{style}" {data} d="{_rounded(line.points, radius)}">{title}</path>'


def _tip(line: Line) -> str:
    (x1, y1), (x, y) = line.points[-2], line.points[-1]
    across, along = _TIP * 0.62, _TIP * 1.25
    if abs(x - x1) > abs(y - y1):
        back = -along if x > x1 else along
        shape = f"M{_n(x)} {_n(y)}l{_n(back)} {_n(-across)}v{_n(2 * across)}z"
    else:
        back = -along if y > y1 else along
        shape = f"M{_n(x)} {_n(y)}l{_n(-across)} {_n(back)}h{_n(2 * across)}z"
    return f'<path class="{"tip-back" if line.back or line.style == "jump" else "tip"}" d="{shape}"/>'


def _rounded(points: list[Point], radius: float) -> str:
    """Return a path with round corners, each no larger than its two sides allow."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(radius, _length(before, corner) / 2, _length(corner, after) / 2)
        start, end = _toward(corner, before, reach), _toward(corner, after, reach)
        parts.append(f"L{_n(start[0])} {_n(start[1])}")
        parts.append(f"Q{_n(corner[0])} {_n(corner[1])} {_n(end[0])} {_n(end[1])}")
    parts.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return "".join(parts)


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _toward(a: Point, b: Point, distance: float) -> Point:
    length = _length(a, b) or 1.0
    return a[0] + (b[0] - a[0]) * distance / length, a[1] + (b[1] - a[1]) * distance / length


def _label(label: Label) -> str:
    x, y = label.x - label.width / 2, label.y - label.height / 2
    texts = "".join(
        f'<text x="{_n(label.x)}" y="{_n(y + 15 + 14 * number)}">{xml(line)}</text>'
        for number, line in enumerate(label.lines)
    )
    return (
        f'<g class="label label-{label.style}"><title>{xml(label.full)}</title>'
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(label.width)}" height="{_n(label.height)}" rx="11"/>'
        f"{texts}</g>"
    )


def _pill(box: Box) -> str:
    return (
        f'<g class="{box.role}"><title>{xml(box.full)}</title><rect x="{_n(box.x)}" y="{_n(box.y)}" '
        f'width="{_n(box.width)}" height="{_n(box.height)}" rx="{_n(box.height / 2)}"/>'
        f'<text x="{_n(box.centre)}" y="{_n(box.y + 22)}">{xml(box.lines[0])}</text></g>'
    )


def _card(box: Box, count: int | None) -> str:
    kind = box.kind if box.kind in COLOURS else "other"
    x, y, width, height = _n(box.x), _n(box.y), _n(box.width), _n(box.height)
    stripe = (
        f'<path class="stripe" d="M{_n(box.x + 10)} {y}h-1a9 9 0 0 0-9 9v{_n(box.height - 18)}'
        f'a9 9 0 0 0 9 9h1a5 5 0 0 1-5-5v-{_n(box.height - 10)}a5 5 0 0 1 5-5z"/>'
    )
    middle = box.y + box.height / 2
    icon = ICONS.get(box.kind)
    drawn = (
        f'<rect class="tile" x="{_n(box.x + 14)}" y="{_n(middle - 13)}" width="26" height="26" rx="8"/>'
        f'<path class="icon" transform="translate({_n(box.x + 19)} {_n(middle - 8)})" d="{icon}"/>'
        if icon
        else ""
    )
    left = box.x + PAD_LEFT
    at = box.y + 20
    texts = [f'<text class="head" x="{_n(left)}" y="{_n(at)}">{xml(box.heading)}</text>']
    for line in box.lines:
        at += 17
        texts.append(f'<text class="text" x="{_n(left)}" y="{_n(at)}">{xml(line)}</text>')
    for line in box.details:
        at += 15
        texts.append(f'<text class="detail" x="{_n(left)}" y="{_n(at)}">{xml(line)}</text>')
    if box.tag:
        at += 16
        texts.append(f'<text class="tag" x="{_n(left)}" y="{_n(at)}">{xml(box.tag)}</text>')
    return (
        f'<g class="step k-{kind}{" faded" if box.faded else ""}" data-step="{xml(box.key)}">'
        f"<title>{xml(box.full)}</title>"
        f'<rect class="shadow" x="{x}" y="{_n(box.y + 2.5)}" width="{width}" height="{height}" rx="10"/>'
        f'<rect class="card" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>'
        f"{stripe}{drawn}{''.join(texts)}{'' if count is None else _count(box, count)}</g>"
    )


def _count(box: Box, count: int) -> str:
    text = f"{count:,}" if abs(count) < _MILLION else f"{count / _MILLION:,.1f}M"
    width = max(text_width(text, LABEL_SIZE, bold=True) + 14, 24.0)
    x = box.x + box.width - width - 12
    return (
        f'<g class="count"><title>{count:,} contacts</title><rect x="{_n(x)}" y="{_n(box.y - 9)}" '
        f'width="{_n(width)}" height="18" rx="9"/>'
        f'<text x="{_n(x + width / 2)}" y="{_n(box.y + 4)}">{text}</text></g>'
    )


def _n(number: float) -> str:
    """Return a coordinate with at most one decimal, so that equal drawings are equal bytes."""
    rounded = round(number, 1)
    return f"{rounded:.1f}".removesuffix(".0") if rounded else "0"
