"""A real Kafka broker and a real schema registry for the tests in this folder.

Both are started when the first test asks for them and stopped after the last, once for a whole session,
however many processes it runs in. Where they cannot be had (no Java, no network) the tests are skipped, and
the session's summary says so; with ``CI=true`` they fail.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from processor.runtime.broker.errors import BrokerError
from processor.runtime.broker.kafka import LocalKafka
from tests.system.chunks import chunk_application
from tests.system.shared import NO_BROKER, held

__all__ = ["chunk_application"]


class SharedKafka(NamedTuple):
    """The session's broker. Never stop it: a test that does wants ``own_kafka``."""

    address: str  # without security
    scram_address: str  # SASL_PLAINTEXT, SCRAM-SHA-512, with ``user`` and ``password``
    user: str
    password: str
    tls_address: str  # SSL: trust ``ca``; the client's certificate may be shown
    ca: str
    client_certificate: str
    client_key: str


class SharedRegistry(NamedTuple):
    """The session's registry: the base URL of its Confluent API."""

    url: str


def _session_folder(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _lacking(error: str, fix: str) -> None:
    reason = f"{NO_BROKER}: {error}. {fix}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _shared(kind: str, factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    with held(kind, _session_folder(factory) / f"shared-{kind}", wait_for_end=alone) as answer:
        if "error" in answer:
            _lacking(answer["error"], answer["fix"])
        yield answer


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedKafka]:
    """The session's broker, shared by all tests: use fresh topics, groups and transactional ids."""
    for answer in _shared("kafka", tmp_path_factory):
        yield SharedKafka(**answer)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedRegistry]:
    """The session's registry, shared by all tests: use fresh subjects."""
    for answer in _shared("registry", tmp_path_factory):
        yield SharedRegistry(**answer)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker of the test's own, which it may kill and start again."""
    broker = LocalKafka(tmp_path / "kafka", heap_mb=256)
    try:
        broker.start()
    except BrokerError as error:
        _lacking(str(error), error.fix)
    try:
        yield broker
    finally:
        broker.close()


@pytest.fixture
def fresh_name() -> Callable[[str], str]:
    """Make a name that no other test has: of a topic, a group, an app, a subject."""

    def make(about: str = "test") -> str:
        return f"{about}-{uuid.uuid4().hex[:12]}"

    return make


@pytest.fixture
def fresh_topic(kafka: SharedKafka, fresh_name: Callable[[str], str]) -> Iterator[Callable[..., str]]:
    """Make a topic on the session's broker that no other test has; it is deleted after the test.

    ``fresh_topic("events", partitions=2, config={"cleanup.policy": "compact"})`` returns its name.
    """
    admin = AdminClient({"bootstrap.servers": kafka.address})
    made: list[str] = []

    def make(about: str = "topic", *, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        name = fresh_name(about)
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config or {})
        for done in admin.create_topics([new], request_timeout=30).values():
            done.result()
        made.append(name)
        return name

    yield make
    if made:
        for done in admin.delete_topics(made, request_timeout=30).values():
            done.result()
