"""Inputs applied to rows: load, advance, keep, over N logical partitions. The driver says what comes when.

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
from processor.core.brakes import command_message
from processor.core.events import Due, Event, Message, Sweep
from processor.core.leases import advance_shared
from processor.core.machine import advance
from processor.core.outputs import Command, Decision
from processor.core.shared import Shared
from processor.core.sweeps import next_sweep_ms
from processor.core.timers import quarantine
from processor.runtime.erasures import Erasures
from processor.runtime.partition import Held, Partition
from processor.store.base import Changes

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.core.outputs import Output
    from processor.store.base import Store

__all__ = ["ROW_BYTES_MAX", "Applier", "Failure", "Taken"]

ROW_BYTES_MAX: Final = 1 << 20  # of one row; a broker takes no record of the changelog beyond 4 MiB


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


class Applier:
    """Partitions, and the inputs applied to them since the last commit. The driver has the arguments."""

    def __init__(
        self,
        topology: Topology,
        store: Store,
        partitions: int,
        owned: Sequence[int],
        cache_bytes: int,
        seal: Callable[[Sequence[Output]], None] | None,
        erasures: Erasures | None = None,
    ) -> None:
        self.topology = topology
        share = cache_bytes // partitions
        self.partitions = [
            Partition(n, store.partition(n), share, erasures, partitions=partitions) for n in owned
        ]
        self.acted = 0  # inputs of any kind that were applied, so that a shell sees whether there were any
        self.watermark_ms = max(p.shared.watermark_ms for p in self.partitions)
        self._count = partitions
        self._homes = {partition.number: partition for partition in self.partitions}
        self._outgoing: list[tuple[int, Message]] = []
        self._seal = seal
        self._queue: deque[tuple[Partition, Message]] = deque()
        self._commands: list[Command] = []
        self._decisions: list[Decision] = []
        self._failures: list[Failure] = []
        self._next_ms = 0  # nothing is due before it; 0 asks the partitions

    def _catch_up(self, partition: Partition, contact: str, until_ms: int) -> None:
        """All that is due for a contact, though others have waited longer."""
        held = partition.held(contact)
        while held is not None and 0 < held.due() <= until_ms:
            self._apply(partition, Due(contact, held.due()))

    def _apply(self, partition: Partition, item: Event | Due | Sweep | Message) -> None:
        """Advance one contact by one input; on an exception everything is as before, and it is recorded."""
        contact = item.contact_id
        self.acted += 1
        held = partition.held(contact)
        if held is None or held.data is None:
            if self._is_for_nobody(item):
                return
            if held is None:
                held = partition.rows[contact] = Held(None)
        row = held.decode(partition.shared.sweep_number)  # a row of another version stops the run
        was_erased_ms = 0
        if held.data is None and partition.has_ledger:
            was_erased_ms = row.erased_ms = partition.erased_ms(contact)
        shared = partition.shared
        # A sweep takes no contact beyond its own instant: the next sweep may come before its timers.
        until_ms = shared.sweeps[-1].due_ms if type(item) is Sweep else self.watermark_ms
        try:
            row, outputs, shared_changed = advance(self.topology, row, shared, item, until_ms)
            data = None if row.gone else row.encode()
            if data is not None and len(data) > ROW_BYTES_MAX:
                raise RowTooLargeError  # noqa: TRY301 - as whatever else the core cannot take
            if outputs and self._seal is not None:
                _sealed(self._seal, outputs)
        except Exception as error:  # noqa: BLE001 - whatever it is, one input must not stop the log
            self._undo(partition, held, item, error)
            return
        if row.gone and row.erased_ms != was_erased_ms:
            partition.note_erased(contact, row.erased_ms)
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

    def _is_for_nobody(self, item: Event | Due | Sweep | Message) -> bool:
        """Whether there is nothing to do without a row.

        An operator's event is about no contact: it goes its way, and no row is made for it.
        """
        if type(item) is not Event:
            return isinstance(item, Due | Sweep)
        message = command_message(item)
        if message is None:
            return False
        if self._seal is not None:
            try:
                _sealed(self._seal, [message])
            except UnwritableError as error:
                self._failures.append(Failure(item, _reason(error)))
                return True
        self._put(message)
        return True

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
                # The answer to a claim acts when it was given: what is due later has not come yet.
                wakes = message.kind in {"wake", "address_told"} and message.at_ms < self.watermark_ms
                self._catch_up(partition, message.contact_id, message.at_ms if wakes else self.watermark_ms)
                self._apply(partition, message)
                continue
            try:
                outputs = advance_shared(self.topology, partition.shared, message, self.watermark_ms)
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
        if partition.shared.sweeps:
            self._next_ms = 0  # there is a walk to make

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
        elif held.data is None and held.stored is None:
            del partition.rows[item.contact_id]

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
