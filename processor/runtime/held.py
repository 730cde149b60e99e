"""What brakes hold: from a state on this disk, or from the record of decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from processor.core.brakes import is_held
from processor.core.rows import Row
from processor.core.shared import Shared
from processor.runtime.inspect import databases, rows_in

__all__ = ["Braked", "Held", "braked_in", "held_in", "held_of"]


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
