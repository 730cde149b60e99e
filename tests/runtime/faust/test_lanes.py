"""A lane against a log in memory: the order of its steps, and what each thing that goes wrong leads to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from processor.codec.registry import RegistryUnavailable
from processor.runtime.faust import WorkerSettings, lanes
from processor.runtime.faust.commit import STEPS
from processor.runtime.faust.engine import POSITION_KEY, Output, decode_positions, encode_positions
from processor.runtime.faust.errors import FencedError
from processor.runtime.faust.lanes import Lane
from processor.runtime.faust.merge import Chunk
from processor.runtime.faust.restoring import Restored
from processor.runtime.faust.standing import Counts, LaneState
from processor.runtime.faust.table import States
from tests.runtime.faust.test_merge import Record

TP0 = TP("events", 0)
CHANGELOG = TP("a-rows-changelog", 0)


class Broker:
    """What is committed, and what happens in which order. ``fails``: call -> errors it still raises."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.committed: list[int] = []  # offsets of the records that were committed
        self.positions: dict[str, int] = {}
        self.bounds_: dict[TP, tuple[int, int, int | None]] = {TP0: (0, 1_000, None)}
        self.fails: dict[str, list[Exception]] = {}
        self.epoch = 0
        self.seeks: list[int] = []
        self.idled: list[int] = []
        self.ready = asyncio.Event()

    def __call__(self, what: str) -> None:
        self.happened.append(what)
        if self.fails.get(what):
            raise self.fails[what].pop(0)

    # --- as a producer
    def producer(self, settings: WorkerSettings, partition: int) -> Producer:
        return Producer(self)

    async def restored(self, settings: WorkerSettings, states: States, partition: int) -> Restored:
        self("restore")
        return Restored(None, 5, 3)  # type: ignore[arg-type]

    # --- as the consumer
    async def bounds(self, tps: list[TP]) -> Mapping[TP, tuple[int, int, int | None]]:
        return self.bounds_

    async def seek(self, offsets: Mapping[TP, int], epoch: int) -> bool:
        self("seek")
        self.epoch = epoch
        self.seeks.append(offsets[TP0])
        self.ready.set()
        return True

    def pause(self, tp: TP) -> None:
        self("pause")

    def resume(self, tp: TP) -> None:
        self("resume")

    async def rejoin(self) -> None:
        self("rejoin")


class Producer:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.work: Sequence[Output] = ()
        self.position: dict[str, int] = {}

    async def start(self) -> None:
        self.broker("fence")

    async def begin(self) -> None:
        self.broker("begin")

    async def produce(self, outputs: Sequence[Output]) -> None:
        self.broker("produce")
        self.work = outputs

    async def changelog(self, items: Sequence[tuple[bytes, bytes | None]]) -> int:
        self.broker("changelog")
        self.position = decode_positions(dict(items)[POSITION_KEY])
        return 9

    async def commit(self) -> None:
        self.broker("commit")
        self.broker.committed += [int(output.value or b"") for output in self.work]
        self.broker.positions.update(self.position)
        self.broker("committed")

    async def discard(self) -> None:
        self.broker("discard")


class Work:
    def __init__(self, engine: Engine, outputs: list[Output]) -> None:
        self.engine = engine
        self.produce = outputs
        self.positions = dict(engine.positions)
        self.changelog = [(POSITION_KEY, encode_positions(self.positions))]

    def write(self, changelog_offset: int) -> None:
        assert changelog_offset == 9
        self.engine.broker("write")


class Engine:
    """Puts every record out; at most two in a work."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.positions = dict(broker.positions)

    def records(self, batch: Sequence[Any]) -> Iterator[Work]:
        for at in range(0, len(batch), 2):
            some = batch[at : at + 2]
            self.positions["events"] = some[-1].offset + 1
            yield Work(self, [Output("out", 0, None, b"%d" % record.offset) for record in some])

    def idle(self, watermark_ms: int) -> Iterator[Work]:
        self.broker.idled.append(watermark_ms)
        self.broker("idle")
        yield from ()


class World:
    """A lane and everything around it. ``now_ms`` is the wall clock."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.broker = Broker()
        self.now_ms = 100_000
        settings = WorkerSettings(
            app="a",
            broker="h:1",
            sources=("events",),
            partitions=1,
            state=tmp_path,
            name="w0",
            restart_backoff_ms=1,
            now_ms=lambda: self.now_ms,
            **options,
        )
        monkeypatch.setattr(lanes, "PartitionProducer", self.broker.producer)
        monkeypatch.setattr(lanes, "restored", self.broker.restored)
        self.settings = settings
        self.lane = Lane(settings, 0, self.engine, States(settings), self.broker, Counts())

    def engine(self, number: int, store: Any) -> Any:
        return Engine(self.broker)

    async def start(self) -> None:
        self.lane.start()
        await self.until(lambda: self.lane.state is LaneState.RUNNING)

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.001)

    def offer(self, start: int, end: int, *, epoch: int = 0, empty_at_ms: int = 0) -> None:
        records = [Record("events", offset, offset) for offset in range(start, end)]
        self.lane.offer(Chunk("events", 0, start, end, records, epoch or self.broker.epoch, empty_at_ms))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    return lambda **options: World(tmp_path, monkeypatch, **options)


