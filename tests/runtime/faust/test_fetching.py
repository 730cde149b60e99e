"""Which errors of a fetch mean that a position is lost."""

from __future__ import annotations

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from processor.runtime.faust.fetching import is_lost

TP = TopicPartition("events", 0)


def test_only_our_own_position_out_of_range_is_lost() -> None:
    assert is_lost(OffsetOutOfRangeError({TP: 7}), {TP: 7})


def test_the_groups_offset_out_of_range_says_nothing_about_ours() -> None:
    assert not is_lost(OffsetOutOfRangeError({TP: 3}), {TP: 7})
    assert not is_lost(OffsetOutOfRangeError({TP: 3}), {})


def test_that_the_group_has_no_offset_says_nothing_either() -> None:
    assert not is_lost(NoOffsetForPartitionError(TP), {TP: 7})
