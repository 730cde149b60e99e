"""What one turn of the machine can see and touch; compiled expressions are functions of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from processor.core.model import Topology
    from processor.core.outputs import Output
    from processor.core.rivalry import Rivalry
    from processor.core.rows import Row
    from processor.core.sections import Enrollment, Track
    from processor.core.shared import Shared

__all__ = ["NEVER_MS", "Turn", "zone_of"]

# Later than any instant ("the value never changes by time alone"), and small enough for a compiled core to
# hold without an object.
NEVER_MS: Final = 1 << 61
_NOTHING: Final[dict[str, Any]] = {}  # never written to


@mypyc_attr(acyclic=True, free_list_len=1)
class Turn:
    """One input at work on one row.

    ``now_ms`` is the instant the turn acts at. ``props`` are the properties of the event being looked at
    (``event.…``), ``enrollment`` and ``track`` those that are being looked at. ``until_ms`` is lowered by
    time-dependent functions to the first instant at which their value can change by time alone. ``derived``
    queues events that follow from this one (a segment entered, a score threshold reached) as (type,
    properties). ``stale`` collects the names of segments to look at again, ``redated`` those of date
    attributes whose timers have to be set anew (the empty name: all of them, as the zone has changed); a name
    may be in them more than once.
    ``item`` and ``item_ms`` are the fields and the instant of the relation's item that is being looked at.
    ``noted`` is how many of ``out`` have been looked at for what a hand-over tells.
    ``muted`` says that the event is imported, so that nothing is to follow from it.
    ``occurred_ms`` is when the event occurred, ``now_ms`` or earlier when it came late. ``retimed`` says that
    the row's earliest due instant has to be found again, ``shared_changed`` that the
    shared row was written to; ``released`` that an operator has let go of what runs now;
    ``rivalry`` is there where sends compete, ``claimed`` says that something waits for units of a global
    quantity; ``slot`` is the period of the room on ``slot_channel`` that the running track has (-1: none).
    """

    def __init__(
        self,
        topology: Topology,
        row: Row,
        shared: Shared,
        contact_id: str,
        now_ms: int,
        out: list[Output],
        started_ms: int = 0,
    ) -> None:
        self.topology = topology
        self.row = row
        self.shared = shared
        self.contact_id = contact_id
        self.now_ms = now_ms
        self.out = out
        self.event_id = ""
        self.event_type = ""
        self.props: dict[str, Any] = _NOTHING
        self.enrollment: Enrollment | None = None
        self.track: Track | None = None
        self.until_ms = NEVER_MS
        self.derived: list[tuple[str, dict[str, Any]]] = []
        self.stale: list[str] = []
        self.redated: list[str] = []
        self.runnable: list[Enrollment] = []
        self.item: dict[str, Any] = _NOTHING
        self.item_ms = 0
        self.noted = 0
        self.occurred_ms = 0
        self.started_ms = started_ms
        self.retimed = False
        self.shared_changed = False
        self.muted = False
        self.released = False
        self.slot = -1
        self.slot_channel = ""
        self.zone: ZoneInfo | None = None
        self.rivalry: Rivalry | None = None
        self.claimed = False

    @property
    def entry(self) -> dict[str, Any]:
        """The properties kept from the enrollment's entry event (``entry.…``)."""
        enrollment = self.enrollment
        return _NOTHING if enrollment is None else enrollment.entry or _NOTHING

    @property
    def answer(self) -> dict[str, Any]:
        """Those kept from the event that ended the track's latest wait_for (``answer.…``)."""
        track = self.track
        return _NOTHING if track is None else track.answer or _NOTHING

    @property
    def variants(self) -> dict[str, str]:
        """The ways that the enrollment took at splits."""
        enrollment = self.enrollment
        return _NOTHING if enrollment is None else enrollment.variants or _NOTHING


def zone_of(turn: Turn) -> ZoneInfo:
    """The contact's time zone, or the topology's where the contact has none (or an unknown one)."""
    zone = turn.zone
    if zone is None:
        name = turn.row.attributes.get("tz")
        zone = turn.zone = turn.topology.zone_for(name)
    return zone
