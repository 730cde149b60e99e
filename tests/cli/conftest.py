"""What the tests of the command line share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from processor.cli.app import app


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Run a command inside this process, in an empty folder and with none of the machine's settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TRAYECTO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")

    def go(*arguments: object, stdin: str | None = None) -> Ran:
        result = CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return go


@pytest.fixture
def shop(cli, tmp_path):
    """A topology as ``init`` makes it."""
    assert cli("init", "shop").code == 0
    return tmp_path / "shop"


@pytest.fixture
def process(tmp_path):
    """Run the command in a process of its own, as a shell does: piped, so nothing is a terminal."""

    def go(*arguments: object, stdin: bytes = b"", **environment: str) -> Ran:
        command = [sys.executable, "-c", "from processor.cli import main; main()", *map(str, arguments)]
        env = {name: value for name, value in os.environ.items() if not name.startswith("TRAYECTO_")}
        done = subprocess.run(
            command,
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            env=env | environment,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return go


def ran_shop(cli, shop: Path) -> None:
    """Run the topology over its own events, into state and out."""
    done = cli("run", "--topology", shop, "--events", shop / "events.jsonl", "--until", "2026-03-20")
    assert done.code == 0, done.err
