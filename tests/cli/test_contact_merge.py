"""``trayecto contact merge``, through a run."""

from __future__ import annotations

import json
from pathlib import Path

MERGING = Path(__file__).parents[1] / "fixtures" / "merging"


def test_merging_by_hand_makes_one_contact_of_three(cli, tmp_path):
    events = [
        {
            "event_id": f"e-{number}",
            "contact_id": contact,
            "type": "seen",
            "occurred_at": f"2026-03-01T10:0{number}:00Z",
            "properties": {},
        }
        for number, contact in enumerate(["ana", "bo", "cy"])
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    given = ["-t", MERGING, "--file", "merged.jsonl", "--at", "2026-03-01 11:00"]
    assert cli("contact", "merge", "ana", "bo", "cy", *given).code == 0
    lines = [json.loads(line) for line in (tmp_path / "merged.jsonl").read_text().splitlines()]
    assert [line["properties"] for line in lines] == [{"other_id": "bo"}, {"other_id": "cy"}]
    assert {line["contact_id"] for line in lines} == {"ana"}
    assert cli("run", "-t", MERGING, "--events", "events.jsonl", "--events", "merged.jsonl").code == 0
    assert cli("contact", "show", "bo", "-t", MERGING, "-o", "json").json["became"] == "ana"
    shown = cli("contact", "show", "ana", "-t", MERGING, "-o", "json").json
    assert shown["scores"]["interest"]["value"] == 3


def test_a_contact_does_not_become_itself(cli):
    done = cli("contact", "merge", "ana", "ana", "-t", MERGING, "--file", "-")
    assert done.code == 2
    assert "ana is itself already" in done.err
