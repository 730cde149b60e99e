"""Bugs by name, as ``bugs`` and ``bugs_inside`` plant them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

__all__ = ["BUGS", "Bug", "Patch", "planted", "said"]

Patch = pytest.MonkeyPatch


class Bug(NamedTuple):
    """How it is planted, in which scenario it shows, and as what; ``about`` is what is broken."""

    plant: Callable[[Patch], None]
    scenario: str
    symptom: str
    about: str = ""


BUGS: dict[str, Bug] = {}


def planted(scenario: str, symptom: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Keep a function that plants a bug under its name."""

    def keep(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        BUGS[plant.__name__] = Bug(plant, scenario, symptom, plant.__doc__ or "")
        return plant

    return keep


def said(bug: Bug) -> str:
    """What was broken, in one line."""
    assert bug.about, bug
    return " ".join(bug.about.split())
