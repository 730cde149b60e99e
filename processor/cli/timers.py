"""``trayecto timers``: those that failed and were stopped, and how they go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import NO, USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User
from processor.cli.operator_events import EventsFile, EventTime, event_line, give, when
from processor.cli.options import Output, OutputOption, State, TopologyOption

if TYPE_CHECKING:
    from processor.runtime.inspect import Stopped

LIST_EXAMPLES = (
    "trayecto timers list --state state",
    "trayecto timers list --state state -o json | jq 'group_by(.program)'",
)
RELEASE_EXAMPLES = (
    "trayecto timers release c-42 --topology shop --broker 127.0.0.1:9092",
    "trayecto timers release --all --state state -t shop --broker 127.0.0.1:9092",
    "trayecto timers release --all --state state -t shop --file released.jsonl",
)


def group() -> typer.Typer:
    """Return the commands under ``timers``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="Show timers that failed and were stopped; let them go.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    made.callback()(timers)
    made.command("list", epilog=epilog(LIST_EXAMPLES))(list_)
    made.command(epilog=epilog(RELEASE_EXAMPLES))(release)
    return made


def timers() -> None:
    """Show timers that failed and were stopped; let them go."""


def list_(state: State = Path("state"), output: OutputOption = Output.TABLE) -> None:
    """List the timers that failed and were stopped.

    In a pass over the rows of a run's state, or of the partitions that a
    worker has (or had) on this disk. Decisions of the kind quarantined say why.

    The exit code is 1 when there are some.
    """
    from processor.cli.output import console, json_out, table
    from processor.core.time import format_time

    found = _stopped(state)
    if output is Output.JSON:
        json_out(
            [
                {
                    "contact_id": one.contact_id,
                    "program": one.program or None,
                    "enrollment": one.enrollment or None,
                    "step": one.step or None,
                    "timer": one.timer,
                    "due_at": format_time(one.due_ms),
                }
                for one in found
            ]
        )
    elif found:
        rows = [(one.contact_id, one.program, one.step, one.timer, format_time(one.due_ms)) for one in found]
        console().print(table("Stopped timers", ["contact", "program", "step", "timer", "was due"], rows))
    else:
        console().print("No timer is stopped.")
    if found:
        raise typer.Exit(NO)


def release(
    contacts: Annotated[
        list[str] | None, typer.Argument(metavar="[CONTACT]...", help="The ids of contacts.")
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Every contact with a stopped timer in --state.")
    ] = False,
    state: State = Path("state"),
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
    """Let stopped timers of contacts go: they are due now.

    Publishes an event timers_released for each contact: it stands in the log,
    so that a replay releases them at the same place. With --file the events
    are written to a file instead, as a further source of a run.

    A timer that fails again is stopped again.
    """
    from processor.cli.options import load
    from processor.cli.output import console, json_out

    made = load(topology).topology
    at_ms = when(at, file, made)
    names = _named(contacts or [], state, everybody=everybody)
    lines = [event_line("timers_released", name, at_ms, {}) for name in names]
    if not give(made, lines, file, broker, registry, security, user, ca_file):
        return
    if output is Output.JSON:
        json_out({"published": len(lines), "contacts": names})
    else:
        console().print(f"Released: the timers of {len(names):,} contacts.")


def _named(contacts: list[str], state: Path, *, everybody: bool) -> list[str]:
    if everybody == bool(contacts):
        raise CommandError("whose timers?", "give contacts by their ids, or --all with --state DIR", USAGE)
    return list(dict.fromkeys(contacts or (one.contact_id for one in _stopped(state))))


def _stopped(state: Path) -> list[Stopped]:
    from processor.cli.options import reading_state
    from processor.runtime.inspect import stopped_in

    with reading_state(state):
        return list(stopped_in(state))
