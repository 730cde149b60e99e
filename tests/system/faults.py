"""Everything that goes wrong in ``make torture``, each over a log under load; CI runs the same with less.

A fault is a function of :class:`Rounds` and of how many rounds; it returns the verdict. How they are called
here is how they are called in the table of results.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from confluent_kafka import Producer

from processor.runtime.broker.kafka import LocalKafka
from processor.runtime.faust.commit import STEPS
from tests.system.rounds import PARTITIONS, Faulty, Rounds

__all__ = ["FAULTS", "Fault", "ShortIds"]

Verdict = dict[str, int]
IDS_EXPIRE_MS = 2_000


class ShortIds(LocalKafka):
    """A broker that forgets transactional ids which were idle for two seconds."""

    def _write_settings(self) -> None:
        super()._write_settings()
        with (self.folder / "server.properties").open("a", encoding="utf-8") as file:
            file.write(f"transactional.id.expiration.ms={IDS_EXPIRE_MS}\n")
            file.write("transaction.remove.expired.transaction.cleanup.interval.ms=500\n")


class Fault(NamedTuple):
    """``run(rounds, times, broker)``; ``half``: only the first half of the log is published beforehand."""

    run: Callable[[Rounds, int, Any], Verdict]
    times: int
    half: bool = False
    short_ids: bool = False


FAULTS: dict[str, Fault] = {}


def _fault(
    name: str, times: int, **options: bool
) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
    def keep(run: Callable[..., Verdict]) -> Callable[..., Verdict]:
        FAULTS[name] = Fault(run, times, **options)
        return run

    return keep


def _places(r: Rounds, times: int) -> list[float]:
    """So many places in the log, spread over it."""
    return [0.9 * (turn + r.rng.uniform(0.2, 1.0)) / times for turn in range(times)]


@_fault("kill -9 of the worker", 10)
def killed(r: Rounds, times: int, _: object) -> Verdict:
    worker = r.worker(chunk_records_max=r.log.events // 200)
    for place in _places(r, times):
        worker.wait_for("is ready")
        r.wait_done(place)
        worker.kill()
        worker = r.worker(chunk_records_max=r.log.events // 200)
    return r.finish(worker)


@_fault("killed between every two steps of a commit", 2)
def killed_at_steps(r: Rounds, times: int, _: object) -> Verdict:
    for _turn in range(times):
        for step in STEPS:
            faults = [{"step": step, "nth": r.rng.randrange(1, 6), "action": "kill"}]
            worker = r.worker(faults=faults, chunk_records_max=r.log.events // 200)
            assert worker.process.wait(60) == -signal.SIGKILL, r.said()
    return r.finish(r.worker())


@_fault("a time-out of unknown outcome after every step", 2)
def timed_out_at_steps(r: Rounds, times: int, _: object) -> Verdict:
    faults = [
        {"step": step, "nth": 2 + 3 * (turn * len(STEPS) + number) + r.rng.randrange(3), "action": "raise"}
        for turn in range(times)
        for number, step in enumerate(STEPS)
    ]
    worker = r.worker(faults=faults, chunk_records_max=r.log.events // 200)
    worker.wait_for("starts anew", times=len(faults))
    return r.finish(worker)


@_fault("commits that the broker does not answer in time", 3)
def unanswered(r: Rounds, times: int, broker: LocalKafka) -> Verdict:
    worker = r.worker(commit_timeout_s=1.5, chunk_records_max=r.log.events // 100)
    for place in _places(r, times):
        r.wait_done(place)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            time.sleep(r.rng.uniform(2.0, 4.0))
        finally:
            os.kill(broker.pid, signal.SIGCONT)
    worker.wait_for("starts anew")
    return r.finish(worker)


@_fault("one worker, three workers, one worker", 1)
def scaled(r: Rounds, times: int, _: object) -> Verdict:
    first = r.worker()
    places = _places(r, 2 * times)
    for turn in range(times):
        r.wait_done(places[2 * turn])
        others = [r.worker(f"w{number}", leave=True) for number in (1, 2)]
        for other in others:
            other.wait_for("is ready")
        r.wait_done(places[2 * turn + 1])
        assert [other.stop() for other in others] == [0, 0]
    return r.finish(first)


@_fault("stopped beyond its session, continued as a zombie", 2)
def zombie(r: Rounds, times: int, _: object) -> Verdict:
    """It stops itself in the middle of a transaction; another takes over; it is continued and takes part."""
    places = _places(r, 2 * times)
    worker = r.worker("z0")
    for turn in range(times):
        r.wait_done(places[2 * turn])
        worker.process.send_signal(signal.SIGSTOP)
        other = r.worker(f"z{turn + 1}")
        other.wait_for("is ready", times=PARTITIONS)
        r.wait_done(places[2 * turn + 1])
        worker.process.send_signal(signal.SIGCONT)
        worker.wait_for("is ready", times=PARTITIONS + 1)  # it has joined anew, and has some of them
        worker.kill()
        worker = other
    return r.finish(worker)


@_fault("kill -9 of the broker", 2)
def broker_killed(r: Rounds, times: int, broker: LocalKafka) -> Verdict:
    worker = r.worker()
    for place in _places(r, times):
        r.wait_done(place)
        broker.kill()
        time.sleep(r.rng.uniform(0.5, 3.0))
        broker.start()
    return r.finish(worker)


@_fault("the local disk wiped", 2)
def wiped(r: Rounds, times: int, _: object) -> Verdict:
    worker = r.worker()
    for place in _places(r, times):
        r.wait_done(place)
        worker.kill()
        shutil.rmtree(worker.state)
        worker = r.worker()
    return r.finish(worker)


@_fault("the local disk full", 2)
def disk_full(r: Rounds, times: int, _: object) -> Verdict:
    """Its files can grow no more, and later they can; the worker itself goes on all the while.

    By the limit of the size of a process's files: a write beyond it fails as on a full disk, at any user's
    bidding, where a small file system would take an administrator's.
    """
    worker = r.worker(chunk_records_max=r.log.events // 100)
    for place in _places(r, times):
        r.wait_done(place)
        before = restarts(worker)
        limit_files(worker, 1)
        deadline = time.monotonic() + 60
        # A quick worker may have been through with some partitions, or all, before it could write no more.
        while restarts(worker) < before + 1 and r.done() < 1:
            assert time.monotonic() < deadline, f"{restarts(worker)} restarts: {r.said()}"
            time.sleep(0.1)
        limit_files(worker, resource.RLIM_INFINITY)
    return r.finish(worker)


def restarts(worker: Faulty) -> float:
    """How often its partitions began anew. Its log says nothing of a full disk, being on it."""
    return worker.metrics().get("trayecto_partition_restarts_total", 0.0)


def limit_files(worker: Faulty, size_max: int) -> None:
    """Let the files that a worker writes, its log included, have so many bytes at most."""
    _, most = resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (size_max, most))


def left_open(r: Rounds, stays_open_s: float) -> None:
    """A publisher's transaction in every partition behind the first half; only the broker ends it."""
    topic = r.live.names.events[0]
    publisher = Producer(
        {
            "bootstrap.servers": r.live.settings.broker,
            "transactional.id": f"{topic}-lost",
            "transaction.timeout.ms": int(stays_open_s * 1000),
        }
    )
    publisher.init_transactions(30)
    publisher.begin_transaction()
    record = next(iter(r.live.records(topic)))
    for number in range(PARTITIONS):
        publisher.produce(topic, record.value, record.key, number, timestamp=record.timestamp_ms)
    assert publisher.flush(30) == 0
    r.live.publish(r.log.halves[1])


def _behind_an_open_transaction(r: Rounds, stays_open_s: float) -> Faulty:
    left_open(r, stays_open_s)
    worker = r.worker()
    r.wait_done(0.4)
    time.sleep(1)
    assert r.done() <= 0.5, "it has read behind a transaction that is open"
    return worker


@_fault("an upstream transaction left open", 1, half=True)
def upstream_open(r: Rounds, _: int, __: object) -> Verdict:
    return r.finish(_behind_an_open_transaction(r, 12.0))


@_fault("a transactional id that expired while idle", 1, half=True, short_ids=True)
def id_expired(r: Rounds, _: int, __: object) -> Verdict:
    """A worker waits behind an open transaction for so long that the broker forgets its own ids."""
    worker = _behind_an_open_transaction(r, 12.0)
    r.wait_done(0.55)
    worker.wait_for("is ready", times=PARTITIONS + 1)
    return r.finish(worker)
