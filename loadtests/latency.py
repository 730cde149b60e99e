"""From event to command: how long after an order was published its mail can be read, at a steady rate.

One in twenty events is an order, whose program mails at once. Its command is read as a channel would read it:
committed records only. The clocks are this process's own, so broker, worker and network are all in it.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer

from loadtests.core import TOPOLOGY
from loadtests.live import Live, Process
from loadtests.workload import URLS
from processor.codec.murmur2 import partition_of
from processor.codec.registry import FileSchemas
from processor.core.time import format_time
from processor.runtime.broker.kafka import LocalKafka
from processor.runtime.kafka.tail import Lines, Record

__all__ = ["CONTACTS", "Publish", "Reader", "measure", "measure_on", "people", "steady", "wait_for_records"]

CONTACTS = 2_000
ORDER_EVERY = 20
WARM_S = 5.0
IDLE_S = 5.0
TICK_S = 0.01

_encode = msgspec.json.Encoder().encode
_PLACE = {"referrer": "https://search.example/", "agent": "Mozilla/5.0", "session": "s" * 32}


def _now() -> str:
    return format_time(int(time.time() * 1000))


class Publish:
    """Publishes events to a topic as they occur."""

    def __init__(self, broker: str, topic: str, partitions: int) -> None:
        self._producer = Producer({"bootstrap.servers": broker, "linger.ms": 2, "acks": "all"})
        self._topic, self._partitions = topic, partitions

    def __call__(self, name: str, contact: str, event: dict[str, Any]) -> None:
        """Publish one event."""
        body = _encode({"event_id": name, "contact_id": contact, "occurred_at": _now(), **event})
        while True:
            try:
                self._producer.produce(self._topic, body, contact, partition_of(contact, self._partitions))
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def poll(self) -> None:
        """Let the producer go on."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has everything."""
        assert self._producer.flush(60) == 0


def people(publish: Publish) -> int:
    """Publish those whose events follow: how many records that takes."""
    for number in range(CONTACTS):
        contact = f"contact-{number:07}"
        profile = {"email": f"{number}@people.example"}
        publish(f"p-{number}", contact, {"type": "profile_updated", "properties": profile})
        publish(f"c-{number}", contact, {"type": "consent_granted", "properties": {"purpose": "marketing"}})
    publish.flush()
    return 2 * CONTACTS


def wait_for_records(worker: Process, count: int) -> None:
    """Wait until the worker has worked on so many records."""
    while worker.metrics().get("trayecto_records_total", 0) < count:
        assert worker.process.poll() is None, worker.log.read_text()[-3000:]
        time.sleep(0.2)


def _event(number: int) -> tuple[str, dict[str, Any]]:
    # An order's contact comes round rarely, so that no cap on mails holds its command back.
    if number % ORDER_EVERY == 0:
        contact = f"contact-{number // ORDER_EVERY % CONTACTS:07}"
        order = {"order_id": f"order-{number}", "value": 10, "lines": [], "session": "s" * 32}
        return contact, {"type": "order_completed", "properties": order}
    properties = {"url": URLS[number % len(URLS)], "seconds": 10, **_PLACE}
    return f"contact-{number % CONTACTS:07}", {"type": "page_viewed", "properties": properties}


class Reader(threading.Thread):
    """Reads mails as a channel does, and notes when each order's was there, and when each reminder's."""

    def __init__(self, broker: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.reminded: list[float] = []
        self.ended = threading.Event()
        self._topic = topic
        config = {"bootstrap.servers": broker, "group.id": "mail", "auto.offset.reset": "earliest"}
        self._consumer = Consumer({**config, "isolation.level": "read_committed", "fetch.wait.max.ms": 10})

    def run(self) -> None:
        """Read until told to end."""
        self._consumer.subscribe([self._topic])
        lines = Lines("command", FileSchemas())
        while not self.ended.is_set():
            for message in self._consumer.consume(500, 0.05):
                now = time.monotonic()
                if message.error() is None:
                    command = lines.item(Record(self._topic, 0, 0, 0, message.key(), message.value()))
                    if command.program == "webinar":
                        self.reminded.append(now)
                    else:
                        self.seen.setdefault(command.values.get("order", ""), now)
        self._consumer.close()


def measure(folder: Path, rate: int, seconds: float, partitions: int) -> dict[str, Any]:
    """Publish ``rate`` events a second for ``seconds``; return how long orders after the first 5 s took."""
    with LocalKafka(folder / "kafka") as kafka:
        live = Live(folder / "topology", TOPOLOGY, kafka.address, "late.", partitions)
        return measure_on(live, folder / "state", rate, seconds)


def measure_on(live: Live, state: Path, rate: int, seconds: float) -> dict[str, Any]:
    """As :func:`measure`, with a topology on a broker that is there. Memory and CPU are the worker's."""
    partitions = int(live.topology.topics.partitions)
    broker = live.settings.broker
    publish = Publish(broker, live.names.events[0], partitions)
    reader = Reader(broker, live.names.commands["email"])
    worker = live.worker("low", state)
    try:
        wait_for_records(worker, people(publish))
        idle = _idle(worker)
        reader.start()
        before = worker.cpu_seconds()
        sent = steady(publish, rate, seconds, WARM_S)
        busy = (worker.cpu_seconds() - before) / seconds
        publish.flush()
        time.sleep(3)
        memory_mb = worker.memory_mb()
    finally:
        worker.kill()
        reader.ended.set()
        reader.join(10)
    late = sorted((reader.seen[name] - at) * 1000 for name, at in sent.items() if name in reader.seen)
    return {
        "events_per_second": rate,
        "partitions": partitions,
        "orders": len(sent),
        "mails": len(late),
        **{f"p{share}_ms": round(_at(late, share), 1) for share in (50, 99, 99.9)},
        "longest_ms": round(late[-1], 1),
        "cores_used": round(busy, 3),
        "cores_used_idle": round(idle, 3),
        "memory_mb": round(memory_mb),
    }


def _idle(worker: Process) -> float:
    """How many cores the worker uses while nothing arrives."""
    time.sleep(IDLE_S)  # what it still has to do ends meanwhile
    before = worker.cpu_seconds()
    time.sleep(IDLE_S)
    return (worker.cpu_seconds() - before) / IDLE_S


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def steady(publish: Publish, rate: int, seconds: float, warm_s: float) -> dict[str, float]:
    """Publish at the rate; return when each order after the warm-up was published."""
    sent: dict[str, float] = {}
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while number < passed * rate:
            contact, event = _event(number)
            if event["type"] == "order_completed" and passed > warm_s:
                sent[event["properties"]["order_id"]] = time.monotonic()
            publish(f"e-{number}", contact, event)
            number += 1
        publish.poll()
        time.sleep(TICK_S)
    return sent
