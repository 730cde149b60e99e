"""Rules about what the policies leave of a program: caps, quiet hours, transactional purposes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from processor.core.model import Cap, Entry, Node, Program, QuietHours, Topology
from processor.core.nodes import Alert, Route, Send, WaitBest, WaitClock
from processor.core.time import DAY_MINUTES, MINUTE_MS, format_duration
from processor.language.lint.flow import targets
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]

_SHORT_MINUTES: Final = 30  # a command that is good for less than this is hardly carried out in time
_WEEK: Final = range(7)
_PROMOTION: Final = re.compile(
    r"(?:^|[^a-z])(?:offer|discount|promo|promotion|sale|deal|coupon|voucher|newsletter|upsell|win-?back)(?:$|[^a-z])"
    r"|[0-9]-off|%",
    re.IGNORECASE,
)
_AUDIENCE_KINDS: Final = {
    "inactive": "inactivity",
    "segment": "a segment",
    "schedule": "a schedule",
    "score": "a score",
    "grade": "a grade",
}


def _is_bound(topology: Topology, send: Send) -> bool:
    """Whether caps and quiet hours apply to the send at all."""
    channel = topology.channels.get(send.channel)
    purpose = topology.purposes.get(send.purpose)
    return (
        channel is not None
        and channel.kind == "message"
        and purpose is not None
        and not purpose.transactional
    )


def _covers(rule: Cap | QuietHours, send: Send) -> bool:
    return (not rule.channels or send.channel in rule.channels) and (
        not rule.purposes or send.purpose in rule.purposes
    )


# --------------------------------------------------------------------------------------------- quiet hours


def _quiet_at(quiet: QuietHours, weekday: int, minutes: int) -> bool:
    """Whether a clock time on a weekday is quiet; the days of quiet hours are those on which they start."""
    if quiet.from_minutes == quiet.to_minutes:
        return quiet.weekdays is None or weekday in quiet.weekdays
    overnight = quiet.from_minutes > quiet.to_minutes
    if minutes >= quiet.from_minutes and (overnight or minutes < quiet.to_minutes):
        start = weekday
    elif overnight and minutes < quiet.to_minutes:
        start = (weekday - 1) % 7
    else:
        return False
    return quiet.weekdays is None or start in quiet.weekdays


def _fixed_hours(lint: Lint) -> Iterator[tuple[Program, Send, int, frozenset[int]]]:
    """Yield each send that is made at a fixed time of the contact's clock, with the time and the weekdays."""
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, WaitClock) and node.zone is None:
                for send in _sends_at_once(program, targets(program, node)):
                    yield program, send, node.at_minutes, node.weekdays or frozenset(_WEEK)
            if isinstance(node, WaitBest):
                for send in _sends_at_once(program, targets(program, node)):
                    yield program, send, node.default_minutes, frozenset(_WEEK)
        for entry in program.entries:
            if entry.kind == "date" and _on_the_clock(lint.topology, entry):
                for send in _sends_at_once(program, [program.first]):
                    yield program, send, entry.at_minutes, frozenset(_WEEK)


def _on_the_clock(topology: Topology, entry: Entry) -> bool:
    return (
        topology.profile_schema.get(entry.attribute, "").removesuffix("?") == "date" or entry.at_minutes > 0
    )


