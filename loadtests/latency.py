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
from loadtests.live import Live
from loadtests.workload import URLS
from processor.codec.murmur2 import partition_of
from processor.codec.registry import FileSchemas
from processor.core.time import format_time
from processor.runtime.broker.kafka import LocalKafka
from processor.runtime.kafka.tail import Lines, Record

__all__ = ["measure"]

CONTACTS = 2_000
ORDER_EVERY = 20
WARM_S = 5.0
TICK_S = 0.01

_encode = msgspec.json.Encoder().encode
_PLACE = {"referrer": "https://search.example/", "agent": "Mozilla/5.0", "session": "s" * 32}


def _now() -> str:
    return format_time(int(time.time() * 1000))


def _people() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for number in range(CONTACTS):
        contact = f"contact-{number:07}"
        found.append(
            (contact, {"type": "profile_updated", "properties": {"email": f"{number}@people.example"}})
        )
        found.append((contact, {"type": "consent_granted", "properties": {"purpose": "marketing"}}))
    return found


def _event(number: int) -> tuple[str, dict[str, Any]]:
    # An order's contact comes round rarely, so that no cap on mails holds its command back.
    if number % ORDER_EVERY == 0:
        contact = f"contact-{number // ORDER_EVERY % CONTACTS:07}"
        order = {"order_id": f"order-{number}", "value": 10, "lines": [], "session": "s" * 32}
        return contact, {"type": "order_completed", "properties": order}
    properties = {"url": URLS[number % len(URLS)], "seconds": 10, **_PLACE}
    return f"contact-{number % CONTACTS:07}", {"type": "page_viewed", "properties": properties}


class _Reader(threading.Thread):
    """Reads mails as a channel does, and notes when each order's was there."""

    def __init__(self, broker: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.ended = threading.Event()
        self._topic = topic
        config = {"bootstrap.servers": broker, "group.id": "mail", "auto.offset.reset": "earliest"}
        self._consumer = Consumer({**config, "isolation.level": "read_committed", "fetch.wait.max.ms": 10})

    def run(self) -> None:
        self._consumer.subscribe([self._topic])
        lines = Lines("command", FileSchemas())
        while not self.ended.is_set():
            for message in self._consumer.consume(500, 0.05):
                now = time.monotonic()
                if message.error() is None:
                    command = lines.item(Record(self._topic, 0, 0, 0, message.key(), message.value()))
                    self.seen.setdefault(command.values.get("order", ""), now)
        self._consumer.close()


def measure(folder: Path, rate: int, seconds: float, partitions: int) -> dict[str, Any]:
    """Publish ``rate`` events a second for ``seconds``; return how long orders after the first 5 s took."""
    with LocalKafka(folder / "kafka") as kafka:
        live = Live(folder / "topology", TOPOLOGY, kafka.address, "late.", partitions)
        topic = live.names.events[0]
        producer = Producer({"bootstrap.servers": kafka.address, "linger.ms": 2, "acks": "all"})

        def publish(number: int, contact: str, event: dict[str, Any]) -> None:
            body = {"event_id": f"e-{number}", "contact_id": contact, "occurred_at": _now(), **event}
            producer.produce(topic, _encode(body), contact, partition_of(contact, partitions))

        for number, (contact, event) in enumerate(_people()):
            publish(-1 - number, contact, event)
        producer.flush(30)
        reader = _Reader(kafka.address, live.names.commands["email"])
        reader.start()
        worker = live.worker("w0", folder / "state")
        try:
            while worker.metrics().get("trayecto_records_total", 0) < 2 * CONTACTS:
                time.sleep(0.2)
            sent = _steady(producer, publish, rate, seconds)
            producer.flush(30)
            time.sleep(3)
        finally:
            worker.kill()
            reader.ended.set()
            reader.join(10)
    late = sorted((reader.seen[name] - at) * 1000 for name, at in sent.items() if name in reader.seen)
    shares = {f"p{share}_ms": round(_at(late, share), 1) for share in (50, 99, 99.9)}
    return {
        "events_per_second": rate,
        "partitions": partitions,
        "orders": len(sent),
        "mails": len(late),
        **shares,
    }


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def _steady(producer: Producer, publish: Any, rate: int, seconds: float) -> dict[str, float]:
    """Publish at the rate; return when each order after the warm-up was published."""
    sent: dict[str, float] = {}
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while number < passed * rate:
            contact, event = _event(number)
            if event["type"] == "order_completed" and passed > WARM_S:
                sent[event["properties"]["order_id"]] = time.monotonic()
            publish(number, contact, event)
            number += 1
        producer.poll(0)
        time.sleep(TICK_S)
    return sent
