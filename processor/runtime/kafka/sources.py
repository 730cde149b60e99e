"""The schemas that a connection uses: those of its registry, or the files."""

from __future__ import annotations

from collections.abc import Mapping

from processor.codec.records import JSON_HEAD, Encoder
from processor.codec.registry import FileSchemas, RegistrySchemas, SchemaSource
from processor.runtime.kafka.settings import KafkaSettings

__all__ = ["encoders", "schema_source"]


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
