"""A backtest decides as a run does, and leaves nothing behind but what was asked for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from processor.runtime.backtest import BacktestOptions, backtest
from processor.runtime.position import RunError
from processor.runtime.replay import Progress
from tests.runtime.harness import START_MS, WALL_MS, events, lines, outputs, run_here, topology

FAR_MS = START_MS + 90 * 86_400_000


def options(*sources: object, **others: Any) -> BacktestOptions:
    defaults: dict[str, Any] = {"topology": topology(), "partitions": 4, "now": lambda: WALL_MS}
    return BacktestOptions(sources=tuple(map(str, sources)), **(defaults | others))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    path.write_bytes(lines(events(4_000)) + b"no json\n")
    return path


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("until_ms", [0, FAR_MS])
def test_a_backtest_decides_as_a_run_does(tmp_path, log, on_disk, until_ms):
    ran = run_here(tmp_path, log, until_ms=until_ms, chunk_records=333)
    report = backtest(options(log, out=tmp_path / "b" / "out", on_disk=on_disk, until_ms=until_ms))
    assert outputs(tmp_path / "b") == outputs(tmp_path)
    volatile = {"run_seconds": 0.0}
    assert msgspec.to_builtins(report) | volatile == msgspec.to_builtins(ran) | volatile
    assert report.commands
    assert report.refused == {"not_json": 1}


def test_a_summary_alone_writes_no_file(tmp_path, log, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    report = backtest(options(log, on_disk=True))
    assert sum(report.commands.values()) > 100
    assert list(tmp_path.iterdir()) == []


def test_outputs_go_into_an_empty_folder_only(tmp_path, log):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        backtest(options(log, out=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_progress_ends_at_the_last_record(log):
    told: list[Progress] = []
    backtest(options(log), told.append)
    assert [progress.records for progress in told] == [4_001, 4_001]  # the chunk, and the end
    assert told[-1].read_bytes == told[-1].total_bytes == log.stat().st_size
