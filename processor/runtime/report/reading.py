"""Decisions from the output folder of a run: one at a time, as the core made them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from processor.core.outputs import Decision

__all__ = ["Reading", "decisions_file"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_EACH: Final = 20_000  # decisions between two words about the progress
_WITH_DETAIL: Final = frozenset({"goal", "commanded", "suppressed", "graded"})


class _Line(msgspec.Struct, gc=False):
    kind: str
    contact_id: str
    decided_at: datetime
    program: str | None = None
    version: int | None = None
    enrollment: str | None = None
    step: str | None = None
    reason: str | None = None
    detail: msgspec.Raw = msgspec.Raw(b"null")


def decisions_file(folder: Path) -> Path:
    """Return the file of decisions in the output folder of a run.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in ("decisions.jsonl", "decisions.avro"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(folder / "decisions.jsonl")


class Reading:
    """Reads a file of decisions; ``unreadable`` counts the lines that are none.

    A last line without its end is passed over: a run that is still at work has not finished it.
    ``tell`` is told the bytes read and the number of decisions, now and then.
    """

    def __init__(self, path: Path, tell: Callable[[int, int], None] = lambda _bytes, _count: None) -> None:
        self._path = path
        self._tell = tell
        self.unreadable = 0

    def __iter__(self) -> Iterator[Decision]:
        """Yield the decisions in their order."""
        return self._avro() if self._path.suffix == ".avro" else self._lines()

    def _lines(self) -> Iterator[Decision]:
        decode = msgspec.json.Decoder(_Line).decode
        details = msgspec.json.Decoder(dict[str, Any] | None).decode
        done = 0
        with self._path.open("rb") as stream:
            for number, text in enumerate(stream, 1):
                done += len(text)
                try:
                    line = decode(text)
                    detail = details(line.detail) if line.kind in _WITH_DETAIL else None
                except msgspec.DecodeError:
                    self.unreadable += text.endswith(b"\n")
                    continue
                yield _decision(line, detail)
                if number % _EACH == 0:
                    self._tell(done, number)

    def _avro(self) -> Iterator[Decision]:
        import fastavro  # noqa: PLC0415 - only who writes Avro pays for it

        with self._path.open("rb") as stream:
            for number, record in enumerate(fastavro.reader(stream), 1):
                given: dict[str, Any] = dict(record)  # type: ignore[arg-type]  # the schema is of a record
                text = given.pop("detail", None)
                line = msgspec.convert(given, _Line)
                yield _decision(line, msgspec.json.decode(text) if text else None)
                if number % _EACH == 0:
                    self._tell(stream.tell(), number)


def _decision(line: _Line, detail: dict[str, Any] | None) -> Decision:
    return Decision(
        line.kind,
        line.contact_id,
        (line.decided_at - _EPOCH) // _MS,
        line.program or "",
        line.version or 0,
        line.enrollment or "",
        line.step or "",
        line.reason or "",
        detail,
    )
