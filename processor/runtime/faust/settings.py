"""What a worker is told: where the broker is, what it reads, how much it may hold and how long it may wait.

Every limit and every time-out stands here with its reason, because together they are the promise of how much
memory a worker needs and how long a partition can be without an owner.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

__all__ = [
    "SETTABLE",
    "START_EARLIEST",
    "START_LATEST",
    "WorkerSettings",
    "documented_settings",
    "read_setting",
    "transactional_id",
    "wall_clock_ms",
]

START_EARLIEST: Final = "earliest"
START_LATEST: Final = "latest"

_MIB: Final = 1 << 20


def wall_clock_ms() -> int:
    """Return the wall clock in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class WorkerSettings(msgspec.Struct, kw_only=True, frozen=True):
    """How one worker runs.

    Attributes:
        app: the application id: consumer group, prefix of transactional ids and of internal topics. Stable.
        broker: HOST:PORT, several separated by commas.
        sources: topics the partitions' inputs come from, all with ``partitions`` partitions, LogAppendTime.
        partitions: of every source topic and of the changelog.
        state: folder of this worker's databases; no other worker may share it.
        name: of this worker. It is its static membership: a restart under the same name within
            ``session_timeout_s`` gets the same partitions back without a rebalance.
        login: what aiokafka's clients need beside the broker's address: security protocol, SASL, TLS.
        folder: of the topology, as the log names it to an operator who has to type a command.
        replication: of the topics that the worker creates itself (the changelog).
        start: where a partition begins that no state and no committed offset speaks of: "earliest" or
            "latest". It is never used where a position is known.

        chunk_records_max: records handed to the engine at a time. A transaction costs 5 to 10 ms whatever is
            in it, a record about 25 microseconds: 2,000 records keep the first below a fifth of the second.
        fetch_bytes_max: of one fetch of one partition, and so what the client holds of a partition that is
            not drained. 1 MiB is 3,500 events of 300 bytes: more than a chunk.
        fetch_records_max: records taken out of the client at a time, all partitions together: what the
            consumer's thread does in one go, about 20 ms.
        fetch_wait_ms: how long the broker may hold a fetch that finds nothing. It bounds how old "the log's
            end" is: a timer acts at most twice this after it was due (plus the grace). Faust has 1,500
            hard-coded.
        prefetch_records_max: what a lane may hold unprocessed of one source topic before the topic is no
            longer drained; it goes on at half. Several chunks, so that one is worked on while others arrive.
        prefetch_bytes_max: the same in bytes of memory, of all lanes and source topics together, in equal
            shares. What was fetched in one go can come on top of a share.
        conductor_fetches_max: fetches between the consumer and the lanes, each of any number of partitions.
        transactions_at_once_max: partitions that commit at the same time; the others wait for their turn, and
            what arrives meanwhile goes into their next transaction. A broker that is given more at once
            completes fewer.

        grace_ms: what the watermark stays behind append times and behind the log's end: brokers' clocks
            differ and a record may be stamped a little before it can be read.
        end_age_ms_max: how old the news that another source topic is at its end may be for a record to pass
            it by. After that (its broker is unreachable) records wait.

        commit_timeout_s: one transaction. Beyond it the outcome is unknown and the partition starts anew.
            Below ``transaction_timeout_s``, or the broker would abort first.
        transaction_timeout_s: the broker aborts a transaction of a dead worker after it, which is how long
            readers of its output topics wait if nobody takes the partition over earlier.
        request_timeout_s: one request to the broker; Faust wants it above the session time-out.
        session_timeout_s: a worker that is not heard of for so long loses its partitions. Restarts under the
            same name have to be quicker.
        heartbeat_s: a third of the session time-out at most, so that two may be lost.
        rebalance_timeout_s: how long the group waits for a member to hand over. A member hands over between
            two transactions, so it is above ``commit_timeout_s`` and ``stop_timeout_s``.
        poll_timeout_s: a consumer that takes nothing for so long is given up by the group.
        stop_timeout_s: a stopping worker waits so long for the transactions under way.
        offsets_every_s: how often the group's offsets are told to the broker, for monitoring of lag only.
        retry_backoff_ms: of the producers. The broker answers back-to-back transactions with retriable errors
            while the one before completes; ten milliseconds hide that cost.
        look_again_s: how often a partition whose position was lost looks for an operator's command.
        away_after_s: how long no broker may answer until the worker says that Kafka is away and is not ready.
            Above what an election of a controller takes.
        restart_backoff_ms, restart_backoff_ms_max: between two starts of a partition after an error, doubled
            each time it fails again.

        batch_bytes_max: of one batch of records to one partition. Below Kafka's default of 1 MiB for
            ``max.message.bytes``.
        restore_bytes_max: of one fetch of the changelog while restoring.
        restore_records_max: rows applied in one write while restoring; between two the event loop breathes.
        state_memory_bytes: block cache and write buffers of all databases together.
        tombstone_retention_ms: ``delete.retention.ms`` of the changelog. Local state that was not brought up
            to date for longer may miss deletions, so it is thrown away and restored whole.

        now_ms: the wall clock, a callable so that tests decide what time it is.
        hook: called with the name of each step of a commit (see :data:`processor.runtime.faust.commit.STEPS`)
            and the partition, right after the step; None in production.
    """

    app: str
    broker: str
    sources: tuple[str, ...]
    partitions: int
    state: Path
    name: str
    login: Mapping[str, Any] = {}
    folder: str = "DIR"
    replication: int = 1
    start: str = START_EARLIEST

    chunk_records_max: int = 2_000
    fetch_bytes_max: int = _MIB
    fetch_records_max: int = 5_000
    fetch_wait_ms: int = 500
    prefetch_records_max: int = 20_000
    prefetch_bytes_max: int = 64 * _MIB
    conductor_fetches_max: int = 32
    transactions_at_once_max: int = 8

    grace_ms: int = 2_000
    end_age_ms_max: int = 10_000

    commit_timeout_s: float = 30.0
    transaction_timeout_s: float = 60.0
    request_timeout_s: float = 50.0
    session_timeout_s: float = 45.0
    heartbeat_s: float = 3.0
    rebalance_timeout_s: float = 60.0
    poll_timeout_s: float = 300.0
    stop_timeout_s: float = 40.0
    offsets_every_s: float = 1.0
    retry_backoff_ms: int = 10
    look_again_s: float = 5.0
    away_after_s: float = 10.0
    restart_backoff_ms: int = 100
    restart_backoff_ms_max: int = 10_000

    batch_bytes_max: int = 1_000_000
    restore_bytes_max: int = 4 * _MIB
    restore_records_max: int = 5_000
    state_memory_bytes: int = 128 * _MIB
    tombstone_retention_ms: int = 86_400_000

    now_ms: Callable[[], int] = wall_clock_ms
    hook: Callable[[str, int], None] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work together.

        Raises:
            ValueError: naming the settings and the rule.
        """
        if not self.sources:
            raise ValueError("a worker needs at least one source topic")
        if self.partitions < 1:
            raise ValueError(f"partitions is {self.partitions}: at least 1")
        if self.start not in {START_EARLIEST, START_LATEST}:
            raise ValueError(f"start is {self.start!r}: 'earliest' or 'latest'")
        rules = (
            (self.commit_timeout_s < self.transaction_timeout_s, "commit_timeout_s < transaction_timeout_s"),
            (self.commit_timeout_s < self.rebalance_timeout_s, "commit_timeout_s < rebalance_timeout_s"),
            (self.stop_timeout_s < self.rebalance_timeout_s, "stop_timeout_s < rebalance_timeout_s"),
            (self.session_timeout_s <= self.request_timeout_s, "session_timeout_s <= request_timeout_s"),
            (self.heartbeat_s * 3 <= self.session_timeout_s, "heartbeat_s * 3 <= session_timeout_s"),
        )
        for holds, rule in rules:
            if not holds:
                raise ValueError(f"these settings do not go together: {rule} must hold")

    @property
    def table(self) -> str:
        """The name of the state's table."""
        return "rows"

    @property
    def changelog(self) -> str:
        """The changelog topic, by Faust's naming."""
        return f"{self.app}-{self.table}-changelog"

    @property
    def brokers(self) -> list[str]:
        """Host:port of each broker."""
        return [part.strip() for part in self.broker.split(",") if part.strip()]

    def transactional_id(self, partition: int) -> str:
        """The id that fences every earlier owner of this partition number."""
        return transactional_id(self.app, partition)


