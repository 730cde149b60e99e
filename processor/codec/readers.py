"""Sources of recorded events: JSON Lines (plain, gzip, zstd), Avro containers, Parquet, standard input.

A source yields batches of numbered raw records, in bounded memory, for
:func:`processor.codec.events.decode`. A record's number is its line in JSON Lines, blank lines counted, and
its place in the others, from 1. To go on after record n, :meth:`Source.skip` n first: blocks of Avro and row
groups of Parquet are then passed over without being decoded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import fastavro

from processor.codec.containers import MAGIC as AVRO_MAGIC
from processor.codec.containers import AvroError, read_blocks, read_header
from processor.codec.events import LINE_BYTES_MAX
from processor.codec.inputs import Input, SourceError, TornError, blocks, open_input
from processor.codec.times import TIME_FIELDS, without_times

__all__ = ["BATCH_RECORDS", "Batch", "Raw", "Source", "SourceError", "open_source"]

BATCH_RECORDS: Final = 1000

Raw = bytes | Mapping[str, Any]
Batch = list[tuple[int, Raw]]

_PARQUET_MAGIC: Final = b"PAR1"
_BOM: Final = b"\xef\xbb\xbf"
_COPY: Final = "copy the file again; what came before that record can be used"


class Source(ABC):
    """An open source. Use it in a `with`, or close it.

    Attributes:
        name: the path as given, or "standard input".
        form: "json", "avro" or "parquet".
        size_bytes: on disk, 0 where not known; `read_bytes` of it have been read (for a progress bar).
    """

    form: str

    def __init__(self, stream: Input) -> None:
        self._stream = stream
        self._skip = 0
        self.name = stream.name
        self.size_bytes = stream.size_bytes

    @property
    def read_bytes(self) -> int:
        """Bytes of the source that were read so far, compressed as they are."""
        return self._stream.read_bytes

    def skip(self, records: int) -> None:
        """Begin after record number `records`; to be called before the first batch is taken."""
        self._skip = records

    @abstractmethod
    def batches(self, size: int = BATCH_RECORDS) -> Iterator[Batch]:
        """Yield lists of up to `size` pairs (record number, raw record), in order.

        An empty list is not the end: a stretch without records was read, and the caller may want to stop.

        Raises:
            SourceError: the source is damaged, ends in the middle, or cannot be read on.
        """

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(path: str | Path) -> Source:
    """Open a file, or standard input for "-"; its first bytes say what it is.

    Raises:
        SourceError: there is no such file, it cannot be read, or it is of a form that cannot be used.
    """
    stream = open_input(path)
    if stream.head == AVRO_MAGIC:
        return _Avro(stream)
    if stream.head == _PARQUET_MAGIC:
        return _Parquet(stream)
    return _Lines(stream)


class _Lines(Source):
    form = "json"

    def batches(self, size: int = BATCH_RECORDS) -> Iterator[Batch]:
        number = 0
        carry = b""
        source = blocks(self._stream)
        try:
            for block in source:
                data = carry + block if carry else block
                if not number and not carry:
                    self._check(data)
                    data = data.removeprefix(_BOM)
                lines = data.split(b"\n")
                # A line that is far too long is cut, and so refused, rather than held in memory.
                carry = lines.pop()[: LINE_BYTES_MAX + 1]
                first, number = number + 1, number + len(lines)
                kept = self._kept(first, lines) if number > self._skip else []
                if kept:
                    yield from _cut(kept, size)
                else:
                    yield []  # a line may have no end
        except TornError as error:
            raise SourceError(self.name, number, f"{error}: {_COPY}") from error
        except SourceError as error:
            raise SourceError(self.name, number, error.problem) from error
        if carry:
            yield from _cut(self._kept(number + 1, [carry]), size)

    def _kept(self, first: int, lines: list[bytes]) -> Batch:
        skip = self._skip
        return [(number, line) for number, line in enumerate(lines, first) if number > skip and line.strip()]

    def _check(self, head: bytes) -> None:
        if head.startswith((AVRO_MAGIC, _PARQUET_MAGIC)):
            problem = "is an Avro or Parquet file that was compressed once more: decompress it first"
            raise SourceError(self.name, 0, problem)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise SourceError(self.name, 0, "is text in UTF-16: save it as UTF-8")


class _Avro(Source):
    form = "avro"

    def batches(self, size: int = BATCH_RECORDS) -> Iterator[Batch]:
        number = 0
        batch: Batch = []
        try:
            header = read_header(self._stream)
            parsed, units = self._schema(header.schema)
            for block in read_blocks(self._stream, header):
                if number + block.count <= self._skip:
                    number += block.count
                    continue
                for record in block.records(parsed):
                    number += 1
                    if number <= self._skip:
                        continue
                    for field, unit in units:
                        if isinstance(record[field], int):
                            record[field] //= unit
                    batch.append((number, record))
                    if len(batch) == size:
                        yield batch
                        batch = []
        except AvroError as error:
            if batch:
                yield batch
            raise SourceError(self.name, number, f"{error}: {_COPY}") from error
        if batch:
            yield batch

    def _schema(self, declared: Any) -> tuple[Any, list[tuple[str, int]]]:
        try:
            fastavro.parse_schema(declared)
            schema, units = without_times(declared)
            parsed = fastavro.parse_schema(schema)
        except Exception as error:  # fastavro raises what its walk over the schema meets
            raise AvroError(f"its schema cannot be read ({error}): it is damaged") from error
        _require(self.name, _field_names(declared))
        return parsed, units


class _Parquet(Source):
    form = "parquet"

    def __init__(self, stream: Input) -> None:
        if stream.name == "standard input":
            raise SourceError(stream.name, 0, "is Parquet, which is read from its end: give the file's name")
        super().__init__(stream)
        self._read = 0

    @property
    def read_bytes(self) -> int:
        return self._read

    def batches(self, size: int = BATCH_RECORDS) -> Iterator[Batch]:
        import pyarrow as pa  # noqa: PLC0415 - takes a third of a second, which only Parquet needs
        from pyarrow import parquet  # noqa: PLC0415

        number = 0
        try:
            file = parquet.ParquetFile(self._stream.stream, memory_map=False)
            _require(self.name, file.schema_arrow.names)
            columns = [name for name in file.schema_arrow.names if name in _COLUMNS]
            for group in range(file.num_row_groups):
                meta = file.metadata.row_group(group)
                if number + meta.num_rows > self._skip:
                    for table in file.iter_batches(size, row_groups=[group], columns=columns):
                        first, number = number + 1, number + table.num_rows
                        rows = _in_ms(pa, table).to_pylist() if number > self._skip else []
                        kept = [pair for pair in enumerate(rows, first) if pair[0] > self._skip]
                        if kept:
                            yield kept
                else:
                    number += meta.num_rows
                self._read = self.size_bytes * (group + 1) // file.num_row_groups
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SourceError(self.name, number, f"is damaged ({error}): {_COPY}") from error


_COLUMNS: Final = frozenset({"event_id", "contact_id", "type", "occurred_at", "appended_at", "properties"})
_NEEDED: Final = ("contact_id", "type", "occurred_at")


def _cut(records: Batch, size: int) -> Iterator[Batch]:
    for start in range(0, len(records), size):
        yield records[start : start + size]


def _require(name: str, fields: list[str]) -> None:
    """Refuse a file as a whole where every record of it would be refused."""
    missing = [field for field in _NEEDED if field not in fields]
    if missing:
        has = ", ".join(fields[:20]) or "none"
        problem = f"has no field {', '.join(missing)}: name its fields as an event does (it has {has})"
        raise SourceError(name, 0, problem)


def _field_names(schema: Any) -> list[str]:
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    return [field["name"] for field in fields]


def _in_ms(pa: Any, table: Any) -> Any:
    """Return the batch with event times that have a zone as ms since 1970, whatever their unit was."""
    for name in TIME_FIELDS:
        index = table.schema.get_field_index(name)
        if index >= 0 and pa.types.is_timestamp(table.schema.types[index]) and table.schema.types[index].tz:
            column = table.column(index).cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
            table = table.set_column(index, name, column)
    return table
