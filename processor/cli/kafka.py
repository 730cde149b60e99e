"""What the commands that talk to Kafka share: the options of a connection, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import DOWN, NO, USAGE, CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from processor.core.model import Topology
    from processor.runtime.kafka.settings import KafkaSettings

__all__ = [
    "Broker",
    "CaFile",
    "Registry",
    "Security",
    "User",
    "WireFormat",
    "connected",
    "connection",
    "kafka_explained",
]

Broker = Annotated[
    str | None,
    typer.Option(
        "--broker", metavar="HOST:PORT", help="Where Kafka is; several with commas.", envvar="TRAYECTO_BROKER"
    ),
]
Registry = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="URL",
        help="A schema registry's Confluent API. Default: none, records are single objects.",
        envvar="TRAYECTO_REGISTRY",
    ),
]
Security = Annotated[
    str | None,
    typer.Option(
        "--security",
        metavar="PROTOCOL",
        help="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Default: PLAINTEXT.",
        envvar="TRAYECTO_SECURITY",
    ),
]
User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="NAME",
        help="Who logs in (SASL). The password is in TRAYECTO_PASSWORD or TRAYECTO_PASSWORD_FILE.",
        envvar="TRAYECTO_USER",
    ),
]
CaFile = Annotated[
    str | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="The authorities that are trusted (PEM). Default: the system's.",
        envvar="TRAYECTO_CA_FILE",
    ),
]


class WireFormat(StrEnum):
    """How values of records are written."""

    AVRO = "avro"
    JSON = "json"


def connection(
    broker: str | None,
    registry: str | None,
    security: str | None,
    user: str | None,
    ca_file: str | None,
) -> KafkaSettings:
    """Return the settings of the connection. Raises CommandError where they do not fit."""
    from processor.runtime.kafka.errors import SettingsError
    from processor.runtime.kafka.settings import settings_from

    given = {
        "broker": broker,
        "registry": registry,
        "security": security,
        "user": user,
        "ca_file": ca_file,
    }
    try:
        return settings_from(given)
    except SettingsError as error:
        raise CommandError(str(error), "docs/guide/topics.md has every setting", USAGE) from None


def connected(
    folder: Path,
    broker: str | None,
    registry: str | None,
    security: str | None,
    user: str | None,
    ca_file: str | None,
) -> tuple[Topology, KafkaSettings]:
    """Load a topology, and return it with the settings of the connection. Raises CommandError."""
    from processor.cli.options import load

    return load(folder).topology, connection(broker, registry, security, user, ca_file)


@contextmanager
def kafka_explained() -> Iterator[None]:
    """Turn what can go wrong into exit codes: no answer 3, a refusal 1, a wrong file 2."""
    from processor.codec.inputs import SourceError
    from processor.codec.registry import RegistryUnavailable, SchemaRefused
    from processor.runtime.kafka.errors import KafkaDown, KafkaRefused, SettingsError

    try:
        yield
    except (KafkaDown, RegistryUnavailable) as error:
        raise CommandError(str(error), "", DOWN) from None
    except (KafkaRefused, SchemaRefused) as error:
        raise CommandError(str(error), "", NO) from None
    except (SettingsError, SourceError) as error:
        raise CommandError(str(error), "", USAGE) from None
