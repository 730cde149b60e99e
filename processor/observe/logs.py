"""Logs: one line for each thing that happened, for people at a terminal, as JSON for everything else.

Whatever the standard library's loggers are given (ours, Faust's, aiokafka's) comes out in one form. Nothing
personal is logged: messages name topics, partitions, offsets, counts and reasons.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, TextIO

import structlog

__all__ = ["LEVELS", "configure"]

LEVELS: Final = ("debug", "info", "warning", "error")
# Without the values of local variables, which may be a record with everything about a contact.
_frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_CHATTY: Final = ("aiokafka", "faust", "mode")  # they tell each step of a rebalance as information


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
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if as_text
        else [structlog.processors.ExceptionRenderer(_frames), structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
