"""Where the schemas of records come from: the files under `schemas/`, or a schema registry.

Asking a registry takes a round trip, which has no place between two records. So a source answers at once with
what it knows (:meth:`SchemaSource.peek`), and a caller that gets no answer calls :meth:`SchemaSource.fetch`,
in a thread where it must not wait itself, and then asks again.

A registry that does not answer says nothing about a record: :class:`RegistryUnavailable` is waited out and
tried again. Only its word that there is no such schema makes a dead letter of a record; that word is believed
for 30 seconds, since the schema may be registered meanwhile. A schema that was found is kept for ever: an id
never changes its meaning.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from operator import methodcaller
from typing import Any, Final, Literal, NoReturn, Protocol

from processor.codec.frames import SchemaKey, confluent_head, single_head
from processor.codec.schemas import SUBJECTS, fingerprint, history, schema

__all__ = [
    "ABSENT",
    "ABSENT_SECONDS",
    "LEVEL",
    "Absent",
    "FileSchemas",
    "RegistrySchemas",
    "RegistryUnavailable",
    "SchemaRefused",
    "SchemaSource",
    "subject_of",
]

ABSENT_SECONDS: Final = 30.0
KNOWN_MAX: Final = (
    10_000  # schemas and absent ids that are remembered; beyond it all absent ids are forgotten
)

Absent = Literal["absent"]
ABSENT: Final = "absent"
"""The answer that there is no such schema."""

LEVEL: Final = "BACKWARD_TRANSITIVE"
"""How our subjects are to be compatible: a new version reads what every older one wrote."""

# Error codes: no such subject, version, schema; no level of the subject's own.
_NOT_THERE: Final = frozenset({40401, 40402, 40403, 40408})


class RegistryUnavailable(Exception):  # noqa: N818 - it names a state, and is no fault of ours
    """The registry did not answer, or not with an answer: wait, and ask again. It says what to check."""


class SchemaRefused(Exception):  # noqa: N818 - as above
    """The registry does not take a schema of ours: trying again would not help."""


class SchemaSource(Protocol):
    """Something that knows schemas. ``has_ids``: whether a registry's ids mean anything to it."""

    has_ids: bool

    def peek(self, key: SchemaKey) -> Any:
        """Return the schema, :data:`ABSENT`, or None where only :meth:`fetch` can tell. Never waits."""
        ...

    def fetch(self, key: SchemaKey) -> None:
        """Find out what :meth:`peek` then says. May wait for a network.

        Raises:
            RegistryUnavailable: there was no answer.
        """
        ...

    def head(self, topic: str, subject: str) -> bytes:
        """Return what a value of this subject (one of `SUBJECTS`) begins with in a topic."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def subject_of(topic: str) -> str:
    """Return the registry's subject of a topic's values, as Confluent's TopicNameStrategy names it."""
    return f"{topic}-value"


def _text(subject: str) -> str:
    """A schema as it is registered."""
    return json.dumps(schema(subject), separators=(",", ":"))


class FileSchemas:
    """The schemas under `schemas/` with their whole history, by fingerprint."""

    has_ids: bool = False

    @cached_property
    def _known(self) -> dict[bytes, Any]:
        return {fingerprint(version): version for subject in SUBJECTS for version in history(subject)}

    def peek(self, key: SchemaKey) -> Any:
        """Return the schema, or :data:`ABSENT`; registry ids are always absent."""
        return self._known.get(key, ABSENT) if isinstance(key, bytes) else ABSENT

    def fetch(self, key: SchemaKey) -> None:
        """Do nothing: everything is known from the start."""

    def head(self, topic: str, subject: str) -> bytes:
        """Return the head of a single object."""
        return single_head(fingerprint(schema(subject)))

    def close(self) -> None:
        """Do nothing: files hold no connection."""


