"""What brakes hold: from a state on this disk, or from the record of decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from processor.core.brakes import is_held
from processor.core.outputs import Decision
from processor.core.rows import Row
from processor.core.shared import Shared
from processor.runtime.inspect import databases, rows_in

__all__ = ["Braked", "Held", "HeldByRecord", "braked_in", "held_in", "held_of"]

_GOES_ON: Final = frozenset({"let_go", "suppressed"})
_ENDS: Final = frozenset({"exited", "goal", "completed"})


class Held(msgspec.Struct, frozen=True):
    """A track that a brake holds. ``until_ms`` is 0 for a step that gives no command: it has no end."""

    contact_id: str
    program: str
    enrollment: str
    step: str
    until_ms: int


class Braked(msgspec.Struct, frozen=True):
    """A program that is stopped, since when (ms)."""

    program: str
    paused: bool
    tripped: bool
    since_ms: int


def held_in(state: Path) -> Iterator[Held]:
    """Yield what is held, in a pass over all rows; works while a run or worker uses the state.

    Raises:
        StateError: there is no state in the folder, or it cannot be read.
    """
    for contact, row in rows_in(state):
        if row.inside:
            yield from held_of(row, contact)


def held_of(row: Row, contact: str) -> list[Held]:
    """Return what is held in a row."""
    return [
        Held(contact, one.program, one.id, track.step, max(0, track.due_ms))
        for one in row.enrollments
        for track in one.tracks
        if is_held(track)
    ]


def braked_in(state: Path) -> list[Braked]:
    """Return the programs that are stopped, as the partitions of a state know them.

    Raises:
        StateError: as :func:`held_in`.
    """
    found: dict[str, Braked] = {}
    for database, partitions in databases(state):
        for number in range(partitions):
            data = database.get(b"s" + number.to_bytes(2, "big"))
            if data is None:
                continue
            for name, brake in Shared.decode(data).brakes.items():
                if brake.paused or brake.tripped:
                    found.setdefault(name, Braked(name, brake.paused, brake.tripped, brake.since_ms))
    return [found[name] for name in sorted(found)]


class HeldByRecord:
    """What is held, and which programs are stopped, by the record of decisions, fed in their order."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Held]] = {}  # enrollment -> step
        self._braked: dict[str, Braked] = {}

    def add(self, decision: Decision) -> None:
        """Take one decision."""
        kind = decision.kind
        if kind == "braked":
            self._brake(decision)
        elif kind == "held" and decision.reason in {"breaker", "paused"}:
            until_ms = (decision.detail or {}).get("until", 0)
            steps = self._held.setdefault(decision.enrollment, {})
            steps[decision.step] = Held(
                decision.contact_id, decision.program, decision.enrollment, decision.step, until_ms
            )
        elif kind in _GOES_ON:
            self._held.get(decision.enrollment, {}).pop(decision.step, None)
        elif kind in _ENDS:
            self._held.pop(decision.enrollment, None)
        elif kind == "erased":
            for enrollment, steps in list(self._held.items()):
                if any(one.contact_id == decision.contact_id for one in steps.values()):
                    del self._held[enrollment]

    def _brake(self, decision: Decision) -> None:
        name, what = decision.program, decision.reason
        one = self._braked.get(name) or Braked(name, paused=False, tripped=False, since_ms=0)
        paused = what == "pause" or (one.paused and what != "resume")
        tripped = what == "tripped" or (one.tripped and what not in {"release", "drop"})
        self._braked[name] = Braked(name, paused, tripped, decision.at_ms)

    def held(self) -> list[Held]:
        """What is held."""
        return [one for steps in self._held.values() for one in steps.values()]

    def braked(self) -> list[Braked]:
        """The programs that are stopped."""
        found = [self._braked[name] for name in sorted(self._braked)]
        return [one for one in found if one.paused or one.tripped]
