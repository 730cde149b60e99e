"""``trayecto tail``: commands, decisions and events as they stand in their topics."""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import NO, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connection, kafka_explained
from processor.cli.options import TopologyOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from processor.codec.events import Refusal
    from processor.core.model import Topology
    from processor.runtime.kafka.settings import KafkaSettings
    from processor.runtime.kafka.tail import Record

EXAMPLES = (
    "trayecto tail commands --broker 127.0.0.1:9092 --topology shop",
    "trayecto tail commands --channel email --follow --topology shop",
    "trayecto tail decisions -t shop --from-beginning | jq 'select(.kind == \"suppressed\")'",
    "trayecto tail dead-letters -t shop --limit 1 --with-position",
)


class Kind(StrEnum):
    """What to read."""

    COMMANDS = "commands"
    DECISIONS = "decisions"
    EVENTS = "events"
    DEAD_LETTERS = "dead-letters"
    CLOCK = "clock"


_SUBJECTS = {
    Kind.COMMANDS: "command",
    Kind.DECISIONS: "decision",
    Kind.EVENTS: "event",
    Kind.DEAD_LETTERS: "dead-letter",
    Kind.CLOCK: "clock",
}


def tail(
    kind: Annotated[
        Kind, typer.Argument(metavar="KIND", help="commands, decisions, events, dead-letters or clock.")
    ],
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    channel: Annotated[
        str, typer.Option("--channel", metavar="NAME", help="Commands of this channel only.")
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many. Default: the last 10."),
    ] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest record that is there.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written, until Ctrl-C.")
    ] = False,
    with_position: Annotated[
        bool, typer.Option("--with-position", help="Say of each where it stands, its key and its time.")
    ] = False,
) -> None:
    """Show records of topics, one line of JSON each.

    The lines are those that "trayecto run" writes into files. Only what was
    committed is shown. In order within a partition; the last records are in
    order of their times.

    What cannot be read is told on standard error; the exit code is then 1.
    """
    from processor.cli.options import load
    from processor.cli.output import errors
    from processor.runtime.kafka.sources import schema_source
    from processor.runtime.kafka.tail import Lines

    made = load(topology).topology
    topics = _topics(made, kind, channel)
    settings = connection(broker, registry, security, user, ca_file)
    unreadable = 0
    with kafka_explained(), _until_interrupted(follow=follow), closing(schema_source(settings)) as source:
        lines = Lines(_SUBJECTS[kind], source)
        for record in _records(settings, topics, limit, from_beginning, follow):
            line = lines.line(record)
            if not isinstance(line, bytes):
                unreadable += 1
                what = f"{record.topic} {record.place}: {line.reason}: {line.message}"
                errors().print(what, markup=False, soft_wrap=True, style="yellow")
            if with_position or isinstance(line, bytes):
                sys.stdout.write((_placed(record, line) if with_position else line).decode() + "\n")  # type: ignore[union-attr]
            if follow:
                sys.stdout.flush()
    sys.stdout.flush()
    if unreadable:
        raise typer.Exit(NO)


@contextmanager
def _until_interrupted(*, follow: bool) -> Iterator[None]:
    """Following has no other end than Ctrl-C, which then is no failure."""
    try:
        yield
    except KeyboardInterrupt:
        if not follow:
            raise


def _topics(topology: Topology, kind: Kind, channel: str) -> list[str]:
    from processor.core.topics import topic_names
    from processor.language.problems import instead

    names = topic_names(topology)
    if kind is Kind.COMMANDS:
        if channel and channel not in names.commands:
            raise CommandError(f'there is no channel "{channel}"', instead(channel, names.commands))
        return [names.commands[channel]] if channel else list(names.commands.values())
    if channel:
        raise CommandError("--channel goes with commands only", "leave it out")
    return {
        Kind.DECISIONS: [names.decisions],
        Kind.EVENTS: list(names.events),
        Kind.DEAD_LETTERS: [names.dead_letters],
        Kind.CLOCK: [names.clock],
    }[kind]


def _records(
    settings: KafkaSettings, topics: list[str], limit: int | None, from_beginning: bool, follow: bool
) -> Iterator[Record]:
    from itertools import islice

    from processor.runtime.kafka.tail import read_all, read_last

    if from_beginning:
        found: Iterable[Record] = read_all(settings, topics, follow=follow)
    elif follow:
        found = read_all(settings, topics, follow=True, new=True)
    else:
        found = read_last(settings, topics, limit or 10)
    yield from islice(found, limit)


def _placed(record: Record, line: bytes | Refusal) -> bytes:
    import msgspec

    from processor.core.time import format_time

    key = record.key
    made: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": format_time(record.timestamp_ms) if record.timestamp_ms else None,
        "key": None if key is None else key.decode(errors="backslashreplace"),
    }
    if isinstance(line, bytes):
        made["record"] = msgspec.Raw(line)
    else:
        made["unreadable"] = line.reason
    return msgspec.json.encode(made)
