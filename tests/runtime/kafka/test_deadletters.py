"""Dead letters: how they are counted, and which can go back."""

from __future__ import annotations

import pytest

from processor.codec.outputs import RAW_BYTES_MAX, DeadLetter
from processor.runtime.kafka.deadletters import Group, Letter, groups, why_not
from processor.runtime.kafka.tail import Record


def letter(reason="not_json", topic="events", raw=b"{", at_ms=5, offset=0) -> Letter:
    record = Record("dead-letters", 2, offset, at_ms, b"k", b"")
    return Letter(record, DeadLetter.of_record(reason, f"m{offset}", raw, topic, 1, 7))


def test_they_are_counted_by_reason_and_topic_the_most_first():
    found = [
        letter("no_type"),
        letter(at_ms=9, offset=3),
        letter(at_ms=7, offset=2),
        letter(topic="internal"),
        letter(at_ms=8, offset=4),
    ]
    assert groups(found) == [
        Group("not_json", "events", 3, 7, 9, "2:3", "m3"),
        Group("no_type", "events", 1, 5, 5, "2:0", "m0"),
        Group("not_json", "internal", 1, 5, 5, "2:0", "m0"),
    ]
    assert groups([]) == []


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (letter().letter, ""),
        (letter(topic="other").letter, "its topic is none of the topology's"),
        (letter("tombstone", raw=None).letter, "it had no value"),
        (letter("too_large", raw=b"x" * RAW_BYTES_MAX).letter, "it was too long to be kept whole"),
        (DeadLetter("failed", "m", "events.jsonl", 3, b"x"), "it did not come from a topic"),
    ],
)
def test_which_can_go_back(one, why):
    assert why_not(one, ("events",)) == why
