"""The worker over secured connections, with a registry, under Faust's command line, and refusing to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from loadtests.live import Live
from tests.system.rounds import TEN, embedded, write_log
from tests.system.test_worker import check_equal

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def live(tmp_path: Path, kafka: Any, fresh_name: Any) -> Live:
    return Live(tmp_path / "topology", TEN, kafka.address, f"{fresh_name('con')}.", 2)


@pytest.mark.parametrize("kind", ["scram", "tls"])
def test_it_works_over_a_secured_connection(live: Live, tmp_path: Path, kafka: Any, kind: str) -> None:
    if kind == "scram":
        options = ["--broker", kafka.scram_address, "--security", "SASL_PLAINTEXT", "--user", kafka.user]
        variables = {"TRAYECTO_PASSWORD": kafka.password}
    else:
        options = ["--broker", kafka.tls_address, "--security", "SSL", "--ca-file", str(kafka.ca)]
        variables = {
            "TRAYECTO_CERT_FILE": str(kafka.client_certificate),
            "TRAYECTO_KEY_FILE": str(kafka.client_key),
        }
    log = write_log(tmp_path / "log.jsonl", 600, 90)
    live.publish(log)
    until_ms = int(time.time() * 1000)
    worker = live.worker("w0", tmp_path / "state", *options, **variables)
    live.await_end(worker, after_ms=until_ms, timeout_s=90)
    assert worker.stop() == 0
    assert kafka.password not in worker.log.read_text()
    assert check_equal(live, embedded(tmp_path, log, until_ms, 2), until_ms) > 50


def test_with_a_registry_values_carry_its_ids(
    tmp_path: Path, kafka: Any, registry: Any, fresh_name: Any
) -> None:
    prefix = f"{fresh_name('reg')}."
    live = Live(tmp_path / "topology", TEN, kafka.address, prefix, 2, registry=registry.url)
    log = write_log(tmp_path / "log.jsonl", 600, 90)
    live.publish(log)
    until_ms = int(time.time() * 1000)
    worker = live.worker("w0", tmp_path / "state")
    live.await_end(worker, after_ms=until_ms, timeout_s=90)
    assert worker.stop() == 0
    values = [record.value or b"" for record in live.records(live.names.decisions)]
    assert values
    assert all(value[:1] == b"\0" for value in values)
    check_equal(live, embedded(tmp_path, log, until_ms, 2), until_ms)


def test_the_app_runs_under_fausts_own_command_line(live: Live, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", 600, 90)
    live.publish(log)
    env = os.environ | {
        "TRAYECTO_TOPOLOGY": str(live.folder),
        "TRAYECTO_BROKER": live.settings.broker,
        "TRAYECTO_STATE": str(tmp_path / "state"),
        "TRAYECTO_NAME": "faust",
    }
    command = [sys.executable, "-m", "faust", "-A", "processor.runtime.faust.serving:app", "worker"]
    with (tmp_path / "faust.log").open("wb") as out:
        process = subprocess.Popen([*command, "--without-web"], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not any(live.records(live.names.decisions)):
            assert process.poll() is None, (tmp_path / "faust.log").read_text()[-3000:]
            time.sleep(0.5)
        assert any(live.records(live.names.decisions))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def ended(state: Path, **variables: str) -> tuple[int, bytes]:
    """Start a worker that cannot: its exit code, and what it said."""
    code = "from processor.cli import main; main()"
    folder = variables.pop("TRAYECTO_TOPOLOGY_FOLDER", str(TEN))
    arguments = [sys.executable, "-c", code, "worker", "--topology", folder, "--state", str(state)]
    env = os.environ | variables
    done = subprocess.run(arguments, cwd=ROOT, env=env, capture_output=True, timeout=90, check=False)
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_topics_that_take_anybodys_time_are_refused(live: Live, tmp_path: Path) -> None:
    code, said = ended(
        tmp_path / "state", TRAYECTO_BROKER=live.settings.broker, TRAYECTO_TOPOLOGY_FOLDER=str(live.folder)
    )
    assert code == 1
    assert b"message.timestamp.type is CreateTime and has to be LogAppendTime" in said


def test_without_topics_it_refuses_and_says_what_to_do(tmp_path: Path, kafka: Any) -> None:
    code, said = ended(tmp_path / "state", TRAYECTO_BROKER=kafka.address)
    assert code == 1
    assert b"trayecto topics create" in said


def test_without_a_broker_it_says_so_and_exits_with_3(tmp_path: Path) -> None:
    code, said = ended(tmp_path / "state", TRAYECTO_BROKER="127.0.0.1:1", TRAYECTO_TIMEOUT_S="3")
    assert code == 3
    assert b"127.0.0.1:1" in said
