"""A report for machines: JSON, and Parquet with a file for each table.

Names are those of the rows' fields. An instant is a column without its ``_ms``: text in JSON, a timestamp in
Parquet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from processor.core.time import format_time
from processor.runtime.report.model import FORMAT, TABLES, Report

__all__ = ["Column", "columns", "heading", "to_json", "write_parquet"]

_KINDS: Final = {"str": "text", "int": "integer", "float": "number", "bool": "yes or no"}


class Column(NamedTuple):
    """A column: its name outside, the field it comes from, its kind and what it holds.

    ``kind`` is text, integer, number, yes or no, or time. ``optional``: it can be null.
    """

    name: str
    field: str
    kind: str
    optional: bool
    doc: str


def columns(row: type) -> tuple[Column, ...]:
    """Return the columns of a table, or of the report's heading, in their order."""
    found = []
    for field in dataclasses.fields(row):
        if "doc" not in field.metadata:
            continue
        kind, _, more = str(field.type).partition(" | ")
        name = field.name.removesuffix("_ms")
        time = name != field.name
        found.append(
            Column(name, field.name, "time" if time else _KINDS[kind], bool(more), field.metadata["doc"])
        )
    return tuple(found)


def _plain(row: Any, of: Sequence[Column]) -> dict[str, Any]:
    made = {}
    for column in of:
        value = getattr(row, column.field)
        made[column.name] = format_time(value) if column.kind == "time" and value is not None else value
    return made


def heading(report: Report) -> dict[str, Any]:
    """Return what a report says about itself, beside its tables."""
    return {"report": FORMAT, **_plain(report, columns(Report))}


def to_json(report: Report) -> dict[str, Any]:
    """Return the report for JSON: its heading, and a list of objects for each table."""
    made = heading(report)
    for name, row in TABLES.items():
        of = columns(row)
        made[name] = [_plain(each, of) for each in getattr(report, name)]
    return made


def write_parquet(report: Report, folder: Path) -> list[Path]:
    """Write ``TABLE.parquet`` for each table into a folder, which is made; return the paths.

    Tables without rows are written too, with their columns. The heading is in each file's metadata, as JSON
    under the key ``trayecto.report``.
    """
    import pyarrow as pa  # noqa: PLC0415 - it takes a while to load, and few reports need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "yes or no": pa.bool_(),
        "time": pa.timestamp("ms", tz="UTC"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    about = {"trayecto.report": msgspec.json.encode(heading(report))}
    written = []
    for name, row in TABLES.items():
        of = columns(row)
        rows: Iterable[Any] = getattr(report, name)
        schema = pa.schema(
            [pa.field(column.name, kinds[column.kind], column.optional) for column in of], metadata=about
        )
        data = {column.name: [getattr(each, column.field) for each in rows] for column in of}
        path = folder / f"{name}.parquet"
        pq.write_table(pa.table(data, schema=schema), path)
        written.append(path)
    return written
