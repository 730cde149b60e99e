"""When a fetch was sent, and whether it found the log's end: aiokafka 0.14.0 keeps neither.

Its ``Fetcher._proc_fetch_request`` notes the time when an answer *arrives* (``tp_state.timestamp``) and the
high watermark of the latest answer (``tp_state.highwater``), but not which offset was asked for, nor when. An
answer that was held back for a minute by the network says nothing of that minute.

The fetcher sends through ``self._client.send(node, request)`` and nothing else does so with a
``FetchRequest``. So its client is wrapped: the wall clock is read before each such call, and of the answer
every partition is kept whose high watermark is the offset that was asked for: there was nothing to fetch, not
even what is above the last stable offset. (The high watermark of a follower may lag; this consumer sets no
``client_rack``, so leaders answer.)

Everything here runs in the consumer's thread and event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.protocol.fetch import FetchRequest

__all__ = ["FetchTimes"]


class FetchTimes:
    """Wraps a fetcher's client. ``ends``: partition -> (offset, ms), the latest sight of its end."""

    def __init__(self, fetcher: Any, now_ms: Callable[[], int]) -> None:
        self.ends: dict[TopicPartition, tuple[int, int]] = {}
        self._now_ms = now_ms
        fetcher._client = _Client(fetcher._client, self)  # noqa: SLF001

    def answered(self, request: Any, response: Any, sent_ms: int) -> None:
        """Keep what an answer says of the ends of the logs it was asked for."""
        asked = {
            (topic, partition): offset
            for topic, partitions in request.topics
            for partition, offset, _ in partitions
        }
        for topic, partitions in response.topics:
            for partition, error, high_watermark, *_ in partitions:
                if error == 0 and asked.get((topic, partition)) == high_watermark:
                    self.ends[TopicPartition(topic, partition)] = (high_watermark, sent_ms)


class _Client:
    """The client as the fetcher sees it."""

    def __init__(self, client: Any, times: FetchTimes) -> None:
        self._client = client
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """Send a request, noting the time of fetches."""
        if not isinstance(request, FetchRequest):
            return await self._client.send(node_id, request, **options)
        sent_ms = self._times._now_ms()  # noqa: SLF001 - before connecting, so never too late
        response = await self._client.send(node_id, request, **options)
        self._times.answered(request, response, sent_ms)
        return response
