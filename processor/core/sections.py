"""The sections of a contact's row: what it remembers, in shapes that msgspec reads and writes.

They are stored as msgpack arrays, so fields are told apart by their place: new ones go last, with a default.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Enrollment", "Head", "Memory", "Past", "Profile", "Score", "Sent", "Series", "Timer", "Track"]


class Series(msgspec.Struct, array_like=True, gc=False):
    """Occurrences of one kind of event: how often ever, first and last, and the recent ones in order.

    ``times`` (ms) ascend; ``values`` runs beside it where something sums or averages a property. Both are
    packed, eight bytes each: ``times_of`` and ``values_of`` in ``history`` read them. A contact that
    does much has hundreds of them, and an event touches one.
    """

    total: int
    first_ms: int
    last_ms: int
    times: bytes = b""
    values: bytes = b""


class Score(msgspec.Struct, array_like=True, gc=False):
    """A score as of ``at_ms``; decay from then on is computed when somebody asks.

    ``caps`` maps a capped rule to [window start ms, points or times used in it].
    """

    value: float
    at_ms: int
    grade: str
    caps: dict[str, list[float]]


class Track(msgspec.Struct, array_like=True, gc=False):
    """A branch of an enrollment: the step it stands at and what it waits for.

    ``state`` is a track state of ``lifecycle``; ``due_ms`` is 0 when no timer is set; ``mark`` is the
    step's own memory (a repeat's round, why a send is held); ``answer`` holds what is kept of the event
    that ended the latest wait_for.
    """

    step: str
    state: int
    due_ms: int
    since_ms: int
    mark: str = ""
    answer: dict[str, Any] | None = None


class Enrollment(msgspec.Struct, array_like=True, gc=False):
    """One run of one contact through one program.

    ``entry`` keeps the properties of the entry event that the program's steps refer to; ``visits`` counts
    executions of steps that can run more than once; ``goal_by_ms`` is 0 without a goal window.
    """

    id: str
    program: str
    version: int
    key: str
    entered_ms: int
    state: int
    tracks: list[Track]
    goal_by_ms: int = 0
    entry: dict[str, Any] | None = None
    variants: dict[str, str] | None = None
    visits: dict[str, int] | None = None
    due_ms: int = 0


class Profile(msgspec.Struct, array_like=True, gc=False):
    """What is known of the contact. ``consents``: ``purpose`` or ``purpose/channel`` -> [1 or 0, at ms]."""

    attributes: dict[str, Any]
    consents: dict[str, list[int]]
    lists: dict[str, int]


class Past(msgspec.Struct, array_like=True, gc=False):
    """What re-entry rules need to know of ended and running enrollments in one program."""

    entries: int
    entered_ms: int
    ended_ms: int
    keys: dict[str, int]


class Sent(msgspec.Struct, array_like=True, gc=False):
    """A send that counts toward the caps."""

    at_ms: int
    channel: str
    purpose: str


class Memory(msgspec.Struct, array_like=True, gc=False):
    """What re-entry rules and caps look back on: past enrollments by program, and recent sends."""

    past: dict[str, Past]
    sent: list[Sent]


class Timer(msgspec.Struct, array_like=True, gc=False):
    """A timer of the contact rather than of an enrollment: a date entry, an inactivity entry, a recheck."""

    due_ms: int
    kind: str
    name: str


class Head(msgspec.Struct, array_like=True, gc=False):
    """The first fields of a stored row; what follows them is stepped over."""

    version: int
    clock_ms: int
    active_ms: int
    due_ms: int
