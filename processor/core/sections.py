"""The sections of a row that are read as a whole: enrollments, timers, memberships.

What is looked up by name is in :mod:`processor.core.named`, recent sends are in :mod:`processor.core.sends`.
Fields stand in a fixed order without their names; a change of them is a new ``ROW_VERSION``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from librt.strings import BytesWriter
from mypy_extensions import i64, mypyc_attr, u8

from processor.core.packing import (
    Reader,
    put_blob,
    put_count,
    put_name,
    put_text,
    put_time,
)

__all__ = [
    "Enrollment", "Timer", "Track", "packed_map", "read_enrollments", "read_names", "read_timers",
    "read_times", "write_enrollments", "write_names", "write_timers", "write_times",
]  # fmt: skip

_TIMER_KINDS: Final = ("look", "segment", "grade", "date", "idle", "consent")  # stored by their place

_encode = msgspec.msgpack.Encoder().encode
_decode_map = msgspec.msgpack.Decoder(dict[str, Any]).decode


def packed_map(values: dict[str, Any] | None) -> bytes:
    """Properties as rows keep them; nothing for none."""
    return _encode(values) if values else b""


@mypyc_attr(acyclic=True)
class Track:
    """A branch of an enrollment: the step it stands at and what it waits for.

    ``state`` is a track state of ``lifecycle``; ``due_ms`` is 0 when no timer is set, negative when it is in
    quarantine (``timers``); ``mark`` is the machine's own memory (``due``: its timer has fired), ``note`` the
    step's, while the track stands there; ``answer`` holds what is kept of the event that ended the latest
    wait_for. ``fork`` is the parallel step whose branch this is, empty for the enrollment's own.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one for each field
        self,
        step: str,
        state: int,
        due_ms: int,
        since_ms: int,
        mark: str = "",
        answer: dict[str, Any] | None = None,
        fork: str = "",
        note: str = "",
    ) -> None:
        self.step = step
        self.state = state
        self.due_ms = due_ms
        self.since_ms = since_ms
        self.mark = mark
        self.fork = fork
        self.note = note
        self._answer = answer
        self._stored_answer = b""

    @property
    def answer(self) -> dict[str, Any] | None:
        """What is kept of the event that ended the latest wait_for."""
        if self._stored_answer:
            self._answer = _decode_map(self._stored_answer)
            self._stored_answer = b""
        return self._answer

    def keep_answer(self, answer: dict[str, Any] | None) -> None:
        """Keep these properties as the answer."""
        self._stored_answer = b""
        self._answer = answer

    @staticmethod
    def read(at: Reader) -> Track:
        """Read a track."""
        step, state, due_ms, since_ms = at.name(), at.byte(), at.time(), at.time()
        track = Track(step, state, due_ms, since_ms, at.text(), fork=at.text(), note=at.text())
        track._stored_answer = at.blob()
        return track

    def write(self, to: BytesWriter) -> None:
        """Write a track."""
        put_name(to, self.step)
        to.append(u8(self.state))
        put_time(to, self.due_ms)
        put_time(to, self.since_ms)
        put_text(to, self.mark)
        put_text(to, self.fork)
        put_text(to, self.note)
        put_blob(to, self._stored_answer or packed_map(self._answer))


