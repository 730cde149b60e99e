"""``trayecto held``: what circuit breakers and pauses hold, and how it goes on."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processor.cli.errors import NO
from processor.cli.kafka import Broker, CaFile, Registry, Security, User, connected, kafka_explained
from processor.cli.operator_events import EventsFile, EventTime
from processor.cli.options import Output, OutputOption, TopologyOption
from processor.cli.pause import Because, By, Program, say

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.runtime.held import Braked, Held
    from processor.runtime.kafka.settings import KafkaSettings

LIST_EXAMPLES = (
    "trayecto held list --state state",
    "trayecto held list --topology shop --broker 127.0.0.1:9092",
    "trayecto held list --state state --program welcome -o json | jq '.held | length'",
)
RELEASE_EXAMPLES = (
    'trayecto held release welcome --topology shop --broker 127.0.0.1:9092 --because "a sale"',
    "trayecto held release welcome -t shop --file released.jsonl --at 2026-03-01T09:30Z",
)
DROP_EXAMPLES = ('trayecto held drop welcome -t shop --broker 127.0.0.1:9092 --because "wrong audience"',)


def group() -> typer.Typer:
    """Return the commands under ``held``."""
    from processor.cli.app import epilog

    made = typer.Typer(
        help="Show what circuit breakers and pauses hold; release it or drop it.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    made.callback()(held)
    made.command("list", epilog=epilog(LIST_EXAMPLES))(list_)
    made.command(epilog=epilog(RELEASE_EXAMPLES))(release)
    made.command(epilog=epilog(DROP_EXAMPLES))(drop)
    return made


def held() -> None:
    """Show what circuit breakers and pauses hold; release it or drop it."""


def list_(
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            help="The folder of the state. Default: state, or with --broker the topics.",
            envvar="TRAYECTO_STATE",
        ),
    ] = None,
    program: Annotated[str, typer.Option("--program", metavar="NAME", help="Of this program only.")] = "",
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the programs that are stopped, and what they hold.

    In a pass over the rows of a run's state, or of the partitions that a
    worker has (or had) on this disk. With --broker instead from the decisions
    on Kafka, of all partitions, as far back as they are kept.

    The exit code is 1 when a program is stopped or something is held.
    """
    from processor.cli.output import console, json_out

    if state is None and broker is not None:
        programs, found = _recorded(*connected(topology, broker, registry, security, user, ca_file))
    else:
        programs, found = _stored(state or Path("state"))
    programs = [one for one in programs if program in {"", one.program}]
    found = [one for one in found if program in {"", one.program}]
    if output is Output.JSON:
        json_out(_as_json(programs, found))
    elif programs or found:
        _print(programs, found)
    else:
        console().print("No program is stopped, and nothing is held.")
    if programs or found:
        raise typer.Exit(NO)


def _as_json(programs: list[Braked], found: list[Held]) -> dict[str, Any]:
    from processor.core.time import format_time

    return {
        "programs": [
            {
                "program": one.program,
                "paused": one.paused,
                "breaker_tripped": one.tripped,
                "since": format_time(one.since_ms),
            }
            for one in programs
        ],
        "held": [
            {
                "contact_id": one.contact_id,
                "program": one.program,
                "enrollment": one.enrollment,
                "step": one.step,
                "until": format_time(one.until_ms) if one.until_ms else None,
            }
            for one in found
        ],
    }


def _print(programs: list[Braked], found: list[Held]) -> None:
    from processor.cli.output import console, table
    from processor.core.time import format_time

    stopped = [
        (one.program, " ".join(_words(one)), format_time(one.since_ms), _count(found, one.program))
        for one in programs
    ]
    console().print(table("Stopped programs", ["program", "is", "since", "held"], stopped, right=(3,)))
    rows = [
        (one.contact_id, one.program, one.step, format_time(one.until_ms) if one.until_ms else "")
        for one in found
    ]
    console().print(table("Held", ["contact", "program", "step", "until"], rows))


def _stored(state: Path) -> tuple[list[Braked], list[Held]]:
    from processor.cli.options import reading_state
    from processor.runtime.held import braked_in, held_in

    with reading_state(state):
        return braked_in(state), list(held_in(state))


def _recorded(topology: Topology, settings: KafkaSettings) -> tuple[list[Braked], list[Held]]:
    from processor.core.outputs import Decision
    from processor.core.topics import topic_names
    from processor.runtime.held import HeldByRecord
    from processor.runtime.kafka.sources import schema_source
    from processor.runtime.kafka.tail import Lines, read_all

    record = HeldByRecord()
    with kafka_explained(), closing(schema_source(settings)) as source:
        lines = Lines("decision", source)
        for each in read_all(settings, [topic_names(topology).decisions]):
            item = lines.item(each)
            if isinstance(item, Decision):
                record.add(item)
    return record.braked(), record.held()


def _words(one: Braked) -> list[str]:
    return [word for word, on in (("paused", one.paused), ("tripped", one.tripped)) if on]


def _count(found: list[Held], program: str) -> int:
    return sum(one.program == program for one in found)


def release(
    program: Program,
    because: Because = "",
    by: By = "",
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    file: EventsFile = None,
    at: EventTime = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Close a breaker and let go of what was held; it is decided anew.

    Publishes an event held_released: it stands in the log, so that a replay
    releases at the same place. With --file the event is written to a file
    instead, as a further source of a run.
    """
    login = (broker, registry, security, user, ca_file)
    say("held_released", program, by, because, topology, login, file, at, output)


def drop(
    program: Program,
    because: Because = "",
    by: By = "",
    topology: TopologyOption = Path(),
    broker: Broker = None,
    registry: Registry = None,
    security: Security = None,
    user: User = None,
    ca_file: CaFile = None,
    file: EventsFile = None,
    at: EventTime = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Close a breaker and drop what was held; contacts go on.

    Publishes an event held_dropped, which stands in the log. Each command that
    is dropped is recorded (suppressed, dropped).
    """
    login = (broker, registry, security, user, ca_file)
    say("held_dropped", program, by, because, topology, login, file, at, output)