async def test_the_order_of_a_life(world):
    seen: list[str] = []
    w = world(hook=lambda *step_and_partition: seen.append(step_and_partition[0]))
    await w.start()
    assert w.broker.happened == ["fence", "restore", "seek"]
    w.offer(0, 2)
    await w.until(lambda: w.broker.committed == [0, 1])
    await w.lane.stop()
    happened = w.broker.happened[3:]
    assert happened == ["begin", "produce", "changelog", "commit", "committed", "write", "discard"]
    assert seen == list(STEPS)
    assert w.lane.counts.commit_s > 0
    assert msgspec.structs.replace(w.lane.counts, commit_s=0.0) == Counts(
        records=2, transactions=1, restored=3
    )


async def test_each_work_is_committed_before_the_next(world):
    w = world()
    await w.start()
    w.offer(0, 5)
    await w.until(lambda: len(w.broker.committed) == 5)
    await w.lane.stop()
    assert w.broker.committed == [0, 1, 2, 3, 4]
    assert w.lane.counts.transactions == 3


async def test_who_waits_for_its_turn_takes_what_came_meanwhile(world):
    w = world()
    turns = asyncio.Semaphore()
    await turns.acquire()  # another partition's
    w.lane.start(2, turns)
    await w.until(lambda: w.lane.state is LaneState.RUNNING)
    w.offer(0, 1)
    await asyncio.sleep(0.02)
    w.offer(1, 2)
    await asyncio.sleep(0.02)
    assert w.broker.committed == []
    turns.release()
    await w.until(lambda: len(w.broker.committed) == 2)
    assert w.lane.counts.transactions == 1
    await w.lane.stop()
    assert w.lane.committed == {"events": 2}
    await asyncio.wait_for(turns.acquire(), 1)  # it was given back


@pytest.mark.parametrize("step", ["begin", "produce", "changelog", "commit", "committed", "write"])
async def test_after_any_error_it_begins_anew_from_what_is_committed(world, step: str):
    w = world()
    w.broker.fails[step] = [TimeoutError("planted"), KafkaError("planted")]
    await w.start()
    w.offer(0, 4)
    while w.broker.committed[-1:] != [3]:
        seeks = len(w.broker.seeks)
        await w.until(lambda seeks=seeks: len(w.broker.seeks) > seeks or w.broker.committed[-1:] == [3])
        w.offer(w.broker.seeks[-1], 4)
    await w.until(lambda: w.lane.counts.restarts == 2)
    await w.lane.stop()
    assert w.broker.committed == [0, 1, 2, 3]
    lives = " ".join(w.broker.happened).split("fence")
    assert all(life.startswith(" restore seek") and life.rstrip().endswith("discard") for life in lives[1:])


async def test_what_was_fetched_before_a_seek_is_not_taken(world):
    w = world()
    await w.start()
    w.offer(0, 2, epoch=w.broker.epoch - 1)
    await asyncio.sleep(0.01)
    assert w.broker.committed == []
    assert w.lane.counts.chunks_stale == 1
    await w.lane.stop()
    w.offer(0, 2)
    assert w.lane.counts.chunks_stale == 2


async def test_a_chunk_that_was_lost_on_the_way_is_fetched_again(world):
    w = world()
    await w.start()
    w.offer(3, 5)
    await w.until(lambda: len(w.broker.seeks) == 2)
    assert w.broker.seeks == [0, 0]
    assert w.lane.counts.chunks_lost == 1
    await w.until(lambda: w.lane.state is LaneState.RUNNING)
    w.offer(0, 5)
    await w.until(lambda: len(w.broker.committed) == 5)
    await w.lane.stop()


