"""Outputs of an input as they will be written, all or none of them: what a run does for each input.

Here and not where files are written, because it is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from processor.codec.outputs import command_line, command_record, decision_line, decision_record
from processor.codec.quick_outputs import command_body, decision_body
from processor.codec.sizes import OUTPUT_BYTES_MAX, check_message, check_size
from processor.core.events import Message
from processor.core.outputs import Command, Decision, Output

__all__ = ["Sealing"]

_DECISIONS: Final = "decisions"


class Sealing:
    """Puts outputs into the lists that files are written from.

    Args:
        lines: as JSON; else as records of Avro.
        waiting: gives the list of a file by the stem of its name and its subject. It is asked once.
    """

    def __init__(self, waiting: Callable[[str, str], list[Any]], *, lines: bool) -> None:
        self._waiting = waiting
        self._lines = lines
        self._decisions: list[Any] | None = None
        self._commands: dict[str, list[Any]] = {}  # by channel

    def seal(self, outputs: Sequence[Output]) -> None:
        """Add the commands and decisions of one input, in order, or raise, and then add none of them.

        Raises:
            OutputTooLargeError: one is too large.
            ValueError, TypeError, OverflowError: one cannot be written.
        """
        made: list[Any] = []
        for output in outputs:
            if isinstance(output, Decision):
                made.append(self._decision(output))
            elif isinstance(output, Command):
                made.append(self._command(output))
            elif isinstance(output, Message):
                check_message(output)
        number = 0
        for output in outputs:
            if isinstance(output, Decision):
                self._decision_list().append(made[number])
                number += 1
            elif isinstance(output, Command):
                self._command_list(output.channel).append(made[number])
                number += 1

    def _decision(self, decision: Decision) -> Any:
        if self._lines:
            line = decision_line(decision)
            if len(line) > OUTPUT_BYTES_MAX:
                check_size(decision, len(line))
            return line
        check_size(decision, len(decision_body(decision)))
        return decision_record(decision)

    def _command(self, command: Command) -> Any:
        if self._lines:
            line = command_line(command)
            if len(line) > OUTPUT_BYTES_MAX:
                check_size(command, len(line))
            return line
        check_size(command, len(command_body(command)))
        return command_record(command)

    def _decision_list(self) -> list[Any]:
        found = self._decisions
        if found is None:
            found = self._decisions = self._waiting(_DECISIONS, "decision")
        return found

    def _command_list(self, channel: str) -> list[Any]:
        found = self._commands.get(channel)
        if found is None:
            found = self._commands[channel] = self._waiting(f"commands.{channel}", "command")
        return found
