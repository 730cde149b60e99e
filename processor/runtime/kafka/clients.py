"""Clients of confluent-kafka whose failures are told apart: the cluster does not answer, or it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from processor.runtime.kafka.errors import KafkaDown, KafkaRefused, SettingsError
from processor.runtime.kafka.settings import KafkaSettings

__all__ = ["Trouble", "admin", "cluster", "connect", "explain"]


class Trouble:
    """Keeps the last thing that a client complained of: what it says after a time-out is not why.

    ``client`` is to be set once it is made. It tells what happened only when it is polled.
    """

    def __init__(self) -> None:
        self.client: Any = None
        self._last = ""

    @property
    def last(self) -> str:
        """What it complained of, "" for nothing."""
        # The poll of a consumer that reads would take a record from it; that one tells while it is read.
        if not isinstance(self.client, Consumer) or not self.client.assignment():
            self.client.poll(0)
        return self._last

    def __call__(self, error: KafkaError) -> None:
        """Be told of an error, as librdkafka's `error_cb`."""
        if self._last and error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - that is its name
            return  # says less than what came before it
        self._last = str(error.str())


def admin(settings: KafkaSettings) -> tuple[AdminClient, Trouble]:
    """Return a client for topics, and what it complains of. It connects when it is first used."""
    trouble = Trouble()
    return connect(AdminClient, settings, {}, trouble), trouble


def connect(
    kind: Callable[[dict[str, Any]], Any], settings: KafkaSettings, more: dict[str, Any], trouble: Trouble
) -> Any:
    """Return a client of a kind (AdminClient, Producer, Consumer); ``more`` are settings of that kind.

    Raises:
        SettingsError: the client cannot be made of them: a file holds no certificate, say.
    """
    try:
        trouble.client = kind({**settings.for_confluent(), **more, "error_cb": trouble})
    except KafkaException as error:
        said = error.args[0].str() if error.args and isinstance(error.args[0], KafkaError) else str(error)
        raise SettingsError(f"no client can be made of the settings: {said}") from error
    return trouble.client


def cluster(client: Any, settings: KafkaSettings, trouble: Trouble) -> Any:
    """Return the cluster's metadata (brokers, and topics with their partitions), from any client.

    Raises:
        KafkaDown: there was no answer.
    """
    return explain(lambda: client.list_topics(timeout=settings.timeout_s), settings, trouble)


def explain(ask: Callable[[], Any], settings: KafkaSettings, trouble: Trouble, about: str = "") -> Any:
    """Return what ``ask`` returns, or raise KafkaDown or KafkaRefused for what Kafka says instead."""
    try:
        return ask()
    except KafkaException as error:
        _raise(error.args[0], settings, trouble, about)


def _raise(error: KafkaError, settings: KafkaSettings, trouble: Trouble, about: str) -> NoReturn:
    what = f"{about}: " if about else ""
    if error.code() < 0 or error.retriable():
        why = trouble.last or error.str()
        raise KafkaDown(
            f"{what}Kafka at {settings.broker} does not answer ({why}): check that it runs, that the address "
            "is that of a listener for clients, and the security settings"
        )
    raise KafkaRefused(f"{what}Kafka says no ({error.name()}): {error.str()}")
