"""``trayecto init``: a new topology, small, commented, and fit to run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from processor.cli.errors import CommandError
from processor.cli.options import Output, OutputOption

EXAMPLES = ("trayecto init shop", "trayecto init shop --name web-shop")
_STARTER = Path(__file__).parent / "starter"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder to make; it may exist, without these files.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="The topology's name. Default: the folder's.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a new topology, small and commented.

    It has one program with its scenarios, some events to run it on, and schemas for the editor.

    What it makes passes "trayecto lint" and "trayecto test". Nothing that is there is overwritten.
    """
    from processor.cli.output import console, json_out
    from processor.language.schemas import write

    if folder.exists() and not folder.is_dir():
        raise CommandError(f"{folder} is a file", "give the name of a folder")
    files = sorted(path.relative_to(_STARTER) for path in _STARTER.rglob("*") if path.is_file())
    taken = [file for file in files if (folder / file).exists()]
    if taken:
        raise CommandError(
            f"{folder} holds a topology already ({taken[0]} is there)", "give the name of a new folder"
        )
    called = _name(name, folder)
    written = []
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (_STARTER / file).read_text(encoding="utf-8")
        path.write_text(text.replace("topology: NAME", f"topology: {called}", 1), encoding="utf-8")
        written.append(path)
    written += write(folder / "schemas")
    if output is Output.JSON:
        json_out({"topology": called, "files": [str(path) for path in written]})
        return
    out = console()
    for path in written:
        out.print(f"made {path}", markup=False, soft_wrap=True, style="dim")
    out.print("What to type next:", style="bold")
    place, events = shlex.quote(str(folder)), shlex.quote(str(folder / "events.jsonl"))
    for command in (
        f"trayecto test {place}",
        f"trayecto preview {place} --program welcome",
        f"trayecto run --topology {place} --events {events} --state state --out out",
        f"trayecto new abandoned-cart --topology {place}",
    ):
        out.print(f"  {command}", markup=False, soft_wrap=True, style="cyan")


def _name(given: str | None, folder: Path) -> str:
    import re

    from processor.language.step_names import slug

    if given is not None:
        if re.fullmatch("[a-z][a-z0-9-]*", given) is None:
            raise CommandError(
                f'"{given}" is no name for a topology', "write small letters, digits and dashes"
            )
        return given
    made = slug(folder.resolve().name)
    return made if made[:1].isalpha() else f"topology-{made}".strip("-")
