"""The dead-letter topic: what lies there and why, and back to where it came from once its cause is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from processor.codec.events import Refusal
from processor.codec.murmur2 import murmur2
from processor.codec.outputs import RAW_BYTES_MAX, DeadLetter
from processor.codec.registry import SchemaSource
from processor.core.model import Topology
from processor.core.topics import TopicNames, topic_names
from processor.runtime.kafka.clients import admin, cluster
from processor.runtime.kafka.errors import KafkaRefused
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.tail import Lines, Record, log_firsts, read_all, read_one
from processor.runtime.kafka.transactions import Sent, Transactor

__all__ = [
    "BEFORE",
    "REPLAYED",
    "Group",
    "Letter",
    "Replayed",
    "find",
    "groups",
    "letters",
    "replay",
    "why_not",
]

BEFORE: Final = "it was replayed before"
"""Why a letter is left out."""

_MARK: Final = "replayed/"  # of a key of the control topic, before the letter's partition and offset
_BATCH_RECORDS: Final = 1_000  # of one transaction: a record and a mark for each letter, so an even number
_BATCH_BYTES: Final = 8 << 20

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
    settings: KafkaSettings,
    topology: Topology,
    found: Iterable[Letter],
    *,
    dry: bool = False,
    again: bool = False,
) -> Replayed:
    """Write refused records back to their topics, with their keys, and with the header :data:`REPLAYED`.

    An event goes to the partition of its key, a message to the partition it was in. They count from their
    arrival now; an event that did count is known by its id. What was replayed before is left out: a mark of
    it is written in the same transaction as the record, to the control topic, where it stays for as long as
    the dead letter does. Of two replays at a time the later one goes on.

    Args:
        settings: of the connection.
        topology: whose dead letters they are.
        found: which.
        dry: only count.
        again: also what was replayed before.

    Raises:
        KafkaDown: Kafka did not answer; given again, it goes on where it was.
        KafkaRefused: a topic is not there, or another replay has begun.
    """
    names = topic_names(topology)
    made = Replayed()
    transactor = (
        None if dry else Transactor(settings, f"{names.app}-dlq-replay")
    )  # first, so that marks stand
    marks = _marks(settings, names.control)
    back = _WayBack(settings, names)
    pending: list[Sent] = []
    size = 0
    for one in found:
        why = why_not(one.letter, (*names.events, names.internal))
        if not why and not again and _mark(one.record) in marks:
            why = BEFORE
        if why:
            made.kept[why] = made.kept.get(why, 0) + 1
            continue
        made.sent += 1
        pending += back.records(one)
        size += len(one.letter.raw)
        if len(pending) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
            _commit(transactor, pending)
            pending, size = [], 0
    first = log_firsts(settings, names.dead_letters)
    pending += [Sent(names.control, 0, mark, None) for mark in sorted(marks) if _is_old(mark, first)]
    for begin in range(0, len(pending), _BATCH_RECORDS):
        _commit(transactor, pending[begin : begin + _BATCH_RECORDS])
    return made


def _commit(transactor: Transactor | None, records: list[Sent]) -> None:
    if transactor is not None and records:
        transactor.commit(records, "the replay")


class _WayBack:
    """Where refused records go back to."""

    def __init__(self, settings: KafkaSettings, names: TopicNames) -> None:
        self._names = names
        client, trouble = admin(settings)
        self._topics = cluster(client, settings, trouble).topics

    def records(self, one: Letter) -> list[Sent]:
        """The record of a letter, and the mark that it was replayed."""
        letter, record, names = one.letter, one.record, self._names
        assert letter.topic is not None, "it can be replayed"
        assert letter.partition is not None, "it can be replayed"
        topic = self._topics.get(letter.topic)
        if topic is None or topic.error is not None:
            raise KafkaRefused(f"there is no topic {letter.topic}: make it with trayecto topics create")
        partition = letter.partition
        if letter.topic in names.events and record.key:
            partition = (murmur2(record.key) & 0x7FFFFFFF) % len(topic.partitions)
        place = f"{record.topic}/{record.place}"
        said = msgspec.json.encode({"replayed_to": f"{letter.topic}/{partition}"})
        return [
            Sent(letter.topic, partition, record.key, letter.raw, [(REPLAYED, place)]),
            Sent(names.control, 0, _mark(record), said),
        ]


def _mark(record: Record) -> bytes:
    return f"{_MARK}{record.place}".encode()


def _marks(settings: KafkaSettings, control: str) -> set[bytes]:
    """The marks of letters that were replayed."""
    found: set[bytes] = set()
    for record in read_all(settings, [control]):
        if record.key is not None and record.key.startswith(_MARK.encode()):
            (found.discard if record.value is None else found.add)(record.key)
    return found


def _is_old(mark: bytes, first: Mapping[int, int]) -> bool:
    """Whether the letter of a mark is not in its log any more: nobody can replay that."""
    partition, _, offset = mark.decode().removeprefix(_MARK).partition(":")
    return int(offset) < first.get(int(partition), 0)
