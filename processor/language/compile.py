"""A folder of files -> a topology. All problems are reported together; nothing is half loaded."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from processor.core.model import Channel, Program, Topology
from processor.core.schema import Check, compile_checks
from processor.core.time import is_zone, zone
from processor.language.brakes import breakers, paced, stops
from processor.language.expressions import Compiler
from processor.language.index import (
    Parts,
    always,
    by_attribute,
    by_consent,
    by_segment,
    by_series,
    dates_by_attribute,
    reactions,
    segments_by,
    with_limits,
)
from processor.language.names import Known
from processor.language.problems import Mark, Problem, Problems, instead, quoted
from processor.language.program_shape import PROGRAM
from processor.language.programs import ProgramSource, program
from processor.language.records import Form
from processor.language.relations import relations
from processor.language.scores import Scoring, scores, segments
from processor.language.shapes import BAD, Reader
from processor.language.source import BYTES_MAX, Mapping, Node, parse
from processor.language.topology import channels, know, needed_purposes, policies, teams, test_list, topics
from processor.language.topology_shape import TOPOLOGY

__all__ = ["Loaded", "load_topology", "read_documents"]

PROGRAMS_MAX: Final = 1000
_MAIN: Final = "topology.yaml"
_NO_FILES: Final = ("topology", "description", "timezone")
_SECTIONS: Final = tuple(key for key in TOPOLOGY.fields if key not in _NO_FILES)


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded folder. ``sources`` say where programs and steps stand, ``form`` where the sections do."""

    topology: Topology
    warnings: tuple[Problem, ...]
    folder: Path
    sources: dict[str, ProgramSource]
    form: Form
    known: Known


def load_topology(folder: Path) -> Loaded:
    """Read and compile the topology in ``folder``.

    Raises:
        LanguageError: with every problem of every file, when there is an error among them.
    """
    problems = Problems()
    reader = Reader(problems, [])
    digest = hashlib.sha256()
    form = _read_sections(folder, reader)
    files = _program_files(folder, problems)
    forms = {file: made for file in files if (made := _read_program(folder, file, reader)) is not None}
    if form is None or any(key not in form for key in form.marks):
        # Without a whole section everything that names what it declares would be reported too.
        problems.settle()
    assert form is not None, "a topology.yaml that cannot be read is an error"
    for file in sorted([*_section_files(folder), *files]):
        data = (folder / file).read_bytes()
        digest.update(f"{file}\0{len(data)}\0".encode())
        digest.update(data)
    known = know(form, problems)
    _name_programs(known, forms, problems)
    compiler = Compiler(known, problems, [])
    scoring = scores(form, compiler, folder)
    for model in scoring.models.values():
        if model.predictor is not None:
            digest.update(model.predictor.identity.encode())
    topology, sources = _compile(form, forms, compiler, scoring, digest.hexdigest())
    known.check(reader.references, problems)
    warnings = problems.settle()
    return Loaded(
        topology=topology, warnings=warnings, folder=folder, sources=sources, form=form, known=known
    )


