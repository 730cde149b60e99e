"""What the machine hands back: commands for channels, decisions for the record, messages for other rows."""

from __future__ import annotations

from typing import Any

import msgspec

from processor.core.events import Message

__all__ = ["Command", "Decision", "Output"]


class Command(msgspec.Struct, frozen=True, gc=False, omit_defaults=False):
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


class Decision(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
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


Output = Command | Decision | Message
