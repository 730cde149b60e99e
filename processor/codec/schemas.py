"""The Avro schemas that are the public contract, as files under `schemas/`, and what identifies them.

The current schema of a subject is `schemas/SUBJECT.avsc`; every version that was ever current is kept under
`schemas/history/SUBJECT/`, numbered from 1, so that whatever was written can be read.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["SUBJECTS", "fingerprint", "history", "plain", "schema"]

SUBJECTS: Final = ("event", "command", "decision", "dead-letter", "clock", "message")

_HERE: Final = Path(__file__).resolve().parent
# Beside this module in an installed package, at the top of the repository in a checkout.
_FOLDERS: Final = (_HERE / "avsc", _HERE.parents[1] / "schemas")


@cache
def schema(subject: str) -> Any:
    """Return the current schema of a subject, as its file says it."""
    assert subject in SUBJECTS, subject
    return _read(f"{subject}.avsc")


@cache
def history(subject: str) -> tuple[Any, ...]:
    """Return every schema that the subject ever had, the oldest first; the last is the current one."""
    assert subject in SUBJECTS, subject
    made = [_read(f"history/{subject}/1.avsc")]
    while (found := _find(f"history/{subject}/{len(made) + 1}.avsc")) is not None:
        made.append(json.loads(found.read_text(encoding="utf-8")))
    return tuple(made)


def fingerprint(declared: Any) -> bytes:
    """Return the 8 bytes that identify a schema in Avro's single-object encoding.

    They are the CRC-64-AVRO (Rabin) fingerprint of its parsing canonical form, little-endian, so schemas that
    differ in documentation, defaults and logical types only have the same.
    """
    from fastavro.schema import fingerprint as hexadecimal  # noqa: PLC0415 - fastavro is not needed for JSON
    from fastavro.schema import to_parsing_canonical_form  # noqa: PLC0415

    return bytes.fromhex(hexadecimal(to_parsing_canonical_form(declared), "CRC-64-AVRO"))


def plain(declared: Any) -> Any:
    """Return a schema without its logical types: its times are then longs, which never fail to be read.

    fastavro makes datetimes of times, and fails in the middle of a record where the year has five digits.
    """
    if isinstance(declared, list):
        return [plain(branch) for branch in declared]
    if not isinstance(declared, dict):
        return declared
    made = {name: value for name, value in declared.items() if name != "logicalType"}
    for name in ("type", "items", "values"):
        if name in made:
            made[name] = plain(made[name])
    if "fields" in made:
        made["fields"] = [{**field, "type": plain(field["type"])} for field in made["fields"]]
    return made["type"] if len(made) == 1 and "type" in made else made


def _find(name: str) -> Path | None:
    return next((folder / name for folder in _FOLDERS if (folder / name).is_file()), None)


def _read(name: str) -> Any:
    found = _find(name)
    if found is None:
        raise FileNotFoundError(f"{name} is neither in {_FOLDERS[0]} nor in {_FOLDERS[1]}: install anew")
    return json.loads(found.read_text(encoding="utf-8"))
