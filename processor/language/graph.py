"""Programs and the machine's states as Mermaid text, for pages that draw it themselves.

The pictures are :mod:`processor.language.svg`'s; ``svg`` is here too, so that one import serves both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from processor.core.lifecycle import (
    ENROLLMENT_TRANSITIONS,
    TRACK_TRANSITIONS,
    EnrollmentState,
    TrackState,
)
from processor.core.model import Node, Program
from processor.language.graph_caption import caption, entry_text, shown_label
from processor.language.graph_text import safe
from processor.language.svg import svg
from processor.language.svg_style import COLOURS

__all__ = ["lifecycle_mermaid", "mermaid", "svg"]

_TEXT_MAX: Final = 80
# kind -> what stands left and right of the label
_SHAPES: Final = {
    "decide": ("{{", "}}"),
    "split": ("{{", "}}"),
    "offer": ("{{", "}}"),
    "wait": ("([", "])"),
    "wait_for": ("([", "])"),
    "repeat": ("[[", "]]"),
    "parallel": ("[/", "\\]"),
    "exit": ("(", ")"),
}
# What means something to Mermaid, or to the HTML that it makes of a label.
_ESCAPED: Final = frozenset('"#&<>`;\\|{}[]()*_~')


def mermaid(program: Program) -> str:
    """Return the program as a Mermaid flowchart: entries, steps with their kinds, and every way labelled."""
    names = {name: f"s{number}" for number, name in enumerate(program.nodes, 1)}
    lines = ["flowchart TD"]
    for number, entry in enumerate(program.entries, 1):
        lines.append(f'  e{number}(["{_escaped(entry_text(entry))}"]):::entry')
    lines += [f"  {names[name]}{_box(node)}" for name, node in program.nodes.items()]
    ways = [f"  e{number} --> {names[program.first]}" for number in range(1, len(program.entries) + 1)]
    ends = False
    for name, node in program.nodes.items():
        for number, (label, target) in enumerate(node.edges()):
            ends = ends or target not in names
            arrow = "-.->" if node.kind == "wait_for" and number else "-->"
            shown = shown_label(node, label)
            text = f'|"{_escaped(shown)}"|' if shown else ""
            to = names.get(target, "done") if target is not None else "done"
            ways.append(f"  {names[name]} {arrow}{text} {to}")
    if ends:
        lines.append('  done(["end"])')
    lines += ways if program.first in names else ways[len(program.entries) :]
    for number, (reason, first) in enumerate(program.ways_out.items(), 1):
        lines += [f'  x{number}(["on exit: {_escaped(reason)}"])', f"  x{number} --> {names[first]}"]
    lines.append("  classDef entry fill:#059669,stroke:#059669,color:#ffffff")
    for kind in dict.fromkeys(node.kind for node in program.nodes.values()):
        if kind in COLOURS:
            lines.append(f"  classDef {kind} stroke:{COLOURS[kind][0]},stroke-width:2px")
    return "\n".join(lines) + "\n"


def _box(node: Node) -> str:
    said = caption(node)
    text = f"{_escaped(said.heading)}<br/>{_escaped(said.text)}"
    if said.detail:
        text += f"<br/>{_escaped(said.detail)}"
    left, right = _SHAPES.get(node.kind, ("[", "]"))
    return f'{left}"{text}"{right}' + (f":::{node.kind}" if node.kind in COLOURS else "")


def _escaped(text: str) -> str:
    """Return the text for a quoted label; what Mermaid or HTML would read otherwise becomes a code."""
    flat = safe(text)
    short = flat if len(flat) <= _TEXT_MAX else flat[: _TEXT_MAX - 1] + "…"
    return "".join(f"#{ord(char)};" if char in _ESCAPED else char for char in short)


def lifecycle_mermaid() -> str:
    """Return the two transition tables of the machine, of enrollments and of tracks, as one state diagram."""
    lines = ["stateDiagram-v2"]
    # An enrollment can begin in three ways; a track is always ready first.
    tables = (
        ("Enrollment", EnrollmentState, ENROLLMENT_TRANSITIONS, ("PENDING", "ACTIVE", "HOLDOUT")),
        ("Track", TrackState, TRACK_TRANSITIONS, ("READY",)),
    )
    for title, states, table, begins in tables:
        lines.append(f"  state {title} {{")
        lines += [f"    [*] --> {_state(title, states[name])}" for name in begins]
        merged: dict[tuple[int, int], list[str]] = {}
        for (before, signal), after in table.items():
            merged.setdefault((before, after), []).append(signal)
        for (before, after), signals in merged.items():
            words = ", ".join(signal.replace("_", " ") for signal in signals)
            lines.append(f"    {_state(title, states(before))} --> {_state(title, states(after))}: {words}")
        lines.append(f"    {_state(title, states['ENDED'])} --> [*]")
        lines += [f"    {_state(title, state)}: {state.name.lower()}" for state in states]
        lines.append("  }")
    return "\n".join(lines) + "\n"


def _state(title: str, state: IntEnum) -> str:
    """Return a state's name in the diagram, where both tables stand side by side."""
    return f"{title}_{state.name}"
