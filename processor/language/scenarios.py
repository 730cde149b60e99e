"""Scenario files: tests of programs in virtual time, read and checked here; a shell runs them.

``programs/NAME.test.yaml`` beside ``programs/NAME.yaml`` holds documents separated by ``---``. Times
without a zone are on the contact's clock.
"""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from processor.core.model import Topology
from processor.core.schema import validate
from processor.core.time import MINUTE_MS, parse_time, zone
from processor.language.compile import Loaded, read_documents
from processor.language.problems import Mark, Problems, instead, quoted
from processor.language.program_shape import SCENARIO
from processor.language.records import Form
from processor.language.shapes import BAD, Reader
from processor.language.step_names import slug

__all__ = ["Expected", "Held", "Scenario", "ScenarioEvent", "load_scenarios"]

_BEFORE_MS: Final = MINUTE_MS  # how long before the first event a contact's given facts become true


class ScenarioEvent(msgspec.Struct, frozen=True):
    """Something the contact does. ``at_ms`` in ms since 1970 UTC."""

    at_ms: int
    type: str
    properties: dict[str, Any]
    line: int


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """A command that must come. What is None is not compared; ``values`` may be a part of the command's."""

    channel: str
    template: str
    line: int
    at_ms: int | None = None
    program: str | None = None
    step: str | None = None
    values: dict[str, Any] | None = None
    not_before_ms: int | None = None
    expires_ms: int | None = None
    variant: str | None = None
    purpose: str | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A send that a policy must hold back. What is None is not compared."""

    line: int
    at_ms: int | None = None
    program: str | None = None
    step: str | None = None
    reason: str | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A test: the contact, what happens, and what must come of it.

    ``program`` is that of the file. ``expect`` and what follows are None where the file does not say:
    then they are not compared. ``lines`` says where each key stands.
    """

    name: str
    program: str
    file: str
    line: int
    contact_id: str
    tz: str
    profile: dict[str, Any]
    consents: tuple[str, ...]
    lists: tuple[str, ...]
    start_ms: int
    until_ms: int | None
    events: tuple[ScenarioEvent, ...]
    expect: tuple[Expected, ...] | None
    held: tuple[Held, ...] | None
    expect_profile: dict[str, Any] | None
    expect_score: dict[str, float] | None
    expect_grade: dict[str, str] | None
    expect_segments: tuple[str, ...] | None
    expect_lists: tuple[str, ...] | None
    expect_consent: tuple[str, ...] | None
    expect_ended: dict[str, str] | None
    variants: dict[str, str]
    holdout: bool
    lines: dict[str, int]


def load_scenarios(loaded: Loaded) -> tuple[Scenario, ...]:
    """Read the scenarios of a loaded topology, in the order of files and documents.

    Raises:
        LanguageError: with every problem of every scenario file.
    """
    problems = Problems()
    reader = Reader(problems, [])
    made: list[Scenario] = []
    for path in sorted((loaded.folder / "programs").glob("*.test.yaml")):
        file = f"programs/{path.name}"
        program = path.name.removesuffix(".test.yaml")
        if program not in loaded.topology.programs:
            message = f"there is no program {quoted(program)} beside these scenarios"
            problems.error(
                Mark(file), "unknown-program", message, "name the file as the program's, NAME.test.yaml"
            )
        for node in read_documents(loaded.folder, file, problems):
            form = SCENARIO.read(node, reader, "a scenario")
            if form is not BAD and not form.broken:
                site = _Site(form, loaded.topology, problems, file, program)
                made.append(site.scenario())
    loaded.known.check(reader.references, problems)
    problems.settle()
    return tuple(made)


