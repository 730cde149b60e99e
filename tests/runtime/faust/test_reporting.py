"""The group's offsets: told now and then, all at once, and never twice what the broker has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka.errors import CommitFailedError, IllegalStateError
from faust.types import TP

from processor.runtime.faust.reporting import Reporter

ONE, TWO = TP("events", 0), TP("events", 1)


class Group:
    def __init__(self) -> None:
        self.positions: dict[TP, int] = {ONE: 3, TWO: 7}
        self.sent: list[dict[TP, int]] = []
        self.fails: list[Exception] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def send(self, offsets: Mapping[TP, int]) -> None:
        await self.answers.wait()
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append(dict(offsets))


async def test_only_what_moved_is_told() -> None:
    group = Group()
    reporter = Reporter(lambda: group.positions, group.send)
    await reporter.report()
    await reporter.report()
    group.positions[TWO] = 9
    await reporter.report()
    assert group.sent == [{ONE: 3, TWO: 7}, {TWO: 9}]


async def test_what_was_not_taken_is_told_again() -> None:
    group = Group()
    group.fails = [CommitFailedError("rebalancing"), IllegalStateError("not assigned"), TimeoutError()]
    reporter = Reporter(lambda: group.positions, group.send)
    for _ in range(4):
        await reporter.report()
    assert group.sent == [{ONE: 3, TWO: 7}]


async def test_a_partition_that_came_back_is_told_again() -> None:
    group = Group()
    reporter = Reporter(lambda: group.positions, group.send)
    await reporter.report()
    group.positions = {ONE: 4}  # the other is another worker's
    await reporter.report()
    group.positions = {ONE: 4, TWO: 7}
    await reporter.report()
    assert group.sent == [{ONE: 3, TWO: 7}, {ONE: 4}, {TWO: 7}]


async def test_it_goes_on_by_itself_and_a_stop_does_not_wait_for_a_broker() -> None:
    group = Group()
    reporter = Reporter(lambda: group.positions, group.send)
    running = asyncio.create_task(reporter.run(0.001))
    await asyncio.sleep(0.05)
    group.positions[ONE] = 5
    await asyncio.sleep(0.05)
    running.cancel()
    assert group.sent == [{ONE: 3, TWO: 7}, {ONE: 5}]
    group.answers.clear()
    group.positions[ONE] = 6
    await asyncio.wait_for(reporter.last(), 10)
    assert group.sent[-1] == {ONE: 5}
