"""The releases whose insides are used here: another minor release may have other ones, and fail in silence.

Transactions, fetches and the membership are reached by private names of aiokafka and Faust: what is not there
would be an AttributeError at best, in the middle of a partition's work.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from processor.runtime.faust.errors import PackageError

__all__ = ["MADE_FOR", "check_versions"]

MADE_FOR: Final = {"aiokafka": "0.14", "faust-streaming": "0.15"}
"""Package -> the minor release; `pyproject.toml` asks for the same, and a test compares them."""


def check_versions() -> None:
    """Raise PackageError, with what to do, where another minor release is installed."""
    for package, wanted in MADE_FOR.items():
        found = version(package)
        if ".".join(found.split(".")[:2]) != wanted:
            raise PackageError(
                f"{package} {found} is installed, and the worker uses the insides of {wanted}: install what "
                f"requirements.lock names, or {package}=={wanted}.*"
            )
