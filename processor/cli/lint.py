"""``trayecto lint``: is a topology fit to run?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import CommandError
from processor.cli.options import Output, OutputOption, TopologyArgument

if TYPE_CHECKING:
    from processor.language import Problem

EXAMPLES = (
    "trayecto lint shop",
    "trayecto lint shop --strict --output json",
    "trayecto lint --explain wait-without-end",
)


def lint(
    topology: TopologyArgument = Path(),
    strict: Annotated[bool, typer.Option("--strict", help="Warnings make the answer no, too.")] = False,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="RULE", help="Say what a rule is about, with an example."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a topology: is it fit to run?

    Its files, its programs and its scenarios' files. Every finding says where it is, what is wrong and what
    to write instead. The exit code is 1 when there is an error (with --strict: or a warning).
    """
    from processor.cli.options import existing_folder
    from processor.cli.output import console, json_out, show_problems

    if explain is not None:
        _explain(explain, output)
        return
    existing_folder(topology, "the topology's folder")
    problems = findings(topology)
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = sum(problem.severity == "warning" for problem in problems)
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
    """Return what is wrong: errors of loading, what the linter finds, and errors of scenarios."""
    from processor.language import LanguageError, load_scenarios, load_topology
    from processor.language.lint import lint_topology

    try:
        loaded = load_topology(folder)
    except LanguageError as error:
        return list(error.problems)
    found = {*loaded.warnings, *lint_topology(loaded)}
    try:
        load_scenarios(loaded)
    except LanguageError as error:
        found.update(error.problems)
    return sorted(found)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _explain(name: str, output: Output) -> None:
    from rich.text import Text

    from processor.cli.output import console, json_out
    from processor.language.lint import RULES
    from processor.language.problems import instead

    rule = RULES.get(name)
    if rule is None:
        raise CommandError(f'there is no rule "{name}"', instead(name, RULES))
    if output is Output.JSON:
        json_out(rule)
        return
    out = console()
    out.print(Text.assemble((rule.name, "bold"), f" ({rule.severity}): {rule.summary}"))
    out.print(Text(rule.why))
    for title, text, style in (("What it finds", rule.example, "red"), ("Better", rule.better, "green")):
        if text:
            out.print(Text(title, style="bold"))
            out.print(Text("\n".join(f"  {line}" for line in text.splitlines()), style=style))
