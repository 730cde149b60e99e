"""pytest collects scenarios: each ``programs/NAME.test.yaml`` of a topology, each scenario a test.

Installed with the package as a plugin; ``pytest shop`` runs what ``trayecto test shop`` does, and a failure
shows the same. A file that is refused is a collection error with every problem in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.language import Scenario
    from processor.runtime.scenario import Result

__all__ = ["ScenarioFailed", "ScenarioFile", "ScenarioItem", "pytest_collect_file"]

_LOADED = pytest.StashKey[dict[Path, Any]]()
_WIDTH = 100


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Take the scenario files that lie in the folder programs of a topology."""
    in_place = file_path.name.endswith(".test.yaml") and file_path.parent.name == "programs"
    if not in_place or not (file_path.parents[1] / "topology.yaml").is_file():
        return None
    made: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return made


class ScenarioFailed(Exception):  # noqa: N818  pytest shows the name, and it is a result rather than an error
    """A scenario did not come out as expected."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.scenario.name)
        self.result = result


class ScenarioFile(pytest.File):
    """The scenarios beside one program."""

    def collect(self) -> Iterator[ScenarioItem]:
        """Load the topology, once in a session, and yield this file's scenarios."""
        from processor.language import LanguageError

        folder = self.path.parents[1]
        loaded = self.config.stash.setdefault(_LOADED, {})
        if folder not in loaded:
            try:
                loaded[folder] = _load(folder)
            except LanguageError as error:
                loaded[folder] = error
        found = loaded[folder]
        if isinstance(found, LanguageError):
            raise self.CollectError(f"{folder}:\n{found}")
        topology, scenarios = found
        for scenario in scenarios:
            if scenario.file == f"programs/{self.path.name}":
                yield ScenarioItem.from_parent(self, name=scenario.name, topology=topology, scenario=scenario)


def _load(folder: Path) -> tuple[Topology, tuple[Scenario, ...]]:
    from processor.language import load_scenarios, load_topology

    loaded = load_topology(folder)
    return loaded.topology, load_scenarios(loaded)


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, topology: Topology, scenario: Scenario, **more: Any) -> None:
        super().__init__(**more)
        self.topology = topology
        self.scenario = scenario

    def runtest(self) -> None:
        """Run it in virtual time. Raises ScenarioFailed."""
        from processor.runtime.scenario import run_scenario

        result = run_scenario(self.topology, self.scenario)
        if not result.passed:
            raise ScenarioFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what ``trayecto test`` shows; anything else is a fault, and shown as pytest does."""
        if not isinstance(excinfo.value, ScenarioFailed):
            return super().repr_failure(excinfo, style)
        from io import StringIO

        from rich.console import Console

        from processor.cli.failures import failure

        stream = StringIO()
        out = Console(file=stream, width=_WIDTH, no_color=True, highlight=False)
        for part in failure(excinfo.value.result):
            out.print(part)
        return stream.getvalue()

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands, and its name."""
        return self.path, self.scenario.line - 1, f"scenario: {self.name}"
