"""Why a contact got, or did not get, what it did: its decisions, and how things stood at any instant.

Everything is read from the record of decisions that a run leaves; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from processor.core.decay import decayed
from processor.core.named import Score
from processor.runtime.sentences import Moment, moment_of

if TYPE_CHECKING:
    from processor.core.model import Topology

__all__ = ["Cause", "Run", "Standing", "State", "decisions_of", "state_of"]

# How an enrollment stands after a decision of this kind; the kinds that end it are in ENDS.
_ENDS: Final = frozenset({"goal", "exited", "observed_out"})


class Cause(msgspec.Struct, frozen=True):
    """One line of a score's ledger: these points, by this rule, and the score after them."""

    at_ms: int
    rule: str
    points: float
    after: float


class Standing(msgspec.Struct):
    """A score: its value at the instant asked for, its grade, and its causes in order."""

    value: float = 0.0
    grade: str = ""
    causes: list[Cause] = []


class Run(msgspec.Struct):
    """An enrollment: where it stands. ``state``: inside, holdout, observed, or how it ended."""

    enrollment: str
    program: str
    version: int
    entered_ms: int
    state: str
    step: str = ""
    until_ms: int = 0
    commands: int = 0


class State(msgspec.Struct):
    """How a contact stood at an instant: scores, segments with since when, enrollments in order of entry."""

    at_ms: int
    scores: dict[str, Standing] = {}
    segments: dict[str, int] = {}
    runs: dict[str, Run] = {}


def decisions_of(out: Path, contact: str) -> Iterator[Moment]:
    """Read the decisions about a contact from a run's output folder, in their order.

    Lines that are cut off at the end, as a run that is still at work leaves them, are passed over.

    Raises:
        FileNotFoundError: the folder holds no record of decisions.
    """
    path = out / "decisions.jsonl"
    avro = out / "decisions.avro"
    if not path.is_file() and avro.is_file():
        yield from _from_avro(avro, contact)
        return
    needle = msgspec.json.encode(contact)  # most lines are about others: look before decoding
    with path.open("rb") as stream:
        for line in stream:
            if needle in line:
                try:
                    record = msgspec.json.decode(line)
                except msgspec.DecodeError:
                    continue
                if record.get("contact_id") == contact:
                    yield moment_of(record)


def _from_avro(path: Path, contact: str) -> Iterator[Moment]:
    import fastavro  # noqa: PLC0415  only who writes Avro pays for it

    with path.open("rb") as stream:
        for record in fastavro.reader(stream):
            if isinstance(record, dict) and record.get("contact_id") == contact:
                yield moment_of({key: _plain(value) for key, value in record.items()})


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def state_of(moments: Iterable[Moment], at_ms: int, topology: Topology | None = None) -> State:
    """Return how the contact stood at ``at_ms``; with a topology, scores have decayed until then."""
    state = State(at_ms, {}, {}, {})
    for moment in moments:
        if moment.at_ms > at_ms:
            continue
        if moment.kind == "scored":
            for line in moment.detail.get("ledger", ()):
                standing = state.scores.setdefault(line["score"], Standing(causes=[]))
                standing.value = line["after"]
                standing.causes.append(Cause(moment.at_ms, line["rule"], line["points"], line["after"]))
        elif moment.kind == "graded":
            standing = state.scores.setdefault(moment.detail["score"], Standing(causes=[]))
            standing.grade = moment.detail.get("to") or ""
        elif moment.kind == "segment_entered":
            state.segments[moment.reason] = moment.at_ms
        elif moment.kind == "segment_left":
            state.segments.pop(moment.reason, None)
        elif moment.enrollment:
            _step(state, moment)
    if topology is not None:
        _decay(state, topology)
    return state


def _step(state: State, moment: Moment) -> None:
    run = state.runs.get(moment.enrollment)
    if run is None:
        run = Run(moment.enrollment, moment.program, moment.version, moment.at_ms, "inside")
        state.runs[moment.enrollment] = run
    if moment.step:
        run.step = moment.step
    until = moment.detail.get("until")
    run.until_ms = until if isinstance(until, int) else 0
    if moment.kind == "holdout":
        run.state = "holdout"
    elif moment.kind in {"completed", "not_entered"}:
        run.state = moment.kind
    elif moment.kind == "commanded":
        run.commands += 1
    elif moment.kind in _ENDS:
        run.state = moment.kind


def _decay(state: State, topology: Topology) -> None:
    for name, standing in state.scores.items():
        model = topology.scores.get(name)
        if model is not None and standing.causes:
            last = standing.causes[-1]
            standing.value = decayed(model, Score(last.after, last.at_ms, standing.grade, []), state.at_ms)
