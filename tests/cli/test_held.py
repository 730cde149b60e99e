"""Breakers and pauses by hand: what is held is listed, and released or dropped by an event in the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ALERT = "  email: {expires_after: 2d, address: email}\n  ops: {kind: alert}\n"
CONTACTS = ["ana", "ben", "cy", "dee"]


@pytest.fixture
def braked(shop: Path) -> Path:
    """The shop with a breaker that trips at the third command of a day, and a log of four contacts."""
    path = shop / "topology.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("  email: {expires_after: 2d, address: email}\n", ALERT)
    text = text.replace("policies:\n", "policies:\n  breaker: {more_than: 2, per: 1d, alert: ops}\n")
    path.write_text(text, encoding="utf-8")
    lines = []
    for number, contact in enumerate(CONTACTS):
        for kind, properties in (
            ("profile_updated", {"email": f"{contact}@mail.example"}),
            ("consent_granted", {"purpose": "marketing"}),
            ("signed_up", {}),
        ):
            lines.append(
                json.dumps(
                    {
                        "event_id": f"{kind}-{contact}",
                        "contact_id": contact,
                        "type": kind,
                        "occurred_at": f"2026-03-02T10:0{number}:00Z",
                        "properties": properties,
                    }
                )
            )
    (shop.parent / "first.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return shop


def run(cli: Any, shop: Path, *files: str, until: str) -> None:
    sources = [one for file in files for one in ("--events", file)]
    done = cli("run", "-t", shop, *sources, "--until", until, "--partitions", "3")
    assert done.code == 0, done.err


def emails(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "out" / "commands.email.jsonl").read_text(encoding="utf-8").splitlines()
    return [(one["contact_id"], one["decided_at"]) for one in map(json.loads, lines)]


def test_what_is_held_is_listed_and_released_by_an_event_of_the_log(cli, braked, tmp_path):
    assert cli("held", "list", "--state", "state").code == 2  # there is none
    run(cli, braked, "first.jsonl", until="2026-03-02T12:00Z")
    assert [contact for contact, _ in emails(tmp_path)] == ["ana", "ben"]
    (alarm,) = (tmp_path / "out" / "commands.ops.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(alarm)["kind"] == "alarm"
    listed = cli("held", "list", "-o", "json")
    assert listed.code == 1
    assert listed.json["programs"] == [
        {"program": "welcome", "paused": False, "breaker_tripped": True, "since": "2026-03-02T10:02:00Z"}
    ]
    assert sorted((one["contact_id"], one["step"], one["until"]) for one in listed.json["held"]) == [
        ("cy", "send-email-welcome", "2026-03-09T10:02:00Z"),
        ("dee", "send-email-welcome", "2026-03-09T10:03:00Z"),
    ]
    text = cli("held", "list").out
    assert "tripped" in text
    assert "dee" in text
    assert cli("held", "list", "--program", "other").code == 0
    told = [
        "-t",
        braked,
        "--file",
        "op.jsonl",
        "--at",
        "2026-03-02T13:00Z",
        "--by",
        "ana",
        "--because",
        "a sale",
    ]
    assert cli("held", "release", "welcome", *told).code == 0
    run(cli, braked, "first.jsonl", "op.jsonl", until="2026-03-02T14:00Z")
    assert sorted(emails(tmp_path))[2:] == [("cy", "2026-03-02T13:00:00Z"), ("dee", "2026-03-02T13:00:00Z")]
    assert cli("held", "list").code == 0
    again = [
        "--events",
        "first.jsonl",
        "--events",
        "op.jsonl",
        "--until",
        "2026-03-02T14:00Z",
        "--partitions",
        "3",
    ]
    done = cli("backtest", "-t", braked, *again, "--out", "again")
    assert done.code == 0, done.err
    for name in ("commands.email.jsonl", "commands.ops.jsonl", "decisions.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert "let it go" in cli("explain", "dee", "-t", braked).out


def test_a_pause_is_an_event_too_and_dropping_leaves_it_paused(cli, braked, tmp_path):
    for command, file, hour in (
        (["pause", "welcome", "--because", "a wrong template"], "pause.jsonl", "10:01:30"),
        (["held", "drop", "welcome"], "drop.jsonl", "12:00:00"),
        (["resume", "welcome"], "resume.jsonl", "13:00:00"),
    ):
        done = cli(*command, "-t", braked, "--file", file, "--at", f"2026-03-02T{hour}Z")
        assert done.code == 0, done.err
    (event,) = map(json.loads, (tmp_path / "pause.jsonl").read_text(encoding="utf-8").splitlines())
    assert (event["type"], event["contact_id"]) == ("program_paused", "program/welcome")
    assert event["properties"]["because"] == "a wrong template"
    # One file, sorted by time: a run merges nothing.
    lines = [
        line
        for name in ("first", "pause", "drop", "resume")
        for line in (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    lines.sort(key=lambda line: json.loads(line)["occurred_at"])
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run(cli, braked, "all.jsonl", until="2026-03-05T14:00Z")
    decisions = [json.loads(one) for one in (tmp_path / "out" / "decisions.jsonl").read_text().splitlines()]
    refused = [(one["contact_id"], one["reason"]) for one in decisions if one["kind"] == "not_entered"]
    assert refused == [("cy", "paused"), ("dee", "paused")]
    assert [one["reason"] for one in decisions if one["kind"] == "braked"] == ["pause", "drop", "resume"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pause", "welcom"], 'there is no program "welcom"'),
        (["held", "release", "welcome", "--because", "x" * 501], "500 characters"),
        (["held", "drop", "welcome", "--at", "2026-03-02"], "--at is for --file"),
    ],
)
def test_what_cannot_be_done_is_said(cli, braked, arguments, said):
    done = cli(*arguments, "-t", braked)
    assert done.code == 2
    assert said in " ".join(done.err.split())
