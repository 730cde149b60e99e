"""The style sheet of a page, ``page.css`` beside this file, as it goes into a page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["GRADES", "SERIES", "style"]

SERIES: Final = 6  # colours of series, c1 to c6; c0 is for what is left over
GRADES: Final = 5  # colours of grades, g0 to g4


@cache
def style() -> str:
    """Return the style sheet."""
    return (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
