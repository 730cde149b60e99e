"""Embedded run, backtest and the driver in memory give equal commands on one log, for every blueprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from processor.codec.events import decode_event
from processor.core.events import Event
from processor.core.time import DAY_MS
from processor.language import load_topology
from processor.runtime.backtest import BacktestOptions, backtest
from processor.runtime.driver import Driver
from processor.runtime.embedded import RunOptions, run
from processor.store.memory import MemoryStore
from tests.runtime.harness import GALLERY_FOLDERS, scenario_log

FAR_MS = 4_000_000_000_000  # 2096: no event of a log is in the future of it


def _written(folder: Path) -> list[dict[str, Any]]:
    commands = []
    for path in sorted(folder.glob("commands.*.jsonl")):
        commands += [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return sorted(commands, key=lambda command: command["command_id"])


@pytest.mark.parametrize("folder", GALLERY_FOLDERS, ids=lambda folder: folder.name)
def test_all_shells_give_equal_commands(tmp_path, folder):
    loaded = load_topology(folder)
    log = scenario_log(loaded)
    source = tmp_path / "log.jsonl"
    source.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in log))
    decoded = [
        event for event in map(decode_event, source.read_bytes().splitlines()) if isinstance(event, Event)
    ]
    assert len(decoded) == len(log)
    until_ms = decoded[-1].occurred_ms + 100 * DAY_MS
    sources = (str(source),)

    run(
        RunOptions(
            topology=loaded.topology,
            sources=sources,
            state=tmp_path / "state",
            out=tmp_path / "run",
            until_ms=until_ms,
            partitions=4,
            chunk_records=7,
            signals=False,
            now=lambda: FAR_MS,
        )
    )
    backtest(
        BacktestOptions(
            topology=loaded.topology,
            sources=sources,
            out=tmp_path / "backtest",
            until_ms=until_ms,
            partitions=4,
            now=lambda: FAR_MS,
        )
    )
    driver = Driver(loaded.topology, MemoryStore(4), 4)
    watermark_ms = 0
    for event in decoded:
        watermark_ms = max(watermark_ms, event.occurred_ms)
        driver.feed(event, watermark_ms)
    driver.move(until_ms)
    taken = driver.take()

    commands = _written(tmp_path / "run")
    assert commands, "a log without a command shows nothing"
    assert commands == _written(tmp_path / "backtest")
    assert [c["command_id"] for c in commands] == sorted(c.command_id for c in taken.commands)
    assert not taken.failures
