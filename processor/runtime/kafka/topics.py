"""The topics of a topology on Kafka: what each has to be, what it is, what differs and how to mend that.

- Topics of events and of internal messages have the broker's time (LogAppendTime): time in a partition moves
by
  the log, not by what devices claim.
- All have the same partitions but `control`, which has one: a contact's events, messages, rows and clock lie
in
  partitions of one number. Partitions cannot be added later: contacts would move, and their rows would not.
- What is kept for a time is kept in segments of a day, so that a record is gone a day after its time at the
latest;
  what is compacted is compacted within a day. That is what an erasure's deadline rests on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from processor.core.model import Topology
from processor.core.time import DAY_MS, format_duration
from processor.core.topics import topic_names
from processor.runtime.kafka.clients import Trouble, admin, cluster, explain
from processor.runtime.kafka.settings import KafkaSettings

__all__ = [
    "MESSAGE_BYTES_MAX",
    "Difference",
    "Found",
    "Spec",
    "compare",
    "create",
    "look",
    "plan",
    "subjects",
]

MESSAGE_BYTES_MAX: Final = 4 << 20
"""The largest batch that any topic takes: what producers are set to."""

_EVENT_BYTES_MAX: Final = 2 << 20  # an event of 1 MiB with its key, headers and batch
_REPLICAS: Final = 3
_LOOK_S: Final = 0.1
_TOMBSTONES_MS: Final = 7 * DAY_MS  # a disk that was away for longer is thrown away

# What may be more than it has to be; all else has to be equal.
_AT_LEAST: Final = frozenset({"max.message.bytes", "min.insync.replicas"})
_OF_TIME: Final = frozenset({"retention.ms", "segment.ms", "delete.retention.ms", "max.compaction.lag.ms"})


class Spec(msgspec.Struct, frozen=True):
    """What a topic has to be. ``holds``: events, commands, decisions, clock, dead letters, ...

    ``config`` are the settings of the topic that are not left to the cluster.
    """

    name: str
    holds: str
    partitions: int
    config: Mapping[str, str]


class Found(msgspec.Struct, frozen=True):
    """What a topic is. ``replication`` is the least number of replicas of its partitions."""

    partitions: int
    replication: int
    config: Mapping[str, str]


class Difference(msgspec.Struct, frozen=True):
    """One thing about a topic that is not as it has to be, and what to do.

    ``what`` is missing, partitions, replication, or the name of a setting; ``mendable`` says that `create`
    with `mend` does it.
    """

    topic: str
    what: str
    expected: str
    found: str
    fix: str
    mendable: bool = False


def plan(topology: Topology) -> tuple[Spec, ...]:
    """Return what the topology's topics have to be."""
    names = topic_names(topology)
    kept, many = topology.topics.retention_ms, topology.topics.partitions
    by_log = {"message.timestamp.type": "LogAppendTime"}
    compacted = {
        "cleanup.policy": "compact",
        "max.compaction.lag.ms": str(DAY_MS),
        "delete.retention.ms": str(_TOMBSTONES_MS),
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
    }

    def deleted(retention_ms: int, bytes_max: int = MESSAGE_BYTES_MAX) -> dict[str, str]:
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(retention_ms),
            "segment.ms": str(min(DAY_MS, retention_ms)),
            "max.message.bytes": str(bytes_max),
        }

    return (
        *(
            Spec(name, "events", many, deleted(kept["events"], _EVENT_BYTES_MAX) | by_log)
            for name in names.events
        ),
        *(
            Spec(name, f"commands for {channel}", many, deleted(kept["commands"]))
            for channel, name in names.commands.items()
        ),
        Spec(names.decisions, "decisions", many, deleted(kept["decisions"])),
        Spec(names.clock, "the clock", many, deleted(kept["events"])),
        Spec(names.dead_letters, "dead letters", many, deleted(kept["dead_letters"])),
        Spec(names.internal, "messages", many, deleted(kept["events"]) | by_log),
        Spec(names.control, "deployments", 1, compacted),
        Spec(names.changelog, "rows", many, compacted),
    )


def subjects(topology: Topology) -> dict[str, str]:
    """Return topic -> subject for every topic whose values have a schema."""
    names = topic_names(topology)
    made = dict.fromkeys(names.events, "event") | dict.fromkeys(names.commands.values(), "command")
    return made | {
        names.decisions: "decision",
        names.clock: "clock",
        names.dead_letters: "dead-letter",
        names.internal: "message",
    }


def look(settings: KafkaSettings, names: Iterable[str]) -> dict[str, Found]:
    """Return what the topics are, without those that are not there.

    Raises:
        KafkaDown: there was no answer.
        KafkaRefused: we may not see their settings.
    """
    client, trouble = admin(settings)
    return _look(client, trouble, settings, names)[0]


def compare(
    specs: Iterable[Spec], found: Mapping[str, Found], replication: int | None = None
) -> list[Difference]:
    """Return what differs, in the order of the specs. ``replication``: what it has to be, None for any."""
    made: list[Difference] = []
    for spec in specs:
        topic = found.get(spec.name)
        if topic is None:
            made.append(
                Difference(
                    spec.name, "missing", "there", "not there", "trayecto topics create", mendable=True
                )
            )
            continue
        if topic.partitions != spec.partitions:
            made.append(_of_partitions(spec, topic.partitions))
        if replication is not None and topic.replication != replication:
            fix = "move its replicas with kafka-reassign-partitions"
            made.append(Difference(spec.name, "replication", str(replication), str(topic.replication), fix))
        made.extend(_of_config(spec, topic.config))
    return made


