"""Running a scenario: what is given becomes true, events happen, time passes, and the end is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from processor.core.lifecycle import ENDED
from processor.core.model import Purpose, Topology
from processor.core.named import GRANTED
from processor.core.outputs import Command
from processor.core.rows import Row
from processor.core.scoring import grade_now, score_now
from processor.core.shared import Shared
from processor.core.turn import Turn
from processor.language.scenarios import Scenario
from processor.runtime.expectations import (
    Difference,
    Pair,
    aligned_commands,
    aligned_held,
    unequal,
    values_text,
)
from processor.runtime.explain import state_of
from processor.runtime.sentences import Moment, of_decision
from processor.runtime.simulate import LOOK_AHEAD_MS, Simulation, consent_events, forced

__all__ = ["Result", "given_facts", "run_scenario"]

_NO_PURPOSES: Final[Mapping[str, Purpose]] = {}
_HELD_KINDS = frozenset({"held", "suppressed"})


class Result(msgspec.Struct, frozen=True):
    """What came of a scenario.

    ``commands`` and ``held`` are side by side, expected and got; ``differences`` are all there are, empty
    when it passed. ``path`` is everything that was decided; ``zone`` the contact's at the end.
    """

    scenario: Scenario
    differences: tuple[Difference, ...]
    commands: tuple[Pair, ...]
    held: tuple[Pair, ...]
    path: tuple[Moment, ...]
    zone: ZoneInfo
    end_ms: int

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.differences


def run_scenario(topology: Topology, scenario: Scenario) -> Result:
    """Run a scenario over a topology.

    All programs of the topology run, as they would. Commands and held sends are compared for the program
    beside which the scenario stands, and for those that its expectations name, so that a new program does not
    break the scenarios of others.
    """
    world = Simulation(forced(topology, scenario.variants, holdout=scenario.holdout))
    programs = _programs(scenario)
    differences = _happen(world, scenario)
    if scenario.until_ms is not None:
        world.move(scenario.until_ms)
    else:
        last_ms = max((event.at_ms for event in scenario.events), default=scenario.start_ms)
        world.settle(scenario.contact_id, last_ms + LOOK_AHEAD_MS, programs)
    zone = topology.zone_for(_attributes(world, scenario).get("tz"))
    differences += [
        Difference("failure", "no failure", f"{type(failure.item).__name__}: {failure.reason}")
        for failure in world.failures
    ]
    commands = _commands(world, scenario, programs, zone)
    held = _held(world, scenario, programs, zone)
    for about, pairs in (("expect", commands), ("held", held)):
        differences += [
            Difference(about, pair.expected, pair.got, pair.line or scenario.lines.get(about, 0))
            for pair in pairs
            if pair.sign != "="
        ]
    differences += _at_the_end(world, scenario)
    return Result(
        scenario, tuple(differences), tuple(commands), tuple(held), tuple(world.path), zone, world.now_ms
    )


def given_facts(
    scenario: Scenario, purposes: Mapping[str, Purpose] = _NO_PURPOSES
) -> list[tuple[str, dict[str, Any]]]:
    """The built-in events that make true what a scenario says of its contact.

    ``purposes``: the topology's, among which may be some whose consent has to be confirmed.
    """
    profile = {**scenario.profile, **({"tz": scenario.tz} if scenario.tz else {})}
    facts: list[tuple[str, dict[str, Any]]] = [("profile_updated", profile)] if profile else []
    for consent in scenario.consents:
        facts += consent_events(consent, purposes)
    facts += [("list_joined", {"list": name}) for name in scenario.lists]
    return facts


def _happen(world: Simulation, scenario: Scenario) -> list[Difference]:
    contact = scenario.contact_id
    refused = []
    for number, (event_type, properties) in enumerate(given_facts(scenario, world.topology.purposes)):
        reason = world.publish(contact, event_type, scenario.start_ms, properties, f"given-{number}")
        if reason is not None:
            refused.append(
                Difference("contact", f"{event_type} is taken", reason, scenario.lines.get("contact", 0))
            )
    world.move(scenario.start_ms)
    for event in scenario.events:
        reason = world.publish(contact, event.type, event.at_ms, event.properties)
        if reason is not None:
            refused.append(Difference("events", f"{event.type} is taken", reason, event.line))
    return refused


def _programs(scenario: Scenario) -> set[str]:
    named = {scenario.program, *(scenario.expect_ended or {})}
    named.update(one.program for one in scenario.expect or () if one.program)
    named.update(one.program for one in scenario.held or () if one.program)
    return named


def _commands(world: Simulation, scenario: Scenario, programs: set[str], zone: ZoneInfo) -> list[Pair]:
    if scenario.expect is None:
        return []
    named = {scenario.program, *(one.program for one in scenario.expect if one.program)}
    got: list[Command] = [command for command in world.commands if command.program in named]
    return aligned_commands(scenario.expect, got, zone, scenario.program)


def _held(world: Simulation, scenario: Scenario, programs: set[str], zone: ZoneInfo) -> list[Pair]:
    if scenario.held is None:
        return []
    named = {scenario.program, *(one.program for one in scenario.held if one.program)}
    got = [one for one in world.decisions if one.kind in _HELD_KINDS and one.program in named]
    return aligned_held(scenario.held, got, zone)


def _attributes(world: Simulation, scenario: Scenario) -> dict[str, Any]:
    row = world.row(scenario.contact_id)
    return row.attributes if row is not None else {}


def _at_the_end(world: Simulation, scenario: Scenario) -> list[Difference]:
    """Compare attributes, scores, grades, segments and how enrollments ended."""
    row = world.row(scenario.contact_id) or Row.new()
    turn = Turn(world.topology, row, Shared(), scenario.contact_id, max(world.now_ms, row.clock_ms), [])
    found: list[Difference] = []

    def compare(about: str, name: str, expected: Any, got: Any) -> None:
        if unequal(expected, got):
            texts = ["nothing" if value is None else values_text(value) for value in (expected, got)]
            line = scenario.lines.get(about, 0)
            found.append(Difference(about, f"{name}: {texts[0]}", f"{name}: {texts[1]}", line))

    for name, wanted in (scenario.expect_profile or {}).items():
        compare("expect_profile", name, wanted, row.attributes.get(name))
    for name, points in (scenario.expect_score or {}).items():
        # People write scores as they read them: to as many places as they wrote.
        places = len(f"{points}".partition(".")[2]) if points % 1 else 0
        compare("expect_score", name, points, round(score_now(turn, name), places))
    for name, grade in (scenario.expect_grade or {}).items():
        compare("expect_grade", name, grade, grade_now(turn, name))
    for name in scenario.expect_segments or ():
        if name not in row.segments:
            inside = ", ".join(sorted(row.segments)) or "no segment"
            line = scenario.lines.get("expect_segments", 0)
            found.append(Difference("expect_segments", f"in {name}", f"in {inside}", line))
    if scenario.expect_lists is not None:
        compare("expect_lists", "on", _named(scenario.expect_lists), _named(row.lists))
    if scenario.expect_consent is not None:
        granted = [key for key, answer in row.consents.all().items() if answer.state == GRANTED]
        compare("expect_consent", "to", _named(scenario.expect_consent), _named(granted))
    for name, wanted in (scenario.expect_ended or {}).items():
        got = _ending(world, row, name)
        if wanted not in got:
            line = scenario.lines.get("expect_ended", 0)
            found.append(Difference("expect_ended", f"{name}: {wanted}", f"{name}: {' or '.join(got)}", line))
    return found


def _named(names: Iterable[str]) -> str | None:
    return ", ".join(sorted(names)) or None


def _ending(world: Simulation, row: Row, program: str) -> tuple[str, ...]:
    """How the last enrollment in a program ended, in the words it may be called by."""
    if any(one.program == program and one.state != ENDED and one.tracks for one in row.enrollments):
        return ("active",)
    moments = [of_decision(one) for one in world.decisions if one.program == program]
    runs = [run for run in state_of(moments, world.now_ms).runs.values() if run.state != "not_entered"]
    if not runs:
        return ("never entered",)
    last = runs[-1]
    of_last = [one for one in moments if one.enrollment == last.enrollment]
    words = [last.state]
    if last.state == "observed_out":
        words = ["holdout" if any(one.kind == "holdout" for one in of_last) else "completed", "observed_out"]
    elif last.state in {"exited", "goal"}:
        words += [of_last[-1].reason]
    return tuple(dict.fromkeys(word for word in words if word))
