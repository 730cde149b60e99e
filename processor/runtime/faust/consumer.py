"""Transport and consumer: one message for each fetch, with its chunks, through the conductor to an agent.

The consumer moves chunks and nothing else. What was read stands in each transaction, so Faust's bookkeeping
of acks, gaps and offsets is not used; faults of Faust 0.15.3 that go with it:

- ``_add_gap`` counts the message in flight as read, so an offset can be committed that was not processed.
- On revocation offsets are dropped before the commit that should have sent them.
- Committed offsets can be stale after a crash (aiokafka has no ``require_stable`` OffsetFetch): the position
  in the state is the truth, and nothing seeks to what the group says.
- ``_drain_messages`` starts four tasks for each message, drops those below an offset that it remembers from
  before a seek, and after a fetch while the flow is stopped seeks everything to the group's offsets.
- With no partition to fetch for it sleeps for a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import ServiceT

from processor.runtime.faust.fetching import ChunkThread
from processor.runtime.faust.merge import Chunk

__all__ = ["ChunkConsumer", "ChunkTransport"]

_POLL_S: Final = 0.1  # how long a partition that is resumed, or the news of a log's end, may have to wait


class ChunkConsumer(driver.Consumer):
    """Faust's consumer, delivering chunks."""

    app: Any  # a WorkerApp, which imports this
    _thread: ChunkThread

    def _new_consumer_thread(self) -> ChunkThread:
        return ChunkThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> ChunkThread:
        """Where the Kafka client lives."""
        return self._thread

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Pass chunks on until stopped. A chunk that a rebalance cuts off is lost, and fetched again."""
        while not (self.should_stop or fetcher.should_stop):
            active = set(self._get_active_partitions()) if self.flow_active else set()
            if not active:
                # Every lane is starting, or waits for a registry: that is no reason to lose the membership.
                await self._thread.touch()
                await asyncio.sleep(_POLL_S)
                continue
            try:
                found = await self._thread.fetch(active, _POLL_S)
            except self.consumer_stopped_errors:
                if self.app.should_stop:
                    return
                raise
            chunks = [item for item in found if isinstance(item, Chunk)]
            for item in found:
                if not isinstance(item, Chunk):
                    self.app.lanes.fetch_failed(item)
            if chunks and not self.suspend_flow.is_set():
                await self.wait_first(self.callback(self._message(chunks)), self.suspend_flow.wait())

    def _message(self, chunks: Sequence[Chunk]) -> ConsumerMessage:
        """One message for all that was fetched: on its way it counts as a message of the first's topic."""
        value: Any = chunks  # not bytes: the topic's codec leaves it alone
        chunk = chunks[0]
        tp = TP(chunk.topic, chunk.partition)
        return ConsumerMessage(
            chunk.topic,
            chunk.partition,
            max(chunk.end - 1, 0),
            0.0,
            0,
            [],
            None,
            value,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop every lane between two transactions, then let Faust do its part.

        Not only those of `revoked`: with eager rebalancing that is all of them, and the lanes of partitions
        that stay start anew, which costs little when nothing was missed.
        """
        await self.app.lanes.stop()
        await super().on_partitions_revoked(revoked)

    def _set_active_tps(self, tps: set[TP]) -> set[TP]:
        """Nothing is fetched for a partition before its lane has sought it and resumes it."""
        return super()._set_active_tps(set())

    async def perform_seek(self) -> None:
        """Nothing: lanes seek."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002 - Faust's
        """Nothing: offsets are part of each transaction."""
        return True

    async def wait_empty(self) -> None:
        """Wait until no transaction is under way."""
        await self.app.lanes.stop()

    def track_message(self, message: Any) -> None:
        """Nothing: no acks are waited for."""

    async def verify_all_partitions_active(self) -> None:
        """Nothing: the lanes watch themselves."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Leave what is fetched of these partitions in the client, which then fetches no more of them."""
        super().pause_partitions(tps)


class ChunkTransport(driver.Transport):
    """Faust's transport over aiokafka, with that consumer."""

    Consumer = ChunkConsumer
