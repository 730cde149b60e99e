"""Workers over the log in memory: all of the worker's own code but Faust and the wire, and real RocksDB.

Real are the lanes and their owner, the consumer thread's chunks and seeks, the times of fetches, the merge,
the producers, the commit, the restore, the databases; the engine is that of the tests on a broker, and so is
the verifier. Modelled are what aiokafka's clients answer (``clients``) and which partitions a worker has.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import random
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from processor.runtime.faust import WorkerSettings
from processor.runtime.faust.fetching import ChunkThread
from processor.runtime.faust.fixes.fetch_times import FetchTimes
from processor.runtime.faust.merge import Chunk
from processor.runtime.faust.owner import Lanes
from processor.runtime.faust.standing import LaneState
from processor.runtime.faust.table import States
from processor.store import open_rocks
from tests.system.counting import TYPES, CountingEngine, encode_event, fault_hook
from tests.system.model.clients import Consumer, Fetcher, Killed, Producer, Wire
from tests.system.model.log import Cluster
from tests.system.verdict import RIGHT, Seen, verdict

__all__ = ["Worker", "World", "Wrong"]

producers: Any = importlib.import_module("processor.runtime.faust.producers")
lanes: Any = importlib.import_module("processor.runtime.faust.lanes")
restoring: Any = importlib.import_module("processor.runtime.faust.restoring")

WEIGHTS = [30, 10, 45, 8, 5, 2]
PATIENCE_S = 2.0  # what a scenario waits for is there in a tenth of it
APP = "model"


class Wrong(AssertionError):  # noqa: N818 - a verdict
    """What the verifier found; ``symptoms`` are the counts that are not 0, or "stuck" or "stopped"."""

    def __init__(self, said: str, symptoms: Sequence[str]) -> None:
        super().__init__(said)
        self.symptoms = set(symptoms)


class _Thread(ChunkThread):
    """The consumer's thread without a thread, over a modelled consumer."""

    def __init__(self, app: Any, consumer: Fetcher) -> None:
        self.app = app
        self._starts, self._epochs, self._told = {}, {}, {}
        self._modelled = consumer
        consumer.times = self._times = FetchTimes(SimpleNamespace(_client=None), app.settings.now_ms)
        self.rejoined = 0

    async def call_thread(self, fun: Any, *args: Any, **kwargs: Any) -> Any:
        return await fun(*args, **kwargs)

    def _ensure_consumer(self) -> Any:
        return self._modelled

    async def rejoin(self) -> None:
        self.rejoined += 1


