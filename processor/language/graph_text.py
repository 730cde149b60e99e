"""Texts in drawings: how wide they are, how they are cut into lines, and what can stand in XML at all.

A drawing is made without a browser, so widths come from a small table (Arial's, in thousandths of the size)
with some room on top for the other fonts that a reader may have.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape
from typing import Final

from processor.core.time import format_duration

__all__ = ["clip", "duration_words", "safe", "text_width", "wrap", "xml"]

_WIDTHS: Final = (
    # from the space (32) to the tilde (126)
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_OTHER: Final = 620  # accented letters and the like
_WIDE: Final = 1080  # ideographs and emoji
_ROOM: Final = 1.08
_BOLD: Final = 1.07
_WORDS: Final = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}
# Control characters, surrogates, and the two that end each plane of Unicode.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PLANE_ENDS: Final = (0xFFFE, 0xFFFF)


def safe(text: str) -> str:
    """Return the text on one line, without the characters that XML cannot hold."""
    flat = " ".join(text.split())
    return "".join(
        "\ufffd" if _FORBIDDEN.match(char) or ord(char) & 0xFFFF in _PLANE_ENDS else char for char in flat
    )


def xml(text: str) -> str:
    """Return the text for XML, in content and in attributes."""
    return escape(safe(text), quote=True)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is at most, in the unit of ``size``."""
    total = 0
    for char in text:
        code = ord(char)
        if code < 127:  # noqa: PLR2004  the table ends with the tilde
            total += _WIDTHS[code - 32] if code >= 32 else 0  # noqa: PLR2004  and begins with the space
        else:
            total += _WIDE if unicodedata.east_asian_width(char) in "WF" else _OTHER
    return total * size / 1000 * _ROOM * (_BOLD if bold else 1.0)


def clip(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """Return the text, ending in … where it is too wide."""
    if text_width(text, size, bold=bold) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrap(text: str, size: float, width: float, lines_max: int, *, bold: bool = False) -> tuple[str, ...]:
    """Return the text in at most ``lines_max`` lines, broken at spaces where there are any."""
    lines: list[str] = []
    rest = safe(text)
    while rest:
        if len(lines) == lines_max - 1 or text_width(rest, size, bold=bold) <= width:
            lines.append(clip(rest, size, width, bold=bold))
            break
        end = len(clip(rest, size, width, bold=bold)) - 1
        at = rest.rfind(" ", 1, end + 1)
        if at < 0:
            # A single long word (an expression, a name): better broken behind one of its signs than anywhere.
            at = max(rest.rfind(sign, end // 2, end) + 1 for sign in "-_./,(=")
            at = at if at > 0 else max(end, 1)
        lines.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return tuple(lines)


def duration_words(ms: int) -> str:
    """Return a duration as people say it: "1 day 12 hours"."""
    said = []
    for part in format_duration(ms).split():
        number, unit = part[:-1], part[-1]
        if unit not in _WORDS:
            return format_duration(ms)
        said.append(f"{number} {_WORDS[unit]}{'' if number == '1' else 's'}")
    return " ".join(said)
