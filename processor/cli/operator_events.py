"""Events that an operator gives: published to Kafka, or written to a file for a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import USAGE, CommandError
from processor.cli.kafka import connection, kafka_explained

if TYPE_CHECKING:
    from processor.core.model import Topology

__all__ = ["EventTime", "EventsFile", "event_line", "give", "logged_in", "when"]

EventsFile = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Write the events to a file for a run; - for the output."),
]
EventTime = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="When the events occur. Default: now. For --file."),
]


def logged_in() -> str:
    """Who runs this command."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"


def when(at: str | None, file: Path | None, topology: Topology) -> int:
    """Return when the events occur, in ms. Raises CommandError for a time without a file."""
    import time

    from processor.cli.options import instant

    at_ms = instant(at, topology.timezone)
    if at_ms is not None and file is None:
        raise CommandError("--at is for --file: events that are published occur now", "", USAGE)
    return time.time_ns() // 1_000_000 if at_ms is None else at_ms


def event_line(kind: str, contact: str, at_ms: int, properties: Mapping[str, Any]) -> bytes:
    """Return an event as a line of JSON, with an id that no other command gives."""
    import uuid

    import msgspec

    from processor.core.time import format_time

    return msgspec.json.encode(
        {
            "event_id": f"{kind.replace('_', '-')}-{uuid.uuid4().hex}",
            "contact_id": contact,
            "type": kind,
            "occurred_at": format_time(at_ms),
            "properties": properties,
        }
    )


def give(topology: Topology, lines: list[bytes], file: Path | None, *login: Any) -> bool:
    """Write the events to the file, or publish them. ``login``: the arguments of :func:`connection`.

    Returns whether they were published. Raises CommandError where neither can be done.
    """
    from processor.runtime.kafka.publish import publish_lines

    if file is None:
        settings = connection(*login)
        if lines:
            with kafka_explained():
                publish_lines(settings, topology, lines)
        return True
    text = b"".join(line + b"\n" for line in lines)
    if str(file) == "-":
        typer.echo(text.decode(), nl=False)
        return False
    try:
        file.write_bytes(text)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}", "", USAGE) from None
    return False
