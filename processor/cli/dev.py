"""``trayecto dev``: a real broker and a real schema registry on this machine, for trying and testing."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Protocol

import typer

from processor.cli.errors import DOWN, USAGE, CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from processor.runtime.broker.kafka import LocalKafka
    from processor.runtime.broker.registry import LocalRegistry

KAFKA_EXAMPLES = (
    "trayecto dev kafka",
    "trayecto dev kafka --throw-away --registry",
    "trayecto dev kafka --port 19092 --data /var/tmp/broker",
)
REGISTRY_EXAMPLES = ("trayecto dev registry", "trayecto dev registry --port 18081")
FOLDER: Final = Path(".trayecto-kafka")
KAFKA_PORT: Final = 9092
REGISTRY_PORT: Final = 8081
_LOOK_S: Final = 0.2

Port = Annotated[
    int,
    typer.Option("--port", metavar="N", min=0, max=65_535, help="Its port on 127.0.0.1; 0 is any free one."),
]


class _Server(Protocol):
    """What a broker and a registry have in common."""

    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def last_words(self) -> str: ...


def group() -> typer.Typer:
    """Return the commands under ``dev``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="Run what production has, on this machine.", no_args_is_help=True, rich_markup_mode="rich"
    )
    made.callback()(dev)
    made.command(epilog=epilog(KAFKA_EXAMPLES))(kafka)
    made.command(epilog=epilog(REGISTRY_EXAMPLES))(registry)
    return made


def dev() -> None:
    """Run what production has, on this machine."""


def kafka(
    port: Port = KAFKA_PORT,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help=f"The folder that it keeps everything in. Default: {FOLDER}."
        ),
    ] = None,
    throw_away: Annotated[
        bool, typer.Option("--throw-away", help="Keep everything in a temporary folder, deleted at the end.")
    ] = False,
    registry: Annotated[bool, typer.Option("--registry", help="Run a schema registry beside it.")] = False,
    registry_port: Annotated[
        int,
        typer.Option(
            "--registry-port",
            metavar="N",
            min=0,
            max=65_535,
            help="The registry's port on 127.0.0.1; 0 is any free one.",
        ),
    ] = REGISTRY_PORT,
) -> None:
    """Run a local Kafka broker until Ctrl-C.

    A real one, with one node, without security, on 127.0.0.1 only: for trying and testing.

    What it is made of is downloaded once (39 MB, the registry 159 MB) and checked.
    """
    from processor.runtime.broker.java import KAFKA_JAVA_MIN, REGISTRY_JAVA_MIN
    from processor.runtime.broker.kafka import LocalKafka
    from processor.runtime.broker.registry import LocalRegistry

    if throw_away and data is not None:
        raise CommandError("--data and --throw-away exclude each other", "leave one of them out")
    with _explained(), _stoppable(), contextlib.ExitStack() as stack:
        _check_port(port, "--port")
        if registry:
            _check_port(registry_port, "--registry-port")
        _prepare("kafka", KAFKA_JAVA_MIN)
        if registry:
            _prepare("registry", REGISTRY_JAVA_MIN)
        folder = data or FOLDER
        if throw_away:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trayecto-kafka-")))
        broker = LocalKafka(folder, port=port)
        servers: list[_Server] = [broker]
        beside = LocalRegistry(folder, port=registry_port) if registry else None
        if beside is not None:
            servers.append(beside)

        def show(out: Console) -> None:
            _show_kafka(out, broker, beside, kept=not throw_away)

        _serve(servers, show)


def registry(port: Port = REGISTRY_PORT) -> None:
    """Run a local schema registry until Ctrl-C.

    A real one (Apicurio, by its Confluent API), in memory, on 127.0.0.1 only: for trying and testing.

    What it is made of is downloaded once (159 MB) and checked.
    """
    from processor.runtime.broker.java import REGISTRY_JAVA_MIN
    from processor.runtime.broker.registry import LocalRegistry

    with _explained(), _stoppable(), tempfile.TemporaryDirectory(prefix="trayecto-registry-") as name:
        _check_port(port, "--port")
        _prepare("registry", REGISTRY_JAVA_MIN)
        made = LocalRegistry(Path(name), port=port)

        def show(out: Console) -> None:
            out.print(
                f"{_version('registry')}: one on this machine, in memory, without security.", style="bold"
            )
            _rows(out, [("registry", made.url), ("log", str(made.log))])
            _next(out, [(f"curl {made.url}/subjects", "the subjects that it holds")])

        _serve([made], show)


