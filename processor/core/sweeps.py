"""Scheduled audiences: when an instant of a schedule comes, every contact of the partition is considered.

The partition's shared row keeps each schedule's next instant and the sweeps that are being walked. A row
keeps the number of the last sweep it has had, and a row touched before the walk reaches it gets what it
lacks first: so the pace of the walk decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.shared import OPEN_SWEEPS_MAX, SweepRun
from processor.core.time import DAY_MS
from processor.core.time import zone as zone_named
from processor.core.turn import NEVER_MS

if TYPE_CHECKING:
    from processor.core.model import Entry, Topology
    from processor.core.rows import Row
    from processor.core.shared import Shared

__all__ = [
    "FORGETTING", "FORGET_EVERY_MS", "close_sweeps", "forgets", "next_sweep_ms", "open_sweep", "owed",
    "schedule",
]  # fmt: skip

FORGETTING: Final = "/forget"  # the schedule by which contacts are forgotten: no program's name is empty
FORGET_EVERY_MS: Final = 30 * DAY_MS  # a walk writes every row


def schedule(topology: Topology, shared: Shared, now_ms: int) -> bool:
    """Give each schedule its next instant after ``now_ms`` where it has none; forget those that are gone.

    Called when a partition starts and when its topology changes. Returns whether anything changed.
    """
    wanted: dict[str, Entry | None] = {f"{entry.program}/{entry.id}": entry for entry in topology.schedules}
    if topology.policies.forget_ms:
        wanted[FORGETTING] = None
    changed = False
    for name in [name for name in shared.schedules if name not in wanted]:
        del shared.schedules[name]
        changed = True
    for name, entry in wanted.items():
        known_ms = shared.schedules.get(name)
        if known_ms is None or known_ms == NEVER_MS:  # a later version may have opened its window again
            shared.schedules[name] = _next(topology, entry, now_ms)
            changed = changed or shared.schedules[name] != known_ms
    return changed


def next_sweep_ms(shared: Shared) -> int:
    """The earliest instant of any schedule."""
    if not shared.schedules or len(shared.sweeps) >= OPEN_SWEEPS_MAX:
        return NEVER_MS
    return min(shared.schedules.values())


def open_sweep(topology: Topology, shared: Shared) -> None:
    """Open the sweep of the schedule that is due first, and set the schedule's next instant."""
    name = min(shared.schedules, key=lambda name: (shared.schedules[name], name))
    due_ms = shared.schedules[name]
    program, _, entry_id = name.partition("/")
    shared.sweep_number += 1
    shared.sweeps.append(SweepRun(shared.sweep_number, due_ms, program, entry_id))
    shared.cursor = ""
    entry = topology.entry_named(program, entry_id)
    ended = entry is None and name != FORGETTING
    shared.schedules[name] = NEVER_MS if ended else _next(topology, entry, due_ms)


def close_sweeps(shared: Shared) -> None:
    """The walk has reached the last contact: every row has had every sweep."""
    shared.sweeps = []
    shared.cursor = ""


def owed(shared: Shared, row: Row) -> SweepRun | None:
    """The first sweep this row has not had."""
    if row.swept >= shared.sweep_number:
        return None
    for sweep in shared.sweeps:
        if sweep.number > row.swept:
            return sweep
    row.swept = shared.sweep_number
    return None


def forgets(sweep: SweepRun) -> bool:
    """Whether the sweep looks for contacts to forget."""
    return not sweep.program


def _next(topology: Topology, entry: Entry | None, after_ms: int) -> int:
    """The schedule's next instant within its program's window: outside of it a walk could only refuse."""
    if entry is None:
        return after_ms - after_ms % FORGET_EVERY_MS + FORGET_EVERY_MS
    program = topology.programs[entry.program]
    after_ms = max(after_ms, program.opens_ms - 1)
    if entry.cron is not None:
        due_ms = entry.cron.next(after_ms, zone_named(entry.zone) if entry.zone else topology.timezone)
    else:
        due_ms = entry.once_ms if entry.once_ms > after_ms else NEVER_MS
    return NEVER_MS if program.closes_ms and due_ms >= program.closes_ms else due_ms
