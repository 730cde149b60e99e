"""What names look like in the files of a topology, and conditions."""

from __future__ import annotations

from typing import Final

from processor.language.shapes import WORD, Expr, Name

__all__ = ["CONDITION", "EVENT_NAME", "IDENTIFIER", "WORD_NAME"]

IDENTIFIER: Final = Name(pattern=WORD, what="a name of letters, digits and _ that starts with a letter")
EVENT_NAME: Final = Name(
    pattern=r"[A-Za-z_][A-Za-z0-9_.-]*",
    what="a name of letters, digits, _, - and . that starts with a letter",
)
WORD_NAME: Final = Name(
    pattern=r"[a-z][a-z0-9_-]*", what="a name of small letters, digits, - and _ that starts with a letter"
)
CONDITION: Final = Expr(what="a condition", examples=("event.value >= 20",))
