"""Timers without a broker: memory with ten million waiting contacts, wake-ups a second, all at once.

- ``waiting``: what a process needs that has opened a state in which every contact waits; then the driver is
  moved on through time, with a commit for as many rows as the worker has in one, until enough timers have
  fired; then the index alone is popped, 2,000 entries a commit.
- ``nine``: every contact waits for one instant ("everyone at 09:00"), while events go on arriving at a steady
  rate of the wall clock. The worker's engine takes what has arrived, as a lane does, and commits to RocksDB.
  An event's delay is from its arrival to the commit that holds it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from loadtests.apart import memory_mb, memory_peak_mb
from loadtests.core import TOPOLOGY
from loadtests.prefilled import GROWN_MS, PARTITIONS, fill, name_of, rows_of, templates
from loadtests.workload import DAY_MS, DAYS, events
from processor.codec.events import decode_event
from processor.codec.records import Encoder
from processor.codec.registry import FileSchemas
from processor.core.events import Event
from processor.core.model import Topology
from processor.core.rows import due_ms_of
from processor.core.time import format_time
from processor.core.topics import topic_names
from processor.language import load_topology
from processor.runtime.driver import Driver
from processor.runtime.faust.deciding import ROWS_HELD_MAX, Deciding, Deployed
from processor.runtime.garbage import few_collections
from processor.runtime.kafka.topics import subjects
from processor.runtime.partition import SLICE
from processor.store import NEVER_MS, Changes, RocksStore, open_rocks

__all__ = ["NINE_MS", "TEMPLATES", "fill_nine", "fill_waiting", "measure_nine", "measure_waiting"]

TEMPLATES = 4_000
NINE_MS = GROWN_MS + 9 * 3_600_000
BEFORE_S, AFTER_S = 3, 5  # events arrive before the instant, and after the last timer has fired
CHUNK = 2_000
GRACE_MS = 2_000
_TIMEOUT_S = 600

_encode = msgspec.json.Encoder().encode


def _topology() -> Topology:
    topology: Topology = load_topology(TOPOLOGY).topology
    return topology


def fill_waiting(folder: Path, contacts: int) -> dict[str, Any]:
    """Make a state of contacts that all wait, for the workload's reasons and instants."""
    rows = [row for row in templates(_topology(), TEMPLATES) if due_ms_of(row)]
    return fill(folder, contacts, rows)


def measure_waiting(folder: Path, wakeups: int) -> dict[str, Any]:
    """Open what :func:`fill_waiting` made; fire ``wakeups`` timers, then pop as many from the index alone."""
    topology, empty_mb = _topology(), memory_mb()
    store = open_rocks(folder, partitions=PARTITIONS, sync=False)
    driver = Driver(topology, store, PARTITIONS, rows_held_max=ROWS_HELD_MAX)
    open_mb = memory_mb()
    with few_collections():
        figures = _drive(driver, store, wakeups)
        figures |= {"memory_peak_mb": round(memory_peak_mb())}
        popped, seconds = _pop(store, wakeups)
    store.close()
    return {
        "memory_before_mb": round(empty_mb),
        "memory_open_mb": round(open_mb),
        **figures,
        "index_alone_wakeups_per_second": round(popped / seconds),
        "memory_peak_with_index_alone_mb": round(memory_peak_mb()),
    }


def _drive(driver: Driver, store: RocksStore, wakeups: int) -> dict[str, Any]:
    fired = commits = commands = decisions = 0
    began, cpu = time.perf_counter(), time.process_time()
    ended = False
    while fired < wakeups and not ended:
        acted = driver.acted
        ended = driver.move_some(GROWN_MS + DAYS * DAY_MS)
        fired += driver.acted - acted
        taken = driver.take()
        store.commit(taken.changes, b"")
        driver.committed()
        commits += 1
        commands += len(taken.commands)
        decisions += len(taken.decisions)
        assert not taken.failures
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {
        "wakeups": fired,
        "wakeups_per_second": round(fired / seconds),
        "wakeups_per_cpu_second": round(fired / cpu_s),
        "wakeups_per_commit": round(fired / commits),
        "commands_per_wakeup": round(commands / fired, 3),
        "decisions_per_wakeup": round(decisions / fired, 2),
    }


def _pop(store: RocksStore, wakeups: int) -> tuple[int, float]:
    """Pop the index as the driver does, without rows, which stay as they are: the state is spoilt."""
    popped, began = 0, time.perf_counter()
    partition = store.partition(0)
    while popped < wakeups and (entries := partition.due(NEVER_MS, None, SLICE)):
        store.commit({0: Changes(timers={contact: (due_ms, 0) for due_ms, contact in entries})}, b"")
        partition.next_due()
        popped += len(entries)
    return popped, time.perf_counter() - began


# --- everyone at 09:00


