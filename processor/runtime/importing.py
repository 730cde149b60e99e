"""What other systems know, as events of the log that count and start nothing: the lines of `imported` events.

Tables of profiles, consents, lists, scores, sends, enrollments and events are read from CSV, JSON Lines or
Parquet. Each row becomes one event of the type ``imported`` (see ``processor.core.importing``), whose file
and line say which row it was: so the same tables give the same lines, and none counts twice.

A row that cannot be taken is refused with the reason that a run would give, and never with a value.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from processor.codec.events import Refusal, decode_event
from processor.codec.inputs import SourceError, blocks, open_input
from processor.codec.outputs import DeadLetter
from processor.core.model import Topology
from processor.core.time import format_time, parse_time
from processor.runtime.letters import checked, letter_of_refused

__all__ = ["KINDS", "Imported", "Table", "imported_lines"]

KINDS: Final = ("profiles", "consents", "lists", "scores", "sends", "enrollments", "events")
"""What a table can hold, in the order in which tables are read: who contacts are, then what they did."""

_BATCH_ROWS: Final = 4_096
_CSV: Final = (".csv", ".csv.gz", ".csv.zst")
_PARQUET: Final = ".parquet"
_BAD_ROW: Final = Refusal("bad_row", "the row is no JSON object")
_NO_CONTACT: Final = Refusal("no_contact", "the column contact_id is missing or empty")
_BAD_TIME: Final = Refusal(
    "bad_time", "a time of the row is none, such as 2026-03-01 or 2026-03-01T09:30:00Z"
)
_NO_TIME: Final = Refusal("no_time", "the row does not say when: fill the column {}")
_BAD_VALUE: Final = Refusal("wrong_type", "a value of the row is not of the type that is declared for it: {}")
_UNKNOWN: Final = Refusal(
    "unknown_column", "the column {} is not known: declare it, or leave it out with --skip"
)

Row = Mapping[str, Any]


class Table(msgspec.Struct, frozen=True):
    """A file, and which of KINDS it holds."""

    kind: str
    path: str


class Imported(msgspec.Struct):
    """What became of the rows: how many there were, and how many were refused, by reason."""

    rows: int = 0
    taken: int = 0
    refused: dict[str, int] = {}


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal, *names: str) -> None:
        super().__init__(refusal.reason)
        self.refusal = Refusal(refusal.reason, refusal.message.format(*names))


def imported_lines(  # noqa: PLR0913 - each is a choice of its own
    topology: Topology,
    tables: Sequence[Table],
    cutover_ms: int,
    made: Imported,
    *,
    name: str = "",
    skip: frozenset[str] = frozenset(),
    refuse: Callable[[DeadLetter], None] = lambda _letter: None,
    tell: Callable[[str, int], None] = lambda _path, _rows: None,
) -> Iterator[bytes]:
    """Yield the tables' rows as lines of JSON, each an `imported` event, without the end of the line.

    Args:
        topology: what the rows are checked against.
        tables: read kind by kind, in the order of KINDS.
        cutover_ms: from when on the contacts are live.
        made: is told what became of the rows.
        name: tells this import from others of files of the same name.
        skip: columns that are left out.
        refuse: is handed each row that cannot be taken.
        tell: is told how far it is: the file, rows of all files.

    Raises:
        SourceError: a file cannot be read, or not to its end.
    """
    cutover = format_time(cutover_ms)
    for table in sorted(tables, key=lambda table: KINDS.index(table.kind)):
        convert = _Converter(topology, table.kind, cutover_ms, skip)
        identity = file_id(name, table)
        for number, raw in _rows(table.path):
            made.rows += 1
            found = _line(topology, convert, raw, identity, number, cutover)
            if isinstance(found, Refusal):
                made.refused[found.reason] = made.refused.get(found.reason, 0) + 1
                refuse(letter_of_refused(found, Path(table.path).name, number, _raw(raw)))
            else:
                made.taken += 1
                yield found
            if made.rows % _BATCH_ROWS == 0:
                tell(table.path, made.rows)
        tell(table.path, made.rows)


def file_id(name: str, table: Table) -> str:
    """The id of a file among imports: what it is called and holds, not what stands in it."""
    text = f"{name}\0{table.kind}\0{Path(table.path).name}"
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()


def _line(
    topology: Topology, convert: _Converter, raw: Any, identity: str, number: int, cutover: str
) -> bytes | Refusal:
    if isinstance(raw, bytes):
        try:
            raw = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            return _BAD_ROW
    if not isinstance(raw, Mapping):
        return _BAD_ROW
    try:
        contact, kind, at_ms, properties = convert(raw)
        line = msgspec.json.encode(
            {
                "event_id": f"import-{identity}-{number}",
                "contact_id": contact,
                "type": "imported",
                "occurred_at": cutover,
                "properties": {
                    "type": kind,
                    "properties": properties,
                    "at": format_time(at_ms),
                    "file": identity,
                    "line": number,
                },
            }
        )
    except _RefusedError as error:
        return error.refusal
    except (ValueError, TypeError, OverflowError, RecursionError):
        return Refusal("bad_properties", "a value of the row cannot be written as JSON")
    found = checked(topology, decode_event(line))
    return found if isinstance(found, Refusal) else line


class _Converter:
    """Makes an event of a row: (contact, type, occurred at ms, properties). Raises _RefusedError."""

    def __init__(self, topology: Topology, kind: str, cutover_ms: int, skip: frozenset[str]) -> None:
        self._topology = topology
        self._cutover_ms = cutover_ms
        self._skip = skip
        self._convert: Callable[[dict[str, Any]], tuple[str, int, dict[str, Any]]] = getattr(self, f"_{kind}")

    def __call__(self, row: Row) -> tuple[str, str, int, dict[str, Any]]:
        given = {
            key: value
            for key, value in row.items()
            if value is not None and value != "" and key not in self._skip
        }
        contact = given.pop("contact_id", None)
        if contact is None:
            raise _RefusedError(_NO_CONTACT)
        given.pop("event_id", None)
        kind, at_ms, properties = self._convert(given)
        return str(contact), kind, at_ms, properties

    def _profiles(self, row: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        at_ms = self._time(row, "at", self._cutover_ms)
        return "profile_updated", at_ms, self._typed(row, self._topology.profile_schema)

    def _consents(self, row: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        at_ms = self._time(row, "at")
        granted = _typed("granted", row.pop("granted", True), "boolean")
        kind = "consent_granted" if granted else "consent_withdrawn"
        return kind, at_ms, self._typed(row, self._schema(kind))

    def _lists(self, row: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        at_ms = self._time(row, "at", self._cutover_ms)
        return "list_joined", at_ms, self._typed(row, self._schema("list_joined"))

    def _scores(self, row: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        at_ms = self._time(row, "at", self._cutover_ms)
        return "past_score", at_ms, self._typed(row, {"score": "string", "value": "number"})

    def _sends(self, row: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        schema = {"channel": "string", "purpose": "string", "series": "string?", "piece": "string?"}
        return "past_send", self._time(row, "at"), self._typed(row, schema)

    def _enrollments(self, row: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        at_ms = self._time(row, "entered_at")
        ended_ms = self._time(row, "ended_at", 0)
        properties = self._typed(row, {"program": "string", "key": "string?"})
        if ended_ms:
            properties["ended_at"] = format_time(ended_ms)
        return "past_enrollment", at_ms, properties

    def _events(self, row: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        at_ms = self._time(row, "occurred_at")
        kind = str(row.pop("type", ""))
        row.pop("appended_at", None)
        properties = _typed("properties", row.pop("properties", {}), "map")
        flat = {key.removeprefix("properties."): value for key, value in row.items()}
        schema = self._schema(kind)
        return kind, at_ms, {**properties, **self._typed(flat, schema, closed=False)}

    def _schema(self, kind: str) -> Mapping[str, str]:
        return self._topology.event_schemas.get(kind, {})

    def _typed(self, row: Row, schema: Mapping[str, str], *, closed: bool = True) -> dict[str, Any]:
        """Values of the types that are declared: a CSV file has nothing but text."""
        found = {}
        for key, value in row.items():
            declared = schema.get(key)
            if declared is None and closed:
                raise _RefusedError(_UNKNOWN, key)
            found[key] = value if declared is None else _typed(key, value, declared.removesuffix("?"))
        return found

    def _time(self, row: dict[str, Any], name: str, default_ms: int | None = None) -> int:
        value = row.pop(name, None)
        if value is None:
            if default_ms is None:
                raise _RefusedError(_NO_TIME, name)
            return default_ms
        try:
            read = datetime.fromisoformat(value) if isinstance(value, str) else value
            if read.tzinfo is None:  # the topology's clock
                read = read.replace(tzinfo=self._topology.timezone)
            return parse_time(read.astimezone(UTC).isoformat(timespec="milliseconds"))
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise _RefusedError(_BAD_TIME) from None


def _typed(name: str, value: Any, kind: str) -> Any:
    """A value of text as what is declared; others as they are, with times as text."""
    try:
        if isinstance(value, str):
            if kind in {"number", "integer"}:
                return int(value) if kind == "integer" or value.lstrip("+-").isdigit() else float(value)
            if kind == "boolean":
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                    value.strip().lower()
                ]
            if kind in {"list", "map"}:
                return msgspec.json.decode(value)
            return value
        if kind in {"string", "zone"} and not isinstance(value, bool | list | dict):
            return str(value)
        if kind in {"date", "time"} and not isinstance(value, bool | int | float | list | dict):
            return value.isoformat()
    except (ValueError, KeyError, AttributeError):
        raise _RefusedError(_BAD_VALUE, name) from None
    return value


def _rows(path: str) -> Iterator[tuple[int, Any]]:
    """The rows of a file with their numbers from 1: lines of JSON as bytes, others as mappings."""
    if path.endswith(_PARQUET):
        yield from enumerate(_of_parquet(path), 1)
        return
    source = open_input(path)
    try:
        if path.endswith(_CSV):
            text = io.TextIOWrapper(io.BufferedReader(_Blocks(blocks(source))), "utf-8-sig", newline="")
            rows = csv.DictReader(text)
            if "contact_id" not in (rows.fieldnames or ()):
                raise SourceError(path, 0, "has no column contact_id: its first line has to name the columns")
            for number, row in enumerate(rows, 1):
                yield number, {key: value for key, value in row.items() if key is not None}
        else:
            lines = io.BufferedReader(_Blocks(blocks(source)))
            for number, line in enumerate(lines, 1):
                if stripped := line.strip():
                    yield number, stripped
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(path, 0, f"is no table of UTF-8 text ({type(error).__name__})") from None
    finally:
        source.close()


def _of_parquet(path: str) -> Iterator[dict[str, Any]]:
    import pyarrow as pa  # noqa: PLC0415 - only files of this kind need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise SourceError(path, 0, f"cannot be read as Parquet ({type(error).__name__})") from None


class _Blocks(io.RawIOBase):
    """Blocks of bytes as a stream to read from."""

    def __init__(self, given: Iterator[bytes]) -> None:
        super().__init__()
        self._given = given
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if not self._left:
            self._left = next(self._given, b"")
        size = min(len(into), len(self._left))
        into[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def _raw(raw: Any) -> bytes:
    return raw if isinstance(raw, bytes) else msgspec.json.encode(raw, enc_hook=str)
