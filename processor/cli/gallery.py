"""The gallery: programs to copy. Each is found with its topology, so that what it needs is known, too."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from processor.cli.errors import DOWN, CommandError

if TYPE_CHECKING:
    from processor.language.source import Node, Scalar

__all__ = [
    "Blueprint",
    "Renames",
    "blueprint",
    "blueprints",
    "folder",
    "renamed_expressions",
    "renamed_program",
    "renamed_scenarios",
]


# Names inside expressions: what takes the name of a channel, a purpose or a program.
_CHANNEL_NAME = re.compile(r"""((?:\bchannel\s*=|\.channel\s*[=!]=)\s*)(["'])([a-z0-9_-]+)\2""")
_PURPOSE_NAME = re.compile(r"""((?:\bconsent\(|\.purpose\s*[=!]=)\s*)(["'])([a-z0-9_-]+)\2""")
_PROGRAM_NAME = re.compile(
    r"""((?:\b(?:in_program|was_in_program|entries)\(|\.program\s*[=!]=)\s*)(["'])([a-z0-9_-]+)\2"""
)
# An id that the language made: "send-email-cart-reminder" of {send: email, template: cart-reminder}.
_STEP_NAME = re.compile(r"(send|series|alert|webhook|audience)-(.+)")


class Blueprint(msgspec.Struct, frozen=True):
    """A program to copy: ``topology`` is the folder it stands in. ``about`` is its description."""

    name: str
    topology: Path
    program: str
    about: str

    @property
    def files(self) -> tuple[Path, Path]:
        """The program's file and its scenarios'."""
        stem = self.topology / "programs" / self.program
        return stem.with_suffix(".yaml"), stem.with_suffix(".test.yaml")


class Renames(msgspec.Struct, frozen=True):
    """What is called otherwise in the copy: the program, channels and purposes, old -> new."""

    program: tuple[str, str]
    channels: dict[str, str] = {}
    purposes: dict[str, str] = {}


def folder() -> Path:
    """Return the gallery: TRAYECTO_GALLERY, or ``topologies`` of the checkout. Raises CommandError (3)."""
    named = os.environ.get("TRAYECTO_GALLERY")
    place = Path(named) if named else Path(__file__).resolve().parents[2] / "topologies"
    if not place.is_dir():
        message = f"the gallery is not there: there is no folder {place}"
        raise CommandError(message, "set TRAYECTO_GALLERY to the folder topologies of a checkout", DOWN)
    return place


def blueprints() -> list[Blueprint]:
    """Return what can be copied: the blueprints, then the programs of the demo."""
    place = folder()
    found = [
        Blueprint(path.stem, path.parents[1], path.stem, _about(path))
        for path in sorted(place.glob("blueprints/*/programs/*.yaml"))
        if not path.name.endswith(".test.yaml")
    ]
    found += [
        Blueprint(f"demo/{path.stem}", path.parents[1], path.stem, _about(path))
        for path in sorted(place.glob("demo/programs/*.yaml"))
        if not path.name.endswith(".test.yaml")
    ]
    return found


def blueprint(name: str) -> Blueprint:
    """Return a blueprint by its name. Raises CommandError (2) with the nearest names."""
    from processor.language.problems import instead

    found = {one.name: one for one in blueprints()}
    if name not in found:
        raise CommandError(
            f'the gallery has no blueprint "{name}"', instead(name, found) + '; "trayecto new" lists them'
        )
    return found[name]


def _about(path: Path) -> str:
    for document in _documents(path.read_text(encoding="utf-8")):
        for key, value in _top(document):
            if key.text == "description":
                return " ".join(getattr(value, "text", "").split())
    return ""


def renamed_expressions(text: str, renames: Renames) -> str:
    """Return a text with the names in its expressions (``consent("marketing")``) under their new ones."""
    for pattern, table in (
        (_CHANNEL_NAME, renames.channels),
        (_PURPOSE_NAME, renames.purposes),
        (_PROGRAM_NAME, dict([renames.program])),
    ):
        text = _substituted(pattern, text, table)
    return text


def _substituted(pattern: re.Pattern[str], text: str, table: Mapping[str, str]) -> str:
    return pattern.sub(lambda found: f"{found[1]}{found[2]}{table.get(found[3], found[3])}{found[2]}", text)


def renamed_program(text: str, renames: Renames, schema: str) -> str:
    """Return a program's file under its new names. ``schema`` is the path for editors, "" for none."""
    from processor.language.source import Scalar

    edits: list[tuple[Scalar, str]] = []
    for document in _documents(text):
        for key, value in _pairs(document):
            edits += _renamed(key.text, value, renames)
        for key, value in _top(document):
            if key.text == "program" and isinstance(value, Scalar) and value.text == renames.program[0]:
                edits.append((value, renames.program[1]))
    return _schema(renamed_expressions(_edited(text, edits), renames), schema)


def _renamed(key: str, value: Node, renames: Renames) -> Iterator[tuple[Scalar, str]]:
    channels = ("send", "series", "alert", "webhook", "audience", "fallback", "to")
    tables = dict.fromkeys(channels, renames.channels) | {"purpose": renames.purposes}
    table = tables.get(key, {})
    from processor.language.source import Scalar, Sequence

    for one in value.items if isinstance(value, Sequence) else (value,):
        if isinstance(one, Scalar) and one.text in table:
            yield one, table[one.text]


def renamed_scenarios(text: str, renames: Renames, schema: str, beside: Collection[str] = ()) -> str:
    """Return a file of scenarios under the new names of what they test.

    Those about other programs, too, come along only where these are ``beside``.
    """
    old, new = renames.program
    edits: list[tuple[Scalar, str]] = []
    documents = _documents(text)
    kept = [set(_programs_of(document)) <= {old, *beside} for document in documents]
    for document in documents:
        for key, value in _top(document):
            if key.text == "expect_ended":
                edits += [(name, new) for name, _ in _top(value) if name.text == old]
            elif key.text in {"expect", "held"}:
                edits += _commands(value, renames, channels=key.text == "expect")
            elif key.text == "contact":
                edits += _consents(value, renames)
            elif key.text == "events":
                edits += _answers(value, renames)
    parts = _edited(text, edits).split("\n---\n")
    comment = parts[0].split("\n", 1)[0]
    parts = [part for part, keep in zip(parts, kept, strict=True) if keep]
    if parts and not kept[0] and comment.startswith("#"):
        parts[0] = f"{comment}\n{parts[0]}"
    return _schema("\n---\n".join(parts).rstrip("\n") + "\n", schema)


def _programs_of(scenario: Node) -> Iterator[str]:
    """The programs that a scenario names: by how they end, or by their commands."""
    from processor.language.source import Scalar, Sequence

    for key, value in _top(scenario):
        if key.text == "expect_ended":
            yield from (name.text for name, _ in _top(value))
        for item in value.items if isinstance(value, Sequence) else ():
            for part, named in _top(item):
                if part.text == "program" and isinstance(named, Scalar):
                    yield named.text


def _commands(items: Node, renames: Renames, *, channels: bool) -> Iterator[tuple[Scalar, str]]:
    """The names in commands that are expected, whose keys are channels, or in sends that are held."""
    from processor.language.source import Scalar, Sequence

    named = {"program": dict([renames.program]), "purpose": renames.purposes}
    for item in items.items if isinstance(items, Sequence) else ():
        for key, value in _top(item):
            if channels and key.text in renames.channels:
                yield key, renames.channels[key.text]
            elif isinstance(value, Scalar) and value.text in named.get(key.text, {}):
                yield value, named[key.text][value.text]
            elif isinstance(value, Scalar) and key.text == "step":
                step = _renamed_step(value.text, renames.channels)
                if step != value.text:
                    yield value, step


def _renamed_step(step: str, channels: Mapping[str, str]) -> str:
    made = _STEP_NAME.fullmatch(step)
    if made is None:
        return step
    for old, new in channels.items():
        if made[2] == old or made[2].startswith(f"{old}-"):
            return f"{made[1]}-{new}{made[2].removeprefix(old)}"
    return step


def _consents(contact: Node, renames: Renames) -> Iterator[tuple[Scalar, str]]:
    from processor.language.source import Scalar, Sequence

    for key, value in _top(contact):
        if key.text == "consent" and isinstance(value, Sequence):
            for item in value.items:
                if isinstance(item, Scalar):
                    purpose, slash, channel = item.text.partition("/")
                    made = (
                        renames.purposes.get(purpose, purpose)
                        + slash
                        + renames.channels.get(channel, channel)
                    )
                    if made != item.text:
                        yield item, made


def _answers(events: Node, renames: Renames) -> Iterator[tuple[Scalar, str]]:
    """The names in events about consent, and in those by which a person adds and removes a contact."""
    from processor.language.source import Scalar, Sequence

    consent = {"purpose": renames.purposes, "channel": renames.channels}
    by_hand = {"program": dict([renames.program])}
    named = {
        "consent_granted": consent,
        "consent_withdrawn": consent,
        "contact_added": by_hand,
        "contact_removed": by_hand,
    }
    for item in events.items if isinstance(events, Sequence) else ():
        for event_type, properties in _top(item):
            if event_type.text in named:
                for key, value in _top(properties):
                    table = named[event_type.text].get(key.text, {})
                    if isinstance(value, Scalar) and value.text in table:
                        yield value, table[value.text]


def _documents(text: str) -> list[Node]:
    from processor.language.problems import Problems
    from processor.language.source import parse

    return parse(text, "blueprint", Problems())


def _top(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    from processor.language.source import Mapping

    return node.pairs if isinstance(node, Mapping) else ()


def _pairs(node: Node) -> Iterator[tuple[Scalar, Node]]:
    """Every key with its value, at any depth."""
    from processor.language.source import Mapping, Sequence

    if isinstance(node, Mapping):
        for key, value in node.pairs:
            yield key, value
            yield from _pairs(value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _pairs(item)


def _edited(text: str, edits: list[tuple[Scalar, str]]) -> str:
    """Put new words in place of scalars, from the end on, so that places before them stay right."""
    lines = text.split("\n")
    for scalar, new in sorted(edits, key=lambda edit: (edit[0].mark.line, edit[0].mark.column), reverse=True):
        row, start = scalar.mark.line - 1, scalar.mark.column - 1
        line = lines[row]
        assert line[start:].startswith(scalar.raw), scalar.raw
        lines[row] = line[:start] + new + line[start + len(scalar.raw) :]
    return "\n".join(lines)


def _schema(text: str, schema: str) -> str:
    lines = text.split("\n")
    if lines and lines[0].startswith("# yaml-language-server:"):
        lines[:1] = [f"# yaml-language-server: $schema={schema}"] if schema else []
    return "\n".join(lines)
