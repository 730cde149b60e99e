"""What a tripped breaker holds is released by one recorded command, once for every contact, over kills."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtests.live import Live, Process
from processor.cli.app import app
from processor.core.time import format_time

CONTACTS, ALLOWED, PARTITIONS = 400, 10, 4
TOPOLOGY = f"""\
topology: braked
events: {{signed_up: {{}}}}
purposes: {{service: {{consent: not_required}}}}
channels: {{email: {{}}, ops: {{kind: alert}}}}
policies: {{breaker: {{more_than: {ALLOWED}, per: 1d, alert: ops}}}}
"""
PROGRAM = """\
program: welcome
purpose: service
entry: {on: signed_up}
steps: [{send: email, template: hello}]
"""


@pytest.fixture
def live(tmp_path: Path, kafka: Any, fresh_name: Any) -> Live:
    source = tmp_path / "source"
    (source / "programs").mkdir(parents=True)
    (source / "topology.yaml").write_text(TOPOLOGY, encoding="utf-8")
    (source / "programs" / "welcome.yaml").write_text(PROGRAM, encoding="utf-8")
    return Live(tmp_path / "topology", source, kafka.address, f"{fresh_name('braked')}.", PARTITIONS)


@pytest.fixture
def start(live: Live, tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Start the worker; one that a failing test leaves behind is killed."""
    started: list[Process] = []

    def one() -> Process:
        started.append(live.worker("w0", tmp_path / "state"))
        return started[-1]

    yield one
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()


def lines(live: Live, topic: str, subject: str) -> list[dict[str, Any]]:
    return [json.loads(line) for _, line in live.lines(topic, subject)]


def kinds(live: Live) -> Counter[tuple[str, str]]:
    found = lines(live, live.names.decisions, "decision")
    return Counter((one["kind"], one["reason"] or "") for one in found)


def awaited(live: Live, worker: Process, holds: Callable[[Counter[tuple[str, str]]], bool]) -> None:
    end = time.monotonic() + 60
    while not holds(found := kinds(live)):
        assert worker.process.poll() is None, worker.log.read_text()[-3000:]
        assert time.monotonic() < end, (found, worker.log.read_text()[-3000:])
        time.sleep(0.3)


def test_one_command_releases_each_once_though_the_worker_dies(
    live: Live, start: Callable[[], Process], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    began_ms = int(time.time() * 1000) - 600_000  # what is held expires a week later
    with log.open("w", encoding="utf-8") as file:
        for number in range(CONTACTS):
            at = format_time(began_ms + number)
            contact = {"event_id": f"e-{number}", "contact_id": f"c-{number}", "type": "signed_up"}
            file.write(json.dumps({**contact, "occurred_at": at, "properties": {}}) + "\n")
    live.publish(log)
    worker = start()
    awaited(live, worker, lambda found: found["commanded", ""] + found["held", "breaker"] >= CONTACTS)
    found = kinds(live)
    given = found["commanded", ""]
    assert ALLOWED <= given < CONTACTS, found  # what was given while word was on its way went out as well
    assert found["braked", "tripped"] == 1
    alarms = lines(live, live.names.commands["ops"], "command")
    assert [(one["kind"], one["contact_id"], one["program"]) for one in alarms] == [("alarm", "", "welcome")]
    assert worker.metrics()['trayecto_program_braked{brake="breaker",program="welcome"}'] == 1

    where = ["--topology", str(live.folder), "--broker", live.settings.broker]
    listed = CliRunner().invoke(app, ["held", "list", "-o", "json", *where])
    assert listed.exit_code == 1, listed.output
    held = json.loads(listed.stdout)
    assert [(one["program"], one["breaker_tripped"]) for one in held["programs"]] == [("welcome", True)]
    assert len({one["contact_id"] for one in held["held"]}) == CONTACTS - given
    done = CliRunner().invoke(app, ["held", "release", "welcome", "--because", "a sale", *where])
    assert done.exit_code == 0, done.output
    for pause_s in (0.05, 0.6):
        time.sleep(pause_s)
        worker.kill()
        worker = start()
    awaited(live, worker, lambda found: found["let_go", "release"] >= CONTACTS - given)
    live.await_end(worker, after_ms=int(time.time() * 1000), timeout_s=60)
    metrics = worker.metrics()
    assert worker.stop() == 0
    found = kinds(live)
    assert found["let_go", "release"] == found["held", "breaker"] == CONTACTS - given
    assert found["braked", "release"] == 1
    emails = lines(live, live.names.commands["email"], "command")
    assert Counter(one["contact_id"] for one in emails) == {f"c-{number}": 1 for number in range(CONTACTS)}
    assert len({one["command_id"] for one in emails}) == len(emails)
    assert metrics['trayecto_program_braked{brake="breaker",program="welcome"}'] == 0
    assert CliRunner().invoke(app, ["held", "list", *where]).exit_code == 0
