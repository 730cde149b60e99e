"""Records in chunks of a fixed size, from files and from streams.

A chunk ends at a multiple of its size, counted from the first record of its source, or where the source ends:
so its boundaries are the same whether or not a run was broken off in between. Only a stream may end a chunk
early, so that what is piped in is answered soon; a run does not ask for that when its output depends on
boundaries.

A stream cannot be sought. It is fed again from its first record, and what was taken before is read, compared
by its checksum, and left aside.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from zlib import crc32

import msgspec

from processor.codec.readers import Batch, Raw, Source, SourceError, open_source
from processor.runtime.position import STDIN, Position, is_stream

__all__ = ["OPEN_SECONDS_MAX", "Chunk", "checksum_of", "chunks", "look_into", "open_when_ready"]

OPEN_SECONDS_MAX: Final = 0.3  # a chunk of a stream is not kept open longer
_LOOK_SECONDS: Final = 0.2  # how long a wait for standard input can put off a stop
_WHOLE_BLOCK: Final = 1 << 30  # as many records as one read gives: none is left behind in the reader


class Chunk(msgspec.Struct):
    """Consecutive records of one source, each with its number. ``stalled``: the source made us wait."""

    records: Batch
    stalled: bool = False


def open_when_ready(path: str, stopped: Callable[[], bool]) -> Source | None:
    """Open a source; for standard input wait until there is something to read. None when asked to stop."""
    if path == STDIN:
        while not _ready(_LOOK_SECONDS):
            if stopped():
                return None
    return open_source(path)


def look_into(path: str) -> None:
    """Read the beginning of a file. Raises SourceError where it is not one of events; streams are left be."""
    if path != STDIN and not is_stream(path):
        with open_source(path) as source:
            next(source.batches(1), None)


def chunks(
    source: Source, path: str, position: Position, size: int, stopped: Callable[[], bool], *, early: bool
) -> Iterator[Chunk]:
    """Yield what follows the position, which is one in this source.

    ``early`` allows a stream's chunks to end early. Ends without having reached the source's end only when
    ``stopped`` says so. Raises SourceError after everything that could be read was yielded.
    """
    if not is_stream(path):
        source.skip(position.number)
        return _cut(source.batches(size), position.taken, size, stopped)
    stream = _Stream(source, position, waits=path == STDIN)
    return _of_stream(stream, position.taken, size, stopped, early=early)


def _cut(batches: Iterator[Batch], taken: int, size: int, stopped: Callable[[], bool]) -> Iterator[Chunk]:
    held: Batch = []
    room = size - taken % size
    torn: SourceError | None = None
    try:
        for batch in batches:
            if stopped():
                return
            held += batch
            while len(held) >= room:
                yield Chunk(held[:room])
                held, room = held[room:], size
    except SourceError as error:
        torn = error
    if held:
        yield Chunk(held)
    if torn is not None:
        raise torn


class _Stream:
    """A stream that was read before up to some record: that part is compared, not given out again."""

    def __init__(self, source: Source, position: Position, *, waits: bool) -> None:
        self._batches = source.batches(_WHOLE_BLOCK)
        self._name = source.name
        self._waits = waits
        self._behind = position.number
        self._expected = position.checksum
        self._checksum = 0

    def ready(self, seconds: float) -> bool:
        """Wait until there is something to read, or the end."""
        return not self._waits or _ready(seconds)

    def read(self) -> Batch | None:
        """The next records, perhaps none; None at the end."""
        batch = next(self._batches, None)
        if batch is None:
            if self._behind:
                raise self._changed("ends before")
            return None
        if not self._behind:
            return batch
        old = [pair for pair in batch if pair[0] <= self._behind]
        self._checksum = checksum_of(old, self._checksum)
        if old and old[-1][0] == self._behind:
            if self._checksum != self._expected:
                raise self._changed("does not begin with")
            self._behind = 0
        elif len(old) < len(batch):
            raise self._changed("does not begin with")
        return batch[len(old) :]

    def _changed(self, what: str) -> SourceError:
        return SourceError(
            self._name,
            0,
            f"{what} the records that the state has read of it: feed it once more from its first record, or "
            "give new records as a file behind it",
        )


def _of_stream(
    stream: _Stream, taken: int, size: int, stopped: Callable[[], bool], *, early: bool
) -> Iterator[Chunk]:
    held: Batch = []
    room = size - taken % size
    opened = 0.0
    stalled = False
    torn: SourceError | None = None
    while not stopped():
        since = time.monotonic() - opened if held and early else 0.0
        if since >= OPEN_SECONDS_MAX:
            yield Chunk(held, stalled)
            room = room - len(held) or size
            held, stalled, since = [], False, 0.0
        if not stream.ready(OPEN_SECONDS_MAX - since if held and early else _LOOK_SECONDS):
            stalled = True
            continue
        try:
            batch = stream.read()
        except SourceError as error:
            batch, torn = None, error
        if batch is None:
            break
        if batch and not held:
            opened = time.monotonic()
        held += batch
        while len(held) >= room:
            yield Chunk(held[:room], stalled)
            held, room, stalled = held[room:], size, False
    else:
        return
    if held:
        yield Chunk(held, stalled)
    if torn is not None:
        raise torn


def checksum_of(records: Sequence[tuple[int, Raw]], before: int = 0) -> int:
    """Carry a checksum on over records; it does not depend on how they are cut."""
    for number, raw in records:
        before = crc32(_bytes(raw), crc32(b"%d " % number, before))
    return before


def _bytes(raw: Raw) -> bytes:
    return raw if isinstance(raw, bytes) else repr(raw).encode("utf-8", "surrogatepass")


def _ready(seconds: float) -> bool:
    """Whether standard input has something to read, or has ended; where that cannot be told, yes."""
    try:
        descriptor = sys.stdin.buffer.fileno()
        return bool(select.select([descriptor], [], [], seconds)[0])
    except (OSError, ValueError, AttributeError):
        return True
