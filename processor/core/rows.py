"""One row per contact: everything the machine remembers, in sections that are decoded only when touched.

A row is stored as a msgpack array: a head of small fields, then one byte string per section. An event that
concerns nobody's enrollment does not pay for decoding enrollments, and an untouched section goes back to
the store as the bytes it came as. Every collection has a limit; what happens beyond it is written beside it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = [
    "CONSENTS_MAX",
    "ENROLLMENTS_MAX",
    "ROW_VERSION",
    "SERIES_TIMES_MAX",
    "Enrollment",
    "Memory",
    "Past",
    "Profile",
    "Row",
    "RowVersionError",
    "Score",
    "Sent",
    "Series",
    "Timer",
    "Track",
    "due_ms_of",
]

ROW_VERSION: Final = 1
ENROLLMENTS_MAX: Final = 32  # further entries are refused and recorded ("too_many_enrollments")
SERIES_TIMES_MAX: Final = 256  # the oldest occurrence falls out of windows; the total goes on counting
ATTRIBUTES_MAX: Final = 200  # further attributes are not kept, recorded ("profile_full")
CONSENTS_MAX: Final = 64  # further purposes are not kept, recorded ("consents_full")
LISTS_MAX: Final = 64  # further lists are not joined, recorded ("lists_full")
PAST_KEYS_MAX: Final = 64  # the oldest key of a program is forgotten, and may enter again
SENT_MAX: Final = 128  # the oldest send falls out of the caps
RECENT_MAX: Final = 8  # event ids remembered for de-duplication, 8 bytes each


class RowVersionError(ValueError):
    """The stored row is of a version that this code does not read."""


class Series(msgspec.Struct, array_like=True, gc=False):
    """Occurrences of one kind of event: how often ever, first and last, and the recent ones in order.

    ``times`` (ms) ascend; ``values`` runs beside it where something sums or averages a property.
    """

    total: int
    first_ms: int
    last_ms: int
    times: list[int]
    values: list[float]


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


class Stored(msgspec.Struct, array_like=True, gc=False):
    """The row as it lies in the store: the head, then a byte string per section.

    ``inside`` names the programs of the enrollments and ``armed`` counts the inactivity timers, so that most
    events need not decode enrollments and timers to find that there is nothing for them.
    """

    version: int
    clock_ms: int
    active_ms: int
    due_ms: int
    swept: int
    alias: str
    recent: bytes
    inside: list[str]
    armed: int
    profile: bytes
    history: bytes
    scores: bytes
    segments: bytes
    enrollments: bytes
    memory: bytes
    timers: bytes


class _Head(msgspec.Struct, array_like=True, gc=False):
    """The first fields of :class:`Stored`; what follows them is stepped over."""

    version: int
    clock_ms: int
    active_ms: int
    due_ms: int


_encoder = msgspec.msgpack.Encoder()
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_encode = _encoder.encode
_decode_stored = msgspec.msgpack.Decoder(Stored).decode
_decode_profile = msgspec.msgpack.Decoder(Profile).decode
_decode_history = msgspec.msgpack.Decoder(dict[str, Series]).decode
_decode_scores = msgspec.msgpack.Decoder(dict[str, Score]).decode
_decode_segments = msgspec.msgpack.Decoder(dict[str, int]).decode
_decode_enrollments = msgspec.msgpack.Decoder(list[Enrollment]).decode
_decode_memory = msgspec.msgpack.Decoder(Memory).decode
_decode_timers = msgspec.msgpack.Decoder(list[Timer]).decode
_EMPTY_MAP = _encode({})
_EMPTY_LIST = _encode([])
_EMPTY_PROFILE = _encode(Profile({}, {}, {}))
_EMPTY_MEMORY = _encode(Memory({}, []))


def due_ms_of(data: bytes) -> int:
    """Return the earliest timer (ms, 0: none) of a stored row, without decoding the row.

    Raises:
        RowVersionError: the row is of a version this code does not know.
    """
    head = _decode_head(data)
    if head.version != ROW_VERSION:
        raise RowVersionError(f"row version {head.version} is not {ROW_VERSION}: migrate the state first")
    return head.due_ms


class Row:
    """A contact's state while a turn works on it.

    Reading a section decodes it; :meth:`encode` encodes what was read and passes on the rest. Spelled out
    section by section because this is the hottest code there is: a generic form costs microseconds.
    """

    __slots__ = (
        "_enrollments",
        "_history",
        "_memory",
        "_profile",
        "_scores",
        "_segments",
        "_stored",
        "_timers",
        "active_ms",
        "alias",
        "armed",
        "clock_ms",
        "due_ms",
        "inside",
        "recent",
        "swept",
    )

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self.clock_ms: int = stored.clock_ms
        self.active_ms: int = stored.active_ms
        self.due_ms: int = stored.due_ms
        self.swept: int = stored.swept
        self.alias: str = stored.alias
        self.recent: bytes = stored.recent
        self.inside: list[str] = stored.inside
        self.armed: int = stored.armed
        self._profile: Profile | None = None
        self._history: dict[str, Series] | None = None
        self._scores: dict[str, Score] | None = None
        self._segments: dict[str, int] | None = None
        self._enrollments: list[Enrollment] | None = None
        self._memory: Memory | None = None
        self._timers: list[Timer] | None = None

    @property
    def profile(self) -> Profile:
        """Attributes, consents, lists."""
        section = self._profile
        if section is None:
            section = self._profile = _decode_profile(self._stored.profile)
        return section

    @property
    def history(self) -> dict[str, Series]:
        """Occurrences by series key."""
        section = self._history
        if section is None:
            section = self._history = _decode_history(self._stored.history)
        return section

    @property
    def scores(self) -> dict[str, Score]:
        """Scores by model."""
        section = self._scores
        if section is None:
            section = self._scores = _decode_scores(self._stored.scores)
        return section

    @property
    def segments(self) -> dict[str, int]:
        """Memberships: segment name -> since ms."""
        section = self._segments
        if section is None:
            section = self._segments = _decode_segments(self._stored.segments)
        return section

    @property
    def enrollments(self) -> list[Enrollment]:
        """Enrollments that have not ended."""
        section = self._enrollments
        if section is None:
            section = self._enrollments = _decode_enrollments(self._stored.enrollments)
        return section

    @property
    def memory(self) -> Memory:
        """Past enrollments and recent sends."""
        section = self._memory
        if section is None:
            section = self._memory = _decode_memory(self._stored.memory)
        return section

    @property
    def timers(self) -> list[Timer]:
        """The contact's own timers."""
        section = self._timers
        if section is None:
            section = self._timers = _decode_timers(self._stored.timers)
        return section

    @classmethod
    def new(cls, swept: int = 0) -> Row:
        """An empty row; ``swept`` is the number of the partition's latest sweep, which it does not owe."""
        inside: list[str] = []
        head = (ROW_VERSION, 0, 0, 0, swept, "", b"", inside, 0)
        maps = (_EMPTY_PROFILE, _EMPTY_MAP, _EMPTY_MAP, _EMPTY_MAP, _EMPTY_LIST, _EMPTY_MEMORY, _EMPTY_LIST)
        return cls(Stored(*head, *maps))

    @classmethod
    def decode(cls, data: bytes) -> Row:
        """Read a stored row. Raises :class:`RowVersionError` for a version this code does not know."""
        stored = _decode_stored(data)
        if stored.version != ROW_VERSION:
            msg = f"row version {stored.version} is not {ROW_VERSION}: migrate the state before running"
            raise RowVersionError(msg)
        return cls(stored)

    def encode(self) -> bytes:
        """The row as bytes; sections that were not read are passed on as they came."""
        stored = self._stored
        stored.clock_ms = self.clock_ms
        stored.active_ms = self.active_ms
        stored.due_ms = self.due_ms
        stored.swept = self.swept
        stored.alias = self.alias
        stored.recent = self.recent
        stored.inside = self.inside
        stored.armed = self.armed
        if self._profile is not None:
            stored.profile = _encode(self._profile)
        if self._history is not None:
            stored.history = _encode(self._history)
        if self._scores is not None:
            stored.scores = _encode(self._scores)
        if self._segments is not None:
            stored.segments = _encode(self._segments)
        if self._enrollments is not None:
            stored.enrollments = _encode(self._enrollments)
        if self._memory is not None:
            stored.memory = _encode(self._memory)
        if self._timers is not None:
            stored.timers = _encode(self._timers)
        return _encode(stored)
