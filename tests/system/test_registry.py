"""A real registry: it takes our schemas, guards them, and says what it knows."""

from __future__ import annotations

import io
import json
import urllib.request
from contextlib import closing
from datetime import UTC, datetime

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from processor.codec.events import Refusal
from processor.codec.frames import confluent_head
from processor.codec.outputs import command_record
from processor.codec.records import Encoder
from processor.codec.registry import (
    LEVEL,
    FileSchemas,
    RegistrySchemas,
    RegistryUnavailable,
    SchemaRefused,
    subject_of,
)
from processor.codec.schemas import SUBJECTS, history, schema
from processor.codec.wire import EventDecoder, SchemaNeeded
from processor.core.events import Event
from processor.core.outputs import Command
from tests.system.shop import Shop, event_lines

AT_MS = 1_772_357_400_000


@pytest.fixture
def schemas(registry):
    with closing(RegistrySchemas({"url": registry.url, "timeout": 30})) as made:
        yield made


@pytest.fixture
def client(registry):
    with SchemaRegistryClient({"url": registry.url}) as made:
        yield made


def test_schemas_are_registered_once_and_read_back(schemas, registry, fresh_name):
    topics = {fresh_name(subject): subject for subject in SUBJECTS}
    ids = schemas.register(topics)
    assert schemas.register(topics) == ids
    with closing(RegistrySchemas({"url": registry.url, "timeout": 30})) as other:
        for topic, subject in topics.items():
            assert schemas.head(topic, subject) == confluent_head(ids[topic])
            assert schemas.lookup(topic, subject) == ids[topic]
            other.fetch(ids[topic])
            assert other.peek(ids[topic]) == schema(subject)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_version_may_follow_the_ones_before(client, schemas, fresh_name, subject):
    """BACKWARD_TRANSITIVE, as the registry itself judges it."""
    name = subject_of(fresh_name(subject))
    for number, version in enumerate(history(subject)):
        wanted = Schema(json.dumps(version), "AVRO")
        if number == 1:
            client.set_compatibility(name, LEVEL)
        if number:
            assert client.test_compatibility_all_versions(name, wanted)
        client.register_schema(name, wanted)
    client.set_compatibility(name, LEVEL)
    broken = {**schema(subject), "fields": [*schema(subject)["fields"], {"name": "extra", "type": "string"}]}
    assert not client.test_compatibility_all_versions(name, Schema(json.dumps(broken), "AVRO"))


def test_a_guarded_subject_does_not_take_what_would_break_readers(client, schemas, fresh_name):
    topic = fresh_name("events")
    schemas.register({topic: "event"})
    assert schemas.level(topic) != LEVEL
    schemas.guard([topic])
    assert schemas.level(topic) == LEVEL
    other = fresh_name("commands")
    taken = {
        "type": "record",
        "name": "Command",
        "namespace": "trayecto",
        "fields": [{"name": "n", "type": "int"}],
    }
    client.register_schema(subject_of(other), Schema(json.dumps(taken), "AVRO"))
    client.set_compatibility(subject_of(other), LEVEL)
    with pytest.raises(SchemaRefused, match="another name"):
        schemas.register({other: "command"})


def test_an_id_that_the_registry_does_not_know_is_refused(schemas):
    decoder = EventDecoder(schemas)
    value = confluent_head(2_000_000_000) + b"x"
    needed = decoder.decode(value)
    assert isinstance(needed, SchemaNeeded)
    decoder.fetch(needed)
    found = decoder.decode(value)
    assert isinstance(found, Refusal)
    assert found.reason == "unknown_schema"


def test_an_address_without_the_api_is_waited_for(registry):
    """A wrong path must not make dead letters of everything."""
    url = registry.url.partition("/apis")[0] + "/nothing/here"
    with closing(RegistrySchemas({"url": url, "max.retries": 0})) as schemas:
        with pytest.raises(RegistryUnavailable):
            schemas.fetch(1)
        assert schemas.peek(1) is None


