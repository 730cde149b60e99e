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
from processor.core.shared import Shared
from processor.core.sweeps import close_sweeps, next_sweep_ms, open_sweep, schedule
from processor.core.timers import quarantine
from processor.core.turn import NEVER_MS
from processor.runtime.partition import CACHE_BYTES, SLICE, Held, Partition
from processor.store.base import Changes

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.core.outputs import Output
    from processor.store.base import Store

__all__ = ["ROWS_HELD_MAX", "ROW_BYTES_MAX", "Driver", "Failure", "Taken"]

ROW_BYTES_MAX: Final = 1 << 20  # of one row; a broker takes no record of the changelog beyond 4 MiB
ROWS_HELD_MAX: Final = 20_000  # rows held in memory before the shell is asked to commit
AN_INPUT: Final = 4  # timers, and contacts of a sweep, that may act before a record: see `Driver.feed`
BEHIND_MS_MAX: Final = 60_000  # timers that have been due for longer act first, however many they are


class UnwritableError(Exception):
    """The outputs of an input cannot be written; it is not applied. Says the type of the error."""


class RowTooLargeError(Exception):
    """An input would make a row larger than ROW_BYTES_MAX: it is not applied."""


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
    messages: list[tuple[int, Message]]  # for partitions that are not ours, each with its number


