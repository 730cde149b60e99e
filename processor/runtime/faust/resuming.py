"""An operator's command for a partition whose position is not in its log any more.

The position is a row of the changelog, so that is where the command goes: in one transaction the new position
and a record of the clock topic that says from where, when, who and why. A worker that stands still on the
partition sees its changelog grow, restores, and goes on there; one that starts later restores the same. So
the command holds across restarts and is carried out once, and whoever replays the log sees the gap.

The transaction is made under the partition's own transactional id, as its owner's are: whoever would still
commit there is fenced first, and two commands at a time cannot both be carried out. A partition that is well
is never touched: whether its position is lost is looked at before, and again once nobody else can commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, TopicPartition

from processor.codec.records import Clock, Decoder
from processor.core.model import Topology
from processor.core.topics import TopicNames, topic_names
from processor.runtime.faust.engine import POSITION_KEY, decode_positions, encode_positions
from processor.runtime.faust.settings import transactional_id
from processor.runtime.kafka.clients import Trouble, connect, explain
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.sources import encoders, schema_source
from processor.runtime.kafka.tail import last_of_keys, log_bounds
from processor.runtime.kafka.transactions import Sent, Transactor

__all__ = ["EARLIEST", "LATEST", "Command", "NotLostError", "Place", "places", "resume"]

EARLIEST: Final = "earliest"
LATEST: Final = "latest"
TEXT_CHARS_MAX: Final = 500  # of who and why: they stand in every replay


class NotLostError(Exception):
    """The command cannot be carried out as it is; the message says why, and nothing was changed."""


class Place(msgspec.Struct, frozen=True):
    """Where a partition stands in a source topic: its position (None: none is known), and what the log holds.

    ``group`` is how far the group says it has read; None: it never did.
    """

    topic: str
    position: int | None
    first: int
    end: int
    group: int | None = None

    @property
    def lost(self) -> bool:
        """Whether a worker cannot go on here: it is the rule of the partition's lane."""
        if self.position is None:
            return self.group is not None
        return not self.first <= self.position <= self.end


class Command(msgspec.Struct, frozen=True):
    """What an operator decided. ``where``: "earliest", "latest" or an offset; ``topic``: "" for all lost."""

    partition: int
    where: str | int
    by: str
    because: str
    at_ms: int
    topic: str = ""


def places(settings: KafkaSettings, topology: Topology, partition: int) -> list[Place]:
    """Return where a partition stands in each of its source topics.

    Raises:
        KafkaDown, KafkaRefused: the topics cannot be read.
    """
    names = topic_names(topology)
    sources = [*names.events, names.internal]
    bounds = log_bounds(settings, sources, partition)
    found = last_of_keys(settings, names.changelog, partition, [POSITION_KEY]).get(POSITION_KEY)
    positions = decode_positions(None if found is None else found.value)
    group = _group_offsets(settings, names.app, sources, partition)
    return [Place(topic, positions.get(topic), *bounds[topic], group.get(topic)) for topic in sources]


def resume(
    settings: KafkaSettings, topology: Topology, command: Command
) -> dict[str, tuple[int | None, int]]:
    """Carry a command out: topic -> (position before, position now) of what was lost.

    Raises:
        NotLostError: nothing is lost there, or the offset is not in the log.
        KafkaDown, KafkaRefused: Kafka does not take it; the command may be given again.
        RegistryUnavailable: the clock's schema could not be registered.
    """
    names = topic_names(topology)
    number = command.partition
    _moves(places(settings, topology, number), command)
    with closing(schema_source(settings)) as source:
        encode = encoders(source, {names.clock: "clock"}, "avro")[names.clock].encode
        transactor = Transactor(settings, transactional_id(names.app, number))
        # Nobody else can commit now, so this is how the partition stands.
        found = places(settings, topology, number)
        moves = _moves(found, command)
        before = {place.topic: place.position for place in found if place.position is not None}
        positions = before | {topic: now for topic, (_, now) in moves.items()}
        clock = msgspec.structs.replace(
            _last_clock(settings, names, number, Decoder("clock", source)),
            positions=positions,
            resumed_from={topic: was for topic, (was, _) in moves.items() if was is not None},
            resumed_ms=command.at_ms,
            resumed_by=command.by,
            resumed_because=command.because,
        )
        records = [
            Sent(names.changelog, number, POSITION_KEY, encode_positions(positions)),
            Sent(names.clock, number, None, encode(clock)),
        ]
        transactor.commit(records, "the command")
    return moves


def _moves(found: Sequence[Place], command: Command) -> dict[str, tuple[int | None, int]]:
    if command.topic and command.topic not in {place.topic for place in found}:
        raise NotLostError(f"{command.topic} is no topic that the partition reads")
    lost = [place for place in found if place.lost and command.topic in ("", place.topic)]
    if not lost:
        raise NotLostError(
            f"partition {command.partition} has its position in the log: nothing was changed. A worker that "
            "stands still for another reason says so at /readyz"
        )
    if isinstance(command.where, int) and len(lost) > 1:
        names = ", ".join(place.topic for place in lost)
        raise NotLostError(f"an offset is of one topic, and several are lost: give --topic, one of {names}")
    return {place.topic: (place.position, _target(place, command)) for place in lost}


def _target(place: Place, command: Command) -> int:
    if command.where == EARLIEST:
        return place.first
    if command.where == LATEST:
        return place.end
    assert isinstance(command.where, int), command.where
    if not place.first <= command.where <= place.end:
        raise NotLostError(
            f"{place.topic} holds offsets {place.first} to {place.end} of partition {command.partition}, not "
            f"{command.where}"
        )
    return command.where


def _group_offsets(
    settings: KafkaSettings, group: str, topics: Sequence[str], partition: int
) -> Mapping[str, int]:
    trouble = Trouble()
    consumer: Any = connect(Consumer, settings, {"group.id": group, "enable.auto.commit": False}, trouble)
    try:
        wanted = [TopicPartition(topic, partition) for topic in topics]
        found = explain(
            lambda: consumer.committed(wanted, timeout=settings.timeout_s), settings, trouble, "the group"
        )
    finally:
        consumer.close()
    return {one.topic: one.offset for one in found if one.offset >= 0}


def _last_clock(settings: KafkaSettings, names: TopicNames, partition: int, decoder: Decoder) -> Clock:
    """What the clock said last, one of the beginning of time where it says nothing any more."""
    record = last_of_keys(settings, names.clock, partition, [None]).get(None)
    found = None if record is None else decoder.read(record.value)
    return found if isinstance(found, Clock) else Clock({}, 0)