# ------------------------------------------------------------------------------------------ what is shared


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what can go wrong into exit codes: what was asked for 2, what it depends on 3."""
    from processor.runtime.broker.errors import BrokerError, UnusableError

    try:
        yield
    except UnusableError as error:
        raise CommandError(str(error), error.fix, USAGE) from None
    except BrokerError as error:
        raise CommandError(str(error), error.fix, DOWN) from None


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Have SIGTERM do what Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_port(port: int, option: str) -> None:
    """Before a download of minutes, rather than after it."""
    from processor.runtime.broker.process import require_free_port

    if port:
        require_free_port(port, option)


def _prepare(name: str, java_min: int) -> None:
    """Have everything here that a start needs."""
    from processor.cli.output import relative
    from processor.runtime.broker.jars import bytes_missing, cache_folder, kafka_jars, registry_folder
    from processor.runtime.broker.java import find_java

    find_java(java_min)
    missing = bytes_missing(name)
    if not missing:
        return
    _say(
        f"{_version(name)} is not here yet: {missing / 1e6:,.0f} MB go into {relative(cache_folder())}, once"
    )
    with _told(f"downloading {name}") as tell:
        (kafka_jars if name == "kafka" else registry_folder)(tell)


@contextlib.contextmanager
def _told(what: str) -> Iterator[Callable[[int, int, str], None]]:
    from processor.cli.output import progress

    with progress(what) as bar:

        def tell(done: int, total: int, note: str) -> None:
            # Where nobody watches, the bar writes a line a quarter; what has no length is said as it comes.
            if total or sys.stderr.isatty():
                bar(done, total, note)
            else:
                _say(note)

        yield tell


def _serve(servers: list[_Server], show: Callable[[Console], None]) -> None:
    """Start them all, tell where they are, and run until a signal, or until one of them ends by itself."""
    from processor.cli.output import console

    out = console()
    try:
        _say("starting (a few seconds)")
        for server in servers:
            server.start()
        show(out)
        sys.stdout.flush()
    except BaseException:
        _stop(servers)
        raise
    try:
        while all(server.running for server in servers):
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        _say("stopping (once more ends it at once)")
        _stop(servers)
        return
    ended = next(server for server in servers if not server.running)
    words = ended.last_words()
    _stop(servers)
    raise CommandError(f"it has ended by itself: {words}", "start it again", DOWN)


def _stop(servers: list[_Server]) -> None:
    try:
        for server in reversed(servers):
            server.stop()
    except KeyboardInterrupt:
        for server in servers:
            server.kill()


def _version(name: str) -> str:
    from processor.runtime.broker.jars import bundle

    title = {"kafka": "Apache Kafka", "registry": "Apicurio Registry"}[name]
    return f"{title} {bundle(name).version}"


def _say(text: str) -> None:
    from processor.cli.output import errors

    errors().print(text, markup=False, soft_wrap=True, style="dim")


def _show_kafka(out: Console, broker: LocalKafka, beside: LocalRegistry | None, *, kept: bool) -> None:
    from processor.cli.output import relative

    out.print(f"{_version('kafka')}: one node on this machine, without security.", style="bold")
    data = relative(broker.folder)
    rows = [
        ("broker", broker.address),
        ("data", f"{data} ({'kept; delete it to begin anew' if kept else 'deleted at the end'})"),
        ("log", relative(broker.log)),
    ]
    option = ""
    if beside is not None:
        rows.insert(1, ("registry", f"{beside.url} (in memory)"))
        option = f" --registry {beside.url}"
    _rows(out, rows)
    topology = shlex.quote(os.environ.get("TRAYECTO_TOPOLOGY", "shop"))
    at = f"--topology {topology} --broker {broker.address}"
    _next(
        out,
        [
            (f"trayecto topics create {at}{option}", "the topics of a topology"),
            (f"trayecto worker {at}{option} --state state", "decides on what they are sent"),
        ],
    )


def _rows(out: Console, rows: list[tuple[str, str]]) -> None:
    for name, value in rows:
        out.print(f"  {name:<9} {value}", markup=False, soft_wrap=True)


def _next(out: Console, commands: list[tuple[str, str]]) -> None:
    out.print()
    out.print("What to type next, in another terminal", style="bold")
    for command, why in commands:
        out.print(f"  # {why}", style="dim", markup=False)
        out.print(f"  {command}", style="cyan", markup=False, soft_wrap=True)
    out.print()
    out.print("Ctrl-C stops it.", style="dim")
