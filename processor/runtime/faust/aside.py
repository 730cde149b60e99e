"""What would block the event loop, done beside it: questions to a schema registry.

One thread for the whole worker, of its own and not asyncio's: a registry that hangs would take all of those,
and the names of brokers are looked up in them. It is a daemon, so that a question without an answer does not
hold up the end of the process either.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["aside"]

_T = TypeVar("_T")
_Asked = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]

_asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
_starting = threading.Lock()
_thread: list[threading.Thread] = []


async def aside(function: Callable[[], _T]) -> _T:
    """Return what `function` returns, called in the thread, after what was asked for before.

    Raises what it raises. Cancelled, it is not called, unless it is under way.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()
    _asked.put((function, loop, future))
    with _starting:
        if not _thread:
            _thread.append(threading.Thread(target=_serve, name="aside", daemon=True))
            _thread[0].start()
    return await future


def _serve() -> None:
    while True:
        function, loop, future = _asked.get()
        if future.cancelled():
            continue
        result, error = None, None
        try:
            result = function()
        except Exception as caught:  # noqa: BLE001 - whoever asked is told
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