class Driver:
    """Drives the core over a log. A shell feeds it records and commits what it takes from it.

    Args:
        topology: compiled.
        store: holds the partitions.
        partitions: how many there are, of which contacts are hashed to one.
        owned: the numbers of those that are driven here, all by default. What is for another goes out with
            :meth:`take`, for the shell to put into the log.
        checkpoint: called to commit, between two inputs, when ``rows_held_max`` rows are held.
        rows_held_max: None: no bound.
        seal: called with the outputs of each input, in their order, before anything of it is kept. Where it
            raises (one cannot be written, or is too large) the input fails like any that the core cannot
            take: its row and the shared row are as before.
        cache_bytes: what committed rows may take in memory, if all partitions were driven here.
    """

    def __init__(  # noqa: PLR0913 - a shell names them all
        self,
        topology: Topology,
        store: Store,
        partitions: int,
        *,
        owned: Sequence[int] | None = None,
        checkpoint: Callable[[], None] | None = None,
        rows_held_max: int | None = None,
        cache_bytes: int = CACHE_BYTES,
        seal: Callable[[Sequence[Output]], None] | None = None,
    ) -> None:
        numbers = range(partitions) if owned is None else owned
        self.topology = topology
        self.partitions = [Partition(n, store.partition(n), cache_bytes // partitions) for n in numbers]
        self.popped: tuple[int, str] = (0, "")  # the timer taken out of the index last: due in ms, contact
        self.acted = 0  # inputs of any kind that were applied, so that a shell sees whether there were any
        self._count = partitions
        self._homes = {partition.number: partition for partition in self.partitions}
        self._outgoing: list[tuple[int, Message]] = []
        self._checkpoint = checkpoint
        self._seal = seal
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
        return self._homes[partition_of(contact, self._count)]

    def prefetch(self, contacts: Sequence[str]) -> None:
        """Read the rows of coming events in one go per partition. Only speed depends on it."""
        by_partition: dict[int, list[str]] = {}
        for contact in contacts:
            by_partition.setdefault(partition_of(contact, self._count), []).append(contact)
        for number, names in by_partition.items():
            self._homes[number].load(names)

    def feed(self, event: Event, watermark_ms: int) -> None:
        """One record of the log: move the watermark, let what it passed act, apply the record.

        When a million contacts wait for one instant, the records behind it do not: before each of them
        AN_INPUT timers act, and whatever has been due for more than BEHIND_MS_MAX. The rest follows before
        the next records, or as soon as the log has ended. All that is due for a contact acts before anything
        else is done to it, so the order in which contacts have their turn decides nothing for any of them.
        """
        self._pass(watermark_ms)
        self.take_in(event)

    def deliver(self, message: Message, watermark_ms: int) -> None:
        """One internal record of the log, as :meth:`feed` for an event."""
        self._pass(watermark_ms)
        self.take_in_message(message)

    def take_in(self, event: Event) -> None:
        """The record alone, for a shell that has called :meth:`pass_some` itself."""
        partition = self.partition_for(event.contact_id)
        self._catch_up(partition, event.contact_id)
        self._apply(partition, event)
        if self._queue:
            self._deliver()

    def take_in_message(self, message: Message) -> None:
        """As :meth:`take_in`, for an internal record."""
        self._queue.append((self._homes[self.number_of(message)], message))
        self._deliver()

    def _pass(self, watermark_ms: int) -> None:
        while not self.pass_some(watermark_ms):
            self._ask_checkpoint()

    def pass_some(self, watermark_ms: int) -> bool:
        """What comes before a record: a part of what is due, as :meth:`feed` says.

        Returns False when there is more of it: commit, then call it again before the record is fed.
        """
        if watermark_ms <= self.watermark_ms and self.watermark_ms < self._next_ms:
            return True
        return self._advance(watermark_ms, a_part=True)

    def move(self, watermark_ms: int) -> None:
        """Move the watermark of all partitions; timers and schedules that it passes act now."""
        while not self.move_some(watermark_ms):
            self._ask_checkpoint()

    def move_some(self, watermark_ms: int) -> bool:
        """As :meth:`move`, as far as the bound on rows allows.

        Returns False when there is more to do: commit, and call it again, or feed a record that has come.
        """
        return self._advance(watermark_ms, a_part=False)

    def _advance(self, watermark_ms: int, *, a_part: bool) -> bool:
        self.watermark_ms = watermark_ms
        if not self._scheduled:
            self._schedule(watermark_ms)
        if watermark_ms < self._next_ms:
            return True
        upto_ms = watermark_ms - BEHIND_MS_MAX if a_part else watermark_ms
        for partition in self.partitions:
            # What has to act comes first, since it may be cut short and asked for again.
            acts = partition.shared.sweeps or partition.next_ms() <= watermark_ms
            if acts and not self._act(partition, watermark_ms, upto_ms, walks=not a_part):
                self._next_ms = 0
                return False
        self._next_ms = NEVER_MS  # lowered by whatever sets a timer, in whichever partition
        for partition in self.partitions:
            if a_part and (partition.shared.sweeps or partition.next_ms() <= watermark_ms):
                self._act_in_part(partition, watermark_ms)
            next_ms = 0 if partition.shared.sweeps else partition.next_ms()
            self._next_ms = min(self._next_ms, next_ms)
        return True

    def _schedule(self, watermark_ms: int) -> None:
        """The first watermark sets the schedules going."""
        self._scheduled = True
        for partition in self.partitions:
            if schedule(self.topology, partition.shared, watermark_ms):
                self._keep_shared(partition)

    def _act(self, partition: Partition, watermark_ms: int, upto_ms: int, *, walks: bool) -> bool:
        """Timers due up to ``upto_ms``, and sweeps, of one partition, in order of their instants.

        A sweep opens though timers may be left, and then those due before it act first: it is to find its
        contacts as they were at its instant. Returns False when there is more to do.
        """
        if walks and partition.shared.sweeps and not self._walk(partition):  # one that was cut short goes on
            return False
        while True:
            sweep_ms = partition.sweep_ms
            timer = partition.next_timer(sweep_ms if sweep_ms <= watermark_ms else upto_ms)
            if timer is not None:
                if self._fire(partition, timer) and self._is_full(partition):
                    return False
            elif sweep_ms <= watermark_ms:
                open_sweep(self.topology, partition.shared)
                self._keep_shared(partition)
                if walks and not self._walk(partition):
                    return False
            else:
                return True

    def _act_in_part(self, partition: Partition, watermark_ms: int) -> None:
        """A few of the contacts that a sweep has to reach, and a few timers."""
        shared = partition.shared
        if shared.sweeps:
            self._visit(partition, partition.contacts_after(shared.cursor, AN_INPUT)[:AN_INPUT])
        left = AN_INPUT
        while left:
            timer = partition.next_timer(watermark_ms)
            if timer is None:
                return
            if self._fire(partition, timer):
                left -= 1

    def _fire(self, partition: Partition, timer: tuple[int, str]) -> bool:
        """Let a contact's timer act. False for a hint that its row does not support."""
        due_ms, contact = timer
        held = partition.held(contact)
        if held is None or held.due() != due_ms:
            return False
        self.popped = timer
        self._apply(partition, Due(contact, due_ms))
        self._deliver()
        return True

    def _walk(self, partition: Partition) -> bool:
        """Walk the partition's contacts, in slices, giving each the sweeps it has not had.

        A row that something touches before the walk comes to it gets them first.
        """
        while partition.shared.sweeps:
            self._visit(partition, partition.contacts_after(partition.shared.cursor, SLICE))
            if partition.shared.sweeps and self._is_full(partition):
                return False
        return True

    def _visit(self, partition: Partition, contacts: list[str]) -> None:
        """The next contacts of a walk; none: it has come to its end."""
        partition.load(contacts)
        for contact in contacts:
            self._apply(partition, Sweep(contact))
            self._deliver()
        if contacts:
            partition.shared.cursor = contacts[-1]
        else:
            close_sweeps(partition.shared)
        self._keep_shared(partition)

    # --- applying

    def _catch_up(self, partition: Partition, contact: str) -> None:
        """All that is due for a contact, though others have waited longer."""
        held = partition.held(contact)
        while held is not None and 0 < held.due() <= self.watermark_ms:
            self._apply(partition, Due(contact, held.due()))

    def _apply(self, partition: Partition, item: Event | Due | Sweep | Message) -> None:
        """Advance one contact by one input; on an exception everything is as before, and it is recorded."""
        contact = item.contact_id
        self.acted += 1
        held = partition.held(contact)
        if held is None:
            if isinstance(item, Due | Sweep):
                return
            held = partition.rows[contact] = Held(None)
        row = held.decode(partition.shared.sweep_number)  # a row of another version stops the run
        shared = partition.shared
        # A sweep takes no contact beyond its own instant: the next sweep may come before its timers.
        until_ms = shared.sweeps[-1].due_ms if type(item) is Sweep else self.watermark_ms
        try:
            row, outputs, shared_changed = advance(self.topology, row, shared, item, until_ms)
            data = row.encode()
            if len(data) > ROW_BYTES_MAX:
                raise RowTooLargeError  # noqa: TRY301 - as whatever else the core cannot take
            if outputs and self._seal is not None:
                _sealed(self._seal, outputs)
        except Exception as error:  # noqa: BLE001 - whatever it is, one input must not stop the log
            self._undo(partition, held, item, error)
            return
        before_ms, due_ms = held.due_ms, row.due_ms
        held.data = data
        held.due_ms = due_ms
        if shared_changed:
            self._keep_shared(partition)
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
            number = self.number_of(output)
            home = self._homes.get(number)
            if home is not None:
                self._queue.append((home, output))
            else:
                self._outgoing.append((number, output))

    def number_of(self, message: Message) -> int:
        """Return the partition that a message is for."""
        if message.partition >= 0:
            return message.partition
        return partition_of(message.home or message.contact_id, self._count)

    def _deliver(self) -> None:
        """Deliver internal messages, and those that follow from them, in order."""
        queue = self._queue
        while queue:
            partition, message = queue.popleft()
            if message.contact_id:
                self._catch_up(partition, message.contact_id)
                self._apply(partition, message)
                continue
            try:
                outputs = advance_shared(partition.shared, message)
                if self._seal is not None:
                    _sealed(self._seal, outputs)
            except Exception as error:  # noqa: BLE001 - as above
                partition.shared = Shared.decode(partition.shared_data)
                self._failures.append(Failure(message, _reason(error)))
                continue
            self._keep_shared(partition)
            for output in outputs:
                self._put(output)

    def _keep_shared(self, partition: Partition) -> None:
        self.acted += 1
        partition.shared_data = partition.shared.encode()
        partition.shared_changed = True
        partition.sweep_ms = next_sweep_ms(partition.shared)

    def _undo(self, partition: Partition, held: Held, item: Any, error: Exception) -> None:
        reason = _reason(error)
        self._failures.append(Failure(item, reason))
        partition.shared = Shared.decode(partition.shared_data)
        if isinstance(item, Due | Sweep):
            at_ms = item.at_ms if isinstance(item, Due) else self.watermark_ms
            row = held.decode(partition.shared.sweep_number)
            row.swept = partition.shared.sweep_number
            decisions = quarantine(row, item.contact_id, at_ms, reason)
            if not decisions:  # a sweep raised, and no timer was due
                decisions = [Decision("quarantined", item.contact_id, at_ms, reason=reason)]
            held.data = row.encode()
            held.due_ms = row.due_ms
            if row.due_ms:
                heapq.heappush(partition.heap, (row.due_ms, item.contact_id))
                self._next_ms = min(self._next_ms, row.due_ms)
            if self._seal is not None:
                self._seal(decisions)
            self._decisions += decisions
        elif held.data is None:
            del partition.rows[item.contact_id]

    # --- committing

    def _is_full(self, partition: Partition) -> bool:
        """Whether too many rows are held, judged by one partition: contacts spread evenly."""
        bound = self._rows_held_max
        return bound is not None and len(partition.rows) * len(self.partitions) >= bound

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
        taken = Taken(self._commands, self._decisions, self._failures, changes, self._outgoing)
        self._commands, self._decisions, self._failures, self._outgoing = [], [], [], []
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


def _sealed(seal: Callable[[Sequence[Output]], None], outputs: Sequence[Output]) -> None:
    """Seal; whichever shell's code raises, for the record it is the same error."""
    try:
        seal(outputs)
    except Exception as error:
        raise UnwritableError(type(error).__name__) from error


def _reason(error: Exception) -> str:
    """What went wrong, without any value that could be personal."""
    if isinstance(error, UnwritableError):
        return f"{error} of an output"
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" at {frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame is not None else ""
    return f"{type(error).__name__}{where}"
