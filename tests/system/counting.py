"""An engine that counts, the events it counts, and a worker process that runs it.

Every row keeps a count, a score and a running checksum of the event ids in their order, so that an event
lost, counted twice or taken out of order shows. Some events yield a command; with timers on, some set one
that yields another.

    python -m tests.system.counting SETTINGS.json
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from processor.core.rows import ROW_VERSION
from processor.runtime.faust import Output, SourceRecord, WorkerSettings, run_worker
from processor.runtime.faust.commit import STEPS
from processor.runtime.faust.engine import (
    POSITION_KEY,
    ROW_PREFIX,
    SHARED_KEY,
    decode_positions,
    encode_positions,
)
from processor.store import Changes, RocksStore
from processor.store.changelog import encode_mark

TYPES = ["email_open", "email_click", "page_view", "download", "cart_abandoned", "purchase"]
POINTS = {
    "email_open": 1,
    "email_click": 3,
    "page_view": 1,
    "download": 10,
    "cart_abandoned": 5,
    "purchase": 20,
}
COMMAND_ON = {"cart_abandoned", "download", "email_click"}
TIMER_ON = "cart_abandoned"
SCHEMA: Any = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Event",
        "fields": [
            {"name": "event_id", "type": "string"},
            {"name": "contact_id", "type": "string"},
            {"name": "type", "type": {"type": "enum", "name": "T", "symbols": TYPES}},
            {"name": "ts", "type": "long"},
            {"name": "props", "type": {"type": "map", "values": "string"}},
        ],
    }
)
TIMERS_PER_WORK = 500


class Row(msgspec.Struct):
    """What is counted of a contact. ``due_ms`` is when its timer is due, 0: there is none."""

    clock_ms: int = 0
    due_ms: int = 0
    count: int = 0
    score: int = 0
    order: int = 0
    fired: int = 0


HEAD = struct.Struct("<Bqqq")  # that of a contact's row (version, clock, activity, timer): a restore reads it
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[int, int, int, int]).decode


def encode_row(row: Row) -> bytes:
    """Write a row: the head, then count, score, order and how many timers fired."""
    body = _pack((row.count, row.score, row.order, row.fired))
    return HEAD.pack(ROW_VERSION, row.clock_ms, 0, row.due_ms) + body


def decode_row(data: bytes) -> Row:
    """Read a row."""
    _, clock_ms, _, due_ms = HEAD.unpack_from(data)
    return Row(clock_ms, due_ms, *_unpack(data[HEAD.size :]))


_json = msgspec.json.Encoder().encode


def decode_event(value: bytes) -> dict[str, Any]:
    """Read an event: five bytes of framing, then Avro."""
    body = io.BytesIO(value)
    body.seek(5)
    event: Any = fastavro.schemaless_reader(body, SCHEMA, None)
    return event  # type: ignore[no-any-return]


def encode_event(number: int, contact: str, kind: str, rng: random.Random) -> bytes:
    """Write event `number` of a contact."""
    out = io.BytesIO()
    out.write(b"\0" + struct.pack(">I", 1))
    event = {
        "event_id": f"e{number:010d}",
        "contact_id": contact,
        "type": kind,
        "ts": 1_700_000_000_000 + number * 10,
        "props": {"url": f"/p/{rng.randrange(1000)}", "campaign": "spring"},
    }
    fastavro.schemaless_writer(out, SCHEMA, event)
    return out.getvalue()


class CountingWork:
    """One work of the counting engine."""

    def __init__(self, engine: CountingEngine, produce: list[Output]) -> None:
        self.produce = produce
        self._engine = engine
        self.positions: Mapping[str, int] = dict(engine.positions)
        self._position = encode_positions(self.positions)
        self._rows = {name: encode_row(row) for name, (row, _) in engine.touched.items()}
        self._timers = {name: (due, row.due_ms) for name, (row, due) in engine.touched.items()}
        self._shared = _json(engine.shared)
        self.changelog: list[tuple[bytes, bytes | None]] = [
            *((ROW_PREFIX + name.encode(), data) for name, data in self._rows.items()),
            (SHARED_KEY, self._shared),
            (POSITION_KEY, self._position),
        ]

    def write(self, changelog_offset: int) -> None:
        engine = self._engine
        changes = Changes(dict(self._rows), self._timers, self._shared)
        mark = encode_mark(changelog_offset, engine.settings.now_ms())
        engine.store.commit({engine.number: changes}, self._position, mark)
        engine.touched = {}


class CountingEngine:
    """Counts; see the module. ``timer_ms`` is how long after an append a timer is due, 0: no timers."""

    def __init__(self, settings: WorkerSettings, number: int, store: RocksStore, timer_ms: int) -> None:
        self.settings = settings
        self.number = number
        self.store = store
        self.part = store.partition(number)
        self.timer_ms = timer_ms
        self.positions = decode_positions(store.position())
        self.shared = json.loads(self.part.shared() or b'{"events": 0}')
        self.touched: dict[str, tuple[Row, int]] = {}
        self.commands = f"{settings.app}-commands"

    def _load(self, names: Sequence[str]) -> None:
        missing = [name for name in dict.fromkeys(names) if name not in self.touched]
        for name, data in zip(missing, self.part.get_many(missing), strict=True):
            row = Row() if data is None else decode_row(data)
            self.touched[name] = (row, row.due_ms)

    def records(self, batch: Sequence[SourceRecord]) -> Iterator[CountingWork]:
        self._load([(record.key or b"").decode() for record in batch])
        commands = []
        for record in batch:
            assert record.value is not None
            assert record.key is not None
            event = decode_event(record.value)
            row, _ = self.touched[record.key.decode()]
            row.count += 1
            row.score += POINTS[event["type"]]
            row.order = zlib.crc32(event["event_id"].encode(), row.order)
            row.clock_ms = event["ts"]
            if event["type"] in COMMAND_ON:
                body = {"contact": event["contact_id"], "id": event["event_id"]}
                commands.append(Output(self.commands, self.number, record.key, _json(body)))
            if self.timer_ms and event["type"] == TIMER_ON and not row.due_ms:
                row.due_ms = record.timestamp + self.timer_ms
            self.positions[record.topic] = record.offset + 1
        self.shared["events"] += len(batch)
        yield CountingWork(self, commands)

    def idle(self, watermark_ms: int) -> Iterator[CountingWork]:
        while due := self.part.due(watermark_ms, None, TIMERS_PER_WORK):
            self._load([name for _, name in due])
            commands = []
            for due_ms, name in due:
                row, _ = self.touched[name]
                assert row.due_ms == due_ms
                row.due_ms = 0
                row.fired += 1
                body = {"contact": name, "id": f"timer-{name}-{row.fired}", "due": due_ms}
                commands.append(Output(self.commands, self.number, name.encode(), _json(body)))
            yield CountingWork(self, commands)


def strike(action: str) -> None:
    """Send this process SIGKILL or SIGSTOP."""
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[action])


def fault_hook(faults: Sequence[dict[str, Any]], act: Callable[[str], None] = strike) -> Any:
    """Return a hook that lets things go wrong.

    Each fault has a ``step``, a number ``nth`` (at which time of that step, over all partitions) and an
    ``action``: "kill" and "stop" strike this process, "raise" is a time-out.
    """
    assert all(fault["step"] in STEPS for fault in faults)
    seen = dict.fromkeys(STEPS, 0)

    def hook(step: str, partition: int) -> None:
        seen[step] += 1
        for fault in faults:
            if fault["step"] == step and fault["nth"] == seen[step]:
                if fault["action"] == "raise":
                    raise TimeoutError("planted")
                act(fault["action"])

    return hook


def main(path: str) -> None:
    """Run a worker as the JSON file says."""
    config = json.loads(Path(path).read_text())
    timer_ms = config.pop("timer_ms", 0)
    leave, loglevel = config.pop("leave", False), config.pop("loglevel", "INFO")
    mutation = config.pop("mutation", "")
    if faults := config.pop("faults", None):
        config["hook"] = fault_hook(faults)
    config["sources"] = tuple(config["sources"])
    settings = WorkerSettings(**{**config, "state": Path(config["state"])})
    if mutation:
        from tests.system.mutations import MUTATIONS

        MUTATIONS[mutation]()
    run_worker(
        settings,
        lambda number, store: CountingEngine(settings, number, store, timer_ms),
        leave=leave,
        loglevel=loglevel,
    )


if __name__ == "__main__":
    main(sys.argv[1])
