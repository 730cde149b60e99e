"""``trayecto partition``: where partitions stand in their logs, and how one that lost its place goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import NO, USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connected, kafka_explained
from processor.cli.operator_events import logged_in
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.runtime.faust.resuming import Command

LIST_EXAMPLES = (
    "trayecto partition list --topology shop --broker 127.0.0.1:9092",
    "trayecto partition list -t shop -o json | jq '.[] | select(.lost)'",
)
RESUME_EXAMPLES = (
    'trayecto partition resume --partition 3 --from earliest --because "retention was a day" -t shop',
    'trayecto partition resume --partition 3 --from 120733 --topic events --because "INC-12" -t shop',
)


def group() -> typer.Typer:
    """Return the commands under ``partition``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="Show where partitions stand; go on where a position was lost.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    made.callback()(partition)
    made.command("list", epilog=epilog(LIST_EXAMPLES))(list_)
    made.command(epilog=epilog(RESUME_EXAMPLES))(resume)
    return made


def partition() -> None:
    """Show where partitions stand; go on where a position was lost."""


def list_(
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List where every partition stands in its source topics.

    The position is what the changelog says, which is where a worker goes on.
    The exit code is 1 when one is lost: it is not in the log any more.
    """
    from processor.cli.output import console, json_out, table
    from processor.runtime.faust.resuming import places

    made, settings = connected(topology, broker, registry, security, user, ca_file)
    with kafka_explained():
        found = [
            (number, place)
            for number in range(made.topics.partitions)
            for place in places(settings, made, number)
        ]
    lost = any(place.lost for _, place in found)
    if output is Output.JSON:
        json_out(
            [
                {
                    "partition": number,
                    "topic": place.topic,
                    "position": place.position,
                    "first": place.first,
                    "end": place.end,
                    "lost": place.lost,
                }
                for number, place in found
            ]
        )
    else:
        rows = [
            (
                number,
                place.topic,
                "none" if place.position is None else place.position,
                place.first,
                place.end,
                "LOST" if place.lost else "",
            )
            for number, place in found
        ]
        columns = ["partition", "topic", "position", "log from", "to", ""]
        console().print(table("Partitions", columns, rows, right=(0, 2, 3, 4)))
    if lost:
        raise typer.Exit(NO)


def resume(
    partition: Annotated[int, typer.Option("--partition", min=0, metavar="N", help="Which partition.")],
    where: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="PLACE",
            help="Where to go on: earliest (what is left), latest (behind it all) or an offset.",
        ),
    ],
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is recorded.")],
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who; it is recorded. Default: who is logged in.")
    ] = "",
    topic: Annotated[
        str,
        typer.Option("--topic", metavar="NAME", help="This source topic only. Default: all that are lost."),
    ] = "",
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go on with a partition whose position is not in its log.

    A worker stops such a partition: records were deleted before they were
    read, or this is another cluster. What is skipped is never decided on, so
    somebody has to say where to go on. The command is recorded, with who and
    why, in the changelog and on the clock topic; a worker that stands still
    there goes on within seconds, and so does one that starts later.

    A partition that is well is not touched: the exit code is then 1.
    """
    from processor.cli.output import console, json_out, table
    from processor.runtime.faust.resuming import NotLostError
    from processor.runtime.faust.resuming import resume as carry_out

    made, settings = connected(topology, broker, registry, security, user, ca_file)
    command = _command(made, partition, where, by or logged_in(), because.strip(), topic)
    with kafka_explained():
        try:
            moves = sorted(carry_out(settings, made, command).items())
        except NotLostError as error:
            raise CommandError(str(error), "trayecto partition list shows where they stand", NO) from None
    if output is Output.JSON:
        json_out([{"topic": name, "before": before, "now": now} for name, (before, now) in moves])
        return
    rows = [(name, "none" if before is None else before, now) for name, (before, now) in moves]
    title = f"Partition {partition} goes on"
    console().print(table(title, ["topic", "it was at", "goes on at"], rows, right=(1, 2)))


def _command(made: Topology, partition: int, where: str, who: str, why: str, topic: str) -> Command:
    import time

    from processor.runtime.faust.resuming import TEXT_CHARS_MAX, Command

    if partition >= made.topics.partitions:
        last = made.topics.partitions - 1
        raise CommandError(f"there is no partition {partition}", f"they are 0 to {last}")
    if not why or len(why) > TEXT_CHARS_MAX or len(who) > TEXT_CHARS_MAX:
        said = f"say why, and who, in up to {TEXT_CHARS_MAX} characters each"
        raise CommandError(said, "--because TEXT, --by NAME", USAGE)
    return Command(partition, _place(where), who, why, time.time_ns() // 1_000_000, topic)


def _place(text: str) -> str | int:
    if text in ("earliest", "latest"):
        return text
    if text.isascii() and text.isdigit():
        return int(text)
    raise CommandError(f'"{text}" is no place to go on', "write earliest, latest or an offset", USAGE)
