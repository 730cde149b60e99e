"""What can stop a partition or a worker, each with what an operator is told."""

from __future__ import annotations

__all__ = [
    "FencedError",
    "FencedInstanceError",
    "PagesError",
    "PositionLostError",
    "StateInUseError",
    "WorkerError",
]


class WorkerError(Exception):
    """The worker, or one partition of it, cannot go on; the message says why and what to do."""


class FencedError(WorkerError):
    """Another producer has this partition's transactional id: its owner has to leave and join anew."""


class FencedInstanceError(WorkerError):
    """Another worker has joined the group under this worker's name; this one stops."""


class StateInUseError(WorkerError):
    """Another process runs on this worker's state folder; this one does not start."""


class PagesError(WorkerError):
    """The pages for monitoring cannot be served at the address that was given; this worker does not start."""


class PositionLostError(WorkerError):
    """The position is not in the log any more, or nothing says where to begin: an operator has to decide."""