@mypyc_attr(acyclic=True)
class Enrollment:
    """One run of one contact through one program.

    ``entry`` keeps the properties of the entry event that the program's steps refer to (stored, they are
    ``entry_data``); ``visits`` counts executions of steps that can run more than once;
    ``done`` says when steps that later waits count from were done last (ms); ``goal_by_ms`` is 0
    without a goal window. Whoever writes to an enrollment from the row says so to the row first.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one for each field
        self,
        id: str,  # noqa: A002 - its name
        program: str,
        version: int,
        key: str,
        entered_ms: int,
        state: int,
        tracks: list[Track],
        goal_by_ms: int = 0,
        due_ms: int = 0,
        entry_data: bytes = b"",
        variants: dict[str, str] | None = None,
        visits: dict[str, int] | None = None,
        done: dict[str, int] | None = None,
    ) -> None:
        self.id = id
        self.program = program
        self.version = version
        self.key = key
        self.entered_ms = entered_ms
        self.state = state
        self.tracks = tracks
        self.goal_by_ms = goal_by_ms
        self.due_ms = due_ms
        self.entry_data = entry_data
        self.variants = variants
        self.visits = visits
        self.done = done
        self._entry: dict[str, Any] | None = None
        self.changed = True
        self._data = b""
        self._begin: i64 = 0
        self._end: i64 = 0

    @property
    def entry(self) -> dict[str, Any] | None:
        """The properties kept from the entry event."""
        if self._entry is None and self.entry_data:
            self._entry = _decode_map(self.entry_data)
        return self._entry

    @staticmethod
    def read(at: Reader) -> Enrollment:
        """Read an enrollment."""
        begin = at.at
        made = Enrollment(
            at.text(),
            at.name(),
            at.count(),
            at.text(),
            at.time(),
            at.byte(),
            [],
            at.time(),
            at.time(),
            at.blob(),
        )
        left = at.count()
        if left:
            variants: dict[str, str] = {}
            while left > 0:
                split = at.name()
                variants[split] = at.name()
                left -= 1
            made.variants = variants
        left = at.count()
        if left:
            visits: dict[str, int] = {}
            while left > 0:
                step = at.name()
                visits[step] = at.count()
                left -= 1
            made.visits = visits
        left = at.count()
        if left:
            done: dict[str, int] = {}
            while left > 0:
                step = at.name()
                done[step] = at.time()
                left -= 1
            made.done = done
        left = at.count()
        while left > 0:
            made.tracks.append(Track.read(at))
            left -= 1
        made.changed = False
        made._data = at.data
        made._begin = begin
        made._end = at.at
        return made

    def write(self, to: BytesWriter) -> None:
        """Write an enrollment; one that nobody changed, as it came."""
        if not self.changed:
            to.write(self._data[self._begin : self._end])
            return
        put_text(to, self.id)
        put_name(to, self.program)
        put_count(to, self.version)
        put_text(to, self.key)
        put_time(to, self.entered_ms)
        to.append(u8(self.state))
        put_time(to, self.goal_by_ms)
        put_time(to, self.due_ms)
        put_blob(to, self.entry_data)
        variants = self.variants
        if variants:
            put_count(to, len(variants))
            for split, way in variants.items():
                put_name(to, split)
                put_name(to, way)
        else:
            to.append(0)
        visits = self.visits
        if visits:
            put_count(to, len(visits))
            for step, count in visits.items():
                put_name(to, step)
                put_count(to, count)
        else:
            to.append(0)
        done = self.done
        if done:
            write_times(to, done)
        else:
            to.append(0)
        put_count(to, len(self.tracks))
        for track in self.tracks:
            track.write(to)


def read_enrollments(at: Reader) -> list[Enrollment]:
    """Read the section of enrollments."""
    found: list[Enrollment] = []
    left = at.count()
    while left > 0:
        found.append(Enrollment.read(at))
        left -= 1
    return found


def write_enrollments(to: BytesWriter, enrollments: list[Enrollment]) -> None:
    """Write the section of enrollments."""
    put_count(to, len(enrollments))
    for enrollment in enrollments:
        enrollment.write(to)


@mypyc_attr(acyclic=True)
class Timer:
    """A timer of the contact rather than of an enrollment.

    ``kind``: a date or inactivity entry, another look at a segment, grade, or enrollment's conditions, or the
    end of the time in which a consent can be confirmed.
    """

    def __init__(self, due_ms: int, kind: str, name: str) -> None:
        self.due_ms = due_ms
        self.kind = kind
        self.name = name


def read_timers(at: Reader) -> list[Timer]:
    """Read the section of timers."""
    found: list[Timer] = []
    left = at.count()
    while left > 0:
        kind = at.byte()
        due_ms = at.time()
        # A look is named after an enrollment, all others after what the topology declares.
        found.append(Timer(due_ms, _TIMER_KINDS[kind], at.name() if kind else at.text()))
        left -= 1
    return found


def write_timers(to: BytesWriter, timers: list[Timer]) -> None:
    """Write the section of timers."""
    put_count(to, len(timers))
    for timer in timers:
        kind = _TIMER_KINDS.index(timer.kind)
        to.append(u8(kind))
        put_time(to, timer.due_ms)
        if kind:
            put_name(to, timer.name)
        else:
            put_text(to, timer.name)


def read_times(at: Reader) -> dict[str, int]:
    """Read instants by name: memberships of lists or segments."""
    found: dict[str, int] = {}
    left = at.count()
    while left > 0:
        name = at.name()
        found[name] = at.time()
        left -= 1
    return found


def write_times(to: BytesWriter, times: dict[str, int]) -> None:
    """Write instants by name."""
    put_count(to, len(times))
    for name, at_ms in times.items():
        put_name(to, name)
        put_time(to, at_ms)


def read_names(at: Reader) -> list[str]:
    """Read names."""
    found: list[str] = []
    left = at.count()
    while left > 0:
        found.append(at.name())
        left -= 1
    return found


def write_names(to: BytesWriter, names: list[str]) -> None:
    """Write names."""
    put_count(to, len(names))
    for name in names:
        put_name(to, name)