class Worker:
    """One worker. ``faults`` as for a worker process; ``deliver`` may change which chunks arrive."""

    def __init__(
        self, world: World, name: str, faults: Sequence[dict[str, Any]] = (), **options: Any
    ) -> None:
        self.world = world
        self.name = name
        self.wire = world.wires[name] = Wire(world.cluster)
        self.deliver: Callable[[Chunk], Sequence[Chunk]] = lambda chunk: [chunk]
        timer_ms = options.pop("timer_ms", 0)
        hook = fault_hook(faults, self._strike) if faults else None
        self.settings = world.settings(name, hook=hook, **options)
        self.states = States(self.settings)
        self.active: set[TP] = set()
        tps = [TopicPartition(t, n) for t in world.sources for n in range(world.cluster.partitions)]
        self.fetcher = Fetcher(self.wire, APP, tps, world.fetch_records_max)
        app = SimpleNamespace(settings=self.settings, should_stop=False)
        self.thread = _Thread(app, self.fetcher)
        app.consumer = SimpleNamespace(
            thread=self.thread,
            resume_partitions=self.active.update,
            pause_partitions=self.active.difference_update,
        )
        self.lanes = Lanes(
            app,
            self.settings,
            self.states,
            lambda number, store: CountingEngine(self.settings, number, store, timer_ms),
        )
        self._feeding: asyncio.Task[None] | None = None
        self.struck = asyncio.Event()

    def _strike(self, action: str) -> None:
        self.struck.set()
        if action == "kill":
            self.wire.dead = True
            raise Killed
        assert action == "stop"
        self.wire.free.clear()

    async def start(self) -> Worker:
        """Own all partitions."""
        number = self.world.cluster.partitions
        topics = [*self.world.sources, self.settings.changelog]
        await self.lanes.start(TP(topic, one) for topic in topics for one in range(number))
        self._feeding = asyncio.create_task(self._feed())
        return self

    async def _feed(self) -> None:
        """As the consumer hands chunks through the conductor to the agent."""
        while True:
            self.world.cluster.now_ms += 5
            found = await self.thread.fetch(set(self.active), 0) if self.active else []
            for item in found:
                if not isinstance(item, Chunk):
                    self.lanes.fetch_failed(item)
                    continue
                for chunk in self.deliver(item):
                    self.lanes.offer([chunk])
            await asyncio.sleep(0.0005)

    def says(self) -> dict[int, tuple[LaneState, str]]:
        return self.lanes.states()

    async def ready(self) -> None:
        """Wait until every partition is worked on."""
        await self.world.until(lambda: self.lanes.ready, self)

    async def _end_feeding(self) -> None:
        assert self._feeding is not None
        self._feeding.cancel()
        await asyncio.wait({self._feeding})
        if not self._feeding.cancelled():
            self._feeding.exception()

    async def kill(self) -> None:
        """End it as a kill does: nothing more is sent or written, databases stay as they are."""
        self.wire.dead = True
        await self._end_feeding()
        tasks = [lane._task for lane in self.lanes._lanes.values() if lane._task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()
        for store in self.states._open.values():
            store.close()

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        await self.lanes.stop()
        await self._end_feeding()
        await self.lanes.close()


class World:
    """A cluster, its workers, and the verdict over them."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, partitions: int = 2, sources: int = 1
    ) -> None:
        self.folder = folder
        self.sources = [f"events{number}" for number in range(sources)]
        self.changelog = f"{APP}-rows-changelog"
        self.commands = f"{APP}-commands"
        self.cluster = Cluster(partitions, [*self.sources, self.changelog, self.commands])
        self.wires: dict[str, Wire] = {}
        self.workers: list[Worker] = []
        self.sent = 0
        self.fetch_records_max = 40
        monkeypatch.setattr(lanes, "_STALL_S", 0.01)
        wires = {"wires": self.wires}
        monkeypatch.setattr(producers, "AIOKafkaProducer", type("Modelled", (Producer,), wires))
        monkeypatch.setattr(restoring, "AIOKafkaConsumer", type("Modelled", (Consumer,), wires))

    def settings(self, name: str, **options: Any) -> WorkerSettings:
        named: dict[str, Any] = {
            "app": APP,
            "broker": f"{name}:1",
            "sources": tuple(self.sources),
            "partitions": self.cluster.partitions,
            "state": self.folder / name,
            "name": name,
            "chunk_records_max": 20,
            "restore_records_max": 30,
            "restart_backoff_ms": 1,
            "restart_backoff_ms_max": 20,
            "session_timeout_s": 0.5,
            "heartbeat_s": 0.1,
            "request_timeout_s": 0.5,
            "commit_timeout_s": 0.5,
            "transaction_timeout_s": 1.0,
            "rebalance_timeout_s": 1.0,
            "stop_timeout_s": 0.5,
            "state_memory_bytes": 8 << 20,
            "now_ms": lambda: self.cluster.now_ms,
        }
        return WorkerSettings(**{**named, **options})

    def publish(
        self, count: int, *, contacts: int = 40, seed: int = 7, stamped_ms: int = 0, topics: int = 9
    ) -> None:
        """Append events to the first `topics`; `stamped_ms` is what their stamps are behind the clock."""
        rng = random.Random(seed)
        for number in range(self.sent, self.sent + count):
            name = rng.randrange(contacts)
            contact = f"c{name:05d}"
            value = encode_event(number, contact, rng.choices(TYPES, WEIGHTS)[0], rng)
            log = self.cluster.logs[rng.choice(self.sources[:topics]), name % self.cluster.partitions]
            self.cluster.now_ms += 1
            log.append(self.cluster.now_ms - stamped_ms, contact.encode(), value)
        self.sent += count

    async def worker(self, name: str = "w0", **options: Any) -> Worker:
        """Start a worker."""
        worker = Worker(self, name, **options)
        self.workers.append(worker)
        return await worker.start()

    async def killed(self, step: str, nth: int, **options: Any) -> None:
        """Let a worker be killed at a step."""
        worker = await self.worker(faults=[{"step": step, "nth": nth, "action": "kill"}], **options)
        await self.until(worker.struck.is_set, worker)
        await worker.kill()

    async def until(self, holds: Callable[[], bool], *workers: Worker) -> None:
        """Wait for something. Raises Wrong where a partition stops, or in time."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not holds():
            said = [worker.says() for worker in workers]
            lost = [why for one in said for state, why in one.values() if state is LaneState.LOST]
            if lost:
                raise Wrong(f"stopped: {lost}", ["stopped"])
            if asyncio.get_running_loop().time() > deadline:
                raise Wrong(f"stuck: {said}", ["stuck"])
            await asyncio.sleep(0.002)

    def processed(self) -> int:
        """How many events the changelog says were processed."""
        shared = {one.partition: one.value for one in self.seen(self.changelog) if one.key == b"s"}
        return sum(json.loads(value)["events"] for value in shared.values())

    async def finish(self, worker: Worker | None = None, *, all_fired: bool = False) -> None:
        """Let a worker do what is left and stop, and compare. Raises Wrong."""
        if worker is None:
            worker = await self.worker()
        try:
            for _ in range(2):  # a worker that began too early in the log has the time to show it
                await self.until(lambda: worker.lanes.ready and self.processed() >= self.sent, worker)
                await asyncio.sleep(0.05)
        except Wrong as error:
            self.check(others=error.symptoms)
            raise
        if all_fired:
            self.cluster.now_ms += 60_000
            await asyncio.sleep(0.1)
        await worker.stop()
        self.check(all_fired=all_fired)
        self.check_local(worker)

    def seen(self, *topics: str) -> list[Seen]:
        """Every committed record of topics."""
        return [
            Seen(one.topic, one.partition, one.offset, one.timestamp, one.key or b"", one.value or b"")
            for (topic, _), log in self.cluster.logs.items()
            if topic in topics
            for one in log.read(log.first, log.end, committed=True)[0]
        ]

    def check(self, *, all_fired: bool = False, others: Iterable[str] = ()) -> None:
        """Raise Wrong where the verifier finds something; `others` are symptoms beside its own."""
        found = verdict(
            self.seen(*self.sources),
            self.seen(self.changelog),
            self.seen(self.commands),
            sent=self.sent,
            all_fired=all_fired,
        )
        symptoms = [name for name in RIGHT if found[name]]
        if symptoms:
            raise Wrong(f"the verifier found {found}", [*symptoms, *others])

    def check_local(self, worker: Worker) -> None:
        """Raise Wrong where a stopped worker's databases are not what the changelog says."""
        logged = {(one.partition, one.key): one.value for one in self.seen(self.changelog)}
        local: dict[tuple[int, bytes], bytes | None] = {}
        for number in range(self.cluster.partitions):
            store = open_rocks(worker.states.path(number), partitions=self.cluster.partitions)
            part = store.partition(number)
            names = part.contacts("", 10_000)
            local |= {
                (number, b"r" + n.encode()): r for n, r in zip(names, part.get_many(names), strict=True)
            }
            local |= {(number, b"s"): part.shared(), (number, b"p"): store.position()}
            store.close()
        if local != logged:
            unlike = {key for key in local.keys() | logged.keys() if local.get(key) != logged.get(key)}
            raise Wrong(f"local state is not the changelog's: {sorted(unlike)[:5]}", ["local"])

    def wipe(self, name: str) -> None:
        """Take a worker's disk away."""
        shutil.rmtree(self.folder / name)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        """Whatever happens inside, no task and no database outlives it."""
        try:
            yield self
        finally:
            for worker in self.workers:
                worker.wire.free.set()
                await worker.kill()
