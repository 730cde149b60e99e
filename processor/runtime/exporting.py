"""Everything that is held of one contact, as one object: its row spelled out, and the records about it.

The object is what ``trayecto contact export`` writes; docs/guide/privacy.md describes it. Times are text in
UTC, and null where there is none. What a later version adds, it adds under new keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from processor.core.addresses import is_known_list
from processor.core.decay import decayed
from processor.core.history import times_of, values_of
from processor.core.lifecycle import EnrollmentState, TrackState
from processor.core.named import GRANTED, PENDING
from processor.core.relations import is_relation, items_of, names_of
from processor.core.rows import Row
from processor.core.scoring import grade_now
from processor.core.shared import Shared
from processor.core.time import format_time
from processor.core.turn import Turn

if TYPE_CHECKING:
    from processor.core.model import Topology
    from processor.core.sections import Enrollment

__all__ = ["EXPORT_FORMAT", "Records", "exported", "ids_of", "records_in"]

EXPORT_FORMAT: Final = 1


class Records(msgspec.Struct):
    """What stands outside of the row, in the order of its log: each as its line of JSON has it."""

    decisions: list[dict[str, Any]] = []
    commands: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []


def ids_of(contact: str, read: Callable[[str], bytes | None]) -> tuple[str, bytes | None, list[str]]:
    """Return the id under which a contact lives now, its row, and all its ids, the present one first.

    ``read`` gives the row of an id, None where there is none. An alias leads to the contact it became.
    """
    seen = [contact]
    data = read(contact)
    while data is not None and (alias := Row.decode(data).alias) and alias not in seen:
        seen.append(alias)
        data = read(alias)
    now = seen[-1]
    merged = Row.decode(data).origin.merged if data is not None else []
    return now, data, list(dict.fromkeys([now, *merged, *seen]))


def records_in(out: Path, ids: Iterable[str]) -> Records:
    """Read the decisions and commands about a contact from a run's output folder."""
    wanted = frozenset(ids)
    decisions = [one for path in sorted(out.glob("decisions.*")) for one in _lines(path, wanted)]
    commands = [one for path in sorted(out.glob("commands.*")) for one in _lines(path, wanted)]
    commands.sort(key=lambda one: str(one["decided_at"]))
    return Records(decisions, commands)


