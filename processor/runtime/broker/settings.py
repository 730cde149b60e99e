"""The settings of the one-node broker, each that is not Kafka's default with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from processor.runtime.broker.process import LOCALHOST

__all__ = ["Ports", "log_properties", "server_properties"]

NODE: Final = 1

_ONE_NODE: Final[Mapping[str, str]] = {
    # There is one copy of everything.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    # 50 partitions each would be 150 open files and a slower start for a handful of groups and producers.
    "offsets.topic.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "4",
    # A misspelt topic is an error here as it is in production.
    "auto.create.topics.enable": "false",
    # A group begins at once; who waits for more members is a test, and a test does not wait.
    "group.initial.rebalance.delay.ms": "0",
    # Tests of lost members may choose a short session.
    "group.min.session.timeout.ms": "1000",
    "transaction.max.timeout.ms": "900000",
    # After a kill it is let in again only when the killed one's session is over. Shorter is quicker for tests
    # that kill it; too short has a busy machine take a slow broker for a dead one.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
    # The default cleaner takes 128 MB of a heap of 512; a small machine has few cores to spare.
    "log.cleaner.dedupe.buffer.size": "16777216",
    "num.io.threads": "4",
    "num.network.threads": "2",
    "background.threads": "2",
}


class Ports(NamedTuple):
    """The ports of 127.0.0.1 that a broker listens on; 0: that listener is not there."""

    plain: int
    controller: int
    scram: int = 0
    tls: int = 0


def server_properties(data: Path, ports: Ports, tls: Path | None = None) -> str:
    """Return the broker's file of settings.

    Args:
        data: the folder of its topics.
        ports: where it listens.
        tls: the folder with ``server.pem`` and ``ca.pem``, when ``ports.tls`` is given.
    """
    listeners = {
        "PLAINTEXT": ("PLAINTEXT", ports.plain),
        "CONTROLLER": ("PLAINTEXT", ports.controller),
        "SCRAM": ("SASL_PLAINTEXT", ports.scram),
        "TLS": ("SSL", ports.tls),
    }
    used = {name: (protocol, port) for name, (protocol, port) in listeners.items() if port}
    made = {
        "process.roles": "broker,controller",
        "node.id": str(NODE),
        "controller.quorum.voters": f"{NODE}@{LOCALHOST}:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(f"{name}://{LOCALHOST}:{port}" for name, (_, port) in used.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{of}" for name, (of, _) in used.items()),
        "log.dirs": str(data),
        **_ONE_NODE,
    }
    if ports.scram:
        made["sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
        made["listener.name.scram.scram-sha-512.sasl.jaas.config"] = (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        )
    if ports.tls:
        assert tls is not None
        made |= {
            "listener.name.tls.ssl.keystore.type": "PEM",
            "listener.name.tls.ssl.keystore.location": str(tls / "server.pem"),
            "listener.name.tls.ssl.truststore.type": "PEM",
            "listener.name.tls.ssl.truststore.location": str(tls / "ca.pem"),
            # A client may show a certificate; one that a stranger signed is refused.
            "listener.name.tls.ssl.client.auth": "requested",
        }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in made.items())


def log_properties(log: Path) -> str:
    """Return the settings of the broker's own log: at most three files of 20 MB."""
    made = {
        "status": "error",
        "appender.file.type": "RollingFile",
        "appender.file.name": "file",
        "appender.file.fileName": str(log),
        "appender.file.filePattern": f"{log}.%i",
        "appender.file.layout.type": "PatternLayout",
        "appender.file.layout.pattern": "%d{ISO8601} %p %c{1} %m%n",
        "appender.file.policies.type": "Policies",
        "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
        "appender.file.policies.size.size": "20MB",
        "appender.file.strategy.type": "DefaultRolloverStrategy",
        "appender.file.strategy.max": "2",
        "rootLogger.level": "info",
        "rootLogger.appenderRef.file.ref": "file",
    }
    return "".join(f"{name} = {_escaped(value)}\n" for name, value in made.items())


def _escaped(value: str) -> str:
    """A value as Java's files of properties have it: a path may hold a backslash or what is not ASCII."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)  # noqa: PLR2004 - ASCII
