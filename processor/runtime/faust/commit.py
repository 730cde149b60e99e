"""One transaction for each piece of work, in five steps.

1. The engine has read the rows and advanced every record, in memory.
2. Begin a transaction on the partition's own producer.
3. Send commands, decisions, the clock record and the changelog's rows, which include the position: the state
   carries its own place in the input. Wait until the broker has all of them.
4. Commit the transaction.
5. Only then write the same rows, timers, position and the changelog's offset locally, in one batch.

So local state is never ahead of Kafka, and what a reader of the outputs sees (``read_committed``) is what the
changelog says. A crash between 4 and 5 leaves local state behind; the changelog's end brings it up to date.
Any error in 2 to 5, a time-out of which nobody knows the outcome included, is the lane's to settle: it
discards engine and producer, starts a producer anew (which completes or aborts what is open), restores and
seeks. Trying the same transaction again could send twice.
"""

from __future__ import annotations

import asyncio
from typing import Final

from processor.runtime.faust.engine import POSITION_KEY, Work
from processor.runtime.faust.producers import PartitionProducer
from processor.runtime.faust.settings import WorkerSettings

__all__ = ["STEPS", "Committer"]

STEPS: Final = ("advanced", "begun", "produced", "logged", "committed", "written")


class Committer:
    """Commits the works of one partition, one at a time. `changelog_offset` is where the restore ended."""

    def __init__(
        self, settings: WorkerSettings, partition: int, producer: PartitionProducer, changelog_offset: int
    ) -> None:
        self._settings = settings
        self._partition = partition
        self._producer = producer
        self._changelog_offset = changelog_offset

    async def commit(self, work: Work) -> None:
        """Commit one work; when it returns, Kafka and the local state both have it.

        Raises:
            FencedError: another owner has started.
            Exception: anything else; the outcome is not known.
        """
        changelog = list(work.changelog)
        assert any(key == POSITION_KEY for key, _ in changelog), "every transaction carries the position"
        self._done("advanced")
        async with asyncio.timeout(self._settings.commit_timeout_s):
            await self._producer.begin()
            self._done("begun")
            await self._producer.produce(work.produce)
            self._done("produced")
            offset = await self._producer.changelog(changelog)
            self._done("logged")
            await self._producer.commit()
        self._done("committed")
        if offset is not None:  # else a later restore reads some rows again, which changes nothing
            self._changelog_offset = offset
        work.write(self._changelog_offset)
        self._done("written")

    def _done(self, step: str) -> None:
        if self._settings.hook is not None:
            self._settings.hook(step, self._partition)
