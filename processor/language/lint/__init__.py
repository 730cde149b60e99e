"""Lint: what is allowed in a topology and still likely a mistake.

:func:`lint_topology` looks at what could be loaded; :func:`lint_folder` loads it first, and where that fails
its findings are the loader's. A comment ``# lint: ignore RULE`` on the line of a finding, or alone on the
line above it, silences it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from processor.language.compile import Loaded, load_topology
from processor.language.lint import (
    brakes,
    caps,
    channels,
    competing,
    conditions,
    consents,
    content,
    endings,
    loading,
    people,
    policies,
    splits,
    steps,
    unused,
    waits,
)
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import LanguageError, Problem, instead, quoted

__all__ = ["RULES", "Finding", "Lint", "Rule", "lint_folder", "lint_topology"]

_COMMENT: Final = re.compile(r"(^|\s)#\s*lint:\s*ignore\b[ \t]*([a-z0-9, \t-]*)")
_UNUSED: Final = Rule(
    name="unused-ignore",
    severity="info",
    summary="A comment that silences nothing.",
    why="`# lint: ignore RULE` is for a finding on its line, or on the line below when it stands alone. "
    "One that is left over, or names a rule that does not exist, misleads. Name each rule: there is no "
    "comment that silences all.",
    example="steps:\n  - wait: 1d  # lint: ignore wait-without-end",
    better="steps:\n  - wait: 1d",
)
RULES: Final[Mapping[str, Rule]] = {
    rule.name: rule
    for rule in (
        *steps.RULES,
        *endings.RULES,
        *caps.RULES,
        *policies.RULES,
        *people.RULES,
        *channels.RULES,
        *competing.RULES,
        *brakes.RULES,
        *consents.RULES,
        *conditions.RULES,
        *content.RULES,
        *splits.RULES,
        *waits.RULES,
        *unused.RULES,
        _UNUSED,
        *loading.RULES,
    )
}

_Ignores = dict[tuple[str, int], dict[str, bool]]  # (file, line) -> rule -> whether it silenced something


def lint_folder(folder: Path) -> list[Problem]:
    """Return everything that is wrong with the topology in a folder, sorted by place."""
    try:
        loaded = load_topology(folder)
    except LanguageError as error:
        return list(error.problems)
    return sorted([*loaded.warnings, *lint_topology(loaded)])


def lint_topology(loaded: Loaded) -> list[Problem]:
    """Return the findings of all rules on a loaded topology, sorted by place; silenced ones are left out."""
    lint = Lint(loaded)
    ignores, alone = _ignores(loaded)
    found: dict[Problem, None] = {}
    for rule in RULES.values():
        for problem in rule.problems(lint):
            if not _silenced(problem, ignores, alone):
                found[problem] = None
    for (file, line), rules in ignores.items():
        for name, used in rules.items():
            if not used:
                known = name in RULES
                message = (
                    f"nothing here is silenced by {quoted(name)}"
                    if known
                    else f"there is no rule {quoted(name)}"
                )
                fix = "take the comment out" if known else instead(name, RULES)
                found[Problem(file, line, 1, _UNUSED.name, _UNUSED.severity, message, fix)] = None
    return sorted(found)


def _ignores(loaded: Loaded) -> tuple[_Ignores, set[tuple[str, int]]]:
    """Return the rules that each line silences, and the lines that hold nothing but such a comment."""
    found: _Ignores = {}
    alone: set[tuple[str, int]] = set()
    for file in _files(loaded):
        try:
            lines = (loaded.folder / file).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            continue  # it was there when it was loaded; findings then just cannot be silenced
        for number, line in enumerate(lines, 1):
            comment = _COMMENT.search(line)
            if comment is None:
                continue
            names = [name for name in re.split(r"[,\s]+", comment.group(2)) if name]
            found[(file, number)] = dict.fromkeys(names or [""], False)
            if not line[: comment.start()].strip():
                alone.add((file, number))
    return found, alone


def _files(loaded: Loaded) -> Iterator[str]:
    """Yield the files that the topology was read from."""
    form = loaded.form
    yield from sorted({form.mark.file, *(form.at(key).file for key in form)})
    for source in loaded.sources.values():
        yield source.file


def _silenced(problem: Problem, ignores: _Ignores, alone: set[tuple[str, int]]) -> bool:
    above = (problem.file, problem.line - 1)
    for place in ((problem.file, problem.line), above if above in alone else None):
        rules = ignores.get(place) if place is not None else None
        if rules is not None and problem.rule in rules:
            rules[problem.rule] = True
            return True
    return False
