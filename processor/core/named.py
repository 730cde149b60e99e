"""What a row remembers by name: series of events, scores, past programs, answers about consent.

Each is an item of a drawer, read only when somebody asks for it. Fields stand in a fixed order without their
names; a change of them is a new ``ROW_VERSION``.
"""

from __future__ import annotations

from typing import Final, cast

from librt.strings import BytesWriter
from mypy_extensions import mypyc_attr, u8

from processor.core.drawers import Drawer, Item
from processor.core.limits import PAST_KEYS_MAX
from processor.core.packing import Reader, put_blob, put_count, put_name, put_number, put_text, put_time

__all__ = [
    "GRANTED", "PENDING", "WITHDRAWN", "CapUse", "Consent", "Consents", "History", "Past", "Pasts", "Score",
    "Scores", "Series",
]  # fmt: skip

_TIME_BYTES: Final = 8
WITHDRAWN: Final = 0  # states of a consent, as stored
GRANTED: Final = 1
PENDING: Final = 2


@mypyc_attr(acyclic=True)
class Series(Item):
    """Occurrences of one kind of event: how often ever, first and last, and the recent ones in order.

    ``times`` (ms) ascend; ``values`` runs beside it where something sums or averages a property. Both are
    packed, eight bytes each: ``times_of`` and ``values_of`` in ``history`` read them.
    """

    def __init__(
        self, total: int, first_ms: int, last_ms: int, times: bytes = b"", values: bytes = b""
    ) -> None:
        super().__init__()
        self.total = total
        self.first_ms = first_ms
        self.last_ms = last_ms
        self.times = times
        self.values = values

    def write(self, to: BytesWriter) -> None:
        """See :class:`Item`."""
        put_count(to, self.total)
        put_time(to, self.first_ms)
        put_time(to, self.last_ms)
        put_blob(to, self.times)
        put_blob(to, self.values)


class History(Drawer):
    """Series by key."""

    def load(self, at: Reader) -> Item:
        """See :class:`Drawer`."""
        return Series(at.count(), at.time(), at.time(), at.blob(), at.blob())

    def get(self, key: str) -> Series | None:
        """The series of this key."""
        return cast("Series | None", self.item(key))

    def all(self) -> dict[str, Series]:
        """Every series."""
        return {key: cast("Series", self.item(key)) for key in self.names()}


@mypyc_attr(acyclic=True)
class CapUse:
    """How much of a capped rule is used up, in the window that begins at ``since_ms``: points, or times."""

    def __init__(self, rule: str, since_ms: int, used: float) -> None:
        self.rule = rule
        self.since_ms = since_ms
        self.used = used


@mypyc_attr(acyclic=True)
class Score(Item):
    """A score as of ``at_ms``; decay from then on is computed when somebody asks."""

    def __init__(self, value: float, at_ms: int, grade: str, caps: list[CapUse]) -> None:
        super().__init__()
        self.value = value
        self.at_ms = at_ms
        self.grade = grade
        self.caps = caps

    def write(self, to: BytesWriter) -> None:
        """See :class:`Item`."""
        put_number(to, self.value)
        put_time(to, self.at_ms)
        put_name(to, self.grade)
        put_count(to, len(self.caps))
        for cap in self.caps:
            put_name(to, cap.rule)
            put_time(to, cap.since_ms)
            put_number(to, cap.used)


class Scores(Drawer):
    """Scores by model."""

    def load(self, at: Reader) -> Item:
        """See :class:`Drawer`."""
        value, at_ms, grade = at.number(), at.time(), at.name()
        caps: list[CapUse] = []
        left = at.count()
        while left > 0:
            caps.append(CapUse(at.name(), at.time(), at.number()))
            left -= 1
        return Score(value, at_ms, grade, caps)

    def get(self, model: str) -> Score | None:
        """The score of this model."""
        return cast("Score | None", self.item(model))

    def all(self) -> dict[str, Score]:
        """Every score."""
        return {model: cast("Score", self.item(model)) for model in self.names()}


