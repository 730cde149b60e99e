"""The parts a drawing is laid out from: boxes, lines, labels and frames, on sheets that can be put together.

Lengths are in pixels of the finished drawing, y grows downward. A sheet's axis is x = 0: what comes in enters
at (0, 0), and what follows leaves downward from the axis.
"""

from __future__ import annotations

from typing import Final

import msgspec

from processor.core.model import Node
from processor.language.graph_caption import caption, shown_label
from processor.language.graph_text import clip, safe, text_width, wrap

__all__ = [
    "CARD_WIDTH", "DETAIL_SIZE", "HEADING_SIZE", "LABEL_SIZE", "PAD_LEFT", "PAD_RIGHT", "TEXT_SIZE",
    "Box", "Frame", "Label", "Line", "Open", "Point", "Sheet", "card", "label_for", "pill",
]  # fmt: skip

Point = tuple[float, float]

CARD_WIDTH: Final = 236.0
PAD_LEFT: Final = 50.0  # the stripe and the icon
PAD_RIGHT: Final = 14.0
HEADING_SIZE: Final = 10.5
TEXT_SIZE: Final = 13.5
DETAIL_SIZE: Final = 11.5
LABEL_SIZE: Final = 11.5
PILL_HEIGHT: Final = 34.0
_LABEL_WIDTH_MAX: Final = 196.0
_PILL_WIDTH_MAX: Final = 300.0


class Box(msgspec.Struct):
    """A card of a step, or a pill (``role`` entry or end). ``x`` and ``y`` are its upper left corner.

    ``lines`` is the text and ``details`` smaller text below it, each as many lines as are shown; ``full`` is
    everything, uncut. ``faded``: nothing leads here.
    """

    key: str
    role: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    heading: str = ""
    lines: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    tag: str = ""
    full: str = ""
    faded: bool = False

    @property
    def centre(self) -> float:
        """The x of the middle."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height


class Line(msgspec.Struct):
    """A way from box to box; ``label`` is the edge's label, uncut. ``back``: it leads up again.

    ``style`` is plain, timeout for what happens when nothing else does, or jump for a goto.
    """

    source: str
    target: str
    label: str
    style: str
    points: list[Point]
    back: bool = False


class Label(msgspec.Struct):
    """A text on a line; ``x`` and ``y`` are its middle."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    full: str
    style: str


class Frame(msgspec.Struct):
    """The ground behind the steps of a repeat; ``depth`` counts the frames around it."""

    x: float
    y: float
    width: float
    height: float
    depth: int = 0


class Open(msgspec.Struct):
    """A way whose far end is not placed yet: it has got from ``source`` to the last of its points."""

    source: str
    label: str
    style: str
    points: list[Point]


class Sheet(msgspec.Struct):
    """A laid-out piece. ``left`` and ``right`` are how far it reaches from its axis; ``ends`` lead on.

    ``entry`` is the y at which a line that comes in meets its first box.
    """

    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    entry: float = 0.0
    boxes: list[Box] = []
    lines: list[Line] = []
    labels: list[Label] = []
    frames: list[Frame] = []
    ends: list[Open] = []

    def reach(self, left: float, right: float) -> None:
        """Make room to the left and right of the axis."""
        self.left = max(self.left, left)
        self.right = max(self.right, right)

    def put(self, other: Sheet, x: float, y: float) -> None:
        """Take everything of another sheet over, its axis at ``x`` and its top at ``y``; not its ends."""
        other.shift(x, y)
        self.boxes += other.boxes
        self.lines += other.lines
        self.labels += other.labels
        self.frames += other.frames
        self.reach(other.left - x, other.right + x)
        self.height = max(self.height, y + other.height)

    def shift(self, x: float, y: float) -> None:
        """Move everything, ends included."""
        items: list[Box | Label | Frame] = [*self.boxes, *self.labels, *self.frames]
        for item in items:
            item.x += x
            item.y += y
        ways: list[Line | Open] = [*self.lines, *self.ends]
        for way in ways:
            way.points = [(px + x, py + y) for px, py in way.points]

    def close(self, opens: list[Open], target: str, *points: Point, back: bool = False) -> None:
        """Lead open ways over the points to the box ``target``."""
        for one in opens:
            self.lines.append(Line(one.source, target, one.label, one.style, [*one.points, *points], back))


def card(node: Node, *, tagged: bool, faded: bool) -> Box:
    """Return the card of a step, its upper middle at (0, 0).

    ``tagged``: it says its id. ``faded``: it says that nothing leads to it.
    """
    said = caption(node)
    room = CARD_WIDTH - PAD_LEFT - PAD_RIGHT
    lines = wrap(said.text, TEXT_SIZE, room, 2, bold=True) or (node.kind,)
    details = wrap(said.detail, DETAIL_SIZE, room, 2)
    notes = [f"# {safe(node.id)}"] if tagged else []
    tag = clip(" · ".join([*notes, "never reached"] if faded else notes), DETAIL_SIZE, room)
    height = 36 + 17 * len(lines) + 15 * len(details) + (16 if tag else 0)
    full = f"{said.heading}: {said.text}" + (f" ({said.detail})" if said.detail else "")
    return Box(
        node.id,
        "step",
        node.kind,
        -CARD_WIDTH / 2,
        0.0,
        CARD_WIDTH,
        float(height),
        clip(safe(said.heading).upper(), HEADING_SIZE, room, bold=True),
        lines,
        details,
        tag,
        f"{full} [{node.id}]",
        faded,
    )


def pill(key: str, role: str, text: str) -> Box:
    """Return a pill with one line of text, its upper middle at (0, 0)."""
    shown = clip(safe(text), TEXT_SIZE, _PILL_WIDTH_MAX - 44, bold=True)
    width = round(text_width(shown, TEXT_SIZE, bold=True) + 44)
    return Box(key, role, role, -width / 2, 0.0, float(width), PILL_HEIGHT, "", (shown,), full=text)


def label_for(node: Node, label: str, style: str) -> Label | None:
    """Return the label of an edge with its middle at (0, 0), or None where the box says it all."""
    shown = shown_label(node, label)
    lines = wrap(shown, LABEL_SIZE, _LABEL_WIDTH_MAX - 18, 2)
    if not lines:
        return None
    width = max(text_width(line, LABEL_SIZE) for line in lines) + 18
    return Label(0.0, 0.0, round(width), float(8 + 14 * len(lines)), lines, label, style)
