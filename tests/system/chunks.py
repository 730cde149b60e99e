"""What the tests of the worker share: topics and events, worker processes, and an independent verifier."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.system.counting import TYPES, encode_event
from tests.system.verdict import RIGHT, Seen, verdict

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = [30, 10, 45, 8, 5, 2]


class Application:
    """One application on a broker: its topics, its events, its workers and the verdict over them."""

    def __init__(
        self, broker: str, folder: Path, name: str, *, partitions: int = 2, sources: int = 1
    ) -> None:
        self.broker = broker
        self.folder = folder
        self.name = name
        self.partitions = partitions
        self.sources = [f"{name}-events{number}" for number in range(sources)]
        self.options: dict[str, Any] = {}
        self.started: list[subprocess.Popen[bytes]] = []
        self.sent = 0
        topics = [NewTopic(topic, partitions, 1, config=_LOG_TIME) for topic in self.sources]
        topics.append(NewTopic(f"{name}-commands", partitions, 1))
        admin = AdminClient({"bootstrap.servers": broker})  # its futures fail once it is collected
        for future in admin.create_topics(topics).values():
            future.result()

    # --- events

    def publish(
        self, count: int, *, contacts: int = 2_000, seed: int = 7, transactional: bool = False
    ) -> None:
        """Append events, spread over the source topics."""
        rng = random.Random(seed)
        settings = {"bootstrap.servers": self.broker, "linger.ms": 20, "batch.size": 262_144}
        settings["partitioner"] = "murmur2_random"
        if transactional:
            settings["transactional.id"] = f"{self.name}-publisher"
        producer = Producer(settings)
        if transactional:
            producer.init_transactions()
            producer.begin_transaction()
        for number in range(self.sent, self.sent + count):
            contact = f"c{rng.randrange(contacts):07d}"
            value = encode_event(number, contact, rng.choices(TYPES, WEIGHTS)[0], rng)
            topic = self.sources[number % len(self.sources)]
            while True:
                try:
                    producer.produce(topic, value, key=contact)
                    break
                except BufferError:
                    producer.poll(0.1)
            if number % 1_000 == 0:
                producer.poll(0)
        self.sent += count
        if transactional:
            producer.commit_transaction()
        assert producer.flush(60) == 0

    # --- workers

    def worker(self, name: str = "w0", **options: Any) -> Worker:
        """Start a worker process."""
        settings = {
            "app": self.name,
            "broker": self.broker,
            "sources": self.sources,
            "partitions": self.partitions,
            "state": str(self.folder / name),
            "name": name,
            "session_timeout_s": 6.0,
            "heartbeat_s": 0.5,
            "commit_timeout_s": 8.0,
            "transaction_timeout_s": 12.0,
            "request_timeout_s": 10.0,
            "rebalance_timeout_s": 20.0,
            "stop_timeout_s": 9.0,
            **self.options,
            **options,
        }
        number = len(self.started)
        path = self.folder / f"worker-{number}.json"
        path.write_text(json.dumps(settings))
        log = self.folder / f"worker-{number}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.counting", str(path)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return Worker(process, log)

    def close(self) -> None:
        """End what is still running."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(10)

    # --- what is there

    def processed(self) -> int:
        """Return how many events the changelog says were processed."""
        shared = {m.partition(): m.value() for m in self.read(self.changelog) if m.key() == b"s"}
        return sum(json.loads(value)["events"] for value in shared.values() if value)

    @property
    def changelog(self) -> str:
        """The changelog topic."""
        return f"{self.name}-rows-changelog"

    def wait_processed(self, count: int, timeout_s: float = 60) -> None:
        """Wait until that many events are processed. Raises AssertionError in time."""
        deadline = time.monotonic() + timeout_s
        while (reached := self.processed()) < count:
            assert time.monotonic() < deadline, f"{reached} of {count} events: {self.logs()}"
            assert any(process.poll() is None for process in self.started), f"no worker runs: {self.logs()}"
            time.sleep(0.3)

    def members(self) -> list[str]:
        """Return the names of the group's members."""
        group = self._group()
        return sorted(str(member.group_instance_id) for member in group.members)

    def _group(self) -> Any:
        admin = AdminClient({"bootstrap.servers": self.broker})
        return admin.describe_consumer_groups([self.name])[self.name].result(10)

    def logs(self) -> str:
        """Return the ends of the workers' logs."""
        paths = sorted(self.folder.glob("worker-*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in paths)

    def read(self, *topics: str) -> Iterator[Message]:
        """Read whole topics, committed records only."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker,
                "group.id": "verify",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )
        known = consumer.list_topics(timeout=10).topics
        wanted = [(topic, number) for topic in topics if topic in known for number in known[topic].partitions]
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in wanted])
        ended: set[tuple[str, int]] = set()
        deadline = time.monotonic() + 120
        while len(ended) < len(wanted):
            assert time.monotonic() < deadline, f"no end of {wanted}"
            for message in consumer.consume(5_000, 1.0):
                if message.error():
                    ended.add((message.topic() or "", message.partition() or 0))
                else:
                    yield message
        consumer.close()

    def seen(self, *topics: str) -> Iterator[Seen]:
        """Every committed record of whole topics."""
        for message in self.read(*topics):
            yield Seen(
                message.topic() or "",
                message.partition() or 0,
                message.offset() or 0,
                message.timestamp()[1],
                message.key() or b"",
                message.value() or b"",
            )

    def verdict(self) -> dict[str, int]:
        """Compare rows and commands with the source; everything but ``events`` has to be 0."""
        return verdict(
            self.seen(*self.sources),
            self.seen(self.changelog),
            self.seen(f"{self.name}-commands"),
            sent=self.sent,
            # Two topics are merged by append times, of a millisecond's grain; the order within one is strict.
            ordered=len(self.sources) == 1,
        )

    def assert_right(self, events: int) -> None:
        """Everything published was processed once, in order, with its commands."""
        found = self.verdict()
        assert found == {**RIGHT, "events": events}, f"the verifier found {found}\n{self.logs()}"


def fault(step: str, nth: int, action: str = "kill") -> dict[str, Any]:
    """For the option ``faults`` of a worker: see :func:`tests.system.counting.fault_hook`."""
    return {"step": step, "nth": nth, "action": action}


class Worker:
    """A worker process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def kill(self) -> None:
        """Kill -9, and wait for the end."""
        self.process.kill()
        self.process.wait(20)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, timeout_s: float = 30) -> int:
        """SIGTERM, and return the exit code."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def wait_for(self, text: str, timeout_s: float = 30, times: int = 1) -> None:
        """Wait until the log holds a text."""
        deadline = time.monotonic() + timeout_s
        while self.log.read_text().count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} in {self.log.read_text()[-3000:]}"
            time.sleep(0.05)


@pytest.fixture
def chunk_application(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A function that makes an application of a name of its own; its workers end with the test.

    It is on the session's broker, unless it is given the address of another.
    """
    made: list[Application] = []

    def make(address: str = "", **options: Any) -> Application:
        address = address or request.getfixturevalue("kafka").address
        application = Application(address, tmp_path, f"chunks-{secrets.token_hex(4)}", **options)
        made.append(application)
        return application

    yield make
    for application in made:
        application.close()


_LOG_TIME = {"message.timestamp.type": "LogAppendTime"}
