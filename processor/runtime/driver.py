"""The driver: it alone owns the order of load → advance → keep, over N logical partitions.

For every record of the log: the watermark moves, timers it passed act (in order of their instants, a few
before each record: see docs/adr/0008), schedules that are due sweep, all that is due for the record's contact
acts, then the record is applied; internal messages that follow are delivered first in, first out, before
the next record. How the log was cut into chunks cannot matter, because nothing here knows of chunks: a shell
calls :meth:`Driver.take` whenever it wants to commit, and the driver calls the shell's ``checkpoint`` when it
holds as many rows as it should.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from processor.codec.murmur2 import partition_of
from processor.core.events import Due, Event, Message, Sweep
from processor.core.sweeps import close_sweeps, open_sweep, schedule
from processor.core.turn import NEVER_MS
from processor.runtime.applying import ROW_BYTES_MAX, Applier, Failure, Taken
from processor.runtime.erasures import Erasures
from processor.runtime.partition import CACHE_BYTES, SLICE, Partition

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.core.outputs import Output
    from processor.store.base import Store

__all__ = ["ROWS_HELD_MAX", "ROW_BYTES_MAX", "Driver", "Failure", "Taken"]

ROWS_HELD_MAX: Final = 20_000  # rows held in memory before the shell is asked to commit
AN_INPUT: Final = 4  # timers, and contacts of a sweep, that may act before a record: see `Driver.feed`
BEHIND_MS_MAX: Final = 60_000  # timers that have been due for longer act first, however many they are


class Driver(Applier):
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
        erasures: the key of the ledger of erasures, and what is known of them from elsewhere.
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
        erasures: Erasures | None = None,
    ) -> None:
        numbers = range(partitions) if owned is None else owned
        super().__init__(topology, store, partitions, numbers, cache_bytes, seal, erasures)
        self.popped: tuple[int, str] = (0, "")  # the timer taken out of the index last: due in ms, contact
        self._checkpoint = checkpoint
        self._rows_held_max = rows_held_max
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
        self._bring_up(partition, event.contact_id)
        self._apply(partition, event)
        if self._queue:
            self._deliver()

    def _bring_up(self, partition: Partition, contact: str) -> None:
        """All that is due for a contact, instant by instant: what one asks for is answered first."""
        sweeps = partition.shared.sweeps
        if sweeps and self.topology.policies.claims:
            self._apply(partition, Due(contact, sweeps[-1].due_ms))
            self._deliver()
        held = partition.held(contact)
        while held is not None and 0 < held.due() <= self.watermark_ms:
            self._apply(partition, Due(contact, held.due()))
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
        if 0 < held.due() <= due_ms:  # it stopped to wait for an answer
            heapq.heappush(partition.heap, (held.due(), contact))
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

    def _is_full(self, partition: Partition) -> bool:
        """Whether too many rows are held, judged by one partition: contacts spread evenly."""
        bound = self._rows_held_max
        return bound is not None and len(partition.rows) * len(self.partitions) >= bound

    def _ask_checkpoint(self) -> None:
        """Between two inputs, with no message under way, the shell may commit."""
        if self._checkpoint is not None:
            self._checkpoint()

    def waiting(self) -> tuple[int, int]:
        """How many contacts wait for a timer after a commit, and the earliest instant (NEVER_MS: none)."""
        count = 0
        for partition in self.partitions:
            after: tuple[int, str] | None = None
            while entries := partition.store.due(NEVER_MS, after, SLICE):
                count += len(entries)
                after = entries[-1]
        return count, min(partition.store_next_ms for partition in self.partitions)
