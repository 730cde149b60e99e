"""The output folder of a run: append-only files that a restart cuts back to what the state says.

    commands.<channel>.jsonl, decisions.jsonl, dead-letters.jsonl        (or .avro)

A runner writes the outputs of a chunk, flushes, and keeps the lengths that the flush returns in the same
WriteBatch as the rows. Killed in between, it starts again with :meth:`OutputFolder.truncate_to` those
lengths, and writes the same bytes once more.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, Self

import fastavro

from processor.codec.containers import block_bytes, header_bytes
from processor.codec.outputs import DeadLetter, dead_letter_line, dead_letter_record
from processor.codec.schemas import schema
from processor.codec.sealing import Sealing
from processor.core.outputs import Command, Decision, Output

__all__ = ["FORMATS", "RUN_MARKER", "Format", "OutputError", "OutputFolder"]

Format = Literal["jsonl", "avro"]
FORMATS: Final = ("jsonl", "avro")
RUN_MARKER: Final = ".trayecto-run"
"""The file in an output folder that says which state it goes with. It is no output."""

_OURS: Final = re.compile(r"(?:commands\.[^/]+|decisions|dead-letters)\.(?:jsonl|avro)")
_datasync: Final = getattr(os, "fdatasync", os.fsync)  # not every system has the cheaper one


class OutputError(Exception):
    """An output file cannot be written, or is not what the state says; the message says what to do."""


class OutputFolder:
    """The files of one run. Use it in a `with`, or close it; what was not flushed is then lost.

    Args:
        path: the folder; made with its parents where it is missing.
        format: "jsonl" for a JSON object a line, "avro" for containers with one block per flush.
        sync: whether a flush waits until the disk has it.

    Raises:
        OutputError: the folder cannot be made, here; a file cannot be written, in any method.
    """

    def __init__(self, path: Path, format: Format = "jsonl", *, sync: bool = True) -> None:  # noqa: A002
        assert format in FORMATS, format
        self.path = path
        self.format: Format = format
        self._sync = sync
        self._files: dict[str, _File] = {}
        self._sealing = Sealing(self._list, lines=format == "jsonl")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _explained(path, error) from error

    def seal(self, outputs: Sequence[Output]) -> None:
        """Add the commands and decisions of one input, in order, or raise, and then add none of them.

        They are held in memory, as they will be written, until :meth:`flush`.

        Raises:
            OutputTooLargeError: one is too large.
            ValueError, TypeError, OverflowError: one cannot be written.
        """
        self._sealing.seal(outputs)

    def write(
        self,
        commands: Iterable[Command] = (),
        decisions: Iterable[Decision] = (),
        dead_letters: Iterable[DeadLetter] = (),
    ) -> None:
        """Add outputs, in order. They are held in memory until :meth:`flush`."""
        self.seal([*commands, *decisions])
        encode: Any = dead_letter_line if self.format == "jsonl" else dead_letter_record
        dead = [encode(letter) for letter in dead_letters]
        if dead:
            self._file("dead-letters", "dead-letter").waiting.extend(dead)

    def flush(self) -> dict[str, int]:
        """Bring what was written to the disk, and return the length in bytes of every file by its name."""
        made = False
        for name, file in self._files.items():
            try:
                made = file.flush(sync=self._sync) or made
            except OSError as error:
                raise _explained(self.path / name, error) from error
        if made and self._sync:
            self._sync_folder()
        return {name: file.length for name, file in sorted(self._files.items())}

    def truncate_to(self, lengths: Mapping[str, int]) -> None:
        """Cut the files back to these lengths, and remove those of a run that are not listed.

        To be called before the first write. No lengths: the folder is made ready for a run from the start.

        Raises:
            OutputError: a listed file is missing, shorter than listed, or of another format.
        """
        assert not self._files, "truncate_to comes before the first write"
        anew = "or remove both the state and the output folder to begin from the first event"
        for name, length in lengths.items():
            path = self.path / name
            stem, _, form = name.rpartition(".")
            if form != self.format or _OURS.fullmatch(name) is None:
                raise OutputError(f"{path}: the state goes with output as {form}: give that format, {anew}")
            size = path.stat().st_size if path.is_file() else -1
            if size < length:
                found = "is missing" if size < 0 else f"has {size} bytes"
                raise OutputError(
                    f"{path}: {found}, and the state says that {length} were written: put it back, {anew}"
                )
            subject = "command" if stem.startswith("commands.") else stem.removesuffix("s")
            try:
                self._file(stem, subject).recognise(length)
            except OSError as error:
                raise _explained(path, error) from error
        try:
            for path in sorted(self.path.iterdir()):
                if _OURS.fullmatch(path.name) and path.name not in lengths:
                    path.unlink()
            for name, length in lengths.items():
                self._files[name].resume(length)
        except OSError as error:
            raise _explained(self.path, error) from error

    def names(self) -> list[str]:
        """The names of all output files that lie in the folder, whoever wrote them."""
        try:
            return sorted(path.name for path in self.path.iterdir() if _OURS.fullmatch(path.name))
        except OSError as error:
            raise _explained(self.path, error) from error

    def marker(self) -> str:
        """Which run the folder belongs to, "" where nothing says so."""
        try:
            return (self.path / RUN_MARKER).read_text("utf-8", errors="replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise _explained(self.path / RUN_MARKER, error) from error

    def mark(self, run: str) -> None:
        """Say which run the folder belongs to. When this returns, the disk has it, and has it whole."""
        path = self.path / RUN_MARKER
        made = path.with_suffix(".new")
        try:
            with made.open("wb") as file:
                file.write(run.encode() + b"\n")
                file.flush()
                if self._sync:
                    os.fsync(file.fileno())
            made.replace(path)
        except OSError as error:
            raise _explained(path, error) from error
        if self._sync:
            self._sync_folder()

    def close(self) -> None:
        """Close the files; what was not flushed is not written."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._sealing = Sealing(self._list, lines=self.format == "jsonl")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _list(self, stem: str, subject: str) -> list[Any]:
        """What waits for a file."""
        return self._file(stem, subject).waiting

    def _file(self, stem: str, subject: str) -> _File:
        name = f"{stem}.{self.format}"
        file = self._files.get(name)
        if file is None:
            assert _OURS.fullmatch(name), f"{stem!r} is no name for an output file"
            path = self.path / name
            file = _Lines(path) if self.format == "jsonl" else _Container(path, stem, subject)
            self._files[name] = file
        return file

    def _sync_folder(self) -> None:
        """A new file survives a crash of the machine only when its folder was synced too."""
        try:
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _explained(self.path, error) from error


