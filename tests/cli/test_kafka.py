"""The commands for Kafka, as far as they go without a broker; with one: tests/system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from processor.codec.outputs import decision_line
from processor.core.outputs import Decision
from processor.runtime.kafka import tail
from processor.runtime.kafka.tail import Record

CONNECTED = (
    ("topics", "create"),
    ("topics", "check"),
    ("publish", "shop/events.jsonl"),
    ("tail", "commands"),
    ("dlq", "list"),
    ("dlq", "show", "0:0"),
    ("dlq", "replay", "--all"),
)


def test_topics_are_listed_without_a_broker(cli, shop):
    done = cli("topics", "list", "-t", "shop")
    assert done.code == 0
    assert "decisions" in done.out
    listed = cli("topics", "list", "-t", "shop", "-o", "json").json
    assert {one["name"]: one["partitions"] for one in listed}["control"] == 1
    assert next(one for one in listed if one["holds"] == "events")["config"]["message.timestamp.type"]


@pytest.mark.parametrize("command", CONNECTED, ids=" ".join)
def test_no_broker_is_wrong_usage(cli, shop, command):
    done = cli(*command, "-t", "shop")
    assert done.code == 2
    assert "which broker? give --broker" in done.err


@pytest.mark.parametrize("command", CONNECTED, ids=" ".join)
def test_a_broker_that_does_not_answer_is_a_dependency_that_is_down(cli, shop, command, monkeypatch):
    monkeypatch.setenv("TRAYECTO_TIMEOUT_S", "1")
    done = cli(*command, "-t", "shop", "--broker", "127.0.0.1:1")
    assert done.code == 3
    assert "Kafka at 127.0.0.1:1 does not answer" in done.err
    assert "refused" in done.err, "and why"


@pytest.mark.parametrize("command", CONNECTED, ids=" ".join)
def test_settings_that_do_not_fit_are_wrong_usage(cli, shop, command):
    done = cli(*command, "-t", "shop", "--broker", "127.0.0.1:1", "--security", "SASL_SSL", "--user", "ana")
    assert done.code == 2
    assert "TRAYECTO_PASSWORD" in done.err


@pytest.mark.parametrize("command", CONNECTED, ids=" ".join)
def test_certificates_that_are_none_are_wrong_usage(cli, shop, command):
    secure = ("--broker", "127.0.0.1:1", "--security", "SSL", "--ca-file", "shop/topology.yaml")
    done = cli(*command, "-t", "shop", *secure)
    assert done.code == 2
    assert "no client can be made of the settings" in done.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("publish", "no.jsonl"), "there is no file no.jsonl"),
        (("publish", "shop/events.jsonl", "--topic", "nope"), "nope is no event topic"),
        (("tail", "commands", "--channel", "emial"), 'there is no channel "emial"'),
        (("tail", "events", "--channel", "email"), "--channel goes with commands only"),
        (("dlq", "replay"), "which dead letters?"),
        (("dlq", "replay", "0:1", "--all"), "which dead letters?"),
        (("dlq", "show", "first"), '"first" is no place'),
    ],
)
def test_wrong_usage(cli, shop, command, said):
    done = cli(*command, "-t", "shop", "--broker", "127.0.0.1:1")
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(("options", "code"), [(["--follow"], 0), ([], 130)])
def test_following_ends_quietly_with_ctrl_c(cli, shop, monkeypatch, options, code):
    line = decision_line(Decision("stepped", "c", 1_772_357_400_000))
    record = Record("decisions", 0, 0, 0, b"c", line)

    def interrupted(*_: Any, **__: Any) -> Iterator[Record]:
        yield record
        raise KeyboardInterrupt

    monkeypatch.setattr(tail, "read_all", interrupted)
    done = cli("tail", "decisions", "--from-beginning", *options, "-t", shop, "--broker", "127.0.0.1:1")
    assert done.code == code
    assert '"stepped"' in done.out
    assert (done.err == "") is (code == 0)
