"""How a command says that it cannot go on: an exit code, what is wrong, and what to do about it."""

from __future__ import annotations

import errno
from typing import Final

__all__ = ["BUG", "DOWN", "GOOD", "INTERRUPTED", "NO", "USAGE", "CommandError", "disk_failure"]

GOOD: Final = 0
NO: Final = 1  # the command worked, and its answer is no: a scenario failed, a topology was refused
USAGE: Final = 2  # called in a wrong way: an option, a folder or a file that is not there
DOWN: Final = 3  # something that it depends on does not answer, or cannot be opened
BUG: Final = 70  # an error of Trayecto itself (EX_SOFTWARE)
INTERRUPTED: Final = 130  # stopped by Ctrl-C, as shells have it


_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})


class CommandError(Exception):
    """Ends a command. ``fix`` says what to do; ``code`` is the exit code."""

    def __init__(self, message: str, fix: str = "", code: int = USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.code = code


def disk_failure(error: OSError) -> tuple[str, str]:
    """Say what a failed read or write is about, and what to do: (message, fix)."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    # An error without a name is that of a stream that was already open, which is mostly standard output.
    what = " and ".join(names) or "the output"
    why = error.strerror or str(error) or type(error).__name__
    if error.errno in _FULL:
        fix = "the disk is full: free some space and start again"
    elif isinstance(error, FileNotFoundError):
        fix = "check the path, and that its folder is there"
    elif isinstance(error, (IsADirectoryError, NotADirectoryError, FileExistsError)):
        fix = "something else is in the way: give another path"
    else:
        fix = "check that the folder and its files are yours to read and write"
    return f"{what}: cannot be read or written ({why})", fix