def fill_nine(folder: Path, contacts: int) -> dict[str, Any]:
    """Make a state of contacts that all wait for :data:`NINE_MS`, for a webinar of the next day."""
    rows = rows_of(_topology(), _registrations(TEMPLATES), GROWN_MS)
    rows = [row for row in rows if due_ms_of(row) == NINE_MS]
    assert len(rows) > TEMPLATES * 0.9, "all but the holdout wait for the instant"
    return fill(folder, contacts, rows, 1)


def _registrations(count: int) -> Iterator[Event]:
    starts = format_time(NINE_MS + 86_400_000)
    webinar = {"webinar": "webinar-1", "starts": starts, "session": "s" * 32, "agent": "Mozilla/5.0"}
    for number in range(count):
        profile = {"email": f"{number}@people.example", "tz": "Europe/London", "plan": "free"}
        yield _event(number, "profile_updated", profile)
        yield _event(number, "consent_granted", {"purpose": "marketing"})
        yield _event(number, "webinar_registered", webinar)


def _event(number: int, kind: str, properties: dict[str, Any]) -> Event:
    at = format_time(GROWN_MS - 3_600_000 + number)
    body = {"event_id": f"{kind}-{number}", "contact_id": name_of(number), "type": kind, "occurred_at": at}
    event = decode_event(_encode({**body, "properties": properties}))
    assert isinstance(event, Event)
    return event


class _Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def _arriving(count: int, contacts: int) -> list[tuple[bytes, bytes]]:
    """Key and value of what will arrive: the workload, without the event whose program waits for 09:00."""
    made = events(count, contacts, begin_ms=NINE_MS - 1000, days=1 / 86_400, known=True)
    return [
        (event["contact_id"].encode(), _encode(event))
        for event in made
        if event["type"] != "webinar_registered"
    ]


def measure_nine(folder: Path, rate: int, contacts: int) -> dict[str, Any]:
    """Let events arrive at ``rate`` a second while the contacts of :func:`fill_nine` wake up."""
    topology = _topology()
    names, source = topic_names(topology), FileSchemas()
    encoders = {
        topic: Encoder(subject, source.head(topic, subject)) for topic, subject in subjects(topology).items()
    }
    store = open_rocks(folder, partitions=1, sync=False)
    engine = Deciding(
        Deployed(topology, names, source, encoders), 0, 1, store, grace_ms=GRACE_MS, now_ms=lambda: GROWN_MS
    )
    arriving = _arriving(rate * 30, contacts)
    with few_collections():
        run = _Nine(engine, names.events[0], arriving, rate)
        run.go()
    store.close()
    delays = sorted(run.delays_s)
    storm_s = run.last_fired_s - BEFORE_S
    return {
        "events_per_second": rate,
        "events": len(delays),
        "wakeups": run.fired,
        "storm_seconds": round(storm_s, 1),
        "wakeups_per_second": round(run.fired / max(storm_s, 0.001)),
        "delay_median_s": round(delays[len(delays) // 2], 3),
        "delay_longest_s": round(delays[-1], 3),
        "memory_peak_mb": round(memory_peak_mb()),
    }


class _Nine:
    """The loop of a lane over a clock of its own: 0 s is three seconds before the watermark is at 09:00."""

    def __init__(
        self, engine: Deciding, topic: str, arriving: Sequence[tuple[bytes, bytes]], rate: int
    ) -> None:
        self.delays_s: list[float] = []
        self.fired = 0
        self.last_fired_s = float(BEFORE_S)
        self._engine, self._topic, self._arriving, self._rate = engine, topic, arriving, rate
        self._done = 0

    def go(self) -> None:
        """Run until nothing has fired for a while."""
        began = time.perf_counter()
        while True:
            now_s = time.perf_counter() - began
            if now_s > max(self.last_fired_s, BEFORE_S) + AFTER_S or now_s > _TIMEOUT_S:
                return
            upto = min(int(now_s * self._rate), self._done + CHUNK)
            idle = upto == self._done
            if idle:
                works = self._engine.idle(self._at_ms(now_s) - GRACE_MS)
            else:
                works = self._engine.records([self._record(number) for number in range(self._done, upto)])
            for work in works:
                work.write(0)
                fired = self._engine.tally.commands.get(("email", "webinar"), 0)  # one for each that woke up
                passed_s = time.perf_counter() - began
                if fired > self.fired:
                    self.fired, self.last_fired_s = fired, passed_s
                if idle and int(passed_s * self._rate) > self._done:
                    break  # as a lane does: records have come
            ended_s = time.perf_counter() - began
            self.delays_s += [ended_s - number / self._rate for number in range(self._done, upto)]
            self._done = upto

    def _at_ms(self, elapsed_s: float) -> int:
        return NINE_MS + GRACE_MS + int((elapsed_s - BEFORE_S) * 1000)

    def _record(self, number: int) -> _Record:
        key, value = self._arriving[number % len(self._arriving)]
        return _Record(self._topic, 0, number, self._at_ms(number / self._rate), key, value)
