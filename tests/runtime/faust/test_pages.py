"""The pages of a worker: series that Prometheus reads, health, readiness with its reasons."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from processor.runtime.faust.deciding import Tally
from processor.runtime.faust.metrics import SERIES
from processor.runtime.faust.pages import Pages
from processor.runtime.faust.standing import Counts, LaneState
from processor.runtime.faust.table import Restoring


class FakeLanes:
    presence: FakePresence

    def __init__(self) -> None:
        self.found: dict[int, tuple[LaneState, str]] = {}
        self.codes: dict[int, str] = {}

    def states(self) -> dict[int, tuple[LaneState, str]]:
        return self.found

    def lost(self) -> dict[int, str]:
        return self.codes

    def counts(self) -> dict[int, Counts]:
        return {0: Counts(records=5, transactions=2, commit_s=0.5, restarts=1), 1: Counts(records=7)}

    def restoring(self) -> dict[int, Restoring]:
        return {1: Restoring(300, 0.25)}

    @property
    def ready(self) -> bool:
        return all(state is LaneState.RUNNING for state, _ in self.found.values())


class FakePresence:
    times = 2
    away_s = 0.0

    @property
    def reason(self) -> str:
        return "Kafka is away" if self.away_s else ""


@pytest.fixture
async def served():
    lanes, presence, tallies = FakeLanes(), FakePresence(), {0: Tally(), 1: Tally()}
    lanes.presence = presence
    pages = Pages(lanes, presence, tallies, "127.0.0.1", 0)  # type: ignore[arg-type]
    await pages.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{pages.port}") as session:
        yield lanes, tallies, session
    await pages.stop()


async def get(session: Any, path: str) -> tuple[int, str]:
    async with session.get(path) as answer:
        return answer.status, await answer.text()


async def test_every_series_is_there_and_partitions_are_summed(served):
    lanes, tallies, session = served
    lanes.found = {0: (LaneState.RUNNING, ""), 1: (LaneState.STARTING, "")}
    lanes.codes = {3: "retention"}
    for tally in tallies.values():
        tally.events["page_viewed"] = 3
        tally.commands["email", "welcome"] = 2
        tally.suppressed["no_consent"] = 1
        tally.dead["not_json"] = 4
        tally.decisions["entered"] = 1
        tally.quarantined["welcome"] = 2
        tally.released[""] = 1
        tally.braked["welcome", "breaker"] = 5
        tally.brakes = {"welcome": (False, True)}
        tally.watermark_ms = 1_772_357_400_000
    status, text = await get(session, "/metrics")
    assert status == 200
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert {name for name, *_ in samples} >= set(SERIES)
    assert samples["trayecto_events_total", ("type", "page_viewed")] == 6
    assert samples["trayecto_commands_total", ("channel", "email"), ("program", "welcome")] == 4
    assert samples["trayecto_timers_quarantined_total", ("program", "welcome")] == 4
    assert samples["trayecto_timers_released_total", ("program", "")] == 2
    assert samples["trayecto_program_braked", ("brake", "breaker"), ("program", "welcome")] == 1
    assert samples["trayecto_program_braked", ("brake", "paused"), ("program", "welcome")] == 0
    assert samples["trayecto_braked_total", ("program", "welcome"), ("what", "breaker")] == 10
    assert samples["trayecto_records_total",] == 12
    assert samples["trayecto_watermark_timestamp_seconds", ("partition", "0")] == 1_772_357_400
    assert samples["trayecto_partition_state", ("partition", "1"), ("state", "starting")] == 1
    assert samples["trayecto_partition_lost", ("partition", "3"), ("reason", "retention")] == 1
    assert samples["trayecto_kafka_away_total",] == 2
    assert samples["trayecto_kafka_away_seconds",] == 0
    assert samples["trayecto_ready",] == 0
    assert samples["trayecto_restoring_ratio", ("partition", "1")] == 0.25


async def test_ready_says_which_partition_is_not_and_why(served):
    lanes, _, session = served
    assert (await get(session, "/healthz"))[0] == 200
    assert await get(session, "/readyz") == (503, "no partition is assigned yet\n")
    lanes.found = {0: (LaneState.RUNNING, ""), 3: (LaneState.LOST, "records were lost to retention")}
    status, text = await get(session, "/readyz")
    assert status == 503
    assert "partition 3: position lost: records were lost to retention" in text
    lanes.found = {0: (LaneState.RUNNING, "")}
    assert (await get(session, "/readyz"))[0] == 200


async def test_while_kafka_is_away_it_is_not_ready_whatever_its_partitions_say(served):
    lanes, _, session = served
    lanes.found = {0: (LaneState.RUNNING, "")}
    lanes.presence.away_s = 12.5
    assert await get(session, "/readyz") == (503, "Kafka is away\npartition 0: running\n")
    metrics = (await get(session, "/metrics"))[1]
    assert "trayecto_kafka_away_seconds 12.5\n" in metrics
    assert "trayecto_ready 0.0\n" in metrics
    lanes.presence.away_s = 0.0
    assert (await get(session, "/readyz"))[0] == 200
