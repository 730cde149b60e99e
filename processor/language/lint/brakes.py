"""Rules about what slows sends down or stops them: circuit breakers, limits for the dormant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.dormant import covers
from processor.core.model import Dormant, Node, Program
from processor.core.nodes import Send, Series, WaitFor
from processor.core.time import format_duration
from processor.language.lint.flow import Stop, TooManyError, paths, reached
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]


def _starved_by_dormant(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        kinds = {entry.kind for entry in program.entries}
        if kinds != {"inactive"}:
            continue  # elsewhere it is nothing that the program itself has brought about
        silent_ms = min(entry.inactive_ms for entry in program.entries)
        alive = reached(program)
        for node in program.nodes.values():
            if not isinstance(node, Send) or node.id not in alive:
                continue
            for rule in lint.topology.policies.dormant:
                if silent_ms >= rule.inactive_ms and _never_leaves_room(lint, program, node, rule):
                    within = f" in {format_duration(rule.per_ms)}" if rule.per_ms else ""
                    message = f"the limit {rule.name} (at most {rule.at_most}{within}) is used up by the "
                    message += f"program's own sends before {quoted(node.id)}: it never goes to who is silent"
                    fix = "take it out, write a longer per: or a higher at_most:"
                    yield Finding(lint.step(program, node), message, fix)
                    break


def _never_leaves_room(lint: Lint, program: Program, send: Send, rule: Dormant) -> bool:
    if not _bound(lint, send, rule):
        return False
    try:
        ways = list(paths(program, program.first, send.id))
    except TooManyError:
        return False
    return bool(ways) and all(_used_up(lint, way, rule) for way in ways)


def _used_up(lint: Lint, way: list[Stop], rule: Dormant) -> bool:
    if any(isinstance(stop.node, WaitFor) for stop in way[:-1]):
        return False  # what it waits for may have been a sign of life
    last_ms = way[-1].at_ms
    before = [
        stop
        for stop in way[:-1]
        if _bound(lint, stop.node, rule) and (not rule.per_ms or last_ms - stop.at_ms < rule.per_ms)
    ]
    return len(before) >= rule.at_most


def _bound(lint: Lint, node: Node, rule: Dormant) -> bool:
    if not isinstance(node, Send):
        return False
    channel = lint.topology.channels.get(node.channel)
    purpose = lint.topology.purposes.get(node.purpose)
    if channel is None or channel.kind != "message" or purpose is None or purpose.transactional:
        return False
    return covers(rule, node.purpose, node.channel)


def _usual_of_a_schedule(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        breaker = program.breaker
        if breaker is None or not breaker.times_usual:
            continue
        if program.entries and all(entry.kind == "schedule" for entry in program.entries):
            message = (
                "times_usual compares with the periods before, and a schedule's commands come all at once"
            )
            fix = "write breaker: {more_than: …} with as many as the audience has, or breaker: none"
            yield Finding(lint.place(program, "breaker", "entry"), message, fix)


def _starved_by_pacing(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if not isinstance(node, (Send, Series)):
                continue
            channel, purpose = (
                lint.topology.channels.get(node.channel),
                lint.topology.purposes.get(node.purpose),
            )
            pacing = channel.pacing if channel is not None else None
            if pacing is None or purpose is None or purpose.transactional or node.hold_ms >= pacing.per_ms:
                continue
            held, per = format_duration(node.hold_ms), format_duration(pacing.per_ms)
            message = f"held {held} at most, {quoted(node.id)} is skipped where the {per} of the pacing of "
            message += f"{node.channel} are used up early"
            fix = f"write hold_at_most: {per} or more, or a shorter per: with fewer sends in it"
            yield Finding(lint.step(program, node), message, fix)


RULES: Final = (
    Rule(
        name="starved-by-pacing",
        severity="warning",
        summary="A send that does not wait long enough for its channel's pacing.",
        why="A send without room waits for the next period that has some, for `hold_at_most` at the longest; "
        "then it is skipped (`held_too_long`). Where a period is longer than that, whoever comes after it is "
        "used up gets nothing.",
        example="""\
# topology.yaml
policies: {pacing: {channel: push, at_most: 1000, per: 1d}}
# programs/tips.yaml
steps:
  - send: push
    template: tips
    hold_at_most: 2h
