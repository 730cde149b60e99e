"""Schedules: when the next walk over an audience is due."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from processor.core.model import Topology
from processor.core.shared import Shared
from processor.core.sweeps import next_sweep_ms, open_sweep, schedule
from processor.core.time import parse_time
from processor.core.turn import NEVER_MS
from processor.language import load_topology

PROGRAM = """\
program: digest
purpose: marketing
entry: {schedule: "0 9 1 * *", zone: UTC}
reenter: always
WINDOW
steps:
  - {send: email, template: digest}
"""


def ms(text: str) -> int:
    return parse_time(text, ZoneInfo("UTC"))


def loaded(folder: Path, window: str) -> Topology:
    (folder / "programs").mkdir(exist_ok=True)
    (folder / "topology.yaml").write_text("topology: t\nchannels: {email: {}}\n")
    (folder / "programs" / "digest.yaml").write_text(PROGRAM.replace("WINDOW", window))
    return load_topology(folder).topology


def instants(folder: Path, window: str, start: str) -> list[int]:
    """The instants at which the first walks over the audience are due."""
    topology = loaded(folder, window)
    shared = Shared()
    schedule(topology, shared, ms(start))
    found: list[int] = []
    while next_sweep_ms(shared) < NEVER_MS and len(found) < 5:
        found.append(next_sweep_ms(shared))
        open_sweep(topology, shared)
        shared.sweeps = []
    return found


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("", ["2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01", "2026-06-01"]),
        ("window: {opens: 2026-03-01 09:00, closes: 2026-04-30}", ["2026-03-01", "2026-04-01"]),
        ("window: {closes: 2026-03-01 09:00}", ["2026-02-01"]),
        ("window: {opens: 2026-04-02, closes: 2026-04-30}", []),
    ],
)
def test_a_schedule_walks_within_its_programs_window_only(
    tmp_path: Path, window: str, expected: list[str]
) -> None:
    assert instants(tmp_path, window, "2026-01-15T00:00Z") == [ms(f"{day}T09:00Z") for day in expected]


def test_a_closed_schedule_goes_on_when_a_later_version_opens_its_window_again(tmp_path: Path) -> None:
    shared = Shared()
    closed = loaded(tmp_path, "window: {closes: 2026-01-31}")
    assert schedule(closed, shared, ms("2026-02-15T00:00Z"))
    assert next_sweep_ms(shared) == NEVER_MS
    assert not schedule(closed, shared, ms("2026-02-20T00:00Z"))
    assert schedule(loaded(tmp_path, "window: {closes: 2026-12-31}"), shared, ms("2026-02-20T00:00Z"))
    assert next_sweep_ms(shared) == ms("2026-03-01T09:00Z")
