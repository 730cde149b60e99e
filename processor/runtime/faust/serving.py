"""A topology served on Kafka: what ``trayecto worker`` does, and the app for Faust's own command line.

    TRAYECTO_TOPOLOGY=shop TRAYECTO_BROKER=127.0.0.1:9092 faust -A processor.runtime.faust.serving:app worker

The topics have to be there (``trayecto topics create``): a worker that made them itself could make them with
the wrong number of partitions, and that number decides where every contact lives.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processor.core.topics import topic_names
from processor.language import load_topology
from processor.runtime.erasures import Erasures
from processor.runtime.faust.app import WorkerApp, make_app
from processor.runtime.faust.deciding import Deciding, Deployed, Tally
from processor.runtime.faust.errors import WorkerError
from processor.runtime.faust.pages import Pages
from processor.runtime.faust.settings import WorkerSettings
from processor.runtime.faust.worker import run_worker
from processor.runtime.kafka.settings import KafkaSettings, settings_from
from processor.runtime.kafka.sources import encoders, schema_source
from processor.runtime.kafka.topics import compare, look, plan, subjects

if TYPE_CHECKING:
    from mode import Service

    from processor.core.model import Topology
    from processor.runtime.kafka.topics import Difference
    from processor.store import RocksStore

__all__ = ["TopicsError", "Worker", "serve", "told"]

log = logging.getLogger(__name__)

_LOGIN = ("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password", "ssl_context")
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")  # as Kafka has it


class TopicsError(WorkerError):
    """The topics are not what the topology needs; the message says which, and what to do."""


class Worker:
    """One worker of a topology: its settings, and the engines of its partitions.

    Args:
        topology: compiled.
        kafka: the connection.
        state: the folder of its databases.
        name: of the worker, its static membership; by default that of the machine.
        own_time: whether event topics may keep records' own times instead of the log's append times. Then a
            record stamped ahead moves time ahead for everybody: for replaying a log of the past only.
        erasure_key: of the ledger of erasures.
        others: further fields of :class:`WorkerSettings`.

    Raises:
        ValueError: the name is none that Kafka takes, or settings do not go together.
    """

    def __init__(
        self,
        topology: Topology,
        kafka: KafkaSettings,
        state: Path,
        name: str = "",
        *,
        own_time: bool = False,
        erasure_key: str = "",
        **others: Any,
    ) -> None:
        name = name or socket.gethostname()
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"a worker cannot be called {name!r}: give --name up to 249 letters (of English), digits, "
                "dots, dashes and underscores"
            )
        names = topic_names(topology)
        login = kafka.for_aiokafka()
        self.settings = WorkerSettings(
            app=names.app,
            broker=kafka.broker,
            sources=(*names.events, names.internal),
            partitions=topology.topics.partitions,
            state=state,
            name=name,
            login={key: login[key] for key in _LOGIN if key in login},
            **others,
        )
        self.tallies: dict[int, Tally] = {}
        self._topology = topology
        self._names = names
        self._kafka = kafka
        self._own_time = own_time
        self._erasures = Erasures(erasure_key)
        self._deployed: Deployed | None = None

    def prepare(self) -> None:
        """Get ready what partitions share: schemas are registered. Waits for the registry, so call it aside.

        Raises:
            RegistryUnavailable: there was no answer; try again later.
            SchemaRefused: the registry does not take a schema of ours.
        """
        if self._deployed is None:
            source = schema_source(self._kafka)
            made = encoders(source, subjects(self._topology), "avro")
            self._deployed = Deployed(self._topology, self._names, source, made, self._erasures)

    def check_topics(self) -> None:
        """Look whether the topics are there and as they have to be.

        Raises:
            TopicsError: one is missing, or breaks what the worker relies on.
            KafkaDown, KafkaRefused: they cannot be looked at.
        """
        specs = plan(self._topology)
        found = look(self._kafka, [spec.name for spec in specs])
        refused = {"missing", "partitions", "cleanup.policy", "max.message.bytes"}
        if not self._own_time:
            refused.add("message.timestamp.type")
        wrong = [one for one in compare(specs, found) if one.what in refused]
        if wrong:
            raise TopicsError(told(wrong))

    def engine(self, number: int, store: RocksStore) -> Deciding:
        """Make the engine of a partition, as :data:`processor.runtime.faust.engine.EngineFactory`."""
        self.prepare()
        assert self._deployed is not None, "it was prepared"
        return Deciding(
            self._deployed,
            number,
            self.settings.partitions,
            store,
            grace_ms=self.settings.grace_ms,
            now_ms=self.settings.now_ms,
            tally=self.tallies.setdefault(number, Tally()),
        )


def told(wrong: Sequence[Difference]) -> str:
    """Say which topics are missing or are not as they have to be, and what to do about it."""
    missing = [one.topic for one in wrong if one.what == "missing"]
    others = [one for one in wrong if one.what == "partitions"]
    said = [f"there is no topic {', '.join(missing)}: trayecto topics create makes what is missing"] * bool(
        missing
    )
    if others:
        listed = ", ".join(f"{one.topic} ({one.found} instead of {one.expected})" for one in others)
        said.append(f"topics have another number of partitions than the topology: {listed}: {others[0].fix}")
    said += [
        f"{one.topic}: {one.what} is {one.found} and has to be {one.expected}: {one.fix}"
        for one in wrong
        if one.what not in ("missing", "partitions")
    ]
    return "; ".join(said)


def serve(
    worker: Worker,
    *,
    leave: bool = False,
    host: str = "127.0.0.1",
    port: int | None = None,
    port_file: Path | None = None,
) -> None:
    """Run a worker until SIGTERM or SIGINT, with its pages at ``host`` and ``port`` (None: without).

    ``port_file`` is written when they answer.

    Raises:
        WorkerError: it cannot start or go on; the message says why and what to do.
        KafkaDown, KafkaRefused: the cluster cannot be looked at.
    """
    worker.check_topics()
    settings = worker.settings
    log.info(
        "worker %s of %s: %d partitions at %s, state in %s; Ctrl-C stops it",
        settings.name,
        settings.app,
        settings.partitions,
        settings.broker,
        settings.state,
    )

    def services(app: WorkerApp) -> Iterable[Service]:
        if port is None:
            return ()
        return (Pages(app.lanes, app.presence, worker.tallies, host, port, port_file),)

    run_worker(settings, worker.engine, leave=leave, loglevel="", services=services, prepare=worker.prepare)


def _from_environment(environ: Mapping[str, str]) -> WorkerApp:
    folder = Path(environ.get("TRAYECTO_TOPOLOGY", "."))
    topology = load_topology(folder).topology
    state = Path(environ.get("TRAYECTO_STATE", "state"))
    name = environ.get("TRAYECTO_NAME", "")
    key = environ.get("TRAYECTO_ERASURE_KEY", "")
    worker = Worker(topology, settings_from({}, environ), state, name, erasure_key=key, folder=str(folder))
    return make_app(worker.settings, worker.engine, worker.prepare)


def __getattr__(name: str) -> Any:
    """Make the app when it is asked for, so that importing this module needs no broker and no topology."""
    if name == "app":
        return _from_environment(os.environ)
    raise AttributeError(name)
