"""The corrections of Faust and aiokafka, each against what it corrects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest
from faust.serializers import codecs

from processor.runtime.faust.fixes.fetch_times import FetchTimes
from processor.runtime.faust.fixes.membership import FENCED_INSTANCE_ID, keep_name, leave
from processor.runtime.faust.fixes.untouched import UNTOUCHED


class Clock:
    ms = 1_000

    def __call__(self) -> int:
        return self.ms


def fetch(topic: str, offset: int) -> FetchRequest:
    return FetchRequest(500, 1, 1 << 20, 1, [(topic, [(0, offset, 1 << 20)])])


def answer(topic: str, high: int, stable: int, error: int = 0) -> Any:
    return SimpleNamespace(topics=[(topic, [(0, error, high, stable, 0, [], b"")])])


async def sent(clock: Clock, request: Any, response: Any, *, takes_ms: int = 0) -> FetchTimes:
    class Client:
        async def send(self, node: int, request: Any, **options: Any) -> Any:
            clock.ms += takes_ms
            return response

    fetcher = SimpleNamespace(_client=Client())
    times = FetchTimes(fetcher, clock)
    assert await fetcher._client.send(1, request) is response
    return times


async def test_the_end_is_dated_by_when_it_was_asked_for():
    times = await sent(Clock(), fetch("a", 7), answer("a", 7, 7), takes_ms=60_000)
    assert times.ends == {TopicPartition("a", 0): (7, 1_000)}


async def test_an_open_transaction_is_not_the_end():
    times = await sent(Clock(), fetch("a", 7), answer("a", 9, 7))
    assert times.ends == {}


async def test_an_error_is_not_the_end():
    times = await sent(Clock(), fetch("a", 7), answer("a", 7, 7, error=6))
    assert times.ends == {}


async def test_other_requests_pass():
    times = await sent(Clock(), HeartbeatRequest("g", 1, "m"), answer("a", 7, 7))
    assert times.ends == {}


class Coordinator:
    def __init__(self, error: int = 0) -> None:
        self.group_id, self.generation, self.member_id = "g", 3, "m"
        self._group_instance_id = "w0"
        self.requests: list[Any] = []
        self.error = error

    async def _send_req(self, request: Any) -> Any:
        self.requests.append(request)
        return SimpleNamespace(error_code=self.error)


async def test_heartbeats_carry_the_name():
    coordinator = Coordinator()
    keep_name(coordinator, lambda: None)
    await coordinator._send_req(HeartbeatRequest("g", 3, "m"))
    (request,) = coordinator.requests
    struct = request.prepare({12: (0, 4)})
    assert struct.API_VERSION == 3
    assert struct.encode().endswith(b"\0\2w0")


async def test_who_was_replaced_hears_of_it_once():
    coordinator, heard = Coordinator(FENCED_INSTANCE_ID), []
    keep_name(coordinator, lambda: heard.append(1))
    await coordinator._send_req(HeartbeatRequest("g", 3, "m"))
    await coordinator._send_req(JoinGroupRequest("g", 1, 1, "m", "w0", "consumer", []))
    assert heard == [1]


async def test_leaving_is_by_the_members_id():
    coordinator = Coordinator()
    assert await leave(coordinator)
    assert coordinator.requests[0].prepare({13: (0, 1)}).encode() == b"\0\1g\0\1m"
    coordinator.generation = -1
    assert not await leave(coordinator)
    assert not await leave(Coordinator(25))


def test_a_chunk_passes_the_codec_as_it_is():
    value = object()
    codec = codecs.get_codec(UNTOUCHED)
    assert codec.loads(value) is value  # type: ignore[arg-type]
    assert codec.dumps(value) is value
