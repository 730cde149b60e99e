"""The dead-letter topic: what lies there and why, and back to where it came from once its cause is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from processor.codec.events import Refusal
from processor.codec.murmur2 import murmur2
from processor.codec.outputs import RAW_BYTES_MAX, DeadLetter
from processor.codec.registry import SchemaSource
from processor.core.model import Topology
from processor.core.topics import topic_names
from processor.runtime.kafka.clients import cluster
from processor.runtime.kafka.errors import KafkaRefused
from processor.runtime.kafka.publish import Sender
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.tail import Lines, Record, read_all, read_one

__all__ = ["REPLAYED", "Group", "Letter", "Replayed", "find", "groups", "letters", "replay", "why_not"]

REPLAYED: Final = "trayecto-replayed"
"""The header of a replayed record: the topic, partition and offset of its dead letter."""


class Letter(msgspec.Struct, frozen=True):
    """A dead letter and the record that holds it, whose key is that of the refused record."""

    record: Record
    letter: DeadLetter


class Group(msgspec.Struct):
    """Dead letters with one reason from one topic. Times are of the dead letters, in ms."""

    reason: str
    topic: str
    count: int = 0
    first_ms: int = 0
    last_ms: int = 0
    last_place: str = ""
    message: str = ""


class Replayed(msgspec.Struct):
    """What became of the letters to replay: ``kept`` counts by reason those that cannot go back."""

    sent: int = 0
    kept: dict[str, int] = {}


def letters(
    settings: KafkaSettings,
    topology: Topology,
    source: SchemaSource,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Letter]:
    """Yield every dead letter, in order within a partition. Raises as `read_all`, and RegistryUnavailable."""
    lines = Lines("dead-letter", source)
    for record in read_all(settings, [topic_names(topology).dead_letters], stopped=stopped):
        yield _letter(lines, record)


def find(
    settings: KafkaSettings, topology: Topology, source: SchemaSource, partition: int, offset: int
) -> Letter | None:
    """Return the dead letter at a place, None where there is none. Raises as `letters`."""
    record = read_one(settings, topic_names(topology).dead_letters, partition, offset)
    return None if record is None else _letter(Lines("dead-letter", source), record)


def _letter(lines: Lines, record: Record) -> Letter:
    found = lines.item(record)
    if isinstance(found, Refusal):  # somebody else writes there: shown, and never sent anywhere
        message = f"it is no dead letter ({found.message})"
        found = DeadLetter(found.reason, message, record.topic, record.offset, record.value or b"")
    assert isinstance(found, DeadLetter), found
    return Letter(record, found)


def groups(found: Iterable[Letter]) -> list[Group]:
    """Return how many there are of each reason and topic, the most first."""
    made: dict[tuple[str, str], Group] = {}
    for one in found:
        letter = one.letter
        where = letter.topic or letter.file
        group = made.setdefault((letter.reason, where), Group(letter.reason, where))
        at_ms = one.record.timestamp_ms
        group.first_ms = min(group.first_ms or at_ms, at_ms)
        if at_ms >= group.last_ms:
            group.last_ms, group.last_place, group.message = at_ms, one.record.place, letter.message
        group.count += 1
    return sorted(made.values(), key=lambda group: (-group.count, group.reason, group.topic))


def why_not(letter: DeadLetter, topics: Iterable[str]) -> str:
    """Say why a letter cannot be replayed, "" where it can. ``topics``: those that records may go back to."""
    if letter.topic is None or letter.partition is None:
        return "it did not come from a topic"
    if letter.reason == "tombstone":
        return "it had no value"
    if len(letter.raw) >= RAW_BYTES_MAX:
        return "it was too long to be kept whole"
    return "" if letter.topic in topics else "its topic is none of the topology's"


def replay(
    settings: KafkaSettings, topology: Topology, found: Iterable[Letter], *, dry: bool = False
) -> Replayed:
    """Write refused records back to their topics, with their keys, and with the header :data:`REPLAYED`.

    An event goes to the partition of its key, a message to the partition it was in. They count from their
    arrival now; an event that did count is known by its id. ``dry``: only count.

    Raises:
        KafkaDown: not all arrived.
        KafkaRefused: a topic is not there.
    """
    names = topic_names(topology)
    allowed = (*names.events, names.internal)
    made = Replayed()
    with Sender(settings) as sender:
        seen = cluster(sender.producer, settings, sender.trouble).topics
        for one in found:
            letter, record = one.letter, one.record
            why = why_not(letter, allowed)
            if why:
                made.kept[why] = made.kept.get(why, 0) + 1
                continue
            assert letter.topic is not None, "it can be replayed"
            assert letter.partition is not None, "it can be replayed"
            if letter.topic not in seen or seen[letter.topic].error is not None:
                raise KafkaRefused(f"there is no topic {letter.topic}: make it with trayecto topics create")
            partition = letter.partition
            if letter.topic in names.events and record.key:
                partition = (murmur2(record.key) & 0x7FFFFFFF) % len(seen[letter.topic].partitions)
            if not dry:
                mark = f"{record.topic}/{record.place}"
                sender.send(letter.topic, record.key, letter.raw, partition, trayecto_replayed=mark)
            made.sent += 1
    return made
