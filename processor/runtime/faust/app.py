"""The Faust app: sources, one agent, one table, and everything in between made for chunks.

``make_app(settings, factory)`` gives an app for Faust's own command line (``faust -A module worker``) and for
:mod:`processor.runtime.faust.worker`.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import faust
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types import TP
from yarl import URL

from processor.runtime.faust.away import Presence, ask_consumer
from processor.runtime.faust.consumer import ChunkTransport
from processor.runtime.faust.engine import EngineFactory
from processor.runtime.faust.errors import FencedInstanceError, StateInUseError
from processor.runtime.faust.fixes.recovery import PartitionTables
from processor.runtime.faust.fixes.untouched import UNTOUCHED
from processor.runtime.faust.fixes.versions import check_versions
from processor.runtime.faust.owner import Lanes
from processor.runtime.faust.reporting import Reporter
from processor.runtime.faust.settings import WorkerSettings
from processor.runtime.faust.table import States, StateTable

__all__ = ["WorkerApp", "make_app"]

log = logging.getLogger(__name__)

_LOCK = "worker.lock"


class WorkerApp(faust.App):
    """A Faust app whose partitions are owned by lanes. Raises PackageError; see ``fixes.versions``."""

    def __init__(
        self,
        settings: WorkerSettings,
        factory: EngineFactory,
        prepare: Callable[[], None] | None = None,
        **options: Any,
    ) -> None:
        check_versions()
        self.settings = settings
        self.states = States(settings)
        self.lanes = Lanes(self, settings, self.states, factory, prepare)
        self.presence = Presence(settings, partial(ask_consumer, self))
        self.reporter = Reporter(self.lanes.positions, self._report)
        self.leave_when_stopped = False
        self.failure: BaseException | None = None  # the first, which the others come from
        self._lock = -1
        super().__init__(settings.app, **options)

    def _new_transport(self) -> ChunkTransport:
        return ChunkTransport([URL(f"kafka://{broker}") for broker in self.settings.brokers], self)

    async def on_first_start(self) -> None:
        """Take the state folder for this process."""
        self._lock = lock_state(self.settings)
        await super().on_first_start()
        self.add_future(self.presence.watch())
        self.add_future(self.reporter.run(self.settings.offsets_every_s))

    async def _report(self, offsets: Mapping[TP, int]) -> None:
        consumer: Any = self.consumer
        await consumer.thread.report(offsets)

    def on_fenced_instance(self) -> None:
        """Another worker has taken this one's name: stop, and say so."""
        error = FencedInstanceError(
            f"another worker has joined the group {self.settings.app} under the name {self.settings.name}, "
            "so this one stops: give every worker a name of its own"
        )
        self.failure = self.failure or error
        self.add_future(self.crash(error))

    def _crash(self, reason: BaseException) -> None:
        self.failure = self.failure or reason
        super()._crash(reason)

    async def on_stop(self) -> None:
        """Finish what is under way, close the databases, and give up the membership if that is wanted."""
        await self.lanes.stop()
        if self._consumer is not None:
            await self.reporter.last()
        if self.leave_when_stopped and self._consumer is not None:
            consumer: Any = self._consumer
            await consumer.thread.leave()
        await super().on_stop()
        await self.lanes.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def lock_state(settings: WorkerSettings) -> int:
    """Take the state folder for this process; the lock goes with the process, however that ends.

    Raises:
        StateInUseError: another process has it.
    """
    settings.state.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.state / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StateInUseError(
            f"a worker runs on the state in {settings.state} already: stop that one, or give this one "
            "another name and another state folder"
        ) from error
    return descriptor


def credentials(login: Mapping[str, Any]) -> Any:
    """What Faust calls the way to log in; None for an open broker."""
    protocol = login.get("security_protocol", "PLAINTEXT")
    context = login.get("ssl_context")
    if protocol == "PLAINTEXT":
        return None
    if protocol == "SSL":
        return faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        mechanism=login["sasl_mechanism"],
        username=login["sasl_plain_username"],
        password=login["sasl_plain_password"],
        ssl_context=context,
    )


def make_app(
    settings: WorkerSettings, factory: EngineFactory, prepare: Callable[[], None] | None = None
) -> WorkerApp:
    """Make the app of one worker.

    ``prepare`` is called in a thread before an engine is made, again while it raises RegistryUnavailable.
    """
    app = WorkerApp(
        settings,
        factory,
        prepare,
        broker=[URL(f"kafka://{broker}") for broker in settings.brokers],
        broker_credentials=credentials(settings.login),
        store="memory://",  # the table opens none: see StateTable
        datadir=str(settings.state / "faust"),
        key_serializer="raw",
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        web_enabled=False,  # it serves tables to anyone
        # Faust keeps assignments by it. Its default, host and web port, is the same for two workers of a
        # host, and another for one that is restarted elsewhere, whose kept assignment it then refuses.
        canonical_url=f"http://{settings.name}",
        TableManager=PartitionTables,
        PartitionAssignor=PartitionAssignor,
        stream_buffer_maxsize=settings.conductor_fetches_max,
        stream_wait_empty=True,
        table_standby_replicas=0,
        consumer_auto_offset_reset="none",
        consumer_max_fetch_size=settings.fetch_bytes_max,
        consumer_group_instance_id=settings.name,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_s,
        broker_rebalance_timeout=settings.rebalance_timeout_s,
        broker_request_timeout=settings.request_timeout_s,
        broker_max_poll_interval=settings.poll_timeout_s,
        worker_redirect_stdouts=False,
    )
    # No acks: with them Faust builds the list of all offsets between two chunks, one integer for each record.
    source = app.topic(
        *settings.sources, value_type=None, key_serializer="raw", value_serializer=UNTOUCHED, acks=False
    )
    app.tables.add(
        StateTable(
            app,
            name=settings.table,
            partitions=settings.partitions,
            key_type=bytes,
            value_type=bytes,
            extra_topic_configs={"delete.retention.ms": str(settings.tombstone_retention_ms)},
        )
    )

    @app.agent(source, name=f"{settings.app}-lanes")
    async def lanes(stream: Any) -> None:
        async for chunks in stream:
            app.lanes.offer(chunks)

    return app
