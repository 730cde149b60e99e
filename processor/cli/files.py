"""What ``run``, ``backtest`` and ``demo`` share: sources, progress, and what can stop a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import DOWN, NO, USAGE, CommandError

if TYPE_CHECKING:
    from processor.runtime.replay import Progress
    from processor.runtime.summary import RunReport

__all__ = ["Events", "Partitions", "Until", "failures_explained", "finish", "sources", "told"]

Events = Annotated[
    list[str],
    typer.Option(
        "--events",
        metavar="FILE",
        help="Event files in order: .jsonl (also .gz, .zst), .avro, .parquet, or - for standard input. "
        "More files may follow.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="TIME",
        help="Let time go on to this instant, and no further. Default: the last event's time.",
    ),
]
Partitions = Annotated[
    int,
    typer.Option(
        "--partitions",
        min=1,
        max=65_536,
        help="Logical partitions; a state keeps its number.",
        envvar="TRAYECTO_PARTITIONS",
    ),
]


def sources(first: list[str], more: list[str] | None) -> tuple[str, ...]:
    """Return the sources. Raises CommandError for a file that is not there."""
    found = (*first, *(more or ()))
    if not found:
        raise CommandError("which events?", "give --events FILE, or --events - for standard input")
    for path in found:
        if path != "-" and not Path(path).exists():
            raise CommandError(
                f"there is no file {path}", "give the event files by their paths, or - for standard input"
            )
    return found


@contextmanager
def failures_explained() -> Iterator[None]:
    """Turn what can stop a run into exit codes: what the arguments say 2, what the machine does 3."""
    from processor.codec.inputs import SourceError
    from processor.codec.writers import OutputError
    from processor.runtime.position import RunError
    from processor.store import StateError
    from processor.store.rocks import PartitionsError

    try:
        yield
    except (PartitionsError, RunError, SourceError) as error:
        raise CommandError(str(error), "", USAGE) from None
    except (StateError, OutputError) as error:
        raise CommandError(str(error), "", DOWN) from None


@contextmanager
def told(what: str) -> Iterator[Callable[[Progress], None]]:
    """Show a run's progress while it works: by bytes where their number is known, else by events."""
    from processor.cli.output import progress

    with progress(what) as bar:

        def tell(at: Progress) -> None:
            bar(at.read_bytes, at.total_bytes, f"{at.records:,} events")

        yield tell


def finish(report: RunReport, again: str) -> None:
    """End the command as its run ended. Raises typer.Exit: 130 for a run that was stopped."""
    from processor.cli.errors import INTERRUPTED
    from processor.cli.output import errors

    if report.outcome == "stopped":
        errors().print(f"stopped; {again}", style="yellow", markup=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED)
    if report.failures:
        message = f"{report.failures} inputs failed: they are in the dead letters"
        errors().print(f"warning: {message}", style="red", markup=False)
        raise typer.Exit(NO)
