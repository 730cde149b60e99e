"""The driver: it alone owns the order of load → advance → keep, over N logical partitions.

For every record of the log: the watermark moves, the timers it passed fire (of all contacts, in order of
their instants), schedules that are due sweep, then the record is applied; internal messages that follow are
delivered first in, first out, before the next record. How the log was cut into chunks cannot matter, because
nothing here knows of chunks: a shell calls :meth:`Driver.take` whenever it wants to commit, and the driver
calls the shell's ``checkpoint`` when it holds as many rows as it should.

An exception in the core does not loop and does not spread: the row and the shared row go back to what they
were, and the input becomes a :class:`Failure`; a failing timer is put in quarantine in its row.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from processor.codec.murmur2 import partition_of
from processor.core.events import Due, Event, Message, Sweep
from processor.core.leases import advance_shared
from processor.core.machine import advance
from processor.core.outputs import Command, Decision
from processor.core.rows import Row
from processor.core.shared import Shared
from processor.core.sweeps import close_sweeps, next_sweep_ms, open_sweep, schedule
from processor.core.timers import quarantine
from processor.core.turn import NEVER_MS
from processor.runtime.partition import SLICE, Held, Partition
from processor.store.base import Changes

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.core.outputs import Output
    from processor.store.base import Store

__all__ = ["ROWS_HELD_MAX", "Driver", "Failure", "Taken"]

ROWS_HELD_MAX: Final = 20_000  # rows held in memory before the shell is asked to commit


@dataclass(frozen=True)
class Failure:
    """An input that the core could not take. ``reason`` names the exception and holds nothing personal."""

    item: Event | Due | Sweep | Message
    reason: str


@dataclass
class Taken:
    """What has come about since the last :meth:`Driver.take`, for one commit."""

    commands: list[Command]
    decisions: list[Decision]
    failures: list[Failure]
    changes: dict[int, Changes]


class Driver:
    """Drives the core over a log. A shell feeds it records and commits what it takes from it."""

    def __init__(
        self,
        topology: Topology,
        store: Store,
        partitions: int,
        *,
        checkpoint: Callable[[], None] | None = None,
        rows_held_max: int = ROWS_HELD_MAX,
    ) -> None:
        self.topology = topology
        self.partitions = [Partition(n, store.partition(n)) for n in range(partitions)]
        self._checkpoint = checkpoint
        self._rows_held_max = rows_held_max
        self._queue: deque[tuple[Partition, Message]] = deque()
        self._commands: list[Command] = []
        self._decisions: list[Decision] = []
        self._failures: list[Failure] = []
        self.watermark_ms = max(p.shared.watermark_ms for p in self.partitions)
        self._next_ms = 0  # nothing is due before it; 0 asks the partitions
        self._scheduled = False

    # --- feeding

    def partition_for(self, contact: str) -> Partition:
        """Where a contact lives, as Kafka's own partitioner says."""
        return self.partitions[partition_of(contact, len(self.partitions))]

    def prefetch(self, contacts: Sequence[str]) -> None:
        """Read the rows of coming events in one go per partition. Only speed depends on it."""
        by_partition: dict[int, list[str]] = {}
        for contact in contacts:
            by_partition.setdefault(partition_of(contact, len(self.partitions)), []).append(contact)
        for number, names in by_partition.items():
            self.partitions[number].load(names)

    def feed(self, event: Event, watermark_ms: int) -> None:
        """One record of the log: move the watermark, fire what it passed, apply the record."""
        if watermark_ms > self.watermark_ms:
            self.move(watermark_ms)
        self._apply(self.partition_for(event.contact_id), event)
        if self._queue:
            self._deliver()

    def move(self, watermark_ms: int) -> None:
        """Move the watermark of all partitions; timers and schedules that it passes act now."""
        self.watermark_ms = watermark_ms
        if not self._scheduled:
            self._schedule(watermark_ms)
        if watermark_ms < self._next_ms:
            return
        self._next_ms = NEVER_MS  # lowered by whatever sets a timer, in whichever partition
        for partition in self.partitions:
            next_ms = partition.next_ms()
            if next_ms <= watermark_ms:
                self._act(partition, watermark_ms)
                next_ms = partition.next_ms()
            self._next_ms = min(self._next_ms, next_ms)

    def _schedule(self, watermark_ms: int) -> None:
        """The first watermark sets the schedules going; a walk that a stop cut short goes on."""
        self._scheduled = True
        for partition in self.partitions:
            if schedule(self.topology, partition.shared, watermark_ms):
                self._keep_shared(partition)
            if partition.shared.sweeps:
                self._walk(partition)

    def _act(self, partition: Partition, watermark_ms: int) -> None:
        """Timers and sweeps of one partition, in order of their instants."""
        while True:
            sweep_ms = partition.sweep_ms
            bound = min(watermark_ms, sweep_ms)
            timer = partition.next_timer(bound)
            if timer is not None:
                due_ms, contact = timer
                held = partition.held(contact)
                if held is not None and held.row.due_ms == due_ms:
                    self._apply(partition, Due(contact, due_ms))
                    self._deliver()
                    self._breathe(partition)
            elif sweep_ms <= watermark_ms:
                open_sweep(self.topology, partition.shared)
                self._keep_shared(partition)
                self._walk(partition)
            else:
                return

    def _walk(self, partition: Partition) -> None:
        """Walk the partition's contacts, in slices, giving each the sweeps it has not had."""
        shared = partition.shared
        while True:
            contacts = partition.contacts_after(shared.cursor, SLICE)
            partition.load(contacts)
            for contact in contacts:
                self._apply(partition, Sweep(contact))
                self._deliver()
            shared = partition.shared
            if not contacts:
                close_sweeps(shared)
                self._keep_shared(partition)
                return
            shared.cursor = contacts[-1]
            self._keep_shared(partition)
            self._breathe(partition)

    # --- applying

    def _apply(self, partition: Partition, item: Event | Due | Sweep | Message) -> None:
        """Advance one contact by one input; on an exception everything is as before, and it is recorded."""
        contact = item.contact_id
        held = partition.held(contact)
        if held is None:
            if isinstance(item, Due | Sweep):
                return
            held = partition.rows[contact] = Held(Row.new(partition.shared.sweep_number), None, 0)
        before_ms = held.row.due_ms
        try:
            row, outputs, shared_changed = advance(
                self.topology, held.row, partition.shared, item, self.watermark_ms
            )
            data = row.encode()
        except Exception as error:  # noqa: BLE001 - whatever it is, one input must not stop the log
            self._undo(partition, held, item, error)
            return
        held.row = row
        held.data = data
        if shared_changed:
            self._keep_shared(partition)
        due_ms = row.due_ms
        if due_ms and due_ms != before_ms:
            heapq.heappush(partition.heap, (due_ms, contact))
            self._next_ms = min(self._next_ms, due_ms)
        for output in outputs:
            self._put(output)

    def _put(self, output: Output) -> None:
        if type(output) is Decision:
            self._decisions.append(output)
        elif type(output) is Command:
            self._commands.append(output)
        elif type(output) is Message:
            self._queue.append((self._partition_of(output), output))

    def _partition_of(self, message: Message) -> Partition:
        if message.partition >= 0:
            return self.partitions[message.partition]
        return self.partition_for(message.home or message.contact_id)

    def _deliver(self) -> None:
        """Deliver internal messages, and those that follow from them, in order."""
        queue = self._queue
        while queue:
            partition, message = queue.popleft()
            if message.contact_id:
                self._apply(partition, message)
                continue
            try:
                outputs = advance_shared(partition.shared, message)
            except Exception as error:  # noqa: BLE001 - as above
                partition.shared = Shared.decode(partition.shared_data)
                self._failures.append(Failure(message, _reason(error)))
                continue
            self._keep_shared(partition)
            for output in outputs:
                self._put(output)

    def _keep_shared(self, partition: Partition) -> None:
        partition.shared_data = partition.shared.encode()
        partition.shared_changed = True
        partition.sweep_ms = next_sweep_ms(partition.shared)

    def _undo(self, partition: Partition, held: Held, item: Any, error: Exception) -> None:
        reason = _reason(error)
        self._failures.append(Failure(item, reason))
        partition.shared = Shared.decode(partition.shared_data)
        held.row = Row.decode(held.data) if held.data is not None else Row.new(partition.shared.sweep_number)
        if isinstance(item, Due | Sweep):
            at_ms = item.at_ms if isinstance(item, Due) else self.watermark_ms
            held.row.swept = partition.shared.sweep_number
            quarantine(held.row, at_ms)
            held.data = held.row.encode()
            if held.row.due_ms:
                heapq.heappush(partition.heap, (held.row.due_ms, item.contact_id))
                self._next_ms = min(self._next_ms, held.row.due_ms)
            self._decisions.append(Decision("quarantined", item.contact_id, at_ms, reason=reason))
        elif held.data is None:
            del partition.rows[item.contact_id]

    # --- committing

    def _breathe(self, partition: Partition) -> None:
        """Ask for a commit when too many rows are held, judged by one partition: contacts spread evenly."""
        if len(partition.rows) * len(self.partitions) >= self._rows_held_max:
            self._ask_checkpoint()

    def _ask_checkpoint(self) -> None:
        """Between two inputs, with no message under way, the shell may commit."""
        if self._checkpoint is not None:
            self._checkpoint()

    def take(self) -> Taken:
        """Everything that has come about since the last call.

        The shell commits it, then calls :meth:`committed`.
        """
        assert not self._queue, "messages are delivered before a commit"
        changes: dict[int, Changes] = {}
        for partition in self.partitions:
            if partition.shared.watermark_ms != self.watermark_ms:
                partition.shared.watermark_ms = self.watermark_ms
                self._keep_shared(partition)
            changes[partition.number] = partition.changes()
        taken = Taken(self._commands, self._decisions, self._failures, changes)
        self._commands, self._decisions, self._failures = [], [], []
        return taken

    def committed(self) -> None:
        """What was taken is in the store."""
        for partition in self.partitions:
            partition.committed()
        self._next_ms = 0

    @property
    def failed(self) -> int:
        """Failures since the last take: a shell that refuses records itself keeps the order of both by it."""
        return len(self._failures)

    def waiting(self) -> tuple[int, int]:
        """How many contacts wait for a timer after a commit, and the earliest instant (NEVER_MS: none)."""
        count = 0
        for partition in self.partitions:
            after: tuple[int, str] | None = None
            while entries := partition.store.due(NEVER_MS, after, SLICE):
                count += len(entries)
                after = entries[-1]
        return count, min(partition.store_next_ms for partition in self.partitions)


def _reason(error: Exception) -> str:
    """What went wrong, without any value that could be personal."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" at {frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame is not None else ""
    return f"{type(error).__name__}{where}"
