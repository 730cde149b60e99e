"""The JSON Schemas (draft-07) of the language, for completion and checks in an editor.

A file that begins with ``# yaml-language-server: $schema=PATH`` gets both. They are made from the
same shapes as the reader, so they know the same keys. ``python -m processor.language`` writes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from processor.language.program_shape import PROGRAM, SCENARIO
from processor.language.shapes import Definitions
from processor.language.topology_shape import TOPOLOGY

__all__ = ["KINDS", "file_name", "json_schema", "write"]

_RECORDS: Final = {"program": PROGRAM, "scenario": SCENARIO, "topology": TOPOLOGY}
KINDS: Final = tuple(_RECORDS)


def json_schema(kind: str) -> dict[str, Any]:
    """Return the schema of a ``program``, ``topology`` or ``scenario`` file.

    Raises:
        ValueError: there is no such kind.
    """
    record = _RECORDS.get(kind)
    if record is None:
        raise ValueError(f"there is no schema of {kind!r}: write one of {', '.join(KINDS)}")
    defs: Definitions = {}
    record.schema(defs)
    root = defs.pop(record.name)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **root,
        "definitions": dict(sorted(defs.items())),
    }


def file_name(kind: str) -> str:
    """Return the name of the schema's file."""
    return f"{kind}.schema.json"


def write(folder: Path) -> list[Path]:
    """Write all schemas into ``folder`` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in KINDS:
        path = folder / file_name(kind)
        path.write_text(json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written
