"""Rules about how programs are entered and left: what can never happen, and what goes round for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf
from typing import Any, Final

from processor.core.model import Entry, Program, Topology
from processor.core.nodes import Enroll, Parallel, Send, Series
from processor.core.time import DAY_MS, format_duration
from processor.language.lint.constants import always
from processor.language.lint.flow import instant_edges, longest_ms, reached, strong_groups
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import Mark, quoted
from processor.language.records import Form
from processor.language.source import Scalar

__all__ = ["RULES"]

_SLACK_MS: Final = DAY_MS  # clock changes and the like; an exit this near the end is not reported
_PROPERTY: Final = re.compile(r"""\bevent\.(\w+)\s*==\s*(?:"([^"]*)"|'([^']*)')""")


# ------------------------------------------------------------------------------------- exits and goals


def _never_exits(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        form = lint.form(program)
        ways = [*form.get("exit", ())]
        if isinstance(form.get("goal"), Form):
            ways.append(form["goal"])
        for number, way in enumerate(ways):
            what = "goal" if number == len(form.get("exit", ())) else "exit"
            if isinstance(way, str):
                why = _never_raised(lint.topology, way)
                if why:
                    yield Finding(
                        form.at("exit"), f"the exit on {way} can never happen: {why}", "take it out"
                    )
            elif way.kind == "after":
                yield from _too_late(lint, program, way)
            else:
                yield from _never_comes(lint, way, what)


def _never_comes(lint: Lint, way: Form, what: str) -> Iterator[Finding]:
    events = way.get("on", ())
    reasons = [_never_raised(lint.topology, name) for name in events]
    if events and all(reasons):
        message = f"the {what} on {' or '.join(events)} can never happen: {reasons[0]}"
        yield Finding(way.at("on"), message, "take it out, or mend it")
        return
    condition = way.get("if", way.get("when"))
    if not isinstance(condition, Scalar):
        return
    if always(condition.text, lint.topology.scores) is False:
        message = f"the {what} can never happen: {quoted(condition.text)} never holds"
        yield Finding(condition.mark, message, "mend the condition")
        return
    for name in events:
        word = _impossible_property(lint, name, condition.text)
        if word and len(events) == 1:
            message = f"the {what} can never happen: {name} never carries {quoted(word)}"
            yield Finding(condition.mark, message, "write a name that is declared")


def _never_raised(topology: Topology, event: str) -> str:
    """Say why an event type that the machine raises is never raised here; or ""."""
    models = topology.scores.values()
    reasons = {
        "segment_entered": "" if topology.segments else "there are no segments",
        "segment_left": "" if topology.segments else "there are no segments",
        "score_reached": ""
        if any(model.thresholds for model in models)
        else "no entry names a score to reach",
        "grade_changed": "" if any(model.grades for model in models) else "no score model has grades",
        "enrolled": "" if _enrolls(topology) else "no program has an enroll step",
    }
    return reasons.get(event, "")


def _impossible_property(lint: Lint, event: str, text: str) -> str:
    """Return the name that a condition wants in a property of the event and that does not exist; or ""."""
    topology = lint.topology
    known: dict[tuple[str, str], Any] = {
        ("segment_entered", "segment"): topology.segments,
        ("segment_left", "segment"): topology.segments,
        ("score_reached", "score"): topology.scores,
        ("grade_changed", "score"): topology.scores,
        ("grade_changed", "to"): {grade.name for model in topology.scores.values() for grade in model.grades},
        ("grade_changed", "from"): {
            grade.name for model in topology.scores.values() for grade in model.grades
        },
        ("program_ended", "program"): topology.programs,
        ("program_ended", "reason"): ("completed", "goal", "exited"),
        ("list_joined", "list"): lint.loaded.known.lists,
        ("list_left", "list"): lint.loaded.known.lists,
        ("consent_withdrawn", "purpose"): topology.purposes,
        ("consent_granted", "purpose"): topology.purposes,
    }
    if " or " in text or "not " in text:
        return ""
    for name, double, single in _PROPERTY.findall(text):
        allowed = known.get((event, name))
        word = double or single
        if allowed is not None and word not in allowed:
            return str(word)
    return ""


def _too_late(lint: Lint, program: Program, way: Form) -> Iterator[Finding]:
    longest = longest_ms(program)
    if program.goal is not None:
        longest = max(longest, program.goal.within_ms)
    if longest == inf or way["after"] <= longest + _SLACK_MS:
        return
    message = (
        f"the exit after {format_duration(way['after'])} can never happen: an enrollment lasts "
        f"{format_duration(int(longest))} at most"
    )
    yield Finding(way.at("after"), message, "take it out, or write a shorter time")


def _no_exit(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        purpose = lint.topology.purposes.get(program.purpose)
        if program.goal is not None or program.exits or (purpose is not None and purpose.transactional):
            continue
        sends = sum(
            len(node.pieces) if isinstance(node, Series) else isinstance(node, Send)
            for node in program.nodes.values()
        )
        waits = any(node.kind in ("wait", "wait_for", "series") for node in program.nodes.values())
        if sends > 1 and waits:
            message = f"{quoted(program.name)} sends over days, and nothing ends it early"
            fix = "write goal: and what it is for, or exit: [consent_withdrawn]"
            yield Finding(lint.place(program, "program"), message, fix)


# ---------------------------------------------------------------------------------------------- entries


def _never_entered(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    for program in lint.programs:
        form = lint.form(program)
        given = form.get("entry", [])
        reasons = [_entry_reason(lint, program, entry) for entry in given]
        for entry, reason in zip(given, reasons, strict=True):
            if reason:
                yield Finding(entry.mark, f"nobody ever enters here: {reason}", "mend it, or take it out")
        audience = form.get("audience")
        if isinstance(audience, Form):
            for key, kept_out in (("only", False), ("never", True)):
                condition = audience.get(key)
                if condition is not None and always(condition.text, topology.scores) is kept_out:
                    message = f"nobody ever enters {quoted(program.name)}: the audience is empty"
                    yield Finding(condition.mark, message, "mend the condition")


def _entry_reason(lint: Lint, program: Program, entry: Form) -> str:
    topology = lint.topology
    if "if" in entry and always(entry["if"].text, topology.scores) is False:
        return f"{quoted(entry['if'].text)} never holds"
    if entry.kind == "from_program" and program.name not in _enrolls(topology):
        return f"no step of another program enrolls in {quoted(program.name)}"
    if entry.kind == "score":
        model = topology.scores.get(entry["score"])
        if model is not None and entry["reaches"] > model.maximum:
            return f"{entry['score']} is {model.maximum:g} at most"
        if model is not None and entry["reaches"] <= model.minimum:
            return f"{entry['score']} is never below {model.minimum:g}, so it cannot reach it from below"
    if entry.kind == "on":
        reasons = [_never_raised(topology, name) for name in entry["on"]]
        return reasons[0] if reasons and all(reasons) else ""
    return ""


def _enrolls(topology: Topology) -> set[str]:
    """Return the programs that a step which can be reached enrolls in."""
    return {
        node.program
        for program in topology.programs.values()
        for name, node in program.nodes.items()
        if isinstance(node, Enroll) and name in reached(program)
    }


def _enroll_loops(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    following = {
        name: _starts_at_once(topology, program) if program.reenter_ms == 0 else []
        for name, program in topology.programs.items()
    }
    for group in strong_groups(topology.programs, lambda name: following[name]):
        program = topology.programs[group[0]]
        names = ", ".join(quoted(name) for name in group)
        message = f"the programs {names} start each other without a wait and may be entered again at any time"
        fix = "write reenter: never or reenter: after 7d in one of them, or put a wait before the enroll"
        yield Finding(_place_of_loop(lint, program, group), message, fix)


def _starts_at_once(topology: Topology, program: Program) -> list[str]:
    """Return the programs that are entered, without time passing, because of this one."""
    instant: set[str] = set()
    waiting = [program.first]
    ends = False
    while waiting:
        name = waiting.pop()
        if name in instant or name not in program.nodes:
            continue
        instant.add(name)
        node = program.nodes[name]
        following = instant_edges(program, node)
        if isinstance(node, Parallel) and not following:
            following = [first for _, first in node.branches if first != node.next and first is not None]
        # A step that something follows in time leads nowhere at this instant.
        ends = (
            ends
            or node.kind == "exit"
            or (node.next is None and node.kind not in ("wait", "wait_for", "parallel"))
        )
        waiting += following
    nodes = [program.nodes[name] for name in program.nodes if name in instant]
    found = [node.program for node in nodes if isinstance(node, Enroll)]
    if ends and program.goal is None:
        found += [
            other.name
            for other in topology.programs.values()
            if any(_follows(entry, program.name) for entry in other.entries)
        ]
    return [name for name in dict.fromkeys(found) if name in topology.programs]


def _follows(entry: Entry, name: str) -> bool:
    match = dict(entry.match)
    return entry.event == "program_ended" and match.get("program") == name and entry.when is None


def _place_of_loop(lint: Lint, program: Program, group: list[str]) -> Mark:
    for node in program.nodes.values():
        if isinstance(node, Enroll) and node.program in group:
            return lint.step(program, node)
    return lint.place(program, "entry")


RULES: Final = (
    Rule(
        name="exit-never",
        severity="warning",
        summary="An exit or a goal that can never happen.",
        why="Whoever wrote it counts on it. Told are: conditions that never hold; an event that the "
        "machine never raises here, because there are no segments, grades or scores to reach; an "
        "event that would have to carry a name which is not declared; and an exit after a longer time "
        "than an enrollment can last.",
        example="""\
exit: {on: segment_left, if: event.segment == "big-spenders"}
steps:
  - wait: 7d
  - send: email
    template: welcome
""",
        better="""\
exit: {on: segment_left, if: event.segment == "big-spender"}
steps:
  - wait: 7d
  - send: email
    template: welcome
""",
        check=_never_exits,
    ),
    Rule(
        name="no-exit-on-goal",
        severity="info",
        summary="A program sends over days and has neither goal nor exit.",
        why="A contact who has done what the messages ask for goes on getting them. A goal ends the "
        "enrollment when it is reached, and gives the report something to count.",
        example="""\
steps:
  - send: email
    template: welcome
  - wait: 2d
  - send: email
    template: tips
""",
        better="""\
goal: {on: order_completed, within: 14d}
steps:
  - send: email
    template: welcome
  - wait: 2d
  - send: email
    template: tips
""",
        check=_no_exit,
    ),
    Rule(
        name="never-entered",
        severity="warning",
        summary="An entry that nobody can come in by.",
        why="The program looks alive and does nothing: no step enrolls in it, the score cannot get so "
        "high, or the condition or the audience lets nobody through.",
        example="""\
# programs/follow-up.yaml
entry: {from_program: true}
steps:
  - send: email
    template: welcome
""",
        better="""\
# programs/follow-up.yaml
entry: {from_program: true}
steps:
  - send: email
    template: welcome
# programs/start.yaml
steps:
  - enroll: follow-up
""",
        check=_never_entered,
    ),
    Rule(
        name="enroll-loop",
        severity="error",
        summary="Programs start each other at once, over and over.",
        why="Each run of one starts a run of the next within the same instant, and with `reenter: always` "
        "nothing stops that but the machine's limit. A wait before the enroll, or any other re-entry "
        "rule, does.",
        example="""\
# programs/ping.yaml
reenter: always
entry: [{on: page_viewed}, {from_program: true}]
steps:
  - enroll: pong
# programs/pong.yaml
reenter: always
entry: {from_program: true}
steps:
  - enroll: ping
""",
        better="""\
# programs/ping.yaml
reenter: after 7d
entry: [{on: page_viewed}, {from_program: true}]
steps:
  - enroll: pong
# programs/pong.yaml
reenter: always
entry: {from_program: true}
steps:
  - enroll: ping
""",
        check=_enroll_loops,
    ),
)
