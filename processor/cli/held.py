"""``trayecto held``: what circuit breakers and pauses hold, and how it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import DOWN, NO, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User
from processor.cli.operator_events import EventsFile, EventTime
from processor.cli.options import Output, OutputOption, State, TopologyOption
from processor.cli.pause import Because, By, say

if TYPE_CHECKING:
    from processor.runtime.held import Braked, Held

LIST_EXAMPLES = (
    "trayecto held list --state state",
    "trayecto held list --state state --program welcome -o json | jq '.held | length'",
)
RELEASE_EXAMPLES = (
    'trayecto held release welcome --topology shop --broker 127.0.0.1:9092 --because "a sale"',
    "trayecto held release welcome -t shop --file released.jsonl --at 2026-03-01T09:30Z",
)
DROP_EXAMPLES = ('trayecto held drop welcome -t shop --broker 127.0.0.1:9092 --because "wrong audience"',)

Program = Annotated[str, typer.Argument(metavar="PROGRAM", help="Which program.")]


def group() -> typer.Typer:
    """Return the commands under ``held``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="Show what circuit breakers and pauses hold; release it or drop it.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    made.callback()(held)
    made.command("list", epilog=epilog(LIST_EXAMPLES))(list_)
    made.command(epilog=epilog(RELEASE_EXAMPLES))(release)
    made.command(epilog=epilog(DROP_EXAMPLES))(drop)
    return made


def held() -> None:
    """Show what circuit breakers and pauses hold; release it or drop it."""


def list_(
    state: State = Path("state"),
    program: Annotated[str, typer.Option("--program", metavar="NAME", help="Of this program only.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the programs that are stopped, and what they hold.

    In a pass over the rows of a run's state, or of the partitions that a
    worker has (or had) on this disk.

    The exit code is 1 when a program is stopped or something is held.
    """
    from processor.cli.output import console, json_out, table
    from processor.core.time import format_time

    programs, found = _held(state, program)
    if output is Output.JSON:
        json_out(
            {
                "programs": [
                    {
                        "program": one.program,
                        "paused": one.paused,
                        "breaker_tripped": one.tripped,
                        "since": format_time(one.since_ms),
                    }
                    for one in programs
                ],
                "held": [
                    {
                        "contact_id": one.contact_id,
                        "program": one.program,
                        "enrollment": one.enrollment,
                        "step": one.step,
                        "until": format_time(one.until_ms) if one.until_ms else None,
                    }
                    for one in found
                ],
            }
        )
    elif programs or found:
        stopped = [
            (one.program, " ".join(_words(one)), format_time(one.since_ms), _count(found, one.program))
            for one in programs
        ]
        columns = ["program", "is", "since", "held"]
        console().print(table("Stopped programs", columns, stopped, right=(3,)))
        rows = [
            (one.contact_id, one.program, one.step, format_time(one.until_ms) if one.until_ms else "")
            for one in found
        ]
        console().print(table("Held", ["contact", "program", "step", "until"], rows))
    else:
        console().print("No program is stopped, and nothing is held.")
    if programs or found:
        raise typer.Exit(NO)


def _held(state: Path, program: str) -> tuple[list[Braked], list[Held]]:
    from processor.cli.options import existing_folder
    from processor.runtime.held import braked_in, held_in
    from processor.store import StateError

    existing_folder(state, "the state's folder")
    try:
        programs = [one for one in braked_in(state) if program in {"", one.program}]
        return programs, [one for one in held_in(state) if program in {"", one.program}]
    except StateError as error:
        raise CommandError(str(error), "", DOWN) from None


def _words(one: Braked) -> list[str]:
    return [word for word, on in (("paused", one.paused), ("tripped", one.tripped)) if on]


def _count(found: list[Held], program: str) -> int:
    return sum(one.program == program for one in found)


def release(
    program: Program,
    because: Because = "",
    by: By = "",
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    file: EventsFile = None,
    at: EventTime = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Close a breaker and let go of what was held; it is decided anew.

    Publishes an event held_released: it stands in the log, so that a replay
    releases at the same place. With --file the event is written to a file
    instead, as a further source of a run.
    """
    connected = (broker, registry, security, user, ca_file)
    say("held_released", program, by, because, topology, connected, file, at, output)


def drop(
    program: Program,
    because: Because = "",
    by: By = "",
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    file: EventsFile = None,
    at: EventTime = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Close a breaker and drop what was held; contacts go on.

    Publishes an event held_dropped, which stands in the log. Each command that
    is dropped is recorded (suppressed, dropped).
    """
    connected = (broker, registry, security, user, ca_file)
    say("held_dropped", program, by, because, topology, connected, file, at, output)
