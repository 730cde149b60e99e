"""``trayecto report``: what programs did, and what they brought."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connection, kafka_explained
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.runtime.kafka.settings import KafkaSettings
    from processor.runtime.report import Accumulator, Report

EXAMPLES = (
    "trayecto report --topology shop --out out",
    "trayecto report -t shop --out out --program win-back --from 2026-03-01",
    "trayecto report -t shop --out out --html report.html --parquet tables",
    "trayecto report -t shop --broker 127.0.0.1:9092 --output json | jq .holdouts",
)


_Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The folder of a run's output files; goes before --broker. Default: out.",
        envvar="TRAYECTO_OUT",
    ),
]
_From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Only enrollments that began then or later, and sends."),
]
_To = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="How things stood just before this time.")
]
_Programs = Annotated[
    list[str] | None,
    typer.Option("--program", "-p", metavar="NAME", help="Only this program; again for more."),
]
_Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with plots, in one file, to show."),
]
_Parquet = Annotated[
    Path | None, typer.Option("--parquet", metavar="DIR", help="Write a Parquet file for each table.")
]


def report(
    topology: TopologyOption = Path(),
    out: _Out = None,
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    begin: _From = None,
    end: _To = None,
    program: _Programs = None,
    html: _Html = None,
    parquet: _Parquet = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what programs did, and what they brought.

    Funnels, conversion and time to goal, variants, lift against those held out,
    cost and return, sends not made by reason, contacts by grade over time.

    Read from the decisions in a run's output folder, or from their topic.
    With --program, or where there is one program, it is told step by step.
    """
    from processor.cli.options import load

    made = load(topology).topology
    found = _accumulator(made, begin, end, program)
    if out is None and broker is not None:
        shown = _from_topic(found, made, connection(broker, registry, security, user, ca_file))
    else:
        shown = _from_folder(found, made, out or Path("out"))
    _write(shown, html, parquet)
    _show(shown, output, steps=bool(program) or len(shown.programs) == 1)


def _accumulator(
    topology: Topology, begin: str | None, end: str | None, programs: list[str] | None
) -> Accumulator:
    from processor.cli.options import instant
    from processor.core.turn import NEVER_MS
    from processor.runtime.report import Accumulator

    from_ms = instant(begin, topology.timezone) or 0
    to_ms = instant(end, topology.timezone)
    if to_ms is not None and to_ms <= from_ms:
        raise CommandError("--to is not after --from", "give a later time for --to")
    return Accumulator(
        topology.timezone,
        from_ms=from_ms,
        to_ms=NEVER_MS if to_ms is None else to_ms,
        programs=_known(topology, programs),
    )


def _known(topology: Topology, names: list[str] | None) -> list[str] | None:
    """The programs asked for, None for all. Raises CommandError for one that is not in the topology."""
    from processor.language.problems import instead

    for name in names or ():
        if name not in topology.programs:
            raise CommandError(f'there is no program "{name}"', instead(name, topology.programs))
    return names or None


def _from_folder(found: Accumulator, topology: Topology, out: Path) -> Report:
    from processor.cli.options import existing_folder
    from processor.cli.output import progress
    from processor.runtime.report import build
    from processor.runtime.report.reading import Reading, decisions_file

    existing_folder(out, "the output folder")
    try:
        path = decisions_file(out)
    except FileNotFoundError:
        raise CommandError(f"{out} holds no decisions.jsonl", "give the --out folder of a run") from None
    size = path.stat().st_size
    with progress("decisions") as bar:
        reading = Reading(path, lambda done, count: bar(done, size, f"{count:,} decisions"))
        for decision in reading:
            found.add(decision)
    return build(found, topology, reading.unreadable)


def _from_topic(found: Accumulator, topology: Topology, settings: KafkaSettings) -> Report:
    from processor.cli.output import progress
    from processor.core.outputs import Decision
    from processor.core.topics import topic_names
    from processor.runtime.kafka.sources import schema_source
    from processor.runtime.kafka.tail import Lines, read_all
    from processor.runtime.report import build

    unreadable = 0
    with kafka_explained(), closing(schema_source(settings)) as source, progress("decisions") as bar:
        lines = Lines("decision", source)
        for number, record in enumerate(read_all(settings, [topic_names(topology).decisions]), 1):
            item = lines.item(record)
            if isinstance(item, Decision):
                found.add(item)
            else:
                unreadable += 1
            if number % 20_000 == 0:
                bar(number, 0, f"{number:,} decisions")
    return build(found, topology, unreadable)


def _write(shown: Report, html: Path | None, parquet: Path | None) -> None:
    """Write what was asked for beside what is shown."""
    if html is not None:
        from processor.runtime.report.page import page

        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(page(shown), encoding="utf-8")
        _wrote(html)
    if parquet is not None:
        from processor.runtime.report.export import write_parquet

        write_parquet(shown, parquet)
        _wrote(parquet)


def _show(shown: Report, output: Output, *, steps: bool) -> None:
    from processor.cli.output import console, errors, json_out

    if output is Output.JSON:
        from processor.runtime.report.export import to_json

        json_out(to_json(shown))
    else:
        from processor.cli.report_tables import report_tables

        screen = console()
        for part in report_tables(shown, steps=steps):
            screen.print(part)
    if shown.unreadable:
        message = f"warning: {shown.unreadable:,} records are no decisions and were passed over"
        errors().print(message, style="yellow", markup=False, soft_wrap=True)


def _wrote(path: Path) -> None:
    from processor.cli.output import errors

    errors().print(f"wrote {path}", style="green", markup=False, soft_wrap=True)
