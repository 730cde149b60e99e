"""A real schema registry on this machine: Apicurio by its Confluent API, in memory, on 127.0.0.1 only."""

from __future__ import annotations

import http.client
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final, Self

from processor.runtime.broker.artifacts import Tell, quiet
from processor.runtime.broker.errors import StartError
from processor.runtime.broker.jars import registry_folder
from processor.runtime.broker.java import REGISTRY_JAVA_MIN, find_java
from processor.runtime.broker.process import LOCALHOST, Child, free_port, require_free_port, tail

__all__ = ["LocalRegistry"]

API: Final = "/apis/ccompat/v7"
HEAP_MB: Final = 384
START_S_MAX: Final = 180.0  # eight seconds on an idle machine; a busy one may be far slower
STOP_S_MAX: Final = 20.0
_POLL_S: Final = 0.2
_ANSWER_S: Final = 5.0


class LocalRegistry:
    """One registry. ``with LocalRegistry() as registry`` starts and stops it; ``registry.url`` is its API.

    The folder holds its log and what Java unpacks, never schemas: they are gone when it ends.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        heap_mb: int = HEAP_MB,
        tell: Tell = quiet,
    ) -> None:
        """Describe a registry; it does not run before :meth:`start`. Arguments as those of a broker."""
        self.folder = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="trayecto-registry-"))
        self.log = self.folder / "registry.log"
        self._asked_port = port
        self._port = port
        self._throw_away = folder is None
        self._heap_mb = heap_mb
        self._tell = tell
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The base URL of its Confluent API."""
        assert self._port, "it was not started"
        return f"http://{LOCALHOST}:{self._port}{API}"

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._child is not None and self._child.running

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, timeout_s: float = START_S_MAX) -> None:
        """Start it and wait until it answers.

        Raises:
            UnusableError: the port is taken.
            JavaError, FetchError: what it needs is not here.
            StartError: it ended by itself, or did not answer in time.
        """
        assert not self.running, "it runs already"
        if self._asked_port:
            require_free_port(self._asked_port)
        java = find_java(REGISTRY_JAVA_MIN)
        program = registry_folder(self._tell)
        self._port = self._port or free_port()
        shutil.rmtree(self.folder / "registry-tmp", ignore_errors=True)
        (self.folder / "registry-tmp").mkdir(parents=True)
        command = [
            str(java.path),
            f"-Xmx{self._heap_mb}m",
            f"-Djava.io.tmpdir={self.folder / 'registry-tmp'}",
            f"-Dquarkus.http.host={LOCALHOST}",
            f"-Dquarkus.http.port={self._port}",
            # Its second web server (health, metrics) would take port 9000 of every address.
            f"-Dquarkus.management.host={LOCALHOST}",
            "-Dquarkus.management.port=0",
            "-jar",
            str(program / "quarkus-run.jar"),
        ]
        self._child = Child.start(command, log=self.log, cwd=self.folder, environment=os.environ)
        try:
            self._wait(self._child, timeout_s)
        except BaseException:
            self._child.kill()
            raise

    def stop(self, timeout_s: float = STOP_S_MAX) -> None:
        """Stop it (SIGTERM, by force when it takes longer than ``timeout_s``); its schemas are gone then."""
        if self._child is not None:
            self._child.stop(timeout_s)

    def kill(self) -> None:
        """Take it down at once (SIGKILL)."""
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """Stop it, and delete its folder when it is a temporary one."""
        self.stop()
        if self._throw_away:
            shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self) -> str:
        """What it said last."""
        return tail(self.log) or "it said nothing"

    def _wait(self, child: Child, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while not self._answers():
            if not child.running:
                raise StartError(f"the registry has ended by itself: {self.last_words()}", f"see {self.log}")
            if time.monotonic() > end:
                raise StartError(f"the registry does not answer after {timeout_s:.0f} s", f"see {self.log}")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        asked = http.client.HTTPConnection(LOCALHOST, self._port, timeout=_ANSWER_S)
        try:
            asked.request("GET", f"{API}/subjects")
            return asked.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()