def _lines(path: Path, wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
    if path.suffix == ".avro":
        import fastavro  # noqa: PLC0415  only who wrote Avro pays for it

        with path.open("rb") as stream:
            for record in fastavro.reader(stream):
                if isinstance(record, dict) and record.get("contact_id") in wanted:
                    yield {name: _plain(name, value) for name, value in record.items()}
        return
    needles = [msgspec.json.encode(name) for name in wanted]  # most lines are about others
    with path.open("rb") as stream:
        for line in stream:
            if any(needle in line for needle in needles):
                try:
                    found = msgspec.json.decode(line)
                except msgspec.DecodeError:
                    continue  # cut off: a run is at work
                if found.get("contact_id") in wanted:
                    yield found


def _plain(name: str, value: Any) -> Any:
    if hasattr(value, "timestamp"):
        return format_time(round(value.timestamp() * 1000))
    return msgspec.json.decode(value) if name in {"detail", "values"} and isinstance(value, str) else value


def exported(
    topology: Topology, contact: str, data: bytes | None, ids: list[str], records: Records
) -> dict[str, Any]:
    """Return everything that is held of a contact; scores are as of the contact's own clock."""
    row = Row.decode(data) if data is not None else Row.new()
    return {
        "format": EXPORT_FORMAT,
        "contact_id": contact,
        "other_ids": [name for name in ids if name != contact],
        "topology": topology.name,
        "as_of": _at(row.clock_ms),
        "last_active_at": _at(row.active_ms),
        "profile": row.attributes,
        "consents": _consents(row),
        "consent_history": _answers(records.decisions),
        "lists": _instants({k: ms for k, ms in row.lists.items() if is_known_list(k)}, "list"),
        "addresses": [name[1:] for name in row.lists if not is_known_list(name)],
        "segments": _instants(row.segments, "segment"),
        "scores": _scores(topology, contact, row, records.decisions),
        "history": _history(row),
        "relations": {name: _items(row, name) for name in names_of(row.history)},
        "enrollments": [_enrollment(one) for one in row.enrollments],
        "past": [
            {
                "program": name,
                "times": one.entries,
                "last_entered_at": _at(one.entered_ms),
                "last_left_at": _at(one.ended_ms),
                "keys": [{"key": key, "at": _at(ms)} for key, ms in one.all_keys().items()],
            }
            for name, one in row.past.all().items()
        ],
        "sends": [{"at": _at(ms), "channel": c, "purpose": p} for ms, c, p in row.sends.all()],
        "timers": [{"timer": f"{one.kind} {one.name}", "at": _at(abs(one.due_ms))} for one in row.timers],
        "commands": records.commands,
        "decisions": records.decisions,
        "events": records.events,
    }


def _at(ms: int) -> str | None:
    return format_time(ms) if ms else None


def _instants(section: Mapping[str, int], what: str) -> list[dict[str, Any]]:
    return [{what: name, "since": _at(since)} for name, since in section.items()]


def _consents(row: Row) -> list[dict[str, Any]]:
    made = []
    for key, one in row.consents.all().items():
        purpose, _, channel = key.partition("/")
        answer = "granted" if one.state == GRANTED else "pending" if one.state == PENDING else "withdrawn"
        made.append(
            {
                "purpose": purpose,
                "channel": channel or None,
                "answer": answer,
                "at": _at(one.at_ms),
                "text": one.wording or None,
                "by": one.by or None,
            }
        )
    return made


def _answers(decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ledger of consent: every answer."""
    return [
        {"at": one["decided_at"], "answer": one["reason"], "contact_id": one["contact_id"]} | one["detail"]
        for one in decisions
        if one["kind"] == "consented"
    ]


def _scores(
    topology: Topology, contact: str, row: Row, decisions: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Each score with its ledger: when which points were given, and by which rule."""
    turn = Turn(topology, row, Shared(), contact, row.clock_ms, [])
    ledgers: dict[str, list[dict[str, Any]]] = {}
    for one in decisions:
        if one["kind"] == "scored":
            for line in one["detail"]["ledger"]:
                given = {key: value for key, value in line.items() if key != "score"}
                ledgers.setdefault(line["score"], []).append({"at": one["decided_at"]} | given)
    made = []
    stored = row.scores.all()
    for name in dict.fromkeys([*stored, *ledgers]):
        score, model = stored.get(name), topology.scores.get(name)
        known = score is not None and model is not None and model.predictor is None
        grade = grade_now(turn, name) if known else score.grade if score is not None else ""
        value = None if score is None else score.value
        if score is not None and model is not None:
            value = decayed(model, score, row.clock_ms)
        made.append({"score": name, "value": value, "grade": grade or None, "ledger": ledgers.get(name, [])})
    return made


def _history(row: Row) -> list[dict[str, Any]]:
    """What was counted of events: how often ever, and the latest instants with what is summed of them."""
    made = []
    for key, one in row.history.all().items():
        if is_relation(key):
            continue
        made.append(
            {
                "what": key,
                "times": one.total,
                "first_at": _at(one.first_ms),
                "last_at": _at(one.last_ms),
                "occurrences": [_at(ms) for ms in times_of(one)],
                "values": values_of(one),
            }
        )
    return made


def _items(row: Row, name: str) -> list[dict[str, Any]]:
    found = items_of(row.history, name)
    return [{"key": key or None, "at": _at(ms), "fields": fields} for key, ms, fields in found]


def _enrollment(one: Enrollment) -> dict[str, Any]:
    return {
        "enrollment": one.id,
        "program": one.program,
        "version": one.version,
        "key": one.key or None,
        "entered_at": _at(one.entered_ms),
        "state": EnrollmentState(one.state).name.lower(),
        "goal_until": _at(one.goal_by_ms),
        "entry": one.entry or {},
        "variants": one.variants or {},
        "tracks": [
            {
                "step": track.step,
                "state": TrackState(track.state).name.lower(),
                "until": _at(abs(track.due_ms)),
                "answer": track.answer or {},
            }
            for track in one.tracks
        ],
    }
