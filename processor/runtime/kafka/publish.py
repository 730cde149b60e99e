"""Events from files into an event topic, each in the partition in which the worker looks for its contact.

What a file may hold is what `run` reads. A record is checked here as it would be there, so that what a worker
would put among its dead letters is not published at all, but told. Records are written by an idempotent
producer with acks=all: a record is in the topic once, in the file's order within its partition. Publishing a
file a second time writes it a second time; the event ids see to it that it does not count twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any, Final, Self

import msgspec
from confluent_kafka import KafkaException, Producer

from processor.codec.events import Refusal, decode
from processor.codec.murmur2 import partition_of
from processor.codec.outputs import DeadLetter
from processor.codec.readers import Raw, open_source
from processor.codec.records import Encoder
from processor.core.model import Topology
from processor.core.topics import topic_names
from processor.runtime.kafka.clients import Trouble, cluster, connect
from processor.runtime.kafka.errors import KafkaDown, KafkaRefused
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.sources import encoders, schema_source
from processor.runtime.kafka.topics import MESSAGE_BYTES_MAX, look
from processor.runtime.letters import checked, letter_of_refused

__all__ = ["Published", "Sender", "publish", "publish_lines"]

_WAIT_S: Final = 0.1
_QUEUE_MESSAGES: Final = 200_000
_QUEUE_KBYTES: Final = 128 * 1024


class Published(msgspec.Struct):
    """What became of the files' records. ``refused`` counts by reason what was not published."""

    topic: str
    records: int = 0
    published: int = 0
    refused: dict[str, int] = {}
    seconds: float = 0.0


