"""All lanes of a worker: started and stopped with the partitions that the group assigns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError
from faust.types import TP

from processor.runtime.faust.lanes import Lane
from processor.runtime.faust.merge import Chunk
from processor.runtime.faust.standing import Counts, LaneState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from processor.runtime.faust.engine import EngineFactory
    from processor.runtime.faust.settings import WorkerSettings
    from processor.runtime.faust.table import Restoring, States

__all__ = ["Lanes"]

log = logging.getLogger(__name__)

_ASK_AGAIN_S: Final = 5.0


class _ConsumerSource:
    """The app's consumer, as a lane sees it. Made anew for each lane, the consumer is looked up when used."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def bounds(self, tps: list[TP]) -> Mapping[TP, tuple[int, int, int | None]]:
        found: Mapping[TP, tuple[int, int, int | None]] = await self._app.consumer.thread.bounds(tps)
        return found

    async def seek(self, offsets: Mapping[TP, int], epoch: int) -> bool:
        if not await self._app.consumer.thread.seek_lane(offsets, epoch):
            return False
        self._app.consumer.resume_partitions(set(offsets))
        return True

    def pause(self, tp: TP) -> None:
        self._app.consumer.pause_partitions({tp})

    def resume(self, tp: TP) -> None:
        self._app.consumer.resume_partitions({tp})

    async def rejoin(self) -> None:
        await self._app.consumer.thread.rejoin()


class Lanes:
    """The lanes of the partitions that are assigned."""

    def __init__(
        self,
        app: Any,
        settings: WorkerSettings,
        states: States,
        factory: EngineFactory,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._states = states
        self._factory = factory
        self._prepare = prepare
        self._lanes: dict[int, Lane] = {}
        self._left: dict[TP, int] = {}  # the positions of those that were stopped last
        self._counts: dict[int, Counts] = {}
        self._current: set[int] = set()  # partitions that were ours, and restored, until their lane stopped
        self._changing = asyncio.Lock()
        self._turns = asyncio.Semaphore(settings.transactions_at_once_max)
        self._asking: asyncio.Future[None] | None = None

    async def start(self, assigned: Iterable[TP]) -> None:
        """Own the partitions among `assigned`: their lanes start, databases of others are closed."""
        whole = self._whole(assigned)
        async with self._changing:
            await self._stop()
            for partition in self._states.opened():
                if partition not in whole:
                    self._states.close(partition, current=partition in self._current)
            for partition in whole:
                counts = self._counts.setdefault(partition, Counts())
                source = _ConsumerSource(self._app)
                lane = Lane(
                    self._settings, partition, self._factory, self._states, source, counts, self._prepare
                )
                self._lanes[partition] = lane
                lane.start(len(whole), self._turns)

    def _whole(self, assigned: Iterable[TP]) -> list[int]:
        """Return the partition numbers that are assigned of every source topic and of the changelog.

        Where one is not, some topic did not exist, or had fewer partitions, when the group last assigned. A
        member under a fixed name gets that assignment back when it restarts, whatever was created since, so
        the group is asked again until all is there.
        """
        topics: dict[int, set[str]] = {}
        wanted = {*self._settings.sources, self._settings.changelog}
        for tp in assigned:
            if tp.topic in wanted:
                topics.setdefault(tp.partition, set()).add(tp.topic)
        lacking = {topic for found in topics.values() for topic in wanted - found}
        if lacking:
            log.error(
                "no partitions of %s are assigned beside those of the other topics: each has to exist with "
                "%d partitions; asking the group again in %.0f s",
                ", ".join(sorted(lacking)),
                self._settings.partitions,
                _ASK_AGAIN_S,
            )
            asyncio.get_running_loop().call_later(_ASK_AGAIN_S, self._ask_again)
        return sorted(partition for partition, found in topics.items() if found == wanted)

    def _ask_again(self) -> None:
        if not self._app.should_stop:
            self._asking = asyncio.ensure_future(self._app.consumer.thread.rejoin())

    async def stop(self) -> None:
        """Stop every lane, each between two transactions. Databases stay open: most come back at once."""
        async with self._changing:
            await self._stop()

    async def close(self) -> None:
        """Stop every lane and close every database."""
        async with self._changing:
            await self._stop()
            for partition in self._states.opened():
                self._states.close(partition, current=partition in self._current)

    async def _stop(self) -> None:
        lanes = list(self._lanes.values())
        if lanes:
            running = {lane.partition for lane in lanes if lane.state is LaneState.RUNNING}
            owned, self._lanes = self._lanes, {}
            await asyncio.gather(*(lane.stop() for lane in lanes))
            self._left = _positions(owned)
            # A lane that was fenced, or had not come to run, says nothing of how old its state is.
            fenced = {lane.partition for lane in lanes if lane.state is LaneState.FENCED}
            self._current -= {lane.partition for lane in lanes}
            self._current |= running - fenced

    def offer(self, chunks: Iterable[Chunk]) -> None:
        """Hand chunks to their lanes; one of a partition not owned any more is the next owner's."""
        for chunk in chunks:
            lane = self._lanes.get(chunk.partition)
            if lane is not None:
                lane.offer(chunk)

    def fetch_failed(self, error: KafkaError) -> None:
        """Tell the lane whose position the broker does not have."""
        said = error.args[0] if error.args else None
        tps = list(said) if isinstance(said, dict) else [said]
        for tp in tps:
            lane = None if tp is None else self._lanes.get(tp.partition)
            if lane is None or tp is None:
                log.warning("an error of a partition that is not owned: %s", error)
                continue
            self._app.consumer.pause_partitions({TP(tp.topic, tp.partition)})
            lane.position_failed(tp.topic)

    def states(self) -> dict[int, tuple[LaneState, str]]:
        """Return for each partition owned where its lane is, and why it is not running."""
        return {number: (lane.state, lane.reason) for number, lane in sorted(self._lanes.items())}

    def lost(self) -> dict[int, str]:
        """Return for each partition whose position was lost why, one of `LOST_CODES`."""
        return {number: lane.lost_code for number, lane in sorted(self._lanes.items()) if lane.lost_code}

    def positions(self) -> dict[TP, int]:
        """Return the next offset of each source partition owned (or until just now), as committed."""
        return _positions(self._lanes) if self._lanes else self._left

    def counts(self) -> dict[int, Counts]:
        """Return for each partition ever owned what its lanes have counted."""
        return dict(sorted(self._counts.items()))

    def restoring(self) -> dict[int, Restoring]:
        """Return for each partition owned how far its restore has come."""
        found = self._states.restoring
        return {number: found[number] for number in sorted(self._lanes) if number in found}

    @property
    def ready(self) -> bool:
        """Whether there are partitions, and every one is being worked on."""
        lanes = self._lanes.values()
        return bool(lanes) and all(lane.state is LaneState.RUNNING for lane in lanes)


def _positions(lanes: Mapping[int, Lane]) -> dict[TP, int]:
    return {
        TP(topic, number): offset
        for number, lane in lanes.items()
        for topic, offset in lane.committed.items()
    }
