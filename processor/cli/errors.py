"""How a command says that it cannot go on: an exit code, what is wrong, and what to do about it."""

from __future__ import annotations

from typing import Final

__all__ = ["BUG", "DOWN", "GOOD", "INTERRUPTED", "NO", "USAGE", "CommandError"]

GOOD: Final = 0
NO: Final = 1  # the command worked, and its answer is no: a scenario failed, a topology was refused
USAGE: Final = 2  # called in a wrong way: an option, a folder or a file that is not there
DOWN: Final = 3  # something that it depends on does not answer, or cannot be opened
BUG: Final = 70  # an error of Trayecto itself (EX_SOFTWARE)
INTERRUPTED: Final = 130  # stopped by Ctrl-C, as shells have it


class CommandError(Exception):
    """Ends a command. ``fix`` says what to do; ``code`` is the exit code."""

    def __init__(self, message: str, fix: str = "", code: int = USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.code = code