def transactional_id(app: str, partition: int) -> str:
    """Return the transactional id under which a partition of an application is written to."""
    return f"{app}-{partition}"


SETTABLE: Final[Mapping[str, int | float]] = {
    field.name: field.default
    for field in msgspec.structs.fields(WorkerSettings)
    if type(field.default) in (int, float)
}
"""What an operator can set: the numbers, by name, with their defaults."""


def read_setting(text: str) -> tuple[str, int | float]:
    """Read ``NAME=VALUE``.

    Raises:
        ValueError: there is no such setting, or the value is no number of its kind above 0.
    """
    name, _, value = text.partition("=")
    default = SETTABLE.get(name)
    if default is None:
        raise ValueError(f"there is no setting {name!r}: docs/guide/worker.md has all of them")
    try:
        number = type(default)(value)
    except ValueError:
        number = 0
    if number <= 0:
        kind = "a whole number" if type(default) is int else "a number"
        raise ValueError(f"{name} is {value!r}: it has to be {kind} above 0, such as {default}")
    return name, number


def documented_settings() -> dict[str, str]:
    """Return what the documentation of :class:`WorkerSettings` says of each attribute, on one line each."""
    entry = re.compile(r"^        ([a-z_]+(?:, [a-z_]+)*): ", re.MULTILINE)
    text = (WorkerSettings.__doc__ or "").partition("Attributes:\n")[2]
    parts = entry.split(text)[1:]
    told = {}
    for names, said in zip(parts[::2], parts[1::2], strict=True):
        line = " ".join(said.split()).replace("``", "`")
        told.update(dict.fromkeys(names.split(", "), line))
    return told
