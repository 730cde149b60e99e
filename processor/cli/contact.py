"""``trayecto contact``: what is known of one contact, that it be erased, or become another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from processor.cli.contact_erase import ERASE_EXAMPLES, LEDGER_EXAMPLES, erase, ledger
from processor.cli.contact_export import EXPORT_EXAMPLES, export
from processor.cli.contact_merge import MERGE_EXAMPLES, merge
from processor.cli.errors import DOWN, NO, CommandError
from processor.cli.options import At, Output, OutputOption, State, TopologyOption

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.core.named import Past
    from processor.core.rows import Row
    from processor.runtime.inspect import Seen

EXAMPLES = (
    "trayecto contact show c-42 --state state --topology shop",
    "trayecto contact show c-42 --state state --topology shop --at '2026-03-01 10:00'",
    "trayecto contact show c-42 --output json | jq .profile",
)


def group() -> typer.Typer:
    """Return the commands under ``contact``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="Show or erase one contact, or make two of them one.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    made.callback()(contact)
    made.command(epilog=epilog(EXAMPLES))(show)
    made.command(epilog=epilog(EXPORT_EXAMPLES))(export)
    made.command(epilog=epilog(ERASE_EXAMPLES))(erase)
    made.command(epilog=epilog(LEDGER_EXAMPLES))(ledger)
    made.command(epilog=epilog(MERGE_EXAMPLES))(merge)
    return made


def contact() -> None:
    """Show or erase one contact, or make two of them one."""


def show(
    contact: str = typer.Argument(metavar="CONTACT", help="The contact's id."),
    state: State = Path("state"),
    topology: TopologyOption = Path(),
    at: At = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a contact's row.

    Profile, consents, scores, where it waits and until when, what its caps have left.

    Scores and caps are as of the contact's own clock (its latest event or timer), or of --at.
    """
    from processor.cli.options import existing_folder, instant, load
    from processor.core.rows import Row
    from processor.runtime.inspect import seen

    existing_folder(state, "the state's folder")
    made = load(topology).topology
    data = _stored(state, contact)
    if data is None:
        raise CommandError(
            f'the state holds no contact "{contact}"', "is that the id as the events have it?", NO
        )
    found = seen(made, contact, data, instant(at, made.timezone))
    past = Row.decode(data).past.all()
    if output is Output.JSON:
        _json(found, past)
    else:
        _show(found, past, made)


def stored_row(topology: Topology, state: Path, contact: str) -> Row | None:
    """Return a contact's row from a run's state, None when it has none. Raises CommandError (3)."""
    from processor.core.rows import Row

    data = _stored(state, contact)
    return Row.decode(data) if data is not None else None


def _stored(state: Path, contact: str) -> bytes | None:
    from processor.runtime.inspect import read_row
    from processor.store import StateError

    try:
        return read_row(state, contact)
    except StateError as error:
        raise CommandError(str(error), "", DOWN) from None


def _json(found: Seen, past: dict[str, Past]) -> None:
    from processor.cli.output import json_out
    from processor.core.time import format_time

    def at(ms: int) -> str | None:
        return format_time(ms) if ms else None

    json_out(
        {
            "contact_id": found.contact_id,
            "at": at(found.at_ms),
            "clock": at(found.clock_ms),
            "became": found.alias or None,
            "profile": found.profile,
            "consents": [
                {"for": name, "granted": granted, "at": at(since)} for name, granted, since in found.consents
            ],
            "lists": {name: at(since) for name, since in found.lists.items()},
            "relations": found.relations,
            "scores": {name: {"value": value, "grade": grade or None} for name, value, grade in found.scores},
            "segments": {name: at(since) for name, since in found.segments.items()},
            "enrollments": [
                {
                    "program": one.program,
                    "version": one.version,
                    "key": one.key or None,
                    "entered_at": at(one.entered_ms),
                    "state": one.state,
                    "step": one.step or None,
                    "track": one.track or None,
                    "until": at(one.until_ms),
                }
                for one in found.enrollments
            ],
            "entered": [
                {
                    "program": name,
                    "times": one.entries,
                    "last_entered_at": at(one.entered_ms),
                    "last_left_at": at(one.ended_ms),
                }
                for name, one in past.items()
            ],
            "timers": [{"timer": name, "at": at(due)} for name, due in found.timers],
            "stopped": [
                {
                    "program": one.program or None,
                    "enrollment": one.enrollment or None,
                    "step": one.step or None,
                    "timer": one.timer,
                    "due_at": at(one.due_ms),
                }
                for one in found.stopped
            ],
            "caps": [{"cap": one.name, "used": one.used, "at_most": one.at_most} for one in found.caps],
            "row_bytes": found.row_bytes,
        }
    )


def _show(found: Seen, past: dict[str, Past], topology: Topology) -> None:
    from processor.cli.output import console, table
    from processor.runtime.expectations import shown, values_text

    zone = topology.zone_for(found.profile.get("tz"))
    out = console()

    def at(ms: int) -> str:
        return shown(ms, zone, brief=True) if ms else ""

    def put(title: str, columns: list[str], rows: list[tuple[Any, ...]], right: tuple[int, ...] = ()) -> None:
        if rows:
            out.print(table(title, columns, rows, right=right))

    out.print(
        f"{found.contact_id}, as of {at(found.at_ms)} (times of {zone.key})", style="bold", markup=False
    )
    if found.alias:
        out.print(f"became {found.alias}", markup=False)
    put(
        "Profile",
        ["attribute", "value"],
        [(name, values_text(value)) for name, value in found.profile.items()],
    )
    put(
        "Consents",
        ["for", "answer", "since"],
        [(name, "granted" if granted else "withdrawn", at(since)) for name, granted, since in found.consents],
    )
    put("Lists", ["list", "since"], [(name, at(since)) for name, since in found.lists.items()])
    put(
        "Relations",
        ["relation", "item"],
        [(name, values_text(item)) for name, items in found.relations.items() for item in items],
    )
    put("Scores", ["score", "value", "grade"], [(n, f"{v:g}", g) for n, v, g in found.scores], right=(1,))
    put("Segments", ["segment", "since"], [(name, at(since)) for name, since in found.segments.items()])
    _show_waits(found, past, put, at)
    if not found.enrollments:
        out.print("It is in no program now.")
    out.print(f"The row has {found.row_bytes:,} bytes.", style="dim")


def _show_waits(
    found: Seen, past: dict[str, Past], put: Callable[..., None], at: Callable[[int], str]
) -> None:
    """What the contact is in and was in, its timers, and what its caps have left."""
    put(
        "Programs",
        ["program", "key", "entered", "state", "step", "until"],
        [
            (
                f"{one.program} v{one.version}",
                one.key,
                at(one.entered_ms),
                one.track or one.state,
                one.step,
                at(one.until_ms),
            )
            for one in found.enrollments
        ],
    )
    put(
        "Entered so far",
        ["program", "times", "last entered", "last left"],
        [(name, one.entries, at(one.entered_ms), at(one.ended_ms)) for name, one in past.items()],
        right=(1,),
    )
    put("Timers", ["timer", "at"], [(name, at(due)) for name, due in found.timers])
    put(
        "Stopped timers (they failed; see trayecto timers)",
        ["program", "step", "timer", "was due"],
        [(one.program, one.step, one.timer, at(one.due_ms)) for one in found.stopped],
    )
    put(
        "Caps", ["cap", "used", "of"], [(one.name, one.used, one.at_most) for one in found.caps], right=(1, 2)
    )
