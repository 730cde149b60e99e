"""A decision as people look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["Moment"]


class Moment(msgspec.Struct, frozen=True):
    """A decision, as the machine gave it or as a line of ``decisions.jsonl`` says it. ``at_ms``: UTC ms.

    A simulation also has moments of the kind ``event``: ``reason`` is its type, ``detail`` its properties.
    """

    kind: str
    contact_id: str
    at_ms: int
    program: str = ""
    version: int = 0
    enrollment: str = ""
    step: str = ""
    reason: str = ""
    detail: Mapping[str, Any] = {}
