"""The worker and its peers over one log on one broker, one after the other: events per CPU second.

Every one reads the same JSON records and does what ``logic`` says: a row decoded, a score, a consent, a cap,
a command for a fifth of the events, the row encoded, its changelog written. The worker runs
``topologies/peers`` as it runs any topology, with all that it does beside that.

Counted from a tenth of the events on, so that starting up is not in it; a slow peer gets fewer of
them. Peers commit every few seconds: with fewer than a million events the fast ones end before they have.
Peers that are not installed are left out, and the figures say so. They need what is not the product's:

- TRAYECTO_QUIX: a Python with ``quixstreams`` and ``msgspec`` (measured with 3.28.1);
- TRAYECTO_STREAMS_JARS: a folder with the jars of ``pom.xml`` (``mvn dependency:copy-dependencies
  -DoutputDirectory=FOLDER``); ``javac`` and ``java`` 17 or later are taken from the PATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from loadtests.apart import memory_mb
from loadtests.live import ROOT, Live
from loadtests.workload import AGENT, DAY_MS, DAYS, START_MS, events
from processor.codec.murmur2 import partition_of
from processor.runtime.broker.kafka import LocalKafka

__all__ = ["measure"]

TOPOLOGY = ROOT / "loadtests" / "topologies" / "peers"
PARTITIONS = 2
KINDS = {"page_viewed", "email_opened", "downloaded", "order_completed"}
PEERS = Path(__file__).parent
_LOOK_S = 0.05
_TIMEOUT_S = 600


class _Peer(NamedTuple):
    name: str
    command: list[str]
    guarantee: str
    share: float  # of the events that it gets to do, by how slow it is
    environment: Mapping[str, str] = {}


def measure(folder: Path, count: int, contacts: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures of the worker and of each peer that is installed."""
    with LocalKafka(folder / "kafka") as kafka:
        live = Live(folder / "topology", TOPOLOGY, kafka.address, "ours.", PARTITIONS)
        total = _publish(kafka.address, live.names.events[0], count, contacts)
        yield "peers_trayecto", _worker(live, folder, total)
        admin = AdminClient({"bootstrap.servers": kafka.address})
        topics = [NewTopic(f"{name}-commands", PARTITIONS, 1) for name in ("vanilla", "quix", "streams")]
        for future in admin.create_topics(topics).values():
            future.result()
        for peer in _peers(folder):
            yield f"peers_{peer.name}_{peer.guarantee}", _run(folder, kafka.address, live, peer, total)
    for name in ("TRAYECTO_QUIX", "TRAYECTO_STREAMS_JARS"):
        if name not in os.environ:
            yield f"peers_without_{name}", {"not_measured": f"{name} is not set: see loadtests/peers"}


def _publish(broker: str, topic: str, count: int, contacts: int) -> int:
    """The workload's events of a few kinds, as JSON, at their own time."""
    encode = msgspec.json.Encoder().encode
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 20, "batch.size": 900_000})
    total, step_ms = 0, DAYS * DAY_MS / count
    for number, event in enumerate(events(count, contacts)):
        kind = event["type"]
        if kind not in KINDS and kind not in {"profile_updated", "consent_granted"}:
            event["type"] = "downloaded"
            event["properties"] = {"asset": "x", "url": "/x", "agent": AGENT, "session": f"{number:032x}"}
        key, at_ms = event["contact_id"], START_MS + int(number * step_ms)
        while True:
            try:
                producer.produce(topic, encode(event), key, partition_of(key, PARTITIONS), timestamp=at_ms)
            except BufferError:
                producer.poll(0.1)
            else:
                break
        total += 1
        if number % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0
    return total


def _peers(folder: Path) -> Iterator[_Peer]:
    vanilla = [sys.executable, "-m", "loadtests.peers.vanilla_faust", "worker", "-l", "warn", "--without-web"]
    yield _Peer("vanilla", vanilla, "at_least_once", 0.1)
    if python := os.environ.get("TRAYECTO_QUIX"):
        command = [python, "-m", "loadtests.peers.quix_streams"]
        yield _Peer("quix", command, "at-least-once", 1.0)
        yield _Peer("quix", command, "exactly-once", 1.0)
    if jars := os.environ.get("TRAYECTO_STREAMS_JARS"):
        classes = folder / "classes"
        path = f"{jars}/*"
        source = str(PEERS / "KafkaStreamsPeer.java")
        subprocess.run(["javac", "-cp", path, "-d", str(classes), source], check=True)
        yield _Peer(
            "streams", ["java", "-cp", f"{path}:{classes}", "KafkaStreamsPeer"], "exactly_once_v2", 1.0
        )


def _worker(live: Live, folder: Path, total: int) -> dict[str, Any]:
    worker = live.worker("w0", folder / "state")
    try:
        return _timed(
            worker.process, lambda: int(worker.metrics().get("trayecto_records_total", 0)), total, worker.log
        )
    finally:
        worker.kill()


def _run(folder: Path, broker: str, live: Live, peer: _Peer, total: int) -> dict[str, Any]:
    name = f"{peer.name}-{peer.guarantee}"
    log = folder / f"{name}.log"
    environment = {
        **os.environ,
        "BROKER": broker,
        "TOPIC": live.names.events[0],
        "PARTITIONS": str(PARTITIONS),
        "STATE": str(folder / name),
        "GUARANTEE": peer.guarantee,
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            peer.command, env=environment, stdout=file, stderr=subprocess.STDOUT, cwd=folder
        )
    try:
        return _timed(process, lambda: _last_number(log), int(total * peer.share), log)
    finally:
        process.kill()
        process.wait(30)


def _last_number(log: Path) -> int:
    """What the peer said last of how many it has done."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 200))
        said = [line for line in file.read().split(b"\n")[:-1] if line.strip().isdigit()]
    return int(said[-1]) if said else 0


def _timed(
    process: subprocess.Popen[bytes], done: Callable[[], int], total: int, log: Path
) -> dict[str, Any]:
    began = time.monotonic()
    start: tuple[float, int, float] | None = None
    while time.monotonic() - began < _TIMEOUT_S:
        assert process.poll() is None, log.read_text()[-3000:]
        count, now, cpu = done(), time.monotonic(), _cpu_seconds(process.pid)
        if start is None and count >= total / 10:
            start = now, count, cpu
        elif start is not None and count >= total * 0.95:
            events_done, cpu_s = count - start[1], cpu - start[2]
            return {
                "events": events_done,
                "events_per_second": round(events_done / (now - start[0])),
                "events_per_cpu_second": round(events_done / cpu_s),
                "memory_mb": round(memory_mb(process.pid)),
            }
        time.sleep(_LOOK_S)
    raise TimeoutError(f"not done in {_TIMEOUT_S} s: {log.read_text()[-3000:]}")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
