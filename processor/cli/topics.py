"""``trayecto topics``: the Kafka topics and schemas of a topology."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import NO
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connection, kafka_explained
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.runtime.kafka.settings import KafkaSettings
    from processor.runtime.kafka.topics import Difference, Spec

LIST_EXAMPLES = ("trayecto topics list --topology shop", "trayecto topics list -o json | jq -r '.[].name'")
CREATE_EXAMPLES = (
    "trayecto topics create --broker 127.0.0.1:9092 --topology shop",
    "trayecto topics create --topology shop --replication 3 --mend",
    "trayecto topics create --topology shop --registry http://127.0.0.1:8081/apis/ccompat/v7",
)
CHECK_EXAMPLES = (
    "trayecto topics check --broker 127.0.0.1:9092 --topology shop",
    "trayecto topics check --topology shop --output json",
)

Replication = Annotated[
    int | None,
    typer.Option(
        "--replication", min=1, max=32, help="Copies of each partition. Default: 3, or one a broker if fewer."
    ),
]


def group() -> typer.Typer:
    """Return the commands under ``topics``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="Make and check the Kafka topics of a topology.", no_args_is_help=True, rich_markup_mode="rich"
    )
    made.callback()(topics)
    made.command("list", epilog=epilog(LIST_EXAMPLES))(list_)
    made.command(epilog=epilog(CREATE_EXAMPLES))(create)
    made.command(epilog=epilog(CHECK_EXAMPLES))(check)
    return made


def topics() -> None:
    """Make and check the Kafka topics of a topology."""


def list_(topology: TopologyOption = Path(), output: OutputOption = Output.TABLE) -> None:
    """List the topics of a topology, with their settings.

    Names, what each holds, partitions, how long records are kept. It needs no
    broker.
    """
    from processor.cli.options import load
    from processor.cli.output import console, json_out, table
    from processor.runtime.kafka.topics import plan

    specs = plan(load(topology).topology)
    if output is Output.JSON:
        json_out(specs)
        return
    rows = [(spec.name, spec.holds, spec.partitions, _kept(spec)) for spec in specs]
    console().print(table("Topics", ["topic", "holds", "partitions", "kept"], rows, right=(2,)))


def create(
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    replication: Replication = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Also set settings of topics that are there and differ.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the topics that are not there, and register schemas.

    Topics that are there are left as they are, but with --mend their settings
    are set right. Partitions and replicas are never changed. With a registry
    the schemas of all topics are registered, and their subjects set to
    BACKWARD_TRANSITIVE. The exit code is 1 when something still differs.
    """
    from processor.cli.options import load
    from processor.runtime.kafka.sources import register
    from processor.runtime.kafka.topics import create as make
    from processor.runtime.kafka.topics import plan

    made = load(topology).topology
    settings = connection(broker, registry, security, user, ca_file)
    with kafka_explained():
        changed, left = make(settings, plan(made), replication, mend=mend)
        registered = register(settings, made) if settings.registry else {}
    _tell(output, {"changed": changed, "registered": registered}, left, f"made or changed: {len(changed)}")


def check(
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    replication: Replication = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check topics and schemas: are they as they have to be?

    Every difference is told with what to do about it. The exit code is 1 when
    there is one.
    """
    from processor.cli.options import load
    from processor.runtime.kafka.topics import compare, look, plan

    made = load(topology).topology
    settings = connection(broker, registry, security, user, ca_file)
    specs = plan(made)
    with kafka_explained():
        found = look(settings, [spec.name for spec in specs])
        differences = compare(specs, found, replication)
        differences += _schemas(settings, made)
    _tell(output, {}, differences, f"topics: {len(specs)}")


def _schemas(settings: KafkaSettings, topology: Topology) -> list[Difference]:
    from processor.runtime.kafka.sources import unregistered

    return unregistered(settings, topology) if settings.registry else []


def _kept(spec: Spec) -> str:
    from processor.core.time import format_duration

    if spec.config["cleanup.policy"] == "compact":
        return "the last of each key"
    return format_duration(int(spec.config["retention.ms"]))


def _tell(output: Output, done: dict[str, Any], left: Sequence[Difference], summary: str) -> None:
    from processor.cli.output import console, json_out, table

    if output is Output.JSON:
        json_out({"good": not left, **done, "differences": left})
    else:
        out = console()
        for name in done.get("changed", ()):
            out.print(f"made or changed {name}", markup=False, soft_wrap=True)
        if left:
            columns = ["topic", "what", "expected", "found"]
            rows = [(one.topic, one.what, one.expected, one.found) for one in left]
            out.print(table("Differences", columns, rows, whole=()))
            for fix in dict.fromkeys(one.fix for one in left):
                out.print(f"To do: {fix}", markup=False, soft_wrap=True)
        counted = f"{summary}, differences: {len(left)}"
        out.print(counted, style="red" if left else "green", markup=False, soft_wrap=True)
    if left:
        raise typer.Exit(NO)
