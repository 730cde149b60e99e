"""Over the log in memory every scenario is right, and every planted bug is caught, for the right reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.model import bugs, bugs_inside
from tests.system.model.planting import BUGS
from tests.system.model.scenarios import SCENARIOS
from tests.system.model.world import World, Wrong

assert bugs.__all__ == bugs_inside.__all__ == []  # they are there for what they plant
TWO_SOURCES = {name for name in SCENARIOS if "topic" in name}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def make(scenario: str) -> World:
        return World(tmp_path, monkeypatch, sources=2 if scenario in TWO_SOURCES else 1)

    return make


def test_there_are_enough_and_nearly_each_scenario_is_there_for_one():
    assert len(BUGS) >= 30
    assert SCENARIOS.keys() - {bug.scenario for bug in BUGS.values()} <= {"a_zombie"}


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
async def test_without_a_bug_every_scenario_is_right(world: Any, scenario: str):
    async with world(scenario).running() as w:
        await SCENARIOS[scenario](w)


@pytest.mark.parametrize("name", sorted(BUGS))
async def test_a_planted_bug_is_caught(world: Any, monkeypatch: pytest.MonkeyPatch, name: str):
    bug = BUGS[name]
    async with world(bug.scenario).running() as w:
        bug.plant(monkeypatch)
        with pytest.raises(Wrong) as caught:
            await SCENARIOS[bug.scenario](w)
        assert bug.symptom in caught.value.symptoms, caught.value