def read_documents(folder: Path, file: str, problems: Problems) -> list[Node]:
    """Return the YAML documents of a file; what cannot be read is reported."""
    try:
        data = (folder / file).read_bytes()
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        problems.error(
            Mark(file), "unreadable-file", f"the file cannot be read: {reason}", "check its permissions"
        )
        return []
    if len(data) > BYTES_MAX:
        message = f"the file has {len(data)} bytes, {BYTES_MAX} are the most"
        problems.error(Mark(file), "file-too-large", message, "split it into several programs")
        return []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        mark = Mark(file, before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        problems.error(mark, "not-utf8", "the file is not UTF-8 text", "save it as UTF-8")
        return []
    return parse(text, file, problems)


def _one_document(folder: Path, file: str, problems: Problems) -> Node | None:
    before = problems.errors
    documents = read_documents(folder, file, problems)
    if len(documents) == 1:
        return documents[0]
    if documents:
        message = "a second document begins here"
        problems.error(
            documents[1].mark, "two-documents", message, "write it in a file of its own, without ---"
        )
    elif problems.errors == before:
        problems.error(Mark(file), "empty-file", "the file is empty", "write its content, or delete it")
    return None


def _section_files(folder: Path) -> list[str]:
    return [file for file in (_MAIN, *(f"{name}.yaml" for name in _SECTIONS)) if (folder / file).is_file()]


def _program_files(folder: Path, problems: Problems) -> list[str]:
    found = []
    for path in sorted((folder / "programs").glob("*")):
        file = f"programs/{path.name}"
        if path.suffix == ".yml":
            message = "files that end in .yml are not read"
            problems.warn(Mark(file), "unused-file", message, f"rename it to {path.stem}.yaml")
        elif path.suffix == ".yaml" and not path.name.endswith(".test.yaml"):
            found.append(file)
    for path in sorted(folder.glob("*")):
        if path.suffix in (".yaml", ".yml") and path.name not in (
            _MAIN,
            *(f"{name}.yaml" for name in _SECTIONS),
        ):
            fix = instead(path.stem, _SECTIONS, "move it away, or into programs/ if it is a program")
            problems.warn(
                Mark(path.name), "unused-file", f"{quoted(path.name)} is not the name of a section", fix
            )
    if len(found) > PROGRAMS_MAX:
        message = f"there are {len(found)} programs, {PROGRAMS_MAX} are the most"
        problems.error(Mark("programs"), "too-many-programs", message, "split the topology")
    return found


def _read_sections(folder: Path, reader: Reader) -> Form | None:
    """Return the form of topology.yaml and of the files that its sections were moved to."""
    problems = reader.problems
    if not (folder / _MAIN).is_file():
        message = "there is no topology.yaml in this folder"
        problems.error(
            Mark(_MAIN), "missing-file", message, "write one that begins with topology: and a name"
        )
        return None
    node = _one_document(folder, _MAIN, problems)
    form = TOPOLOGY.read(node, reader, "topology.yaml") if node is not None else BAD
    for file in _section_files(folder)[1:]:
        section = _one_document(folder, file, problems)
        if section is None:
            continue
        name = file.removesuffix(".yaml")
        value = TOPOLOGY.fields[name].shape.read(section, reader, name)
        if form is BAD:
            continue
        if name in form:
            message = f"{quoted(name)} is also in {file}"
            problems.error(form.at(name), "duplicate-section", message, "write it in one place")
        elif value is not BAD:
            form.values[name] = value
            form.marks[name] = section.mark
    return None if form is BAD else form


def _read_program(folder: Path, file: str, reader: Reader) -> Form | None:
    node = _one_document(folder, file, reader.problems)
    if node is None:
        return None
    if isinstance(node, Mapping) and any(key.text == "scenario" for key, _ in node.pairs):
        fix = f"rename it to {Path(file).stem}.test.yaml"
        reader.problems.error(node.mark, "misplaced-scenario", "this is a scenario, not a program", fix)
        return None
    form = PROGRAM.read(node, reader, "the program")
    return None if form is BAD else form


def _name_programs(known: Known, forms: dict[str, Form], problems: Problems) -> None:
    names: dict[str, str] = {}
    enrollable = set()
    for file, form in forms.items():
        name = form.get("program")
        if name is None:
            continue
        stem = Path(file).stem
        if name in names:
            message = f"the program {quoted(name)} is there already, in {names[name]}"
            problems.error(form.at("program"), "duplicate-program", message, f'write "{stem}"')
        elif name != stem:
            message = f"the program {quoted(name)} is in a file of another name"
            problems.error(form.at("program"), "program-file", message, f'write "{stem}", or rename the file')
        names[name] = file
        if any(entry.kind == "from_program" for entry in form.get("entry", ())):
            enrollable.add(name)
    known.programs = frozenset(names)
    known.enrollable = frozenset(enrollable)


def _compile(
    form: Form, forms: dict[str, Form], compiler: Compiler, scoring: Scoring, digest: str
) -> tuple[Topology, dict[str, ProgramSource]]:
    known = compiler.known
    kept = relations(form, compiler)
    ordered = segments(form, compiler)
    made_channels = paced(form, channels(form, compiler.problems), compiler.problems)
    programs, sources = _programs(form, forms, compiler, made_channels)
    rules_of_sending = policies(form, compiler.problems, programs.values())
    parts = Parts(
        event_types=known.events,
        declared=known.declared,
        programs=programs,
        segments=ordered,
        scoring=scoring,
        expressions=compiler.compiled,
        relations=kept,
        dormant=rules_of_sending.dormant,
        channels=tuple(made_channels.values()),
    )
    entries = [entry for one in programs.values() for entry in one.entries]
    dates = tuple(entry for entry in entries if entry.kind == "date")
    topology = Topology(
        name=form.get("topology", ""),
        digest=digest,
        timezone=zone(form.get("timezone", "UTC")),
        zones=_zone_or_none,
        event_schemas=known.events,
        profile_schema=known.profile,
        programs=programs,
        purposes=needed_purposes(form, compiler.problems),
        channels=made_channels,
        scores=with_limits(scoring.models, programs.values(), parts.expressions),
        segments=ordered,
        policies=rules_of_sending,
        teams=teams(form),
        test_list=test_list(form),
        context=any(node.context for one in programs.values() for node in one.nodes.values()),
        topics=topics(form, made_channels, compiler.problems),
        reactions=reactions(parts),
        always=always(programs.values()),
        segments_by_score=segments_by(ordered, "scores"),
        segments_by_series=by_series(ordered),
        segments_by_attribute=by_attribute(ordered),
        segments_by_relation=segments_by(ordered, "relations"),
        segments_by_list=_union(segments_by(ordered, "lists")),
        segments_by_program=_union(segments_by(ordered, "programs")),
        segments_by_consent=by_consent(ordered),
        segments_by_segment=by_segment(ordered),
        segment_order={name: number for number, name in enumerate(ordered)},
        dates=dates,
        dates_by_attribute=dates_by_attribute(dates),
        idle=tuple(entry for entry in entries if entry.kind == "inactive"),
        **stops(programs, made_channels),
        currency=form.get("currency", ""),
        needs_consent=any(model.needs for model in scoring.models.values()),
        schedules=tuple(entry for entry in entries if entry.kind == "schedule"),
        checks={} if compiler.problems.errors else _checks(known),
    )
    return topology, sources


def _programs(
    form: Form, forms: dict[str, Form], compiler: Compiler, made_channels: dict[str, Channel]
) -> tuple[dict[str, Program], dict[str, ProgramSource]]:
    """Return the programs and where they come from, by name."""
    timezone = zone(form.get("timezone", "UTC"))
    pairs = [program(given, file, compiler, made_channels, timezone) for file, given in forms.items()]
    sources = {made.name: source for made, source in pairs}
    found = breakers(form, sources, made_channels, compiler.problems)
    return {made.name: dataclasses.replace(made, breaker=found.get(made.name)) for made, _ in pairs}, sources


def _checks(known: Known) -> dict[str, Check]:
    named = {
        "purpose": known.purposes,
        "channel": known.channels,
        "program": known.programs,
        "list": known.lists,
        "score": frozenset(known.grades),
    }
    return compile_checks(known.events, known.profile, named)


def _union(by_name: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in by_name.values() for name in names))


def _zone_or_none(name: Any) -> ZoneInfo | None:
    """Return the zone of that name, None for what is not the name of one."""
    return zone(name) if isinstance(name, str) and is_zone(name) else None
