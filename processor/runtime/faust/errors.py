"""What can stop a partition or a worker, each with what an operator is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "LOST_CODES",
    "FencedError",
    "FencedInstanceError",
    "PackageError",
    "PagesError",
    "PositionLostError",
    "StateInUseError",
    "WorkerError",
]


LOST_CODES: Final[Mapping[str, str]] = {
    "retention": "the log begins behind the position: records were deleted before they were read",
    "beyond_end": "the log ends before the position: the topic was made anew, or this is another cluster",
    "no_position": "the group has read the topic, and the changelog says nothing of it",
    "refused": "the broker refused a fetch at the position while the partition was being worked on",
}
"""Why a position can be lost."""


class WorkerError(Exception):
    """The worker, or one partition of it, cannot go on; the message says why and what to do."""


class PackageError(WorkerError):
    """A client library is of a release that the worker was not made for; this worker does not start."""


class FencedError(WorkerError):
    """Another producer has this partition's transactional id: its owner has to leave and join anew."""


class FencedInstanceError(WorkerError):
    """Another worker has joined the group under this worker's name; this one stops."""


class StateInUseError(WorkerError):
    """Another process runs on this worker's state folder; this one does not start."""


class PagesError(WorkerError):
    """The pages for monitoring cannot be served at the address that was given; this worker does not start."""


class PositionLostError(WorkerError):
    """The position is not in the log any more, or nothing says where to begin: an operator has to decide.

    ``code`` says why, for monitoring: one of :data:`LOST_CODES`.
    """

    def __init__(self, code: str, message: str) -> None:
        assert code in LOST_CODES, code
        self.code = code
        super().__init__(message)
