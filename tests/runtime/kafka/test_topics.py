"""What topics have to be, and what is said where they are not."""

from __future__ import annotations

import pytest

from processor.core.time import DAY_MS
from processor.core.topics import collides
from processor.language import load_topology
from processor.runtime.kafka.topics import MESSAGE_BYTES_MAX, Difference, Found, compare, plan, subjects

TOPOLOGY = """\
topology: shop
events: {page_viewed: {}}
channels: {email: {}, push: {}}
topics: {events: [web, app], prefix: eu., partitions: 4, retention: {events: 2d, commands: 6h}}
"""


@pytest.fixture
def topology(tmp_path):
    (tmp_path / "topology.yaml").write_text(TOPOLOGY, encoding="utf-8")
    return load_topology(tmp_path).topology


def as_planned(topology):
    return {spec.name: Found(spec.partitions, 1, dict(spec.config)) for spec in plan(topology)}


def test_the_plan(topology):
    specs = {spec.name: spec for spec in plan(topology)}
    assert list(specs) == [
        "eu.web",
        "eu.app",
        "eu.commands.email",
        "eu.commands.push",
        "eu.decisions",
        "eu.clock",
        "eu.dead-letters",
        "eu.internal",
        "eu.control",
        "eu.shop-rows-changelog",
    ]
    assert {name: spec.partitions for name, spec in specs.items() if spec.partitions != 4} == {
        "eu.control": 1
    }
    by_log = [name for name, spec in specs.items() if "message.timestamp.type" in spec.config]
    assert by_log == ["eu.web", "eu.app", "eu.internal"]
    compacted = [name for name, spec in specs.items() if spec.config["cleanup.policy"] == "compact"]
    assert compacted == ["eu.control", "eu.shop-rows-changelog"]
    kept = {name: int(spec.config.get("retention.ms", 0)) for name, spec in specs.items()}
    assert kept["eu.web"] == kept["eu.clock"] == kept["eu.internal"] == 2 * DAY_MS
    assert kept["eu.commands.push"] == DAY_MS // 4
    assert kept["eu.decisions"] == 90 * DAY_MS


def test_nothing_is_kept_longer_than_a_day_beyond_its_time(topology):
    """What an erasure's deadline rests on: segments and compaction of a day at most."""
    for spec in plan(topology):
        config = spec.config
        lag = (
            config["segment.ms"] if config["cleanup.policy"] == "delete" else config["max.compaction.lag.ms"]
        )
        assert int(lag) <= DAY_MS
        assert int(config["max.message.bytes"]) <= MESSAGE_BYTES_MAX


def test_no_names_look_alike_to_kafka(topology):
    names = [spec.name for spec in plan(topology)]
    assert len({collides(name) for name in names}) == len(names)


def test_every_topic_with_values_of_a_schema_has_a_subject(topology):
    names = {spec.name for spec in plan(topology)}
    assert names - set(subjects(topology)) == {"eu.control", "eu.shop-rows-changelog"}


def test_what_is_as_planned_does_not_differ(topology):
    found = as_planned(topology)
    assert compare(plan(topology), found) == []
    more = dict(found["eu.web"].config) | {"max.message.bytes": str(1 << 30), "other": "1"}
    assert compare(plan(topology), found | {"eu.web": Found(4, 3, more)}) == []


@pytest.mark.parametrize(
    ("change", "what", "expected", "shown"),
    [
        ({"retention.ms": "1000"}, "retention.ms", "172800000 (2d)", "1000 (1s)"),
        ({"retention.ms": "-1"}, "retention.ms", "172800000 (2d)", "-1"),
        ({"cleanup.policy": "compact"}, "cleanup.policy", "delete", "compact"),
        ({"message.timestamp.type": "CreateTime"}, "message.timestamp.type", "LogAppendTime", "CreateTime"),
        ({"max.message.bytes": "1048588"}, "max.message.bytes", "2097152", "1048588"),
    ],
)
def test_settings_that_differ(topology, change, what, expected, shown):
    found = as_planned(topology)
    found["eu.app"] = Found(4, 1, dict(found["eu.app"].config) | change)
    fix = "trayecto topics create --mend"
    assert compare(plan(topology), found) == [Difference("eu.app", what, expected, shown, fix, mendable=True)]


def test_what_cannot_be_mended(topology):
    found = as_planned(topology)
    del found["eu.clock"]
    found["eu.internal"] = Found(3, 1, found["eu.internal"].config)
    differences = compare(plan(topology), found, replication=3)
    told = {(one.topic, one.what): one for one in differences}
    assert told["eu.clock", "missing"].mendable
    assert not told["eu.internal", "partitions"].mendable
    assert "partitions: 3" in told["eu.internal", "partitions"].fix
    assert not told["eu.web", "replication"].mendable
    assert ("eu.clock", "replication") not in told
