"""Where a run stands: what is committed with the rows, and all that a restart needs.

The position says which record of which source was taken last, how long the output files were then, and what
had been counted. It also holds what the run was told from outside and a restart must not ask again: the wall
clock (see :mod:`processor.runtime.replay`). It is stored as msgpack, version first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from processor.core.model import Topology
from processor.runtime.summary import Tallies

__all__ = [
    "POSITION_FORMAT",
    "STDIN",
    "Position",
    "RunError",
    "SourceMark",
    "check_sources",
    "check_topology",
    "is_stream",
    "mark_of",
]

POSITION_FORMAT: Final = 3
STDIN: Final = "-"
_MARK_BYTES: Final = 64 * 1024
_ANEW: Final = "or give a new state and output folder to begin from the first event"


class RunError(Exception):
    """A run cannot begin or go on; the message says why and what to do."""


class SourceMark(msgspec.Struct, array_like=True, frozen=True):
    """What a source was known by when it was last looked at.

    ``size_bytes``, ``head`` and ``tail`` (hashes of its first and of its last 64 KiB up to that size) are of
    a file; a stream (standard input, a named pipe) has none, and is known by the checksum in the position.
    """

    name: str
    stream: bool
    size_bytes: int
    head: str
    tail: str


class Position(msgspec.Struct, array_like=True):
    """The state of a run between two records.

    Attributes:
        format: of this struct.
        topology: digest of the topology.
        partitions: number of logical partitions.
        output: "jsonl" or "avro".
        sources: marks of the sources begun so far; the last one is the current one.
        number: the current source's number of the last record taken, as its reader counts.
        taken: how many records of the current source were taken; chunks end at multiples of their size.
        checksum: of the records taken from the current source where that is a stream (CRC-32), else 0.
        total: records taken of all sources.
        lengths: bytes of each output file.
        watermark_ms: the latest watermark.
        started_ms: wall clock at the first start.
        wall_ms: the wall clock that decides what lies in the future.
        finished: the sources were read to their end, and what was due by then has fired.
        tallies: what was counted.
        run: what the state and its output folder know each other by; "" where there is no folder.
    """

    format: int
    topology: str
    partitions: int
    output: str
    sources: list[SourceMark]
    number: int
    taken: int
    checksum: int
    total: int
    lengths: dict[str, int]
    watermark_ms: int
    started_ms: int
    wall_ms: int
    finished: bool
    tallies: Tallies
    run: str

    @classmethod
    def new(cls, topology: str, partitions: int, output: str, wall_ms: int, *, run: str = "") -> Position:
        """The position before the first record."""
        return cls(
            POSITION_FORMAT, topology, partitions, output, [], 0, 0, 0, 0, {}, 0, wall_ms, wall_ms,
            finished=False, tallies=Tallies(), run=run,
        )  # fmt: skip

    @property
    def untouched(self) -> bool:
        """Whether nothing was taken, written or let pass yet: what such a state says may be said anew."""
        return not (self.total or self.lengths or self.watermark_ms)

    def encode(self) -> bytes:
        """The position as bytes."""
        return _encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Position:
        """Read a stored position. Raises :class:`RunError` for one that this version does not read."""
        try:
            found = msgspec.msgpack.decode(_decode_fields(data)[0], type=int)
            if found == POSITION_FORMAT:
                return _decode(data)
        except (msgspec.MsgspecError, IndexError):
            found = 0
        raise RunError(
            f"the state's position has format {found} and this program reads {POSITION_FORMAT}: use the "
            f"program that wrote it, {_ANEW}"
        )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Position).decode
_decode_fields = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


def is_stream(path: str) -> bool:
    """Whether a source can be read only once, from its beginning: standard input, a named pipe."""
    if path == STDIN:
        return True
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)  # noqa: PTH116 - "-" is not a path, so these are texts
    except OSError:
        return False  # opening it says what is wrong


def mark_of(path: str, size_bytes: int = 0) -> SourceMark:
    """Look at the first `size_bytes` of a source (0: all of it). Raises OSError for a file without access."""
    if is_stream(path):
        return SourceMark(name=path, stream=True, size_bytes=0, head="", tail="")
    size = size_bytes or Path(path).stat().st_size
    head, tail = _hashes(path, size)
    return SourceMark(name=path, stream=False, size_bytes=size, head=head, tail=tail)


def _hashes(path: str, size: int) -> tuple[str, str]:
    """Hash the first and the last 64 KiB of the first `size` bytes."""
    with Path(path).open("rb") as file:
        head = file.read(min(size, _MARK_BYTES))
        file.seek(max(0, size - _MARK_BYTES))
        tail = file.read(min(size, _MARK_BYTES))
    return tuple(blake2b(part, digest_size=16).hexdigest() for part in (head, tail))  # type: ignore[return-value]


def check_topology(position: Position, topology: Topology) -> None:
    """Refuse another topology than the one that the state was made with."""
    if position.topology != topology.digest:
        raise RunError(
            f"the state was made with another version of the topology (digest {position.topology[:12]}, this "
            f"one has {topology.digest[:12]}): put the files of the topology back as they were, {_ANEW}"
        )


def check_sources(position: Position, sources: Sequence[str]) -> None:
    """Refuse sources that do not begin with those the state has read.

    The last one may have grown, since its records are counted from its beginning; further ones may follow.
    """
    marks = position.sources
    if len(sources) < len(marks):
        names = ", ".join(mark.name for mark in marks)
        raise RunError(f"the state has read {names}: give these first, in this order, {_ANEW}")
    for at, (mark, path) in enumerate(zip(marks, sources, strict=False)):
        last = at == len(marks) - 1
        if mark.stream or is_stream(path):
            if mark.stream and is_stream(path):
                continue
            raise RunError(f"source {at + 1} is {path}, and the state has read {mark.name}: {_give(mark)}")
        if Path(path).name != Path(mark.name).name:
            raise RunError(f"source {at + 1} is {path}, and the state has read {mark.name}: {_give(mark)}")
        try:
            size = Path(path).stat().st_size
            same = size >= mark.size_bytes and _hashes(path, mark.size_bytes) == (mark.head, mark.tail)
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror}): {_give(mark)}") from error
        if not same:
            raise RunError(
                f"{path}: what the state has read of it has changed: put the file back as it was, {_ANEW}"
            )
        if size > mark.size_bytes and not last:
            raise RunError(
                f"{path}: it has grown since it was read, and other files were read after it: give what is "
                f"new as a file of its own at the end of the list, {_ANEW}"
            )


def _give(mark: SourceMark) -> str:
    name = "standard input" if mark.name == STDIN else mark.name
    return f"give {name} in that place, and new files behind it, {_ANEW}"
