"""``trayecto preview``: one contact's path through a program, with its timing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import USAGE, CommandError
from processor.cli.options import Output, OutputOption, TopologyArgument

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from processor.core.model import Topology
    from processor.runtime.preview import Doing, Person, Preview

EXAMPLES = (
    "trayecto preview shop --program welcome",
    "trayecto preview shop --program welcome --respond --start '2026-03-02 10:00'",
    "trayecto preview shop -p hello --event 'signed_up {source: ad}' --event '+2d order_completed'",
    "trayecto preview shop --program welcome --contact anna.yaml --variant split=plain",
)
_EVENT = re.compile(
    r"\s*(?:(?P<after>\+\S+)|(?P<at>\d{4}-\S+(?:\s+\d\d:\d\d\S*)?))?\s*(?P<type>[A-Za-z_]\S*)\s*(?P<rest>.*)",
    re.DOTALL,
)


def preview(
    topology: TopologyArgument = Path(),
    program: Annotated[str, typer.Option("--program", "-p", help="The program to walk through.")] = "",
    contact: Annotated[
        Path | None,
        typer.Option(
            "--contact",
            metavar="FILE",
            help="A YAML file with tz, profile, consent, lists and events, as a scenario has them.",
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="TEXT",
            help="What the contact does: [+1h or a time] type {property: value}. Can be repeated.",
        ),
    ] = None,
    respond: Annotated[
        bool, typer.Option("--respond", help="The contact soon does whatever a step waits for.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="TIME", help="When it begins, on the contact's clock. Default: now."),
    ] = None,
    tz: Annotated[str | None, typer.Option("--tz", help="The contact's time zone.")] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="SPLIT=VARIANT", help="Which way a split goes. Default: by hash."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one contact's path through a program.

    In virtual time: what happens when, and what would end each wait.

    Without events the contact does what starts the program and then nothing more, so that each wait ends by
    its timeout. A contact that is not described consents to everything.
    """
    from processor.cli.options import load
    from processor.runtime.preview import preview as walk

    made = load(topology).topology
    if program not in made.programs:
        known = ", ".join(made.programs) or "none yet"
        message = f'there is no program "{program}"' if program else "say which program, with --program"
        raise CommandError(message, f"the programs are: {known}")
    person, given = _person(contact, made, tz)
    zone = made.zone_for(person.tz or None)
    doings = [_doing(item, zone) for item in given]
    doings += [_parsed(text, zone) for text in event or ()]
    start_ms = _start(start, zone, doings)
    try:
        shown = walk(
            made, program, person, start_ms, events=doings, variants=_variants(variant or []), respond=respond
        )
    except (KeyError, ValueError) as error:
        raise CommandError(str(error.args[0]), "", USAGE) from None
    _show(made, program, shown, output)


