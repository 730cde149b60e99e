"""``trayecto demo``: the main job on real events, without a broker."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from processor.cli.errors import DOWN, CommandError
from processor.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from rich.console import Console

    from processor.core.model import Topology
    from processor.runtime.summary import RunReport

EXAMPLES = ("trayecto demo", "trayecto demo --keep my-demo", "trayecto demo --output json | jq .commands")
FOLDER: Final = Path(".trayecto-demo")
_MARK: Final = "made-by-trayecto-demo"
_PATH_LINES: Final = 16
_CONTACTS: Final = ("web-0", "retail-12346")  # shoppers whose path shows much in few lines
_TOLD: Final = frozenset(
    {
        "entered",
        "holdout",
        "split",
        "held",
        "suppressed",
        "fell_back",
        "commanded",
        "timed_out",
        "goal",
        "exited",
        "graded",
    }
)


def demo(
    keep: Annotated[
        Path,
        typer.Option("--keep", metavar="DIR", help="Where state and outputs are kept; made anew each time."),
    ] = FOLDER,
    output: OutputOption = Output.TABLE,
) -> None:
    """Replay real events: scores, journeys, commands, and why not.

    63,047 events of three shops go through nine programs, with state in RocksDB and no broker.
    Nothing is sent.
    """
    from processor.cli import gallery
    from processor.cli.files import failures_explained, finish, told
    from processor.cli.options import load
    from processor.cli.output import console, json_out
    from processor.cli.reports import report_json
    from processor.runtime.embedded import RunOptions, run

    place = gallery.folder() / "demo"
    events = place / "data" / "events.jsonl.gz"
    if not events.is_file():
        raise CommandError(f"the demo's events are not there: {events}", "get a whole checkout", DOWN)
    topology = load(place).topology
    _make_anew(keep)
    options = RunOptions(
        topology=topology, sources=(str(events),), state=keep / "state", out=keep / "out", sync=False
    )
    with failures_explained(), told("replaying real events") as tell:
        report = run(options, tell)
    if output is Output.JSON:
        json_out(report_json(report))
    elif report.outcome != "stopped":
        _show(console(), topology, report, place, keep)
    finish(report, "the demo begins anew each time")


def _make_anew(folder: Path) -> None:
    """Empty the folder of the last demo. Raises CommandError for a folder that holds anything else."""
    mark = folder / _MARK
    if folder.exists() and not mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"{folder} is not a folder of the demo", "give another folder with --keep")
    for name in ("state", "out"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("The demo empties this folder each time it runs.\n", encoding="utf-8")
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _show(out: Console, topology: Topology, report: RunReport, place: Path, keep: Path) -> None:
    from rich.text import Text

    from processor.cli.reports import commands_table, funnels_table, grades_table, suppressed_table

    total = sum(report.commands.values())
    line = Text.assemble(
        (f"{report.events:,} events", "bold"),
        f" of {report.contacts:,} contacts, {len(topology.programs)} programs: ",
        (f"{total:,} commands", "bold"),
        f" in {report.run_seconds:.1f} s, ",
        (f"{report.events_per_second:,.0f} events a second", "bold"),
    )
    out.print(line, soft_wrap=True)
    out.print()
    for part in (commands_table, funnels_table, suppressed_table, grades_table):
        out.print(part(report))
    contact = _path(out, topology, keep / "out")
    _next(out, topology, place, keep, contact)


def _path(out: Console, topology: Topology, folder: Path) -> str:
    """Show the path of one contact; returns which."""
    from rich.text import Text

    from processor.cli.failures import path_table
    from processor.core.time import zone
    from processor.runtime.explain import decisions_of

    for contact in _CONTACTS:
        moments = [one for one in decisions_of(folder, contact) if one.kind in _TOLD]
        if moments:
            shown = moments[:_PATH_LINES]
            title = f"The path of {contact}"
            out.print(
                path_table(
                    title, shown, zone("Europe/Berlin") if contact.startswith("web") else topology.timezone
                )
            )
            if len(shown) < len(moments):
                out.print(Text(f"… and {len(moments) - len(shown)} decisions more", style="dim"))
            return contact
    return ""


def _next(out: Console, topology: Topology, place: Path, keep: Path, contact: str) -> None:
    from processor.cli.output import relative

    shop, kept = shlex.quote(relative(place)), shlex.quote(relative(keep))
    program = "win-back" if "win-back" in topology.programs else next(iter(topology.programs))
    commands = [
        (f"trayecto explain {contact} --out {kept}/out --topology {shop}", "why it got what it got"),
        (
            f"trayecto contact show {contact} --state {kept}/state -t {shop}",
            "its row: scores, consents, waits",
        ),
        (
            f"trayecto report --out {kept}/out -t {shop} --html {kept}/report.html",
            "what the programs brought, as a page with plots",
        ),
        (f"trayecto preview {shop} --program {program}", "a program's path, before anybody walks it"),
        (f"trayecto test {shop}", "the scenarios of all programs, in virtual time"),
        ("trayecto init shop", "a topology of your own"),
    ]
    out.print()
    out.print("What to type next", style="bold")
    for command, why in commands:
        out.print(f"  # {why}", style="dim", markup=False)
        out.print(f"  {command}", style="cyan", markup=False, soft_wrap=True)
