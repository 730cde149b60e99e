"""``trayecto publish``: events from files into an event topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import NO, USAGE, CommandError
from processor.cli.kafka import (
    Broker,
    CaFile,
    Registry,
    Security,
    User,
    WireFormat,
    connection,
    kafka_explained,
)
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from processor.codec.outputs import DeadLetter
    from processor.runtime.kafka.publish import Published

EXAMPLES = (
    "trayecto publish --broker 127.0.0.1:9092 --topology shop events.jsonl",
    "trayecto publish -t shop 2026-01.jsonl.gz 2026-02.parquet --refused refused.jsonl",
    "cat events.jsonl | trayecto publish --topology shop --format json -",
)


Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Event files: .jsonl (also .gz, .zst), .avro, .parquet, or - for standard input.",
    ),
]
Topic = Annotated[
    str, typer.Option("--topic", metavar="NAME", help="Another event topic than the topology's first.")
]
Form = Annotated[WireFormat, typer.Option("--format", help="How records are written.")]
Occurred = Annotated[
    bool,
    typer.Option("--occurred", help="Records have their events' times; only a CreateTime topic keeps them."),
]
Refused = Annotated[
    Path | None,
    typer.Option("--refused", metavar="FILE", help="Where to write the records that are not published."),
]


def publish(
    files: Files,
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    topic: Topic = "",
    format_: Form = WireFormat.AVRO,
    occurred: Occurred = False,
    refused: Refused = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Publish events from files.

    Each goes to the partition in which the worker looks for its contact.
    Records that are no events of the topology are not published; they are
    counted by reason, and written to --refused. Publishing a file again is
    harmless: an event counts once.

    The exit code is 1 when records were refused.
    """
    from processor.cli.files import sources
    from processor.cli.options import load
    from processor.cli.output import progress
    from processor.runtime.kafka.publish import publish as start

    paths = sources(files, None)
    made = load(topology).topology
    names = {made.topics.prefix + name for name in made.topics.events}
    if topic and topic not in names:
        known = ", ".join(sorted(names))
        raise CommandError(f"{topic} is no event topic of the topology", f"give one of {known}", USAGE)
    settings = connection(broker, registry, security, user, ca_file)
    with kafka_explained(), letters(refused) as refuse, progress("records") as bar:
        done = start(
            settings,
            made,
            paths,
            topic=topic,
            form=format_.value,
            occurred=occurred,
            refuse=refuse,
            tell=lambda read, total, records: bar(read, total, f"{records:,} records"),
        )
    _tell(done, refused, output)
    if done.refused:
        raise typer.Exit(NO)


@contextmanager
def letters(path: Path | None) -> Iterator[Callable[[DeadLetter], None]]:
    """Write what is refused as dead letters, one on each line; nowhere without a path."""
    from processor.codec.outputs import dead_letter_line

    if path is None:
        yield lambda _letter: None
        return
    with path.open("wb") as file:
        yield lambda letter: (file.write(dead_letter_line(letter) + b"\n"), None)[1]


def _tell(done: Published, refused: Path | None, output: Output) -> None:
    from processor.cli.output import console, json_out, table

    if output is Output.JSON:
        json_out(done)
        return
    rows = [("records read", done.records), (f"published to {done.topic}", done.published)]
    rows += [(f"refused: {reason}", count) for reason, count in sorted(done.refused.items())]
    if done.seconds > 0:
        rows.append(("records a second", round(done.records / done.seconds)))
    out = console()
    out.print(table("Published", ["", "count"], rows, right=(1,)))
    if done.refused:
        where = f"{refused} says why" if refused else "--refused FILE keeps them, with their reasons"
        text = f"Records refused: {sum(done.refused.values()):,}; {where}."
        out.print(text, markup=False, soft_wrap=True, style="yellow")