@mypyc_attr(acyclic=True)
class Past(Item):
    """What re-entry rules need to know of ended and running enrollments in one program.

    ``keys``, packed, holds each key of a keyed program with the instant of its latest entry or end, in order
    of use; the one used longest ago is forgotten beyond PAST_KEYS_MAX.
    """

    def __init__(self, entries: int, entered_ms: int, ended_ms: int, keys: bytes = b"") -> None:
        super().__init__()
        self.entries = entries
        self.entered_ms = entered_ms
        self.ended_ms = ended_ms
        self.keys = keys

    def write(self, to: BytesWriter) -> None:
        """See :class:`Item`."""
        put_count(to, self.entries)
        put_time(to, self.entered_ms)
        put_time(to, self.ended_ms)
        put_blob(to, self.keys)

    def key_ms(self, key: str) -> int:
        """The instant of a key, -1 for one that is not known."""
        at = Reader(self.keys, 0)
        wanted = key.encode()
        while at.at < len(self.keys):
            known = at.blob() == wanted
            at_ms = at.time()
            if known:
                return at_ms
        return -1

    def use_key(self, key: str, at_ms: int) -> None:
        """Note an entry or an end of this key, which is the one used last from now on."""
        keys = self.keys
        at = Reader(keys, 0)
        wanted = key.encode()
        count = 0
        second = 0
        before = keys
        while at.at < len(keys):
            begin = at.at
            known = at.blob() == wanted
            at.at += _TIME_BYTES
            if known:
                before = keys[:begin] + keys[at.at :]
                break
            count += 1
            if count == 1:
                second = at.at
        if len(before) == len(keys) and count >= PAST_KEYS_MAX:
            before = before[second:]
        more = BytesWriter()
        more.write(before)
        put_blob(more, wanted)
        put_time(more, at_ms)
        self.keys = more.getvalue()

    def all_keys(self) -> dict[str, int]:
        """Every key with its instant, in order of use."""
        at = Reader(self.keys, 0)
        found: dict[str, int] = {}
        while at.at < len(self.keys):
            key = at.text()
            found[key] = at.time()
        return found


class Pasts(Drawer):
    """What is past, by program."""

    def load(self, at: Reader) -> Item:
        """See :class:`Drawer`."""
        return Past(at.count(), at.time(), at.time(), at.blob())

    def get(self, program: str) -> Past | None:
        """What is past of this program."""
        return cast("Past | None", self.item(program))

    def all(self) -> dict[str, Past]:
        """Everything that is past."""
        return {program: cast("Past", self.item(program)) for program in self.names()}


@mypyc_attr(acyclic=True)
class Consent(Item):
    """The latest answer for a purpose, or for a purpose on a channel.

    ``state`` is WITHDRAWN, GRANTED or PENDING (granted, and not yet confirmed); ``wording`` names the text
    that was agreed to and ``by`` says who took the answer down, both as the event said it, "" for nothing.
    """

    def __init__(self, state: int, at_ms: int, text: str, by: str) -> None:
        super().__init__()
        self.state = state
        self.at_ms = at_ms
        self.wording = text
        self.by = by

    @property
    def granted(self) -> bool:
        """Whether the contact agrees, and has confirmed it where that is asked for."""
        return self.state == GRANTED

    def write(self, to: BytesWriter) -> None:
        """See :class:`Item`."""
        to.append(u8(self.state))
        put_time(to, self.at_ms)
        put_text(to, self.wording)
        put_text(to, self.by)


class Consents(Drawer):
    """Answers by ``purpose`` or ``purpose/channel``."""

    def load(self, at: Reader) -> Item:
        """See :class:`Drawer`."""
        return Consent(at.byte(), at.time(), at.text(), at.text())

    def get(self, key: str) -> Consent | None:
        """The answer for a key."""
        return cast("Consent | None", self.item(key))

    def answer(self, key: str, state: int, at_ms: int, text: str = "", by: str = "") -> None:
        """Set the answer for a key."""
        known = self.get(key)
        if known is None:
            self.put(key, Consent(state, at_ms, text, by))
        else:
            self.change(known)
            known.state = state
            known.at_ms = at_ms
            known.wording = text
            known.by = by

    def all(self) -> dict[str, Consent]:
        """Every answer."""
        return {key: cast("Consent", self.item(key)) for key in self.names()}
