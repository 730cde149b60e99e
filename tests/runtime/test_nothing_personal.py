"""What contacts say stays out of logs, metrics, reports and the reasons of dead letters, whatever goes wrong.

Marks stand in contact ids, profile, properties and event ids. They may be in rows, commands, decisions, and
in the raw record of a dead letter; they must not be anywhere else.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from processor.codec.events import REASONS
from processor.codec.murmur2 import partition_of
from processor.codec.records import Decoder
from processor.codec.registry import FileSchemas
from processor.core.time import format_time, parse_time
from processor.language import load_topology
from processor.observe.logs import configure
from processor.runtime.embedded import RunOptions, run
from processor.runtime.faust.metrics import WorkerCollector
from tests.runtime.faust.test_deciding import Live

MARK = "m4rk"
WHO = f"{MARK}-ana@mail.example"
START_MS = parse_time("2026-03-02T10:00:00Z")
WALL_MS = START_MS + 86_400_000
TOPOLOGY = """
topology: t
events: {seen: {n: integer, text: string?}}
profile: {email: string, birthday: date, note: string}
purposes: {marketing: {consent: required}, service: {consent: not_required}}
channels: {push: {address: email}, slack: {kind: alert}}
lists: [vip]
scores: {heat: {grades: {cold: 0, hot: 5}, rules: [{on: seen, add: event.n}]}}
segments: {marked: 'starts_with(profile.email, "m")'}
policies: {caps: {name: daily, at_most: 1, per: 1d}}
"""
PROGRAM = """
program: p
purpose: service
entry: {on: seen, key: event.text}
reenter: always
steps:
  - {send: push, template: hello, values: {a: event.text, b: event.text, c: event.text, who: profile.email}}
  - {send: push, template: again, purpose: marketing}
  - {alert: slack, message: "see {profile.email}"}
