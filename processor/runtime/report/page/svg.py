"""Drawing: elements of SVG and HTML as text, scales, and round numbers for axes."""

from __future__ import annotations

import math
from html import escape

__all__ = ["Scale", "esc", "figure", "number", "tag", "text", "ticks", "to_here"]


def esc(value: object) -> str:
    """Text for an element or an attribute."""
    return escape(str(value), quote=True)


def number(value: float) -> str:
    """A coordinate: two digits behind the point, none where there is nothing."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def tag(name: str, *inside: str, **attributes: object) -> str:
    """An element; ``class_`` is class, and ``_`` in a name is ``-``. What is inside is markup already.

    A number is written as a coordinate; an attribute that is None is left out.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            shown = number(value) if isinstance(value, float) else esc(value)
            parts.append(f'{key.rstrip("_").replace("_", "-")}="{shown}"')
    return f"<{' '.join(parts)}>{''.join(inside)}</{name}>"


def text(x: float, y: float, value: object, class_: str = "", anchor: str | None = None) -> str:
    """A text of a drawing."""
    return tag("text", esc(value), x=float(x), y=float(y), class_=class_ or None, text_anchor=anchor)


def figure(name: str, title: str, about: str, size: tuple[float, float], *inside: str) -> str:
    """A drawing with a title and a description, for who does not see it. ``name`` is unique on the page."""
    width, height = size
    return tag(
        "svg",
        tag("title", esc(title), id=f"{name}-t"),
        tag("desc", esc(about), id=f"{name}-d"),
        *inside,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
        class_="plot",
    )


def to_here(value: str) -> str:
    """The part of an address that leads to something of that name: letters, digits and -."""
    return "p-" + "".join(sign if sign.isalnum() and sign.isascii() else "-" for sign in value)


class Scale:
    """Values from ``low`` to ``high`` onto coordinates from ``start`` to ``end``."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low = low
        self.high = high if high > low else low + 1
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        """Return the coordinate."""
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from ``low`` to ``high``, at most ``most`` + 1: in steps of 1, 2, 5, 10, ..."""
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * part for part in (1, 2, 5, 10) if power * part >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
