"""How far time has come: by the log, and at its end by what was asked when."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

from confluent_kafka import Producer

from tests.system.chunks import Application
from tests.system.counting import TIMER_ON, decode_event


def timers(app: Application) -> dict[str, int]:
    """The commands that timers yielded, and when they were appended (ms)."""
    found = {}
    for message in app.read(f"{app.name}-commands"):
        name = json.loads(message.value() or b"")["id"]
        if name.startswith("timer-"):
            assert name not in found
            found[name] = message.timestamp()[1]
    return found


def wait_timers(app: Application, count: int, timeout_s: float) -> dict[str, int]:
    deadline = time.monotonic() + timeout_s
    while len(found := timers(app)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_timers_fire_at_the_logs_end(chunk_application):
    app: Application = chunk_application()
    app.publish(2_000, contacts=200)
    worker = app.worker(timer_ms=1_000, grace_ms=500)
    app.wait_processed(app.sent)
    carts = {m.key() for m in app.read(*app.sources) if decode_event(m.value() or b"")["type"] == TIMER_ON}
    assert len(carts) > 50
    assert len(wait_timers(app, len(carts), 15)) == len(carts)
    assert worker.stop() == 0
    app.assert_right(2_000)


def test_no_timer_before_an_open_transaction_is_read(chunk_application):
    """Its records lie below the high watermark and above the last stable offset: the end is not reached."""
    app: Application = chunk_application(partitions=1)
    app.publish(500, contacts=100)
    publisher = Producer({"bootstrap.servers": app.broker, "transactional.id": f"{app.name}-slow"})
    publisher.init_transactions(20)
    publisher.begin_transaction()
    publisher.produce(app.sources[0], b"\0\0\0\0\0", key="nobody")
    assert publisher.flush(20) == 0
    worker = app.worker(timer_ms=200, grace_ms=200)
    app.wait_processed(500)
    assert wait_timers(app, 1, 5) == {}
    publisher.abort_transaction(20)
    assert len(wait_timers(app, 10, 10)) >= 10
    assert worker.stop() == 0


def test_time_stands_still_while_the_broker_does_not_answer(chunk_application, own_kafka):
    """A purchase that waits in the log is read before the timer that it would have stopped."""
    app: Application = chunk_application(own_kafka.address, partitions=1)
    app.publish(200, contacts=50)
    worker = app.worker(timer_ms=4_000, grace_ms=200)
    app.wait_processed(app.sent, timeout_s=20)
    worker.signal(signal.SIGSTOP)
    app.publish(200, contacts=50, seed=3)
    time.sleep(5)  # every timer is due by the clock on the wall
    worker.signal(signal.SIGCONT)
    app.wait_processed(app.sent)
    fired = wait_timers(app, 10, 15)
    assert len(fired) >= 10
    # The events that waited came first: every command of theirs lies before every timer's.
    kinds = [is_timer(m) for m in app.read(f"{app.name}-commands")]
    assert kinds == sorted(kinds)
    assert worker.stop() == 0


def is_timer(message: Any) -> bool:
    return bool(json.loads(message.value() or b"")["id"].startswith("timer-"))


def test_several_sources_are_one_order(chunk_application):
    app: Application = chunk_application(sources=3)
    app.publish(60_000, contacts=3_000)
    worker = app.worker()
    worker.wait_for("is ready", times=app.partitions)
    app.publish(30_000, contacts=3_000, seed=1)
    worker.kill()
    second = app.worker(timer_ms=500, grace_ms=200)
    app.publish(30_000, contacts=3_000, seed=2)
    app.wait_processed(app.sent)
    assert len(wait_timers(app, 100, 15)) >= 100
    assert second.stop() == 0
    app.assert_right(120_000)


def test_a_source_written_in_transactions(chunk_application):
    """Markers and aborted records are no records, and take offsets."""
    app: Application = chunk_application()
    worker = app.worker(timer_ms=300, grace_ms=200)
    for turn in range(5):
        app.publish(2_000, seed=turn, transactional=True)
        publisher = Producer({"bootstrap.servers": app.broker, "transactional.id": f"{app.name}-aborts"})
        publisher.init_transactions(20)
        publisher.begin_transaction()
        for number in range(50):
            publisher.produce(app.sources[0], b"\0\0\0\0\1never", key=f"never{number}")
        publisher.flush(20)
        publisher.abort_transaction(20)
        worker.wait_for("is ready", times=app.partitions)
        if turn == 2:
            worker.kill()
            worker = app.worker(timer_ms=300, grace_ms=200)
    app.wait_processed(app.sent)
    assert len(wait_timers(app, 50, 15)) >= 50
    assert worker.stop() == 0
    app.assert_right(10_000)