class _File:
    """One output file. It is made by the first flush that has something for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = 0
        self.waiting: list[Any] = []
        self._file: BinaryIO | None = None

    def encoded(self) -> bytes:
        """What is waiting, as it goes into the file."""
        raise NotImplementedError

    def flush(self, *, sync: bool) -> bool:
        """Write what is waiting; returns whether the file is new."""
        if not self.waiting:
            return False
        data = self.encoded()
        new = self._file is None
        if self._file is None:
            # A file that is in the way was not listed at the start, so another run is writing here.
            self._file = self.path.open("xb", buffering=0)
        file = self._file
        written = 0
        while written < len(data):  # a full disk or a signal may cut a write short
            written += file.write(data[written:]) or 0
        if sync:
            _datasync(file.fileno())
        self.length += len(data)
        self.waiting.clear()
        return new

    def recognise(self, length: int) -> None:
        """Raise OutputError where what is in the file cannot be gone on with."""

    def resume(self, length: int) -> None:
        """Go on after `length` bytes; what is behind them is cut off."""
        self._file = self.path.open("r+b", buffering=0)
        self._file.truncate(length)
        self._file.seek(length)
        self.length = length

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _Lines(_File):
    def encoded(self) -> bytes:
        self.waiting.append(b"")
        return b"\n".join(self.waiting)


class _Container(_File):
    def __init__(self, path: Path, stem: str, subject: str) -> None:
        super().__init__(path)
        declared = schema(subject)
        self._schema = fastavro.parse_schema(declared)
        self._header, self._sync = header_bytes(declared, stem)

    def recognise(self, length: int) -> None:
        if not length:
            return
        with self.path.open("rb") as file:
            if file.read(len(self._header)) != self._header:
                raise OutputError(
                    f"{self.path}: it was begun with another schema, by another release, and a file has one: "
                    "go on with that release, or remove both the state and the output folder to begin anew"
                )

    def encoded(self) -> bytes:
        block = block_bytes(self._schema, self.waiting, self._sync)
        return block if self.length else self._header + block


def _explained(path: Path, error: OSError) -> OutputError:
    if isinstance(error, FileExistsError) and path.suffix:
        fix = "another run writes to this folder: give one of them another"
    elif error.errno in _FULL:
        fix = "the disk is full: free some space and start again, nothing committed is lost"
    else:
        fix = "check that the folder is yours to write"
    return OutputError(f"{path}: cannot be written ({error.strerror}): {fix}")


_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
