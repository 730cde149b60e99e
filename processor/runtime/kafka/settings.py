"""How to reach Kafka and the schema registry: one set of settings for every client.

Each is a variable `TRAYECTO_…`; the usual ones are options of the commands too. Passwords are never options,
since everybody on a machine sees the arguments of its processes: they come from a variable, or from a file
that a variable names.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from processor.runtime.kafka.errors import SettingsError

__all__ = ["SETTINGS", "KafkaSettings", "Setting", "settings_from"]

_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_TIMEOUT_S: Final = 30.0
_FILES: Final = ("ca_file", "cert_file", "key_file", "registry_ca_file")


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a connection; "" stands for what is not set. `SETTINGS` says what each means.

    ``timeout_s`` bounds every request, and how long a command waits for the cluster to answer.
    """

    broker: str
    security: str = "PLAINTEXT"
    mechanism: str = ""
    user: str = ""
    password: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    key_password: str = ""
    client_id: str = "trayecto"
    timeout_s: float = _TIMEOUT_S
    registry: str = ""
    registry_user: str = ""
    registry_password: str = ""
    registry_ca_file: str = ""

    def __repr__(self) -> str:  # a password must not reach a log or a traceback
        return f"KafkaSettings(broker={self.broker!r}, security={self.security!r}, user={self.user!r})"

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether a user logs in with a password."""
        return self.security.startswith("SASL")

    def for_confluent(self) -> dict[str, Any]:
        """Return what clients of confluent-kafka (librdkafka) take."""
        made: dict[str, Any] = {
            "bootstrap.servers": self.broker,
            "client.id": self.client_id,
            "security.protocol": self.security,
            "log_level": 2,  # it says on standard error what its error callback is told too
            "socket.timeout.ms": int(self.timeout_s * 1000),
            "socket.connection.setup.timeout.ms": int(min(self.timeout_s, 10.0) * 1000),
        }
        if self.sasl:
            made |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password,
            }
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.cert_file,
            "ssl.key.location": self.key_file,
            "ssl.key.password": self.key_password,
        }
        return made | {name: value for name, value in files.items() if value and self.tls}

    def for_aiokafka(self) -> dict[str, Any]:
        """Return what clients of aiokafka take."""
        made: dict[str, Any] = {
            "bootstrap_servers": self.broker,
            "client_id": self.client_id,
            "security_protocol": self.security,
            "request_timeout_ms": int(self.timeout_s * 1000),
        }
        if self.sasl:
            made |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        if self.tls:
            made["ssl_context"] = self.ssl_context()
        return made

    def for_registry(self) -> dict[str, Any]:
        """Return what the schema registry's client takes. The registry has to be set."""
        assert self.registry, "there is no registry to configure"
        made: dict[str, Any] = {"url": self.registry, "timeout": self.timeout_s}
        if self.registry_user:
            made["basic.auth.user.info"] = f"{self.registry_user}:{self.registry_password}"
        if self.registry_ca_file:
            made["ssl.ca.location"] = self.registry_ca_file
        return made

    def ssl_context(self) -> ssl.SSLContext:
        """Return the context of an encrypted connection. Raises SettingsError for files it cannot use."""
        try:
            made = ssl.create_default_context(cafile=self.ca_file or None)
            if self.cert_file:
                made.load_cert_chain(self.cert_file, self.key_file or None, self.key_password or None)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"the certificates cannot be used ({error}): they are PEM files, the key is the certificate's"
            ) from error
        return made


class Setting(msgspec.Struct, frozen=True):
    """A setting as people see it: its variable, what it means, and the option that commands have for it."""

    name: str
    doc: str
    option: str = ""

    @property
    def variable(self) -> str:
        """The variable of the environment."""
        return f"TRAYECTO_{self.name.upper()}"


