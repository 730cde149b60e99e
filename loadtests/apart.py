"""A measurement in a process of its own, and what a process has used of memory.

What one measurement leaves behind (RocksDB's buffers, Python's arenas) would otherwise count as the next
one's memory.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["apart", "folder_mb", "memory_mb", "memory_peak_mb"]


def apart(measure: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Call a module's function in a fresh Python and return its figures.

    Raises:
        Exception: whatever the function raised there.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(measure, arguments)


def memory_mb(pid: int | str = "self") -> float:
    """Resident memory now, MiB."""
    return _status("VmRSS", pid)


def memory_peak_mb(pid: int | str = "self") -> float:
    """The most that was resident at a time, MiB."""
    return _status("VmHWM", pid)


def _status(name: str, pid: int | str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"the system does not say {name}")


def folder_mb(folder: Path) -> float:
    """What the files below a folder hold, MiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / (1 << 20)
