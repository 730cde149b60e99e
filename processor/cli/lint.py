"""``trayecto lint``: is a topology fit to run?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.options import Output, OutputOption, TopologyArgument

if TYPE_CHECKING:
    from processor.language import Problem

EXAMPLES = ("trayecto lint shop", "trayecto lint shop --strict", "trayecto lint shop --output json")


def lint(
    topology: TopologyArgument = Path(),
    strict: Annotated[bool, typer.Option("--strict", help="Warnings make the answer no, too.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a topology: is it fit to run?

    Every finding says where it is, what is wrong and what to write instead. The exit code is 1 when there is an
    error (with --strict: or a warning).
    """
    from processor.cli.options import existing_folder
    from processor.cli.output import console, json_out, show_problems

    existing_folder(topology, "the topology's folder")
    problems = findings(topology)
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    good = not errors and not (strict and warnings)
    if output is Output.JSON:
        json_out({"good": good, "errors": errors, "warnings": warnings, "problems": problems})
    else:
        out = console()
        show_problems(problems, topology, out)
        counts = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
        out.print(f"{topology}: {counts}", style="green" if good else "red", markup=False, soft_wrap=True)
    raise typer.Exit(0 if good else 1)


def findings(folder: Path) -> list[Problem]:
    """Return everything that is wrong, errors of loading as well as what the linter finds."""
    from processor.language import LanguageError, load_topology
    from processor.language.lint import lint as find
    from processor.language.scenarios import load_scenarios

    try:
        loaded = load_topology(folder)
    except LanguageError as error:
        return list(error.problems)
    found = {*loaded.warnings, *find(loaded)}
    try:
        load_scenarios(loaded)
    except LanguageError as error:
        found.update(error.problems)
    return sorted(found)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
