"""``trayecto dlq``: what lies in the dead-letter topic, and back to where it came from."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import NO, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connected, kafka_explained
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processor.core.model import Topology
    from processor.runtime.kafka.deadletters import Letter
    from processor.runtime.kafka.settings import KafkaSettings

LIST_EXAMPLES = (
    "trayecto dlq list --broker 127.0.0.1:9092 --topology shop",
    "trayecto dlq list --topology shop --reason not_json --output json",
)
SHOW_EXAMPLES = (
    "trayecto dlq show 3:1207 --topology shop",
    "trayecto dlq show 3:1207 -t shop -o json | jq -r .raw",
)
REPLAY_EXAMPLES = (
    "trayecto dlq replay 3:1207 --topology shop",
    "trayecto dlq replay --reason unknown_schema --topology shop --dry-run",
    "trayecto dlq replay --reason unknown_schema --topology shop",
)

Reason = Annotated[str, typer.Option("--reason", metavar="CODE", help="Dead letters with this reason only.")]


def group() -> typer.Typer:
    """Return the commands under ``dlq``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="List, show and replay dead letters.", no_args_is_help=True, rich_markup_mode="rich"
    )
    made.callback()(dlq)
    made.command("list", epilog=epilog(LIST_EXAMPLES))(list_)
    made.command(epilog=epilog(SHOW_EXAMPLES))(show)
    made.command(epilog=epilog(REPLAY_EXAMPLES))(replay)
    return made


def dlq() -> None:
    """List, show and replay dead letters."""


def list_(
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    reason: Reason = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Count dead letters by reason and topic.

    Each line has the place of the latest, to be shown with "trayecto dlq show".
    """
    from processor.cli.output import console, json_out, table
    from processor.core.time import format_time
    from processor.runtime.kafka.deadletters import groups

    made, settings = connected(topology, broker, registry, security, user, ca_file)
    with kafka_explained():
        found = groups(_letters(settings, made, reason))
    if output is Output.JSON:
        json_out(
            [
                {
                    "reason": one.reason,
                    "topic": one.topic,
                    "count": one.count,
                    "first_at": format_time(one.first_ms),
                    "last_at": format_time(one.last_ms),
                    "last": one.last_place,
                    "message": one.message,
                }
                for one in found
            ]
        )
        return
    out = console()
    if not found:
        out.print("There are no dead letters.", style="green")
        return
    rows = [(one.reason, one.topic, one.count, format_time(one.last_ms), one.last_place) for one in found]
    columns = ["reason", "topic", "count", "the latest", "at"]
    out.print(table("Dead letters", columns, rows, right=(2,), whole=(0, 3, 4)))
    for code, message in {one.reason: one.message for one in found}.items():
        out.print(f"{code}: {message}", markup=False, soft_wrap=True)


def show(
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="Where it stands in the dead letters: PARTITION:OFFSET.")
    ],
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one dead letter with the record as it came."""
    from processor.cli.output import console, json_out, table

    made, settings = connected(topology, broker, registry, security, user, ca_file)
    with kafka_explained():
        found = _told(_one(settings, made, place))
    if output is Output.JSON:
        json_out(found)
        return
    rows = [(name, value) for name, value in found.items() if value is not None]
    console().print(table(f"Dead letter {place}", ["", ""], rows))


def replay(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PLACE]...", help="PARTITION:OFFSET of dead letters.")
    ] = None,
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    reason: Reason = "",
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that were replayed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write refused records back to the topics they came from.

    To be done once the cause is mended: a schema registered, an event type
    declared. A record keeps its key, and counts from its arrival now. An event
    that was taken meanwhile is not counted twice. The dead letters stay where
    they are until their time is over; a replayed record's header
    trayecto-replayed names its dead letter. What was replayed before is left
    out, but with --again.

    The exit code is 1 when some could not be replayed.
    """
    from processor.cli.output import console, json_out, table
    from processor.runtime.kafka.deadletters import BEFORE
    from processor.runtime.kafka.deadletters import replay as start

    if (bool(places), bool(reason), every).count(True) != 1:
        raise CommandError("which dead letters?", "give their places, or --reason CODE, or --all")
    made, settings = connected(topology, broker, registry, security, user, ca_file)
    with kafka_explained():
        if places:
            chosen = iter([_one(settings, made, place) for place in places])
        else:
            chosen = _letters(settings, made, reason)
        done = start(settings, made, chosen, dry=dry_run, again=again)
    if output is Output.JSON:
        json_out({"dry_run": dry_run, "replayed": done.sent, "kept": done.kept})
    else:
        rows = [("would be replayed" if dry_run else "replayed", done.sent)]
        rows += [(f"not: {why}", count) for why, count in done.kept.items()]
        console().print(table("Dead letters", ["", "count"], rows, right=(1,)))
    if set(done.kept) - {BEFORE}:
        raise typer.Exit(NO)


def _letters(settings: KafkaSettings, topology: Topology, reason: str) -> Iterator[Letter]:
    from processor.cli.output import progress
    from processor.runtime.kafka.deadletters import letters
    from processor.runtime.kafka.sources import schema_source

    with progress("dead letters") as bar, closing(schema_source(settings)) as source:
        for number, one in enumerate(letters(settings, topology, source), 1):
            if number % 1000 == 0:
                bar(number, 0, f"{number:,} read")
            if not reason or one.letter.reason == reason:
                yield one


def _one(settings: KafkaSettings, topology: Topology, place: str) -> Letter:
    from processor.runtime.kafka.deadletters import find
    from processor.runtime.kafka.sources import schema_source

    partition, _, offset = place.partition(":")
    if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        raise CommandError(f'"{place}" is no place', "write PARTITION:OFFSET, such as 3:1207")
    with closing(schema_source(settings)) as source:
        found = find(settings, topology, source, int(partition), int(offset))
    if found is None:
        raise CommandError(
            f"there is no dead letter at {place}", "trayecto dlq list shows where they are", NO
        )
    return found


def _told(one: Letter) -> dict[str, Any]:
    from base64 import b64encode

    from processor.core.time import format_time

    letter, key, raw = one.letter, one.record.key, one.letter.raw
    try:
        text, binary = raw.decode(), None
    except UnicodeDecodeError:
        text, binary = None, b64encode(raw).decode()
    return {
        "reason": letter.reason,
        "message": letter.message,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "refused_at": format_time(one.record.timestamp_ms),
        "key": None if key is None else key.decode(errors="backslashreplace"),
        "raw": text,
        "raw_base64": binary,
    }