def create(
    settings: KafkaSettings, specs: Iterable[Spec], replication: int | None = None, *, mend: bool = False
) -> tuple[list[str], list[Difference]]:
    """Make the topics that are not there; with ``mend`` also set the settings that differ.

    Args:
        settings: of the connection.
        specs: what has to be there.
        replication: copies of each partition; None for three, or as many as there are brokers.
        mend: whether topics that are there are changed.

    Returns:
        The names of topics that were made or changed, and what still differs.

    Raises:
        KafkaDown: there was no answer.
        KafkaRefused: a topic was not made or changed; the message says which, and why.
    """
    client, trouble = admin(settings)
    wanted = tuple(specs)
    found, brokers = _look(client, trouble, settings, [spec.name for spec in wanted])
    copies = replication or min(_REPLICAS, brokers)
    missing = [spec for spec in wanted if spec.name not in found]
    new = [
        NewTopic(spec.name, spec.partitions, copies, config=_with_safety(spec, copies)) for spec in missing
    ]
    asked = client.create_topics(new, request_timeout=settings.timeout_s) if new else {}
    asked = {name: future for name, future in asked.items() if not _was_there(future, settings)}
    changed = [str(name) for name in _wait(asked, settings, trouble)]
    if mend:
        changed += _mend(client, trouble, settings, wanted, found)
    end = time.monotonic() + settings.timeout_s
    found, _ = _look(client, trouble, settings, [spec.name for spec in wanted])
    while len(found) < len(wanted) and time.monotonic() < end:  # brokers hear of new topics a little later
        time.sleep(_LOOK_S)
        found, _ = _look(client, trouble, settings, [spec.name for spec in wanted])
    return changed, compare(wanted, found, replication)


def _with_safety(spec: Spec, copies: int) -> dict[str, str]:
    """A commit is safe only once more than one copy has it, where there are that many."""
    return dict(spec.config) | ({"min.insync.replicas": "2"} if copies >= _REPLICAS else {})


def _mend(
    client: Any, trouble: Trouble, settings: KafkaSettings, specs: Iterable[Spec], found: Mapping[str, Found]
) -> list[str]:
    changes = []
    for spec in specs:
        wrong = _of_config(spec, found[spec.name].config) if spec.name in found else []
        if wrong:
            entries = [
                ConfigEntry(one.what, spec.config[one.what], incremental_operation=AlterConfigOpType.SET)
                for one in wrong
            ]
            changes.append(ConfigResource(ConfigResource.Type.TOPIC, spec.name, incremental_configs=entries))
    if changes:
        _wait(
            client.incremental_alter_configs(changes, request_timeout=settings.timeout_s), settings, trouble
        )
    return [one.name for one in changes]


def _look(
    client: Any, trouble: Trouble, settings: KafkaSettings, names: Iterable[str]
) -> tuple[dict[str, Found], int]:
    """What the topics are, and how many brokers there are."""
    seen = cluster(client, settings, trouble)
    there = [name for name in names if name in seen.topics and seen.topics[name].error is None]
    if not there:
        return {}, len(seen.brokers)
    asked = client.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, name) for name in there],
        request_timeout=settings.timeout_s,
    )
    configs = {
        resource.name: {entry.name: entry.value for entry in entries.values()}
        for resource, entries in _wait(asked, settings, trouble).items()
    }
    made = {}
    for name in there:
        partitions = seen.topics[name].partitions.values()
        copies = min(len(partition.replicas) for partition in partitions)
        made[name] = Found(len(partitions), copies, configs[name])
    return made, len(seen.brokers)


def _was_there(future: Any, settings: KafkaSettings) -> bool:
    """Whether a topic was made a moment before we asked, when our broker had not heard of it yet."""
    try:
        future.result(settings.timeout_s * 2)
    except KafkaException as error:
        return bool(error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS)
    return False


def _wait(futures: Mapping[Any, Any], settings: KafkaSettings, trouble: Trouble) -> dict[Any, Any]:
    made = {}
    for about, future in futures.items():
        name = about if isinstance(about, str) else about.name
        wait = partial(future.result, settings.timeout_s * 2)
        made[about] = explain(wait, settings, trouble, f"topic {name}")
    return made


def _of_partitions(spec: Spec, found: int) -> Difference:
    fix = (
        f"write topics: {{partitions: {found}}} into the topology if nothing was deployed yet; else make "
        "topics anew, under another prefix: contacts would be looked for in other partitions than their rows"
    )
    return Difference(spec.name, "partitions", str(spec.partitions), str(found), fix)


def _of_config(spec: Spec, config: Mapping[str, str]) -> list[Difference]:
    made = []
    for name, expected in spec.config.items():
        found = config.get(name, "not there")
        if found == expected or (name in _AT_LEAST and found.isdigit() and int(found) >= int(expected)):
            continue
        shown = (_shown(name, expected), _shown(name, found))
        made.append(Difference(spec.name, name, *shown, "trayecto topics create --mend", mendable=True))
    return made


def _shown(name: str, value: str) -> str:
    return f"{value} ({format_duration(int(value))})" if name in _OF_TIME and value.isdigit() else value
