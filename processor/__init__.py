"""Trayecto, an event-sourced streaming journey processor.

It reads what contacts do from an event log, keeps one row of state per contact, walks each contact through
marketing programs, and emits the next step as a command to the channel that carries it out. Every decision is
a function of the recorded log: `processor.core` decides and does nothing else, the other packages feed it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import PathEntryFinder

__all__ = ["__version__", "is_compiled"]

__version__ = "0.1.0"


def is_compiled() -> bool:
    """Whether the core runs compiled (see hatch_build.py). It decides the same either way."""
    from processor.core import machine  # noqa: PLC0415 - the package must not import its parts to be imported

    return not (machine.__file__ or "").endswith(".py")


def _prefer_sources() -> None:
    """Let Python find the package's sources before what was compiled of them, which it prefers otherwise."""
    package = str(Path(__file__).parent)
    finder = FileFinder.path_hook((SourceFileLoader, SOURCE_SUFFIXES))

    def hook(path: str) -> PathEntryFinder:
        if path != package and not path.startswith(package + os.sep):
            raise ImportError("not of this package")
        return finder(path)

    sys.path_hooks.insert(0, hook)


if os.environ.get("TRAYECTO_PLAIN"):
    _prefer_sources()