async def test_who_is_fenced_joins_anew_and_ends(world):
    w = world()
    w.broker.fails["commit"] = [FencedError("planted")]
    await w.start()
    w.offer(0, 1)
    await w.until(lambda: w.lane.state is LaneState.FENCED)
    assert w.broker.happened[-2:] == ["discard", "rejoin"]
    assert w.broker.committed == []
    await w.lane.stop()


@pytest.mark.parametrize(
    ("positions", "bounds", "said", "code"),
    [
        ({"events": 7}, (8, 20, 7), "outside of the log", "retention"),
        ({"events": 21}, (8, 20, 7), "outside of the log", "beyond_end"),
        ({}, (0, 20, 7), "holds no position", "no_position"),
    ],
)
async def test_a_position_that_cannot_be_stops_it(world, positions, bounds, said: str, code: str):
    w = world()
    w.broker.positions, w.broker.bounds_ = positions, {TP0: bounds}
    w.lane.start()
    await w.until(lambda: w.lane.state is LaneState.LOST)
    assert said in w.lane.reason
    assert w.lane.lost_code == code
    assert w.broker.seeks == []
    await w.lane.stop()


async def test_a_lost_position_stands_until_the_changelog_has_a_command(world, caplog):
    """The log may change as it likes; only the changelog's growth, which is the command, begins anew."""
    w = world(look_again_s=0.001, folder="shop")
    w.broker.positions = {"events": 7}
    w.broker.bounds_ = {TP0: (8, 20, 7), CHANGELOG: (0, 5, None)}
    w.lane.start()
    await w.until(lambda: w.lane.state is LaneState.LOST)
    assert "partition resume --topology shop --broker h:1 --partition 0 --from earliest" in caplog.text
    w.broker.bounds_ = {TP0: (3, 20, 7), CHANGELOG: (0, 5, None)}
    await asyncio.sleep(0.02)
    assert w.lane.state.value == "position lost"
    assert w.broker.happened.count("fence") == 1
    w.broker.positions = {"events": 12}  # as the command says, and the changelog with it
    w.broker.bounds_ = {TP0: (8, 20, 7), CHANGELOG: (0, 7, None)}
    await w.until(lambda: w.lane.state is LaneState.RUNNING)
    assert w.broker.seeks == [12]
    assert (w.lane.counts.resumed, w.lane.lost_code) == (1, "")
    await w.lane.stop()


async def test_a_lane_that_stands_still_stops_at_once(world):
    w = world(look_again_s=60.0)
    w.broker.positions, w.broker.bounds_ = {"events": 7}, {TP0: (8, 20, 7)}
    w.lane.start()
    await w.until(lambda: w.lane.state is LaneState.LOST)
    async with asyncio.timeout(1):
        await w.lane.stop()


async def test_a_registry_that_is_silent_holds_up_only_the_lane(world, monkeypatch: pytest.MonkeyPatch):
    """What was taken is kept, nothing begins anew, and the loop turns while the answer is waited for."""
    answer, asked, fails = threading.Event(), threading.Event(), [RegistryUnavailable("no answer")]

    def ask(self: Engine) -> None:
        if fails:
            raise fails.pop()
        asked.set()
        answer.wait(5)

    monkeypatch.setattr(Engine, "ask", ask, raising=False)
    monkeypatch.setattr(Engine, "lacking", lambda *_: not answer.is_set(), raising=False)
    w = world()
    await w.start()
    w.offer(0, 2)
    await w.until(lambda: w.lane.state is LaneState.WAITING)
    await w.until(asked.is_set)  # only a loop that turns comes to the end of this
    assert w.broker.committed == []
    assert w.lane.counts.unanswered == 1
    answer.set()
    await w.until(lambda: w.broker.committed == [0, 1])
    assert w.lane.state is LaneState.RUNNING
    assert (w.lane.counts.restarts, len(w.broker.seeks)) == (0, 1)
    await w.lane.stop()


async def test_a_lane_stops_while_the_registry_hangs(world):
    answer = threading.Event()

    def hang() -> None:
        answer.wait(5)

    w = world()
    w.lane = Lane(w.settings, 0, w.engine, States(w.settings), w.broker, Counts(), hang)
    w.lane.start()
    await asyncio.sleep(0.01)
    async with asyncio.timeout(1):
        await w.lane.stop()
    answer.set()
    assert w.broker.happened == []


async def test_no_epoch_is_that_of_a_lane_before(world):
    epochs = []
    for _ in range(2):
        w = world()
        await w.start()
        epochs.append(w.broker.epoch)
        await w.lane.stop()
    assert epochs[0] < epochs[1]