""",
        better="""\
# topology.yaml
policies: {pacing: {channel: push, at_most: 1000, per: 1d}}
# programs/tips.yaml
steps:
  - send: push
    template: tips
    hold_at_most: 3d
""",
        check=_starved_by_pacing,
    ),
    Rule(
        name="breaker-usual-of-schedule",
        severity="warning",
        summary="A breaker by the usual number, of a program that a schedule starts.",
        why="`times_usual` compares a period with the mean of the seven before it. A program that starts "
        "for everybody at an instant gives all its commands in one period and none in those between: every "
        "run would be far above the usual, and be held.",
        example="""\
# programs/news.yaml
entry: {schedule: "0 9 * * mon"}
breaker: {times_usual: 5, per: 1d, alert: slack}
steps:
  - send: email
    template: tips
""",
        better="""\
# programs/news.yaml
entry: {schedule: "0 9 * * mon"}
breaker: {more_than: 50000, per: 1d, alert: slack}
steps:
  - send: email
    template: tips
""",
        check=_usual_of_a_schedule,
    ),
    Rule(
        name="starved-by-dormant",
        severity="warning",
        summary="A program for the inactive sends more than the limit for the dormant allows.",
        why="`dormant` bounds how much a contact gets who has been silent for long, by all programs. "
        "Where a program starts because of that very silence, its own first sends use the limit up, and "
        "the later ones are suppressed for everybody.",
        example="""\
# topology.yaml
policies: {dormant: {inactive: 60d, at_most: 1, per: 90d}}
# programs/come-back.yaml
entry: {inactive: 60d}
steps:
  - send: email
    template: welcome
  - wait: 7d
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
policies: {dormant: {inactive: 60d, at_most: 2, per: 90d}}
# programs/come-back.yaml
entry: {inactive: 60d}
steps:
  - send: email
    template: welcome
  - wait: 7d
  - send: email
    template: tips
""",
        check=_starved_by_dormant,
    ),
    Rule(
        name="paced-twice",
        severity="error",
        summary="Two pacings of one channel.",
        why="A send asks for room once. Write one pacing for each channel, the tighter one: 10 in a minute "
        "are 600 in an hour, spread evenly.",
        example="""\
# topology.yaml
policies: {pacing: [{channel: push, at_most: 600, per: 1h}, {channel: push, at_most: 10, per: 1m}]}
# programs/tips.yaml
steps:
  - send: push
    template: tips
""",
        better="""\
# topology.yaml
policies: {pacing: {channel: push, at_most: 10, per: 1m}}
# programs/tips.yaml
steps:
  - send: push
    template: tips
""",
    ),
    Rule(
        name="paced-without-messages",
        severity="error",
        summary="Pacing of a channel that carries no messages.",
        why="Tasks, alerts and webhooks are not sent to contacts, and wait for no policy.",
        example="""\
# topology.yaml
policies: {pacing: {channel: crm, at_most: 600, per: 1h}}
# programs/tips.yaml
steps:
  - send: push
    template: tips
""",
        better="""\
# topology.yaml
policies: {pacing: {channel: push, at_most: 600, per: 1h}}
# programs/tips.yaml
steps:
  - send: push
    template: tips
""",
    ),
    Rule(
        name="empty-breaker",
        severity="error",
        summary="A circuit breaker that does not say what trips it.",
        why="It would never trip. Say how many commands are too many (`more_than`), or how many times the "
        "usual (`times_usual`), or both: whichever comes first trips it.",
        example="""\
# topology.yaml
policies: {breaker: {per: 1h, alert: slack}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
policies: {breaker: {more_than: 10000, per: 1h, alert: slack}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
    ),
    Rule(
        name="alarm-to-contacts",
        severity="error",
        summary="A circuit breaker whose alarm goes to a channel for messages.",
        why="The alarm is about a program and not about a contact: a channel that sends to contacts has "
        "nobody to send it to. Alarms go to people, on a channel of the kind alert, task or webhook.",
        example="""\
# topology.yaml
policies: {breaker: {more_than: 10000, per: 1h, alert: email}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
policies: {breaker: {more_than: 10000, per: 1h, alert: slack}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
    ),
)
