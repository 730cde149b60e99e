"""A worker's start with a million contacts: from its process to its first chunk, on an empty and a warm disk.

The rows are real: a worker works off a small log; then the rows that it left in its changelog are published
to the changelog again, under as many further contacts as are wanted, by a transaction for each partition as
the worker's own are. Nothing else is made up: shared rows, positions and offsets are the worker's.
Before each start a few more events are published, so that there is a first chunk to be seen.

The broker has read the changelog's pages lately; the worker's own disk is what is empty or warm.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from loadtests.apart import folder_mb
from loadtests.core import TOPOLOGY
from loadtests.live import Live, Process
from loadtests.prefilled import EVENTS_A_CONTACT, name_of, template_of
from loadtests.workload import DAY_MS, DAYS, lines
from processor.codec.murmur2 import partition_of
from processor.runtime.broker.kafka import LocalKafka
from processor.runtime.faust.engine import ROW_PREFIX

__all__ = ["measure"]

TEMPLATES = 4_000
FURTHER = 200  # events before each start
_LOOK_S = 0.02
_TIMEOUT_S = 300
_TRANSACTION_ROWS = 20_000


def measure(folder: Path, contacts: int, partitions: int) -> dict[str, Any]:
    """Start a worker on an empty disk, kill it, start it on what is there then. Returns the figures."""
    with LocalKafka(folder / "kafka") as kafka:
        live = Live(folder / "topology", TOPOLOGY, kafka.address, "back.", partitions)
        state = folder / "state"
        path = folder / "events.jsonl"
        # Until today, and the worker comes to the log's end: what is due then lies ahead, and no backlog of
        # timers stands before the first chunk.
        begin_ms = int(time.time() * 1000) - DAYS * DAY_MS
        _publish(live, path, lines(TEMPLATES * EVENTS_A_CONTACT, TEMPLATES, begin_ms=begin_ms))
        worker = live.worker("w0", state)
        try:
            live.await_end(worker, after_ms=begin_ms + DAYS * DAY_MS, timeout_s=_TIMEOUT_S)
        finally:
            worker.kill()
        changelog = live.names.changelog
        written = _multiply(live, changelog, contacts, partitions)
        shutil.rmtree(state)
        figures: dict[str, Any] = {"contacts": contacts, "partitions": partitions, "rows_written": written}
        for disk in ("empty", "warm"):
            now_ms = int(time.time() * 1000) - 1000
            further = lines(FURTHER, TEMPLATES, begin_ms=now_ms, days=1 / 86_400, known=True, seed=now_ms)
            _publish(live, path, further)
            figures[disk] = _start(live, state)
        figures["disk_mb"] = round(folder_mb(state))
    return figures


def _publish(live: Live, path: Path, made: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(made)
    live.publish(path)
    path.unlink()


def _multiply(live: Live, changelog: str, contacts: int, partitions: int) -> int:
    """Publish rows of the changelog under further names, until there are rows of ``contacts``."""
    latest: dict[bytes, bytes | None] = {}
    for record in live.records(changelog):
        if record.key is not None and record.key.startswith(ROW_PREFIX):
            latest[record.key] = record.value
    rows = [row for row in latest.values() if row is not None]
    by_partition: list[list[int]] = [[] for _ in range(partitions)]
    for number in range(TEMPLATES, contacts):
        by_partition[partition_of(name_of(number), partitions)].append(number)
    written = len(rows)
    for partition, numbers in enumerate(by_partition):
        producer = Producer(
            {
                "bootstrap.servers": live.settings.broker,
                "transactional.id": f"loadtests-{partition}",
                "linger.ms": 20,
                "batch.size": 900_000,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        producer.init_transactions(30)
        for begin in range(0, len(numbers), _TRANSACTION_ROWS):
            producer.begin_transaction()
            _produce(producer, changelog, partition, numbers[begin : begin + _TRANSACTION_ROWS], rows)
            producer.commit_transaction(60)
        written += len(numbers)
    return written


def _produce(
    producer: Producer, topic: str, partition: int, numbers: Sequence[int], rows: Sequence[bytes]
) -> None:
    for number in numbers:
        key = ROW_PREFIX + name_of(number).encode()
        producer.produce(topic, rows[template_of(number, len(rows))], key, partition)
    producer.flush(60)


def _start(live: Live, state: Path) -> dict[str, Any]:
    """Start a worker; return when it had restored, when its first chunk was committed, and what it took."""
    began = time.monotonic()
    worker = live.worker("w0", state)
    said = worker.log.stat().st_size
    try:
        ready_s = _await(worker, "trayecto_ready", 1) - began
        first_s = _await(worker, "trayecto_records_total", 1) - began
        restored = worker.metrics()["trayecto_records_restored_total"]
        _await(worker, "trayecto_records_total", FURTHER)
        return {
            "seconds_to_ready": round(ready_s, 2),
            "seconds_to_first_chunk": round(first_s, 2),
            "rows_restored": int(restored),
            "rows_restored_per_second_of_start": round(restored / ready_s),
            "cpu_seconds": round(worker.cpu_seconds(), 1),
            "memory_mb": round(worker.memory_mb()),
            "progress_lines": worker.log.read_text()[said:].count("rows/s"),
        }
    finally:
        worker.kill()


def _await(worker: Process, series: str, least: float) -> float:
    end = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < end:
        assert worker.process.poll() is None, worker.log.read_text()[-3000:]
        if worker.metrics().get(series, 0.0) >= least:
            return time.monotonic()
        time.sleep(_LOOK_S)
    raise TimeoutError(f"no {series} of {least} in {_TIMEOUT_S} s: {worker.log.read_text()[-3000:]}")
