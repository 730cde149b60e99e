"""A worker whose broker goes away and comes back: it says so, waits, and goes on where it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from loadtests.live import Live
from tests.system.rounds import TEN, embedded, write_log
from tests.system.test_partition_resume import await_ready
from tests.system.test_worker import check_equal


def test_a_broker_that_is_away_is_told_of_and_waited_for(tmp_path: Path, own_kafka: Any, fresh_name: Any):
    live = Live(tmp_path / "topology", TEN, own_kafka.address, f"{fresh_name('away')}.", 2)
    first = write_log(tmp_path / "log.jsonl", 600, 90)
    live.publish(first)
    worker = live.worker("w0", tmp_path / "state", "--set", "away_after_s=3")
    port_file = tmp_path / "w0.port"
    await_ready(worker, port_file, lambda code, _: code == 200)
    own_kafka.kill()
    text = await_ready(worker, port_file, lambda code, text: code == 503 and "Kafka is away" in text)
    assert text.startswith("Kafka is away: no broker has answered for ")
    time.sleep(4)
    metrics = worker.metrics()
    assert metrics["trayecto_kafka_away_seconds"] >= 4
    assert metrics["trayecto_ready"] == 0
    own_kafka.start()
    await_ready(worker, port_file, lambda code, _: code == 200)
    until_ms = int(time.time() * 1000)
    live.await_end(worker, after_ms=until_ms, timeout_s=90)
    assert worker.metrics()["trayecto_kafka_away_seconds"] == 0
    assert worker.metrics()["trayecto_kafka_away_total"] == 1
    assert worker.stop() == 0
    said = worker.log.read_text()
    assert said.count('"event": "stopped"') == 1
    assert said.count("Kafka is away: ") == 1
    assert said.count("Kafka is back: it was away for ") == 1
    assert check_equal(live, embedded(tmp_path, first, until_ms, 2), until_ms) > 50
