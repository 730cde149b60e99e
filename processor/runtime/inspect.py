"""Looking into a run's state without touching it: the row of one contact, as people read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from processor.codec.murmur2 import partition_of
from processor.core.lifecycle import EnrollmentState, TrackState
from processor.core.model import Topology
from processor.core.rows import Row
from processor.core.scoring import decayed, grade_now
from processor.core.shared import Shared
from processor.core.turn import NEVER_MS, Turn
from processor.store import StateError

__all__ = ["CapUse", "Seen", "StandsAt", "read_row", "seen"]


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
    (what, at ms).
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
    caps: tuple[CapUse, ...]
    row_bytes: int


def read_row(state: Path, contact: str) -> bytes | None:
    """Return the stored row of a contact, None when it has none; works while a run is using the state.

    Raises:
        StateError: there is no state in the folder, or it cannot be read.
    """
    from rocksdict import AccessType, Options, Rdict  # noqa: PLC0415  a heavy import that few commands need

    if not (state / "CURRENT").is_file():
        raise StateError(f"{state} holds no state: give the --state folder of a run")
    try:
        database = Rdict(str(state), options=Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception as error:
        raise StateError(f"the state in {state} cannot be read: {error}") from error
    try:
        meta = database.get(b"m")
        if meta is None:
            raise StateError(f"{state} holds some other RocksDB database: give the --state folder of a run")
        partitions = int(msgspec.json.decode(meta)["partitions"])
        number = partition_of(contact, partitions)
        found: bytes | None = database.get(b"r" + number.to_bytes(2, "big") + contact.encode())
        return found
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
        value = decayed(model, score, now_ms) if model is not None else score.value
        scores.append((name, value, grade_now(turn, name) if model is not None else score.grade))
    return Seen(
        contact,
        now_ms,
        row.clock_ms,
        row.alias,
        row.attributes,
        tuple((key, answer.granted, answer.at_ms) for key, answer in row.consents.all().items()),
        row.lists,
        tuple(scores),
        row.segments,
        tuple(_enrollments(row)),
        tuple(
            (f"{timer.kind} {timer.name}", timer.due_ms)
            for timer in row.timers
            if timer.due_ms < NEVER_MS - 1
        ),
        tuple(_caps(topology, row, now_ms)),
        len(data),
    )


def _enrollments(row: Row) -> list[StandsAt]:
    found = []
    for one in row.enrollments:
        state = EnrollmentState(one.state).name.lower()
        head = (one.program, one.version, one.key, one.entered_ms, state)
        found += [
            StandsAt(*head, track.step, TrackState(track.state).name.lower(), track.due_ms)
            for track in one.tracks
            if track.state != TrackState.ENDED
        ]
        if not one.tracks:
            found.append(StandsAt(*head, "", "", one.due_ms))
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
