"""A real Kafka broker on this machine: one node, in KRaft mode, on 127.0.0.1 only.

It has no security unless asked for it, and one copy of everything: for trying and testing. What it keeps is
in one folder::

    .trayecto-kafka     the mark: this folder is a broker's
    lock                held while it runs
    formatted           written when the data folder was formatted, names the SCRAM users
    data/               its topics
    server.properties   its settings, written at each start
    server.log          its own log (at most three files of 20 MB); console.log is what Java itself says
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from processor.runtime.broker.artifacts import Tell, quiet
from processor.runtime.broker.errors import StartError, UnusableError
from processor.runtime.broker.jars import kafka_jars
from processor.runtime.broker.java import KAFKA_JAVA_MIN, find_java
from processor.runtime.broker.process import LOCALHOST, Child, free_port, require_free_port, tail
from processor.runtime.broker.settings import NODE, Ports, log_properties, server_properties

if TYPE_CHECKING:
    from processor.runtime.broker.tls import Certificates

__all__ = ["HEAP_MB", "LocalKafka"]

HEAP_MB: Final = 512
START_S_MAX: Final = 90.0  # two seconds on an idle machine; a busy one may be far slower
STOP_S_MAX: Final = 30.0
_FORMAT_S_MAX: Final = 60.0
_POLL_S: Final = 0.1
_METADATA_S: Final = 2.0
_TRIES: Final = 3  # of a start on random ports, which another program may take in between
_MARK: Final = ".trayecto-kafka"
_TAKEN: Final = ("Address already in use", "BindException")


class LocalKafka:
    """One broker and its folder. ``with LocalKafka(folder) as kafka`` starts and stops it.

    ``address``, ``scram_address`` and ``tls_address`` (``host:port``) are known once it has been started, and
    stay the same however often it is started again.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        heap_mb: int = HEAP_MB,
        users: Mapping[str, str] | None = None,
        tls: bool = False,
        tell: Tell = quiet,
    ) -> None:
        """Describe a broker; it does not run before :meth:`start`.

        Args:
            folder: where it keeps everything; made when it is not there. None: a temporary one, which
                :meth:`close` deletes.
            port: of its listener without security; 0 takes any free one.
            heap_mb: the most memory that Java may use for its heap.
            users: names and passwords for a SCRAM-SHA-512 listener (SASL_PLAINTEXT), which is there when
                there are any. They are written when the folder is formatted, and stay as they are then.
            tls: adds a TLS listener with certificates of its own, see ``certificates``.
            tell: is told of the download, when there is one.
        """
        self.folder = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="trayecto-kafka-"))
        self.log = self.folder / "server.log"
        self.certificates: Certificates | None = None
        self._asked_port = port
        self._throw_away = folder is None
        self._heap_mb = heap_mb
        self._users = dict(users or {})
        self._tls = tls
        self._tell = tell
        self._ports: Ports | None = None
        self._child: Child | None = None
        self._lock: IO[str] | None = None

    # ------------------------------------------------------------------------------------------ where it is

    @property
    def address(self) -> str:
        """Where clients reach it without security."""
        return f"{LOCALHOST}:{self._known().plain}"

    @property
    def scram_address(self) -> str:
        """Where clients reach it with SASL_PLAINTEXT and SCRAM-SHA-512."""
        assert self._users, "this broker has no users"
        return f"{LOCALHOST}:{self._known().scram}"

    @property
    def tls_address(self) -> str:
        """Where clients reach it with SSL."""
        assert self._tls, "this broker has no TLS"
        return f"{LOCALHOST}:{self._known().tls}"

    @property
    def pid(self) -> int:
        """The id of its process, which leads a group of its own."""
        assert self._child is not None, "it was not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._child is not None and self._child.running

    def _known(self) -> Ports:
        assert self._ports is not None, "it was not started"
        return self._ports

    # ------------------------------------------------------------------------------------- starting, stopping

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
            UnusableError: the port is taken, or the folder is not a broker's or has one that runs.
            JavaError, FetchError: what it needs is not here.
            StartError: it ended by itself, or did not answer in time; the message has its last words.
        """
        assert not self.running, "it runs already"
        if self._asked_port:
            require_free_port(self._asked_port)
        java = find_java(KAFKA_JAVA_MIN)
        jars = os.pathsep.join(map(str, kafka_jars(self._tell)))
        self._take_folder()
        try:
            command = [str(java.path), *self._flags(), "-cp", jars]
            for last in (False,) * (_TRIES - 1) + (True,):
                again = self._ports is not None
                self._ports = self._ports or self._choose_ports()
                self._write_settings()
                self._format(command)
                try:
                    self._run(command, timeout_s)
                    return
                except StartError as error:
                    if last or again or self._asked_port or not any(one in str(error) for one in _TAKEN):
                        raise
                    self._ports = None
        except BaseException:
            self._end_child(kill=True)
            self._release_folder()
            raise

    def stop(self, timeout_s: float = STOP_S_MAX) -> None:
        """Stop it in good order (SIGTERM), by force after ``timeout_s``; what it keeps stays."""
        self._end_child(kill=False, timeout_s=timeout_s)
        self._release_folder()

    def kill(self) -> None:
        """Take it down at once (SIGKILL), as a power cut does; what it keeps stays as it is."""
        self._end_child(kill=True)
        self._release_folder()

    def restart(self, timeout_s: float = START_S_MAX) -> None:
        """Start it again, at the same addresses, with the same data; stop it first when it runs."""
        if self.running:
            self.stop()
        self.start(timeout_s)

    def close(self) -> None:
        """Stop it, and delete its folder when it is a temporary one."""
        self.stop()
        if self._throw_away:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end_child(self, *, kill: bool, timeout_s: float = STOP_S_MAX) -> None:
        if self._child is None:
            return
        if kill:
            self._child.kill()
        else:
            self._child.stop(timeout_s)

    # --------------------------------------------------------------------------------------------- its folder

    def _take_folder(self) -> None:
        mark = self.folder / _MARK
        if (
            self.folder.exists()
            and not mark.is_file()
            and (not self.folder.is_dir() or any(self.folder.iterdir()))
        ):
            raise UnusableError(
                f"{self.folder} is not the folder of a local broker",
                "give an empty folder, or one not yet there",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(
            "A local Kafka broker keeps its data here. Stop it before you delete this.\n", "utf-8"
        )
        (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise UnusableError(
                f"a broker already runs in {self.folder}", "stop it, or give another folder"
            ) from None
        self._lock = lock

    def _release_folder(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _choose_ports(self) -> Ports:
        return Ports(
            plain=self._asked_port or free_port(),
            controller=free_port(),
            scram=free_port() if self._users else 0,
            tls=free_port() if self._tls else 0,
        )

    def _write_settings(self) -> None:
        tls = self.folder / "tls" if self._tls else None
        if tls is not None:
            # Imported here: a broker without TLS need not pay for loading `cryptography`.
            from processor.runtime.broker.tls import make_certificates  # noqa: PLC0415 - as said

            self.certificates = make_certificates(tls)
        text = server_properties(self.folder / "data", self._known(), tls)
        (self.folder / "server.properties").write_text(text, encoding="utf-8")
        (self.folder / "log4j2.properties").write_text(log_properties(self.log), encoding="utf-8")
        # Where Java unpacks its native libraries; a killed one leaves them behind.
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        (self.folder / "tmp").mkdir()

    def _flags(self) -> list[str]:
        return [
            f"-Xmx{self._heap_mb}m",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
        ]

    def _format(self, command: list[str]) -> None:
        """Format the data folder once. One whose formatting broke off holds nothing yet and is begun anew."""
        done = self.folder / "formatted"
        if done.is_file():
            lacking = set(self._users) - set(done.read_text(encoding="utf-8").splitlines())
            if lacking:
                raise UnusableError(
                    f"the broker in {self.folder} was made without the users {', '.join(sorted(lacking))}",
                    "give another folder",
                )
            return
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        arguments = ["kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", self._settings]
        for name, password in self._users.items():
            arguments += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        child = self._start_child([*command, *arguments])
        end = time.monotonic() + _FORMAT_S_MAX
        while child.running and time.monotonic() < end:
            time.sleep(_POLL_S)
        child.kill()
        if child.code != 0:
            raise StartError(f"the data folder could not be formatted: {self.last_words()}")
        done.write_text("".join(f"{name}\n" for name in self._users), encoding="utf-8")

    @property
    def _settings(self) -> str:
        return str(self.folder / "server.properties")

    # -------------------------------------------------------------------------------------------- its process

    def _start_child(self, command: list[str]) -> Child:
        self._child = Child.start(
            command, log=self.folder / "console.log", cwd=self.folder, environment=_environment()
        )
        return self._child

    def _run(self, command: list[str], timeout_s: float) -> None:
        child = self._start_child([*command, "kafka.Kafka", self._settings])
        end = time.monotonic() + timeout_s
        while not self._answers():
            if not child.running:
                raise StartError(f"the broker has ended by itself: {self.last_words()}", f"see {self.log}")
            if time.monotonic() > end:
                child.kill()
                raise StartError(f"the broker does not answer after {timeout_s:.0f} s", f"see {self.log}")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        """Whether it takes connections at every address and answers what its clients ask first."""
        ports = self._known()
        if not all(_listens(port) for port in (ports.plain, ports.scram, ports.tls) if port):
            return False
        from confluent_kafka import KafkaException  # noqa: PLC0415 - loads a C library; only who waits needs it
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above

        settings: dict[str, Any] = {"bootstrap.servers": self.address, "log_level": 0}
        try:
            brokers = AdminClient(settings).list_topics(timeout=_METADATA_S).brokers
        except KafkaException:
            return False
        return NODE in brokers

    def last_words(self) -> str:
        """What it said before it ended: its errors where it got as far as a log, else what Java said."""
        said = tail(self.log).splitlines()
        errors = [line for line in said if " ERROR " in line or "Exception" in line]
        return "\n".join(errors) or tail(self.folder / "console.log") or "it said nothing"


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOCALHOST, port), timeout=1):
        return True
    return False


def _cluster_id() -> str:
    """A random id as Kafka writes one; one with a dash at its head would be taken for an option."""
    made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return f"A{made[1:]}" if made.startswith("-") else made


def _environment() -> dict[str, str]:
    """The environment without what would change how Java runs: a class path that is not ours."""
    return {name: value for name, value in os.environ.items() if name != "CLASSPATH"}
