"""Whether Kafka answers at all, asked of it: what else fails while it is away fails in a dozen places.

A lane that waits for a commit, a fetch that is held back and a group that is being joined look alike while no
broker answers, and aiokafka tries each again without a word to anybody above it. So one small question, the
metadata of the changelog topic, goes to any broker that answers, every second or so: over the consumer's own
client and in its thread, as what the worker itself depends on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from processor.runtime.faust.settings import WorkerSettings

__all__ = ["Presence", "ask_consumer"]

log = logging.getLogger(__name__)

_ASK_S: Final = 1.0  # between two questions, or a quarter of `away_after_s` where that is shorter


class Presence:
    """Watches whether a broker answers; ``times`` counts how often none did for longer than `away_after_s`.

    Args:
        settings: ``away_after_s`` and ``broker``.
        ask: asks once, for at most the seconds given; whether a broker has answered.
        clock: seconds that only go on.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        ask: Callable[[float], Awaitable[bool]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.times = 0
        self._settings = settings
        self._ask = ask
        self._clock = clock
        self._answered_s = clock()
        self._away = False

    @property
    def away_s(self) -> float:
        """For how long no broker has answered, seconds; 0 while Kafka is not away."""
        return self._clock() - self._answered_s if self._away else 0.0

    @property
    def reason(self) -> str:
        """Why the worker is not ready; "" while Kafka is not away."""
        return f"Kafka is away: no broker has answered for {self.away_s:.0f} s" if self._away else ""

    async def watch(self) -> None:
        """Ask until cancelled."""
        pause_s = min(_ASK_S, self._settings.away_after_s / 4)
        while True:
            await self.look()
            await asyncio.sleep(pause_s)

    async def look(self) -> None:
        """Ask once, and say what has changed."""
        asked_s = self._clock()
        if await self._ask(self._settings.away_after_s / 2):
            if self._away:
                log.warning("Kafka is back: it was away for %.1f s", asked_s - self._answered_s)
            self._away, self._answered_s = False, asked_s
        elif not self._away and self._clock() - self._answered_s >= self._settings.away_after_s:
            self._away = True
            self.times += 1
            log.error(
                "Kafka is away: no broker at %s has answered for %.1f s; this worker waits, "
                "and goes on where it was",
                self._settings.broker,
                self.away_s,
            )


async def ask_consumer(app: Any, timeout_s: float) -> bool:
    """Ask over the client of an app's consumer; True while there is none, which starting says by itself."""
    consumer = app._consumer  # noqa: SLF001 - `app.consumer` would make one
    thread = None if consumer is None else consumer.thread
    inner = None if thread is None else thread._consumer  # noqa: SLF001
    if thread is None or inner is None or not thread.thread_loop.is_running():
        return True
    # Not by the thread's queue of calls: two tasks serve that, and both may wait for a broker.
    asking = asyncio.run_coroutine_threadsafe(
        _answers(inner._client, app.settings.changelog, timeout_s),  # noqa: SLF001
        thread.thread_loop,
    )
    return await asyncio.wrap_future(asking)


async def _answers(client: Any, topic: str, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            # Into metadata of its own: what the consumer knows stays as it is.
            return bool(await client._metadata_update(ClusterMetadata(), [topic]))  # noqa: SLF001
    except (KafkaError, OSError):  # a time-out is an OSError
        return False