def _sends_at_once(program: Program, starts: list[str]) -> Iterator[Send]:
    """Yield the sends that follow without a wait and without another send between."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in program.nodes:
            continue
        seen.add(name)
        node = program.nodes[name]
        if isinstance(node, Send):
            yield node
        elif not _is_wait(node):
            waiting += targets(program, node)


def _is_wait(node: Node) -> bool:
    return node.kind in ("wait", "wait_for")


def _starved_by_quiet(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    for program, send, minutes, days in _fixed_hours(lint):
        for quiet in topology.policies.quiet_hours:
            if not _is_bound(topology, send) or not _covers(quiet, send):
                continue
            if not all(_quiet_at(quiet, day, minutes) for day in days):
                continue
            left_ms = ((quiet.to_minutes - minutes) % DAY_MINUTES or DAY_MINUTES) * MINUTE_MS
            if send.when_quiet == "skip" or send.hold_ms < left_ms:
                message = (
                    f"{quoted(send.id)} is due at {_clock(minutes)}, in quiet hours, and is always skipped"
                )
                fix = f"choose a time outside of {_span(quiet)}, or write when_quiet: wait"
                yield Finding(lint.step(program, send), message, fix)
                break
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, Send) and node.when_quiet == "wait" and _is_bound(topology, node):
                yield from _held_too_short(lint, program, node)


def _held_too_short(lint: Lint, program: Program, send: Send) -> Iterator[Finding]:
    for quiet in lint.topology.policies.quiet_hours:
        length = (quiet.to_minutes - quiet.from_minutes) % DAY_MINUTES or DAY_MINUTES
        if _covers(quiet, send) and send.hold_ms < length * MINUTE_MS:
            held = format_duration(send.hold_ms)
            message = (
                f"held {held} at most, {quoted(send.id)} is skipped early in the quiet hours {_span(quiet)}"
            )
            fix = f"write hold_at_most: {format_duration(length * MINUTE_MS)} or more"
            yield Finding(lint.step(program, send), message, fix)
            return


def _expires_at_quiet(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    for program, send, minutes, days in _fixed_hours(lint):
        for quiet in topology.policies.quiet_hours:
            if not _is_bound(topology, send) or not _covers(quiet, send):
                continue
            left = (quiet.from_minutes - minutes) % DAY_MINUTES
            starts = all(quiet.weekdays is None or day in quiet.weekdays for day in days)
            if 0 < left < _SHORT_MINUTES and starts:
                begin = _clock(quiet.from_minutes)
                message = f"{quoted(send.id)} is decided at {_clock(minutes)} and expires at {begin}, when "
                message += "quiet hours begin"
                yield Finding(lint.step(program, send), message, "send it earlier, or after the quiet hours")
                break


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _span(quiet: QuietHours) -> str:
    return f"{_clock(quiet.from_minutes)} to {_clock(quiet.to_minutes)}"


# ------------------------------------------------------------------------------------------- transactional


def _misused(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    for program in lint.programs:
        sends = [
            node
            for node in program.nodes.values()
            if isinstance(node, (Send, Alert, Route))
            and (purpose := topology.purposes.get(node.purpose)) is not None
            and purpose.transactional
        ]
        messages = [node for node in sends if isinstance(node, Send)]
        if not messages:
            continue
        kind = next((entry.kind for entry in program.entries if entry.kind in _AUDIENCE_KINDS), None)
        if kind is not None:
            message = f"it sends with the transactional purpose {quoted(messages[0].purpose)} because of "
            fix = "write a purpose with consent; a transactional message answers something the contact did"
            yield Finding(lint.place(program, "entry"), message + _AUDIENCE_KINDS[kind], fix)
        for node in messages:
            if _PROMOTION.search(node.template):
                message = f"the template {quoted(node.template)} sounds like marketing, not transactional"
                yield Finding(lint.step(program, node), message, "write purpose: and one with consent")


RULES: Final = (
    Rule(
        name="starved-by-quiet-hours",
        severity="warning",
        summary="A send falls into quiet hours and is skipped instead of held.",
        why="The step is due at a fixed time inside quiet hours, or may be held for less time than they "
        "last. What falls into them is then skipped, which reports show as suppressed by "
        "`quiet_hours` or as `held_too_long`.",
        example="""\
# topology.yaml
policies:
  quiet_hours: {from: "21:00", to: "09:00"}
# programs/tips.yaml
steps:
  - wait: {at: "22:00"}
  - send: email
    template: tips
    when_quiet: skip
""",
        better="""\
# topology.yaml
policies:
  quiet_hours: {from: "21:00", to: "09:00"}
# programs/tips.yaml
steps:
  - wait: {at: "19:00"}
  - send: email
    template: tips
    when_quiet: skip
""",
        check=_starved_by_quiet,
    ),
    Rule(
        name="expires-before-quiet-ends",
        severity="warning",
        summary="A send is decided so shortly before quiet hours that its command expires at once.",
        why="A command never outlives the start of the next quiet period, so that no channel carries it "
        "out at night. One that is decided a few minutes before has hardly a chance: the quiet hours "
        "end after it has expired.",
        example="""\
# topology.yaml
policies:
  quiet_hours: {from: "21:00", to: "09:00"}
# programs/tips.yaml
steps:
  - wait: {at: "20:55"}
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
policies:
  quiet_hours: {from: "21:00", to: "09:00"}
# programs/tips.yaml
steps:
  - wait: {at: "18:00"}
  - send: email
    template: tips
""",
        check=_expires_at_quiet,
    ),
    Rule(
        name="transactional-misuse",
        severity="warning",
        summary="A transactional purpose on what looks like marketing.",
        why="Transactional messages pass consent, caps, quiet hours and holdouts, because the contact "
        "needs them: a receipt, a password. Messages that start because of inactivity, a segment, a "
        "schedule or a score, or whose template is an offer, are marketing; to send them so breaks "
        "the law in many countries.",
        example="""\
# programs/come-back.yaml
program: come-back
purpose: receipts
entry: {inactive: 30d}
steps:
  - send: email
    template: welcome
""",
        better="""\
# programs/come-back.yaml
program: come-back
purpose: marketing
entry: {inactive: 30d}
steps:
  - send: email
    template: welcome
""",
        check=_misused,
    ),
)
