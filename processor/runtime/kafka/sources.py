"""The schemas that a connection uses: those of its registry, or the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing

from processor.codec.records import JSON_HEAD, Encoder
from processor.codec.registry import LEVEL, FileSchemas, RegistrySchemas, SchemaSource
from processor.core.model import Topology
from processor.runtime.kafka.settings import KafkaSettings
from processor.runtime.kafka.topics import Difference, subjects

__all__ = ["encoders", "register", "schema_source", "unregistered"]


def schema_source(settings: KafkaSettings) -> SchemaSource:
    """Return where schemas come from: the registry where one is set, else the files under `schemas/`."""
    return RegistrySchemas(settings.for_registry()) if settings.registry else FileSchemas()


def encoders(source: SchemaSource, topics: Mapping[str, str], form: str) -> dict[str, Encoder]:
    """Return an encoder for each topic (topic -> subject), in Avro or JSON. With a registry, registers first.

    Raises:
        RegistryUnavailable, SchemaRefused: as `RegistrySchemas.register`.
    """
    assert form in ("avro", "json"), form
    if form == "avro" and isinstance(source, RegistrySchemas):
        source.register(topics)
    return {
        topic: Encoder(subject, source.head(topic, subject) if form == "avro" else JSON_HEAD)
        for topic, subject in topics.items()
    }


def register(settings: KafkaSettings, topology: Topology) -> dict[str, int]:
    """Register the schemas of all topics of a topology, and have them guarded. Returns ids by topic.

    Raises:
        RegistryUnavailable: there was no answer.
        SchemaRefused: a subject holds what our schema is not compatible with.
    """
    topics = subjects(topology)
    with closing(RegistrySchemas(settings.for_registry())) as source:
        made = source.register(topics)
        source.guard(topics)
    return made


def unregistered(settings: KafkaSettings, topology: Topology) -> list[Difference]:
    """Return the topics whose current schema the registry does not hold or does not guard.

    Raises RegistryUnavailable.
    """
    with closing(RegistrySchemas(settings.for_registry())) as source:
        return list(_unregistered(source, subjects(topology)))


def _unregistered(source: RegistrySchemas, topics: Mapping[str, str]) -> Iterator[Difference]:
    fix = "trayecto topics create, with the registry"
    for topic, subject in topics.items():
        if source.lookup(topic, subject) is None:
            yield Difference(topic, "schema", f"{subject}.avsc", "not registered", fix, mendable=True)
            continue
        level = source.level(topic)
        if level != LEVEL:
            yield Difference(topic, "compatibility", LEVEL, level or "none", fix, mendable=True)
