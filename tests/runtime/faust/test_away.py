"""Whether Kafka answers, told once when it does not and once when it does again."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from processor.runtime.faust import WorkerSettings
from processor.runtime.faust.away import Presence


class World:
    """A broker and a clock: each question takes a second while it does not answer."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.answers = True

    async def ask(self, timeout_s: float) -> bool:
        self.now_s += 0.01 if self.answers else timeout_s
        return self.answers


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def presence(world: World, tmp_path: Path) -> Presence:
    settings = WorkerSettings(
        app="a",
        broker="kafka:9092",
        sources=("events",),
        name="w0",
        state=tmp_path,
        partitions=1,
        away_after_s=4.0,
    )
    return Presence(settings, world.ask, lambda: world.now_s)


async def test_it_is_said_once_that_kafka_is_away_and_once_for_how_long(
    world: World, presence: Presence, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    await presence.look()
    assert (presence.reason, presence.away_s, presence.times) == ("", 0.0, 0)
    world.answers = False
    await presence.look()  # two seconds: an election takes longer
    assert (presence.reason, presence.away_s, presence.times) == ("", 0.0, 0)
    for _ in range(5):
        await presence.look()
    assert presence.times == 1
    assert presence.away_s == pytest.approx(12.01)
    assert presence.reason == "Kafka is away: no broker has answered for 12 s"
    world.answers = True
    await presence.look()
    assert (presence.reason, presence.away_s, presence.times) == ("", 0.0, 1)
    told = [record.message.partition(":")[0] for record in caplog.records]
    assert told == ["Kafka is away", "Kafka is back"]
    assert "no broker at kafka:9092 has answered for 4.0 s" in caplog.records[0].message
    assert caplog.records[1].message.endswith("away for 12.0 s")


async def test_it_can_be_away_again(world: World, presence: Presence, caplog: pytest.LogCaptureFixture):
    for answers in (False, True, False, True):
        world.answers = answers
        for _ in range(3):
            await presence.look()
    assert presence.times == 2
    assert len(caplog.records) == 4


async def test_one_answer_between_two_without_is_enough(world: World, presence: Presence):
    for _ in range(6):
        world.answers = not world.answers
        await presence.look()
    assert presence.times == 0
