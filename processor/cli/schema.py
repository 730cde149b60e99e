"""``trayecto schema``: the JSON Schemas of the program language, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from processor.cli.errors import CommandError

EXAMPLES = ("trayecto schema", "trayecto schema program", "trayecto schema --out schemas")


def schema(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="program, topology or scenario: print its schema.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write the schemas into this folder.")
    ] = None,
) -> None:
    """Print or write the JSON Schemas, for editors.

    A YAML file that begins with "# yaml-language-server: $schema=PATH" gets both. Without arguments the names
    of the schemas are listed.
    """
    from processor.cli.output import json_out
    from processor.language.schemas import KINDS, file_name, json_schema, write

    if kind is not None and kind not in KINDS:
        raise CommandError(f'there is no schema "{kind}"', f"write one of {', '.join(KINDS)}")
    if out is not None:
        for path in write(out):
            typer.echo(path)
    elif kind is not None:
        json_out(json_schema(kind))
    else:
        for name in KINDS:
            typer.echo(f"{name:10} {file_name(name)}")
