"""A program that this process starts, in a process group of its own, and that never outlives it.

A group of its own keeps a Ctrl-C of the terminal from it, so that this process decides how it ends, and makes
sure that only what was started here is ever sent a signal. A guard (a shell that waits on a pipe) ends the
group when this process is gone without having done so, even by ``kill -9``: the system closes the pipe then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from processor.runtime.broker.errors import StartError, UnusableError

__all__ = ["LOCALHOST", "Child", "free_port", "require_free_port", "tail"]

LOCALHOST: Final = "127.0.0.1"
_KILL_S_MAX: Final = 10.0  # the system needs a moment to take down a process with much memory
_TAIL_LINES: Final = 8
_TAIL_BYTES: Final = 16_384
# The end of the pipe without a line: the parent is gone. With a line: it has ended the group itself. It is
# `kill -s` since some shells take the dashes of `kill -TERM -- -1` for a number.
_GUARD: Final = (
    'read -r line && exit 0; kill -s TERM -- "-$1"; n=0;'
    ' while [ $n -lt 10 ] && kill -s 0 -- "-$1"; do sleep 1; n=$((n + 1)); done; kill -s KILL -- "-$1"'
)


class Child:
    """A started program. Its output goes to ``log``, which is begun anew."""

    def __init__(self, process: subprocess.Popen[bytes], guard: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._guard = guard
        self.log = log

    @classmethod
    def start(cls, command: Sequence[str], *, log: Path, cwd: Path, environment: Mapping[str, str]) -> Child:
        """Start a program. Raises StartError when there is no such program."""
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own command, without a shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=dict(environment),
                    start_new_session=True,
                )
            except OSError as error:
                raise StartError(f"{command[0]} cannot be started: {error.strerror}") from None
        guard = subprocess.Popen(  # noqa: S603 - as above; the one argument is a number
            ["/bin/sh", "-c", _GUARD, "sh", str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return cls(process, guard, log)

    @property
    def pid(self) -> int:
        """The process id, which is that of its group as well."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.code is None

    @property
    def code(self) -> int | None:
        """Its exit code (a signal's number negative), None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._release()
        return code

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end (SIGTERM), and make it after ``timeout_s``. Returns whether it did as asked."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._release()
        return True

    def kill(self) -> None:
        """End it and its group at once (SIGKILL). Does nothing when it has ended."""
        self._signal(signal.SIGKILL)
        self._process.wait(_KILL_S_MAX)
        self._release()

    def _signal(self, number: int) -> None:
        # While its end has not been asked for the system keeps its number, so no other group can have it.
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _release(self) -> None:
        """Tell the guard that there is nothing to guard any more."""
        pipe = self._guard.stdin
        assert pipe is not None
        if pipe.closed:
            return
        with contextlib.suppress(BrokenPipeError):
            pipe.write(b"\n")
            pipe.flush()
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
        self._guard.wait(_KILL_S_MAX)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as made:
        made.bind((LOCALHOST, 0))
        port: int = made.getsockname()[1]
        return port


def require_free_port(port: int, option: str = "--port") -> None:
    """Raises UnusableError when something listens on the port of 127.0.0.1, or it is not ours to use."""
    with socket.socket() as made:
        # As Java does it: connections of a server that has just ended do not keep the port.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((LOCALHOST, port))
        except PermissionError:
            raise UnusableError(
                f"port {port} is only for the system's administrator", f"give one above 1023 with {option}"
            ) from None
        except OSError:
            raise UnusableError(
                f"port {port} of {LOCALHOST} is taken: something listens there already",
                f"stop that, or give another port with {option} (0 takes any free one)",
            ) from None


def tail(log: Path) -> str:
    """Return the last lines of a log, empty when there is none."""
    try:
        data = log.read_bytes()[-_TAIL_BYTES:]
    except OSError:
        return ""
    return "\n".join(data.decode(errors="replace").splitlines()[-_TAIL_LINES:])
