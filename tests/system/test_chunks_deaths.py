"""Whatever dies, and whenever: every event counts once, in order, and every command is there once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from processor.runtime.faust.commit import STEPS
from tests.system.chunks import Application, fault


def test_kill_nine_under_load(chunk_application):
    app: Application = chunk_application()
    rng = random.Random(11)
    app.publish(60_000, contacts=5_000)
    for turn in range(4):
        worker = app.worker()
        worker.wait_for("is ready", times=app.partitions)
        app.publish(40_000, contacts=5_000, seed=turn)
        time.sleep(rng.random())
        worker.kill()
    last = app.worker()
    app.wait_processed(app.sent)
    assert last.stop() == 0
    app.assert_right(220_000)


def test_killed_between_every_two_steps(chunk_application):
    app: Application = chunk_application()
    app.publish(60_000)
    for number, step in enumerate(STEPS):
        worker = app.worker(faults=[fault(step, 2 + number % 3)], chunk_records_max=500)
        assert worker.process.wait(30) == -signal.SIGKILL, worker.log.read_text()
    last = app.worker()
    app.wait_processed(app.sent)
    assert last.stop() == 0
    app.assert_right(60_000)


def test_a_time_out_after_every_step(chunk_application):
    """The outcome is not known to the worker; in truth the transaction is open, or committed."""
    app: Application = chunk_application()
    app.publish(60_000)
    faults = [
        fault(step, 3 + 4 * number + turn, "raise") for number, step in enumerate(STEPS) for turn in (0, 30)
    ]
    worker = app.worker(faults=faults, chunk_records_max=500)
    app.wait_processed(app.sent)
    worker.wait_for("starts anew", times=len(faults))
    assert worker.stop() == 0
    app.assert_right(60_000)


def test_a_wiped_disk_and_one_that_fell_behind(chunk_application):
    app: Application = chunk_application()
    app.publish(30_000)
    first = app.worker("w0")
    app.wait_processed(app.sent)
    first.kill()
    copy = app.folder / "copy"
    shutil.copytree(app.folder / "w0", copy)
    shutil.rmtree(app.folder / "w0")
    app.publish(30_000, seed=8)
    second = app.worker("w0")  # nothing on its disk
    app.wait_processed(app.sent)
    assert second.stop() == 0
    shutil.rmtree(app.folder / "w0")
    copy.rename(app.folder / "w0")
    app.publish(10_000, seed=9)
    third = app.worker("w0")  # half of it on its disk
    app.wait_processed(app.sent)
    assert third.stop() == 0
    app.assert_right(70_000)


def test_a_zombie_is_fenced_and_comes_back(chunk_application):
    app: Application = chunk_application()
    app.publish(40_000)
    zombie = app.worker("w0")
    zombie.wait_for("is ready", times=app.partitions)
    app.publish(60_000, seed=1)
    zombie.signal(signal.SIGSTOP)
    other = app.worker("w1")
    app.wait_processed(app.sent)
    app.publish(40_000, seed=2)
    zombie.signal(signal.SIGCONT)  # in the middle of whatever it did, beyond its session
    app.publish(40_000, seed=3)
    app.wait_processed(app.sent)
    zombie.wait_for("is ready", times=app.partitions + 1)
    other.kill()
    app.publish(20_000, seed=4)
    app.wait_processed(app.sent)
    assert zombie.stop() == 0
    app.assert_right(200_000)


def test_one_worker_two_workers_one_worker(chunk_application):
    app: Application = chunk_application(partitions=4)
    app.publish(40_000)
    first = app.worker("w0")
    first.wait_for("is ready", times=4)
    app.publish(40_000, seed=1)
    second = app.worker("w1", leave=True)
    second.wait_for("is ready", times=1)
    app.publish(40_000, seed=2)
    app.wait_processed(app.sent)
    app.publish(40_000, seed=3)
    assert second.stop() == 0
    app.publish(20_000, seed=4)
    app.wait_processed(app.sent)
    assert first.stop() == 0
    app.assert_right(180_000)


def test_a_broker_that_is_killed(chunk_application, own_kafka):
    app: Application = chunk_application(own_kafka.address)
    app.publish(60_000)
    worker = app.worker()
    worker.wait_for("is ready", times=app.partitions)
    app.publish(60_000, seed=1)
    own_kafka.kill()
    time.sleep(2)
    own_kafka.start()
    app.publish(20_000, seed=2)
    app.wait_processed(app.sent, timeout_s=90)
    assert worker.stop() == 0
    app.assert_right(140_000)


@pytest.mark.parametrize("frozen_s", [3.0, 8.0])
def test_a_commit_of_unknown_outcome(chunk_application, own_kafka, frozen_s: float):
    """The broker does not answer for longer than a commit may take, then goes on with what it was sent."""
    app: Application = chunk_application(own_kafka.address)
    app.publish(100_000)
    worker = app.worker(commit_timeout_s=1.5, chunk_records_max=500)
    worker.wait_for("is ready", times=app.partitions)
    for _ in range(2):
        time.sleep(0.3)
        os.kill(own_kafka.pid, signal.SIGSTOP)
        try:
            time.sleep(frozen_s)
        finally:
            os.kill(own_kafka.pid, signal.SIGCONT)
        app.publish(20_000, seed=app.sent)
    worker.wait_for("starts anew")
    app.wait_processed(app.sent, timeout_s=90)
    assert worker.stop() == 0
    app.assert_right(140_000)


def folders_of(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.glob("partition-*"))


def test_sigterm_drains_and_keeps_the_membership(chunk_application):
    app: Application = chunk_application()
    app.publish(40_000)
    worker = app.worker()
    worker.wait_for("is ready", times=app.partitions)
    app.publish(40_000, seed=1)
    begun = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - begun < 8
    other = app.worker("w1")
    again = app.worker("w0")
    app.wait_processed(app.sent)
    other.wait_for("is ready")
    owned = other.log.read_text().count("is ready")
    assert again.stop() == 0
    once_more = app.worker("w0")
    once_more.wait_for("is ready")
    app.publish(10_000, seed=2)
    app.wait_processed(app.sent)
    assert other.log.read_text().count("is ready") == owned  # nobody else had to hand over for the restart
    assert once_more.stop() == 0
    assert other.stop() == 0
    app.assert_right(90_000)


def test_who_leaves_for_good_is_gone_at_once(chunk_application):
    app: Application = chunk_application()
    app.publish(5_000)
    worker = app.worker(leave=True, session_timeout_s=9.0)
    app.wait_processed(app.sent)
    assert app.members() == ["w0"]
    assert worker.stop() == 0
    assert app.members() == []
    app.assert_right(5_000)


def test_two_workers_with_one_name(chunk_application):
    app: Application = chunk_application()
    app.publish(5_000)
    first = app.worker("w0")
    app.wait_processed(app.sent)
    same_folder = app.worker("w0")
    assert same_folder.process.wait(30) != 0
    same_folder.wait_for("runs on the state in")
    elsewhere = app.worker("w0", state=str(app.folder / "elsewhere"))
    assert first.process.wait(30) != 0  # the broker lets the latest have the name
    first.wait_for("another worker has joined the group")
    app.publish(20_000, seed=1)
    app.wait_processed(app.sent)
    assert elsewhere.stop() == 0
    app.assert_right(25_000)
