"""Partitions that run at different speeds, each with a driver of its own, as workers have them.

A partition's events come in their order, and so do the messages of the log for it; which of the two comes
next, and which partition has its turn, is drawn. Whatever a worker could see can come about.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from processor.codec.murmur2 import partition_of
from processor.core.events import Event, Message
from processor.core.model import Topology
from processor.core.outputs import Command, Decision
from processor.core.rows import Row
from processor.runtime.driver import Driver
from processor.store.memory import MemoryStore

__all__ = ["Lagging"]

STEPS_MAX = 20_000


class Lagging:
    """Runs a log over partitions whose relative progress is drawn from ``seed``.

    ``seen`` is called after each step with (commands, decisions), before the next one.
    """

    def __init__(
        self,
        topology: Topology,
        partitions: int,
        seed: int,
        seen: Callable[[list[Command], list[Decision]], None] | None = None,
    ) -> None:
        self.topology = topology
        self.count = partitions
        self.stores = [MemoryStore(partitions) for _ in range(partitions)]
        self.drivers = [self._driver(number) for number in range(partitions)]
        self.events: list[deque[Event]] = [deque() for _ in range(partitions)]
        self.inbox: list[deque[Message]] = [deque() for _ in range(partitions)]
        self.commands: list[Command] = []
        self.decisions: list[Decision] = []
        self.sent = 0  # messages
        self._rng = random.Random(seed)
        self._seen = seen

    def _driver(self, number: int) -> Driver:
        return Driver(self.topology, self.stores[number], self.count, owned=(number,))

    def run(self, log: list[Event], until_ms: int) -> None:
        """The whole log, then the watermark to ``until_ms`` with all that follows."""
        for event in log:
            self.events[partition_of(event.contact_id, self.count)].append(event)
        # Some partitions are much slower than others.
        weights = [self._rng.choice([1, 1, 4, 40]) for _ in range(self.count)]
        steps = 0
        while True:
            ready = [n for n in range(self.count) if self.events[n] or self.inbox[n]]
            if not ready:
                break
            steps += 1
            assert steps < STEPS_MAX, "messages go round without end"
            self._step(self._rng.choices(ready, [weights[n] for n in ready])[0])
        for number, driver in enumerate(self.drivers):
            driver.move(until_ms)
            self._commit(number)
        while any(self.inbox):
            steps += 1
            assert steps < STEPS_MAX, "messages go round without end"
            self._step(self._rng.choice([n for n in range(self.count) if self.inbox[n]]))

    def _step(self, number: int) -> None:
        events, inbox, driver = self.events[number], self.inbox[number], self.drivers[number]
        if inbox and (not events or self._rng.random() < 0.5):
            driver.deliver(inbox.popleft(), driver.watermark_ms)
        else:
            event = events.popleft()
            driver.feed(event, max(driver.watermark_ms, event.occurred_ms))
        self._commit(number)
        if self._rng.random() < 0.1:  # a worker starts anew: all memory is gone
            self.drivers[number] = self._driver(number)

    def _commit(self, number: int) -> None:
        driver = self.drivers[number]
        taken = driver.take()
        assert not taken.failures, [failure.reason for failure in taken.failures]
        for to, message in taken.messages:
            self.sent += 1
            self.inbox[to].append(message)
        self.stores[number].commit(taken.changes, b"")
        driver.committed()
        self.commands += taken.commands
        self.decisions += taken.decisions
        if self._seen is not None:
            self._seen(taken.commands, taken.decisions)

    def row(self, contact: str) -> Row | None:
        """The contact's row as it is stored."""
        number = partition_of(contact, self.count)
        (data,) = self.stores[number].partition(number).get_many([contact])
        return None if data is None else Row.decode(data)

    def agrees(self, contact: str) -> bool:
        """Whether the contact agrees to marketing by email."""
        row = self.row(contact)
        if row is None:
            return False
        answer = row.consents.get("marketing/email") or row.consents.get("marketing")
        return answer is not None and answer.granted

    def root(self, contact: str) -> str:
        """The id that the contact has become in the end."""
        passed: list[str] = []
        while (row := self.row(contact)) is not None and row.alias:
            assert contact not in passed, f"aliases go round: {passed}"
            passed.append(contact)
            contact = row.alias
        return contact
