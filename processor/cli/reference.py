"""The reference of the command line, docs/reference/cli.md, made from the commands themselves.

``python -m processor.cli.reference`` writes it; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

__all__ = ["commands", "markdown"]

_HEAD = """\
# Command line

Made from the commands by `python -m processor.cli.reference`; a test compares.

`trayecto COMMAND --help` shows the same with examples. Results go to standard output, progress and errors to
standard error. Colours are shown on a terminal only, and never with `NO_COLOR`.

## Exit codes

| code | means |
| --- | --- |
| 0 | good |
| 1 | it worked, and its answer is no: a topology is refused, a scenario failed, a contact is not known |
| 2 | wrong usage: an option, a file or a folder that is not there or does not fit |
| 3 | something that it depends on is down: the state is in use, the disk is full, the network is away |
| 70 | a fault of Trayecto itself; `TRAYECTO_DEBUG=1` shows where |
| 130 | stopped by Ctrl-C; a run goes on where it was when it is started again |

## Settings

An option is taken from the command line; else from its variable, where it has one (below); else from
`trayecto.toml` in the current folder, or the file that `TRAYECTO_CONFIG` names. Keys at its top are for every
command, those in a table for that one:

```toml
topology = "shop"

[run]
state = "var/state"
out = "var/out"
```

Other variables: `TRAYECTO_GALLERY` (where `new` and `demo` find the gallery), `TRAYECTO_JAVA`,
`TRAYECTO_CACHE` and `TRAYECTO_MAVEN_URL` (of [`dev`](../guide/kafka.md#what-it-needs)), `TRAYECTO_DEBUG`
(show tracebacks), `NO_COLOR` (no colours). Completion in the shell: `trayecto --install-completion`.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command by its full name, those of groups included, in the order of the help."""
    import typer

    from processor.cli.app import app

    yield from _commands("trayecto", typer.main.get_command(app))


def _commands(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    for word, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from _commands(f"{name} {word}", command)
        else:
            yield f"{name} {word}", command


def markdown() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for name, command in commands():
        parts.append(f"## {name}\n")
        parts.append(
            "\n\n".join(" ".join(text.split()) for text in (command.help or "").split("\n\n")) + "\n"
        )
        arguments = [param for param in command.params if param.param_type_name == "argument"]
        usage = " ".join([name, "[OPTIONS]", *(_metavar(one) for one in arguments)])
        parts.append(f"```sh\n{usage}\n```\n")
        rows = [_row(param) for param in command.params if param.name != "help"]
        if rows:
            parts.append(
                "\n".join(["| | means | default | variable |", "| --- | --- | --- | --- |", *rows]) + "\n"
            )
        parts.append("```sh\n" + "\n".join(_examples(command)) + "\n```\n")
    return "\n".join(parts)


def _examples(command: Any) -> list[str]:
    from rich.text import Text

    lines = Text.from_markup(command.epilog or "").plain.split("\n\n")
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def _metavar(param: Any) -> str:
    made = param.metavar or param.name.upper()
    return made if made.startswith("[") or param.required else f"[{made}]"


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        name = f"`{param.metavar or param.name.upper()}`"
    else:
        name = ", ".join(f"`{option}`" for option in param.opts)
        if not param.is_flag:
            name += f" `{param.metavar or _choices(param) or param.name.upper()}`"
    default = _default(param)
    variable = f"`{param.envvar}`" if param.envvar else ""
    cells = [name, param.help or "", default, variable]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _choices(param: Any) -> str:
    """The words of an option that takes one of a few."""
    annotation = getattr(param.type_descriptor, "annotation", None)
    is_enum = isinstance(annotation, type) and issubclass(annotation, Enum)
    return "|".join(str(one.value) for one in annotation) if is_enum and annotation is not None else ""


def _default(param: Any) -> str:
    value = getattr(param.default, "value", param.default)
    if param.required or value in (None, "", (), [], False) or callable(value):
        return ""
    return f"`{value}`"


if __name__ == "__main__":
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(markdown(), encoding="utf-8")
    sys.stdout.write(f"{page}\n")
