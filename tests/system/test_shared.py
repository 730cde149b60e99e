"""The session's one server: shared by all, gone with the last; and what happens where it cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.system.shared import NO_BROKER, ROOT, held, is_locked

ONE_TEST = "tests/system/test_broker.py::test_it_makes_no_topic_unasked"
HOLD = """
import sys, time
from pathlib import Path
from tests.system.shared import held
with held("kafka", Path(sys.argv[1]), wait_for_end=False) as answer:
    print(answer["address"], flush=True)
    time.sleep(300)
"""


def environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    inherited.pop("CI", None)
    return {**inherited, "PYTHONPATH": str(ROOT), **more}


def one_test(folder, **more: str):
    """Run a test that needs the broker, in a session of its own."""
    options = ["-p", "no:cacheprovider", "--basetemp", str(folder / "base")]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, ONE_TEST],
        cwd=ROOT,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def gone(folder):
    """Whether the keeper ends, in bounded time."""
    end = time.monotonic() + 60
    while is_locked(folder / "alive"):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_all_share_one_and_the_last_takes_it_away(kafka, tmp_path):
    # `kafka` is asked for so that there is something to skip by where no broker can be had.
    folder = tmp_path / "shared"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, env=environment()
    )
    assert other.stdout is not None
    with other.stdout:
        address = other.stdout.readline().decode().strip()
        with held("kafka", folder, wait_for_end=False) as mine:
            assert mine["address"] == address != kafka.address
            other.kill()  # the one that started it; it is mine as well
            other.wait(20)
            assert is_locked(folder / "alive")
        assert gone(folder)
    assert not (folder / "answer.json").exists()
    with held("kafka", folder, wait_for_end=True) as again:  # whoever comes later has one made anew
        assert "error" not in again
    assert not is_locked(folder / "alive")


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_a_network_tests_are_skipped_loudly_and_fail_in_ci(tmp_path, ci, code):
    away = "http://127.0.0.1:9/m2"
    done = one_test(tmp_path, CI=ci, TRAYECTO_CACHE=str(tmp_path / "cache"), TRAYECTO_MAVEN_URL=away)
    assert done.returncode == code, done.stdout
    assert f"{NO_BROKER}: hash4j-0.22.0.jar cannot be downloaded" in " ".join(done.stdout.split())
    assert (f"1 TESTS WERE NOT RUN: {NO_BROKER.upper()}" in done.stdout) is (code == 0)


def test_without_java_tests_are_skipped(tmp_path):
    done = one_test(tmp_path, TRAYECTO_JAVA=str(tmp_path / "none"))
    assert done.returncode == 0, done.stdout
    assert "TESTS WERE NOT RUN" in done.stdout
    assert "TRAYECTO_JAVA" in done.stdout
