"""The Avro schemas that are the public contract, as files under `schemas/`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["SUBJECTS", "schema"]

SUBJECTS: Final = ("event", "command", "decision", "dead-letter")

_HERE: Final = Path(__file__).resolve().parent
# Beside this module in an installed package, at the top of the repository in a checkout.
_FOLDERS: Final = (_HERE / "avsc", _HERE.parents[1] / "schemas")


@cache
def schema(subject: str) -> Any:
    """Return the current schema of a subject, as its file says it."""
    assert subject in SUBJECTS, subject
    for folder in _FOLDERS:
        file = folder / f"{subject}.avsc"
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8"))
    raise FileNotFoundError(f"{subject}.avsc is neither in {_FOLDERS[0]} nor in {_FOLDERS[1]}: install anew")