class _Site(msgspec.Struct):
    form: Form
    topology: Topology
    problems: Problems
    file: str
    program: str

    def scenario(self) -> Scenario:
        form = self.form
        contact = form.get("contact", Form(form.mark))
        tz = contact.get("tz", "")
        zoned = zone(tz) if tz else self.topology.timezone
        events = tuple(self._event(item, zoned) for item in form.get("events", ()) if _sound(item))
        profile = self._checked("profile_updated", contact.get("profile", Form(form.mark)))
        self._check_words(contact)
        return Scenario(
            name=form["scenario"],
            program=self.program,
            file=self.file,
            line=form.mark.line,
            contact_id=contact.get("id", slug(form["scenario"]) or "contact"),
            tz=tz,
            profile=profile,
            consents=tuple(contact.get("consent", ())),
            lists=tuple(contact.get("lists", ())),
            start_ms=self._start(events, zoned),
            until_ms=_instant(form, "until", zoned),
            events=events,
            expect=self._expected(zoned),
            held=self._held(zoned),
            expect_profile=_values(form, "expect_profile"),
            expect_score=_values(form, "expect_score"),
            expect_grade=_values(form, "expect_grade"),
            expect_segments=tuple(form["expect_segments"]) if "expect_segments" in form else None,
            expect_lists=tuple(form["expect_lists"]) if "expect_lists" in form else None,
            expect_consent=tuple(form["expect_consent"]) if "expect_consent" in form else None,
            expect_ended=_values(form, "expect_ended"),
            variants=_values(form, "variant") or {},
            holdout=form.get("holdout", False),
            lines={key: mark.line for key, mark in form.marks.items()},
        )

    def _event(self, item: Form, zoned: ZoneInfo) -> ScenarioEvent:
        properties: dict[str, Any] = {}
        if not item.extra:
            message = "the event has no type"
            self.problems.error(item.mark, "missing-key", message, "write {at: TIME, event_type: {…}}")
        else:
            properties = self._checked(item.extra, item[item.extra])
        return ScenarioEvent(parse_time(item["at"], zoned), item.extra, properties, item.mark.line)

    def _checked(self, event_type: str, given: Form) -> dict[str, Any]:
        """Return the properties of an event, checked as those of a published one are."""
        properties = dict(given.values)
        reason = validate(self.topology, event_type, properties)
        if reason is None or reason in ("unknown_event_type", "derived_event_type"):
            return properties  # the latter two are reported as references
        kind, _, what = reason.partition(": ")
        if kind == "missing_property":
            message = f"{quoted(event_type)} without the property {quoted(what)}"
            fix = f'write {what}, or declare it with a "?" in topology.yaml'
            self.problems.error(given.mark, "missing-property", message, fix)
        else:
            name, _, wanted = what.partition(" must be ")
            message = f"{quoted(name)} of {quoted(event_type)} must be {wanted}"
            self.problems.error(given.at(name), "wrong-type", message, f"write {wanted}")
        return properties

    def _start(self, events: tuple[ScenarioEvent, ...], zoned: ZoneInfo) -> int:
        given = _instant(self.form, "start", zoned)
        if given is not None:
            return given
        if events:
            return min(event.at_ms for event in events) - _BEFORE_MS
        if self.form.get("events") or "events" in self.form.marks.keys() - self.form.values.keys():
            return 0  # there are events, and what is wrong with them is reported
        message = "a scenario without events does not say when it begins"
        self.problems.error(self.form.mark, "missing-key", message, "write start: 2026-03-01 09:00")
        return 0

    def _expected(self, zoned: ZoneInfo) -> tuple[Expected, ...] | None:
        if "expect" not in self.form:
            return None
        made = []
        for item in self.form["expect"]:
            if not _sound(item):
                continue
            if not item.extra:
                message = "the expected command has no channel"
                self.problems.error(item.mark, "missing-key", message, "write {at: TIME, channel: template}")
                continue
            made.append(
                Expected(
                    channel=item.extra,
                    template=item[item.extra],
                    line=item.mark.line,
                    at_ms=_instant(item, "at", zoned),
                    program=item.get("program"),
                    step=item.get("step"),
                    values=_values(item, "values"),
                    not_before_ms=_instant(item, "not_before", zoned),
                    expires_ms=_instant(item, "expires", zoned),
                    variant=item.get("variant"),
                    purpose=item.get("purpose"),
                )
            )
        return tuple(made)

    def _held(self, zoned: ZoneInfo) -> tuple[Held, ...] | None:
        if "held" not in self.form:
            return None
        return tuple(
            Held(
                line=item.mark.line,
                at_ms=_instant(item, "at", zoned),
                program=item.get("program"),
                step=item.get("step"),
                reason=item.get("reason"),
            )
            for item in self.form["held"]
            if not item.broken
        )

    def _check_words(self, contact: Form) -> None:
        """Report consents, grades, endings and variants that name nothing."""
        form, topology = self.form, self.topology
        for consent in contact.get("consent", ()):
            purpose, _, channel = consent.partition("/")
            if purpose not in topology.purposes:
                self._unknown(contact.at("consent"), "purpose", purpose, topology.purposes)
            elif channel and channel not in topology.channels:
                self._unknown(contact.at("consent"), "channel", channel, topology.channels)
        for model, grade in (_values(form, "expect_grade") or {}).items():
            grades = (
                [known.name for known in topology.scores[model].grades] if model in topology.scores else []
            )
            if grades and grade not in grades:
                self._unknown(form["expect_grade"].at(model), "grade", grade, grades)
        for split, variant in (_values(form, "variant") or {}).items():
            splits = self._splits()
            if split not in splits:
                self._unknown(form.at("variant"), "split", split, splits)
            elif variant not in splits[split]:
                self._unknown(form["variant"].at(split), "variant", variant, splits[split])

    def _splits(self) -> dict[str, list[str]]:
        return {
            name: [branch[0] for branch in getattr(node, "branches", ())]
            for program in self.topology.programs.values()
            for name, node in program.nodes.items()
            if node.kind == "split"
        }

    def _unknown(self, mark: Mark, what: str, word: str, known: Any) -> None:
        message = f"there is no {what} {quoted(word)}"
        self.problems.error(mark, f"unknown-{what}", message, instead(word, known))


def _sound(item: Form) -> bool:
    return not item.broken and not (
        item.extra and isinstance(item.get(item.extra), Form) and item[item.extra].broken
    )


def _instant(form: Form, key: str, zoned: ZoneInfo) -> int | None:
    return parse_time(form[key], zoned) if key in form else None


def _values(form: Form, key: str) -> dict[str, Any] | None:
    return dict(form[key].values) if key in form else None
