"""A topology on the session's broker, with names that no other test has, and the command line on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from processor.core.model import Topology
from processor.core.topics import TopicNames, topic_names
from processor.language import load_topology
from processor.runtime.kafka.settings import KafkaSettings

__all__ = ["Ran", "Shop", "event_lines"]

TOPOLOGY = """\
topology: shop
events:
  page_viewed: {url: string, seconds: number?}
profile: {email: string}
purposes:
  service: {consent: not_required}
channels:
  email: {}
  push: {}
topics: {prefix: PREFIX, partitions: 3, retention: {commands: 2d}}
"""
PROGRAM = """\
program: pricing
purpose: service
entry: {on: page_viewed, if: event.url == "/pricing"}
steps:
  - {send: push, template: questions}
"""
TIMEOUT_S = 120


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Shop:
    """Use :meth:`close`: it deletes the topics."""

    def __init__(self, folder: Path, prefix: str, address: str, registry: str = "") -> None:
        (folder / "programs").mkdir(parents=True)
        (folder / "topology.yaml").write_text(TOPOLOGY.replace("PREFIX", f"{prefix}."), encoding="utf-8")
        (folder / "programs" / "pricing.yaml").write_text(PROGRAM, encoding="utf-8")
        self.folder = folder
        self.settings = KafkaSettings(broker=address, registry=registry)
        self.topology: Topology = load_topology(folder).topology
        self.names: TopicNames = topic_names(self.topology)

    def cli(self, *arguments: object, stdin: bytes = b"", **environment: str) -> Ran:
        """Run a command in a process of its own; it finds topology, broker and registry in variables."""
        import os

        env = {name: value for name, value in os.environ.items() if not name.startswith("TRAYECTO_")}
        env |= {
            "TRAYECTO_TOPOLOGY": str(self.folder),
            "TRAYECTO_BROKER": self.settings.broker,
            "TRAYECTO_REGISTRY": self.settings.registry,
            "COLUMNS": "200",
        }
        done = subprocess.run(
            [sys.executable, "-c", "from processor.cli import main; main()", *map(str, arguments)],
            cwd=self.folder.parent,
            input=stdin,
            capture_output=True,
            env=env | environment,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def produce(
        self, topic: str, *records: tuple[int, bytes | None, bytes | None], commit: bool = True
    ) -> None:
        """Write records (partition, key, value) in one transaction, and commit or abort it."""
        producer = Producer({"bootstrap.servers": self.settings.broker, "transactional.id": f"tx-{topic}"})
        producer.init_transactions(30)
        producer.begin_transaction()
        for partition, key, value in records:
            producer.produce(topic, value, key, partition)
        producer.flush(30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)

    def close(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.settings.broker})
        prefix = self.topology.topics.prefix
        names = [name for name in admin.list_topics(timeout=30).topics if name.startswith(prefix)]
        if names:
            for done in admin.delete_topics(names, request_timeout=30).values():
                done.result()


def event_lines(count: int) -> bytes:
    """So many events of ten contacts, one on each line."""
    return b"".join(
        json.dumps(
            {
                "event_id": f"e-{number}",
                "contact_id": f"c-{number % 10}",
                "type": "page_viewed",
                "occurred_at": f"2026-03-01T00:{number // 60 % 60:02}:{number % 60:02}Z",
                "properties": {"url": "/pricing", "seconds": number},
            }
        ).encode()
        + b"\n"
        for number in range(count)
    )
