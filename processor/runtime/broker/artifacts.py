"""A pinned file of a Maven repository, and what a source of such files is."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

__all__ = ["Artifact", "Source", "Tell", "quiet"]


class Tell(Protocol):
    """Told how far a download is: bytes done, bytes in all (0: not known), and in words."""

    def __call__(self, done: int, total: int, note: str, /) -> None:
        """Tell it."""
        ...


def quiet(done: int, total: int, note: str) -> None:
    """Tell nobody."""


class Artifact(NamedTuple):
    """One file by its Maven coordinates, with the size and the sha256 that it must have."""

    group: str
    name: str
    version: str
    type: str
    classifier: str  # empty: none
    size_bytes: int
    sha256: str

    @classmethod
    def parse(cls, line: str) -> Artifact:
        """Read ``group:artifact:version[:type:classifier] bytes sha256``."""
        coordinates, size_bytes, sha256 = line.split()
        group, name, version, *rest = coordinates.split(":")
        packaging, classifier = rest or ("jar", "")
        assert re.fullmatch("[0-9a-f]{64}", sha256), line
        return cls(group, name, version, packaging, classifier, int(size_bytes), sha256)

    @property
    def filename(self) -> str:
        """The file's name, as every Maven repository has it."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{classifier}.{self.type}"

    @property
    def path(self) -> PurePosixPath:
        """The file's path inside a Maven repository."""
        return PurePosixPath(*self.group.split("."), self.name, self.version, self.filename)


class Source(Protocol):
    """Somewhere that artifacts come from."""

    def __call__(self, wanted: tuple[Artifact, ...], staging: Path, tell: Tell) -> None:
        """Download into ``staging``, laid out as a Maven repository; what is whole there already may stay.

        Raises:
            FetchError: they cannot be had.
        """
        ...
