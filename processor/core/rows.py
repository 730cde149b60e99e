"""One row per contact: everything the machine remembers, in sections that are read only when touched.

A row is stored as a head of small fields, then eleven sections, each behind its length (3 bytes). An event
that concerns nobody's enrollment does not pay for reading enrollments, and what nobody changed goes back to
the store as the bytes it came as. Every collection has a limit, in :mod:`processor.core.limits`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from librt.strings import BytesWriter, read_i64_le
from mypy_extensions import i64, mypyc_attr

from processor.core.named import Consents, History, Pasts, Scores
from processor.core.origins import Origin
from processor.core.packing import (
    Reader,
    begin_section,
    close_section,
    put_blob,
    put_count,
    put_text,
    put_time,
)
from processor.core.sections import (
    Enrollment,
    Timer,
    read_enrollments,
    read_names,
    read_timers,
    read_times,
    write_enrollments,
    write_names,
    write_timers,
    write_times,
)
from processor.core.sends import Sends

__all__ = ["ROW_VERSION", "Row", "RowVersionError", "due_ms_of"]

ROW_VERSION: Final = 5

_DUE_AT: Final = 17  # where the earliest timer stands: behind the version, the clock, the latest activity
_LENGTH: Final = 3

_encode = msgspec.msgpack.Encoder().encode
_decode_map = msgspec.msgpack.Decoder(dict[str, Any]).decode


class RowVersionError(ValueError):
    """The stored row is of a version that this code does not read."""


def due_ms_of(data: bytes) -> int:
    """Return the earliest timer (ms, 0: none) of a stored row, without reading the row.

    Raises:
        RowVersionError: the row is of a version this code does not know.
    """
    if data[0] != ROW_VERSION:
        raise _unknown_version(data[0])
    return read_i64_le(data, _DUE_AT)


def _unknown_version(version: int) -> RowVersionError:
    return RowVersionError(f"row version {version} is not {ROW_VERSION}: migrate the state before running")


def _end(data: bytes, begin: i64) -> i64:
    """Where the section ends whose length stands at ``begin``."""
    low: i64 = data[begin]
    middle: i64 = data[begin + 1]
    high: i64 = data[begin + 2]
    return begin + _LENGTH + low + (middle << 8) + (high << 16)


@mypyc_attr(acyclic=True, free_list_len=1)
class Row:
    """A contact's state while a turn works on it.

    Asking for a section reads it; whoever writes to one asks for it by its ``change_`` method, or tells the
    drawer. :meth:`encode` writes what changed and passes on the rest. ``inside`` names the programs of the
    enrollments and ``armed`` counts the inactivity timers, so that most events need not read either to find
    that there is nothing for them. Spelled out section by section because this is the hottest code there is.
    """

    def __init__(self, data: bytes) -> None:
        if data[0] != ROW_VERSION:
            raise _unknown_version(data[0])
        head = Reader(data, 1)
        self._data = data
        self.clock_ms: int = head.time()
        self.active_ms: int = head.time()
        self.due_ms: int = head.time()
        self.swept: int = head.count()
        self.armed: int = head.count()
        self.alias: str = head.text()
        self.recent: bytes = head.blob()
        self.inside: list[str] = read_names(head)
        self._attributes_at: i64 = head.at
        self._consents_at: i64 = _end(data, self._attributes_at)
        self._lists_at: i64 = _end(data, self._consents_at)
        self._history_at: i64 = _end(data, self._lists_at)
        self._scores_at: i64 = _end(data, self._history_at)
        self._segments_at: i64 = _end(data, self._scores_at)
        self._enrollments_at: i64 = _end(data, self._segments_at)
        self._past_at: i64 = _end(data, self._enrollments_at)
        self._sends_at: i64 = _end(data, self._past_at)
        self._timers_at: i64 = _end(data, self._sends_at)
        self._origin_at: i64 = _end(data, self._timers_at)
        if _end(data, self._origin_at) != len(data):
            raise ValueError("a row's sections do not add up to its length")
        self._attributes: dict[str, Any] | None = None
        self._consents: Consents | None = None
        self._lists: dict[str, int] | None = None
        self._history: History | None = None
        self._scores: Scores | None = None
        self._segments: dict[str, int] | None = None
        self._enrollments: list[Enrollment] | None = None
        self._past: Pasts | None = None
        self._sends: Sends | None = None
        self._timers: list[Timer] | None = None
        self._origin: Origin | None = None
        self._attributes_changed = False
        self._lists_changed = False
        self._segments_changed = False
        self._enrollments_changed = False
        self._sends_changed = False
        self._timers_changed = False
        self._origin_changed = False
        self.gone = False
        self.erased_ms = 0

    @property
    def attributes(self) -> dict[str, Any]:
        """The contact's attributes, to read."""
        section = self._attributes
        if section is None:
            packed = self._data[self._attributes_at + _LENGTH : self._consents_at]
            section = self._attributes = _decode_map(packed) if packed else {}
        return section

    def change_attributes(self) -> dict[str, Any]:
        """The contact's attributes, to write to."""
        self._attributes_changed = True
        return self.attributes

    @property
    def consents(self) -> Consents:
        """Answers by purpose, or purpose and channel."""
        section = self._consents
        if section is None:
            section = self._consents = Consents(self._data, self._consents_at + _LENGTH, self._lists_at)
        return section

    @property
    def lists(self) -> dict[str, int]:
        """Lists -> since ms, to read."""
        section = self._lists
        if section is None:
            section = self._lists = read_times(Reader(self._data, self._lists_at + _LENGTH))
        return section

    def change_lists(self) -> dict[str, int]:
        """Lists -> since ms, to write to."""
        self._lists_changed = True
        return self.lists

    @property
    def history(self) -> History:
        """Occurrences by series key."""
        section = self._history
        if section is None:
            section = self._history = History(self._data, self._history_at + _LENGTH, self._scores_at)
        return section

    @property
    def scores(self) -> Scores:
        """Scores by model."""
        section = self._scores
        if section is None:
            section = self._scores = Scores(self._data, self._scores_at + _LENGTH, self._segments_at)
        return section

    @property
    def segments(self) -> dict[str, int]:
        """Memberships, to read: segment name -> since ms."""
        section = self._segments
        if section is None:
            section = self._segments = read_times(Reader(self._data, self._segments_at + _LENGTH))
        return section

    def change_segments(self) -> dict[str, int]:
        """Memberships, to write to."""
        self._segments_changed = True
        return self.segments

    @property
    def enrollments(self) -> list[Enrollment]:
        """Enrollments that have not ended, to read."""
        section = self._enrollments
        if section is None:
            section = self._enrollments = read_enrollments(Reader(self._data, self._enrollments_at + _LENGTH))
        return section

    def change_enrollments(self) -> list[Enrollment]:
        """The list of enrollments, to add to."""
        self._enrollments_changed = True
        return self.enrollments

    def change_enrollment(self, enrollment: Enrollment) -> None:
        """This enrollment is about to be written to."""
        self._enrollments_changed = True
        enrollment.changed = True

    def keep_enrollments(self, enrollments: list[Enrollment]) -> None:
        """Let go of all other enrollments."""
        self._enrollments_changed = True
        self._enrollments = enrollments

    @property
    def past(self) -> Pasts:
        """What is past, by program."""
        section = self._past
        if section is None:
            section = self._past = Pasts(self._data, self._past_at + _LENGTH, self._sends_at)
        return section

    @property
    def sends(self) -> Sends:
        """Recent sends, to read."""
        section = self._sends
        if section is None:
            section = self._sends = Sends.read(Reader(self._data, self._sends_at + _LENGTH))
        return section

    def change_sends(self) -> Sends:
        """Recent sends, to write to."""
        self._sends_changed = True
        return self.sends

    @property
    def timers(self) -> list[Timer]:
        """The contact's own timers, to read."""
        section = self._timers
        if section is None:
            section = self._timers = read_timers(Reader(self._data, self._timers_at + _LENGTH))
        return section

    def change_timers(self) -> list[Timer]:
        """The contact's own timers, to write to."""
        self._timers_changed = True
        return self.timers

    @property
    def origin(self) -> Origin:
        """Which contacts became this one, to read."""
        section = self._origin
        if section is None:
            section = self._origin = Origin.read(self._data, self._origin_at + _LENGTH, len(self._data))
        return section

    def change_origin(self) -> Origin:
        """Which contacts became this one, to write to."""
        self._origin_changed = True
        return self.origin

    @classmethod
    def new(cls, swept: int = 0) -> Row:
        """An empty row; ``swept`` is the number of the partition's latest sweep, which it does not owe."""
        row = Row(_EMPTY)
        row.swept = swept
        return row

    @classmethod
    def decode(cls, data: bytes) -> Row:
        """Read a stored row.

        Raises:
            RowVersionError: it is of a version this code does not know.
            ValueError, IndexError: the bytes are no row.
        """
        return Row(data)

    def encode(self) -> bytes:
        """The row as bytes; what nobody changed is passed on as it came."""
        to = BytesWriter()
        _put_head(to, self)
        data = self._data
        since = self._attributes_at
        if self._attributes_changed:
            begin = begin_section(to)
            attributes = self.attributes
            if attributes:
                to.write(_encode(attributes))
            close_section(to, begin)
            since = self._consents_at
        consents = self._consents
        if consents is not None and consents.changed:
            since = _pass_on(to, data, since, self._consents_at, self._lists_at)
            begin = begin_section(to)
            consents.write(to)
            close_section(to, begin)
        if self._lists_changed:
            since = _pass_on(to, data, since, self._lists_at, self._history_at)
            begin = begin_section(to)
            write_times(to, self.lists)
            close_section(to, begin)
        since = self._encode_remembered(to, since)
        if self._segments_changed:
            since = _pass_on(to, data, since, self._segments_at, self._enrollments_at)
            begin = begin_section(to)
            write_times(to, self.segments)
            close_section(to, begin)
        since = self._encode_enrollments(to, since)
        if self._sends_changed:
            since = _pass_on(to, data, since, self._sends_at, self._timers_at)
            begin = begin_section(to)
            self.sends.write(to)
            close_section(to, begin)
        if self._timers_changed:
            since = _pass_on(to, data, since, self._timers_at, self._origin_at)
            begin = begin_section(to)
            write_timers(to, self.timers)
            close_section(to, begin)
        if self._origin_changed:
            since = _pass_on(to, data, since, self._origin_at, len(data))
            begin = begin_section(to)
            self.origin.write(to)
            close_section(to, begin)
        if since < len(data):
            to.write(data[since:])
        return to.getvalue()

    def _encode_remembered(self, to: BytesWriter, since: i64) -> i64:
        """What events left behind."""
        data = self._data
        history = self._history
        if history is not None and history.changed:
            since = _pass_on(to, data, since, self._history_at, self._scores_at)
            begin = begin_section(to)
            history.write(to)
            close_section(to, begin)
        scores = self._scores
        if scores is not None and (scores.changed or scores.emptied):
            since = _pass_on(to, data, since, self._scores_at, self._segments_at)
            begin = begin_section(to)
            scores.write(to)
            close_section(to, begin)
        return since

    def _encode_enrollments(self, to: BytesWriter, since: i64) -> i64:
        """What runs and what is past."""
        if self._enrollments_changed:
            since = _pass_on(to, self._data, since, self._enrollments_at, self._past_at)
            begin = begin_section(to)
            write_enrollments(to, self.enrollments)
            close_section(to, begin)
        past = self._past
        if past is not None and past.changed:
            since = _pass_on(to, self._data, since, self._past_at, self._sends_at)
            begin = begin_section(to)
            past.write(to)
            close_section(to, begin)
        return since


def _put_head(to: BytesWriter, row: Row) -> None:
    to.append(ROW_VERSION)
    put_time(to, row.clock_ms)
    put_time(to, row.active_ms)
    put_time(to, row.due_ms)
    put_count(to, row.swept)
    put_count(to, row.armed)
    put_text(to, row.alias)
    put_blob(to, row.recent)
    write_names(to, row.inside)


def _pass_on(to: BytesWriter, data: bytes, since: i64, until: i64, end: i64) -> i64:
    """Write the sections from ``since`` to ``until`` as they came. Returns where the next one begins."""
    if since < until:
        to.write(data[since:until])
    return end


# A new contact's row: a head of nothing, and sections without anything in them. A drawer without items and a
# map without entries have no bytes, all others begin with how many they hold; a send's ends with two blobs.
_EMPTY: Final = (
    bytes([ROW_VERSION])
    + bytes(24 + 5)
    + b"".join(
        len(section).to_bytes(_LENGTH, "little") + section
        for section in (b"", b"", b"\0", b"", b"", b"\0", b"\0", b"", b"\0\0\0", b"\0", b"")
    )
)
