"""``trayecto worker``: a topology on Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from processor.cli.errors import DOWN, NO, USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connection, kafka_explained
from processor.cli.options import ErasureKey, State, TopologyOption

EXAMPLES = (
    "trayecto worker --topology shop --broker 127.0.0.1:9092 --state state",
    "trayecto worker -t shop --state /var/lib/trayecto --name worker-0 --metrics-port 9108",
    "trayecto worker -t shop --state state --leave",
)


class Level(StrEnum):
    """The least important that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log is written."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class Start(StrEnum):
    """Where a partition begins that was never read."""

    EARLIEST = "earliest"
    LATEST = "latest"


Name = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The worker's own name, the same after a restart. Default: the machine's.",
        envvar="TRAYECTO_NAME",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65_535,
        metavar="N",
        help="Serve /metrics, /healthz and /readyz at this port; 0 for a free one.",
        envvar="TRAYECTO_METRICS_PORT",
    ),
]
MetricsHost = Annotated[
    str,
    typer.Option(
        "--metrics-host",
        metavar="ADDRESS",
        help="The address they are served at.",
        envvar="TRAYECTO_METRICS_HOST",
    ),
]
MetricsPortFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics-port-file",
        metavar="FILE",
        help="Where to write the port once it answers.",
        envvar="TRAYECTO_METRICS_PORT_FILE",
    ),
]
StartOption = Annotated[Start, typer.Option("--start", help="Where a partition begins that was never read.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A limit or a time-out of docs/guide/worker.md; may be given again.",
    ),
]
OwnTime = Annotated[
    bool,
    typer.Option("--own-time", help="Believe records' own times (CreateTime), to replay a log of the past."),
]
LogLevel = Annotated[
    Level, typer.Option("--log-level", envvar="TRAYECTO_LOG_LEVEL", help="What is logged at least.")
]
LogForm = Annotated[
    LogFormat, typer.Option("--log-format", envvar="TRAYECTO_LOG_FORMAT", help="How it is written.")
]
Leave = Annotated[
    bool, typer.Option("--leave", help="Give up the membership when stopped: partitions move at once.")
]


def worker(
    topology: TopologyOption = Path(),
    broker: Broker = None,
    state: State = Path("state"),
    name: Name = "",
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    start: StartOption = Start.EARLIEST,
    metrics_port_file: MetricsPortFile = None,
    settings: Settings = None,
    leave: Leave = False,
    own_time: OwnTime = False,
    erasure_key: ErasureKey = "",
    log_level: LogLevel = Level.INFO,
    log_format: LogForm = LogFormat.AUTO,
) -> None:
    """Run a topology on Kafka.

    Events come from its topics, commands go to a topic for each channel, each
    once: a transaction holds the commands, the rows and the place in the input.

    Several workers share the partitions; each needs a name and a state folder
    of its own. Killed at any point and started again under its name, it goes
    on where it was. Ctrl-C and SIGTERM finish what is under way.
    """
    from processor.cli.options import load_to_run
    from processor.observe.logs import configure
    from processor.runtime.faust.serving import Worker, serve

    others = _read(settings)
    made = load_to_run(topology).topology
    kafka = connection(broker, registry, security, user, ca_file)
    configure(log_level.value, "" if log_format is LogFormat.AUTO else log_format.value)
    with kafka_explained(), _worker_explained():
        try:
            one = Worker(
                made,
                kafka,
                state,
                name,
                own_time=own_time,
                erasure_key=erasure_key,
                start=start.value,
                folder=str(topology),
                **others,
            )
        except ValueError as error:
            raise CommandError(str(error), "docs/guide/worker.md has the rules", USAGE) from None
        serve(one, leave=leave, host=metrics_host, port=metrics_port, port_file=metrics_port_file)


def _read(settings: list[str] | None) -> dict[str, Any]:
    from processor.runtime.faust.settings import read_setting

    try:
        return dict(read_setting(text) for text in settings or ())
    except ValueError as error:
        raise CommandError(str(error), "", USAGE) from None


@contextmanager
def _worker_explained() -> Iterator[None]:
    """Turn what can stop a worker into exit codes."""
    from aiokafka.errors import KafkaError

    from processor.runtime.faust.errors import PagesError, WorkerError

    try:
        yield
    except PagesError as error:
        raise CommandError(str(error), "", USAGE) from None
    except WorkerError as error:
        raise CommandError(str(error), "", NO) from None
    except (ConnectionError, KafkaError) as error:
        raise CommandError(
            f"Kafka cannot be worked with: {type(error).__name__}: {error}", "", DOWN
        ) from None
