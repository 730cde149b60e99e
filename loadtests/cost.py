"""What programs cost that are deployed beside those that work: ten, twenty, and ten with a hundred idle ones.

The same log goes through the core once for each topology, in turns of some thousand events, so that what else
the machine does strikes all of them alike. The time is that of the processor, and a turn's rates are compared
with each other: reported are the medians of the quotients. An idle program is one that nothing enters: its
events do not come, its segment is empty, its threshold is out of reach, nobody adds contacts by hand.

Where valgrind is installed and the core is compiled, the instructions of an event are counted too: they do
not depend on what else the machine does.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import processor
from loadtests.core import TOPOLOGY
from loadtests.workload import lines
from processor.codec.events import decode_event
from processor.core.events import Event
from processor.core.machine import advance
from processor.core.model import Topology
from processor.core.rows import Row
from processor.core.shared import Shared
from processor.language import load_topology
from processor.runtime.garbage import few_collections

__all__ = ["instructions", "measure"]

ROUNDS: Final = 24
IDLE: Final = 100
COUNTED: Final = 2_000  # events under valgrind, which is some fifty times slower
KINDS: Final = (
    "{on: [webinar_registered, survey_answered], if: event.session == 'never'}",
    "{by_hand: true}",
    "{from_program: true}",
    "{segment: nobody}",
    "{score: engagement, reaches: 999}",
    "{grade: value, becomes: none}",
    "{on: never_seen}",
    "{after_program: idle-0}",
    "{date: profile.contract_ends}",
    "{schedule: '2020-01-01 09:00'}",
)
_COUNT: Final = re.compile(r"I +refs: +([\d,]+)")


class _Core:
    """A topology at work on its copy of the log."""

    def __init__(self, topology: Topology, events: Iterator[bytes]) -> None:
        self.topology = topology
        self.events = events
        self.rows: dict[str, bytes] = {}
        self.shared = Shared()

    def work(self, count: int) -> float:
        """Advance by ``count`` events. Returns the processor's seconds for them."""
        taken = [decode_event(line) for line in itertools.islice(self.events, count)]
        events = [event for event in taken if isinstance(event, Event)]
        assert len(events) == count, "the log is long enough, and holds only good events"
        topology, rows, shared = self.topology, self.rows, self.shared
        begin = time.process_time()
        for event in events:
            contact = event.contact_id
            data = rows.get(contact)
            row = Row.decode(data) if data is not None else Row.new()
            row, _, _ = advance(topology, row, shared, event, event.occurred_ms)
            rows[contact] = row.encode()
        return time.process_time() - begin


def topologies(folder: Path) -> dict[str, Path]:
    """Write the topologies: ten programs, those twice under two names, and ten with a hundred idle ones."""
    made = {name: folder / name for name in ("ten", "twenty", "idle")}
    for path in made.values():
        shutil.copytree(TOPOLOGY, path)
    for file in (made["ten"] / "programs").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        again = text.replace(f"program: {file.stem}\n", f"program: {file.stem}-too\n", 1)
        assert again != text
        (made["twenty"] / "programs" / f"{file.stem}-too.yaml").write_text(again, encoding="utf-8")
    head = (made["idle"] / "topology.yaml").read_text(encoding="utf-8")
    head = head.replace("events:\n", "events:\n  never_seen: {}\n", 1)
    head = head.replace("profile:\n", "profile:\n  contract_ends: date\n", 1)
    head = head.replace("segments:\n", 'segments:\n  nobody: profile.plan == "none of ours"\n', 1)
    (made["idle"] / "topology.yaml").write_text(head, encoding="utf-8")
    for number in range(IDLE):
        entry = KINDS[number % len(KINDS)]
        program = f"program: idle-{number}\npurpose: marketing\nentry: {entry}\n"
        program += "reenter: after 30d\nexit: consent_withdrawn\nsteps:\n  - {send: email, template: idle}\n"
        program += "  - {wait: 3d}\n  - {wait_for: email_clicked, timeout: 2d}\n"
        (made["idle"] / "programs" / f"idle-{number}.yaml").write_text(program, encoding="utf-8")
    return made


def measure(count: int, contacts: int) -> dict[str, Any]:
    """Advance ``count`` events through each topology, a third of them before anything is timed."""
    turn = count * 2 // 3 // ROUNDS
    with tempfile.TemporaryDirectory() as folder, few_collections():
        cores = {
            name: _Core(load_topology(path).topology, lines(count, contacts))
            for name, path in topologies(Path(folder)).items()
        }
        for core in cores.values():
            core.work(count // 3)
        names = list(cores)
        turns: list[dict[str, float]] = []
        for number in range(ROUNDS):
            order = names[number % len(names) :] + names[: number % len(names)]
            turns.append({name: cores[name].work(turn) for name in order})
    seconds = {name: statistics.median(one[name] for one in turns) for name in names}
    return {
        "events": turn * ROUNDS,
        "contacts": contacts,
        "microseconds_per_event": {name: round(one / turn * 1e6, 2) for name, one in seconds.items()},
        "throughput_of_ten": {
            name: round(statistics.median(one["ten"] / one[name] for one in turns), 3) for name in names[1:]
        },
    }


def instructions() -> dict[str, Any]:
    """Count the instructions of an event with valgrind; nothing where that cannot be done.

    Two runs of different length are counted whole. What they differ by is what the further events cost: read
    from a file, decoded as JSON, advanced, encoded.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None or not processor.is_compiled():
        return {}
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "log.jsonl").write_bytes(b"".join(lines(3 * COUNTED, COUNTED // 2)))
        for name, path in topologies(Path(folder)).items():
            short, long = (_counted(valgrind, path, events) for events in (COUNTED, 3 * COUNTED))
            found[name] = (long - short) // (2 * COUNTED)
    return {
        "events": 2 * COUNTED,
        "instructions_per_event": found,
        "throughput_of_ten": {name: round(found["ten"] / one, 3) for name, one in found.items()},
    }


def _counted(valgrind: str, topology: Path, events: int) -> int:
    """All instructions of a process that loads the topology and advances so many events."""
    command = [valgrind, "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={topology}.out"]
    command += [sys.executable, "-m", "loadtests.cost", str(topology), str(events)]
    fixed = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=fixed)
    counted = _COUNT.search(done.stderr)
    assert counted is not None, "cachegrind says how much it counted"
    return int(counted[1].replace(",", ""))


if __name__ == "__main__":
    _, where, number = sys.argv
    with few_collections(), (Path(where).parent / "log.jsonl").open("rb") as log:
        _Core(load_topology(Path(where)).topology, log).work(int(number))
