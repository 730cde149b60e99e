"""How far the group has read, told to the broker now and then, for whoever watches its lag.

Where a partition goes on is in its changelog, inside of each transaction; the group's offsets decide nothing.
In a transaction they would cost it two requests more and a marker in one partition more, which is a third of
what the broker does for a small one. So a worker tells them for all of its partitions in one request, at most
every `offsets_every_s`, and only what is committed: they can be behind, and are never ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP

__all__ = ["Reporter"]

log = logging.getLogger(__name__)

_LAST_S: Final = 2.0  # for the last report of a worker that stops


class Reporter:
    """Reports positions that moved.

    Args:
        positions: the next offset of every source partition that is owned, as of its latest commit.
        send: commits these offsets for the group. KafkaError where the group is just changing for instance,
            TimeoutError where no broker answers.
    """

    def __init__(
        self,
        positions: Callable[[], Mapping[TP, int]],
        send: Callable[[Mapping[TP, int]], Awaitable[None]],
    ) -> None:
        self._positions = positions
        self._send = send
        self._sent: dict[TP, int] = {}

    async def run(self, every_s: float) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.report()

    async def last(self) -> None:
        """Report once more, for a worker that stops: it waits for nobody long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await self.report()

    async def report(self) -> None:
        """Report what has moved since the last time, all at once. Trouble is for the next time."""
        positions = self._positions()
        moved = {tp: offset for tp, offset in positions.items() if self._sent.get(tp) != offset}
        if not moved:
            return
        try:
            await self._send(moved)
        except (KafkaError, IllegalStateError, TimeoutError, OSError) as error:
            log.debug("the group's offsets were not taken: %s", type(error).__name__)
        else:
            self._sent = dict(positions)  # of what is owned now: who owned it meanwhile may have told more
