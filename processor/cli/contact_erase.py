"""``trayecto contact erase`` and ``ledger``: a contact is erased, and who was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from processor.cli.errors import USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User
from processor.cli.operator_events import EventsFile, EventTime, event_line, give, when
from processor.cli.options import ErasureKey, Output, OutputOption, State, TopologyOption

__all__ = ["ERASE_EXAMPLES", "LEDGER_EXAMPLES", "erase", "ledger"]

ERASE_EXAMPLES = (
    "trayecto contact erase c-42 --topology shop --broker 127.0.0.1:9092",
    "trayecto contact erase c-42 c-43 -t shop --broker 127.0.0.1:9092 --request DSR-1207",
    "trayecto contact erase c-42 -t shop --file erase.jsonl --at '2026-04-01 09:00'",
)
LEDGER_EXAMPLES = (
    "trayecto contact ledger --state state --out erased.jsonl",
    "trayecto backtest -t shop --events 2025.jsonl --ledger erased.jsonl",
)


def erase(
    contacts: Annotated[list[str], typer.Argument(metavar="CONTACT...", help="The ids of contacts.")],
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    request: Annotated[
        str,
        typer.Option("--request", metavar="TEXT", help="The number of the request, for the log. No names."),
    ] = "",
    file: EventsFile = None,
    at: EventTime = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Erase contacts, their other ids too, and tell the channels.

    Publishes an event contact_erased for each: it stands in the log, so that
    a replay erases at the same place. With --file the events are written to
    a file instead, as a further source of a run.

    What topics hold goes when their retention is over: docs/guide/privacy.md.
    """
    from processor.cli.options import load
    from processor.cli.output import console, json_out
    from processor.core.time import format_duration

    made = load(topology).topology
    at_ms = when(at, file, made)
    names = list(dict.fromkeys(contacts))
    properties = {"request": request} if request else {}
    lines = [event_line("contact_erased", name, at_ms, properties) for name in names]
    if not give(made, lines, file, broker, registry, security, user, ca_file):
        return
    kept = dict(made.topics.retention_ms)
    if output is Output.JSON:
        json_out({"published": len(lines), "contacts": names, "gone_after_ms": max(kept.values())})
        return
    shown = console()
    shown.print(f"Erased: {len(names):,} contacts, as soon as the workers read it.")
    deadline = format_duration(max(kept.values()))
    shown.print(f"The last record of them is gone from the topics after {deadline}.", style="dim")


def ledger(
    state: State = Path("state"),
    erasure_key: ErasureKey = "",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the ledger here, for --ledger.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write who was erased, as keyed hashes, for other runs.

    The ledger holds no ids. Whoever applies it needs the key that it was made with.
    """
    from processor.cli.options import reading_state
    from processor.cli.output import console, json_out
    from processor.runtime.erasures import Erasures, write_ledger
    from processor.runtime.inspect import ledger_of

    with reading_state(state):
        erasures = Erasures(erasure_key)
        entries = ledger_of(state, erasures)
    if out is not None:
        try:
            write_ledger(out, erasures, entries.items())
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}", "", USAGE) from None
    if output is Output.JSON:
        json_out({"erased": len(entries), "file": str(out) if out else None})
    else:
        where = f"; the ledger is in {out}" if out else ""
        console().print(f"Contacts erased: {len(entries):,}{where}.", markup=False)
