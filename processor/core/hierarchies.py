"""Hierarchies: programs of a group, of which the one of the highest value has the contact.

Entering a program ends the contact's enrollments in lower ones of its group, as an exit does: in whichever
state they are, and for every key. Who is inside a higher one does not come into a lower. Only an enrollment
that walks its steps has the contact: one that is held out, waits to be let in, or has done its steps and is
observed keeps nobody out and ends nothing. Programs of equal value let each other be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.enrollments import end
from processor.core.lifecycle import ACTIVE, ENDED

if TYPE_CHECKING:
    from processor.core.model import Program
    from processor.core.turn import Turn

__all__ = ["end_lower", "higher", "settle_hierarchies"]


def higher(turn: Turn, program: Program) -> str:
    """The program of higher value in this one's group that has the contact, or the empty text."""
    programs = turn.topology.programs
    found = ""
    rank = program.rank
    for enrollment in turn.row.enrollments:
        if enrollment.state == ACTIVE:
            other = programs.get(enrollment.program)
            if other is not None and other.group == program.group and other.rank > rank:
                found, rank = other.name, other.rank
    return found


def end_lower(turn: Turn, program: Program) -> None:
    """The contact has entered this program: what runs in lower ones of its group ends."""
    programs = turn.topology.programs
    for enrollment in turn.row.enrollments:
        if enrollment.state == ENDED:
            continue
        other = programs.get(enrollment.program)
        if other is not None and other.group == program.group and other.rank < program.rank:
            end(turn, enrollment, "exit", "outranked", detail={"by": program.name})


def settle_hierarchies(turn: Turn) -> None:
    """Two contacts have become one: of what each was in, the highest of a group is left."""
    programs = turn.topology.programs
    if not turn.topology.policies.ranks:
        return
    for enrollment in list(turn.row.enrollments):
        if enrollment.state == ACTIVE:
            program = programs.get(enrollment.program)
            if program is not None and program.group:
                end_lower(turn, program)
