"""One contact's path through a program, before anybody walks it: what happens when, what ends each wait.

Where no events are given, the contact does what starts the program and then nothing more, so that every wait
ends by its timeout; asked to respond, it does soon whatever a step waits for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from processor.core.lifecycle import LISTENING
from processor.core.model import Audience, Entry, Program, Reaction, Topology
from processor.core.nodes import WaitFor
from processor.core.outputs import Command
from processor.core.schema import BUILT_IN_EVENTS, DERIVED_EVENTS
from processor.core.time import DAY_MS, HOUR_MS, date_text, format_time
from processor.language.problems import instead
from processor.runtime.sentences import Moment
from processor.runtime.simulate import LOOK_AHEAD_MS, Simulation, consent_events, forced

__all__ = ["CONTACT", "Doing", "Person", "Preview", "preview", "sample", "waits_for"]

CONTACT: Final = "preview"
_RESPONSES_MAX: Final = 200
_NUMBERS: Final = (
    100,
    1,
    1000,
    0,
)  # tried in turn, as the entry's condition is not known to anybody but itself


class Doing(msgspec.Struct, frozen=True):
    """Something the contact does: an event ``at_ms``, or ``after_ms`` the start where that is not None."""

    type: str
    properties: dict[str, Any]
    at_ms: int = 0
    after_ms: int | None = None


class Person(msgspec.Struct, frozen=True):
    """Who is previewed. ``consents`` None: all there are. Addresses that channels need are made up."""

    tz: str = ""
    profile: Mapping[str, Any] = {}
    consents: tuple[str, ...] | None = None
    lists: tuple[str, ...] = ()


class Preview(msgspec.Struct, frozen=True):
    """The path and the commands. ``notes`` say what was assumed; ``zone`` is the contact's."""

    path: tuple[Moment, ...]
    commands: tuple[Command, ...]
    notes: tuple[str, ...]
    zone: ZoneInfo
    start_ms: int


def preview(
    topology: Topology,
    program: str,
    person: Person,
    start_ms: int,
    *,
    events: Sequence[Doing] = (),
    variants: Mapping[str, str] | None = None,
    respond: bool = False,
) -> Preview:
    """Walk a contact through ``program`` from ``start_ms`` on.

    Raises:
        KeyError: ``variants`` names a split or variant that is not there.
        ValueError: an event cannot be taken; the message says why.
    """
    topology = forced(topology, variants or {}, holdout=False, program=program)
    notes: list[str] = []
    if events:
        world = _begin(topology, person, start_ms)
        for doing in events:
            at_ms = start_ms + doing.after_ms if doing.after_ms is not None else doing.at_ms
            _publish(world, doing.type, at_ms, doing.properties)
            if respond:
                _respond(world, program)
    else:
        world, note = _enter(topology, topology.programs[program], person, start_ms)
        notes.append(note)
    if respond:
        _respond(world, program)
    world.settle(CONTACT, max(world.now_ms, start_ms) + LOOK_AHEAD_MS, [program] if events else [])
    row = world.row(CONTACT)
    zone = topology.zone_for(row.attributes.get("tz") if row is not None else None)
    return Preview(tuple(world.path), tuple(world.commands), tuple(notes), zone, start_ms)


def waits_for(topology: Topology, moment: Moment) -> str:
    """What a wait that begins at ``moment`` waits for, and where each way leads; "" for any other moment."""
    program = topology.programs.get(moment.program)
    node = program.nodes.get(moment.step) if program is not None else None
    if moment.kind != "waiting" or node is None:
        return ""
    if not isinstance(node, WaitFor):
        return node.title()
    ways = [f"{label} → {target or 'the end'}" for label, target in node.edges()]
    return f"{node.title()}: {', '.join(ways)}"


def sample(topology: Topology, event_type: str, at_ms: int, number: float = _NUMBERS[0]) -> dict[str, Any]:
    """Made-up properties for an event: everything that it must have and may have, in the right type."""
    schema = topology.event_schemas.get(event_type, {})
    values: Mapping[str, Any] = {
        "string": "example",
        "number": number,
        "integer": int(number),
        "boolean": True,
        "time": format_time(at_ms + DAY_MS),
        "date": format_time(at_ms + DAY_MS)[:10],
        "zone": "UTC",
        "list": ["example"],
        "map": {},
    }
    return {name: values[kind.removesuffix("?")] for name, kind in schema.items()}


def _begin(topology: Topology, person: Person, start_ms: int) -> Simulation:
    """A world in which the contact is who it is, a minute before the start."""
    world = Simulation(topology)
    profile: dict[str, Any] = {**person.profile, **({"tz": person.tz} if person.tz else {})}
    for channel in topology.channels.values():
        if channel.address and channel.address not in profile:
            profile[channel.address] = "preview@mail.example"
    before_ms = start_ms - 60_000
    if profile:
        _publish(world, "profile_updated", before_ms, profile)
    consents = person.consents
    if consents is None:
        consents = tuple(name for name, purpose in topology.purposes.items() if purpose.consent)
    for consent in consents:
        for kind, about in consent_events(consent, topology.purposes):
            _publish(world, kind, before_ms, about)
    for name in person.lists:
        _publish(world, "list_joined", before_ms, {"list": name})
    world.move(start_ms)
    return world