SETTINGS: Final = (
    Setting("broker", "where Kafka is: HOST:PORT, or several with commas between", "--broker"),
    Setting("registry", "the address of a schema registry's Confluent API; default none", "--registry"),
    Setting("security", f"{', '.join(_PROTOCOLS)}; default PLAINTEXT", "--security"),
    Setting("user", "who logs in, with SASL", "--user"),
    Setting("password", "their password; or `TRAYECTO_PASSWORD_FILE`: a file that holds it"),
    Setting("mechanism", f"of SASL: {', '.join(_MECHANISMS)}; default SCRAM-SHA-512"),
    Setting("ca_file", "a PEM file with the authorities that are trusted; default the system's", "--ca-file"),
    Setting("cert_file", "a PEM file with our own certificate, for mutual TLS"),
    Setting("key_file", "a PEM file with its key"),
    Setting("key_password", "the key's password; or `TRAYECTO_KEY_PASSWORD_FILE`"),
    Setting("client_id", "what the cluster's logs and quotas call us; default trayecto"),
    Setting("timeout_s", f"seconds to wait for an answer; default {_TIMEOUT_S:g}"),
    Setting("registry_user", "who logs in at the registry"),
    Setting("registry_password", "their password; or `TRAYECTO_REGISTRY_PASSWORD_FILE`"),
    Setting("registry_ca_file", "a PEM file with the authorities that the registry's certificate is of"),
)
"""Every setting of a connection. A test compares them with the struct's fields."""


def settings_from(given: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> KafkaSettings:
    """Return the settings: those given (by options), else those of the environment, else the defaults.

    Raises:
        SettingsError: one is missing, is not one of the words it can be, does not fit the others, or names a
        file
            that is not there.
    """
    found: dict[str, str] = {}
    for setting in SETTINGS:
        value = given.get(setting.name) or environ.get(setting.variable) or _from_file(setting, environ)
        if value:
            found[setting.name] = value
    if not found.get("broker"):
        raise SettingsError("which broker? give --broker HOST:PORT, or set TRAYECTO_BROKER")
    for name, words in (("security", _PROTOCOLS), ("mechanism", _MECHANISMS)):
        if name in found:
            found[name] = found[name].upper()
            if found[name] not in words:
                raise SettingsError(f"{name} {found[name]} is not known: it is one of {', '.join(words)}")
    try:
        timeout_s = float(found.pop("timeout_s", _TIMEOUT_S))
    except ValueError:
        raise SettingsError("TRAYECTO_TIMEOUT_S is no number: write seconds, such as 30") from None
    if not 1 <= timeout_s <= 3600:  # noqa: PLR2004 - the message says it
        raise SettingsError("TRAYECTO_TIMEOUT_S is out of bounds: write 1 to 3600 seconds")
    for name in _FILES:
        if name in found and not Path(found[name]).is_file():
            raise SettingsError(f"there is no file {found[name]}, which {name} names")
    texts: dict[str, Any] = dict(found)
    if not found.get("registry", "http://").startswith(("http://", "https://")):
        raise SettingsError("the registry's address has to begin with http:// or https://")
    made = KafkaSettings(**texts, timeout_s=timeout_s)
    return _fitting(made)


def _from_file(setting: Setting, environ: Mapping[str, str]) -> str:
    name = f"{setting.variable}_FILE"
    path = environ.get(name, "") if "password" in setting.name else ""
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{name}: {path} cannot be read as text ({error})") from None


def _fitting(made: KafkaSettings) -> KafkaSettings:
    if made.sasl:
        if not (made.user and made.password):
            raise SettingsError(
                f"{made.security} needs TRAYECTO_USER, and TRAYECTO_PASSWORD or TRAYECTO_PASSWORD_FILE"
            )
        return msgspec.structs.replace(made, mechanism=made.mechanism or "SCRAM-SHA-512")
    if made.user or made.mechanism:
        raise SettingsError(f"a user is of no use with {made.security}: set TRAYECTO_SECURITY to SASL_SSL")
    if (made.ca_file or made.cert_file) and not made.tls:
        raise SettingsError(f"certificates are of no use with {made.security}: set TRAYECTO_SECURITY to SSL")
    if made.key_file and not made.cert_file:
        raise SettingsError("TRAYECTO_KEY_FILE is of no use without TRAYECTO_CERT_FILE")
    return made
