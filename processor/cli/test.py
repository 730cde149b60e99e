"""``trayecto test``: the scenarios of a topology, in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import NO, CommandError
from processor.cli.options import Output, OutputOption, TopologyArgument

if TYPE_CHECKING:
    from processor.language import Loaded
    from processor.language.scenarios import Scenario
    from processor.runtime.scenario import Result

EXAMPLES = (
    "trayecto test shop",
    "trayecto test shop --program abandoned-cart",
    'trayecto test shop --name "buys before"',
)


def test(
    topology: TopologyArgument = Path(),
    program: Annotated[
        str | None, typer.Option("--program", "-p", help="Only the scenarios of this program.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Only scenarios whose name contains this.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run scenarios in virtual time.

    Months pass in milliseconds.

    A failed scenario shows what was expected and what came side by side, as a diff, and the contact's whole
    path; times are on the contact's clock. The exit code is 1 when a scenario fails, or when there is none.
    """
    from processor.cli.options import load
    from processor.cli.output import json_out
    from processor.language.problems import listed
    from processor.runtime.scenario import run_scenario

    loaded = load(topology)
    if program is not None and program not in loaded.topology.programs:
        known = ", ".join(loaded.topology.programs) or "none"
        raise CommandError(f'there is no program "{program}"', f"the programs are: {known}")
    there = [one for one in scenarios_of(loaded) if program in (None, one.program)]
    wanted = [one for one in there if name is None or name.casefold() in one.name.casefold()]
    if there and not wanted:
        of = f" of {program}" if program else ""
        number = f"{len(there)} scenarios" if len(there) > 1 else "one scenario"
        names = listed(f'"{one.name}"' for one in there)
        raise CommandError(f'--name "{name}" fits none of the {number}{of}', f"they are: {names}", NO)
    if not wanted:
        fix = "write some beside the program, in programs/NAME.test.yaml"
        raise CommandError("there are no scenarios to run", fix, NO)
    results = [run_scenario(loaded.topology, one) for one in wanted]
    failed = sum(not result.passed for result in results)
    if output is Output.JSON:
        json_out({"good": not failed, "scenarios": [as_json(result) for result in results]})
    else:
        _show(results, failed)
    raise typer.Exit(1 if failed else 0)


def scenarios_of(loaded: Loaded) -> tuple[Scenario, ...]:
    """Return the scenarios. Raises CommandError (1) after showing what is wrong with their files."""
    from processor.cli.output import show_problems
    from processor.language import LanguageError
    from processor.language.scenarios import load_scenarios

    try:
        return load_scenarios(loaded)
    except LanguageError as error:
        show_problems(error.problems, loaded.folder)
        raise CommandError("the scenarios are refused", "mend what is listed above", NO) from None


def as_json(result: Result) -> dict[str, Any]:
    """What scripts get of a result."""
    scenario = result.scenario
    return {
        "scenario": scenario.name,
        "program": scenario.program,
        "file": scenario.file,
        "line": scenario.line,
        "passed": result.passed,
        "differences": result.differences,
    }


def _show(results: list[Result], failed: int) -> None:
    from rich.text import Text

    from processor.cli.failures import failure
    from processor.cli.output import console

    out = console()
    program = ""
    for result in results:
        scenario = result.scenario
        if scenario.program != program:
            program = scenario.program
            out.print(Text(program, style="bold"))
        mark, style = ("✓", "green") if result.passed else ("✗", "red")
        line = Text(f"  {mark} ", style=style)
        line.append(scenario.name, style="" if result.passed else "bold red")
        out.print(line)
        if not result.passed:
            out.print(Text(f"    {scenario.file}:{scenario.line}", style="dim"))
            for part in failure(result):
                out.print(part)
    passed = len(results) - failed
    text = f"{passed} passed" + (f", {failed} failed" if failed else "")
    out.print(Text(text, style="bold red" if failed else "bold green"))
