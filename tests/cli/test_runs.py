"""The commands that run programs over events, and look at what came of it."""

from __future__ import annotations

import json
import shlex
import shutil

from tests.cli.conftest import ran_shop


def test_a_run_writes_commands_and_says_what_it_did(cli, shop, tmp_path):
    done = cli("run", "--topology", shop, "--events", shop / "events.jsonl", "--until", "2026-03-20")
    assert done.code == 0
    lines = (tmp_path / "out" / "commands.email.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["template"] for line in lines] == ["welcome", "ten-percent-off"]
    for text in ("Commands by channel", "welcome", "no_consent", "Contacts by grade", "Outputs are in out"):
        assert text in done.out, text


def test_a_run_goes_on_where_it_was(cli, shop):
    arguments = ("run", "--topology", shop, "--events", shop / "events.jsonl", "--output", "json")
    first = cli(*arguments).json
    again = cli(*arguments).json
    assert (first["outcome"], again["outcome"]) == ("finished", "nothing_new")
    assert again["commands"] == first["commands"]
    later = cli(*arguments, "--until", "2026-05-01").json
    assert later["watermark"] == "2026-05-01T00:00:00Z"
    assert later["waiting"] == 0


def test_several_files_follow_one_option(cli, shop, tmp_path):
    lines = (shop / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(lines[:3]), encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("".join(lines[3:]), encoding="utf-8")
    done = cli(
        "run",
        "--topology",
        shop,
        "--events",
        "a.jsonl",
        "b.jsonl",
        "--state",
        "s",
        "--out",
        "o",
        "--output",
        "json",
    )
    assert done.json["events"] == len(lines)


def test_standard_input_is_a_source(process, shop, tmp_path):
    events = (shop / "events.jsonl").read_bytes() + b"{ broken\n"
    done = process("run", "-t", "shop", "--events", "-", "--output", "json", stdin=events)
    assert done.code == 0, done.err
    assert done.json["refused"] == {"not_json": 1}
    letters = (tmp_path / "out" / "dead-letters.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["reason"] for line in letters] == ["not_json"]


def test_outputs_can_be_avro(cli, shop, tmp_path):
    events = shop / "events.jsonl"
    assert cli("run", "-t", shop, "--events", events, "--format", "avro").code == 0
    assert (tmp_path / "out" / "decisions.avro").is_file()
    assert "welcome" in cli("explain", "ana").out


def test_exit_codes_of_a_run(cli, shop, tmp_path):
    events = shop / "events.jsonl"
    assert cli("run", "--topology", shop).code == 2  # no events
    assert cli("run", "--topology", shop, "--events", "gone.jsonl").code == 2
    assert cli("run", "--topology", "nowhere", "--events", events).code == 2
    assert cli("run", "--topology", shop, "--events", events, "--until", "soon").code == 2
    assert cli("run", "--topology", shop, "--events", events).code == 0
    done = cli("run", "--topology", shop, "--events", events, "--partitions", 4)
    assert done.code == 2
    assert "has 8 partitions" in done.err
    shutil.rmtree(tmp_path / "state")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    assert cli("run", "--topology", shop, "--events", events).code == 3
    (shop / "programs" / "welcome.yaml").write_text("program: welcome\n", encoding="utf-8")
    done = cli("run", "--topology", shop, "--events", events)
    assert done.code == 1
    assert "is refused" in done.err
    assert not (tmp_path / "out").exists()


def test_a_backtest_gives_what_the_run_gives_and_leaves_nothing(cli, shop, tmp_path):
    arguments = ("--topology", shop, "--events", shop / "events.jsonl", "--output", "json")
    replayed = cli("backtest", *arguments).json
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop"]
    assert replayed["commands"] == cli("run", *arguments).json["commands"]
    cli("backtest", *arguments, "--out", "what-if")
    ran, what_if = (tmp_path / name / "commands.email.jsonl" for name in ("out", "what-if"))
    assert ran.read_bytes() == what_if.read_bytes()
    assert cli("backtest", *arguments, "--out", "what-if").code == 2  # not empty


def test_explain_says_why_somebody_got_nothing(cli, shop):
    ran_shop(cli, shop)
    done = cli("explain", "ben", "--topology", shop)
    assert done.code == 0
    assert "email welcome was not sent: the contact has not" in done.out
    assert "Score engagement" in done.out
    found = cli("explain", "ben", "--output", "json").json
    assert [one["reason"] for one in found["decisions"] if one["kind"] == "suppressed"] == [
        "no_consent",
        "no_consent",
    ]
    assert found["scores"]["engagement"]["causes"][0]["points"] == 10


def test_explain_goes_back_in_time(cli, shop):
    ran_shop(cli, shop)
    found = cli("explain", "ana", "--at", "2026-03-03 12:00", "--topology", shop, "--output", "json").json
    (enrollment,) = found["enrollments"]
    assert (enrollment["state"], enrollment["step"], enrollment["waits_until"]) == (
        "inside",
        "wait-3d",
        "2026-03-05T10:00:00Z",
    )
    assert found["scores"]["engagement"]["value"] < 10


def test_explain_names_programs_that_nothing_started(cli, shop):
    cli("new", "abandoned-cart", "--topology", shop)
    ran_shop(cli, shop)
    assert "abandoned-cart (starts by cart_abandoned)" in cli("explain", "ana", "--topology", shop).out


def test_explain_says_that_a_program_is_not_known(cli, shop):
    ran_shop(cli, shop)
    wrong = cli("explain", "ana", "-p", "welcom", "--topology", shop)
    assert wrong.code == 2
    assert 'write "welcome"' in wrong.err
    noted = cli("explain", "ana", "-p", "welcom")
    assert noted.code == 0
    assert 'is of a program "welcom"; there are welcome' in noted.err
    cli("new", "abandoned-cart", "--topology", shop)
    assert "abandoned-cart" not in cli("explain", "ana", "-p", "welcome", "--topology", shop).out


def test_who_is_inside_nothing_is_shown_with_what_was(cli, shop):
    cli("run", "--topology", shop, "--events", shop / "events.jsonl", "--until", "2026-06-01")
    done = cli("contact", "show", "ben", "--topology", shop)
    assert "It is in no program now." in done.out
    found = cli("contact", "show", "ben", "--topology", shop, "--output", "json").json
    assert [(one["program"], one["times"]) for one in found["entered"]] == [("welcome", 1)]
    assert found["entered"][0]["last_left_at"] is not None


def test_explain_and_show_know_nobody(cli, shop):
    ran_shop(cli, shop)
    assert cli("explain", "nobody").code == 1
    assert cli("explain", "ana", "--out", "nowhere").code == 2
    assert cli("contact", "show", "nobody", "--topology", shop).code == 1
    assert cli("contact", "show", "ana", "--topology", shop, "--state", "nowhere").code == 2
    assert cli("contact", "show", "ana", "--topology", shop, "--state", "out").code == 3


def test_a_contact_is_shown_with_everything_that_is_known(cli, shop):
    ran_shop(cli, shop)
    done = cli("contact", "show", "ana", "--topology", shop)
    assert done.code == 0
    for text in ("ana@mail.example", "marketing   granted", "engagement", "weekly-mail", "The row has"):
        assert text in done.out, text
    now = cli("contact", "show", "ana", "--topology", shop, "--output", "json").json
    later = cli("contact", "show", "ana", "--topology", shop, "--at", "2026-06-01", "--output", "json").json
    assert now["caps"] == [{"cap": "weekly-mail", "used": 2, "at_most": 3}]
    assert later["caps"][0]["used"] == 0
    assert later["scores"]["engagement"]["value"] < now["scores"]["engagement"]["value"]


def test_who_waits_is_shown_with_where_and_until_when(cli, shop):
    lines = (shop / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:3]
    cli("run", "-t", shop, "--events", "-", stdin="".join(lines))
    found = cli("contact", "show", "ana", "--topology", shop, "--output", "json").json
    assert found["enrollments"][0]["step"] == "wait-3d"
    assert found["enrollments"][0]["until"] == "2026-03-05T10:00:00Z"


def test_the_demo_shows_what_it_promises_and_its_last_lines_can_be_typed(process, tmp_path):
    done = process("demo")
    assert done.code == 0, done.err
    for text in (
        "63,047 events",
        "Commands by channel",
        "Programs",
        "Sends not made",
        "Contacts by grade",
        "The path of web-0",
        "events a second",
    ):
        assert text in done.out, text
    commands = [line.strip() for line in done.out.splitlines() if line.startswith("  trayecto ")]
    assert len(commands) >= 4
    for command in commands:
        typed = process(*shlex.split(command)[1:])
        assert typed.code == 0, (command, typed.err)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not lose", encoding="utf-8")
    assert process("demo", "--keep", "mine").code == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()
