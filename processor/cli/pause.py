"""``trayecto pause`` and ``trayecto resume``: stop a program, and let it go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from processor.cli.errors import USAGE, CommandError
from processor.cli.kafka import Broker, CaFile, Registry, Security, User
from processor.cli.operator_events import EventsFile, EventTime, event_line, give, logged_in, when
from processor.cli.options import Output, OutputOption, TopologyOption

if TYPE_CHECKING:
    from processor.core.model import Topology

PAUSE_EXAMPLES = (
    'trayecto pause welcome --topology shop --broker 127.0.0.1:9092 --because "the template is wrong"',
    "trayecto pause welcome -t shop --file paused.jsonl",
)
RESUME_EXAMPLES = ("trayecto resume welcome --topology shop --broker 127.0.0.1:9092",)

_DONE: Final = {
    "program_paused": "Paused: {}.",
    "program_resumed": "Resumed: {}.",
    "held_released": "Released: what was held of {}.",
    "held_dropped": "Dropped: what was held of {}.",
}
_WORDS_CHARS_MAX: Final = 500  # of who and why, each

Program = Annotated[str, typer.Argument(metavar="PROGRAM", help="Which program.")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is recorded.")]
By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who; it is recorded. Default: who is logged in.")
]


def pause(
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
    """Pause a program: nobody enters it, and nothing of it moves.

    Publishes an event program_paused: it stands in the log, so that a replay
    pauses at the same place. With --file the event is written to a file
    instead, as a further source of a run. Goals and exits go on.
    """
    connected = (broker, registry, security, user, ca_file)
    say("program_paused", program, by, because, topology, connected, file, at, output)


def resume(
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
    """Let a paused program go on, where its contacts stand still.

    Publishes an event program_resumed, which stands in the log. What is to be
    sent is decided anew.
    """
    connected = (broker, registry, security, user, ca_file)
    say("program_resumed", program, by, because, topology, connected, file, at, output)


def say(
    kind: str,
    program: str,
    by: str,
    because: str,
    topology: Path,
    connected: Sequence[str | None],
    file: Path | None,
    at: str | None,
    output: Output,
) -> None:
    """Record an operator's command about a program."""
    from processor.cli.options import load
    from processor.cli.output import console, json_out
    from processor.core.brake_home import home_of

    made = load(topology).topology
    at_ms = when(at, file, made)
    properties = _properties(made, program, by, because)
    event = event_line(kind, home_of(program), at_ms, properties)
    if not give(made, [event], file, *connected):
        return
    if output is Output.JSON:
        json_out({"published": 1, "type": kind, "program": program})
    else:
        console().print(_DONE[kind].format(program))


def _properties(made: Topology, program: str, by: str, because: str) -> dict[str, str]:
    """What the event says: the program, who and why."""
    from processor.language.problems import instead

    if program not in made.programs:
        fix = instead(program, tuple(made.programs), "its programs have other names")
        raise CommandError(f'there is no program "{program}"', fix, USAGE)
    who, why = by or logged_in(), because.strip()
    if max(len(who), len(why)) > _WORDS_CHARS_MAX:
        raise CommandError(f"--by and --because take {_WORDS_CHARS_MAX} characters at the most", "", USAGE)
    return {"program": program, "by": who} | ({"because": why} if why else {})