def _variants(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for split, sign, chosen in pairs:
        if not sign or not chosen:
            raise CommandError(f'"{split}" names no variant', "write --variant SPLIT=VARIANT")
    return {split: chosen for split, _, chosen in pairs}


def _start(text: str | None, zone: ZoneInfo, doings: list[Doing]) -> int:
    import time

    from processor.cli.options import instant

    given = instant(text, zone)
    if given is not None:
        return given
    fixed = [doing.at_ms for doing in doings if doing.after_ms is None]
    return min(fixed) if fixed else int(time.time()) // 60 * 60_000


def _read_yaml(text: str, what: str) -> Any:
    from processor.language.problems import Problems
    from processor.language.source import parse, plain

    problems = Problems()
    documents = parse(text, what, problems)
    if problems.errors or len(documents) != 1:
        raise CommandError(f"{what} is not one YAML document", "write {name: value} pairs")
    return plain(documents[0])


def _person(path: Path | None, topology: Topology, tz: str | None) -> tuple[Person, list[Any]]:
    from processor.core.time import is_zone
    from processor.runtime.preview import Person

    found: Any = {}
    if path is not None:
        if not path.is_file():
            raise CommandError(f"there is no file {path}", "give the contact's YAML file by its path")
        found = _read_yaml(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(found, dict):
        raise CommandError(f"{path} is not a contact", "write tz, profile, consent, lists and events")
    given = found.get("contact")
    about = given if isinstance(given, dict) else found
    zone = tz or about.get("tz") or ""
    if zone and not is_zone(zone):
        raise CommandError(f'there is no time zone "{zone}"', 'write an IANA name such as "Europe/Berlin"')
    consent = about.get("consent")
    person = Person(
        tz=zone,
        profile=about.get("profile") or {},
        consents=None if consent is None else tuple(consent),
        lists=tuple(about.get("lists") or ()),
    )
    return person, list(found.get("events") or ())


def _doing(item: Any, zone: ZoneInfo) -> Doing:
    """An event of a contact's file: ``{at: TIME, type: {…}}``."""
    from processor.cli.options import instant
    from processor.runtime.preview import Doing

    if isinstance(item, dict) and "at" in item:
        types = [key for key in item if key != "at"]
        if len(types) == 1:
            at_ms = instant(str(item["at"]), zone)
            return Doing(types[0], item[types[0]] or {}, at_ms or 0)
    raise CommandError(
        "an event of the contact's file is not one", "write {at: TIME, event_type: {property: value}}"
    )


def _parsed(text: str, zone: ZoneInfo) -> Doing:
    """An event of the command line: "[+1h or TIME] type {property: value}"."""
    from processor.cli.options import instant
    from processor.core.time import parse_duration
    from processor.runtime.preview import Doing

    match = _EVENT.fullmatch(text)
    if match is None:
        raise CommandError(
            f'"{text}" is no event', "write: type {property: value}, with +1h or a time before it"
        )
    properties = _read_yaml(match["rest"], "--event") if match["rest"].strip() else {}
    if not isinstance(properties, dict):
        raise CommandError(f'"{match["rest"]}" are no properties', "write {property: value}")
    if match["at"]:
        return Doing(match["type"], properties, instant(match["at"], zone) or 0)
    try:
        after_ms = parse_duration(match["after"][1:]) if match["after"] else 0
    except ValueError as error:
        raise CommandError(str(error)) from None
    return Doing(match["type"], properties, after_ms=after_ms)


def _show(topology: Topology, program: str, shown: Preview, output: Output) -> None:
    from rich.text import Text

    from processor.cli.failures import path_table
    from processor.cli.output import console, indented, json_out
    from processor.core.time import format_time
    from processor.runtime.preview import waits_for

    if output is Output.JSON:
        path = [
            {"at": format_time(one.at_ms), "waits_for": waits_for(topology, one) or None, **_fields(one)}
            for one in shown.path
        ]
        commands = [
            {
                "at": format_time(c.decided_ms),
                "channel": c.channel,
                "template": c.template,
                "values": c.values,
            }
            for c in shown.commands
        ]
        json_out(
            {
                "program": program,
                "zone": shown.zone.key,
                "notes": shown.notes,
                "path": path,
                "commands": commands,
            }
        )
        return
    out = console()
    title = f"{program} v{topology.programs[program].version}, times of {shown.zone.key}"
    out.print(path_table(title, shown.path, shown.zone, since_ms=shown.start_ms))
    waits = dict.fromkeys(
        (one.step, waits_for(topology, one))
        for one in shown.path
        if one.kind == "waiting" and one.program == program
    )
    if waits:
        out.print(Text("What ends the waits", style="bold"))
        for step, text in waits:
            indented(out, Text.assemble((step, "blue"), f"  {text}"))
    for note in shown.notes:
        out.print(Text(f"note: {note}", style="dim"), soft_wrap=not out.is_terminal)


def _fields(moment: Any) -> dict[str, Any]:
    return {name: getattr(moment, name) for name in ("kind", "program", "step", "reason", "detail")}
