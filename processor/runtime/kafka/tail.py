"""Reading Trayecto's topics for people and scripts: what was committed, each record as its JSON line.

Nothing is committed and no group is joined: partitions are assigned by hand, so reading disturbs nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from processor.codec.events import Refusal
from processor.codec.records import JSON_HEAD, Decoder, Encoder
from processor.codec.registry import SchemaSource
from processor.codec.wire import EventDecoder
from processor.runtime.kafka.clients import Trouble, cluster, connect, explain
from processor.runtime.kafka.errors import KafkaDown, KafkaRefused
from processor.runtime.kafka.settings import KafkaSettings

__all__ = [
    "LAST_MAX",
    "Lines",
    "Record",
    "last_of_keys",
    "log_bounds",
    "log_firsts",
    "read_all",
    "read_last",
    "read_one",
    "read_partition",
]

LAST_MAX: Final = 100_000  # records that `read_last` holds in memory

_BATCH: Final = 1000
_POLL_S: Final = 0.2
_QUEUE_KBYTES: Final = 16 * 1024


class Record(msgspec.Struct, frozen=True):
    """One record as it stands in its topic. ``timestamp_ms`` is 0 where it has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None

    @property
    def place(self) -> str:
        """Where it stands, as commands take it: partition:offset."""
        return f"{self.partition}:{self.offset}"


class Lines:
    """Turns the records of topics that hold one subject into lines of JSON."""

    def __init__(self, subject: str, source: SchemaSource) -> None:
        self._decoder: EventDecoder | Decoder = (
            EventDecoder(source) if subject == "event" else Decoder(subject, source)
        )
        self._encode = Encoder(subject, JSON_HEAD).encode

    def item(self, record: Record) -> Any:
        """Return what the record holds, or a Refusal. Raises RegistryUnavailable."""
        return self._decoder.read(record.value, record.timestamp_ms)

    def line(self, record: Record) -> bytes | Refusal:
        """Return the line that `run` would write to a file. Raises RegistryUnavailable."""
        found = self.item(record)
        return found if isinstance(found, Refusal) else self._encode(found)


