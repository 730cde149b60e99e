"""``trayecto contact merge``: two known contacts are one."""

from __future__ import annotations

from pathlib import Path

import typer

from processor.cli.errors import USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User
from processor.cli.operator_events import EventsFile, EventTime, event_line, give, when
from processor.cli.options import Output, OutputOption, TopologyOption

__all__ = ["MERGE_EXAMPLES", "merge"]

MERGE_EXAMPLES = (
    "trayecto contact merge c-42 c-77 --topology shop --broker 127.0.0.1:9092",
    "trayecto contact merge c-42 c-77 c-78 -t shop --file merged.jsonl",
)


def merge(
    contact: str = typer.Argument(metavar="CONTACT", help="The contact that stays."),
    others: list[str] = typer.Argument(metavar="OTHER...", help="The contacts that become it."),
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
    """Make two or more known contacts one. It cannot be undone.

    Publishes an event contacts_merged for each of the others: it stands in the
    log, so that a replay merges them at the same place. With --file the events
    are written to a file instead, as a further source of a run.

    The guide on identity says what becomes of profiles, consents and programs.
    """
    from processor.cli.options import load
    from processor.cli.output import console, json_out

    made = load(topology).topology
    names = [name for name in dict.fromkeys(others) if name != contact]
    if not names:
        raise CommandError(f"{contact} is itself already", "name the contacts that become it", USAGE)
    at_ms = when(at, file, made)
    lines = [event_line("contacts_merged", contact, at_ms, {"other_id": name}) for name in names]
    if not give(made, lines, file, broker, registry, security, user, ca_file):
        return
    if output is Output.JSON:
        json_out({"published": len(lines), "contact_id": contact, "merged": names})
    else:
        console().print(f"Published: {', '.join(names)} become {contact}.", markup=False)
