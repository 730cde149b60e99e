"""Records written all or none, by whoever holds a transactional id last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from processor.runtime.kafka.clients import Trouble, connect, explain
from processor.runtime.kafka.errors import KafkaRefused
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.topics import MESSAGE_BYTES_MAX

__all__ = ["Sent", "Transactor"]

_TIMEOUT_S_MIN = 60.0  # the broker aborts a transaction of somebody who is gone after it


class Sent(NamedTuple):
    """A record to be sent. ``value`` None deletes its key where the topic is compacted."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, str | bytes | None]] = ()


class Transactor:
    """Commits records under a transactional id: whoever had it before is fenced, what they left is settled.

    Args:
        settings: of the connection.
        name: the transactional id.

    Raises:
        KafkaDown, KafkaRefused: the id cannot be had.
    """

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._settings = settings
        self._trouble = Trouble()
        config: dict[str, Any] = {
            "transactional.id": name,
            "acks": "all",
            "enable.idempotence": True,
            "message.max.bytes": MESSAGE_BYTES_MAX,
            "message.timeout.ms": int(settings.timeout_s * 1000),
            "transaction.timeout.ms": int(max(_TIMEOUT_S_MIN, settings.timeout_s) * 1000),
        }
        self.producer: Producer = connect(Producer, settings, config, self._trouble)
        ask = self.producer.init_transactions
        explain(lambda: ask(settings.timeout_s), settings, self._trouble, "its transactional id")

    def commit(self, records: Sequence[Sent], about: str) -> None:
        """Write the records in one transaction.

        ``about``: what they are, for errors. When it raises, none may be taken as written, nor as not
        written; a new Transactor under the same id settles which.

        Raises:
            KafkaDown: there was no answer in time.
            KafkaRefused: Kafka does not take them, or somebody else has the id.
        """
        explain(lambda: self._commit(records), self._settings, self._trouble, about)

    def _commit(self, records: Sequence[Sent]) -> None:
        producer = self.producer
        try:
            producer.begin_transaction()
            for topic, partition, key, value, headers in records:
                producer.produce(topic, value, key, partition, headers=list(headers))
            # It waits for all of them, and fails where one did not arrive.
            producer.commit_transaction(self._settings.timeout_s)
        except KafkaException as error:
            if error.args[0].code() == KafkaError._FENCED:  # noqa: SLF001 - that is its name
                raise KafkaRefused(
                    "the same command was given a second time meanwhile, and that one goes on"
                ) from error
            raise
