"""An output that is too large fails the same input in every shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from processor.codec.outputs import command_line
from processor.codec.quick_outputs import command_body
from processor.codec.records import Decoder
from processor.codec.registry import FileSchemas
from processor.codec.sizes import OUTPUT_BYTES_MAX, OutputTooLargeError, check_outputs
from processor.core.events import Message
from processor.core.outputs import Command
from processor.core.time import parse_time
from processor.language import load_topology
from processor.runtime.backtest import BacktestOptions, backtest
from processor.runtime.simulate import Simulation
from tests.runtime.faust.test_deciding import Live, embedded

TOPOLOGY = """
topology: alike
events: {seen: {}, later: {}}
profile: {bio: string}
purposes: {service: {consent: not_required}}
channels: {push: {expires_after: 1d}}
"""
SEND = "{send: push, template: t, values: {a: profile.bio, b: profile.bio, c: profile.bio}}"
PROGRAMS = {
    "now": f"program: now\npurpose: service\nreenter: always\nentry: {{on: seen}}\nsteps: [{SEND}]\n",
    "then": f"program: then\npurpose: service\nentry: {{on: later}}\nsteps: [{{wait: 1h}}, {SEND}]\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "topology"
    (made / "programs").mkdir(parents=True)
    (made / "topology.yaml").write_text(TOPOLOGY)
    for name, text in PROGRAMS.items():
        (made / "programs" / f"{name}.yaml").write_text(text)
    return made


def published() -> list[dict[str, Any]]:
    """Two contacts, of one of whom so much is known that no command can hold it."""
    log: list[dict[str, Any]] = []
    profiles = {
        "right": {"bio": "x"},
        "large": {"bio": "y" * 800_000},
    }
    for hour, kind in enumerate(["profile_updated", "seen", "later", "seen"]):
        for contact, profile in profiles.items():
            log.append(
                {
                    "event_id": f"{contact}-{hour}",
                    "contact_id": contact,
                    "type": kind,
                    "occurred_at": f"2026-03-01T{10 + hour * 3}:00:00Z",
                    "properties": profile if kind == "profile_updated" else {},
                }
            )
    return log


def test_worker_run_backtest_and_simulation_refuse_the_same(tmp_path: Path, folder: Path) -> None:
    log = published()
    live = Live(tmp_path, folder, 1)
    topic = live.names.events[0]
    batch = []
    for event in log:
        value, at_ms = msgspec.json.encode(event), parse_time(event["occurred_at"])
        batch.append(live.append(topic, 0, event["contact_id"].encode(), value, at_ms))
    live.feed(batch)
    until_ms = parse_time("2026-03-03T00:00:00Z")
    live.idle(until_ms)
    decoder = Decoder("dead-letter", FileSchemas())
    letters = [decoder.decode(record.value) for record in live.logs[live.names.dead_letters, 0]]

    stamped = [msgspec.json.encode(event | {"appended_at": event["occurred_at"]}) for event in log]
    ran = embedded(tmp_path, folder, stamped, until_ms, live)
    topics = dict.fromkeys(live.names.commands.values(), "command") | {live.names.decisions: "decision"}
    assert live.lines(topics) == ran
    topic = live.names.commands["push"]
    assert [len(ran.get(f"{topic}/{name}", [])) for name in ("right", "large")] == [3, 0]
    stopped = {
        one["contact_id"]: one["reason"]
        for found in ran.values()
        for one in found
        if one.get("kind") == "quarantined"
    }
    assert stopped == {"large": "OutputTooLargeError of an output"}
    dead = [json.loads(line) for line in (tmp_path / "out" / "dead-letters.jsonl").read_text().splitlines()]
    assert [(one["reason"], one["message"]) for one in dead] == [(one.reason, one.message) for one in letters]
    assert len(dead) == 3  # two events and a timer

    sources = (str(tmp_path / "log.jsonl"),)
    options = BacktestOptions(topology=load_topology(folder).topology, sources=sources, until_ms=until_ms)
    assert backtest(options).failures == 3

    simulation = Simulation(load_topology(folder).topology)
    for event in log:
        at_ms = parse_time(event["occurred_at"])
        simulation.publish(event["contact_id"], event["type"], at_ms, event["properties"], event["event_id"])
    simulation.move(until_ms)
    assert len(simulation.failures) == 3


def command(values: dict[str, Any]) -> Command:
    return Command("i", "push", "send", "ana", "p", 1, "e", "s", "", "t", values, "service", 1, 1, 0)


def test_the_bound_is_the_bodys_whatever_is_written() -> None:
    size = len(command_body(command({"x": ""})))
    room = (
        OUTPUT_BYTES_MAX - size - 6
    )  # the lengths before values and text take more bytes when they are long
    largest = max(
        room + more
        for more in range(12)
        if len(command_body(command({"x": "y" * (room + more)}))) <= OUTPUT_BYTES_MAX
    )
    fits, beyond = command({"x": "y" * largest}), command({"x": "y" * (largest + 1)})
    assert len(command_body(fits)) == OUTPUT_BYTES_MAX
    assert len(command_line(fits)) > OUTPUT_BYTES_MAX
    check_outputs([fits])
    with pytest.raises(OutputTooLargeError):
        check_outputs([command({}), beyond])


def test_a_forwarded_event_is_bounded_wherever_it_goes() -> None:
    check_outputs([Message("event", "ana", 1, {"properties": {"x": "y" * 1_000_000}})])
    with pytest.raises(OutputTooLargeError):
        check_outputs([Message("event", "ana", 1, {"properties": {"x": "y" * OUTPUT_BYTES_MAX}})])
