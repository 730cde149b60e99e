"""Databases are said to be current when they are closed only if nobody else can have written until then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from processor.runtime.faust.owner import Lanes
from processor.runtime.faust.standing import LaneState


class FakeStates:
    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.closed: dict[int, bool] = {}

    def opened(self) -> list[int]:
        return [number for number in self.numbers if number not in self.closed]

    def close(self, partition: int, *, current: bool) -> None:
        self.closed[partition] = current


class FakeLane:
    def __init__(self, partition: int, before: LaneState, after: LaneState) -> None:
        self.partition = partition
        self.state = before
        self.committed = {"events": partition}
        self._after = after

    async def stop(self) -> None:
        self.state = self._after


@pytest.mark.parametrize("stopped_before", [False, True])
async def test_only_what_ran_until_its_stop_is_current(stopped_before: bool) -> None:
    states = FakeStates([0, 1, 2, 3])
    settings: Any = SimpleNamespace(
        sources=("events",), changelog="c", partitions=4, transactions_at_once_max=8
    )
    lanes = Lanes(None, settings, states, None)  # type: ignore[arg-type]
    made = [
        FakeLane(0, LaneState.RUNNING, LaneState.ENDED),
        FakeLane(1, LaneState.FENCED, LaneState.FENCED),
        FakeLane(2, LaneState.RUNNING, LaneState.FENCED),  # by the transaction that was under way
        FakeLane(3, LaneState.STARTING, LaneState.ENDED),  # not restored yet
    ]
    lanes._lanes = {lane.partition: lane for lane in made}  # type: ignore[misc]
    if stopped_before:
        await lanes.stop()
    await lanes.close()
    assert states.closed == {0: True, 1: False, 2: False, 3: False}
