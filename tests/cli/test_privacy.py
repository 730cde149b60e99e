"""Erasure from the command line: by an event, for a run and for whoever replays its log."""

from __future__ import annotations

import json


def test_a_contact_is_erased_by_an_event_and_stays_out_of_a_backtest(cli, shop, tmp_path):
    key = ["--erasure-key", "secret"]
    given = ["-t", shop, "--file", "erase.jsonl", "--at", "2026-03-09 10:00", "--request", "DSR-7"]
    assert cli("contact", "erase", "ana", "ana", *given).code == 0
    (event,) = [json.loads(line) for line in (tmp_path / "erase.jsonl").read_text().splitlines()]
    assert (event["type"], event["properties"]) == ("contact_erased", {"request": "DSR-7"})
    more = ["--events", shop / "events.jsonl", "--events", "erase.jsonl"]
    done = cli("run", "-t", shop, *more, "--until", "2026-03-20", *key)
    assert done.code == 0, done.err
    assert cli("contact", "show", "ana", "-t", shop).code == 1
    assert "everything held of the contact was erased" in " ".join(cli("explain", "ana").out.split())
    commands = (tmp_path / "out" / "commands.email.jsonl").read_text().splitlines()
    (told,) = [one for one in map(json.loads, commands) if one["kind"] == "erase"]
    assert (told["contact_id"], told["values"], told["template"], told["expires_at"]) == (
        "ana",
        {},
        None,
        None,
    )

    assert cli("contact", "ledger", "--out", "ledger.jsonl", "-o", "json", *key).json["erased"] == 1
    assert "ana" not in (tmp_path / "ledger.jsonl").read_text()
    events = ["--events", shop / "events.jsonl"]
    done = cli("backtest", "-t", shop, *events, "--ledger", "ledger.jsonl", "--out", "again", *key)
    assert done.code == 0, done.err
    decided = [json.loads(line) for line in (tmp_path / "again" / "decisions.jsonl").read_text().splitlines()]
    assert {one["kind"] for one in decided if one["contact_id"] == "ana"} == {"refused"}

    wrong = cli("backtest", "-t", shop, *events, "--ledger", "ledger.jsonl")
    assert (wrong.code, "another key" in wrong.err) == (2, True)
    wrong = cli("contact", "ledger")
    assert (wrong.code, "TRAYECTO_ERASURE_KEY" in wrong.err) == (3, True)
    wrong = cli("run", "-t", shop, *more, "--until", "2026-03-25")
    assert (wrong.code, "TRAYECTO_ERASURE_KEY" in wrong.err) == (3, True)


def test_what_cannot_be_done_is_said(cli, shop):
    assert "--broker" in cli("contact", "erase", "ana", "-t", shop).err
    assert "--at is for --file" in cli("contact", "erase", "ana", "-t", shop, "--at", "2026-03-01").err
    assert (
        "cannot be read"
        in cli("backtest", "-t", shop, "--events", shop / "events.jsonl", "--ledger", "none").err
    )
