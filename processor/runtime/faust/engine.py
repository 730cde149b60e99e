"""What decides, as the worker sees it: an engine for each partition number.

The worker owns order, transactions and recovery, and knows nothing of contacts; the engine knows nothing of
Kafka. An engine is made after the partition's state was restored, and is thrown away with everything it holds
in memory whenever a transaction's outcome is not known to be good: it must keep nothing outside of its store
that its store does not say again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

import msgspec

from processor.store import RocksStore

__all__ = [
    "LEDGER_PREFIX",
    "POSITION_KEY",
    "ROW_PREFIX",
    "SHARED_KEY",
    "Asks",
    "Engine",
    "EngineFactory",
    "Output",
    "SourceRecord",
    "Work",
    "decode_positions",
    "encode_positions",
]

# Keys of the changelog. The partition number is not in them: it is the changelog's own.
ROW_PREFIX: Final = b"r"  # followed by the contact
LEDGER_PREFIX: Final = b"e"  # followed by the hash of an erased contact
SHARED_KEY: Final = b"s"
POSITION_KEY: Final = b"p"


class SourceRecord(Protocol):
    """One record of a source topic. ``timestamp`` is its append time, ms."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...  # noqa: D102


class Output(NamedTuple):
    """One record to be produced. Without a partition, the key's murmur2 says which, as Kafka's own does."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Work(Protocol):
    """What one transaction holds, and one local write after it."""

    @property
    def produce(self) -> Sequence[Output]:
        """Records for commands, decisions, the clock, dead letters, internal messages."""
        ...

    @property
    def changelog(self) -> Sequence[tuple[bytes, bytes | None]]:
        """Rows (``r`` and the contact), the shared row ``s``, and always the position ``p``; None deletes."""
        ...

    @property
    def positions(self) -> Mapping[str, int]:
        """Next offset of every source topic read so far, as in the changelog's ``p``."""
        ...

    def write(self, changelog_offset: int) -> None:
        """Store the same changes locally, in one batch with the offset to go on in the changelog from."""
        ...


class Engine(Protocol):
    """Decides for one partition. Its methods are called by one owner, never at the same time."""

    @property
    def positions(self) -> Mapping[str, int]:
        """Next offset of each source topic, as restored; a topic never read is missing."""
        ...

    def records(self, batch: Sequence[SourceRecord]) -> Iterator[Work]:
        """Advance by records in this order, yielding whenever something should be committed.

        What is yielded is committed, in a transaction and then locally, before the generator goes on. The
        last work covers the whole batch: its positions are behind the batch's last records.
        """
        ...

    def idle(self, watermark_ms: int) -> Iterator[Work]:
        """Move the watermark at the log's end; due timers act. May yield nothing; positions do not change."""
        ...


@runtime_checkable
class Asks(Protocol):
    """An engine that may have to ask somebody before it can read records, which has no place in its loop."""

    def lacking(self, batch: Sequence[SourceRecord]) -> bool:
        """Whether :meth:`ask` has to be called before :meth:`Engine.records` is given this batch."""
        ...

    def ask(self) -> None:
        """Ask for what was lacking. Waits for a network, so it is called in a thread; nothing else is then.

        Raises:
            RegistryUnavailable: there was no answer; ask again later.
        """
        ...


EngineFactory = Callable[[int, RocksStore], Engine]


def encode_positions(positions: Mapping[str, int]) -> bytes:
    """Positions as the value of the row ``p``, in a stable order."""
    return msgspec.msgpack.encode(sorted(positions.items()))


_decode = msgspec.msgpack.Decoder(list[tuple[str, int]]).decode


def decode_positions(data: bytes | None) -> dict[str, int]:
    """Read the value of the row ``p``; without one nothing was ever read.

    Raises:
        msgspec.DecodeError: it is not what :func:`encode_positions` writes.
    """
    return dict(_decode(data)) if data is not None else {}
