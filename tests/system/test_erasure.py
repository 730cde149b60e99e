"""A contact is erased on a real broker: the changelog, the channels, and a worker on an empty disk."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from loadtests.live import Live, Process
from processor.cli.app import app
from processor.codec.murmur2 import partition_of
from processor.runtime.inspect import read_row
from processor.runtime.kafka.tail import read_all

KEY = {"TRAYECTO_ERASURE_KEY": "a secret of the deployment"}
MARK = "m4rk"
TOPOLOGY = """\
topology: small
events: {seen: {}}
profile: {notes: string}
purposes: {marketing: {consent: required}}
channels: {push: {}, erp: {kind: webhook}}
"""
PROGRAM = """\
program: p
purpose: marketing
entry: {on: seen}
steps: [{send: push, template: hello}, {wait: 9d}, {send: push, template: bye}]
"""


def cli(live: Live, *arguments: str) -> Any:
    where = ["--topology", str(live.folder), "--broker", live.settings.broker]
    return CliRunner().invoke(app, [*arguments, *where], env=KEY)


def publish(live: Live, folder: Path, name: str, *events: tuple[str, str, dict[str, Any]]) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5))
    lines = [
        {
            "event_id": f"{name}-{n}",
            "contact_id": contact,
            "type": kind,
            "occurred_at": now,
            "properties": about,
        }
        for n, (contact, kind, about) in enumerate(events)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    live.publish(folder / f"{name}.jsonl")


def settle(live: Live, worker: Process) -> None:
    live.await_end(worker, after_ms=int(time.time() * 1000), timeout_s=60)


def test_it_is_gone_from_the_changelog_and_a_new_disk_does_not_bring_it_back(
    tmp_path: Path, kafka: Any, fresh_name: Any
) -> None:
    source = tmp_path / "source"
    (source / "programs").mkdir(parents=True)
    (source / "topology.yaml").write_text(TOPOLOGY)
    (source / "programs" / "p.yaml").write_text(PROGRAM)
    live = Live(tmp_path / "topology", source, kafka.address, f"{fresh_name('erase')}.", 4)
    anon = next(f"anon-{n}" for n in range(99) if partition_of(f"anon-{n}", 4) != partition_of("ana", 4))
    publish(
        live, tmp_path, "first",
        (anon, "profile_updated", {"notes": MARK}), ("ana", "contact_identified", {"anonymous_id": anon}),
        ("ana", "consent_granted", {"purpose": "marketing", "text": "form-7"}), ("ana", "seen", {}),
        ("bo", "seen", {}),
    )  # fmt: skip
    worker = live.worker("w0", tmp_path / "state", **KEY)
    settle(live, worker)
    held = cli(live, "contact", "export", anon, "--output", "json")
    assert held.exit_code == 0, held.output
    found = json.loads(held.stdout)
    assert (found["contact_id"], found["other_ids"], found["profile"]) == ("ana", [anon], {"notes": MARK})
    assert [one["template"] for one in found["commands"]] == ["hello"]
    assert {one["contact_id"] for one in found["events"]} == {"ana", anon}
    assert found["consent_history"][0]["text"] == "form-7"

    assert cli(live, "contact", "erase", "ana").exit_code == 0
    settle(live, worker)
    publish(live, tmp_path, "again", ("ana", "seen", {}), (anon, "seen", {}))
    settle(live, worker)
    assert worker.stop() == 0
    last = {record.key: record.value for record in read_all(live.settings, [live.names.changelog])}
    assert (last[b"rana"], last[f"r{anon}".encode()]) == (None, None)
    assert MARK.encode() not in b"".join(value or b"" for value in last.values())
    assert sum(key[:1] == b"e" and len(key) > 1 for key in last if key) == 2
    told = {
        (channel, json.loads(line)["contact_id"])
        for channel, topic in live.names.commands.items()
        for _, line in live.lines(topic, "command")
        if json.loads(line)["kind"] == "erase"
    }
    assert told == {(channel, name) for channel in ("push", "erp") for name in ("ana", anon)}
    decisions = [json.loads(line) for _, line in live.lines(live.names.decisions, "decision")]
    assert sorted(one["contact_id"] for one in decisions if one["kind"] == "refused") == sorted(["ana", anon])

    worker = live.worker("w0", tmp_path / "anew", **KEY)
    publish(live, tmp_path, "after", ("ana", "profile_updated", {"notes": MARK}))
    settle(live, worker)
    assert worker.stop() == 0
    assert [read_row(tmp_path / "anew", name) for name in ("ana", anon)] == [None, None]
    assert read_row(tmp_path / "anew", "bo") is not None
    gone = cli(live, "contact", "export", "ana")
    assert (gone.exit_code, "was erased at" in gone.stderr) == (1, True)
