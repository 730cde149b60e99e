"""What is wrong with a topology's files, said so that a person can mend it.

Every finding is a :class:`Problem`: the place, a rule name, what is wrong, and what to write instead. Readers
collect them all before anything is refused, so that one look at the report is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

import msgspec

__all__ = ["LanguageError", "Mark", "Problem", "Problems", "instead", "listed", "quoted"]

_LISTED_MAX: Final = 8
_QUOTED_MAX: Final = 60


class Mark(msgspec.Struct, frozen=True):
    """A place: the file relative to the topology's folder, line and column from 1."""

    file: str
    line: int = 1
    column: int = 1


class Problem(msgspec.Struct, frozen=True, order=True):
    """One finding. ``severity`` is ``error`` or ``warning``; ``fix`` starts with what to do ("write …")."""

    file: str
    line: int
    column: int
    rule: str
    severity: str
    message: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place} {self.severity} {self.rule}: {self.message} - {self.fix}"


class LanguageError(ValueError):
    """The files do not make a topology. ``problems`` holds every finding, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Collects findings; the same one is kept once."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def error(self, mark: Mark, rule: str, message: str, fix: str) -> None:
        """Record something that makes the files unusable."""
        self._found[Problem(mark.file, mark.line, mark.column, rule, "error", message, fix)] = None

    def warn(self, mark: Mark, rule: str, message: str, fix: str) -> None:
        """Record something that is likely a mistake but can be run."""
        self._found[Problem(mark.file, mark.line, mark.column, rule, "warning", message, fix)] = None

    @property
    def errors(self) -> int:
        """How many errors there are so far."""
        return sum(problem.severity == "error" for problem in self._found)

    def settle(self) -> tuple[Problem, ...]:
        """Return the warnings, sorted; raises :class:`LanguageError` with all when there is an error."""
        if self.errors:
            raise LanguageError(self._found)
        return tuple(sorted(self._found))


def quoted(text: str) -> str:
    """Return ``text`` in double quotes on one line, shortened where it is long."""
    flat = " ".join(text.split())
    return f'"{flat if len(flat) <= _QUOTED_MAX else flat[: _QUOTED_MAX - 1] + "…"}"'


def listed(words: Iterable[str]) -> str:
    """Return the words as a readable list, shortened where there are many."""
    known = list(words)
    more = f", … ({len(known)} in all)" if len(known) > _LISTED_MAX else ""
    return ", ".join(known[:_LISTED_MAX]) + more


def instead(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return what to write in place of ``word``: the nearest known word, ``otherwise``, or the known ones."""
    choices = list(known)
    by_fold = {choice.casefold().replace("-", "_"): choice for choice in reversed(choices)}
    near = get_close_matches(word.casefold().replace("-", "_"), by_fold, n=1, cutoff=0.6)
    if near:
        return f'write "{by_fold[near[0]]}"'
    if otherwise:
        return otherwise
    return f"write one of {listed(choices)}" if choices else "take it out: nothing of the kind is declared"
