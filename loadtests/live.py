"""A topology live on a broker: topics made, a log published in its own time, workers started and awaited.

The event topics keep the records' own times (CreateTime), so that a log of the past is replayed in its
virtual time: what a worker decides can then be compared with what a run over the same file decides.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from processor.core.topics import topic_names
from processor.language import load_topology
from processor.runtime.kafka.publish import publish
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.sources import schema_source
from processor.runtime.kafka.tail import Lines, Record
from processor.runtime.kafka.topics import create, plan

__all__ = ["Live", "Process"]

ROOT = Path(__file__).resolve().parents[1]
_LOOK_S = 0.2


class Process:
    """A worker in a process of its own. Its log is in ``log``."""

    def __init__(
        self, live: Live, name: str, state: Path, *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = state.parent / f"{name}.log"
        arguments = ["worker", "--topology", str(live.folder)]
        arguments += ["--state", str(state), "--name", name, "--metrics-port", "0"]
        arguments += ["--own-time", *options]
        if "--broker" not in options:
            arguments += ["--broker", live.settings.broker]
        if live.settings.registry:
            arguments += ["--registry", live.settings.registry]
        code = "from processor.cli import main; main()"
        env = {key: value for key, value in os.environ.items() if not key.startswith("TRAYECTO_")}
        port_file = state.parent / f"{name}.port"
        port_file.unlink(missing_ok=True)
        self._port_file = port_file
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                cwd=ROOT,
                env=env | {"TRAYECTO_METRICS_PORT_FILE": str(port_file)} | dict(environment or {}),
                stdout=log,
                stderr=log,
            )

    def page(self, path: str) -> str:
        """A page of the worker; "" while it does not answer."""
        try:
            port = int(self._port_file.read_text())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (OSError, ValueError):
            return ""

    def metrics(self) -> dict[str, float]:
        """Every series by name and labels; empty while it does not answer."""
        found: dict[str, float] = {}
        for line in self.page("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        """Ask it to stop, and wait. Returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Live:
    """A topology folder, copied with names of its own, on a broker."""

    def __init__(
        self, folder: Path, source: Path, broker: str, prefix: str, partitions: int, registry: str = ""
    ) -> None:
        shutil.copytree(source, folder)
        with (folder / "topology.yaml").open("a", encoding="utf-8") as file:
            file.write(f"topics: {{prefix: {prefix}, partitions: {partitions}}}\n")
        self.folder = folder
        self.settings = KafkaSettings(broker=broker, registry=registry)
        self.topology: Any = load_topology(folder).topology
        self.names: Any = topic_names(self.topology)
        create(self.settings, [self._in_own_time(spec) for spec in plan(self.topology)])

    def _in_own_time(self, spec: Any) -> Any:
        if spec.name not in self.names.events:
            return spec
        own = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
        return msgspec.structs.replace(spec, config={**spec.config, **own})

    def publish(self, *logs: Path) -> None:
        """Publish files, each record at its event's time."""
        publish(self.settings, self.topology, [str(log) for log in logs], occurred=True)

    def worker(self, name: str, state: Path, *options: str, **environment: str) -> Process:
        """Start a worker, with further options and variables."""
        return Process(self, name, state, *options, environment=environment)

    def await_end(self, *workers: Process, after_ms: int, timeout_s: float) -> None:
        """Wait until every partition has decided until ``after_ms``, which only the log's end lets it."""
        end = time.monotonic() + timeout_s
        number = int(self.topology.topics.partitions)
        while time.monotonic() < end:
            marks: dict[str, float] = {}
            for worker in workers:
                assert worker.process.poll() is None, worker.log.read_text()[-3000:]
                for series, value in worker.metrics().items():
                    if series.startswith("trayecto_watermark_timestamp_seconds{"):
                        marks[series] = max(value, marks.get(series, 0.0))
            if len(marks) == number and min(marks.values()) * 1000 >= after_ms:
                return
            time.sleep(_LOOK_S)
        raise TimeoutError(
            f"not at the end of the log in {timeout_s} s: {workers[0].log.read_text()[-3000:]}"
        )

    def lines(self, topic: str, subject: str) -> Iterator[tuple[Record, bytes]]:
        """Every committed record of a topic of ours, as the line that `run` would have written."""
        with contextlib.closing(schema_source(self.settings)) as source:
            lines = Lines(subject, source)
            for record in self.records(topic):
                line = lines.line(record)
                assert isinstance(line, bytes), line
                yield record, line

    def records(self, topic: str) -> Iterator[Record]:
        """Every committed record of a topic, partition by partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.broker,
                "group.id": "loadtests-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )
        with contextlib.closing(consumer):
            numbers = list(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
            for number in numbers:
                consumer.assign([TopicPartition(topic, number, 0)])
                while True:
                    message = consumer.poll(30)
                    assert message is not None, f"no answer about {topic}"
                    error = message.error()
                    if error is None:
                        offset: Any = message.offset()
                        yield Record(
                            topic, number, offset, message.timestamp()[1], message.key(), message.value()
                        )
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is its name
                        break
                    else:
                        raise RuntimeError(str(error))
