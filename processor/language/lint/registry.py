"""What a rule is, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import msgspec

from processor.core.model import Node, Program, Topology
from processor.language.compile import Loaded
from processor.language.problems import Mark, Problem
from processor.language.records import Form
from processor.language.wiring import all_steps, walk

__all__ = ["Check", "Finding", "Lint", "Rule"]


class Finding(msgspec.Struct, frozen=True):
    """What a rule has to say about a place; its name and severity are the rule's."""

    mark: Mark
    message: str
    fix: str


class Lint:
    """A loaded topology with the ways from its machine form back to its files."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    @property
    def topology(self) -> Topology:
        """The topology as the machine runs it."""
        return self.loaded.topology

    @property
    def programs(self) -> list[Program]:
        """The programs, in the order of their files."""
        return list(self.loaded.topology.programs.values())

    @property
    def forms(self) -> list[Form]:
        """Everything that was read: the topology, then each program."""
        return [self.loaded.form, *(source.form for source in self.loaded.sources.values())]

    def form(self, program: Program) -> Form:
        """Return what was read from a program's file."""
        return self.loaded.sources[program.name].form

    def place(self, program: Program, *keys: str) -> Mark:
        """Return where the value of the first of the keys that is there stands, else the program's name."""
        form = self.form(program)
        for key in keys:
            if key in form:
                return form.at(key)
        return form.at("program")

    def step(self, program: Program, node: Node) -> Mark:
        """Return where a step stands."""
        return self.loaded.sources[program.name].steps[node.id]

    def step_form(self, program: Program, node: Node) -> Form:
        """Return what was read of a step."""
        return self._step_forms[program.name][node.id]

    @cached_property
    def _step_forms(self) -> dict[str, dict[str, Form]]:
        found: dict[str, dict[str, Form]] = {}
        for name, source in self.loaded.sources.items():
            # Ids were given in the order in which the steps are walked.
            found[name] = dict(zip(source.steps, walk(all_steps(source.form)), strict=True))
        return found

    def section(self, name: str) -> Any:
        """Return what was read of a section of the topology, or None."""
        return self.loaded.form.get(name)

    def at(self, section: str, key: str) -> Mark:
        """Return where an entry of a section stands."""
        form = self.loaded.form
        given = form.get(section)
        return given.at(key) if isinstance(given, Form) else form.at(section)


Check = Callable[[Lint], Iterator[Finding]]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. ``why`` says why it matters, ``example`` sets it off and ``better`` is what to write instead.

    ``severity`` is error, warning or info. Rules without a ``check`` are found while the files are read. The
    examples are parts of files: a line ``# topology.yaml`` or ``# programs/NAME.yaml`` begins a file, and
    what they leave out is of no importance.
    """

    name: str
    severity: str
    summary: str
    why: str
    example: str
    better: str
    check: Check | None = None

    @property
    def explanation(self) -> str:
        """Why it matters, with an example and what to write instead."""
        example, better = self.example.strip(), self.better.strip()
        return f"{self.why}\n\nThis sets it off:\n\n{example}\n\nWrite instead:\n\n{better}\n"

    def problems(self, lint: Lint) -> Iterator[Problem]:
        """Yield what the rule finds."""
        if self.check is None:
            return
        for found in self.check(lint):
            mark = found.mark
            yield Problem(
                mark.file, mark.line, mark.column, self.name, self.severity, found.message, found.fix
            )
