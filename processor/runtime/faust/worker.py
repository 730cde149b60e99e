"""Running a worker as a process: start, drain on SIGTERM, and what its exit code says."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from faust import Worker
from mode import Service

from processor.runtime.faust.app import WorkerApp, make_app
from processor.runtime.faust.engine import EngineFactory
from processor.runtime.faust.settings import WorkerSettings
from processor.runtime.garbage import few_collections

__all__ = ["run_worker"]

log = logging.getLogger(__name__)

_INTERRUPTED: Final = 130  # as shells have it
_SAME_SIGNAL_S: Final = 1.0  # a terminal and a wrapper such as timeout(1) both pass on one Ctrl-C


class _Process(Worker):
    """Faust's process, which keeps why it could not start and says that it stops."""

    failure: BaseException | None = None
    stop_timeout_s = 0.0

    async def start(self) -> None:
        """Start and run. What it cannot start for is kept: Faust would log it with a traceback as well."""
        try:
            await super().start()
        except Exception as error:  # noqa: BLE001 - run_worker raises it
            self.failure = error

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        if self._signal_stop_time:
            if self.loop.time() - self._signal_stop_time < _SAME_SIGNAL_S:
                return
            # Whatever is under way is settled at the next start, as after a kill.
            log.warning("ended at once, in the middle; nothing is lost")
            logging.shutdown()
            os._exit(_INTERRUPTED)
        log.info("stopping, %.0f s at most: what is under way is finished", self.stop_timeout_s)
        super()._schedule_shutdown(signal)


def run_worker(
    settings: WorkerSettings,
    factory: EngineFactory,
    *,
    leave: bool = False,
    loglevel: str = "WARN",
    services: Callable[[WorkerApp], Iterable[Service]] | None = None,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT, in the main thread; a second one ends the process at once.

    A stop waits for the transactions under way. The membership is kept, so that a restart under the same name
    within the session time-out gets its partitions back without moving any; with `leave` it is given up at
    once, for a worker that will not come back. ``services`` run beside the app, for as long as it does. With
    ``loglevel`` "" logging stays as the caller has set it up. ``prepare``: see :func:`make_app`.

    Raises:
        StateInUseError: another process runs on the state folder.
        FencedInstanceError: another worker has taken the name.
        Exception: what else it could not start for, or what made the app crash.
    """
    Service.mundane_level = "debug"  # that each part starts and stops is no news
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = make_app(settings, factory, prepare)
    app.leave_when_stopped = leave
    worker = _Process(
        app,
        *(services(app) if services is not None else ()),
        loop=loop,
        loglevel=loglevel or None,
        override_logging=bool(loglevel),
        quiet=True,
        stdout=sys.stderr,
        redirect_stdouts=False,
    )
    worker.stop_timeout_s = settings.stop_timeout_s
    worker.spinner = None  # it writes to the terminal, whether there is one or not
    try:
        with few_collections(), _told_once(app, worker):
            worker.execute_from_commandline()
    except SystemExit as exit_:
        failure = worker.failure or app.failure
        if failure is not None:
            raise failure from None
        if exit_.code:
            raise
        log.info("stopped")


@contextmanager
def _told_once(app: WorkerApp, worker: _Process) -> Iterator[None]:
    """Leave out of the log what Faust's services say of a failure that the process ends with.

    Each of them tells it again, with what breaks in its wake; the caller is given it and says it once.
    """

    def wanted(record: logging.LogRecord) -> bool:
        ends = app.failure is not None or worker.failure is not None
        theirs = record.name.startswith(("aiokafka", "asyncio", "faust", "mode"))
        return not (ends and (theirs or str(record.msg).startswith("[^")))

    handlers: list[Any] = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(wanted)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(wanted)
