"""A partition whose records were deleted before they were read stands still until an operator says where."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from loadtests.live import Live, Process
from processor.cli.app import app
from tests.system.rounds import TEN, write_log

PARTITIONS = 2


@pytest.fixture
def live(tmp_path: Path, kafka: Any, fresh_name: Any) -> Live:
    return Live(tmp_path / "topology", TEN, kafka.address, f"{fresh_name('resume')}.", PARTITIONS)


def command(live: Live, *arguments: str) -> tuple[int, str]:
    """A command of the command line: its exit code, and what it printed."""
    where = ["--topology", str(live.folder), "--broker", live.settings.broker]
    done = CliRunner().invoke(app, ["partition", *arguments, *where])
    return done.exit_code, done.output


def ready(port_file: Path) -> tuple[int, str]:
    try:
        port = int(port_file.read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ValueError):
        return 0, ""


def await_ready(worker: Process, port_file: Path, holds: Any, timeout_s: float = 60) -> str:
    end, text = time.monotonic() + timeout_s, ""
    while time.monotonic() < end:
        code, text = ready(port_file)
        if holds(code, text):
            return text
        assert worker.process.poll() is None, worker.log.read_text()[-3000:]
        time.sleep(0.1)
    raise AssertionError(f"{text} {worker.log.read_text()[-3000:]}")


def delete_below(live: Live, partition: int, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": live.settings.broker})
    for future in admin.delete_records([TopicPartition(live.names.events[0], partition, offset)]).values():
        future.result(20)


def clocks(live: Live, partition: int) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for record, line in live.lines(live.names.clock, "clock")
        if record.partition == partition
    ]


def lost(live: Live, tmp_path: Path) -> tuple[Process, Path, int]:
    """A worker whose partition 0 has lost what came while it was away, and at which offset the log begins."""
    worker = live.worker("w0", tmp_path / "state")
    first = write_log(tmp_path / "first.jsonl", 1_000, 300)
    live.publish(first)
    live.await_end(worker, after_ms=int(time.time() * 1000), timeout_s=60)
    assert worker.stop() == 0
    live.publish(write_log(tmp_path / "second.jsonl", 1_000, 300, seed=2))
    code, text = command(live, "list", "-o", "json")
    assert code == 0, text
    (place,) = [
        one for one in json.loads(text) if one["partition"] == 0 and one["topic"] == live.names.events[0]
    ]
    assert place["position"] < place["end"]
    offset = place["position"] + 50
    delete_below(live, 0, offset)
    worker = live.worker("w0", tmp_path / "state", "--set", "session_timeout_s=9")
    return worker, tmp_path / "w0.port", offset


def test_an_operators_command_goes_on_once_and_is_recorded(live: Live, tmp_path: Path) -> None:
    worker, port_file, offset = lost(live, tmp_path)
    text = await_ready(worker, port_file, lambda code, text: code == 503 and "partition 0: position" in text)
    assert "outside of the log" in text
    assert "partition 1" not in text or "running" in text
    assert worker.metrics()['trayecto_partition_lost{partition="0",reason="retention"}'] == 1
    assert re.search(r"partition resume --topology \S+ --broker \S+ --partition 0", worker.log.read_text())
    assert command(live, "list")[0] == 1

    code, text = command(live, "resume", "--partition", "1", "--from", "earliest", "--because", "a slip")
    assert code == 1, text
    code, text = command(live, "resume", "--partition", "0", "--from", "3", "--because", "a slip")
    assert code == 1, text
    assert not any(clock["resumed_at"] for number in (0, 1) for clock in clocks(live, number))

    given = ["resume", "--partition", "0", "--from", "earliest", "--by", "ana", "--because", "INC-12"]
    code, text = command(live, *given)
    assert code == 0, text
    await_ready(worker, port_file, lambda code, _: code == 200)
    code, text = command(live, *given)  # it was carried out: there is nothing more to do
    assert code == 1, text
    live.await_end(worker, after_ms=int(time.time() * 1000), timeout_s=60)
    assert worker.stop() == 0

    told = clocks(live, 0)
    (at,) = [index for index, clock in enumerate(told) if clock["resumed_at"]]
    topic = live.names.events[0]
    assert told[at]["positions"][topic] == offset
    assert told[at]["resumed_from"] == {topic: offset - 50}
    assert (told[at]["resumed_by"], told[at]["resumed_because"]) == ("ana", "INC-12")
    assert told[at]["watermark"] == told[at - 1]["watermark"]
    assert told[at + 1]["positions"][topic] > offset
    left = [record.offset for record in live.records(topic) if record.partition == 0]
    assert left[0] == offset
    assert told[-1]["positions"][topic] == left[-1] + 1

    again = live.worker("w0", tmp_path / "state")
    await_ready(again, port_file, lambda code, _: code == 200)
    assert again.stop() == 0
    assert sum(1 for clock in clocks(live, 0) if clock["resumed_at"]) == 1


def test_a_command_given_while_no_worker_runs_holds_for_an_empty_disk(live: Live, tmp_path: Path) -> None:
    worker, port_file, _ = lost(live, tmp_path)
    await_ready(worker, port_file, lambda code, text: code == 503 and "partition 0: position" in text)
    worker.kill()
    code, text = command(live, "resume", "--partition", "0", "--from", "latest", "--because", "INC-13")
    assert code == 0, text
    other = live.worker("w1", tmp_path / "another")
    await_ready(other, tmp_path / "w1.port", lambda code, _: code == 200, timeout_s=90)
    assert "is stopped" not in other.log.read_text()
    assert other.stop() == 0
