"""The worker on a real broker decides what a run over the same log decides: every command, each once."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loadtests.live import Live
from processor.core.time import format_time
from tests.system.rounds import TEN, by_contact, embedded, write_log


def check_equal(live: Live, expected: dict[str, list[bytes]], until_ms: int) -> int:
    """Compare commands and decisions with those of the run. Returns how many commands there are."""
    until = format_time(until_ms)
    total = 0
    for channel, topic in live.names.commands.items():
        lines = [line for _, line in live.lines(topic, "command")]
        ids = Counter(json.loads(line)["command_id"] for line in lines)
        assert not [one for one, times in ids.items() if times > 1], f"{channel}: commands given twice"
        wanted = by_contact(expected.get(f"commands.{channel}", []), until)
        assert by_contact(lines, until) == wanted
        total += len(lines)
    decisions = [line for _, line in live.lines(live.names.decisions, "decision")]
    assert by_contact(decisions, until) == by_contact(expected["decisions"], until)
    return total


@pytest.fixture
def live(tmp_path: Path, kafka: Any, fresh_name: Any) -> Live:
    return Live(tmp_path / "topology", TEN, kafka.address, f"{fresh_name('live')}.", 4)


def test_killed_again_and_again_it_gives_every_command_once_and_equal_to_a_run(
    live: Live, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "log.jsonl", 24_000, 3_000)
    live.publish(log)
    until_ms = int(time.time() * 1000)
    rng = random.Random(11)
    worker = live.worker("w0", tmp_path / "state")
    for _ in range(4):
        time.sleep(rng.uniform(2.5, 5.0))
        worker.kill()
        worker = live.worker("w0", tmp_path / "state")
    live.await_end(worker, after_ms=until_ms, timeout_s=120)
    assert worker.stop() == 0
    expected = embedded(tmp_path, log, until_ms, 4)
    assert check_equal(live, expected, until_ms) > 4_000


def test_scaled_from_one_to_three_and_back_over_a_backlog_of_months(live: Live, tmp_path: Path) -> None:
    """Neither lag nor who owns a partition decides anything."""
    log = write_log(tmp_path / "log.jsonl", 24_000, 3_000, seed=3)
    live.publish(log)
    until_ms = int(time.time() * 1000)
    workers = [live.worker("w0", tmp_path / "s0")]
    time.sleep(4)
    workers += [live.worker(f"w{number}", tmp_path / f"s{number}", "--leave") for number in (1, 2)]
    deadline = time.monotonic() + 60
    while not all(worker.page("/healthz") for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(4)
    assert [worker.stop() for worker in workers[1:]] == [0, 0]
    live.await_end(workers[0], after_ms=until_ms, timeout_s=150)
    assert workers[0].stop() == 0
    assert check_equal(live, embedded(tmp_path, log, until_ms, 4), until_ms) > 4_000
