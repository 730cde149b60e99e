"""Why a local broker cannot be had, each with what to do about it."""

from __future__ import annotations

__all__ = ["BrokerError", "FetchError", "JavaError", "StartError", "UnusableError"]


class BrokerError(Exception):
    """A local broker or registry cannot be had. ``fix`` says what to do about it."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class FetchError(BrokerError):
    """What it is made of cannot be downloaded, or is not what it should be."""


class JavaError(BrokerError):
    """There is no Java that can run it."""


class StartError(BrokerError):
    """It was started and does not answer, or has ended by itself."""


class UnusableError(BrokerError):
    """The port or the folder that was asked for cannot be used."""