class _Reader:
    """A consumer of all partitions of some topics."""

    def __init__(self, settings: KafkaSettings, topics: Iterable[str]) -> None:
        self._settings = settings
        self._trouble = Trouble()
        config: dict[str, Any] = {
            "group.id": f"{settings.client_id}-tail",  # has to be there, and is not joined
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": _QUEUE_KBYTES,
            "fetch.wait.max.ms": 100,  # the end is known only when a fetch has waited for more
        }
        self.consumer: Consumer = connect(Consumer, settings, config, self._trouble)
        self.partitions = self._find(topics)
        self.ended: set[tuple[str, int]] = set()

    def close(self) -> None:
        self.consumer.close()

    def start(self, offsets: Iterable[TopicPartition]) -> None:
        self.ended.clear()
        self.consumer.assign(list(offsets))

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The first offset, and the next that will be written."""
        timeout = self._settings.timeout_s
        found: tuple[int, int] = explain(
            lambda: self.consumer.get_watermark_offsets(partition, timeout=timeout),
            self._settings,
            self._trouble,
            f"topic {partition.topic}",
        )
        return found

    def take(self) -> Iterator[Record]:
        """Yield what has come, perhaps nothing; notes which partitions are at their end."""
        for message in self.consumer.consume(_BATCH, _POLL_S):
            error = message.error()
            place: tuple[Any, Any] = (message.topic(), message.partition())
            if error is None:
                self.ended.discard(place)
                kind, at_ms = message.timestamp()
                offset: Any = message.offset()
                yield Record(*place, offset, at_ms if kind else 0, message.key(), message.value())
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is its name
                self.ended.add(place)
            elif not error.retriable():
                raise KafkaRefused(f"topic {place[0]}: Kafka says no ({error.name()}): {error.str()}")

    def _find(self, topics: Iterable[str]) -> list[tuple[str, int]]:
        seen = cluster(self.consumer, self._settings, self._trouble).topics
        made = []
        for topic in topics:
            if topic not in seen or seen[topic].error is not None:
                raise KafkaRefused(f"there is no topic {topic}: make it with trayecto topics create")
            made += [(topic, number) for number in sorted(seen[topic].partitions)]
        return made

    def ask(self) -> None:
        """Raise KafkaDown if the cluster is not there: nothing coming may also mean that there is nothing."""
        cluster(self.consumer, self._settings, self._trouble)

    def silent(self) -> KafkaDown:
        """What to raise where something had to come, and did not."""
        why = self._trouble.last or "it does not say why"
        return KafkaDown(
            f"Kafka at {self._settings.broker} does not give out its records ({why}): check that every "
            "partition has a leader"
        )


def _quiet_rounds(settings: KafkaSettings) -> int:
    return max(1, int(settings.timeout_s / _POLL_S))


def read_all(
    settings: KafkaSettings,
    topics: Iterable[str],
    *,
    follow: bool = False,
    new: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Record]:
    """Yield the committed records of topics from their beginning; in order within a partition.

    Without ``follow`` it ends where the topics ended when it began: who answers records with further ones in
    the same topic, as a replay of dead letters whose cause is not mended does, would else never be done.

    Args:
        settings: of the connection.
        topics: which; they have to be there.
        follow: go on when the end is reached, until ``stopped`` says so.
        new: only what is written from now on.
        stopped: whether to end.

    Raises:
        KafkaDown: there was no answer for as long as the settings say.
        KafkaRefused: there is no such topic, or we may not read it.
    """
    reader = _Reader(settings, topics)
    try:
        parts = [TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in reader.partitions]
        if new:
            parts = [TopicPartition(one.topic, one.partition, reader.bounds(one)[1]) for one in parts]
        ends = None
        if not follow:
            ends = {(one.topic, one.partition): reader.bounds(one)[1] for one in parts}
        reader.start(parts)
        yield from _until_end(reader, settings, follow=follow, stopped=stopped, ends=ends)
    finally:
        reader.close()


def read_last(
    settings: KafkaSettings, topics: Iterable[str], count: int, stopped: Callable[[], bool] = lambda: False
) -> list[Record]:
    """Return the last ``count`` committed records of topics, in order of their times. Raises as `read_all`.

    Offsets are also taken by marks of transactions and by what was aborted or compacted, so the way back is
    doubled until there is enough.
    """
    assert 0 < count <= LAST_MAX, count
    reader = _Reader(settings, topics)
    try:
        bounds = {place: reader.bounds(TopicPartition(*place)) for place in reader.partitions}
        kept: dict[tuple[str, int], deque[Record]] = {place: deque(maxlen=count) for place in bounds}
        short, back = set(bounds), 2 * count + 16
        while short and not stopped():
            starts = {place: max(bounds[place][0], bounds[place][1] - back) for place in short}
            for place in short:
                kept[place].clear()
            reader.partitions = sorted(short)
            reader.start([TopicPartition(*place, start) for place, start in starts.items()])
            for record in _until_end(reader, settings, follow=False, stopped=stopped):
                kept[record.topic, record.partition].append(record)
            short = {
                place for place in short if len(kept[place]) < count and starts[place] > bounds[place][0]
            }
            back *= 4
    finally:
        reader.close()
    found = [record for records in kept.values() for record in records]
    found.sort(key=lambda one: (one.timestamp_ms, one.topic, one.partition, one.offset))
    return found[-count:]


def read_one(settings: KafkaSettings, topic: str, partition: int, offset: int) -> Record | None:
    """Return the record at an offset, None where there is no committed one. Raises as `read_all`."""
    reader = _Reader(settings, [topic])
    try:
        if (topic, partition) not in reader.partitions:
            return None
        low, high = reader.bounds(TopicPartition(topic, partition))
        if not low <= offset < high:
            return None
        reader.start([TopicPartition(topic, partition, offset)])
        reader.partitions = [(topic, partition)]
        for record in _until_end(reader, settings, follow=False, stopped=lambda: False):
            return record if record.offset == offset else None
        return None
    finally:
        reader.close()


def log_bounds(settings: KafkaSettings, topics: Iterable[str], partition: int) -> dict[str, tuple[int, int]]:
    """Return the first offset and the end of one partition of each topic. Raises as `read_all`."""
    reader = _Reader(settings, topics)
    try:
        return {
            topic: reader.bounds(TopicPartition(topic, number))
            for topic, number in reader.partitions
            if number == partition
        }
    finally:
        reader.close()


def log_firsts(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """Return the first offset that each partition of a topic still holds. Raises as `read_all`."""
    reader = _Reader(settings, [topic])
    try:
        return {
            number: reader.bounds(TopicPartition(topic, number))[0] for topic, number in reader.partitions
        }
    finally:
        reader.close()


def last_of_keys(
    settings: KafkaSettings, topic: str, partition: int, keys: Iterable[bytes | None]
) -> dict[bytes | None, Record]:
    """Return the last committed record of each of these keys in one partition, where there is one.

    Read from the end, twice as far back each time. Raises as `read_all`.
    """
    wanted = set(keys)
    found: dict[bytes | None, Record] = {}
    reader = _Reader(settings, [topic])
    try:
        reader.partitions = [place for place in reader.partitions if place[1] == partition]
        low, high = reader.bounds(TopicPartition(topic, partition))
        back = _BATCH
        while reader.partitions and found.keys() < wanted:
            start = max(low, high - back)
            reader.start([TopicPartition(topic, partition, start)])
            for record in _until_end(reader, settings, follow=False, stopped=lambda: False):
                if record.key in wanted:
                    found[record.key] = record
            if start == low:
                break
            back *= 4
    finally:
        reader.close()
    return found


def read_partition(settings: KafkaSettings, topics: Iterable[str], partition: int) -> Iterator[Record]:
    """Yield the committed records of one partition of each topic, to its end now. Raises as `read_all`."""
    for topic in topics:
        reader = _Reader(settings, [topic])
        try:
            reader.partitions = [place for place in reader.partitions if place[1] == partition]
            ends = {place: reader.bounds(TopicPartition(*place))[1] for place in reader.partitions}
            reader.start([TopicPartition(*place, OFFSET_BEGINNING) for place in reader.partitions])
            if reader.partitions:
                yield from _until_end(reader, settings, follow=False, stopped=lambda: False, ends=ends)
        finally:
            reader.close()


def _until_end(
    reader: _Reader,
    settings: KafkaSettings,
    *,
    follow: bool,
    stopped: Callable[[], bool],
    ends: Mapping[tuple[str, int], int] | None = None,
) -> Iterator[Record]:
    quiet, most = 0, _quiet_rounds(settings)
    while not stopped() and (follow or len(reader.ended) < len(reader.partitions)):
        before = len(reader.ended)
        came = False
        for record in reader.take():
            came = True
            place = (record.topic, record.partition)
            if ends is not None and record.offset >= ends[place]:
                reader.ended.add(place)
                continue
            yield record
        quiet = 0 if came or len(reader.ended) != before else quiet + 1
        if quiet >= most:
            quiet = 0
            reader.ask()
            if not follow:
                raise reader.silent()
