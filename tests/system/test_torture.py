"""The short form of ``make torture``: faults that no other test has, with the real worker and little load."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from processor.runtime.broker.kafka import LocalKafka
from tests.system.chunks import Application
from tests.system.faults import FAULTS, ShortIds
from tests.system.rounds import Log, Rounds
from tests.system.torture import COUNTS, strike

EVENTS, SEED = 8_000, 5


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return Log.made(tmp_path_factory.mktemp("log"), EVENTS, SEED)


@pytest.fixture
def short_ids(tmp_path: Path, kafka: Any) -> Any:
    """A broker that forgets idle transactional ids; the session's says whether there can be one."""
    with ShortIds(tmp_path / "short-ids", heap_mb=256) as broker:
        yield broker


def assert_right(found: dict[str, Any]) -> None:
    assert {key: found[key] for key in COUNTS} == dict.fromkeys(COUNTS, 0), found
    assert found["records"] == EVENTS
    assert found["commands"] > 1_000


def test_a_full_disk(kafka: Any, log: Log, tmp_path: Path) -> None:
    assert_right(strike("the local disk full", tmp_path / "full", kafka.address, log, SEED, 1))


def test_a_transactional_id_that_expired(short_ids: LocalKafka, log: Log, tmp_path: Path) -> None:
    name = "a transactional id that expired while idle"
    assert FAULTS[name].short_ids
    assert_right(strike(name, tmp_path / "expired", short_ids, log, SEED))


def test_two_workers_with_one_name_and_who_leaves(
    kafka: Any, fresh_name: Any, log: Log, tmp_path: Path
) -> None:
    """One on the same state folder does not start; one elsewhere takes the name, and the first says so."""
    r = Rounds(tmp_path / "names", kafka.address, fresh_name("names"), log, SEED)
    try:
        first = r.worker()
        first.wait_for("is ready")
        same = r.worker(state=first.state)
        assert same.process.wait(60) == 1
        assert "runs on the state in" in same.log.read_text()
        elsewhere = r.worker(state=tmp_path / "elsewhere", leave=True)
        assert first.process.wait(60) == 1
        assert "another worker has joined the group" in first.log.read_text()
        found = r.finish(elsewhere)
        # It was told to leave: another name has all partitions at once, not after the session's six seconds.
        began = time.monotonic()
        other = r.worker("other")
        other.wait_for("is ready", times=4)
        assert time.monotonic() - began < 5.5
        assert other.stop() == 0
    finally:
        r.close()
    assert_right(found)


def test_a_second_signal_ends_it_at_once(own_kafka: LocalKafka, log: Log, tmp_path: Path) -> None:
    """While the broker does not answer a stop would take its time; nothing is lost by not waiting."""
    r = Rounds(tmp_path / "signals", own_kafka.address, "signals", log, SEED)
    try:
        worker = r.worker(chunk_records_max=100)
        r.wait_done(0.1)
        os.kill(own_kafka.pid, signal.SIGSTOP)
        try:
            worker.process.send_signal(signal.SIGTERM)
            worker.wait_for("stopping")
            time.sleep(1.2)
            assert worker.process.poll() is None
            began = time.monotonic()
            worker.process.send_signal(signal.SIGTERM)
            assert worker.process.wait(10) == 130
            assert time.monotonic() - began < 1
        finally:
            os.kill(own_kafka.pid, signal.SIGCONT)
        found = r.finish(r.worker())
    finally:
        r.close()
    assert_right(found)


def longest_gaps_s(app: Application, since_ms: int, until_ms: int) -> tuple[float, float]:
    """The longest time without a commit: of the whole application, and of any one partition."""
    stamps: dict[int, list[int]] = {number: [] for number in range(app.partitions)}
    for message in app.read(app.changelog):
        if message.key() == b"p" and since_ms <= message.timestamp()[1] <= until_ms:
            stamps[message.partition() or 0].append(message.timestamp()[1])

    def gap(found: list[int]) -> float:
        found = [since_ms, *sorted(found), until_ms]
        return max(later - one for one, later in itertools.pairwise(found)) / 1000

    return gap([one for found in stamps.values() for one in found]), max(map(gap, stamps.values()))


def test_a_rolling_restart_of_three_workers(chunk_application: Any) -> None:
    app: Application = chunk_application(partitions=6)
    app.publish(1_000)
    workers = [app.worker(f"w{number}") for number in range(3)]
    deadline = time.monotonic() + 60
    while any("is ready" not in worker.log.read_text() for worker in workers):
        assert time.monotonic() < deadline, app.logs()
        time.sleep(0.2)
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            app.publish(300, seed=app.sent)
            time.sleep(0.1)

    publishing = threading.Thread(target=load)
    publishing.start()
    try:
        time.sleep(1)
        since_ms = int(time.time() * 1000)
        for number in range(3):
            assert workers[number].stop() == 0
            workers[number] = app.worker(f"w{number}")
            workers[number].wait_for("is ready", times=2)
        until_ms = int(time.time() * 1000)
    finally:
        ended.set()
        publishing.join()
    app.wait_processed(app.sent)
    assert [worker.stop() for worker in workers] == [0, 0, 0]
    whole_s, one_s = longest_gaps_s(app, since_ms, until_ms)
    # Two seconds and three on an idle machine: nobody else hands over for a restart.
    assert whole_s < 8, (whole_s, one_s)
    assert one_s < 15, (whole_s, one_s)
    app.assert_right(app.sent)
