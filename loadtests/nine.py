"""Everyone at 09:00 in the worker, on a broker: how long events are delayed while all who wait wake up.

Contacts are published that wait for one instant of the wall clock, and beside them events at a steady rate,
one in twenty an order whose program mails at once. Reported is how long after an order was published its mail
could be read, before the instant and from it on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from loadtests.core import TOPOLOGY
from loadtests.latency import CONTACTS, Publish, Reader, people, steady, wait_for_records
from loadtests.live import Live
from processor.core.time import format_time
from processor.runtime.broker.kafka import LocalKafka

__all__ = ["measure"]

DAY_MS = 86_400_000
PREPARING_S = 10  # and 8,000 contacts a second: what it takes to publish and take in those who wait
BEFORE_S = 5.0
AFTER_S = 10.0

_encode = msgspec.json.Encoder().encode


def measure(folder: Path, waiting: int, rate: int, partitions: int) -> dict[str, Any]:
    """Let ``waiting`` contacts wake up at one instant while ``rate`` events a second arrive."""
    with LocalKafka(folder / "kafka") as kafka:
        live = Live(folder / "topology", TOPOLOGY, kafka.address, "nine.", partitions)
        publish = Publish(kafka.address, live.names.events[0], partitions)
        reader = Reader(kafka.address, live.names.commands["email"])
        worker = live.worker("w0", folder / "state")
        try:
            at_s = time.time() + PREPARING_S + 3 * waiting / 8_000
            count = people(publish) + _waiting(publish, waiting, at_s)
            wait_for_records(worker, count)
            left_s = at_s - time.time()
            assert left_s > BEFORE_S, "those who wait were not taken in before the instant"
            reader.start()
            time.sleep(left_s - BEFORE_S)
            before_cpu = worker.cpu_seconds()
            began = time.monotonic()
            sent = steady(publish, rate, BEFORE_S + AFTER_S + waiting / 10_000, 0.0)
            publish.flush()
            time.sleep(5)
            figures = {
                "cpu_seconds": round(worker.cpu_seconds() - before_cpu, 1),
                "memory_mb": round(worker.memory_mb()),
            }
        finally:
            worker.kill()
            reader.ended.set()
            reader.join(10)
    late = {name: reader.seen[name] - at for name, at in sent.items() if name in reader.seen}
    # The watermark is some seconds behind the wall clock: all that follows counts as after the instant.
    before = [late[name] for name in late if sent[name] < began + BEFORE_S - 1]
    after = [late[name] for name in late if sent[name] >= began + BEFORE_S - 1]
    return {
        "waiting": waiting,
        "woken": len(reader.reminded),
        "wakeups_seconds": round(max(reader.reminded) - min(reader.reminded), 1) if reader.reminded else 0,
        "events_per_second": rate,
        "orders": len(sent),
        "mails": len(late),
        "longest_before_s": round(max(before), 2),
        "longest_from_then_on_s": round(max(after), 2),
        **figures,
    }


def _waiting(publish: Publish, waiting: int, at_s: float) -> int:
    starts = format_time(int(at_s * 1000) + DAY_MS)
    webinar = {"webinar": "webinar-1", "starts": starts, "session": "s" * 32, "agent": "Mozilla/5.0"}
    for number in range(CONTACTS, CONTACTS + waiting):
        contact = f"contact-{number:07}"
        profile = {"email": f"{number}@people.example", "tz": "Europe/London"}
        publish(f"p-{number}", contact, {"type": "profile_updated", "properties": profile})
        publish(f"c-{number}", contact, {"type": "consent_granted", "properties": {"purpose": "marketing"}})
        publish(f"w-{number}", contact, {"type": "webinar_registered", "properties": webinar})
    publish.flush()
    return 3 * waiting
