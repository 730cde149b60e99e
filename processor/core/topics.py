"""The names of a topology's topics. Every part of Trayecto, and whoever consumes, goes by them.

    <prefix><event topic>                 events, one topic or several with the same partitions
    <prefix>commands.<channel>            commands, a topic for each channel
    <prefix>decisions                     what was decided or held back, and why
    <prefix>clock                         how far each partition had come at each commit
    <prefix>dead-letters                  what could not be taken
    <prefix>internal                      messages between contacts and partitions
    <prefix>control                       deployed topologies and operators' commands
    <prefix><topology>-rows-changelog     the rows, so that a worker on an empty disk has them

Two deployments on one cluster differ in their prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from processor.core.model import Topology

__all__ = [
    "CHANGELOG",
    "EVENTS",
    "NAME_CHARS_MAX",
    "PARTITIONS",
    "PARTITIONS_MAX",
    "RETENTION_MS",
    "TopicNames",
    "Topics",
    "collides",
    "own_names",
    "topic_names",
]

EVENTS: Final = "events"
CHANGELOG: Final = "-rows-changelog"
PARTITIONS: Final = 8
PARTITIONS_MAX: Final = 4096
NAME_CHARS_MAX: Final = 249

_DAY_MS: Final = 86_400_000
RETENTION_MS: Final[Mapping[str, int]] = {
    "events": 30 * _DAY_MS,
    "commands": 7 * _DAY_MS,
    "decisions": 90 * _DAY_MS,
    "dead_letters": 30 * _DAY_MS,
}
"""How long records are kept where the topology does not say; the clock and messages as long as events."""

_SINGLE: Final = ("decisions", "clock", "dead-letters", "internal", "control")


@dataclass(frozen=True)
class Topics:
    """The topics on Kafka: ``prefix`` stands before every name, ``retention_ms`` is by what a topic holds."""

    events: tuple[str, ...]
    prefix: str
    partitions: int
    retention_ms: Mapping[str, int]  # events, commands, decisions, dead_letters


class TopicNames(msgspec.Struct, frozen=True):
    """The topics of a topology by what they hold, with their prefix. ``commands`` is by channel.

    ``app`` is the id of the application: what the consumer group and the changelog are called after.
    """

    app: str
    events: tuple[str, ...]
    commands: Mapping[str, str]
    decisions: str
    clock: str
    dead_letters: str
    internal: str
    control: str
    changelog: str


def topic_names(topology: Topology) -> TopicNames:
    """Return the names of a topology's topics."""
    prefix = topology.topics.prefix
    app = prefix + topology.name
    decisions, clock, dead_letters, internal, control = (prefix + name for name in _SINGLE)
    return TopicNames(
        app,
        tuple(prefix + name for name in topology.topics.events),
        {channel: f"{prefix}commands.{channel}" for channel in topology.channels},
        decisions,
        clock,
        dead_letters,
        internal,
        control,
        app + CHANGELOG,
    )


def own_names(topology: str, channels: Iterable[str]) -> tuple[str, ...]:
    """Return the names, without prefix, of all topics but those of events."""
    return (*(f"commands.{channel}" for channel in channels), *_SINGLE, topology + CHANGELOG)


def collides(name: str) -> str:
    """Return what two names must not have in common: Kafka's metrics do not tell . and _ apart."""
    return name.replace(".", "_")
