"""One broker and one registry for a whole test session, however many processes it runs in.

A server is started by the first process that needs it and kept by a keeper (``keeper.py``) of its own. Every
process that uses it holds the writing end of a named pipe that the keeper reads. When the last of them closes
it, or is killed, the keeper sees the pipe's end and stops the server: the system itself counts who is left.

In ``folder``, which all processes of the session share::

    lock         held while somebody looks whether there is a server, starts it, or takes it away
    alive        held by the keeper as long as it runs
    lifeline     the named pipe
    answer.json  where the server is, or why there is none
    keeper.log   what the keeper says; the server's own folder is beside it
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["NO_BROKER", "ROOT", "held", "is_locked", "locked"]

NO_BROKER = "no real broker"  # skips and failures for want of one say so, and the summary looks for it
ROOT = Path(__file__).resolve().parents[2]
START_S_MAX = 900.0  # with a download over a slow line
END_S_MAX = 60.0
POLL_S = 0.1


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes; waits for it."""
    with path.open("w") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool:
    """Whether another process holds it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextlib.contextmanager
def held(kind: str, folder: Path, *, wait_for_end: bool) -> Iterator[dict[str, Any]]:
    """Have the session's server of this kind (``kafka`` or ``registry``), started when there is none.

    Yields what the keeper says of it: where it is, or ``error`` when it could not be started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lifeline = folder / "lifeline"
    with locked(folder / "lock"):
        if not lifeline.exists():
            os.mkfifo(lifeline)
        # For reading as well, since to open one end alone waits for the other.
        line = os.open(lifeline, os.O_RDWR)
        try:
            answer = _answer(folder) or _begin(kind, folder)
        except BaseException:
            os.close(line)
            raise
    try:
        yield answer
    finally:
        os.close(line)
        end = time.monotonic() + END_S_MAX
        while wait_for_end and is_locked(folder / "alive") and time.monotonic() < end:
            time.sleep(POLL_S)


def _answer(folder: Path) -> dict[str, Any] | None:
    """What is known of the server; None when there is none, or when its keeper was killed."""
    path = folder / "answer.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found if "error" in found or is_locked(folder / "alive") else None


def _begin(kind: str, folder: Path) -> dict[str, Any]:
    """Start the keeper, as nobody's child: whoever needed the server first may well end first."""
    (folder / "answer.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.system.keeper", kind, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "keeper.log").open("wb") as log:
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
            check=True,
        )
    begun, seen = time.monotonic(), False
    while time.monotonic() - begun < START_S_MAX:
        if answer := _answer(folder):
            return answer
        alive = is_locked(folder / "alive")
        if seen and not alive and not (folder / "answer.json").is_file():
            break
        seen = seen or alive or time.monotonic() - begun > END_S_MAX
        time.sleep(POLL_S)
    return {"error": f"its keeper has failed: see {folder / 'keeper.log'}", "fix": ""}
