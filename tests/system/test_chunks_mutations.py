"""The tests of the worker are worth something: bugs planted in the protocol do not survive them.

Here they are planted in worker processes on a broker: a few, and all of them in ``make torture``. The others,
and most of these as well, are caught over a log in memory (``model/test_bugs``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from tests.system.chunks import Application, Worker, fault
from tests.system.counting import TIMER_ON, decode_event
from tests.system.model import bugs
from tests.system.model.planting import BUGS
from tests.system.mutations import MUTATIONS
from tests.system.test_chunks_positions import commit_offsets, delete_below
from tests.system.test_chunks_time import wait_timers

Make = Callable[..., Application]


@contextlib.contextmanager
def _dies(worker: Worker) -> Iterator[None]:
    """Whatever happens inside, the worker is killed."""
    try:
        yield
    finally:
        worker.signal(signal.SIGCONT)
        worker.kill()


def finish(app: Application, mutation: str, timeout_s: float = 25) -> None:
    """Let a worker finish, and compare."""
    with _dies(app.worker(mutation=mutation)):
        app.wait_processed(app.sent, timeout_s)
    app.assert_right(app.sent)


def crashes(make: Make, mutation: str) -> None:
    app = make()
    app.publish(20_000)
    for step in ("logged", "written", "produced", "committed"):
        worker = app.worker(mutation=mutation, faults=[fault(step, 3)], chunk_records_max=500)
        with contextlib.suppress(subprocess.TimeoutExpired), _dies(worker):
            worker.process.wait(15)
    finish(app, mutation)


def offsets(make: Make, mutation: str) -> None:
    app = make()
    app.publish(10_000)
    with _dies(app.worker(mutation=mutation, session_timeout_s=2.0)):
        app.wait_processed(app.sent)
    while app.members():
        time.sleep(0.2)
    commit_offsets(app, 100)
    app.publish(1_000, seed=2)
    with _dies(app.worker(mutation=mutation)):
        app.wait_processed(app.sent)
    app.assert_right(app.sent)


def retention(make: Make, mutation: str) -> None:
    app = make()
    app.publish(10_000)
    with _dies(app.worker(mutation=mutation)):
        app.wait_processed(app.sent)
    app.publish(10_000, seed=1)
    delete_below(app, app.sources[0], 7_000)
    worker = app.worker(mutation=mutation)
    with _dies(worker):
        worker.wait_for("is stopped", timeout_s=10)
    assert app.processed() == 10_000


def zombie(make: Make, mutation: str) -> None:
    """It is stopped between two transactions with much to do, and goes on while the other takes over."""
    app = make(partitions=1)
    app.publish(120_000)
    faults = [fault("written", 60, "stop")]
    first = app.worker("w0", mutation=mutation, session_timeout_s=2.0, chunk_records_max=200, faults=faults)
    with _dies(first):
        first.wait_for("is ready")
        time.sleep(3)  # it has stopped itself, and its session ends
        # It hears only after two seconds that the first is back.
        second = app.worker("w1", mutation=mutation, heartbeat_s=2.0, chunk_records_max=200)
        with _dies(second):
            second.wait_for("not fenced yet" if mutation.startswith("fenced") else "is ready")
            first.signal(signal.SIGCONT)
            app.wait_processed(app.sent, 40)
    app.assert_right(app.sent)


def aborted(make: Make, mutation: str) -> None:
    app = make()
    app.publish(2_000)
    publisher = Producer({"bootstrap.servers": app.broker, "transactional.id": f"{app.name}-aborts"})
    publisher.init_transactions(20)
    publisher.begin_transaction()
    for message in list(app.read(*app.sources))[:50]:
        publisher.produce(app.sources[0], message.value(), key=message.key())
    publisher.flush(20)
    publisher.abort_transaction(20)
    finish(app, mutation)


def open_transaction(make: Make, mutation: str) -> None:
    app = make()
    app.publish(500, contacts=100)
    publisher = Producer({"bootstrap.servers": app.broker, "transactional.id": f"{app.name}-slow"})
    publisher.init_transactions(20)
    publisher.begin_transaction()
    for number in range(app.partitions):
        publisher.produce(app.sources[0], b"\0\0\0\0\0", key="nobody", partition=number)
    assert publisher.flush(20) == 0
    with _dies(app.worker(mutation=mutation, timer_ms=200, grace_ms=200)):
        app.wait_processed(500)
        assert wait_timers(app, 1, 5) == {}


def wiped(make: Make, mutation: str) -> None:
    app = make()
    app.publish(500, contacts=100)
    with _dies(app.worker(mutation=mutation, timer_ms=8_000, grace_ms=200)):
        app.wait_processed(500)
    shutil.rmtree(app.folder / "w0")
    carts = {m.key() for m in app.read(*app.sources) if decode_event(m.value() or b"")["type"] == TIMER_ON}
    with _dies(app.worker(mutation=mutation, timer_ms=8_000, grace_ms=200)):
        assert len(wait_timers(app, len(carts), 15)) == len(carts)


def unknown(make: Make, mutation: str) -> None:
    """Transactions of which the worker does not know whether they were committed: one was, one was not."""
    app = make()
    app.publish(20_000)
    faults = [fault("committed", 5, "raise"), fault("logged", 15, "raise"), fault("committed", 25, "raise")]
    worker = app.worker(mutation=mutation, faults=faults, chunk_records_max=250)
    with _dies(worker):
        app.wait_processed(app.sent, 20)
    app.assert_right(app.sent)


SCENARIOS: dict[str, Callable[[Make, str], None]] = {
    "written_before_the_commit": crashes,
    "outputs_outside_of_the_transaction": crashes,
    "position_from_the_group": offsets,
    "begins_at_earliest_when_lost": retention,
    "fenced_after_the_restore": zombie,
    "nobody_is_fenced": zombie,
    "markers_not_counted": crashes,
    "restores_what_was_aborted": crashes,
    "reads_what_was_aborted": aborted,
    "the_end_is_the_last_stable_offset": open_transaction,
    "timers_not_rebuilt": wiped,
    "the_transaction_is_tried_again": unknown,
    "restarts_without_a_restore": unknown,
}


# What the verifier has to say of each; or that nothing was done any more, or something that must not be.
SAYS = {
    "written_before_the_commit": r"'missing': [1-9]",
    "outputs_outside_of_the_transaction": r"'twice': [1-9]",
    "position_from_the_group": r"'twice': [1-9]",
    "begins_at_earliest_when_lost": r"no 'is stopped'",
    "fenced_after_the_restore": r"'twice': [1-9]",
    "nobody_is_fenced": r"'twice': [1-9]",
    "markers_not_counted": r"of \d+ events",
    "restores_what_was_aborted": r"'missing': [1-9]",
    "reads_what_was_aborted": r"'twice': [1-9]",
    "the_end_is_the_last_stable_offset": r"timer-c",
    "timers_not_rebuilt": r"assert \d+ == \d+",
    "the_transaction_is_tried_again": r"'twice': [1-9]",
    "restarts_without_a_restore": r"'twice': [1-9]",
}
# Those that the log in memory (``model``) does not show, and those that show that it and a broker agree.
ON_A_BROKER = {
    "nobody_is_fenced",
    "outputs_outside_of_the_transaction",
    "reads_what_was_aborted",
    "the_end_is_the_last_stable_offset",
}
NAMES = sorted(SCENARIOS if os.environ.get("TORTURE_BUGS") == "all" else ON_A_BROKER)


def test_every_bug_has_a_scenario():
    assert SCENARIOS.keys() == MUTATIONS.keys() == SAYS.keys()
    assert SCENARIOS.keys() - BUGS.keys() <= ON_A_BROKER
    assert bugs.__all__ == []  # it is there for what it plants


@pytest.mark.parametrize("scenario", list(dict.fromkeys(SCENARIOS[name] for name in NAMES)))
def test_without_a_bug_every_scenario_is_right(chunk_application, scenario):
    scenario(chunk_application, "")


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_bug_is_caught(chunk_application, name: str):
    with pytest.raises(AssertionError, match=SAYS[name]):
        SCENARIOS[name](chunk_application, name)
