"""What commands show: results on standard output, all else (progress, errors) on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from processor.language import Problem

__all__ = [
    "Bar",
    "console",
    "errors",
    "indented",
    "json_out",
    "progress",
    "relative",
    "show_problems",
    "table",
]

WIDTH = 80  # where the output is no terminal


def console() -> Console:
    """Return a console on standard output. Colours only on a terminal, and never with NO_COLOR."""
    return _console(stderr=False)


def errors() -> Console:
    """Return a console on standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    width = None if terminal or "COLUMNS" in os.environ else WIDTH
    plain = bool(os.environ.get("NO_COLOR")) or not terminal
    return Console(stderr=stderr, width=width, no_color=plain, highlight=False, force_terminal=terminal)


def json_out(value: Any) -> None:
    """Print a value as JSON, indented, in UTF-8."""
    import msgspec

    data = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    sys.stdout.write(data.decode() + "\n")
    sys.stdout.flush()  # what cannot be written is found here, where it can be explained


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Sequence[int] = (),
    whole: Sequence[int] = (0,),
) -> Table:
    """Return a table; ``right`` are the columns with numbers in them, those in ``whole`` are not broken."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for number, name in enumerate(columns):
        made.add_column(
            name,
            justify="right" if number in right else "left",
            overflow="fold",
            header_style="dim",
            no_wrap=number in whole,
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(_cell(cell)) for cell in row))
    return made


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def show_problems(problems: Iterable[Problem], folder: Path, out: Console | None = None) -> None:
    """Show what is wrong with files: place, rule, what is wrong, what to write. Default: standard error.

    For a person each finding takes a few lines, indented; where nobody watches it is one line, for grep.
    """
    from rich.text import Text

    out = out or errors()
    for problem in problems:
        text = Text()
        text.append(f"{folder / problem.file}:{problem.line}:{problem.column}", style="bold")
        text.append(" ")
        text.append(problem.severity, style="red" if problem.severity == "error" else "yellow")
        text.append(f" {problem.rule}", style="dim")
        if not out.is_terminal:
            said = "; ".join(part for part in (problem.message, problem.fix) if part)
            text.append(f": {' '.join(said.splitlines())}")
        out.print(text, soft_wrap=True)
        if out.is_terminal:
            indented(out, Text(problem.message))
            if problem.fix:
                indented(out, Text(problem.fix, style="green"))


def indented(out: Console, text: Text) -> None:
    """Print indented text: wrapped below its beginning on a terminal, else whole, on one line."""
    from rich.padding import Padding
    from rich.text import Text

    if out.is_terminal:
        out.print(Padding(text, (0, 0, 0, 2)))
    else:
        out.print(Text.assemble("  ", text), soft_wrap=True)


class Bar(Protocol):
    """Told how far long work is: ``done`` of ``total`` (0: not known), and in words (``note``)."""

    def __call__(self, done: int, total: int, note: str) -> None:
        """Tell it."""
        ...


@contextmanager
def progress(what: str) -> Iterator[Bar]:
    """Show how far long work is: a bar on a terminal, else a plain line now and then, on standard error."""
    out = errors()
    if not sys.stderr.isatty():
        yield _Lines(what)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, transient=True) as shown:
        task = shown.add_task(what, total=None, note="")

        def tell(done: int, total: int, note: str) -> None:
            shown.update(task, completed=done, total=total or None, note=note)

        yield tell


class _Lines:
    """Progress where nobody watches: a line a quarter, or a doubling where the end is not known."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._quarters = 0
        self._calls = 0
        self._next_call = 16

    def __call__(self, done: int, total: int, note: str) -> None:
        self._calls += 1
        if total and done * 4 // total > self._quarters:
            self._quarters = done * 4 // total
            sys.stderr.write(f"{self._what}: {note}, {100 * done // total}%\n")
        elif not total and self._calls >= self._next_call:
            self._next_call *= 2
            sys.stderr.write(f"{self._what}: {note}\n")


def plain(values: Mapping[str, Any]) -> str:
    """Values on one line, for a table's cell."""
    from processor.runtime.expectations import values_text

    return ", ".join(f"{name} {values_text(value)}" for name, value in values.items())


def relative(path: Path) -> str:
    """A path as a person would type it from here: relative where it lies below the current folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
