"""``trayecto graph``: programs drawn."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import CommandError
from processor.cli.options import TopologyArgument

if TYPE_CHECKING:
    from processor.core.model import Program

EXAMPLES = (
    "trayecto graph shop --program welcome",
    "trayecto graph shop --format svg --out drawings",
    "trayecto graph shop -p welcome --format svg > welcome.svg",
)


class Drawing(StrEnum):
    """Kinds of drawings."""

    MERMAID = "mermaid"
    SVG = "svg"


_ENDINGS = {Drawing.MERMAID: "mmd", Drawing.SVG: "svg"}


def graph(
    topology: TopologyArgument = Path(),
    program: Annotated[str | None, typer.Option("--program", "-p", help="Only this program.")] = None,
    format_: Annotated[
        Drawing, typer.Option("--format", "-f", help="Mermaid text, or a picture.")
    ] = Drawing.MERMAID,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write a file a program into this folder.")
    ] = None,
) -> None:
    """Draw programs, as Mermaid text or as SVG.

    An SVG needs nothing else to be shown.
    Without --out one drawing goes to standard output.
    """
    from processor.cli.options import load

    made = load(topology).topology
    names = list(made.programs) if program is None else [program]
    if program is not None and program not in made.programs:
        raise CommandError(
            f'there is no program "{program}"', f"the programs are: {', '.join(made.programs)}"
        )
    if out is None:
        if len(names) != 1:
            known = ", ".join(names) or "none yet"
            raise CommandError(
                f"which program? There are: {known}", "give --program NAME, or --out DIR for all"
            )
        typer.echo(draw(made.programs[names[0]], format_))
        return
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = out / f"{name}.{_ENDINGS[format_]}"
        path.write_text(draw(made.programs[name], format_), encoding="utf-8")
        typer.echo(path)


def draw(program: Program, format_: Drawing) -> str:
    """Return a program as a drawing."""
    from processor.language.graph import mermaid, svg

    return mermaid(program) if format_ is Drawing.MERMAID else svg(program)
