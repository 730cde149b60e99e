"""Static membership as KIP-345 means it: aiokafka 0.14.0 joins with a fixed name but does not go on with it.

- Its heartbeats leave the name out (version 1), so the broker cannot tell a member that was replaced by
  another process under the same name from one that merely expired. It answers UNKNOWN_MEMBER_ID to both; the
  replaced one joins again and throws its successor out, which joins again, for ever. With the name (version
  3) it is FENCED_INSTANCE_ID, and the replaced one stops.
- ``close`` never leaves the group when there is a name, which is right for a restart and wrong for a worker
  that will not come back: its partitions would wait for the session to expire.
- An error of the group that it does not know (FENCED_INSTANCE_ID in JoinGroup) is wrapped into a text.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.group import HeartbeatResponse_v1, LeaveGroupRequest
from aiokafka.protocol.types import Int32, Schema, String

__all__ = ["FENCED_INSTANCE_ID", "keep_name", "leave"]

log = logging.getLogger(__name__)

FENCED_INSTANCE_ID: Final = 82


class _HeartbeatResponse_v3(HeartbeatResponse_v1):  # type: ignore[misc]  # noqa: N801 - as aiokafka's
    API_VERSION = 3


class _HeartbeatRequest_v3(RequestStruct):  # type: ignore[misc]  # noqa: N801
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponse_v3
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _Heartbeat(Request[_HeartbeatRequest_v3]):  # type: ignore[misc]
    API_KEY = 12

    def __init__(self, *fields: Any) -> None:
        self._fields = fields

    def build(self, request_struct_class: type[_HeartbeatRequest_v3]) -> _HeartbeatRequest_v3:
        return request_struct_class(*self._fields)


def keep_name(coordinator: Any, on_fenced: Callable[[], None]) -> None:
    """Make a coordinator's heartbeats carry its name; `on_fenced` is called once when another took it.

    It runs in the coordinator's thread.
    """
    name = coordinator._group_instance_id  # noqa: SLF001
    assert name, "only a member with a name"
    send, fenced = coordinator._send_req, False  # noqa: SLF001

    async def send_with_name(request: Any) -> Any:
        nonlocal fenced
        if type(request).__name__ == "HeartbeatRequest":
            request = _Heartbeat(coordinator.group_id, coordinator.generation, coordinator.member_id, name)
        response = await send(request)
        if getattr(response, "error_code", 0) == FENCED_INSTANCE_ID and not fenced:
            fenced = True
            log.error("another member has joined the group as %s", name)
            on_fenced()
        return response

    coordinator._send_req = send_with_name  # noqa: SLF001


async def leave(coordinator: Any) -> bool:
    """Give up the membership at once; return whether there was one. In the coordinator's thread."""
    if coordinator.generation <= 0:
        return False
    response = await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))  # noqa: SLF001
    if response.error_code:
        log.warning("the group did not let this member leave: error %d", response.error_code)
    return not response.error_code