def _publish(world: Simulation, event_type: str, at_ms: int, properties: Mapping[str, Any]) -> None:
    reason = world.publish(CONTACT, event_type, at_ms, properties)
    if reason is not None:
        raise ValueError(_refused(world.topology, event_type, reason))


def _refused(topology: Topology, event_type: str, reason: str) -> str:
    """Say why an event cannot be taken, by the reason of :func:`processor.core.schema.validate`."""
    rule, _, about = reason.partition(": ")
    if rule == "unknown_event_type":
        known = [name for name in topology.event_schemas if name not in DERIVED_EVENTS]
        known.sort(key=lambda name: name in BUILT_IN_EVENTS)  # the topology's own are the likelier ones
        return f'there is no event type "{event_type}": {instead(event_type, known)}'
    why = {
        "derived_event_type": "events of this type are raised by the machine, so nobody can do it",
        "missing_property": f"it must have the property {about}: write {{{about}: …}}",
        "wrong_type": about,
    }.get(rule, reason)
    return f'the event "{event_type}" cannot be taken: {why}'


def _enter(topology: Topology, program: Program, person: Person, start_ms: int) -> tuple[Simulation, str]:
    """Bring the contact in: by an event or a date that starts the program, or else by hand."""
    for entry in program.entries:
        if (
            entry.kind == "event"
            and entry.event in topology.event_schemas
            and entry.event not in BUILT_IN_EVENTS
        ):
            for number in _NUMBERS:
                world = _begin(topology, person, start_ms)
                _publish(world, entry.event, start_ms, sample(topology, entry.event, start_ms, number))
                if _inside(world, program.name):
                    return world, f"a made-up {entry.event} starts it"
        if entry.kind == "date" and entry.attribute not in person.profile:
            day = date_text(start_ms + (max(-entry.offset_days, 0) + 1) * DAY_MS, topology.timezone)
            world = _begin(topology, person, start_ms)
            _publish(world, "profile_updated", start_ms, {entry.attribute: day})
            world.settle(CONTACT, start_ms + LOOK_AHEAD_MS // 200, [program.name])
            due_ms = world.next_ms(CONTACT, [program.name])
            world.move(min(due_ms, start_ms + LOOK_AHEAD_MS))
            if _inside(world, program.name):
                return world, f"it starts by the date {entry.attribute} = {day}"
    world = _begin(_by_hand(topology, program), person, start_ms)
    _publish(world, "contact_added", start_ms, {"program": program.name})
    note = "it is entered by hand here, whatever its entry and audience say"
    if any(entry.kind == "event" for entry in program.entries):
        note += "; give the event that starts it with --event to see that"
    return world, note


def _inside(world: Simulation, program: str) -> bool:
    return any(one.kind == "entered" and one.program == program for one in world.decisions)


def _by_hand(topology: Topology, program: Program) -> Topology:
    """The topology with one more entry into the program, and everybody in its audience."""
    entry = Entry(
        id="preview",
        kind="hand",
        program=program.name,
        event="contact_added",
        match=(("program", program.name),),
    )
    open_ = dataclasses.replace(program, audience=Audience(None, None), opens_ms=0, closes_ms=0)
    reaction = topology.reactions.get("contact_added", Reaction())
    others = tuple(one for one in reaction.entries if one.program != program.name)
    return dataclasses.replace(
        topology,
        programs={**topology.programs, program.name: open_},
        reactions={
            **topology.reactions,
            "contact_added": dataclasses.replace(reaction, entries=(*others, entry)),
        },
    )


def _respond(world: Simulation, program: str) -> None:
    """Do what the program waits for, an hour after it begins to wait, until nothing is waited for."""
    tried: set[tuple[str, int]] = set()
    for _ in range(_RESPONSES_MAX):
        step = _listening(world, program, tried)
        if step is None:
            due_ms = world.next_ms(CONTACT, [])
            if due_ms > world.now_ms + LOOK_AHEAD_MS:
                return
            world.move(due_ms)
            continue
        node, since_ms = step
        tried.add((node.id, since_ms))
        at_ms = since_ms + min(HOUR_MS, node.timeout_ms // 2 or HOUR_MS)
        world.move(at_ms)
        for event_type in node.events:
            if event_type in world.topology.event_schemas:
                properties = sample(world.topology, event_type, at_ms)
                last = next(
                    (c for c in reversed(world.commands) if c.program == program and c.template), None
                )
                if last is not None and "template" in properties:
                    properties["template"] = last.template
                _publish(world, event_type, at_ms, properties)
                break


def _listening(world: Simulation, program: str, tried: set[tuple[str, int]]) -> tuple[WaitFor, int] | None:
    row = world.row(CONTACT)
    for enrollment in row.enrollments if row is not None else ():
        if enrollment.program != program:
            continue
        for track in enrollment.tracks:
            node = world.topology.programs[program].nodes.get(track.step)
            fresh = (track.step, track.since_ms) not in tried
            if track.state == LISTENING and isinstance(node, WaitFor) and node.events and fresh:
                return node, track.since_ms
    return None
