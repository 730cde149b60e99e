"""Logs: one line for each thing that happened, for people at a terminal, as JSON for everything else.

Whatever the standard library's loggers are given (ours, Faust's, aiokafka's) comes out in one form. Nothing
personal is logged: messages name topics, partitions, offsets, counts and reasons. Of an exception that is
logged only its type and the places it went through are shown: its message and its variables may quote what
was being worked on, or a password.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

__all__ = ["LEVELS", "configure"]

LEVELS: Final = ("debug", "info", "warning", "error")
_CHATTY: Final = ("aiokafka", "faust", "mode")  # they tell each step of a rebalance as information
_REPEAT_S: Final = 10.0
_REPEATED_MAX: Final = 1_000  # messages kept in mind; some hold what varies
_PLACES_MAX: Final = 20  # of one exception; those next to where it was raised
_COLOURS: Final = {"debug": "2", "warning": "33", "error": "31", "critical": "31"}


def configure(level: str = "info", form: str = "", stream: TextIO | None = None) -> None:
    """Set up logging for this process.

    Args:
        level: one of :data:`LEVELS`, the least important that is shown.
        form: "text" or "json"; "" for text at a terminal and JSON elsewhere.
        stream: where to; standard error by default.
    """
    assert level in LEVELS, level
    assert form in ("text", "json", ""), form
    out = sys.stderr if stream is None else stream
    as_text = form == "text" or (not form and out.isatty())
    stamped = "%Y-%m-%dT%H:%M:%SZ" if as_text else "iso"  # a second is what a person reads
    last: list[Any] = (
        [_Text(colours=out.isatty(), level=level)] if as_text else [structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt=stamped, utc=True),
                structlog.processors.StackInfoRenderer(),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _shortened, *last],
        )
    )
    if level != "debug":
        handler.addFilter(_is_news)
        handler.addFilter(_Repeated())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def _is_news(record: logging.LogRecord) -> bool:
    """False for the steps of Faust's services, which log them as if they were the module of their class."""
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


class _Repeated(logging.Filter):
    """Lets what a client says again and again through once in :data:`_REPEAT_S`, with how often it was said.

    While no broker answers, aiokafka says so a hundred times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_CHATTY):
            return True
        key = (record.name, str(record.msg))
        at, left_out = self._shown.get(key, (0.0, 0))
        if key in self._shown and record.created - at < _REPEAT_S:
            self._shown[key] = (at, left_out + 1)
            return False
        if len(self._shown) >= _REPEATED_MAX:
            self._shown.clear()
        self._shown[key] = (record.created, 0)
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out} times more, left out)"
            record.args = None
        return True


def _shortened(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its type and its places, and those of what it came from."""
    found = event.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found
    told: list[dict[str, Any]] = []
    seen: set[int] = set()
    while isinstance(error, BaseException) and id(error) not in seen:
        seen.add(id(error))
        told.append({"type": type(error).__name__, "at": _places(error.__traceback__)})
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if told:
        event["exception"] = told
    return event


def _places(traceback: TracebackType | None) -> list[str]:
    """Return "module:line function" of each frame, the outermost first: a path would be the machine's."""
    places = []
    while traceback is not None:
        frame = traceback.tb_frame
        places.append(f"{frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno} {frame.f_code.co_name}")
        traceback = traceback.tb_next
    return places[-_PLACES_MAX:]


class _Text:
    """One line for a person: when, how bad, what; whose it is where it is not ours."""

    def __init__(self, *, colours: bool, level: str) -> None:
        self._colours = colours
        self._all_places = level == "debug"

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> str:
        level, logger = event["level"], event.get("logger", "")
        said = str(event["event"])
        if not logger.startswith("processor."):
            said = f"{logger}: {said}"
        for number, error in enumerate(event.get("exception", ())):
            places = error["at"] if self._all_places else error["at"][-1:]
            said += f"{', from' if number else ':'} {error['type']}"
            said += f" at {' > '.join(places)}" if places else ""
        if "stack" in event:
            said += f"\n{event['stack']}"
        if not self._colours:
            return f"{event['timestamp']} {level:<8} {said}"
        shown = f"\x1b[{_COLOURS[level]}m{level:<8}\x1b[0m" if level in _COLOURS else f"{level:<8}"
        return f"\x1b[2m{event['timestamp']}\x1b[0m {shown} {said}"