class RegistrySchemas:
    """A schema registry that speaks Confluent's API; fingerprints are still looked up in the files.

    Args:
        config: what the registry's client takes: `url`, `basic.auth.user.info`, `ssl.ca.location`, `timeout`
        … clock: seconds that only grow.
    """

    has_ids: bool = True

    def __init__(self, config: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._config = {"max.retries": 1, **config}
        self._clock = clock
        self._files = FileSchemas()
        self._found: dict[int, Any] = {}
        self._absent_until: dict[int, float] = {}
        self._ids: dict[tuple[str, str], int] = {}

    @cached_property
    def _client(self) -> Any:
        # A fifth of a second to import, which only a command with a registry should take.
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415

        return SchemaRegistryClient(self._config)

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def peek(self, key: SchemaKey) -> Any:
        """Return the schema, :data:`ABSENT`, or None where the registry has to be asked."""
        if isinstance(key, bytes):
            return self._files.peek(key)
        found = self._found.get(key)
        if found is None and self._clock() < self._absent_until.get(key, 0.0):
            return ABSENT
        return found

    def fetch(self, key: SchemaKey) -> None:
        """Ask the registry for an id. Raises RegistryUnavailable."""
        if isinstance(key, bytes) or key in self._found:
            return
        found = self._ask(methodcaller("get_schema", key))
        if found is None:
            if len(self._absent_until) >= KNOWN_MAX:
                self._absent_until.clear()
            self._absent_until[key] = self._clock() + ABSENT_SECONDS
        elif found.schema_type != "AVRO" or found.references:
            self._found[key] = {"unusable": found.schema_type}
        else:
            self._found[key] = json.loads(found.schema_str)

    def register(self, topics: Mapping[str, str]) -> dict[str, int]:
        """Register the schemas of our own topics (topic -> subject), and return the ids by topic.

        Registering what is registered already changes nothing.

        Raises:
            RegistryUnavailable: there was no answer.
            SchemaRefused: the registry holds something that the schema is not compatible with.
        """
        from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 - as in _client

        made = {}
        for topic, subject in topics.items():
            wanted = Schema(_text(subject), "AVRO")
            found = self._ask(methodcaller("register_schema", subject_of(topic), wanted))
            if found is None:
                raise self._down("it has no such path")
            made[topic] = self._ids[topic, subject] = found
        return made

    def lookup(self, topic: str, subject: str) -> int | None:
        """Return the id of our current schema for a topic, None where it is not registered.

        Raises RegistryUnavailable.
        """
        from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 - as in _client

        wanted = Schema(_text(subject), "AVRO")
        found = self._ask(methodcaller("lookup_schema", subject_of(topic), wanted))
        return None if found is None else int(found.schema_id)

    def guard(self, topics: Iterable[str]) -> None:
        """Have the registry refuse whatever could not read all that was written before (BACKWARD_TRANSITIVE).

        Raises RegistryUnavailable, and SchemaRefused where we may not say that.
        """
        for topic in topics:
            self._ask(methodcaller("set_compatibility", subject_of(topic), LEVEL))

    def level(self, topic: str) -> str:
        """Return the level of compatibility that a topic's schema has, "" where the subject has none.

        Raises RegistryUnavailable.
        """
        return self._ask(methodcaller("get_compatibility", subject_of(topic))) or ""

    def head(self, topic: str, subject: str) -> bytes:
        """Return the head with the id that :meth:`register` was given."""
        return confluent_head(self._ids[topic, subject])

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Return the registry's answer, None where it says that there is no such thing."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415 - as in _client

        try:
            return question(self._client)
        except SchemaRegistryError as error:
            if error.error_code in _NOT_THERE:
                return None
            self._explain(error)
        except Exception as error:  # whatever the HTTP client meets: refused, timed out, not what HTTP is
            raise self._down(str(error) or type(error).__name__) from error

    def _explain(self, error: Any) -> NoReturn:
        if error.http_status_code in (409, 422):
            raise SchemaRefused(
                f"the schema registry does not take a schema ({error.error_message}): the subject holds one "
                "that is not ours, or of a later release; give the topic another name, or remove the subject"
            ) from error
        raise self._down(f"it answers {error.http_status_code}: {error.error_message}") from error

    def _down(self, why: str) -> RegistryUnavailable:
        url = str(self._config.get("url", "")).rpartition("@")[2]  # without a password
        return RegistryUnavailable(
            f"the schema registry at {url} cannot be used ({why}): check that it runs, that the address "
            "holds the path of its Confluent API, and its user and password"
        )
