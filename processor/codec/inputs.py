"""The bytes of a file or of standard input, decompressed where they are gzip or zstd, in bounded memory.

What a stream is, is told by its first bytes, never by its name.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import zstandard

__all__ = ["HEAD_BYTES", "Input", "SourceError", "TornError", "blocks", "open_input"]

HEAD_BYTES: Final = 4
READ_BYTES: Final = 256 * 1024

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# zstd's decoder has no limit on what one call gives back, so it is fed little at a time.
_ZSTD_FEED_BYTES: Final = 16 * 1024
_ZSTD_WINDOW_BYTES_MAX: Final = 128 * 1024 * 1024


class SourceError(Exception):
    """A source of events cannot be read (on). The message names it, the place and what to do.

    Attributes:
        source: the file's name, or "standard input".
        record: number of the last record that was read whole, 0 for none.
        problem: the message without the place.
    """

    def __init__(self, source: str, record: int, problem: str) -> None:
        place = f" after record {record}" if record else ""
        super().__init__(f"{source}{place}: {problem}")
        self.source = source
        self.problem = problem
        self.record = record


class TornError(Exception):
    """Compressed data is damaged or ends in the middle; the message says which."""


class Input:
    """An open stream with its first bytes looked at. `read_bytes` counts what was taken from the disk.

    `size_bytes` is 0 where it is not known beforehand.
    """

    def __init__(self, stream: BinaryIO, name: str, size_bytes: int = 0) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.read_bytes = 0
        self.stream = stream
        self.head = b""
        while len(self.head) < HEAD_BYTES and (more := self._take(HEAD_BYTES - len(self.head))):
            self.head += more
        self._ahead = self.head

    def read(self, limit: int) -> bytes:
        """Return up to `limit` bytes as soon as there are some, b"" at the end."""
        if self._ahead:
            ahead, self._ahead = self._ahead[:limit], self._ahead[limit:]
            return ahead
        return self._take(limit)

    def read_exactly(self, count: int) -> bytes:
        """Return `count` bytes; fewer only where the stream ends."""
        parts = []
        while count > 0 and (part := self.read(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the stream, standard input excepted."""
        if self.stream is not sys.stdin.buffer:
            self.stream.close()

    def _take(self, limit: int) -> bytes:
        try:
            # Without waiting for more than there is: what is piped in is worked on as it comes.
            data: bytes = (
                self.stream.read1(limit) if hasattr(self.stream, "read1") else self.stream.read(limit)
            )
        except OSError as error:
            raise SourceError(
                self.name, 0, f"cannot be read ({error.strerror}): check the disk or the network share"
            ) from error
        self.read_bytes += len(data)
        return data


class _Inflate(Protocol):
    """One compressed stream: it may end in the middle of the data it is given."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def feed(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._stream.eof:
            try:
                block = self._stream.decompress(data, READ_BYTES)
            except zlib.error as error:
                raise TornError("the gzip data is damaged") from error
            if block:
                yield block
            data = self._stream.unconsumed_tail


class _Zstd:
    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
        self._stream = decompressor.decompressobj()
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_FEED_BYTES):
            end = start + _ZSTD_FEED_BYTES
            try:
                block = self._stream.decompress(data[start:end])
            except zstandard.ZstdError as error:
                raise TornError("the zstd data is damaged") from error
            if block:
                yield block
            if self._stream.eof:
                self.unused_data = self._stream.unused_data + data[end:]
                return


def open_input(path: str | Path) -> Input:
    """Open a file, or standard input for "-". Raises SourceError where there is none to read."""
    if str(path) == "-":
        return Input(sys.stdin.buffer, "standard input")
    path = Path(path)
    try:
        if path.is_dir():
            raise SourceError(str(path), 0, "is a folder: give the files in it")
        return Input(path.open("rb"), str(path), path.stat().st_size if path.is_file() else 0)
    except FileNotFoundError:
        raise SourceError(str(path), 0, "there is no such file: check the name and the folder") from None
    except OSError as error:
        problem = f"cannot be opened ({error.strerror}): check that you may read it"
        raise SourceError(str(path), 0, problem) from error


def blocks(source: Input) -> Iterator[bytes]:
    """Yield the decompressed bytes of a stream in blocks of bounded size. Raises TornError."""
    if source.head.startswith(_GZIP):
        return _inflated(source, _Gzip, "gzip")
    if source.head.startswith(_ZSTD):
        return _inflated(source, _Zstd, "zstd")
    return iter(lambda: source.read(READ_BYTES), b"")


def _inflated(source: Input, make: type[_Gzip | _Zstd], form: str) -> Iterator[bytes]:
    """Decompress one stream after another: a file may be several, put together with `cat`."""
    stream: _Inflate | None = None
    while data := source.read(READ_BYTES):
        while data:
            if stream is None:
                data = data.lstrip(b"\0")  # tapes and some tools pad with zeros
                if not data:
                    break
                stream = make()
            yield from stream.feed(data)
            if not stream.eof:
                break
            data, stream = stream.unused_data, None  # what follows is the next stream
    if stream is not None:
        raise TornError(f"the {form} data ends in the middle")
