"""pytest collects the scenarios of a topology."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture
def run(shop):
    def go(*arguments):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            *arguments,
        ]
        done = subprocess.run(command, cwd=shop, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout

    return go


def test_scenarios_are_tests(run):
    code, out = run("-vv")
    assert code == 0, out
    assert "programs/welcome.test.yaml::never agreed to marketing PASSED" in out
    assert "4 passed" in out


def test_one_can_be_chosen(run):
    assert "1 passed" in run("programs/welcome.test.yaml::never agreed to marketing")[1]


def test_a_failure_shows_what_trayecto_test_shows(run, shop):
    path = shop / "programs" / "welcome.test.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("expect: []", "expect:\n  - {email: x}"), encoding="utf-8"
    )
    code, out = run()
    assert code == 1
    assert "- any time          email: x" in out
    assert "the whole path" in out
    assert "Traceback" not in out
    assert "3 passed" in out


def test_a_refused_topology_is_a_collection_error_with_its_problems(run, shop):
    (shop / "programs" / "welcome.yaml").write_text("program: welcome\n", encoding="utf-8")
    code, out = run()
    assert code != 0
    assert "missing-key" in out


def test_a_file_elsewhere_is_left_alone(run, shop):
    (shop / "notes.test.yaml").write_text("scenario: not here\n", encoding="utf-8")
    assert "4 passed" in run()[1]
