"""One row per contact: everything the machine remembers, in sections that are decoded only when touched.

A row is stored as a msgpack array: a head of small fields, then one byte string per section. An event that
concerns nobody's enrollment does not pay for decoding enrollments, and an untouched section goes back to
the store as the bytes it came as. Every collection has a limit; what happens beyond it is written beside it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from mypy_extensions import mypyc_attr

from processor.core.sections import Enrollment, Head, Memory, Profile, Score, Series, Timer

__all__ = [
    "CONSENTS_MAX",
    "ENROLLMENTS_MAX",
    "ROW_VERSION",
    "SERIES_TIMES_MAX",
    "Row",
    "RowVersionError",
    "due_ms_of",
]

ROW_VERSION: Final = 2
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


# Where the fields stand in a stored row: a head, then the sections. ``inside`` names the programs of the
# enrollments and ``armed`` counts the inactivity timers, so that most events need not decode either to find
# that there is nothing for them.
_VERSION: Final = 0
_CLOCK: Final = 1
_ACTIVE: Final = 2
_DUE: Final = 3
_SWEPT: Final = 4
_ALIAS: Final = 5
_RECENT: Final = 6
_INSIDE: Final = 7
_ARMED: Final = 8
_PROFILE: Final = 9
_HISTORY: Final = 10
_SCORES: Final = 11
_SEGMENTS: Final = 12
_ENROLLMENTS: Final = 13
_MEMORY: Final = 14
_TIMERS: Final = 15
_FIELDS: Final = 16

_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode_stored = msgspec.msgpack.Decoder(list[Any]).decode
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
        raise _unknown_version(head.version)
    return head.due_ms


def _unknown_version(version: Any) -> RowVersionError:
    return RowVersionError(f"row version {version} is not {ROW_VERSION}: migrate the state before running")


@mypyc_attr(acyclic=True, free_list_len=1)
class Row:
    """A contact's state while a turn works on it.

    Reading a section decodes it; :meth:`encode` encodes what was read and passes on the rest. Profile and
    memory are read far more often than written: they are encoded only after :meth:`change_profile` and
    :meth:`change_memory`, and whoever writes to them has to ask for them so. Spelled out section by
    section because this is the hottest code there is: a generic form costs microseconds.
    """

    def __init__(self, stored: list[Any]) -> None:
        self._stored: list[Any] = stored
        self.clock_ms: int = stored[_CLOCK]
        self.active_ms: int = stored[_ACTIVE]
        self.due_ms: int = stored[_DUE]
        self.swept: int = stored[_SWEPT]
        self.alias: str = stored[_ALIAS]
        self.recent: bytes = stored[_RECENT]
        self.inside: list[str] = stored[_INSIDE]
        self.armed: int = stored[_ARMED]
        self._profile_changed = False
        self._memory_changed = False
        self._profile: Profile | None = None
        self._history: dict[str, Series] | None = None
        self._scores: dict[str, Score] | None = None
        self._segments: dict[str, int] | None = None
        self._enrollments: list[Enrollment] | None = None
        self._memory: Memory | None = None
        self._timers: list[Timer] | None = None

    @property
    def profile(self) -> Profile:
        """Attributes, consents, lists: to read."""
        section = self._profile
        if section is None:
            section = self._profile = _decode_profile(self._stored[_PROFILE])
        return section

    def change_profile(self) -> Profile:
        """Attributes, consents, lists: to write to."""
        self._profile_changed = True
        return self.profile

    @property
    def history(self) -> dict[str, Series]:
        """Occurrences by series key."""
        section = self._history
        if section is None:
            section = self._history = _decode_history(self._stored[_HISTORY])
        return section

    @property
    def scores(self) -> dict[str, Score]:
        """Scores by model."""
        section = self._scores
        if section is None:
            section = self._scores = _decode_scores(self._stored[_SCORES])
        return section

    @property
    def segments(self) -> dict[str, int]:
        """Memberships: segment name -> since ms."""
        section = self._segments
        if section is None:
            section = self._segments = _decode_segments(self._stored[_SEGMENTS])
        return section

    @property
    def enrollments(self) -> list[Enrollment]:
        """Enrollments that have not ended."""
        section = self._enrollments
        if section is None:
            section = self._enrollments = _decode_enrollments(self._stored[_ENROLLMENTS])
        return section

    @property
    def memory(self) -> Memory:
        """Past enrollments and recent sends: to read."""
        section = self._memory
        if section is None:
            section = self._memory = _decode_memory(self._stored[_MEMORY])
        return section

    def change_memory(self) -> Memory:
        """Past enrollments and recent sends: to write to."""
        self._memory_changed = True
        return self.memory

    @property
    def timers(self) -> list[Timer]:
        """The contact's own timers."""
        section = self._timers
        if section is None:
            section = self._timers = _decode_timers(self._stored[_TIMERS])
        return section

    @classmethod
    def new(cls, swept: int = 0) -> Row:
        """An empty row; ``swept`` is the number of the partition's latest sweep, which it does not owe."""
        head: list[Any] = [ROW_VERSION, 0, 0, 0, swept, "", b"", [], 0]
        maps = [_EMPTY_PROFILE, _EMPTY_MAP, _EMPTY_MAP, _EMPTY_MAP, _EMPTY_LIST, _EMPTY_MEMORY, _EMPTY_LIST]
        return Row(head + maps)

    @classmethod
    def decode(cls, data: bytes) -> Row:
        """Read a stored row. Raises :class:`RowVersionError` for a version this code does not know."""
        stored: list[Any] = _decode_stored(data)
        if stored[_VERSION] != ROW_VERSION or len(stored) != _FIELDS:
            raise _unknown_version(stored[_VERSION])
        return Row(stored)

    def encode(self) -> bytes:
        """The row as bytes; sections that were not read are passed on as they came."""
        stored = self._stored
        stored[_CLOCK] = self.clock_ms
        stored[_ACTIVE] = self.active_ms
        stored[_DUE] = self.due_ms
        stored[_SWEPT] = self.swept
        stored[_ALIAS] = self.alias
        stored[_RECENT] = self.recent
        stored[_INSIDE] = self.inside
        stored[_ARMED] = self.armed
        if self._profile_changed:
            stored[_PROFILE] = _encode(self._profile)
            self._profile_changed = False
        if self._history is not None:
            stored[_HISTORY] = _encode(self._history)
        if self._scores is not None:
            stored[_SCORES] = _encode(self._scores)
        if self._segments is not None:
            stored[_SEGMENTS] = _encode(self._segments)
        if self._enrollments is not None:
            stored[_ENROLLMENTS] = _encode(self._enrollments)
        if self._memory_changed:
            stored[_MEMORY] = _encode(self._memory)
            self._memory_changed = False
        if self._timers is not None:
            stored[_TIMERS] = _encode(self._timers)
        return _encode(stored)
