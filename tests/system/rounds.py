"""A topology of ten programs under load on a real broker, its workers, and the verdict over what they did.

The log is published beforehand, each event in its own time, and is worked off while things go wrong: so what
has to come out is what a run over the same file gives, contact by contact. How far the workers are is read
from the group's offsets, which are part of each transaction; faults strike at places in the log.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from loadtests.live import Live, Process
from loadtests.workload import events
from processor.core.time import format_time
from processor.language import load_topology
from processor.runtime.embedded import RunOptions, run
from processor.store import open_rocks

__all__ = ["PARTITIONS", "TEN", "Faulty", "Log", "Rounds", "by_contact", "embedded", "write_log"]

_RUNNING = 'trayecto_partition_state{{partition="{}",state="running"}}'
ROOT = Path(__file__).resolve().parents[2]
TEN = ROOT / "loadtests" / "topologies" / "ten"
PARTITIONS = 4
# Short, so that what has to be waited for is waited for in seconds.
SETTINGS = {
    "session_timeout_s": 6.0,
    "heartbeat_s": 0.5,
    "commit_timeout_s": 8.0,
    "transaction_timeout_s": 12.0,
    "request_timeout_s": 10.0,
    "rebalance_timeout_s": 20.0,
    "stop_timeout_s": 9.0,
}


def write_log(path: Path, count: int, contacts: int, seed: int = 7) -> Path:
    """Events of the ten programs; their append times are their own times, as the topic will have them."""
    with path.open("wb") as file:
        for event in events(count, contacts, seed=seed):
            file.write(msgspec.json.encode(event | {"appended_at": event["occurred_at"]}) + b"\n")
    return path


def embedded(base: Path, log: Path, until_ms: int, partitions: int) -> dict[str, list[bytes]]:
    """The lines of commands and decisions of a run over the file."""
    out = base / "embedded-out"
    run(
        RunOptions(
            topology=load_topology(TEN).topology,
            sources=(str(log),),
            state=base / "embedded-state",
            out=out,
            until_ms=until_ms,
            partitions=partitions,
            signals=False,
            sync=False,
        )
    )
    return {path.stem: path.read_bytes().splitlines() for path in out.glob("*.jsonl")}


def by_contact(lines: Sequence[bytes], until: str) -> dict[str, list[Any]]:
    """What was decided of each contact until an instant, in order."""
    found: dict[str, list[Any]] = {}
    for line in lines:
        item = json.loads(line)
        if item["decided_at"] < until:
            found.setdefault(item["contact_id"], []).append(item)
    return found


class Log(NamedTuple):
    """A log in two halves, and what a run over both gives until an instant."""

    halves: tuple[Path, Path]
    events: int
    until_ms: int
    expected: dict[str, list[bytes]]

    @classmethod
    def made(cls, base: Path, count: int, seed: int) -> Log:
        """Write one, of a contact for every eight events, and run it."""
        base.mkdir(parents=True, exist_ok=True)
        whole = write_log(base / "log.jsonl", count, count // 8, seed)
        lines = whole.read_bytes().splitlines(keepends=True)
        halves = base / "first.jsonl", base / "second.jsonl"
        halves[0].write_bytes(b"".join(lines[: count // 2]))
        halves[1].write_bytes(b"".join(lines[count // 2 :]))
        until_ms = int(time.time() * 1000)
        return cls(halves, count, until_ms, embedded(base, whole, until_ms, PARTITIONS))


class Faulty(Process):
    """A worker process with faults planted; see :mod:`tests.system.faulty`."""

    def __init__(
        self,
        rounds: Rounds,
        name: str,
        state: Path,
        *,
        faults: Sequence[dict[str, Any]],
        leave: bool,
        **settings: Any,
    ) -> None:
        number = len(rounds.workers)
        base = rounds.folder
        self.name, self.state = name, state
        self.owned: list[int] = []  # the partitions it had when it was told to stop
        self.log = base / f"{name}-{number}.log"
        self._port_file = base / f"{name}-{number}.port"
        path = base / f"{name}-{number}.json"
        given = {
            "topology": str(rounds.live.folder),
            "broker": rounds.live.settings.broker,
            "state": str(state),
            "name": name,
            "faults": list(faults),
            "leave": leave,
            "port_file": str(self._port_file),
            "settings": {**SETTINGS, **settings},
        }
        path.write_text(json.dumps(given))
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.faulty", str(path)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=out,
            )

    def running(self) -> list[int]:
        """The partitions that it works on."""
        return [n for n in range(PARTITIONS) if self.metrics().get(_RUNNING.format(n)) == 1]

    def wait_for(self, text: str, timeout_s: float = 60, times: int = 1) -> None:
        """Wait until its log holds a text. Raises AssertionError in time."""
        deadline = time.monotonic() + timeout_s
        while self.log.read_text().count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r}: {self.log.read_text()[-3000:]}"
            time.sleep(0.1)


class Rounds:
    """One topology on a broker with the log in its topics, and the workers started on it."""

    def __init__(
        self, folder: Path, broker: str, prefix: str, log: Log, seed: int, *, whole: bool = True
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = log
        self.rng = random.Random(seed)
        self.live = Live(folder / "topology", TEN, broker, f"{prefix}.", PARTITIONS)
        self.workers: list[Faulty] = []
        # In the group by name only. An AdminClient that is asked for its offsets while the broker is away
        # takes the whole process down (confluent-kafka 2.16.1).
        group = {"group.id": self.live.names.app, "enable.auto.commit": False, "log_level": 0}
        self._reader = Consumer({"bootstrap.servers": broker, **group})
        self.live.publish(log.halves[0])
        if whole:
            self.live.publish(log.halves[1])

    def worker(
        self,
        name: str = "w0",
        faults: Sequence[dict[str, Any]] = (),
        *,
        leave: bool = False,
        state: Path | None = None,
        **settings: Any,
    ) -> Faulty:
        """Start a worker."""
        made = Faulty(self, name, state or self.folder / name, faults=faults, leave=leave, **settings)
        self.workers.append(made)
        return made

    def done(self) -> float:
        """The share of the log that was worked off: 0 to 1."""
        wanted = [TopicPartition(topic, n) for topic in self.live.names.events for n in range(PARTITIONS)]
        try:
            found = self._reader.committed(wanted, timeout=5)
        except KafkaException:  # the broker is away, which is one of the faults
            return 0.0
        return sum(max(tp.offset, 0) for tp in found) / self.log.events

    def wait_done(self, share: float, timeout_s: float = 120) -> None:
        """Wait until so much of the log was worked off. Raises AssertionError in time."""
        deadline = time.monotonic() + timeout_s
        while (reached := self.done()) < share:
            assert time.monotonic() < deadline, f"{reached:.2f} of the log after {timeout_s} s: {self.said()}"
            time.sleep(0.05)

    def said(self) -> str:
        """The ends of the workers' logs."""
        return "\n".join(f"--- {one.log.name}\n{one.log.read_text()[-2000:]}" for one in self.workers[-3:])

    def finish(self, *workers: Faulty, timeout_s: float = 240) -> dict[str, int]:
        """Let workers come to the log's end, stop them, and return the verdict."""
        self.live.await_end(*workers, after_ms=self.log.until_ms, timeout_s=timeout_s)
        for worker in workers:
            worker.owned = worker.running()
        assert [worker.stop() for worker in workers] == [0] * len(workers), self.said()
        return self.verdict(workers)

    def verdict(self, workers: Sequence[Faulty]) -> dict[str, int]:
        """Compare commands and decisions with the run, and local states with the changelog.

        Returns:
            ``records`` and ``commands``, and what has to be 0: commands ``missing``, ``twice`` or
            ``unwanted``, contacts decided ``otherwise`` than in the run, ``wrong_rows`` of local states.
        """
        until = format_time(self.log.until_ms)
        total, missing, unwanted, twice = 0, 0, 0, 0
        otherwise: set[str] = set()
        for channel, topic in self.live.names.commands.items():
            lines = [line for _, line in self.live.lines(topic, "command")]
            ids = Counter(json.loads(line)["command_id"] for line in lines)
            got = by_contact(lines, until)
            wanted = by_contact(self.log.expected.get(f"commands.{channel}", []), until)
            named = {one["command_id"] for some in wanted.values() for one in some}
            total += sum(len(some) for some in got.values())
            missing += len(named - ids.keys())
            unwanted += len({one["command_id"] for some in got.values() for one in some} - named)
            twice += sum(times - 1 for times in ids.values())
            otherwise |= {name for name in got.keys() | wanted.keys() if got.get(name) != wanted.get(name)}
        lines = [line for _, line in self.live.lines(self.live.names.decisions, "decision")]
        got, wanted = by_contact(lines, until), by_contact(self.log.expected["decisions"], until)
        otherwise |= {name for name in got.keys() | wanted.keys() if got.get(name) != wanted.get(name)}
        return {
            "records": self.log.events,
            "commands": total,
            "missing": missing,
            "twice": twice,
            "unwanted": unwanted,
            "otherwise": len(otherwise),
            "wrong_rows": self._wrong_rows(workers),
        }

    def _wrong_rows(self, workers: Sequence[Faulty]) -> int:
        """How many rows of the states that workers owned at their end are not the changelog's."""
        logged: dict[int, dict[bytes, bytes]] = {number: {} for number in range(PARTITIONS)}
        for record in self.live.records(f"{self.live.names.app}-rows-changelog"):
            rows = logged[record.partition]
            key = record.key or b""
            if record.value is None:
                rows.pop(key, None)
            else:
                rows[key] = record.value
        wrong, seen = 0, set()
        for worker in workers:
            for number in worker.owned:
                seen.add(number)
                store = open_rocks(worker.state / f"partition-{number}", partitions=PARTITIONS)
                part = store.partition(number)
                names = part.contacts("", 10_000_000)
                local: dict[bytes, bytes | None] = {
                    b"r" + n.encode(): r for n, r in zip(names, part.get_many(names), strict=True)
                }
                local |= {b"s": part.shared(), b"p": store.position()}
                store.close()
                rows = logged[number]
                wrong += sum(local.get(key) != rows.get(key) for key in local.keys() | rows.keys())
        assert seen == set(range(PARTITIONS)), f"who owned the others? {seen}"
        return wrong

    def close(self) -> None:
        """End what still runs."""
        self._reader.close()
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
