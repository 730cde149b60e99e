"""Recovery that lets each partition start on its own.

Faults of Faust 0.15.3's ``Recovery`` that this goes around, by not reading changelogs at all:

- All partitions are one recovery: none works before the last one is restored.
- It counts records, not transaction markers, so a changelog written in transactions never seems to be
  restored.
- An event of a partition that is neither active nor standby is applied to the table of the event before.
- Waiting for the changelog's end takes up to five seconds after it was reached.
- ``TableManager.on_start`` sleeps for a second.

What is left of a recovery here is what the rest of Faust waits for: the signals, the flow, the fetcher. The
partitions themselves start in ``start``: they fence, restore, seek and resume one by one, and nothing is
fetched for one before it asks. No standbys: a standby's database would be written by a second owner.
"""

from __future__ import annotations

from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from mode import Service

__all__ = ["PartitionRecovery", "PartitionTables"]


class PartitionRecovery(Recovery):
    """See the module; ``app.lanes`` starts the partitions."""

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]
                return
            self.signal_recovery_start.clear()
            try:
                await self._wait(self._hand_over(self._generation_id))
            except RebalanceAgain:
                continue
            except ServiceStopped:
                return

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Nothing: no changelog comes through the conductor."""

    @Service.task
    async def _publish_stats(self) -> None:
        """Nothing: the restoring partitions tell how far they are."""

    async def _hand_over(self, generation_id: int) -> None:
        app: Any = self.app
        await app.on_rebalance_complete.send()
        if app.consumer_generation_id != generation_id:
            return  # assigned again in the meantime: the next signal is on its way
        self._set_recovery_ended()
        await app.lanes.start(app.consumer.assignment())
        self.completed.set()
        app.flow_control.resume()
        app.consumer.resume_flow()
        await app._fetcher.maybe_start()  # noqa: SLF001
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()


class PartitionTables(TableManager):
    """The table manager with that recovery."""

    @property
    def recovery(self) -> Recovery:
        """Made once."""
        if self._recovery is None:
            self._recovery = PartitionRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Register the tables and start the recovery, without sleeping first."""
        await self._update_channels()
        await self.recovery.start()
