"""What a worker says while it brings a partition's state to the end of its changelog."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from processor.core.rows import Row
from processor.runtime.faust import restoring
from processor.runtime.faust.settings import WorkerSettings
from processor.runtime.faust.table import Restoring, States

TP = TopicPartition("t-rows-changelog", 0)


class Reader:
    """Reads ten records of a changelog, four at a time; offset 10 is a marker, which is none."""

    def __init__(self, states: States) -> None:
        self._states, self._at = states, 0
        self.seen: list[Restoring] = []

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._at = offset

    async def position(self, tp: TopicPartition) -> int:
        return 11 if self._at == 10 else self._at

    async def getmany(self, tp: TopicPartition, **_: Any) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.seen.append(self._states.restoring[0])
        begin, self._at = self._at, min(10, self._at + 4)
        value = Row.new().encode()
        made = [
            ConsumerRecord(TP.topic, 0, offset, 0, 0, b"rc%d" % offset, value, None, 0, 0, ())
            for offset in range(begin, self._at)
        ]
        return {TP: made}


@pytest.fixture
def settings(tmp_path):
    return WorkerSettings(app="t", broker="none:1", sources=("e",), partitions=1, state=tmp_path, name="w")


async def test_progress_is_in_the_log_and_for_the_metrics(settings, monkeypatch, caplog):
    monkeypatch.setattr(restoring, "_PROGRESS_EVERY_S", 0.0)
    caplog.set_level(logging.INFO, restoring.__name__)
    states = States(settings)
    reader, store = Reader(states), states.open(0)
    progress = restoring._Progress(states, 0, 0, 11)
    assert await restoring._read(settings, store, reader, TP, progress) == 10
    progress.done()
    assert reader.seen == [Restoring(0, 0.0), Restoring(4, 4 / 11), Restoring(8, 8 / 11)]
    assert states.restoring == {0: Restoring(10, 1.0)}
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("partition 0: restored 4 rows, 36%, ")
    assert "rows/s, about" in said[0]
    assert said[-1].startswith("partition 0: restored 10 rows in ")
    assert len(store.partition(0).contacts("", 20)) == 10
    states.close(0)
