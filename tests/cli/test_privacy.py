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


def test_an_export_holds_all_there_is_of_a_contact(cli, shop, tmp_path):
    more = [
        {"type": "consent_granted", "properties": {"purpose": "marketing", "text": "form-7", "by": "desk"}},
        {"type": "contact_identified", "properties": {"anonymous_id": "cookie-1"}},
    ]
    lines = [
        {"event_id": f"x-{n}", "contact_id": "ana", "occurred_at": "2026-03-10T10:00:00Z"} | one
        for n, one in enumerate(more)
    ]
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = cli("run", "-t", shop, "--events", shop / "events.jsonl", "--events", "more.jsonl")
    assert done.code == 0, done.err
    found = cli("contact", "export", "ana", "-t", shop, "-o", "json").json
    assert (found["format"], found["contact_id"], found["other_ids"]) == (1, "ana", ["cookie-1"])
    (answer,) = [one for one in found["consents"] if one["purpose"] == "marketing" and not one["channel"]]
    assert (answer["answer"], answer["text"], answer["by"]) == ("granted", "form-7", "desk")
    assert found["consent_history"][-1]["text"] == "form-7"
    row = cli("contact", "show", "ana", "-t", shop, "-o", "json").json
    assert found["profile"] == row["profile"]
    assert {one["score"]: one["value"] for one in found["scores"]} == {
        name: one["value"] for name, one in row["scores"].items()
    }
    assert [line["rule"] for one in found["scores"] for line in one["ledger"]] != []
    decided = (tmp_path / "out" / "decisions.jsonl").read_text().splitlines()
    mine = [one for one in map(json.loads, decided) if one["contact_id"] in {"ana", "cookie-1"}]
    assert found["decisions"] == mine
    assert {one["contact_id"] for one in found["commands"]} == {"ana"}
    assert cli("contact", "export", "cookie-1", "-t", shop, "-o", "json").json == found

    assert cli("contact", "export", "ana", "-t", shop, "--file", "ana.json").code == 0
    assert json.loads((tmp_path / "ana.json").read_text()) == found
    read = cli("contact", "export", "ana", "-t", shop).out
    assert all(word in read for word in ("Profile", "form-7", "Points", "Commands", "cookie-1"))


def test_nothing_is_exported_of_whom_nothing_is_held(cli, shop):
    assert cli("run", "-t", shop, "--events", shop / "events.jsonl").code == 0
    none = cli("contact", "export", "zed", "-t", shop)
    assert (none.code, "nothing is held" in none.err) == (1, True)
    erase = ["--file", "erase.jsonl", "--at", "2026-03-20"]
    assert cli("contact", "erase", "ana", "-t", shop, *erase).code == 0
    events = ["--events", shop / "events.jsonl", "--events", "erase.jsonl"]
    assert cli("run", "-t", shop, *events).code == 0
    gone = cli("contact", "export", "ana", "-t", shop)
    assert (gone.code, "was erased at 2026-03-20T00:00:00Z" in gone.err) == (1, True)
    assert "records about it are still there" in gone.err
