"""``trayecto run``: events from files or standard input, commands into files, without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.files import Events, Partitions, Until
from processor.cli.options import ErasureKey, Format, Ledger, Out, Output, OutputOption, State, TopologyOption

if TYPE_CHECKING:
    from processor.runtime.summary import RunReport

EXAMPLES = (
    "trayecto run --topology shop --events events.jsonl --state state --out out",
    "trayecto run -t shop --events 2026-01.jsonl.gz 2026-02.jsonl.gz --until 2026-03-31",
    "cat events.jsonl | trayecto run --topology shop --events - --state state --out out",
)


def run(
    topology: TopologyOption = Path(),
    events: Events = [],  # noqa: B006  typer reads it, nobody changes it
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="More event files, after those of --events."),
    ] = None,
    state: State = Path("state"),
    out: Out = Path("out"),
    until: Until = None,
    format_: Annotated[
        Format,
        typer.Option("--format", help="How commands and decisions are written.", envvar="TRAYECTO_FORMAT"),
    ] = Format.JSONL,
    partitions: Partitions = 8,
    erasure_key: ErasureKey = "",
    ledger: Ledger = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run a topology over files of events.

    Its state is kept in RocksDB; commands and decisions are written to files.

    It can be killed at any point: started again with the same arguments it goes on where it was, and its
    outputs are those of a run that was never stopped. Without --until time stops at the last event.
    """
    from processor.cli.files import failures_explained, finish, sources, told
    from processor.cli.options import erasures, instant, load_to_run
    from processor.runtime.embedded import RunOptions
    from processor.runtime.embedded import run as start

    paths = sources(events, more)
    until_ms = instant(until) or 0
    made = load_to_run(topology).topology
    options = RunOptions(
        topology=made,
        sources=paths,
        state=state,
        out=out,
        until_ms=until_ms,
        output="avro" if format_ is Format.AVRO else "jsonl",
        partitions=partitions,
        erasures=erasures(erasure_key, ledger),
    )
    with failures_explained(), told("events") as tell:
        report = start(options, tell)
    _tell(report, output, state, out, format_)
    finish(report, "the same command goes on where it was")


def _tell(report: RunReport, output: Output, state: Path, out: Path, format_: Format) -> None:
    """Show what the run did, and where its outputs are."""
    from processor.cli.output import console, json_out
    from processor.cli.reports import report_json, report_tables

    if output is Output.JSON:
        json_out(report_json(report))
    else:
        shown = console()
        for part in report_tables(report):
            shown.print(part)
        shown.print(
            f"Outputs are in {out}, the state is in {state}.", markup=False, soft_wrap=True, style="dim"
        )
        if report.refused:
            why = f"{out}/dead-letters.{format_.value} says why"
            text = f"Records refused: {sum(report.refused.values()):,}; {why}."
            shown.print(text, markup=False, soft_wrap=True, style="yellow")
