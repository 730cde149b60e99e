"""The independent verifier: what the source topics hold against the rows and commands that came of it.

It shares no code with the worker: rows and commands are counted anew from the source, and compared.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from tests.system.counting import COMMAND_ON, HEAD, POINTS, TIMER_ON, decode_event

__all__ = ["RIGHT", "Seen", "verdict"]

_COUNT, _SCORE, _ORDER, _FIRED = 0, 1, 2, 3  # places in a row


class Seen(NamedTuple):
    """A record as a reader of committed records sees it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes


RIGHT: Mapping[str, int] = {
    "unpublished": 0,  # events that were sent and are not in the source
    "wrong_rows": 0,  # contacts whose count or score is not what the source says
    "wrong_order": 0,  # contacts whose events were taken in another order than the log's
    "missing": 0,  # commands that should be there
    "unwanted": 0,  # commands that nothing asks for
    "twice": 0,  # commands beyond the first of their id
    "early": 0,  # timers that acted before an event that was in the log when they were due
    "unfired": 0,  # contacts whose timer never acted, where all should have
}


def verdict(
    sources: Iterable[Seen],
    changelog: Iterable[Seen],
    commands: Iterable[Seen],
    *,
    sent: int,
    ordered: bool = True,
    all_fired: bool = False,
) -> dict[str, int]:
    """Compare rows and commands with the source.

    Args:
        sources: all records of the source topics.
        changelog: all records of the changelog, in its order.
        commands: all records of the commands topic, in its order.
        sent: how many different events were published.
        ordered: whether append times say in which order several source topics are to be taken.
        all_fired: whether every timer has had the time to act.

    Returns:
        ``events``, how many the source holds, and the counts of :data:`RIGHT`, which have to be 0.
    """
    count, score = Counter[bytes](), Counter[bytes]()
    order: dict[bytes, int] = {}
    wanted: dict[str, int] = {}
    carts: set[bytes] = set()
    ids: set[str] = set()
    events = 0
    for record in sorted(sources, key=lambda one: (one.partition, one.timestamp, one.topic, one.offset)):
        event = decode_event(record.value)
        events += 1
        ids.add(event["event_id"])
        count[record.key] += 1
        score[record.key] += POINTS[event["type"]]
        order[record.key] = zlib.crc32(event["event_id"].encode(), order.get(record.key, 0))
        if event["type"] in COMMAND_ON:
            wanted[event["event_id"]] = record.timestamp
        if event["type"] == TIMER_ON:
            carts.add(record.key)
    rows = {
        one.key[1:]: msgspec.msgpack.decode(one.value[HEAD.size :])
        for one in changelog
        if one.key[:1] == b"r"
    }
    given = [(one.partition, one.offset, json.loads(one.value)) for one in commands]
    got = Counter(body["id"] for *_, body in given)
    timers = {name for name in got if name.startswith("timer-")}
    fired = {f"timer-{n.decode()}-{i}" for n, row in rows.items() for i in range(1, row[_FIRED] + 1)}
    unfired = {name for name in carts if f"timer-{name.decode()}-1" not in got} if all_fired else ()
    return {
        "events": events,
        "unpublished": sent - len(ids),
        "wrong_rows": sum(
            name not in rows or rows[name][_COUNT : _SCORE + 1] != [count[name], score[name]]
            for name in count
        )
        + len(rows.keys() - count.keys()),
        "wrong_order": sum(name in rows and rows[name][_ORDER] != order[name] for name in count)
        if ordered
        else 0,
        "missing": len(wanted.keys() - got.keys()) + len(fired - timers),
        "unwanted": len(got.keys() - wanted.keys() - fired),
        "twice": sum(number - 1 for number in got.values()),
        "early": _early(given, wanted),
        "unfired": len(unfired),
    }


def _early(given: Iterable[tuple[int, int, dict[str, object]]], appended_ms: Mapping[str, int]) -> int:
    """Count timers behind whose command there is one of an event that was appended before they were due."""
    early = 0
    least: dict[int, int] = {}  # partition -> the earliest append time of an event of a later command
    for partition, _, body in sorted(given, key=lambda one: one[:2], reverse=True):
        name = str(body["id"])
        if name.startswith("timer-"):
            due_ms = body["due"]
            assert isinstance(due_ms, int)
            early += least.get(partition, due_ms) < due_ms
        elif name in appended_ms:
            least[partition] = min(appended_ms[name], least.get(partition, appended_ms[name]))
    return early
