"""Killed anywhere and started again, a run leaves the bytes of a run that nobody touched."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from processor.runtime.replay import STEPS
from tests.runtime.harness import avro_records, child, events, json_lines, lines, outputs, run_here

# Small chunks, and rows let go of in the middle of them: so kills also fall into sweeps and bursts of timers.
SMALL = {"chunk_records": 1000, "rows_held_max": 1200}
KILLS = 12
KILLS_LEAST = 5
SECONDS_MAX = 300


class CrashError(Exception):
    """A crash at a step of a commit."""


def finish_between_kills(base: Path, log: Path, rng: random.Random, *, piped: bool, **given: object) -> int:
    """Run until done, killing it at random; returns how often it was killed."""
    kills = 0
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        inside = kills % 2 == 0  # at a step of its own, or at any instant
        die = (rng.randrange(1 << 30), 45) if kills < KILLS and inside else None
        stdin = log.open("rb") if piped else None
        process = child(base, "-" if piped else log, die=die, stdin=stdin, **given)
        if stdin is not None:
            stdin.close()
        assert process.stdout is not None
        assert process.stderr is not None
        with process, process.stdout, process.stderr:
            said = ""
            if kills < KILLS and not inside:
                for _ in range(rng.randrange(1, 9)):
                    said += process.stdout.readline()
                time.sleep(rng.random() / 10)
                process.kill()
            said += process.stdout.read()
            error = process.stderr.read()
        if process.returncode == 0:
            assert said.splitlines()[-1] in {"finished", "nothing_new"}
            return kills
        assert process.returncode == -signal.SIGKILL, error
        kills += 1
    raise AssertionError(f"not done after {SECONDS_MAX} s and {kills} kills")


@pytest.mark.parametrize(
    ("count", "piped", "output"),
    [(60_000, False, "jsonl"), (20_000, False, "avro"), (20_000, True, "jsonl")],
    ids=["files", "avro", "stdin"],
)
def test_killed_at_random_the_outputs_are_those_of_an_uninterrupted_run(tmp_path, count, piped, output):
    log = tmp_path / "events.jsonl"
    log.write_bytes(lines(events(count)))
    whole = run_here(tmp_path / "whole", log, output=output, **SMALL)
    assert whole.events == count
    kinds = whole.decisions
    assert kinds["merged"] > 100  # the log has what a kill could tear
    assert kinds["timed_out"] > 500
    assert whole.funnels["weekly"].entered > 100
    assert whole.funnels["handoff"].not_entered["entrants_full"] > 100

    rng = random.Random(f"{count} {piped} {output}")
    kills = finish_between_kills(tmp_path / "torn", log, rng, piped=piped, output=output, **SMALL)

    assert kills >= KILLS_LEAST
    expected = outputs(tmp_path / "whole")
    assert outputs(tmp_path / "torn") == expected
    read = avro_records if output == "avro" else json_lines
    assert len(read(expected[f"decisions.{output}"])) == sum(kinds.values())
    if not piped:
        again = run_here(tmp_path / "torn", log, output=output, **SMALL)
        assert again.outcome == "nothing_new"
        assert (again.decisions, again.commands, again.funnels) == (kinds, whole.commands, whole.funnels)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("output", ["jsonl", "avro"])
@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_crash_at_each_step_of_a_commit(tmp_path, step, output, at):
    log = tmp_path / "events.jsonl"
    bad = b"no json\n" * 3
    log.write_bytes(lines(events(2_000)[:700]) + bad + lines(events(2_000)[700:]))
    given = {"output": output, "chunk_records": 300, "rows_held_max": 400}
    whole = run_here(tmp_path / "whole", log, **given)

    calls = 0

    def hook(name: str) -> None:
        nonlocal calls
        calls += name == step
        if name == step and calls == at:
            raise CrashError

    with pytest.raises(CrashError):
        run_here(tmp_path / "torn", log, hook=hook, **given)
    for name in outputs(tmp_path / "torn"):
        with (tmp_path / "torn" / "out" / name).open("ab") as file:
            file.write(b"torn")  # what a write that was cut short may leave
    after = run_here(tmp_path / "torn", log, **given)

    assert outputs(tmp_path / "torn") == outputs(tmp_path / "whole")
    assert after.decisions == whole.decisions
    assert after.refused == whole.refused == {"not_json": 3}
    assert after.grades == whole.grades


def test_the_machine_may_lose_the_latest_commits_of_rows(tmp_path):
    """Outputs ahead of the state by several chunks, as after a power cut, are cut back too."""
    log = tmp_path / "events.jsonl"
    log.write_bytes(lines(events(2_000)))
    run_here(tmp_path / "whole", log, chunk_records=300)
    calls = 0

    def hook(name: str) -> None:
        nonlocal calls
        calls += name == "read"
        if calls == 3:
            raise CrashError

    with pytest.raises(CrashError):
        run_here(tmp_path / "torn", log, chunk_records=300, hook=hook)
    for name, data in outputs(tmp_path / "whole").items():
        (tmp_path / "torn" / "out" / name).write_bytes(data)
    run_here(tmp_path / "torn", log, chunk_records=300)
    assert outputs(tmp_path / "torn") == outputs(tmp_path / "whole")
