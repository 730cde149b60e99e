"""Limits on sends to contacts who have been silent for long, until they show life again.

A contact is dormant when the latest sign of life (an event of those that the limit names, or any) is so long
ago. Of somebody who never gave one, the first send that is remembered is the beginning of the silence: how
long there was none before it, nobody knows. Only sends made while the contact is dormant count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import i64

from processor.core.timers import last_activity
from processor.core.turn import NEVER_MS

if TYPE_CHECKING:
    from processor.core.sending import Dormant
    from processor.core.turn import Turn

__all__ = ["covers", "keep_sends_after", "spared_until"]


def covers(rule: Dormant, purpose: str, channel: str) -> bool:
    """Whether a send on the channel for the purpose is one that the limit is about."""
    return (not rule.channels or channel in rule.channels) and (not rule.purposes or purpose in rule.purposes)


def spared_until(turn: Turn, rule: Dormant) -> int:
    """0 while a send may be made, else the instant at which the limit leaves room again (NEVER_MS: none)."""
    since_ms = last_activity(turn, rule.activities) or _first_send(turn, rule)
    if not since_ms:
        return 0
    dormant_ms = since_ms + rule.inactive_ms
    if turn.now_ms < dormant_ms:
        return 0
    sends = turn.row.sends
    kinds = sends.kinds
    left = rule.at_most
    index: i64 = len(kinds) - 1  # the latest first
    while index >= 0:
        at_ms = sends.at_ms(index)
        if at_ms < dormant_ms or (rule.per_ms and at_ms <= turn.now_ms - rule.per_ms):
            return 0
        kind = kinds[index]
        if covers(rule, sends.purposes[kind], sends.channels[kind]):
            left -= 1
            if left == 0:
                return at_ms + rule.per_ms if rule.per_ms else NEVER_MS
        index -= 1
    return 0


def _first_send(turn: Turn, rule: Dormant) -> int:
    sends = turn.row.sends
    for index in range(len(sends)):
        kind = sends.kinds[index]
        if covers(rule, sends.purposes[kind], sends.channels[kind]):
            return sends.at_ms(index)
    return 0


def keep_sends_after(turn: Turn, rules: tuple[Dormant, ...], keep_after_ms: int) -> int:
    """How far back sends are remembered: ``keep_after_ms`` (ms), or further where a limit needs it.

    Those since the latest sign of life, as far as they are within its time; all, where there was none.
    """
    for rule in rules:
        since_ms = last_activity(turn, rule.activities)
        if since_ms and rule.per_ms:
            since_ms = max(since_ms, turn.now_ms - rule.per_ms)
        keep_after_ms = min(keep_after_ms, since_ms)
    return keep_after_ms
