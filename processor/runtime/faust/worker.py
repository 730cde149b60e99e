"""Running a worker as a process: start, drain on SIGTERM, and what its exit code says."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable

from faust import Worker
from mode import Service

from processor.runtime.faust.app import WorkerApp, make_app
from processor.runtime.faust.engine import EngineFactory
from processor.runtime.faust.errors import WorkerError
from processor.runtime.faust.settings import WorkerSettings
from processor.runtime.garbage import few_collections

__all__ = ["run_worker"]

log = logging.getLogger(__name__)


def run_worker(
    settings: WorkerSettings,
    factory: EngineFactory,
    *,
    leave: bool = False,
    loglevel: str = "WARN",
    services: Callable[[WorkerApp], Iterable[Service]] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT, in the main thread.

    A stop waits for the transactions under way. The membership is kept, so that a restart under the same name
    within the session time-out gets its partitions back without moving any; with `leave` it is given up at
    once, for a worker that will not come back. ``services`` run beside the app, for as long as it does. With
    ``loglevel`` "" logging stays as the caller has set it up.

    Raises:
        StateInUseError: another process runs on the state folder.
        FencedInstanceError: another worker has taken the name.
        Exception: what made the app crash.
    """
    Service.mundane_level = "debug"  # that each part starts and stops is no news
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = make_app(settings, factory)
    app.leave_when_stopped = leave
    worker = Worker(
        app,
        *(services(app) if services is not None else ()),
        loop=loop,
        loglevel=loglevel or None,
        override_logging=bool(loglevel),
        quiet=True,
        stdout=sys.stderr,
        redirect_stdouts=False,
    )
    worker.spinner = None  # it writes to the terminal, whether there is one or not
    try:
        with few_collections():
            worker.execute_from_commandline()
    except SystemExit as exit_:
        crash = app.crash_reason
        if isinstance(crash, WorkerError):
            raise crash from None
        if exit_.code:
            raise
