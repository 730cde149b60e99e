"""Kafka's log and its transactions, in memory: as much of them as exactly-once rests on.

What is modelled, and compared with a real broker by ``test_like_kafka``:

- A log is a row of entries with offsets. A transaction's end is an entry as well: a marker, which takes an
  offset in every partition that the transaction wrote to and which no reader is given.
- InitProducerId (:meth:`Cluster.fence`) raises the epoch of a transactional id, and aborts what an earlier
  epoch left open. Whatever an earlier epoch still sends is refused.
- The high watermark is the end of the log; the last stable offset is where the first open transaction begins.
  A reader of committed records is given nothing from there on, and nothing of aborted transactions.
- Retention takes entries away at the beginning; compaction takes earlier values of a key and, later,
  tombstones. Offsets stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka.errors import InvalidProducerEpoch

__all__ = ["Cluster", "Entry", "Log", "Transaction"]

Headers = Sequence[tuple[str, bytes]]


@dataclass
class Transaction:
    """One transaction; ``state`` is open, committed or aborted."""

    state: str = "open"
    logs: list[Log] = field(default_factory=list)


@dataclass
class Entry:
    """A record, or with ``marker`` the end of a transaction."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    transaction: Transaction | None = None
    marker: bool = False
    compacted: bool = False


class Log:
    """One partition of a topic."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.first = 0
        self.entries: list[Entry] = []

    @property
    def end(self) -> int:
        """The high watermark."""
        return len(self.entries)

    @property
    def stable(self) -> int:
        """The last stable offset."""
        for entry in self.entries:
            if not entry.marker and entry.transaction is not None and entry.transaction.state == "open":
                return entry.offset
        return self.end

    def append(
        self,
        now_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        transaction: Transaction | None = None,
        *,
        marker: bool = False,
    ) -> int:
        """Append; return the offset."""
        offset = self.end
        self.entries.append(
            Entry(self.topic, self.partition, offset, now_ms, key, value, headers, transaction, marker)
        )
        return offset

    def read(self, start: int, limit: int, *, committed: bool) -> tuple[list[Entry], int]:
        """Return at most `limit` readable records from `start` on, and the position behind them."""
        end = self.stable if committed else self.end
        found: list[Entry] = []
        position = start
        for entry in self.entries[start:end]:
            if len(found) == limit:
                break
            position = entry.offset + 1
            aborted = committed and entry.transaction is not None and entry.transaction.state == "aborted"
            if not entry.marker and not entry.compacted and not aborted:
                found.append(entry)
        return found, position

    def compact(self) -> None:
        """Take away all but the latest committed value of each key, and deletions."""
        records, _ = self.read(self.first, self.end, committed=True)
        latest = {entry.key: entry.offset for entry in records}
        for entry in records:
            entry.compacted = entry.value is None or latest[entry.key] != entry.offset


class Cluster:
    """All topics, transactional ids and groups. ``now_ms`` is the wall clock of everybody."""

    def __init__(self, partitions: int, topics: Sequence[str]) -> None:
        self.partitions = partitions
        self.now_ms = 1_700_000_000_000
        self.logs = {(topic, number): Log(topic, number) for topic in topics for number in range(partitions)}
        self.epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}  # by transactional id
        self.offsets: dict[tuple[str, str, int], int] = {}  # by group, topic, partition
        self.refused: dict[str, list[Exception]] = defaultdict(list)  # by topic: errors of the next batches

    def fence(self, name: str) -> int:
        """InitProducerId: return the new epoch of a transactional id, after settling what was open."""
        self.epochs[name] = self.epochs.get(name, -1) + 1
        if name in self.open:
            self._settle(name, "aborted")
        return self.epochs[name]

    def checked(self, name: str, epoch: int) -> None:
        """Refuse an earlier epoch of a transactional id."""
        if self.epochs.get(name) != epoch:
            raise InvalidProducerEpoch

    def append(
        self,
        name: str,
        epoch: int,
        tp: tuple[str, int],
        records: Sequence[tuple[bytes | None, bytes | None, Headers]],
    ) -> int:
        """Append a batch within the transaction of an id ("": without); return its first offset."""
        if self.refused[tp[0]]:
            raise self.refused[tp[0]].pop(0)
        transaction = None
        if name:
            self.checked(name, epoch)
            transaction = self.open.setdefault(name, Transaction())
            if self.logs[tp] not in transaction.logs:
                transaction.logs.append(self.logs[tp])
        first = self.logs[tp].end
        for key, value, headers in records:
            self.now_ms += 1
            self.logs[tp].append(self.now_ms, key, value, headers, transaction)
        return first

    def end(self, name: str, epoch: int, state: str) -> None:
        """Commit or abort the transaction of an id, where there is one."""
        self.checked(name, epoch)
        if name in self.open:
            self._settle(name, state)

    def _settle(self, name: str, state: str) -> None:
        transaction = self.open.pop(name)
        transaction.state = state
        for log in transaction.logs:
            log.append(self.now_ms, None, None, (), transaction, marker=True)
