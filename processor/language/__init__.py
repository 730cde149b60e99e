"""The program language: a folder of YAML files -> a compiled topology, or a list of what is wrong with it."""

from __future__ import annotations

from processor.language.compile import Loaded, load_topology
from processor.language.problems import LanguageError, Mark, Problem
from processor.language.programs import ProgramSource
from processor.language.scenarios import Expected, Held, Scenario, ScenarioEvent, load_scenarios
from processor.language.schemas import json_schema

__all__ = [
    "Expected",
    "Held",
    "LanguageError",
    "Loaded",
    "Mark",
    "Problem",
    "ProgramSource",
    "Scenario",
    "ScenarioEvent",
    "json_schema",
    "load_scenarios",
    "load_topology",
]
