"""Looking into a run's state without touching it: the row of one contact, as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from processor.codec.murmur2 import partition_of
from processor.core.addresses import is_known_list
from processor.core.decay import decayed
from processor.core.lifecycle import EnrollmentState, TrackState
from processor.core.model import Topology
from processor.core.relations import items_of, names_of
from processor.core.rows import Row
from processor.core.scoring import grade_now
from processor.core.shared import Shared
from processor.core.time import format_time
from processor.core.turn import Turn
from processor.runtime.erasures import CHECK_ENTRY, Erasures, at_of
from processor.store import StateError

__all__ = [
    "CapUse",
    "Seen",
    "StandsAt",
    "Stopped",
    "databases",
    "ledger_of",
    "read_row",
    "rows_in",
    "seen",
    "stopped_in",
    "stopped_of",
]

_CONTACT_AT: Final = 3  # in a row's key: behind the kind and two bytes of the partition


class StandsAt(msgspec.Struct, frozen=True):
    """Where a track of an enrollment stands. ``until_ms`` is 0 for a wait without an end."""

    program: str
    version: int
    key: str
    entered_ms: int
    state: str
    step: str
    track: str
    until_ms: int


class CapUse(msgspec.Struct, frozen=True):
    """How much of a cap is used in the window that ends at the instant asked for."""

    name: str
    used: int
    at_most: int


class Seen(msgspec.Struct, frozen=True):
    """A contact as its row says it, at ``at_ms``. ``alias``: the contact that it has become.

    ``consents``: (purpose or purpose/channel, granted, at ms). ``scores``: (model, value, grade). ``timers``:
    (what, at ms); ``stopped``: those in quarantine, wherever they are.
    """

    contact_id: str
    at_ms: int
    clock_ms: int
    alias: str
    profile: dict[str, Any]
    consents: tuple[tuple[str, bool, int], ...]
    lists: dict[str, int]
    scores: tuple[tuple[str, float, str], ...]
    segments: dict[str, int]
    enrollments: tuple[StandsAt, ...]
    timers: tuple[tuple[str, int], ...]
    stopped: tuple[Stopped, ...]
    caps: tuple[CapUse, ...]
    row_bytes: int
    relations: dict[str, list[dict[str, Any]]] = {}


class Stopped(msgspec.Struct, frozen=True):
    """A timer in quarantine. ``timer`` is its kind, with what it is named after; ``step`` "" for none."""

    contact_id: str
    program: str
    enrollment: str
    step: str
    timer: str
    due_ms: int


def read_row(state: Path, contact: str) -> bytes | None:
    """Return the stored row of a contact, None when it has none; works while a run or worker uses the state.

    Raises:
        StateError: there is no state in the folder, it cannot be read, or it is a worker's that does not have
            the contact's partition.
    """
    folders = _folders(state)
    with _opened(folders[0]) as (database, partitions):
        number = partition_of(contact, partitions)
        key = b"r" + number.to_bytes(2, "big") + contact.encode()
        if folders[0] == state:
            found: bytes | None = database.get(key)
            return found
    folder = state / f"partition-{number}"
    if folder not in folders:
        raise StateError(
            f"{contact} lives in partition {number}, which is another worker's: {state} lacks it"
        )
    with _opened(folder) as (database, _):
        here: bytes | None = database.get(key)
    return here


def stopped_in(state: Path) -> Iterator[Stopped]:
    """Yield every timer in quarantine, in a pass over all rows; works while a run or worker uses the state.

    Raises:
        StateError: as :func:`read_row`.
    """
    for contact, row in rows_in(state):
        if row.inside or row.timers:
            yield from stopped_of(row, contact)


def rows_in(state: Path) -> Iterator[tuple[str, Row]]:
    """Yield every contact and its row, in a pass over a state.

    Raises:
        StateError: as :func:`read_row`.
    """
    for database, _ in databases(state):
        rows = database.iter()
        rows.seek(b"r")
        while rows.valid() and rows.key()[:1] == b"r":
            yield rows.key()[_CONTACT_AT:].decode(), Row.decode(rows.value())
            rows.next()


def databases(state: Path) -> Iterator[tuple[Any, int]]:
    """Yield each database of a state, open to read, with the number of partitions.

    Raises:
        StateError: as :func:`read_row`.
    """
    for folder in _folders(state):
        with _opened(folder) as found:
            yield found


def ledger_of(state: Path, erasures: Erasures) -> dict[bytes, int]:
    """Return the ledger of erasures of a state: hash -> instant in ms.

    Raises:
        StateError: as :func:`read_row`, or the ledger was made with another key.
    """
    found: dict[bytes, int] = {}
    for folder in _folders(state):
        with _opened(folder) as (database, _):
            rows = database.iter()
            rows.seek(b"e")
            while rows.valid() and rows.key()[:1] == b"e":
                hashed = rows.key()[_CONTACT_AT:]
                if hashed == CHECK_ENTRY:
                    erasures.refuse_other(rows.value())
                else:
                    found[hashed] = max(at_of(rows.value()), found.get(hashed, 0))
                rows.next()
    return found


def stopped_of(row: Row, contact: str) -> list[Stopped]:
    """Return the timers of a row that are in quarantine."""
    found = []
    for one in row.enrollments:
        if one.due_ms < 0:
            found.append(Stopped(contact, one.program, one.id, "", "deadline", -one.due_ms))
        found += [
            Stopped(contact, one.program, one.id, track.step, "step", -track.due_ms)
            for track in one.tracks
            if track.due_ms < 0
        ]
    for timer in row.timers:
        if timer.due_ms < 0:
            program = timer.name.partition("/")[0] if timer.kind in {"date", "idle"} else ""
            found.append(Stopped(contact, program, "", "", f"{timer.kind} {timer.name}", -timer.due_ms))
    return found


def _folders(state: Path) -> list[Path]:
    """The databases of a state: a run has one, a worker one for each partition."""
    if (state / "CURRENT").is_file():
        return [state]
    found = [path.parent for path in state.glob("partition-*/CURRENT")]
    if not found:
        raise StateError(f"{state} holds no state: give the --state folder of a run or of a worker")
    return sorted(found)


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[Any, int]]:
    """Open a database to read: it, and the number of partitions. A writer goes on beside it."""
    from rocksdict import AccessType, Options, Rdict  # noqa: PLC0415  a heavy import that few commands need

    try:
        database = Rdict(str(folder), options=Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception as error:
        raise StateError(f"the state in {folder} cannot be read: {error}") from error
    try:
        meta = database.get(b"m")
        if meta is None:
            raise StateError(f"{folder} holds some other RocksDB database: give the --state folder of a run")
        yield database, int(msgspec.json.decode(meta)["partitions"])
    finally:
        database.close()


def seen(topology: Topology, contact: str, data: bytes, at_ms: int | None = None) -> Seen:
    """Read a row for people; scores have decayed until ``at_ms`` (default: the contact's own clock)."""
    row = Row.decode(data)
    now_ms = row.clock_ms if at_ms is None else at_ms
    turn = Turn(topology, row, Shared(), contact, now_ms, [])
    scores = []
    for name, score in row.scores.all().items():
        model = topology.scores.get(name)
        if model is None or model.predictor is not None:  # a look does not evaluate
            scores.append((name, score.value, score.grade))
        else:
            scores.append((name, decayed(model, score, now_ms), grade_now(turn, name)))
    return Seen(
        contact,
        now_ms,
        row.clock_ms,
        row.alias,
        row.attributes,
        tuple((key, answer.granted, answer.at_ms) for key, answer in row.consents.all().items()),
        {name: since_ms for name, since_ms in row.lists.items() if is_known_list(name)},
        tuple(scores),
        row.segments,
        tuple(_enrollments(row)),
        tuple((f"{timer.kind} {timer.name}", timer.due_ms) for timer in row.timers if timer.due_ms > 0),
        tuple(stopped_of(row, contact)),
        tuple(_caps(topology, row, now_ms)),
        len(data),
        {name: _items(row, name) for name in names_of(row.history)},
    )


def _items(row: Row, name: str) -> list[dict[str, Any]]:
    """A relation's items, the latest first."""
    return [
        {**({"key": key} if key else {}), **fields, "at": format_time(at_ms)}
        for key, at_ms, fields in reversed(items_of(row.history, name))
    ]


def _enrollments(row: Row) -> list[StandsAt]:
    found = []
    for one in row.enrollments:
        state = EnrollmentState(one.state).name.lower()
        head = (one.program, one.version, one.key, one.entered_ms, state)
        found += [
            StandsAt(*head, track.step, TrackState(track.state).name.lower(), max(track.due_ms, 0))
            for track in one.tracks
            if track.state != TrackState.ENDED
        ]
        if not one.tracks:
            found.append(StandsAt(*head, "", "", max(one.due_ms, 0)))
    return found


def _caps(topology: Topology, row: Row, now_ms: int) -> list[CapUse]:
    found = []
    for cap in topology.policies.caps:
        used = sum(
            now_ms - cap.per_ms < at_ms <= now_ms
            and (not cap.channels or channel in cap.channels)
            and (not cap.purposes or purpose in cap.purposes)
            for at_ms, channel, purpose in row.sends.all()
        )
        found.append(CapUse(cap.name, used, cap.at_most))
    return found
