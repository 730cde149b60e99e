"""The test list: contacts of one's own who walk programs in minutes, and count nowhere.

For a contact on it every wait is cut short, and caps, quiet hours, blackouts and rules for the dormant hold
nothing back; consent, addresses and conditions count as for anybody. It is in no holdout, takes no unit of a
cap on entrants or a budget, stands in no arbitration, is no result of a split by best performer, and its
enrollments are in no report. It may enter again as soon as it is out, and is out after the last step: nobody
waits for its goal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["TestList", "is_test", "shortened"]


@dataclass(frozen=True)
class TestList:
    """The list, and how long its contacts wait at most (ms)."""

    name: str
    wait_ms: int


def is_test(turn: Turn) -> bool:
    """Whether the contact is on the test list."""
    test = turn.topology.test_list
    return test is not None and test.name in turn.row.lists


def shortened(turn: Turn, wait_ms: int) -> int:
    """How long the contact waits where others wait ``wait_ms``."""
    test = turn.topology.test_list
    if test is None or wait_ms <= test.wait_ms or test.name not in turn.row.lists:
        return wait_ms
    return test.wait_ms
