"""``trayecto contact export``: everything that is held of one contact, for whoever asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import NO, USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connection, kafka_explained
from processor.cli.options import ErasureKey, Out, Output, OutputOption, State, TopologyOption

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.runtime.exporting import Records

__all__ = ["EXPORT_EXAMPLES", "export"]

EXPORT_EXAMPLES = (
    "trayecto contact export c-42 --topology shop --state state --out out",
    "trayecto contact export c-42 -t shop --broker 127.0.0.1:9092 --file c-42.json",
    "trayecto contact export c-42 -t shop -o json | jq .consents",
)
_Held = tuple[str, bytes | None, list[str], "Records"]


def export(
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id, any that it has had.")],
    topology: TopologyOption = Path(),
    state: State = Path("state"),
    out: Out = Path("out"),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    erasure_key: ErasureKey = "",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Write it here, as JSON.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show everything that is held of a contact.

    Its row, and the decisions, commands and events about it: from a run's
    state and output folder, or with --broker from the topics of a worker.

    As JSON it is what docs/guide/privacy.md describes, for other programs.
    """
    from processor.cli.options import load
    from processor.cli.output import console, json_out
    from processor.runtime.erasures import Erasures
    from processor.runtime.exporting import exported

    made = load(topology).topology
    erasures = Erasures(erasure_key)
    if broker is not None:
        found, erased_ms = _from_kafka(made, contact, erasures, broker, registry, security, user, ca_file)
    else:
        found, erased_ms = _from_folders(contact, erasures, state, out)
    now, data, ids, records = found
    if data is None:
        _refuse(contact, erased_ms, records)
    everything = exported(made, now, data, ids, records)
    if file is not None:
        _write(everything, file)
        console().print(f"Everything that is held of {contact} is in {file}.", markup=False)
    elif output is Output.JSON:
        json_out(everything)
    else:
        _show(everything)


def _refuse(contact: str, erased_ms: int, records: Records) -> None:
    """There is no row: nothing was ever held, or it was erased; what records are left goes by itself."""
    from processor.core.time import format_time

    left = len(records.decisions) + len(records.commands) + len(records.events)
    fix = f"{left} records about it are still there, until their topics let them go" if left else ""
    if erased_ms:
        raise CommandError(f'"{contact}" was erased at {format_time(erased_ms)}: nothing is held', fix, NO)
    raise CommandError(f'nothing is held of "{contact}"', fix or "is that the id as the events have it?", NO)


def _from_folders(contact: str, erasures: Any, state: Path, out: Path) -> tuple[_Held, int]:
    from processor.cli.options import reading_state
    from processor.runtime.exporting import Records, ids_of, records_in
    from processor.runtime.inspect import ledger_of, read_row

    with reading_state(state):
        now, data, ids = ids_of(contact, lambda name: read_row(state, name))
        erased_ms = 0 if data is not None else ledger_of(state, erasures).get(erasures.hash_of(contact), 0)
    records = records_in(out, ids) if out.is_dir() else Records()
    return (now, data, ids, records), erased_ms


def _from_kafka(topology: Topology, contact: str, erasures: Any, *login: Any) -> tuple[_Held, int]:
    from processor.runtime.erasures import at_of
    from processor.runtime.kafka.holdings import erased_entry, holdings

    settings = connection(*login)
    with kafka_explained():
        found = holdings(settings, topology, contact)
        entry = None
        if found[1] is None:
            entry = erased_entry(settings, topology, contact, erasures.hash_of(contact))
    return found, at_of(entry) if entry else 0


def _write(everything: dict[str, Any], file: Path) -> None:
    import msgspec

    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(everything), indent=2) + b"\n")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}", "", USAGE) from None


def _show(everything: dict[str, Any]) -> None:
    """Every part that is not empty, as a table; records one a line."""
    from processor.cli.output import console, table
    from processor.runtime.expectations import values_text
    from processor.runtime.sentences import moment_of, sentence

    shown = console()
    others = ", ".join(everything["other_ids"])
    shown.print(f"{everything['contact_id']}, as of {everything['as_of']}", style="bold", markup=False)
    if others:
        shown.print(f"also known as {others}", markup=False)
    for title, rows in (
        ("Profile", [{"attribute": name, "value": value} for name, value in everything["profile"].items()]),
        ("Consents", everything["consents"]),
        ("Answers about consent", everything["consent_history"]),
        ("Lists", everything["lists"]),
        ("Segments", everything["segments"]),
        ("Scores", [one | {"ledger": len(one["ledger"])} for one in everything["scores"]]),
        ("Points", [{"score": s["score"]} | line for s in everything["scores"] for line in s["ledger"]]),
        ("Counted events", everything["history"]),
        *((f"Relation {name}", rows) for name, rows in everything["relations"].items()),
        ("In programs", everything["enrollments"]),
        ("Was in programs", everything["past"]),
        ("Sends remembered", everything["sends"]),
        ("Timers", everything["timers"]),
        ("Commands", everything["commands"]),
        ("Events", everything["events"]),
    ):
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = [
            [values_text(row.get(name)) if row.get(name) is not None else "" for name in columns]
            for row in rows
        ]
        if lines:
            shown.print(table(title, columns, lines))
    if everything["decisions"]:
        shown.print("Decisions", style="bold")
    for one in everything["decisions"]:
        said = sentence(moment_of(one), _instant)
        shown.print(f"{one['decided_at']} {one['program'] or ''} {said}", markup=False, soft_wrap=True)


def _instant(ms: int) -> str:
    from processor.core.time import format_time

    return format_time(ms)
