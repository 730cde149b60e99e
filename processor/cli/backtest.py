"""``trayecto backtest``: what a topology would have done with recorded events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from processor.cli.files import Events, Partitions, Until
from processor.cli.options import ErasureKey, Ledger, Output, OutputOption, TopologyOption

EXAMPLES = (
    "trayecto backtest --topology shop --events history.jsonl.gz",
    "trayecto backtest -t shop --events 2025.parquet --until 2026-02-01 --out what-if",
    "trayecto backtest -t shop --events history.avro --output json",
)


def backtest(
    topology: TopologyOption = Path(),
    events: Events = [],  # noqa: B006  typer reads it, nobody changes it
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="More event files, after those of --events."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write commands and decisions into this empty folder, too."
        ),
    ] = None,
    until: Until = None,
    partitions: Partitions = 8,
    on_disk: Annotated[
        bool, typer.Option("--on-disk", help="Keep rows on the disk: for many millions of contacts.")
    ] = False,
    erasure_key: ErasureKey = "",
    ledger: Ledger = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Sum up what a topology would have done.

    Recorded events are replayed, with nothing sent.

    Its commands are those that "run" gives for the same events. The state is thrown away.
    """
    from processor.cli.files import failures_explained, finish, sources, told
    from processor.cli.options import erasures, instant, load_to_run
    from processor.cli.output import console, json_out
    from processor.cli.reports import report_json, report_tables
    from processor.runtime.backtest import BacktestOptions
    from processor.runtime.backtest import backtest as replay

    paths = sources(events, more)
    until_ms = instant(until) or 0
    made = load_to_run(topology).topology
    options = BacktestOptions(
        topology=made,
        sources=paths,
        out=out,
        until_ms=until_ms,
        partitions=partitions,
        on_disk=on_disk,
        erasures=erasures(erasure_key, ledger),
    )
    with failures_explained(), told("events") as tell:
        report = replay(options, tell)
    if output is Output.JSON:
        json_out(report_json(report))
    else:
        shown = console()
        for part in report_tables(report):
            shown.print(part)
    finish(report, "a backtest begins anew")
