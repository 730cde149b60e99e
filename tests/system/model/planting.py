"""Bugs by name, as ``bugs`` and ``bugs_inside`` plant them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

__all__ = ["BUGS", "Bug", "Patch", "planted"]

Patch = pytest.MonkeyPatch


class Bug(NamedTuple):
    """How it is planted, which scenario shows it, and what the verifier has to say there."""

    plant: Callable[[Patch], None]
    scenario: str
    symptom: str


BUGS: dict[str, Bug] = {}


def planted(scenario: str, symptom: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Keep a function that plants a bug under its name."""

    def keep(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        BUGS[plant.__name__] = Bug(plant, scenario, symptom)
        return plant

    return keep
