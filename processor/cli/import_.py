"""``trayecto import``: what other systems know primes the rows, and starts nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import NO, USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connection, kafka_explained
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.runtime.importing import Imported, Table
    from processor.runtime.kafka.settings import KafkaSettings

EXAMPLES = (
    "trayecto import -t shop --profiles people.csv --consents consents.csv --file imported.jsonl",
    "trayecto import -t shop --events 2025.jsonl.gz --cutover 2026-03-01 --file imported.jsonl",
    "trayecto import -t shop --profiles people.parquet --events 2025.parquet --broker 127.0.0.1:9092",
)

_BATCH_LINES = 5_000

Profiles = Annotated[
    list[str] | None,
    typer.Option("--profiles", metavar="FILE", help="contact_id, and a column for each attribute."),
]
Consents = Annotated[
    list[str] | None,
    typer.Option("--consents", metavar="FILE", help="contact_id, purpose, at; channel, granted, text, by."),
]
Lists = Annotated[list[str] | None, typer.Option("--lists", metavar="FILE", help="contact_id, list; at.")]
Scores = Annotated[
    list[str] | None, typer.Option("--scores", metavar="FILE", help="contact_id, score, value; at.")
]
Sends = Annotated[
    list[str] | None,
    typer.Option("--sends", metavar="FILE", help="contact_id, channel, purpose, at; series, piece."),
]
Enrollments = Annotated[
    list[str] | None,
    typer.Option("--enrollments", metavar="FILE", help="contact_id, program, entered_at; key, ended_at."),
]
Events = Annotated[
    list[str] | None,
    typer.Option("--events", metavar="FILE", help="As a run reads them; in CSV, properties are columns."),
]


Cutover = Annotated[
    str | None,
    typer.Option("--cutover", metavar="TIME", help="From when on contacts are live. Default: now."),
]
LogFile = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="Write a log: the first source of a run.")
]
ProgressFile = Annotated[
    Path | None,
    typer.Option("--progress", metavar="FILE", help="Where a broken-off import to Kafka goes on."),
]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Tells files of the same name apart.")]
Skip = Annotated[list[str] | None, typer.Option("--skip", metavar="COLUMN", help="A column to leave out.")]
Refused = Annotated[
    Path | None,
    typer.Option("--refused", metavar="FILE", help="Where to write the rows that are not taken."),
]


def import_(
    profiles: Profiles = None,
    consents: Consents = None,
    lists: Lists = None,
    scores: Scores = None,
    sends: Sends = None,
    enrollments: Enrollments = None,
    events: Events = None,
    topology: TopologyOption = Path(),
    cutover: Cutover = None,
    file: LogFile = None,
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    progress_file: ProgressFile = None,
    name: Name = "",
    skip: Skip = None,
    refused: Refused = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Bring in what other systems know, so that rows start primed.

    Reads CSV, JSON Lines (also .gz, .zst) and Parquet. What is imported counts:
    profiles, consents with their times, scores, histories, segments, caps, and
    who was in which program. It starts nothing: nobody is enrolled, nothing is
    sent, no timer fires that was due before the cutover.

    Importing a file a second time changes nothing. With --file the result is a
    log, which a run or a backtest reads before its other files; with --broker
    it is published.

    The exit code is 1 when rows were refused.
    """
    from processor.cli.options import instant, load
    from processor.runtime.importing import KINDS, Imported, Table

    given = (profiles, consents, lists, scores, sends, enrollments, events)
    tables = [Table(kind, path) for kind, paths in zip(KINDS, given, strict=True) for path in paths or []]
    if not tables:
        raise CommandError("there is nothing to import", "give --profiles FILE, --events FILE, …", USAGE)
    made = load(topology).topology
    cutover_ms = instant(cutover, made.timezone) or _cutover(progress_file)
    done = Imported()
    settings = None if file is not None else connection(broker, registry, security, user, ca_file)
    with _lines(made, tables, cutover_ms, done, name, skip or [], refused) as lines:
        if file is not None:
            _write(lines, file)
        elif settings is not None:
            _publish(lines, settings, made, cutover_ms, progress_file)
    _tell(done, cutover_ms, refused, output)
    if done.refused:
        raise typer.Exit(NO)


