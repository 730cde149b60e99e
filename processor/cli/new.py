"""``trayecto new``: a program copied from the gallery, with its scenarios and what it needs."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import NO, CommandError
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from collections.abc import Collection

    from processor.cli.gallery import Blueprint, Renames
    from processor.core.model import Topology

EXAMPLES = (
    "trayecto new",
    "trayecto new abandoned-cart --topology shop",
    "trayecto new welcome-series hello --topology shop --channel push=app --purpose marketing=news",
)


def new(
    blueprint: Annotated[
        str | None, typer.Argument(metavar="[BLUEPRINT]", help="What to copy. Without it: list the gallery.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The new program's name. Default: the blueprint's.")
    ] = None,
    topology: TopologyOption = Path(),
    channel: Annotated[
        list[str] | None,
        typer.Option(
            "--channel", metavar="OLD=NEW", help="A channel that is called otherwise in your topology."
        ),
    ] = None,
    purpose: Annotated[
        list[str] | None,
        typer.Option(
            "--purpose", metavar="OLD=NEW", help="A purpose that is called otherwise in your topology."
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Copy a program from the gallery, with its scenarios.

    What it needs and the topology lacks (event types, attributes, channels, …) is added to its files;
    policies are not. On a terminal you are asked which of your channels to use for those you do not have.
    """
    from processor.cli import gallery
    from processor.cli.declare import declare
    from processor.cli.options import load
    from processor.language.step_names import slug

    if blueprint is None:
        _list(gallery.blueprints(), output)
        return
    found = gallery.blueprint(blueprint)
    called = name or found.program
    if re.fullmatch("[a-z][a-z0-9-]*", called) is None:
        raise CommandError(
            f'"{called}" is no name for a program',
            f'write small letters, digits and dashes: "{slug(called)}"',
        )
    made = load(topology).topology
    target = topology / "programs" / f"{called}.yaml"
    if called in made.programs or target.exists():
        raise CommandError(
            f'the program "{called}" is there already', "give another NAME after the blueprint's"
        )
    channels = _mapping(channel or [], made.channels, "channel")
    channels |= _asked(found, made, channels)
    purposes = _mapping(purpose or [], made.purposes, "purpose")
    added = declare(found.topology, topology, channels, purposes)
    renames = gallery.Renames((found.program, called), channels, purposes)
    written = _copy(found, target, renames, made.programs)
    _finish(topology, called, written, added, output)


def _copy(found: Blueprint, target: Path, renames: Renames, beside: Collection[str]) -> list[Path]:
    """Write the program and its scenarios under their new names; returns the files."""
    from processor.cli import gallery

    schemas = (target.parents[1] / "schemas" / "program.schema.json").is_file()
    target.parent.mkdir(exist_ok=True)
    source, tests = found.files
    text = gallery.renamed_program(
        source.read_text(encoding="utf-8"), renames, "../schemas/program.schema.json" if schemas else ""
    )
    target.write_text(text, encoding="utf-8")
    written = [target]
    if tests.is_file():
        text = gallery.renamed_scenarios(
            tests.read_text(encoding="utf-8"),
            renames,
            "../schemas/scenario.schema.json" if schemas else "",
            beside,
        )
        written.append(target.with_suffix(".test.yaml"))
        written[-1].write_text(text, encoding="utf-8")
    return written


def _list(found: list[Blueprint], output: Output) -> None:
    from processor.cli.output import console, json_out, table

    if output is Output.JSON:
        json_out([{"blueprint": one.name, "about": one.about} for one in found])
        return
    console().print(table("", ["blueprint", "what it does"], [(one.name, one.about) for one in found]))


def _mapping(texts: list[str], known: object, what: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for old, sign, new_name in pairs:
        if not sign or not old or not new_name:
            raise CommandError(f'"{old}{sign}{new_name}" names no two {what}s', f"write --{what} OLD=NEW")
    return {old: new_name for old, _, new_name in pairs}


def _asked(found: Blueprint, made: Topology, given: dict[str, str]) -> dict[str, str]:
    """Ask, on a terminal, for each channel of the blueprint that the topology lacks."""
    from processor.language import load_topology

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return {}
    answers = {}
    for name, one in load_topology(found.topology).topology.channels.items():
        mine = [other.name for other in made.channels.values() if other.kind == one.kind]
        if name not in given and name not in made.channels and mine:
            shown = ", ".join(mine)
            answer = typer.prompt(
                f'Your topology has no channel "{name}". Use one of {shown}, or add it', default=name
            )
            if answer != name:
                answers[name] = str(answer).strip()
    return answers


def _finish(topology: Path, name: str, written: list[Path], added: list[str], output: Output) -> None:
    """Check what was made, and say what to do next."""
    from processor.cli.lint import findings
    from processor.cli.output import console, json_out, show_problems

    problems = [one for one in findings(topology) if one.severity == "error"]
    if output is Output.JSON:
        json_out(
            {"program": name, "files": [str(path) for path in written], "added": added, "problems": problems}
        )
        raise typer.Exit(1 if problems else 0)
    out = console()
    for path in written:
        out.print(f"made {path}", markup=False, soft_wrap=True, style="dim")
    if added:
        out.print(f"added to the topology: {', '.join(added)}", markup=False, style="dim")
    if problems:
        show_problems(problems, topology)
        raise CommandError("the copy does not fit your topology yet", "mend what is listed above", NO)
    out.print("What to type next:", style="bold")
    place = shlex.quote(str(topology))
    for command in ("test", "preview", "graph"):
        out.print(
            f"  trayecto {command} {place} --program {name}", markup=False, soft_wrap=True, style="cyan"
        )
