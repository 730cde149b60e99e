"""What the machine hands back: commands for channels, decisions for the record, messages for other rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mypy_extensions import mypyc_attr

from processor.core.events import Message

__all__ = ["Command", "Decision", "Output"]


@mypyc_attr(acyclic=True)
@dataclass(init=False)
class Command:
    """An instruction to a channel. Times in ms since 1970 UTC.

    ``values`` is a snapshot: what the template needs travels with the command.
    """

    command_id: str
    channel: str
    kind: str
    contact_id: str
    program: str
    version: int
    enrollment: str
    step: str
    variant: str
    template: str
    values: dict[str, Any]
    purpose: str
    decided_ms: int
    not_before_ms: int
    expires_ms: int

    def __init__(  # noqa: PLR0913, PLR0917 - one for each field; spelled out, so that it compiles to a few stores
        self,
        command_id: str,
        channel: str,
        kind: str,
        contact_id: str,
        program: str,
        version: int,
        enrollment: str,
        step: str,
        variant: str,
        template: str,
        values: dict[str, Any],
        purpose: str,
        decided_ms: int,
        not_before_ms: int,
        expires_ms: int,
    ) -> None:
        self.command_id = command_id
        self.channel = channel
        self.kind = kind
        self.contact_id = contact_id
        self.program = program
        self.version = version
        self.enrollment = enrollment
        self.step = step
        self.variant = variant
        self.template = template
        self.values = values
        self.purpose = purpose
        self.decided_ms = decided_ms
        self.not_before_ms = not_before_ms
        self.expires_ms = expires_ms


@mypyc_attr(acyclic=True)
@dataclass(init=False)
class Decision:
    """One line of the record: what was decided or held back, about whom, when, and by which rule.

    ``kind`` is one of :data:`processor.core.lifecycle.DECISIONS`; ``reason`` names the rule.
    """

    kind: str
    contact_id: str
    at_ms: int
    program: str = ""
    version: int = 0
    enrollment: str = ""
    step: str = ""
    reason: str = ""
    detail: dict[str, Any] | None = None

    def __init__(  # noqa: PLR0913, PLR0917 - one for each field; spelled out, so that it compiles to a few stores
        self,
        kind: str,
        contact_id: str,
        at_ms: int,
        program: str = "",
        version: int = 0,
        enrollment: str = "",
        step: str = "",
        reason: str = "",
        detail: dict[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self.contact_id = contact_id
        self.at_ms = at_ms
        self.program = program
        self.version = version
        self.enrollment = enrollment
        self.step = step
        self.reason = reason
        self.detail = detail


Output = Command | Decision | Message
