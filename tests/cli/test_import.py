"""``trayecto import``: tables in three forms, what is refused, and that nothing counts twice."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processor.runtime.kafka.errors import KafkaDown

TOPOLOGY = """\
topology: shop
timezone: Europe/London
events: {seen: {seconds: number?}, bought: {value: number, gift: boolean?}}
profile: {name: string, visits: integer, vip: boolean, tags: list}
purposes: {marketing: {consent: required}}
channels: {email: {}}
lists: [news]
scores: {interest: {rules: [{on: seen, add: 1}]}}
"""
PROGRAM = "program: p\npurpose: marketing\nentry: {on: seen}\nsteps: [{send: email, template: hello}]\n"


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    (folder / "programs").mkdir(parents=True)
    (folder / "topology.yaml").write_text(TOPOLOGY)
    (folder / "programs" / "p.yaml").write_text(PROGRAM)
    return folder


def lines(path: Path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def wrapped(path: Path):
    return [
        (one["contact_id"], one["properties"]["type"], one["properties"]["properties"]) for one in lines(path)
    ]


CUTOVER = ["--cutover", "2026-03-01", "--file", "imported.jsonl"]
ROWS = [
    {"contact_id": "a", "name": "Ana", "visits": 3, "vip": True, "tags": ["x"]},
    {"contact_id": "b", "name": "Bo", "visits": None, "vip": None, "tags": None},
]
SAID = [
    ("a", "profile_updated", {"name": "Ana", "visits": 3, "vip": True, "tags": ["x"]}),
    ("b", "profile_updated", {"name": "Bo"}),
]


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "parquet"])
def test_a_table_says_the_same_in_every_form(cli, shop, tmp_path, form):
    path = tmp_path / f"people.{form}"
    text = 'contact_id,name,visits,vip,tags\na,Ana,3,yes,"[""x""]"\nb,Bo,,,\n'
    if form == "csv":
        path.write_text("\ufeff" + text)
    elif form == "csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    assert cli("import", "-t", shop, "--profiles", path, *CUTOVER).code == 0
    assert wrapped(tmp_path / "imported.jsonl") == SAID
    assert {one["occurred_at"] for one in lines(tmp_path / "imported.jsonl")} == {"2026-03-01T00:00:00Z"}


def test_every_kind_of_table_becomes_rows_of_a_state(cli, shop, tmp_path):
    tables = {
        "events": "contact_id,type,occurred_at,seconds,value,gift\n"
        "a,seen,2026-02-01 09:00,4,,\na,bought,2026-02-02,,9.5,no\n",
        "profiles": "contact_id,name\na,Ana\n",
        "consents": "contact_id,purpose,at,granted\na,marketing,2025-07-01,true\n",
        "lists": "contact_id,list\na,news\n",
        "scores": "contact_id,score,value\na,interest,40\n",
        "sends": "contact_id,channel,purpose,at\na,email,marketing,2026-02-20\n",
        "enrollments": "contact_id,program,entered_at,ended_at\na,p,2026-01-01,2026-01-05\n",
    }
    options = []
    for kind, text in tables.items():
        (tmp_path / f"{kind}.csv").write_text(text)
        options += [f"--{kind}", f"{kind}.csv"]
    assert cli("import", "-t", shop, *options, *CUTOVER, "-o", "json").json["taken"] == 8
    kinds = [kind for _, kind, _ in wrapped(tmp_path / "imported.jsonl")]
    assert kinds == [
        "profile_updated", "consent_granted", "list_joined", "past_score", "past_send", "past_enrollment",
        "seen", "bought",
    ]  # fmt: skip
    summer = lines(tmp_path / "imported.jsonl")[1]["properties"]["at"]
    assert summer == "2025-06-30T23:00:00Z"  # midnight on the topology's clock
    live = {"contact_id": "a", "type": "seen", "occurred_at": "2026-03-02T00:00:00Z", "properties": {}}
    (tmp_path / "live.jsonl").write_text(json.dumps(live) + "\n")
    run = [
        "run",
        "-t",
        shop,
        "--events",
        "imported.jsonl",
        "--events",
        "live.jsonl",
        "--events",
        "again.jsonl",
    ]
    (tmp_path / "again.jsonl").write_bytes((tmp_path / "imported.jsonl").read_bytes())
    assert cli(*run).code == 0
    shown = cli("contact", "show", "a", "-t", shop, "-o", "json").json
    assert shown["profile"] == {"name": "Ana"}
    assert [(one["granted"], one["at"]) for one in shown["consents"]] == [(True, "2025-06-30T23:00:00Z")]
    assert list(shown["lists"]) == ["news"]
    assert shown["scores"]["interest"]["value"] == 42
    assert shown["entered"][0]["times"] == 1
    assert not (
        tmp_path / "out" / "commands.email.jsonl"
    ).exists()  # in the program before, and once is enough


def test_rows_that_cannot_be_taken_are_told_and_no_value_is_in_a_reason(cli, shop, tmp_path):
    (tmp_path / "people.csv").write_text("contact_id,name,visits\na,Ana,3\n,Bo,1\nc,Cy,many\n")
    (tmp_path / "log.jsonl").write_text(
        '{"contact_id": "a", "type": "seen", "occurred_at": "yesterday"}\n'
        '{"contact_id": "a", "type": "unheard", "occurred_at": "2026-01-01"}\n'
        '{"contact_id": "a", "type": "timers_released", "occurred_at": "2026-01-01"}\nnothing\n'
    )
    given = ["--profiles", "people.csv", "--events", "log.jsonl", "--refused", "refused.jsonl"]
    done = cli("import", "-t", shop, *given, *CUTOVER, "-o", "json")
    assert done.code == 1
    assert done.json["taken"] == 1
    found = [(one["file"], one["line"], one["reason"]) for one in lines(tmp_path / "refused.jsonl")]
    assert found == [
        ("people.csv", 2, "no_contact"),
        ("people.csv", 3, "wrong_type"),
        ("log.jsonl", 1, "bad_time"),
        ("log.jsonl", 2, "unknown_name"),
        ("log.jsonl", 3, "unknown_name"),
        ("log.jsonl", 4, "bad_row"),
    ]
    assert "many" not in lines(tmp_path / "refused.jsonl")[1]["message"]


def test_a_column_that_nothing_declares_is_refused_or_skipped(cli, shop, tmp_path):
    (tmp_path / "people.csv").write_text("contact_id,name,shoe\na,Ana,42\n")
    given = ["import", "-t", shop, "--profiles", "people.csv", *CUTOVER]
    assert cli(*given).code == 1
    assert cli(*given, "--skip", "shoe").code == 0
    assert wrapped(tmp_path / "imported.jsonl") == [("a", "profile_updated", {"name": "Ana"})]


def test_nothing_to_import_and_files_that_are_none(cli, shop):
    assert cli("import", "-t", shop, *CUTOVER).code == 2
    assert cli("import", "-t", shop, "--profiles", "nowhere.csv", *CUTOVER).code in {2, 3}


def test_an_import_to_kafka_that_broke_off_goes_on_where_it_was(cli, shop, tmp_path, monkeypatch):
    (tmp_path / "log.csv").write_text(
        "contact_id,type,occurred_at\n" + "".join(f"c-{n},seen,2026-02-01\n" for n in range(7))
    )
    published: list[bytes] = []

    def publish(_settings, _topology, batch):
        if len(published) == 4 and not (tmp_path / "mended").exists():
            raise KafkaDown("the cluster is gone")
        published.extend(batch)

    monkeypatch.setattr("processor.runtime.kafka.publish.publish_lines", publish)
    monkeypatch.setattr("processor.cli.import_._BATCH_LINES", 2)
    given = ["import", "-t", shop, "--events", "log.csv", "--broker", "127.0.0.1:1", "--progress", "at.json"]
    assert cli(*given).code == 3
    assert json.loads((tmp_path / "at.json").read_text())["lines"] == 4
    (tmp_path / "mended").touch()
    assert cli(*given).code == 0
    contacts = [json.loads(line) for line in published]
    assert [one["contact_id"] for one in contacts] == [f"c-{n}" for n in range(7)]
    assert len({one["occurred_at"] for one in contacts}) == 1  # the cutover of the first start