"""


def line(kind: Any = "seen", at: Any = None, contact: Any = WHO, **more: Any) -> bytes:
    """An event with marks in it; ``more`` are properties, but for what begins with an underscore."""
    made = {
        "event_id": f"{MARK}-{len(more)}-{kind}",
        "contact_id": contact,
        "type": kind,
        "occurred_at": at or format_time(START_MS),
        "properties": {name: value for name, value in more.items() if not name.startswith("_")},
    }
    made |= {name[1:]: value for name, value in more.items() if name.startswith("_")}
    return msgspec.json.encode({name: value for name, value in made.items() if value is not ...})


def good() -> list[bytes]:
    return [
        line("profile_updated", email=f"{MARK}@mail.example", birthday="1990-02-03"),
        line("consent_granted", purpose="marketing", text=MARK, by=MARK),
        *[line(n=n, text=f"{MARK}-{n}", _event_id=f"{MARK}-{n}") for n in range(4)],
        line(n=1, text="once"),
        line(n=1, text="once"),
        line("contact_identified", contact=f"{MARK}-known", anonymous_id=WHO),
        line(n=2, text=MARK),
        line("preferences_changed", consents={"marketing": False}, profile={"email": MARK}),
        line("contact_erased", contact=f"{MARK}-known", request=MARK),
        line(n=3),
        line("profile_updated", contact=f"{MARK}-bo", email=MARK * 150_000),
    ]


def bad() -> dict[str, list[bytes]]:
    """A record for each reason for which one is refused."""
    big = MARK * 80
    return {
        "bad_contact": [line(contact=""), line(contact=[MARK])],
        "bad_event_id": [line(_event_id=big)],
        "bad_properties": [line(_properties=MARK), line(n=1, text={"a": {"b": [[[[[[[[MARK]]]]]]]]}})],
        "bad_time": [line(at=MARK)],
        "bad_append_time": [line(_appended_at=MARK)],
        "contact_too_long": [line(contact=big)],
        "bad_type": [line(_type=big)],
        "no_contact": [line(_contact_id=...)],
        "no_time": [line(_occurred_at=...)],
        "no_type": [line(_type=...)],
        "not_json": [MARK.encode(), line()[:-4], b"\xff" + line()],
        "not_object": [json.dumps([MARK]).encode()],
        "time_out_of_range": [line(at="1969-01-01T00:00:00Z", text=MARK)],
        "too_large": [line(text=MARK * 300_000)],
        "unknown_event_type": [line(MARK)],
        "derived_event_type": [line("segment_entered", segment=MARK)],
        "missing_property": [line(text=MARK)],
        "wrong_type": [
            line(n=MARK), line(n=1, text={MARK: MARK}), line("profile_updated", birthday=MARK),
            line("profile_updated", tz=MARK), line("preferences_changed", profile={"birthday": MARK}),
            line("preferences_changed", consents={"marketing": MARK}),
        ],
        "unknown_name": [
            line("consent_granted", purpose=MARK), line("list_joined", list=MARK),
            line("preferences_changed", consents={MARK: True}),
            line("preferences_changed", lists={MARK: True}), line("contact_added", program=MARK),
        ],
        "failed": [line("profile_updated", contact=f"{MARK}-bo", note=MARK * 150_000, _event_id=MARK)],
    }  # fmt: skip


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged, by whomever and at any level, as the worker writes it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("debug", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def topology(folder: Path) -> Path:
    (folder / "programs").mkdir(parents=True)
    (folder / "topology.yaml").write_text(TOPOLOGY)
    (folder / "programs" / "p.yaml").write_text(PROGRAM)
    return folder


def test_a_run(tmp_path, logged):
    cases = bad()
    future = [line(at="2099-01-01T00:00:00Z", n=1, text=MARK)]
    lines = [*good(), *(one for made in cases.values() for one in made), *future]
    (tmp_path / f"{MARK}.jsonl").write_bytes(b"".join(one + b"\n" for one in lines))
    made = load_topology(topology(tmp_path / "t")).topology
    options = RunOptions(
        topology=made, sources=(str(tmp_path / f"{MARK}.jsonl"),), state=tmp_path / "state",
        out=tmp_path / "out", signals=False, now=lambda: WALL_MS, partitions=2,
    )  # fmt: skip
    report = run(options)
    letters = [json.loads(one) for one in (tmp_path / "out" / "dead-letters.jsonl").read_text().splitlines()]
    assert {letter["reason"] for letter in letters} == {*cases, "in_the_future"}
    assert REASONS.keys() <= cases.keys()
    for letter in letters:
        assert MARK in (letter["raw"] or "") or letter["raw_base64"] is not None
        assert MARK not in letter["reason"] + letter["message"]
    assert MARK not in str(report)
    assert MARK not in logged.getvalue()
    outputs = "".join(path.read_text() for path in (tmp_path / "out").glob("co*.jsonl"))
    assert outputs.count(MARK) > 10  # the marks did go through


class Nobody:
    """Lanes and presence of a worker that has none."""

    ready, reason, away_s, times = True, "", 0.0, 0

    def __getattr__(self, name: str) -> Any:
        return dict


def test_a_workers_engine_and_its_metrics(tmp_path, logged):
    live = Live(tmp_path, topology(tmp_path / "t"), 2)
    events = live.names.events[0]
    broken = [b"\x00\x00\x00\x00\x07" + MARK.encode(), b"\xc3\x01" + MARK.encode() * 3, MARK.encode(), None]
    cases = [one for made in bad().values() for one in made]
    for offset, value in enumerate([*good(), *cases, *broken]):
        found = json.loads(value) if value and value[:1] == b"{" and value[-1:] == b"}" else {}
        contact = found.get("contact_id") if isinstance(found, dict) else None
        name = contact if isinstance(contact, str) else WHO
        number = partition_of(name, 2)
        at_ms = START_MS + offset * 60_000
        live.feed([live.append(events, number, name.encode(), value, at_ms)])
    live.idle(WALL_MS)
    tallies = {number: engine.tally for number, engine in live.engines.items()}
    registry = CollectorRegistry()
    registry.register(WorkerCollector(Nobody(), Nobody(), tallies))  # type: ignore[arg-type]
    exposed = generate_latest(registry).decode()
    assert "trayecto_dead_letters_total" in exposed
    assert exposed.count("reason=") >= len(bad())
    assert MARK not in exposed
    assert MARK not in logged.getvalue()
    decoder = Decoder("dead-letter", FileSchemas())
    letters = [
        decoder.decode(record.value)
        for (topic, _), records in live.logs.items() if topic == live.names.dead_letters
        for record in records
    ]  # fmt: skip
    unmet = {"bad_append_time", "not_object"}  # the log has its own times, and what is no object no format
    assert {letter.reason for letter in letters} >= {*bad(), "unknown_format", "tombstone"} - unmet
    assert [letter.reason for letter in letters if MARK in letter.reason + letter.message] == []
