"""What the topics hold of one contact: its row in the changelog, and the records about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from processor.codec.murmur2 import partition_of
from processor.core.topics import topic_names
from processor.runtime.exporting import Records, ids_of
from processor.runtime.kafka.sources import schema_source
from processor.runtime.kafka.tail import Lines, last_of_keys, read_partition

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.runtime.kafka.settings import KafkaSettings

__all__ = ["erased_entry", "holdings"]


def holdings(
    settings: KafkaSettings, topology: Topology, contact: str
) -> tuple[str, bytes | None, list[str], Records]:
    """Return the id under which a contact lives now, its row, all its ids, and the records about them.

    Raises:
        KafkaDown, KafkaRefused, RegistryUnavailable: the topics cannot be read.
    """
    names, count = topic_names(topology), topology.topics.partitions

    def read(name: str) -> bytes | None:
        key = b"r" + name.encode()
        found = last_of_keys(settings, names.changelog, partition_of(name, count), [key])
        return found[key].value if key in found else None

    now, data, ids = ids_of(contact, read)
    source = schema_source(settings)
    try:
        decisions, commands, events = (
            _about(settings, Lines(subject, source), topics, ids, count)
            for subject, topics in (
                ("decision", (names.decisions,)),
                ("command", tuple(names.commands.values())),
                ("event", names.events),
            )
        )
    finally:
        close: Callable[[], None] | None = getattr(source, "close", None)
        if close is not None:
            close()
    return now, data, ids, Records(decisions, commands, events)


def erased_entry(settings: KafkaSettings, topology: Topology, contact: str, hashed: bytes) -> bytes | None:
    """Return the contact's entry in the ledger of erasures of the changelog. Raises as :func:`holdings`."""
    number = partition_of(contact, topology.topics.partitions)
    key = b"e" + hashed
    found = last_of_keys(settings, topic_names(topology).changelog, number, [key])
    return found[key].value if key in found else None


def _about(
    settings: KafkaSettings, lines: Lines, topics: tuple[str, ...], ids: list[str], count: int
) -> list[dict[str, Any]]:
    """The records of these topics whose key is one of the ids, in order of their times."""
    keys: dict[int, set[bytes]] = {}
    for name in ids:
        keys.setdefault(partition_of(name, count), set()).add(name.encode())
    found: list[tuple[int, bytes]] = []
    for number, wanted in keys.items():
        for record in read_partition(settings, topics, number):
            if record.key in wanted:
                line = lines.line(record)
                if isinstance(line, bytes):  # what cannot be read is no record of ours
                    found.append((record.timestamp_ms, line))
    found.sort(key=lambda one: one[0])
    return [msgspec.json.decode(line) for _, line in found]
