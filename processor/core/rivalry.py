"""What a turn remembers of sends that compete in it: see :mod:`processor.core.admission`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["IN_CONTEST", "LEASE", "NEXT", "Rivalry", "rivalry_of", "stands", "ticket_of"]

# Marks of tracks that are held. Behind each stands the name of the rule, behind LEASE where there is one.
IN_CONTEST: Final = "contest:"  # until the window of its rule ends
NEXT: Final = "next:"  # until it is known whether the one before it gets its budget
LEASE: Final = "lease:"  # until the home of a budget has answered


@mypyc_attr(acyclic=True)
class Rivalry:
    """What a turn remembers of sends that compete.

    ``contested`` names the rules that have to choose before the turn ends; ``winners`` says by rule who was
    sent in this turn: enrollment, program, value. ``ticket`` is the send whose turn it is, ``loser``
    the one that is to be told who went before it, ``grant`` the units that came for the first.
    """

    def __init__(self) -> None:
        self.contested: list[str] = []
        self.winners: dict[str, tuple[str, str, float]] = {}
        self.ticket = ""
        self.loser = ""
        self.grant: dict[str, int] | None = None


def rivalry_of(turn: Turn) -> Rivalry:
    """What the turn remembers, from now on."""
    found = turn.rivalry
    if found is None:
        found = turn.rivalry = Rivalry()
    return found


def ticket_of(enrollment: str, step: str) -> str:
    """The name of a send that waits, in messages and among its rivals."""
    return f"{enrollment}/{step}"


def stands(turn: Turn, enrollment: Enrollment, track: Track) -> bool:
    """The timer of a held track is due: is it for its rule to choose? Another has its turn now."""
    mark = track.mark
    if mark.startswith(IN_CONTEST) or mark.startswith(NEXT):  # noqa: PIE810 - a tuple is not compiled
        rivalry_of(turn).contested.append(mark.partition(":")[2])
        return True
    if mark.startswith(LEASE):
        rivalry_of(turn).ticket = ticket_of(enrollment.id, track.step)
    return False