@contextmanager
def _lines(
    topology: Topology,
    tables: list[Table],
    cutover_ms: int,
    done: Imported,
    name: str,
    skip: list[str],
    refused: Path | None,
) -> Iterator[Iterator[bytes]]:
    """The lines of the log, with a bar that shows how far it is, and the refused rows in their file."""
    from processor.cli.output import progress
    from processor.cli.publish import letters
    from processor.runtime.importing import imported_lines

    with letters(refused) as refuse, progress("rows") as bar, kafka_explained():
        yield imported_lines(
            topology,
            tables,
            cutover_ms,
            done,
            name=name,
            skip=frozenset(skip),
            refuse=refuse,
            tell=lambda path, rows: bar(0, 0, f"{Path(path).name}: {rows:,} rows"),
        )


def _cutover(progress_file: Path | None) -> int:
    """Where an import goes on, its own cutover; else now."""
    import time

    _, cutover_ms = _reached(progress_file)
    return cutover_ms or time.time_ns() // 1_000_000


def _reached(progress_file: Path | None) -> tuple[int, int]:
    """How many lines an earlier start has published, and its cutover."""
    import msgspec

    if progress_file is None or not progress_file.exists():
        return 0, 0
    try:
        found = msgspec.json.decode(progress_file.read_bytes(), type=dict[str, int])
        return found["lines"], found["cutover_ms"]
    except (OSError, ValueError, KeyError):
        raise CommandError(
            f"{progress_file} does not say how far an import was", "name another file, or remove it", USAGE
        ) from None


def _write(lines: Iterator[bytes], file: Path) -> None:
    """Write the log; it is there whole, or as it was before."""
    if str(file) == "-":
        for line in lines:
            typer.echo(line.decode())
        return
    partial = file.with_name(f"{file.name}.partial")
    try:
        with partial.open("wb") as out:
            out.writelines(line + b"\n" for line in lines)
        partial.replace(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}", "", USAGE) from None


def _publish(
    lines: Iterator[bytes],
    settings: KafkaSettings,
    topology: Topology,
    cutover_ms: int,
    progress_file: Path | None,
) -> None:
    """Publish the lines batch by batch, from where an earlier start came to."""
    import msgspec

    from processor.runtime.kafka.publish import publish_lines

    done, _ = _reached(progress_file)
    rest = itertools.islice(lines, done, None)
    while batch := list(itertools.islice(rest, _BATCH_LINES)):
        publish_lines(settings, topology, batch)
        done += len(batch)
        if progress_file is not None:
            partial = progress_file.with_name(f"{progress_file.name}.partial")
            partial.write_bytes(msgspec.json.encode({"lines": done, "cutover_ms": cutover_ms}))
            partial.replace(progress_file)


def _tell(done: Imported, cutover_ms: int, refused: Path | None, output: Output) -> None:
    from processor.cli.output import console, json_out, table
    from processor.core.time import format_time

    if output is Output.JSON:
        json_out(
            {
                "rows": done.rows,
                "taken": done.taken,
                "refused": done.refused,
                "cutover": format_time(cutover_ms),
            }
        )
        return
    rows: list[tuple[str, int | str]] = [("rows read", done.rows), ("taken", done.taken)]
    rows += [(f"refused: {reason}", count) for reason, count in sorted(done.refused.items())]
    rows.append(("live from", format_time(cutover_ms)))
    out = console()
    out.print(table("Imported", ["", "count"], rows, right=(1,)))
    if done.refused:
        where = f"{refused} says why" if refused else "--refused FILE keeps them, with their reasons"
        text = f"Rows refused: {sum(done.refused.values()):,}; {where}."
        out.print(text, markup=False, soft_wrap=True, style="yellow")