class Sender:
    """An idempotent producer that says at its end whether everything arrived. Use it in a `with`."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self.trouble = Trouble()
        self._failed = 0
        self._why = ""
        config: dict[str, Any] = {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 256 * 1024,
            "compression.type": "lz4",
            "message.max.bytes": MESSAGE_BYTES_MAX,
            "message.timeout.ms": int(settings.timeout_s * 1000),
            "queue.buffering.max.messages": _QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": _QUEUE_KBYTES,
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
        }
        self.producer: Producer = connect(Producer, settings, config, self.trouble)
        self.sent = 0

    def send(
        self, topic: str, key: bytes | None, value: bytes, partition: int, at_ms: int = 0, **headers: str
    ) -> None:
        """Hand a record over. Waits while too many are under way.

        Raises:
            KafkaDown: records handed over before did not arrive in time.
            KafkaRefused: the record itself cannot be sent.
        """
        made: list[tuple[str, str | bytes | None]] = [
            (name.replace("_", "-"), value.encode()) for name, value in headers.items()
        ]
        while True:
            if self._failed:
                self._raise()
            try:
                self.producer.produce(topic, value, key, partition, timestamp=at_ms, headers=made)
                self.sent += 1
            except BufferError:
                self.producer.poll(_WAIT_S)
                continue
            except KafkaException as error:
                raise KafkaRefused(
                    f"topic {topic}: a record cannot be sent: {error.args[0].str()}"
                ) from error
            self.producer.poll(0)
            return

    def finish(self) -> None:
        """Wait until everything has arrived. Raises KafkaDown where something did not."""
        while self.producer.flush(1.0) and not self._failed:
            pass
        if self._failed:
            self._raise()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.producer.purge()

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed += 1
            self._why = self._why or error.str()

    def _raise(self) -> None:
        raise KafkaDown(
            f"Kafka at {self._settings.broker} did not take all records ({self._why or self.trouble.last}): "
            "check the cluster, then publish again; events that are there twice count once"
        )


def publish(  # noqa: PLR0913 - each is a choice of its own
    settings: KafkaSettings,
    topology: Topology,
    paths: Sequence[str],
    *,
    topic: str = "",
    form: str = "avro",
    occurred: bool = False,
    refuse: Callable[[DeadLetter], None] = lambda _letter: None,
    tell: Callable[[int, int, int], None] = lambda _done, _total, _records: None,
) -> Published:
    """Publish the events of files.

    Args:
        settings: of the connection.
        topology: whose event types are checked and whose topics are written to.
        paths: files as `run` reads them, or "-".
        topic: the event topic, with its prefix; "" for the first.
        form: "avro" or "json".
        occurred: give records the time of their events. Only a topic with CreateTime keeps that.
        refuse: is handed every record that is not published.
        tell: is told how far it is: bytes read, bytes of all files (0: not known), records.

    Raises:
        SourceError: a file is damaged; what came before it was published.
        SettingsError, KafkaRefused, SchemaRefused: nothing was published.
        KafkaDown, RegistryUnavailable: nothing, or not everything, was published.
    """
    began = time.monotonic()
    topic = topic or topic_names(topology).events[0]
    with closing(schema_source(settings)) as schemas:
        encoder = encoders(schemas, {topic: "event"}, form)[topic]
    if occurred:
        _require_create_time(settings, topic)
    made = Published(topic)
    with Sender(settings) as sender:
        partitions = _partitions(sender, settings, topology, topic)
        for path in paths:
            with open_source(path) as source:
                for batch in source.batches():
                    _send(sender, encoder, topology, made, partitions, batch, source.name, occurred, refuse)
                    tell(source.read_bytes, source.size_bytes if len(paths) == 1 else 0, made.records)
    made.seconds = time.monotonic() - began
    return made


def publish_lines(settings: KafkaSettings, topology: Topology, lines: Sequence[bytes]) -> Published:
    """Publish events that are lines of JSON, to the first event topic, as :func:`publish` those of a file."""
    began = time.monotonic()
    topic = topic_names(topology).events[0]
    made = Published(topic)
    with closing(schema_source(settings)) as schemas, Sender(settings) as sender:
        encoder = encoders(schemas, {topic: "event"}, "avro")[topic]
        partitions = _partitions(sender, settings, topology, topic)
        batch = list(enumerate(lines, 1))
        _send(sender, encoder, topology, made, partitions, batch, "", False, lambda _letter: None)
    made.seconds = time.monotonic() - began
    return made


def _send(  # noqa: PLR0913, PLR0917 - the loop of `publish`
    sender: Sender,
    encoder: Encoder,
    topology: Topology,
    made: Published,
    partitions: int,
    batch: Iterable[tuple[int, Raw]],
    name: str,
    occurred: bool,  # noqa: FBT001
    refuse: Callable[[DeadLetter], None],
) -> None:
    encode, topic = encoder.encode, made.topic
    for number, raw in batch:
        made.records += 1
        event = checked(topology, decode(raw))
        if isinstance(event, Refusal):
            made.refused[event.reason] = made.refused.get(event.reason, 0) + 1
            refuse(letter_of_refused(event, name, number, raw))
            continue
        contact = event.contact_id
        sender.send(
            topic,
            contact.encode(),
            encode(event),
            partition_of(contact, partitions),
            event.occurred_ms if occurred else 0,
        )
        made.published += 1


def _partitions(sender: Sender, settings: KafkaSettings, topology: Topology, topic: str) -> int:
    """The partitions of the topic, which have to be those that the topology says."""
    found = cluster(sender.producer, settings, sender.trouble).topics.get(topic)
    if found is None or found.error is not None:
        raise KafkaRefused(f"there is no topic {topic}: make it with trayecto topics create")
    if len(found.partitions) != topology.topics.partitions:
        raise KafkaRefused(
            f"topic {topic} has {len(found.partitions)} partitions, and the topology says "
            f"{topology.topics.partitions}: trayecto topics check says what to do"
        )
    return len(found.partitions)


def _require_create_time(settings: KafkaSettings, topic: str) -> None:
    found = look(settings, [topic])
    if topic in found and found[topic].config.get("message.timestamp.type") != "CreateTime":
        raise KafkaRefused(
            f"topic {topic} has the broker's times (LogAppendTime) and does not keep others: publish without "
            "them, or to a topic of CreateTime"
        )
