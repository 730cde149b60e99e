"""The program language: a folder of YAML files -> a compiled topology, or a list of what is wrong with it."""

from __future__ import annotations

from processor.language.compile import Loaded, load_topology
from processor.language.problems import LanguageError, Mark, Problem
from processor.language.programs import ProgramSource

__all__ = ["LanguageError", "Loaded", "Mark", "Problem", "ProgramSource", "load_topology"]