def test_a_schema_of_a_publisher_is_found(client, schemas, fresh_name):
    """Somebody's own record, registered by their own serializer."""
    declared = {
        "type": "record",
        "name": fresh_name("PageView").replace("-", ""),
        "fields": [
            {"name": "contact_id", "type": "string"},
            {"name": "type", "type": "string"},
            {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "properties", "type": {"type": "map", "values": "string"}},
        ],
    }
    number = client.register_schema(subject_of(fresh_name("web")), Schema(json.dumps(declared), "AVRO"))
    stream = io.BytesIO(confluent_head(number))
    stream.seek(5)
    record = {"contact_id": "c", "type": "t", "occurred_at": AT_MS * 1000, "properties": {"a": "b"}}
    fastavro.schemaless_writer(stream, fastavro.parse_schema(declared), record)
    decoder = EventDecoder(schemas)
    needed = decoder.decode(stream.getvalue())
    assert needed == SchemaNeeded(number)
    decoder.fetch(needed)
    found = decoder.decode(stream.getvalue(), AT_MS)
    assert isinstance(found, Event)
    assert (found.occurred_ms, found.properties) == (AT_MS, {"a": "b"})


def test_what_confluents_own_serializer_writes_is_read(client, schemas, fresh_name):
    topic = fresh_name("web")
    serialize = AvroSerializer(client, json.dumps(schema("event")))
    record = {
        "event_id": "e-1",
        "contact_id": "c-é",
        "type": "page_viewed",
        "occurred_at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        "appended_at": None,
        "properties": '{"url":"/pricing"}',
    }
    value = serialize(record, SerializationContext(topic, MessageField.VALUE))
    assert isinstance(value, bytes)
    decoder = EventDecoder(schemas)
    needed = decoder.decode(value)
    assert isinstance(needed, SchemaNeeded)
    decoder.fetch(needed)
    found = decoder.decode(value, AT_MS)
    assert isinstance(found, Event)
    assert (found.event_id, found.contact_id, found.occurred_ms) == ("e-1", "c-é", AT_MS)
    assert found.properties == {"url": "/pricing"}


def test_confluents_own_deserializer_reads_commands(client, schemas, fresh_name):
    topic = fresh_name("commands.push")
    schemas.register({topic: "command"})
    command = Command(
        "k1",
        "push",
        "message",
        "c-1",
        "p",
        1,
        "n",
        "s",
        "",
        "t",
        {"a": 1},
        "service",
        AT_MS,
        AT_MS,
        AT_MS + 1,
    )
    value = Encoder("command", schemas.head(topic, "command")).encode(command)
    read = AvroDeserializer(client)(value, SerializationContext(topic, MessageField.VALUE))
    assert read == command_record(command) | {
        "decided_at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        "not_before": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        "expires_at": datetime(2026, 3, 1, 9, 30, 0, 1000, tzinfo=UTC),
    }


@pytest.fixture
def shop(kafka, registry, fresh_name, tmp_path):
    made = Shop(tmp_path / "shop", fresh_name("framed"), kafka.address, registry.url)
    yield made
    made.close()


def test_the_command_line_with_a_registry(shop, client):
    topic = shop.names.events[0]
    assert shop.cli("topics", "create", TRAYECTO_REGISTRY="").code == 0
    checked = shop.cli("topics", "check", "-o", "json")
    assert checked.code == 1
    assert {(one["what"], one["found"]) for one in checked.json["differences"]} == {
        ("schema", "not registered")
    }
    made = shop.cli("topics", "create", "-o", "json")
    assert made.code == 0, made.err
    number = made.json["registered"][topic]
    assert client.get_compatibility(subject_of(topic)) == LEVEL
    assert shop.cli("topics", "check").code == 0

    done = shop.cli("publish", "-", stdin=event_lines(5))
    assert done.code == 0, done.err
    read = shop.cli("tail", "events")
    assert len(read.lines) == 5, read.err
    without = shop.cli("tail", "events", TRAYECTO_REGISTRY="")
    assert (without.code, without.lines) == (1, [])
    assert "no_registry" in without.err
    encode = Encoder("event", confluent_head(number)).encode
    event = EventDecoder(FileSchemas()).decode(event_lines(1).strip())
    assert encode(event).startswith(confluent_head(number))


def test_a_registry_that_is_not_there_ends_with_3(shop):
    assert shop.cli("topics", "create", TRAYECTO_REGISTRY="").code == 0
    for arguments in (("publish", "-"), ("topics", "check"), ("topics", "create")):
        done = shop.cli(*arguments, "--registry", "http://127.0.0.1:1", stdin=event_lines(1))
        assert done.code == 3, arguments
        assert "the schema registry at" in done.err


def test_the_registry_is_there(registry):
    with urllib.request.urlopen(f"{registry.url}/subjects", timeout=30) as answer:
        assert isinstance(json.load(answer), list)