async def test_a_position_that_the_broker_refuses_stops_it(world):
    w = world()
    await w.start()
    w.lane.position_failed("events")
    await w.until(lambda: w.lane.state is LaneState.LOST)
    assert "does not have the position" in w.lane.reason
    await w.lane.stop()


@pytest.mark.parametrize(("start", "offset"), [("earliest", 4), ("latest", 20)])
async def test_where_nothing_is_known_it_begins_as_told(world, start: str, offset: int):
    w = world(start=start)
    w.broker.bounds_ = {TP0: (4, 20, None)}
    await w.start()
    assert w.broker.seeks == [offset]
    await w.lane.stop()


async def test_a_full_lane_is_paused_and_resumed_at_half(world):
    w = world(prefetch_records_max=10, chunk_records_max=4)
    await w.start()
    w.offer(0, 8)
    assert "pause" not in w.broker.happened
    w.offer(8, 14)
    assert "pause" in w.broker.happened
    await w.until(lambda: len(w.broker.committed) == 14)
    await w.lane.stop()
    at = w.broker.happened.index("resume")
    assert w.broker.happened[:at].count("write") == 6  # of 14 records 12 are worked off: 2 to 6 are held


async def test_many_bytes_fill_a_lane_too(world):
    w = world(prefetch_bytes_max=1_000)
    await w.start()
    w.offer(0, 5)
    assert "pause" in w.broker.happened
    await w.until(lambda: "resume" in w.broker.happened)
    await w.lane.stop()


async def test_the_watermark_is_the_logs_end_less_the_grace_and_never_falls(world):
    w = world(grace_ms=2_000)
    await w.start()
    w.offer(0, 2)
    w.offer(2, 2, empty_at_ms=90_000)
    await w.until(lambda: w.broker.idled)
    w.offer(2, 2, empty_at_ms=90_000)
    w.offer(2, 2, empty_at_ms=89_000)
    await asyncio.sleep(0.01)
    w.offer(2, 2, empty_at_ms=95_000)
    await w.until(lambda: len(w.broker.idled) == 2)
    assert w.broker.idled == [88_000, 93_000]
    assert w.broker.happened.index("idle") > w.broker.happened.index("write")
    await w.lane.stop()


async def test_a_lane_that_waits_for_its_broker_stops_at_once(world):
    w = world(stop_timeout_s=30.0)
    w.broker.fails["fence"] = [KafkaError("no broker")] * 1_000
    w.lane.start()
    await w.until(lambda: w.lane.counts.restarts > 1)
    async with asyncio.timeout(1):
        await w.lane.stop()


async def test_a_stop_waits_for_the_transaction_under_way(world, monkeypatch: pytest.MonkeyPatch):
    w = world()
    go_on = asyncio.Event()

    async def slow(self: Producer) -> None:
        w.broker("slow")
        await go_on.wait()
        w.broker("commit")

    monkeypatch.setattr(Producer, "commit", slow)
    await w.start()
    w.offer(0, 4)
    await w.until(lambda: "slow" in w.broker.happened)
    stop = asyncio.create_task(w.lane.stop())
    await asyncio.sleep(0.01)
    assert not stop.done()
    go_on.set()
    await stop
    assert w.broker.happened[-3:] == ["commit", "write", "discard"]
    assert w.broker.happened.count("begin") == 1  # and not for the next one


async def test_a_transaction_that_never_ends_is_given_up(world, monkeypatch: pytest.MonkeyPatch):
    w = world(stop_timeout_s=0.01)

    async def never(self: Producer) -> None:
        w.broker("slow")
        await asyncio.Event().wait()

    monkeypatch.setattr(Producer, "commit", never)
    await w.start()
    w.offer(0, 1)
    await w.until(lambda: "slow" in w.broker.happened)
    await w.lane.stop()
    assert w.broker.happened[-2:] == ["slow", "discard"]


async def test_a_bug_in_the_engine_does_not_end_the_lane(world, monkeypatch: pytest.MonkeyPatch):
    w = world()
    records = Engine.records
    monkeypatch.setattr(Engine, "records", lambda *_: 1 / 0)
    await w.start()
    w.offer(0, 1)
    await w.until(lambda: w.lane.counts.restarts == 1)
    assert w.lane.reason == "ZeroDivisionError"
    monkeypatch.setattr(Engine, "records", records)
    await w.until(lambda: w.lane.state is LaneState.RUNNING)
    w.offer(0, 1)
    await w.until(lambda: w.broker.committed == [0])
    await w.lane.stop()
