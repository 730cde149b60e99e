"""What monitoring asks a worker over HTTP: ``/metrics``, ``/healthz`` and ``/readyz``.

Served from the worker's own loop: an answer to ``/healthz`` shows that the loop turns. Faust's web server
stays off, since it would serve tables to anyone.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from mode import Service
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from processor.runtime.faust.errors import PagesError
from processor.runtime.faust.metrics import WorkerCollector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.runtime.faust.away import Presence
    from processor.runtime.faust.deciding import Tally
    from processor.runtime.faust.owner import Lanes

__all__ = ["Pages"]

log = logging.getLogger(__name__)


class Pages(Service):
    """The pages of one worker, for as long as its app runs.

    Args:
        lanes: the worker's partitions.
        presence: whether Kafka answers.
        tallies: what their engines counted.
        host: the address to listen at.
        port: of this machine; 0 for a free one.
        port_file: where to write the port once it answers, for whoever let it choose one.
    """

    def __init__(
        self,
        lanes: Lanes,
        presence: Presence,
        tallies: Mapping[int, Tally],
        host: str,
        port: int,
        port_file: Path | None = None,
        **options: Any,
    ) -> None:
        self._lanes = lanes
        self._presence = presence
        self._host = host
        self.port = port
        self._port_file = port_file
        self._registry = CollectorRegistry()
        self._registry.register(WorkerCollector(lanes, presence, tallies))
        ProcessCollector(registry=self._registry)
        self._runner: web.AppRunner | None = None
        super().__init__(**options)

    async def on_start(self) -> None:
        """Begin to answer.

        Raises:
            PagesError: nothing can be served at that address.
            OSError: the file of the port cannot be written.
        """
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthy),
                web.get("/readyz", self._ready),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            why = f"cannot be listened at ({_reason(error)}): it has to be an address of this machine"
            if error.errno == errno.EADDRINUSE:
                why = "is taken: something listens there already, perhaps another worker; give another port"
            raise PagesError(f"{self._host}:{self.port} {why}") from error
        self.port = self._runner.addresses[0][1]
        log.info("answering at http://%s:%d/metrics", self._host, self.port)
        if self._port_file is not None:
            self._port_file.write_text(str(self.port))

    async def on_stop(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        """200 when Kafka answers and every partition owned is worked on; else 503 and why not."""
        states = self._lanes.states()
        away = self._presence.reason
        if states and self._lanes.ready and not away:
            return web.Response(text=f"ready: {len(states)} partitions\n")
        lines = [
            f"partition {number}: {state.value}{': ' + reason if reason else ''}"
            for number, (state, reason) in states.items()
        ]
        if away:
            lines.insert(0, away)
        return web.Response(status=503, text="\n".join(lines or ["no partition is assigned yet"]) + "\n")


def _reason(error: OSError) -> str:
    """The system's own words: asyncio's repeat the address. A name that is not found has none."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error.strerror)
