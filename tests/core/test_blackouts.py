"""Days without sends: whose clock, what waits, what expires."""

from __future__ import annotations

import pytest

from processor.core.time import parse_time, zone
from tests.core.logs import START_MS, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
timezone: UTC
events: {{seen: {{n: integer?}}}}
purposes: {{service: {{consent: not_required}}, receipts: {{transactional: true}}}}
channels: {{push: {{expires_after: 3d}}, sms: {{}}, slack: {{kind: alert}}}}
policies:
  blackouts: {blackout}
"""
SEND = "entry: {on: seen}\nsteps: [{send: push, template: hello, hold_at_most: 9d%s}]\n"
UNTIL_MS = START_MS + 20 * 24 * 3_600_000  # START_MS is 2026-03-21 08:00 UTC


def play(folder, blackout, hours, more="", tz=""):
    small = topology(folder, SEND % more, BASE.format(blackout=blackout))
    log = [event("profile_updated", 0, tz=tz)] if tz else []
    commands, decisions, _, _ = run([*log, event("seen", hours)], 1, topology=small, until_ms=UNTIL_MS)
    return commands, [(d.kind, d.reason) for d in decisions if d.kind in {"held", "suppressed"}]


@pytest.mark.parametrize(
    ("tz", "end", "zoned"),
    [
        ("", "2026-03-24T00:00:00Z", ""),
        ("America/Mexico_City", "2026-03-24T06:00:00Z", ""),
        ("America/Mexico_City", "2026-03-23T15:00:00Z", ", zone: Asia/Tokyo"),
    ],
)
def test_a_send_waits_for_the_end_of_the_last_day(tmp_path, tz, end, zoned):
    blackout = "{name: fair, from: 2026-03-22, to: 2026-03-23" + zoned + "}"
    commands, held = play(tmp_path, blackout, 30, tz=tz)
    assert [command.decided_ms for command in commands] == [parse_time(end)]
    assert held == [("held", "blackout:fair")]


def test_a_step_that_does_not_wait_is_skipped(tmp_path):
    commands, held = play(tmp_path, "[{from: 2026-03-22, to: 2026-03-22}]", 30, ", when_quiet: skip")
    assert commands == []
    assert held == [("suppressed", "blackout:2026-03-22")]


def test_a_moment_is_the_moment_itself(tmp_path):
    blackout = '{from: "2026-03-21 10:00", to: "2026-03-21 12:30"}'
    assert play(tmp_path, blackout, 1.9)[1] == []
    commands, _ = play(tmp_path, blackout, 2)
    assert [command.decided_ms for command in commands] == [parse_time("2026-03-21T12:30:00Z")]
    assert play(tmp_path, blackout, 4.5)[1] == []


def test_a_command_never_reaches_into_a_blackout(tmp_path):
    commands, _ = play(tmp_path, "{from: 2026-03-22, to: 2026-03-23}", 1)
    assert commands[0].expires_ms == parse_time("2026-03-22", zone("UTC"))
    commands, _ = play(tmp_path, "{from: 2026-03-22, to: 2026-03-23}", 70)
    assert commands[0].expires_ms == commands[0].decided_ms + 3 * 24 * 3_600_000


@pytest.mark.parametrize("narrowed", ["channels: [sms]", "purposes: [receipts]"])
def test_it_holds_for_its_channels_and_purposes(tmp_path, narrowed):
    commands, held = play(tmp_path, f"{{from: 2026-03-22, to: 2026-03-23, {narrowed}}}", 30)
    assert (len(commands), held) == (1, [])
    assert commands[0].expires_ms == commands[0].decided_ms + 3 * 24 * 3_600_000


def test_a_transactional_purpose_is_free_of_it(tmp_path):
    commands, held = play(tmp_path, "{from: 2026-03-22, to: 2026-03-23}", 30, ", purpose: receipts")
    assert (len(commands), held) == (1, [])
