"""Timers are released by an event in the log, in the partition where the worker looks for its contact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from loadtests.live import Live
from processor.cli.app import app
from processor.codec.murmur2 import partition_of
from tests.system.rounds import TEN


def test_each_contact_gets_an_event_in_its_partition(tmp_path: Path, kafka: Any, fresh_name: Any):
    live = Live(tmp_path / "topology", TEN, kafka.address, f"{fresh_name('release')}.", 4)
    where = ["--topology", str(live.folder), "--broker", live.settings.broker]
    done = CliRunner().invoke(app, ["timers", "release", "ana", "bo", "cy", *where])
    assert done.exit_code == 0, done.output
    topic = live.names.events[0]
    found = {}
    for record, line in live.lines(topic, "event"):
        event = json.loads(line)
        found[event["contact_id"]] = event["type"]
        assert record.partition == partition_of(event["contact_id"], 4)
    assert found == dict.fromkeys(["ana", "bo", "cy"], "timers_released")
