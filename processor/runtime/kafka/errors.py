"""What can go wrong with Kafka, told apart by what a caller does about it."""

from __future__ import annotations

__all__ = ["KafkaDown", "KafkaRefused", "SettingsError"]


class KafkaDown(Exception):  # noqa: N818 - it names a state of the cluster
    """The cluster, or a part of it that is needed, does not answer. It says where, and what to check."""


class KafkaRefused(Exception):  # noqa: N818 - as above
    """The cluster answers, and does not do what was asked: a topic is missing, or we may not do this."""


class SettingsError(Exception):
    """The settings of a connection do not fit together, or name a file that is not there."""
