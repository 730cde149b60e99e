"""Timers that failed and were stopped: listed, shown with their contact, released by an event in the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from processor.core.rows import Row
from processor.core.timers import quarantine
from processor.store import open_rocks
from processor.store.base import Changes

CONTACT = "ana"


def stop_timers(state: Path, partitions: int = 1) -> int:
    """Put the timers of a contact in quarantine, as the driver does when firing them raises."""
    from processor.codec.murmur2 import partition_of

    number = partition_of(CONTACT, partitions)
    store = open_rocks(state, partitions=partitions)
    part = store.partition(number)
    (data,) = part.get_many([CONTACT])
    assert data is not None
    row = Row.decode(data)
    before_ms = row.due_ms
    assert quarantine(row, CONTACT, before_ms, "ZeroDivisionError at enter:12")
    changes = Changes({CONTACT: row.encode()}, {CONTACT: (before_ms, row.due_ms)}, None)
    position = store.read(b"p")
    store.commit({number: changes}, position or b"")
    store.close()
    return before_ms


def ran_to_a_wait(cli: Any, shop: Path) -> None:
    lines = (shop / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:3]
    (shop.parent / "first.jsonl").write_text("".join(lines), encoding="utf-8")
    done = cli("run", "-t", shop, "--events", "first.jsonl", "--partitions", "1")
    assert done.code == 0, done.err


def test_a_stopped_timer_is_listed_shown_released_and_fires(cli, shop, tmp_path):
    ran_to_a_wait(cli, shop)
    assert cli("timers", "list").out.strip() == "No timer is stopped."
    stop_timers(tmp_path / "state")
    listed = cli("timers", "list", "-o", "json")
    assert listed.code == 1
    (one,) = listed.json
    assert one["enrollment"]
    assert (one["contact_id"], one["program"], one["step"], one["timer"], one["due_at"]) == (
        *(CONTACT, "welcome", "wait-3d", "step"),
        "2026-03-05T10:00:00Z",
    )
    assert "wait-3d" in cli("timers", "list").out
    shown = cli("contact", "show", CONTACT, "--topology", shop, "--output", "json").json
    assert [each["step"] for each in shown["stopped"]] == ["wait-3d"]
    assert [each["until"] for each in shown["enrollments"]] == [None]
    assert "Stopped timers" in cli("contact", "show", CONTACT, "--topology", shop).out

    more = ["--events", "first.jsonl", "--events", "released.jsonl", "--partitions", "1"]
    given = ["--all", "-t", shop, "--file", "released.jsonl", "--at", "2026-03-09 10:00"]
    assert cli("timers", "release", *given).code == 0
    assert len((tmp_path / "released.jsonl").read_text().splitlines()) == 1
    done = cli("run", "-t", shop, *more, "--until", "2026-03-10")
    assert done.code == 0, done.err
    assert cli("timers", "list").code == 0
    decisions = [json.loads(line) for line in (tmp_path / "out" / "decisions.jsonl").read_text().splitlines()]
    (let_go,) = [each for each in decisions if each["kind"] == "released"]
    assert (let_go["program"], let_go["step"], let_go["decided_at"]) == (
        *("welcome", "wait-3d"),
        "2026-03-09T10:00:00Z",
    )
    assert any(
        each["decided_at"] == "2026-03-09T10:00:00Z" and each["kind"] == "stepped" for each in decisions
    )
    assert "released by an operator" in cli("explain", CONTACT).out


def test_a_workers_folder_is_read_partition_by_partition(cli, shop, tmp_path):
    ran_to_a_wait(cli, shop)
    (tmp_path / "worker").mkdir()
    (tmp_path / "state").rename(tmp_path / "worker" / "partition-0")
    stop_timers(tmp_path / "worker" / "partition-0")
    assert [one["step"] for one in cli("timers", "list", "--state", "worker", "-o", "json").json] == [
        "wait-3d"
    ]
    assert cli("contact", "show", CONTACT, "-t", shop, "--state", "worker").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["release"], "whose timers?"),
        (["release", "ana", "--all"], "whose timers?"),
        (["release", "ana"], "--broker"),
        (["release", "ana", "--at", "2026-03-01"], "--at is for --file"),
        (["release", "--all", "--state", "nowhere"], "is not there"),
        (["list", "--state", "nowhere"], "is not there"),
    ],
)
def test_what_cannot_be_done_is_said(cli, shop, arguments, said):
    at = ["-t", shop] if arguments[0] == "release" else []
    done = cli("timers", *arguments, *at)
    assert done.code == 2
    assert said in done.err


def test_a_folder_without_a_state_is_no_empty_list(cli, shop):
    done = cli("timers", "list", "--state", shop)
    assert done.code == 3
    assert "holds no state" in done.err


def test_events_can_go_to_the_output(cli, shop):
    done = cli("timers", "release", "bo", "bo", "cy", "-t", shop, "--file", "-")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["contact_id"] for event in events] == ["bo", "cy"]
    assert {event["type"] for event in events} == {"timers_released"}
    assert len({event["event_id"] for event in events}) == 2
