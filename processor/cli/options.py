"""Options that several commands have, each written once: the same name, meaning and variable everywhere."""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from processor.cli.errors import DOWN, NO, USAGE, CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from processor.language import Loaded, Problem
    from processor.runtime.erasures import Erasures

__all__ = [
    "At",
    "ErasureKey",
    "Format",
    "Ledger",
    "Out",
    "Output",
    "OutputOption",
    "State",
    "TopologyArgument",
    "TopologyOption",
    "erasures",
    "existing_folder",
    "instant",
    "load",
    "load_to_run",
    "reading_state",
]


class Output(StrEnum):
    """How results are shown."""

    TABLE = "table"
    JSON = "json"


class Format(StrEnum):
    """How commands and decisions are written."""

    JSONL = "jsonl"
    AVRO = "avro"


TopologyArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="The topology's folder: where topology.yaml is.", envvar="TRAYECTO_TOPOLOGY"
    ),
]
TopologyOption = Annotated[
    Path,
    typer.Option(
        "--topology",
        "-t",
        metavar="DIR",
        help="The topology's folder: where topology.yaml is.",
        envvar="TRAYECTO_TOPOLOGY",
    ),
]
OutputOption = Annotated[
    Output,
    typer.Option("--output", "-o", help="A table for people, or JSON for scripts.", envvar="TRAYECTO_OUTPUT"),
]
Out = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="The folder of the run's output files.", envvar="TRAYECTO_OUT"),
]
State = Annotated[
    Path,
    typer.Option(
        "--state", metavar="DIR", help="The folder of the run's state (RocksDB).", envvar="TRAYECTO_STATE"
    ),
]
ErasureKey = Annotated[
    str,
    typer.Option(
        "--erasure-key",
        metavar="SECRET",
        help="The key of the hashes that stand for erased contacts. Better in the variable than here.",
        envvar="TRAYECTO_ERASURE_KEY",
        show_default=False,
    ),
]
Ledger = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="A ledger of erasures (trayecto contact ledger): nothing of these contacts is taken.",
        envvar="TRAYECTO_LEDGER",
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help='How things stood at this time, such as "2026-03-01 10:00" (UTC without a zone).',
    ),
]


def erasures(key: str, ledger: Path | None) -> Erasures:
    """Return the ledger of erasures that a command is to apply. Raises CommandError for a bad file."""
    from processor.runtime.erasures import Erasures, LedgerError, read_ledger

    try:
        return Erasures(key) if ledger is None else read_ledger(ledger, key)
    except LedgerError as error:
        raise CommandError(str(error), "", USAGE) from None


def existing_folder(path: Path, what: str) -> Path:
    """Return the folder. Raises CommandError when it is not there, or is no folder."""
    if not path.is_dir():
        kind = "is no folder" if path.exists() else "is not there"
        raise CommandError(f"{what} {path} {kind}", "give the folder by its path")
    return path


@contextmanager
def reading_state(folder: Path) -> Iterator[None]:
    """Read a state in its folder. Raises CommandError where there is none (2), or it cannot be read (3)."""
    from processor.store import StateError

    existing_folder(folder, "the state's folder")
    try:
        yield
    except StateError as error:
        raise CommandError(str(error), "", DOWN) from None


def load_to_run(folder: Path) -> Loaded:
    """Load a topology for a command that runs it: what lint calls an error is refused too.

    Raises:
        CommandError: as :func:`load`.
    """
    from processor.language.lint import lint_topology

    loaded = load(folder)
    errors = [problem for problem in lint_topology(loaded) if problem.severity == "error"]
    if errors:
        _refuse(folder, errors)
    return loaded


def load(folder: Path) -> Loaded:
    """Load a topology for a command that needs one that loads.

    Raises:
        CommandError: the folder is not there (2), or the topology has errors (1), which are shown.
    """
    from processor.language import LanguageError, load_topology

    existing_folder(folder, "the topology's folder")
    if not (folder / "topology.yaml").is_file():
        raise CommandError(
            f"{folder} holds no topology: there is no topology.yaml in it",
            f'make one with "trayecto init {folder}"',
            USAGE,
        )
    try:
        return load_topology(folder)
    except LanguageError as error:
        _refuse(folder, error.problems)


def _refuse(folder: Path, problems: Sequence[Problem]) -> NoReturn:
    from processor.cli.output import show_problems

    show_problems(problems, folder)
    fix = f'mend what is listed above; "trayecto lint {folder}" checks it again'
    raise CommandError(f"the topology in {folder} is refused", fix, NO) from None


def instant(text: str | None, zone: ZoneInfo | None = None) -> int | None:
    """Return a time of the command line in ms, None for none. Raises CommandError for what is no time."""
    from processor.core.time import parse_time

    if text is None:
        return None
    try:
        return parse_time(text, zone)
    except ValueError as error:
        raise CommandError(str(error)) from None


def down(message: str, fix: str = "") -> CommandError:
    """Something that the command depends on cannot be opened or does not answer."""
    return CommandError(message, fix, DOWN)
