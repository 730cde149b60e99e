"""The home of a program's brakes: it adds up what partitions count, trips once, and takes operators' words.

The home is the partition that the hash of ``program/NAME`` picks. What it decides goes to all partitions as
messages, numbered, and is recorded by a decision about no contact (kind ``braked``). See
:mod:`processor.core.brakes`.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final

from processor.core.events import Message
from processor.core.ids import command_id
from processor.core.outputs import Command, Decision
from processor.core.shared import BrakeHome

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.core.outputs import Output
    from processor.core.sending import Breaker
    from processor.core.shared import Shared

__all__ = ["COMMANDS", "USUAL_PERIODS", "advance_home", "home_of", "limit_of"]

# An operator's event -> what it asks for.
COMMANDS: Final[dict[str, str]] = {
    "program_paused": "pause",
    "program_resumed": "resume",
    "held_released": "release",
    "held_dropped": "drop",
}
USUAL_PERIODS: Final = 7  # the usual is the mean of so many periods before
USUAL_PERIODS_MIN: Final = 3  # and is not known before there were so many
COMMAND_IDS_MAX: Final = 16  # operators' events of a program that are remembered, so that each counts once


def home_of(program: str) -> str:
    """The name whose hash picks the home partition; operators' events have it as their contact."""
    return f"program/{program}"


def advance_home(topology: Topology, shared: Shared, message: Message) -> list[Output]:
    """A message to the home: a count, a request to trip, or an operator's command."""
    name = message.body["program"]
    home = shared.homes.get(name)
    if home is None:
        home = shared.homes[name] = BrakeHome()
    program = topology.programs.get(name)
    breaker = program.breaker if program is not None else None
    if message.kind == "brake_command":
        return _command(topology, shared, home, message)
    if breaker is None:
        return []  # a version without one has come meanwhile
    if message.kind == "brake_count":
        return _count(shared, home, breaker, message)
    if home.tripped or message.body["number"] < home.cleared:
        return []  # it has tripped already, or an operator has let go since
    home.tripped = True
    return _announce(topology, shared, home, message, "tripped", _figures(home, breaker, message))


def limit_of(home: BrakeHome, breaker: Breaker, period: int) -> int:
    """How many commands a period may have, 0 where nothing is known to bound it yet."""
    limit = breaker.more_than
    if breaker.times_usual:
        before = range(max(home.first, period - USUAL_PERIODS), period)
        if len(before) >= USUAL_PERIODS_MIN:
            usual = sum([home.counts.get(each, 0) for each in before]) / len(before)
            by_usual = max(breaker.at_least, ceil(breaker.times_usual * usual))
            limit = min(limit, by_usual) if limit else by_usual
    return limit


def _count(shared: Shared, home: BrakeHome, breaker: Breaker, message: Message) -> list[Output]:
    period = message.body["period"]
    counts = home.counts
    if not counts:
        home.first = period
    newest = max(counts) if counts else period
    if period < newest - USUAL_PERIODS:
        return []  # a partition that is far behind: what it gives now is judged no more
    counts[period] = counts.get(period, 0) + message.body["count"]
    for each in [each for each in counts if each < period - USUAL_PERIODS]:
        del counts[each]
    spent = counts[period] - (home.forgiven if period == home.forgiven_period else 0)
    limit = limit_of(home, breaker, period)
    if not limit or spent < limit or home.full == period or home.tripped:
        return []
    home.full = period
    body = {"program": message.body["program"], "period": period}
    return _to_all(shared, "brake_full", message.at_ms, body)


def _figures(home: BrakeHome, breaker: Breaker, message: Message) -> dict[str, Any]:
    period = message.body["period"]
    return {
        "limit": limit_of(home, breaker, period),
        "counted": home.counts.get(period, 0),
        "per_ms": breaker.per_ms,
    }


def _command(topology: Topology, shared: Shared, home: BrakeHome, message: Message) -> list[Output]:
    """An operator's command, once: the same event may come twice."""
    body = message.body
    if body["id"] in home.taken:
        return []
    home.taken = [*home.taken, body["id"]][-COMMAND_IDS_MAX:]
    what = body["what"]
    if what == "pause":
        home.paused = True
    elif what == "resume":
        home.paused = False
    else:
        home.tripped = False
        home.full = -1
        if home.counts:
            home.forgiven_period = max(home.counts)
            home.forgiven = home.counts[home.forgiven_period]
    detail = {key: body[key] for key in ("by", "because") if body[key]}
    return _announce(topology, shared, home, message, what, detail | {"event": body["id"]})


def _announce(
    topology: Topology, shared: Shared, home: BrakeHome, message: Message, what: str, detail: dict[str, Any]
) -> list[Output]:
    """Record it, raise the alarm where the breaker has tripped, and tell all partitions."""
    name, at_ms = message.body["program"], message.at_ms
    home.number += 1
    home.since_ms = at_ms
    if what in {"release", "drop"}:
        home.cleared = home.number
    program = topology.programs.get(name)
    version = program.version if program is not None else 0
    out: list[Output] = [Decision("braked", "", at_ms, name, version, "", "", what, detail)]
    if what == "tripped":
        out.append(_alarm(topology, home, name, at_ms, detail))
    body = {
        "program": name,
        "number": home.number,
        "paused": home.paused,
        "tripped": home.tripped,
        "since_ms": at_ms,
        "what": what,
    }
    return out + _to_all(shared, "brake_set", at_ms, body)


def _alarm(topology: Topology, home: BrakeHome, name: str, at_ms: int, detail: dict[str, Any]) -> Command:
    """The alarm, a command about no contact; its id is the same in every replay."""
    program = topology.programs[name]
    breaker = program.breaker
    assert breaker is not None, "what has tripped has a breaker"
    channel = topology.channels[breaker.alert]
    message = f"the breaker of {name} has tripped: its commands are held until somebody looks"
    return Command(
        command_id(home_of(name), "breaker", home.number, "alarm"),
        channel.name,
        "alarm",
        "",
        name,
        program.version,
        "",
        "",
        "",
        "",
        {"message": message, **detail},
        "",
        at_ms,
        at_ms,
        at_ms + channel.expires_ms,
    )


def _to_all(shared: Shared, kind: str, at_ms: int, body: dict[str, Any]) -> list[Output]:
    assert shared.partitions, "a home knows how many partitions there are"
    return [Message(kind, "", at_ms, body, partition=number) for number in range(shared.partitions)]
