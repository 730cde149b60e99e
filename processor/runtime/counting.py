"""Counting what was decided, output by output: compiled, because there are more outputs than events."""

from __future__ import annotations

from collections.abc import Sequence

from processor.core.outputs import Command, Decision

__all__ = ["count_commands", "count_decisions"]


def count_commands(counts: dict[str, int], commands: Sequence[Command]) -> None:
    """Count by channel."""
    for command in commands:
        counts[command.channel] = counts.get(command.channel, 0) + 1


def count_decisions(counts: dict[tuple[str, str, str, str], int], decisions: Sequence[Decision]) -> None:
    """Count by (kind, program, step, reason)."""
    for decision in decisions:
        key = (decision.kind, decision.program, decision.step, decision.reason)
        counts[key] = counts.get(key, 0) + 1
