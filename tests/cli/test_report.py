"""``trayecto report`` over what a run has left."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from processor.cli.report_tables import _spark
from tests.cli.conftest import ran_shop


@pytest.fixture
def ran(cli, shop):
    """A run of the starter topology, with a goal, costs and a currency."""
    top = shop / "topology.yaml"
    text = top.read_text(encoding="utf-8").replace(
        "{expires_after: 2d, address", "{cost: 0.01, expires_after: 2d, address"
    )
    top.write_text(f"{text}\ncurrency: EUR\n", encoding="utf-8")
    program = shop / "programs" / "welcome.yaml"
    text = program.read_text(encoding="utf-8")
    program.write_text(text.replace("within: 30d", "within: 30d, value: event.value"), encoding="utf-8")
    ran_shop(cli, shop)
    return shop


def test_tables_fit_80_columns_without_colours(cli, ran):
    done = cli("report", "-t", ran)
    assert done.code == 0, done.err
    for text in (
        "Programs",
        "welcome",
        "welcome, step by step",
        "Cost and return, in EUR",
        "Sends not made",
        "engagement",
    ):
        assert text in done.out, text
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_json_counts_what_the_files_hold(cli, ran, tmp_path):
    done = cli("report", "-t", ran, "--output", "json")
    assert done.code == 0, done.err
    lines = (tmp_path / "out" / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    decisions = [json.loads(line) for line in lines]
    found = done.json
    assert (found["report"], found["decisions"], found["currency"]) == (1, len(decisions), "EUR")
    program = found["programs"][0]
    assert program["entered"] == sum(one["kind"] == "entered" for one in decisions) > 0
    goals = [one["detail"]["value"] for one in decisions if one["kind"] == "goal"]
    assert goals
    assert (program["goals"], found["money"][0]["value"]) == (len(goals), sum(goals))
    sends = (tmp_path / "out" / "commands.email.jsonl").read_text(encoding="utf-8").splitlines()
    assert (program["commands"], found["money"][0]["cost"]) == (len(sends), pytest.approx(0.01 * len(sends)))


def test_a_page_and_parquet_are_written_beside_the_tables(cli, ran, tmp_path):
    done = cli("report", "-t", ran, "--html", "deep/report.html", "--parquet", "tables", "-o", "json")
    assert done.code == 0, done.err
    assert "wrote deep/report.html" in done.err
    page = (tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "welcome" in page
    assert pq.read_table(tmp_path / "tables" / "programs.parquet").num_rows == len(done.json["programs"])


def test_avro_gives_the_same_report(cli, ran, tmp_path):
    lines = cli("report", "-t", ran, "-o", "json").json
    arguments = ("--events", ran / "events.jsonl", "--until", "2026-03-20", "--format", "avro")
    assert cli("run", "-t", ran, *arguments, "--state", "s2", "--out", "o2").code == 0
    assert (tmp_path / "o2" / "decisions.avro").is_file()
    assert cli("report", "-t", ran, "--out", "o2", "-o", "json").json == lines


def test_times_are_those_of_the_topology(cli, ran):
    first = cli("report", "-t", ran, "-o", "json").json["first"]
    none = cli("report", "-t", ran, "--to", first)
    assert none.code == 0
    assert "Nothing was decided in this time." in none.out
    later = cli("report", "-t", ran, "--from", "2026-06-01", "-o", "json").json
    assert [one["entered"] for one in later["programs"]] == [0]
    assert later["activity"] == []
    wrong = cli("report", "-t", ran, "--from", "2026-03-02", "--to", "2026-03-02")
    assert (wrong.code, "not after --from" in wrong.err) == (2, True)


def test_a_program_that_is_not_there(cli, ran):
    done = cli("report", "-t", ran, "--program", "welcom")
    assert done.code == 2
    assert 'there is no program "welcom"' in done.err
    assert "welcome" in done.err
    assert cli("report", "-t", ran, "--program", "welcome").code == 0


def test_a_folder_without_a_record(cli, shop, tmp_path):
    missing = cli("report", "-t", shop, "--out", "nowhere")
    assert (missing.code, "nowhere" in missing.err) == (2, True)
    (tmp_path / "empty").mkdir()
    empty = cli("report", "-t", shop, "--out", "empty")
    assert (empty.code, "decisions.jsonl" in empty.err) == (2, True)


def test_a_record_of_nothing(cli, shop, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "decisions.jsonl").write_bytes(b"")
    done = cli("report", "-t", shop, "--html", "page.html")
    assert done.code == 0, done.err
    assert "Nothing was decided" in done.out


def test_lines_that_are_no_decisions_are_told(cli, ran, tmp_path):
    whole = cli("report", "-t", ran, "-o", "json").json
    path = tmp_path / "out" / "decisions.jsonl"
    path.write_bytes(b'{"kind": "goal"}\nnot json\n' + path.read_bytes() + b'{"kind":"entered","conta')
    done = cli("report", "-t", ran, "-o", "json")
    assert done.code == 0
    assert done.json == whole | {"unreadable": 2}  # a last line that is still being written is none of them
    assert "2 records are no decisions" in done.err


def test_piped_it_has_no_colours_and_no_bar(process, cli, ran):
    done = process("report", "-t", ran, "--out", "out")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err


def test_a_small_curve_shows_what_a_level_did():
    assert _spark([0, 1, 2, 4]) == "▁▂▄█"
    assert _spark([]) == ""
    assert len(_spark(list(range(1000)))) == 24
