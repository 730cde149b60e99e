"""What holds for every command: help, examples that can be typed, a page in the reference, and manners."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processor.cli.reference import _examples, commands, markdown

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = dict(commands())
PROMISED = (
    "demo",
    "init",
    "new",
    "lint",
    "graph",
    "test",
    "preview",
    "run",
    "backtest",
    "explain",
    "report",
    "contact erase",
    "contact export",
    "contact ledger",
    "contact merge",
    "contact show",
    "dev kafka",
    "dev registry",
    "schema",
    "topics list",
    "topics create",
    "topics check",
    "worker",
    "publish",
    "import",
    "tail",
    "dlq list",
    "dlq show",
    "dlq replay",
    "partition list",
    "partition resume",
    "held drop",
    "held list",
    "held release",
    "pause",
    "resume",
    "timers list",
    "timers release",
)


def test_every_promised_command_is_there():
    assert set(COMMANDS) == {f"trayecto {name}" for name in PROMISED}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_of_itself(name):
    command = COMMANDS[name]
    first = (command.help or "").split("\n\n")[0]
    assert first.endswith((".", "?"))
    assert len(first) <= 64  # one line in the list of commands, at 80 columns
    examples = _examples(command)
    assert examples
    assert any(name in example for example in examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name):
    assert [param.name for param in COMMANDS[name].params if not param.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_uses_options_that_exist(name):
    known = {option for param in COMMANDS[name].params for option in param.opts}
    for example in _examples(COMMANDS[name]):
        for part in re.split(r"\||>", example):
            if name in part:
                used = {word for word in shlex.split(part) if re.fullmatch("--?[a-z][a-z-]*", word)}
                assert used <= known, example


def test_the_reference_is_that_of_the_commands():
    page = ROOT / "docs" / "reference" / "cli.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run: python -m processor.cli.reference"


@pytest.mark.parametrize("name", ["", *PROMISED])
def test_help_fits_eighty_columns(cli, name):
    done = cli(*name.split(), "--help")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    assert "$ trayecto" in done.out or not name


def test_help_is_quick_and_imports_nothing_heavy(process):
    began = time.perf_counter()
    done = process("--help")
    seconds = time.perf_counter() - began
    assert done.code == 0
    assert seconds < 5  # a guard against seconds; that it is quick is what the imports below show
    code = (
        "import sys; from processor.cli.app import app; "
        "heavy = {'rocksdict', 'fastavro', 'pyarrow', 'ruamel', 'msgspec', 'jsonschema', 'rich.console'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    import subprocess
    import sys

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package(cli):
    from processor import __version__

    assert cli("--version").out == f"trayecto {__version__}\n"


def test_an_unknown_option_is_wrong_usage(cli):
    done = cli("lint", "--no-such-option")
    assert done.code == 2
    assert "No such option" in done.err


def test_piped_output_has_no_colours_no_bar_and_no_traceback(process, tmp_path):
    process("init", "shop")
    (tmp_path / "shop" / "programs" / "welcome.test.yaml").write_text(
        "scenario: fails\nevents:\n  - {at: 2026-03-02 10:00, signed_up: {}}\nexpect:\n  - {email: no}\n",
        encoding="utf-8",
    )
    for arguments in (
        ("test", "shop"),
        ("run", "-t", "shop", "--events", "shop/events.jsonl"),
        ("explain", "nobody"),
        ("lint", "nowhere"),
    ):
        done = process(*arguments)
        assert "\x1b" not in done.out + done.err
        assert "Traceback" not in done.err
        assert max(map(len, done.out.splitlines()), default=0) <= 80


def test_no_color_wins_on_a_terminal(tmp_path):
    import os
    import pty
    import subprocess
    import sys

    def shown(**environment):
        leader, follower = pty.openpty()
        command = [sys.executable, "-c", "from processor.cli import main; main()", "lint", "nowhere"]
        env = {**os.environ, "TERM": "xterm-256color", **environment}
        for name in {"NO_COLOR", "CI"} - set(environment):
            env.pop(name, None)
        subprocess.run(
            command, stdout=follower, stderr=follower, env=env, cwd=tmp_path, timeout=60, check=False
        )
        os.close(follower)
        data = os.read(leader, 65536)
        os.close(leader)
        return data

    assert b"\x1b[1;31merror" in shown()
    assert b"31m" not in shown(NO_COLOR="1")


def test_a_fault_of_our_own_is_said_without_a_traceback(cli, monkeypatch, tmp_path):
    def broken(folder):
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("processor.cli.lint.findings", broken)
    done = cli("lint", tmp_path)
    assert done.code == 70
    assert "this is a bug in trayecto: RuntimeError: the sky fell" in done.err
    monkeypatch.setenv("TRAYECTO_DEBUG", "1")
    with pytest.raises(RuntimeError, match="the sky fell"):
        cli("lint", tmp_path)


def test_ctrl_c_ends_a_command_quietly(cli, monkeypatch, tmp_path):
    def stopped(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("processor.cli.lint.findings", stopped)
    done = cli("lint", tmp_path)
    assert (done.code, done.out) == (130, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", "file/shop"),
        ("graph", "shop", "--out", "file/graphs"),
        ("schema", "--out", "file/schemas"),
        ("demo", "--keep", "file/demo"),
    ],
)
def test_a_disk_that_cannot_be_written_is_no_bug(cli, shop, tmp_path, arguments):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = cli(*arguments)
    assert done.code == 3
    assert "file/" in done.err
    assert "give another path" in done.err
    assert "bug" not in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("arguments", ["lint shop", "lint shop -o json", "--help"])
def test_a_full_disk_is_said_where_results_go(shop, tmp_path, arguments):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", "from processor.cli import main; main()", *arguments.split()]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 3
    assert b"the disk is full" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_an_interrupt_while_the_modules_load_shows_no_traceback(tmp_path):
    code = (
        "import builtins, signal\n"
        "real = builtins.__import__\n"
        "def load(name, *rest):\n"
        "    if name == 'typer':\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = load\n"
        "from processor.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, b"")
