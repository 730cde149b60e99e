"""The worker's engine, without a broker: over the same log it decides what a run over a file decides.

However the log is cut into batches, whenever the engine is thrown away and made anew from its store, or from
one that was restored from the changelog.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from loadtests.workload import events
from processor.codec.frames import confluent_head
from processor.codec.murmur2 import partition_of
from processor.codec.records import Decoder, Encoder, event_line
from processor.codec.registry import FileSchemas
from processor.codec.schemas import schema
from processor.codec.sizes import OUTPUT_BYTES_MAX
from processor.codec.wire import EventDecoder
from processor.core.events import Event
from processor.core.time import format_time, parse_time
from processor.core.topics import TopicNames, topic_names
from processor.language import load_topology
from processor.runtime.embedded import RunOptions, run
from processor.runtime.faust.deciding import Deciding, Deployed
from processor.runtime.faust.engine import Output
from processor.runtime.kafka.topics import subjects
from processor.store import open_rocks
from processor.store.changelog import encode_mark, restore
from tests.runtime.harness import GALLERY_FOLDERS, scenario_log

ROOT = Path(__file__).resolve().parents[3]
TEN = ROOT / "loadtests" / "topologies" / "ten"
GRACE_MS = 2_000


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Live:
    """Engines of all partitions over stores on disk, with the topics as lists."""

    def __init__(self, base: Path, folder: Path, partitions: int) -> None:
        self.topology = load_topology(folder).topology
        self.names: TopicNames = topic_names(self.topology)
        self.base = base
        self.partitions = partitions
        source = FileSchemas()
        made = {
            topic: Encoder(subject, source.head(topic, subject))
            for topic, subject in subjects(self.topology).items()
        }
        self.deployed = Deployed(self.topology, self.names, source, made)
        self.logs: dict[tuple[str, int], list[Record]] = {}
        self.changelogs: dict[int, list[tuple[bytes, bytes | None]]] = {}
        self.folders = dict.fromkeys(range(partitions), "first")
        self.stores = {number: self._open(number, "first") for number in range(partitions)}
        self.engines = {number: self._engine(number) for number in range(partitions)}

    def _open(self, number: int, name: str) -> Any:
        return open_rocks(self.base / f"{name}-{number}", partitions=self.partitions, sync=False)

    def _engine(self, number: int) -> Deciding:
        store = self.stores[number]
        return Deciding(
            self.deployed, number, self.partitions, store, grace_ms=GRACE_MS, now_ms=lambda: 1_800_000_000_000
        )

    def anew(self, number: int, *, restored: bool) -> None:
        """Throw an engine away, and its store too where it is to be restored from the changelog."""
        self.stores[number].close()
        if restored:
            self.folders[number] = f"restored-{len(self.changelogs[number])}"
            store = self._open(number, self.folders[number])
            records = self.changelogs[number]
            for begin in range(0, len(records), 700):
                restore(store, number, records[begin : begin + 700], encode_mark(begin, 1))
        else:
            store = self._open(number, self.folders[number])
        self.stores[number] = store
        self.engines[number] = self._engine(number)

    def append(self, topic: str, number: int, key: bytes | None, value: bytes | None, at_ms: int) -> Record:
        log = self.logs.setdefault((topic, number), [])
        record = Record(topic, number, len(log), at_ms, key, value)
        log.append(record)
        return record

    def feed(self, batch: list[Record]) -> None:
        """One batch of one partition; what it sends to source topics comes next, as the log has it."""
        number = batch[0].partition
        sent: list[Output] = []
        for work in self.engines[number].records(batch):
            sent += self._commit(number, work)
        self._deliver(sent, batch[-1].timestamp)

    def idle(self, watermark_ms: int) -> None:
        for number in range(self.partitions):
            sent: list[Output] = []
            for work in self.engines[number].idle(watermark_ms):
                sent += self._commit(number, work)
            self._deliver(sent, watermark_ms)

    def _commit(self, number: int, work: Any) -> list[Output]:
        changelog = self.changelogs.setdefault(number, [])
        changelog.extend(work.changelog)
        sources = {*self.names.events, self.names.internal}
        for output in work.produce:
            if output.topic not in sources:
                assert output.partition is not None
                self.append(output.topic, output.partition, output.key, output.value, 0)
        work.write(len(changelog))
        return [output for output in work.produce if output.topic in sources]

    def _deliver(self, sent: list[Output], at_ms: int) -> None:
        for output in sent:
            assert output.partition is not None
            self.feed([self.append(output.topic, output.partition, output.key, output.value, at_ms)])

    def lines(self, topics: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
        """What stands in these topics (topic -> subject), by contact and topic, in order."""
        found: dict[str, list[dict[str, Any]]] = {}
        for topic, subject in topics.items():
            decoder = Decoder(subject, FileSchemas())
            line = Encoder(subject, b"").encode
            for number in range(self.partitions):
                for record in self.logs.get((topic, number), ()):
                    item = json.loads(line(decoder.decode(record.value)))
                    found.setdefault(f"{topic}/{item['contact_id']}", []).append(item)
        return found


def embedded(base: Path, folder: Path, lines: list[bytes], until_ms: int, live: Live) -> dict[str, Any]:
    log = base / "log.jsonl"
    log.write_bytes(b"\n".join(lines))
    run(
        RunOptions(
            topology=load_topology(folder).topology,
            sources=(str(log),),
            state=base / "state",
            out=base / "out",
            until_ms=until_ms,
            partitions=live.partitions,
            signals=False,
            sync=False,
        )
    )
    found: dict[str, list[Any]] = {}
    for path in (base / "out").glob("*.jsonl"):
        kind, _, channel = path.stem.partition(".")
        topic = live.names.commands[channel] if channel else live.names.decisions
        if kind in ("commands", "decisions"):
            for line in path.read_bytes().splitlines():
                item = json.loads(line)
                found.setdefault(f"{topic}/{item['contact_id']}", []).append(item)
    return found


# A budget answers over the internal topic, here after any lag and in a run at once: with several partitions
# its sends are decided at instants of the log that a run over the events alone does not have.
BUDGETS = {"next-best-offer"}
CASES = [
    pytest.param(folder, partitions, id=f"{folder.name}-{partitions}")
    for folder in (TEN, *GALLERY_FOLDERS)
    for partitions in (1, 4)
    if partitions == 1 or folder.name not in BUDGETS
]


@pytest.mark.parametrize(("folder", "partitions"), CASES)
def test_it_decides_what_a_run_decides(tmp_path: Path, folder: Path, partitions: int) -> None:
    rng = random.Random(5)
    published = list(events(2_500, 300)) if folder == TEN else scenario_log(load_topology(folder))
    live = Live(tmp_path, folder, partitions)
    topic = live.names.events[0]
    pending: dict[int, list[Record]] = {}
    for event in published:
        contact, at_ms = event["contact_id"], parse_time(event["occurred_at"])
        number = partition_of(contact, partitions)
        value = msgspec.json.encode(event)
        pending.setdefault(number, []).append(live.append(topic, number, contact.encode(), value, at_ms))
        if rng.random() < 0.05:
            chosen = rng.choice(list(pending))
            live.feed(pending.pop(chosen))
            if rng.random() < 0.3:
                live.anew(chosen, restored=rng.random() < 0.5)
    for number in list(pending):
        live.feed(pending.pop(number))
    until_ms = parse_time(published[-1]["occurred_at"]) + 40 * 86_400_000
    live.idle(until_ms)
    stamped = [msgspec.json.encode(event | {"appended_at": event["occurred_at"]}) for event in published]
    expected = embedded(tmp_path, folder, stamped, until_ms, live)
    topics = dict.fromkeys(live.names.commands.values(), "command") | {live.names.decisions: "decision"}
    assert live.lines(topics) == expected
    assert expected, "something is decided"


def test_records_that_are_no_events_or_lie_elsewhere(tmp_path: Path) -> None:
    live = Live(tmp_path, TEN, 4)
    topic = live.names.events[0]
    at_ms = parse_time("2026-01-05T10:00:00Z")
    contact = "contact-1"
    home = partition_of(contact, 4)
    other = (home + 1) % 4
    good = {
        "event_id": "e-1",
        "contact_id": contact,
        "type": "page_viewed",
        "occurred_at": format_time(at_ms),
        "properties": {"url": "/", "referrer": "", "agent": "", "session": "", "seconds": 9},
    }
    value = msgspec.json.encode(good)
    strange: list[tuple[bytes | None, bytes | None]] = [
        (contact.encode(), None), (b"k", b"\xff\xfe"), (None, b"{}"), (b"k", b"\0\0\0\0\7abc"),
        (contact.encode(), msgspec.json.encode(good | {"type": "nothing_like_it"})),
        (contact.encode(), msgspec.json.encode(good | {"contact_id": ""})),
        (contact.encode(), msgspec.json.encode(good | {"occurred_at": "9999-01-01T00:00:00Z"})),
        (contact.encode(), b"x" * 5_000_000),
    ]  # fmt: skip
    for key, raw in strange:
        live.feed([live.append(topic, home, key, raw, at_ms)])
    live.feed([live.append(topic, other, contact.encode(), value, at_ms)])  # placed by another partitioner
    live.feed([live.append(topic, home, None, msgspec.json.encode(good | {"event_id": "e-2"}), at_ms)])
    letters = live.logs[live.names.dead_letters, home]
    assert len(letters) == len(strange)
    assert [letter.key for letter in letters] == [key for key, _ in strange]
    decoded = [Decoder("dead-letter", FileSchemas()).decode(letter.value) for letter in letters]
    assert [(one.topic, one.partition, one.offset) for one in decoded] == [
        (topic, home, offset) for offset in range(len(strange))
    ]
    assert {one.reason for one in decoded} >= {"tombstone", "unknown_format", "no_registry", "too_large"}
    tallies = {number: engine.tally for number, engine in live.engines.items()}
    assert (tallies[other].forwarded, tallies[home].forwarded) == (1, 0)
    assert tallies[home].events == {"page_viewed": 2}
    assert tallies[home].misplaced_keys == 1


def test_an_event_reads_as_it_was_written() -> None:
    event = Event("e", "c", "page_viewed", 1_772_357_400_000, {"url": "/"}, b"12345678")
    assert json.loads(event_line(event))["properties"] == {"url": "/"}


def decided(folder: Path, published: list[dict[str, Any]], broken: str = "", fault: str = "") -> Any:
    # The log in batches of 100 and 40 quiet days; commands for `broken` cannot go out.
    folder.mkdir()
    live = Live(folder, TEN, 1)

    def breaking(encode: Any) -> Any:
        def made(command: Any) -> bytes:
            if command.contact_id != broken:
                return bytes(encode(command))
            if fault == "too large":
                command.values = {"x": "x" * OUTPUT_BYTES_MAX}
                return bytes(encode(command))
            return "\ud800".encode()  # half a character, as a text cut in the middle may end

        return made

    for channel, (topic, encode) in live.deployed.commands.items():
        live.deployed.commands[channel] = (topic, breaking(encode))
    topic = live.names.events[0]
    batch = [
        live.append(
            topic, 0, one["contact_id"].encode(), msgspec.json.encode(one), parse_time(one["occurred_at"])
        )
        for one in published
    ]
    for begin in range(0, len(batch), 100):
        live.feed(batch[begin : begin + 100])
    live.idle(parse_time(published[-1]["occurred_at"]) + 40 * 86_400_000)
    return live, live.lines(dict.fromkeys(live.names.commands.values(), "command"))


@pytest.mark.parametrize(
    ("fault", "said"), [("too large", "OutputTooLargeError"), ("cannot be written", "UnicodeEncodeError")]
)
def test_an_output_that_cannot_go_out_fails_its_input_and_stops_nothing(
    tmp_path: Path, fault: str, said: str
) -> None:
    published = list(events(800, 60))
    _, good = decided(tmp_path / "good", published)
    broken = next(iter(good)).rpartition("/")[2]
    live, bad = decided(tmp_path / "bad", published, broken, fault)
    assert bad == {key: found for key, found in good.items() if not key.endswith("/" + broken)}
    decoder = Decoder("dead-letter", FileSchemas())
    letters = [decoder.decode(record.value) for record in live.logs[live.names.dead_letters, 0]]
    assert letters
    assert all(letter.reason == "failed" and said in letter.message for letter in letters)
    of_events = [json.loads(letter.raw) for letter in letters if letter.topic == live.names.events[0]]
    assert of_events
    assert {one["contact_id"] for one in of_events} == {broken}
    # The row is as if the event had never been: it counts when it comes again and can go out.
    live.deployed.commands.update(Live(tmp_path / "fresh", TEN, 1).deployed.commands)
    at_ms = parse_time(published[-1]["occurred_at"]) + 41 * 86_400_000
    again = of_events[-1] | {"occurred_at": format_time(at_ms)}
    live.feed([live.append(live.names.events[0], 0, broken.encode(), msgspec.json.encode(again), at_ms)])
    kinds = live.lines({live.names.decisions: "decision"})[f"{live.names.decisions}/{broken}"]
    assert "duplicate" not in {one["kind"] for one in kinds}


class Slow(FileSchemas):
    # Knows registry ids once they were fetched.
    has_ids = True

    def __init__(self) -> None:
        self.fetched: list[Any] = []

    def peek(self, key: Any) -> Any:
        return schema("event") if key in self.fetched else None

    def fetch(self, key: Any) -> None:
        self.fetched.append(key)


def test_schemas_of_a_batch_are_asked_for_before_it_is_read_and_once(tmp_path: Path) -> None:
    live = Live(tmp_path, TEN, 1)
    source = Slow()
    live.deployed.events, live.deployed.fetch = EventDecoder(source), source.fetch
    (event,) = events(1, 1)
    text = msgspec.json.encode(event["properties"]).decode()
    at_ms = parse_time(event["occurred_at"])
    made = Event("e", event["contact_id"], event["type"], at_ms, json.loads(text), b"12345678")
    values = [Encoder("event", confluent_head(number)).encode(made) for number in (5, 6, 5)]
    topic = live.names.events[0]
    batch = [live.append(topic, 0, event["contact_id"].encode(), value, at_ms) for value in values]
    engine = live.engines[0]
    assert engine.lacking(batch)
    assert source.fetched == []  # only `ask` asks: it is called in a thread
    engine.ask()
    assert source.fetched == [5, 6]
    assert not engine.lacking(batch)
    live.feed(batch)
    assert sum(engine.tally.events.values()) == 3
    assert source.fetched == [5, 6]
