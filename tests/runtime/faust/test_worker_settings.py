"""Settings that cannot work together are refused, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from processor.runtime.faust import Engine, WorkerSettings
from processor.runtime.faust.app import lock_state, make_app
from processor.runtime.faust.errors import StateInUseError
from processor.runtime.faust.table import States
from processor.store import RocksStore

GOOD = {"app": "a", "broker": "h:1, h:2", "sources": ("events",), "partitions": 2, "name": "w0"}


def settings(tmp_path: Path, **options) -> WorkerSettings:
    return WorkerSettings(**{**GOOD, "state": tmp_path, **options})


def no_engine(number: int, store: RocksStore) -> Engine:
    raise AssertionError("no engine is made before a state is restored")


def test_the_defaults_go_together(tmp_path: Path):
    found = settings(tmp_path)
    assert found.brokers == ["h:1", "h:2"]
    assert found.changelog == "a-rows-changelog"
    assert found.transactional_id(3) == "a-3"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sources": ()}, "at least one source"),
        ({"partitions": 0}, "at least 1"),
        ({"start": "middle"}, "'earliest' or 'latest'"),
        ({"commit_timeout_s": 60.0}, "commit_timeout_s < transaction_timeout_s"),
        ({"rebalance_timeout_s": 30.0}, "commit_timeout_s < rebalance_timeout_s"),
        ({"stop_timeout_s": 60.0}, "stop_timeout_s < rebalance_timeout_s"),
        ({"session_timeout_s": 51.0}, "session_timeout_s <= request_timeout_s"),
        ({"heartbeat_s": 16.0}, "heartbeat_s \\* 3 <= session_timeout_s"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, options, rule: str):
    with pytest.raises(ValueError, match=rule):
        settings(tmp_path, **options)


def test_a_state_folder_has_one_worker(tmp_path: Path):
    lock_state(settings(tmp_path))
    with pytest.raises(StateInUseError, match="runs on the state in"):
        lock_state(settings(tmp_path))


def test_the_app_is_what_the_worker_needs(tmp_path: Path):
    app = make_app(settings(tmp_path), no_engine)
    conf = app.conf
    assert conf.web_enabled is False
    assert conf.consumer_group_instance_id == "w0"
    assert conf.consumer_auto_offset_reset == "none"
    assert conf.table_standby_replicas == 0
    assert str(conf.canonical_url) == "http://w0"
    (table,) = app.tables.values()
    assert table.changelog_topic_name == "a-rows-changelog"
    with pytest.raises(TypeError, match="by engines only"):
        table.data[b"key"]
    with pytest.raises(TypeError, match="by engines only"):
        table.data[b"key"] = b"value"


def test_a_closed_database_can_be_opened_by_another(tmp_path: Path):
    first, second = States(settings(tmp_path)), States(settings(tmp_path))
    first.open(1)
    assert first.opened() == [1]
    first.close(1)
    first.close(1)
    second.open(1)
    assert second.path(1) == tmp_path / "partition-1"
    second.close(1)


def test_a_database_that_is_thrown_away_is_empty(tmp_path: Path):
    states = States(settings(tmp_path))
    states.open(0).commit({}, b"position")
    assert states.anew(0, "a reason").position() is None
    states.close(0)
