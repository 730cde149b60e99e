"""The embedded run: what it refuses, where it stops, what it says when it is started again."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from processor.codec.readers import SourceError
from processor.codec.writers import RUN_MARKER, OutputError
from processor.core.model import SeriesSpec, Topology
from processor.core.turn import Turn
from processor.runtime.embedded import run
from processor.runtime.position import RunError
from processor.runtime.replay import Progress
from processor.store import RocksStore, StateError
from tests.runtime.harness import (
    HOUR_MS,
    ROOT,
    START_MS,
    WALL_MS,
    child,
    events,
    json_lines,
    lines,
    options,
    outputs,
    run_here,
    text_of,
    topology,
)

MINUTE_MS = 60_000


def event(number: int, at_ms: int, kind: str = "page_viewed", **properties: object) -> dict[str, object]:
    return {
        "event_id": f"e-{number}",
        "contact_id": f"c-{number % 7}",
        "type": kind,
        "occurred_at": text_of(at_ms),
        "properties": properties or ({"url": "/"} if kind == "page_viewed" else {}),
    }


def views(count: int, start_ms: int = START_MS) -> list[dict[str, object]]:
    return [event(number, start_ms + number * MINUTE_MS) for number in range(count)]


def write(path: Path, *records: dict[str, object]) -> Path:
    path.write_bytes(lines(list(records)))
    return path


def dead_letters(base: Path) -> list[dict[str, object]]:
    return json_lines(outputs(base)["dead-letters.jsonl"])


def decided(base: Path) -> list[dict[str, object]]:
    return json_lines(outputs(base)["decisions.jsonl"])


# --- dead letters


def test_dead_letters_name_file_line_reason_and_keep_the_record(tmp_path):
    good = lines(views(3)).splitlines()
    undeclared = b'{"contact_id":"c","type":"teleported","occurred_at":"2026-03-01T10:00:00Z"}'
    derived = b'{"contact_id":"c","type":"grade_changed","occurred_at":"2026-03-01T10:00:00Z"}'
    without = b'{"contact_id":"c","type":"page_viewed","occurred_at":"2026-03-01T10:00:00Z"}'
    wrong = without.replace(b"}", b',"properties":{"url":7}}')
    broken = b'{"contact_id": "caf\xe9"'
    early = b'{"contact_id":"c","type":"page_viewed","occurred_at":"1969-12-31T23:59:59Z"}'
    log = tmp_path / "log.jsonl"
    content = [good[0], b"", undeclared, derived, good[1], without, wrong, broken, b"  ", early, good[2]]
    log.write_bytes(b"\n".join(content) + b"\n")
    report = run_here(tmp_path, log, chunk_records=2)
    expected = [
        ("unknown_event_type", 3, undeclared),
        ("derived_event_type", 4, derived),
        ("missing_property", 6, without),
        ("wrong_type", 7, wrong),
        ("time_out_of_range", 10, early),
    ]
    found = dead_letters(tmp_path)
    as_text = [letter for letter in found if letter["raw"] is not None]
    assert [(d["reason"], d["line"], str(d["raw"]).encode()) for d in as_text] == expected
    assert {d["file"] for d in found} == {str(log)}
    not_text = next(letter for letter in found if letter["raw"] is None)
    assert (not_text["reason"], not_text["line"]) == ("not_json", 8)
    assert [d["line"] for d in found] == [3, 4, 6, 7, 8, 10]
    missing = next(str(d["message"]) for d in found if d["reason"] == "missing_property")
    assert "url" in missing
    assert "teleported" not in str([d["message"] for d in found])
    assert report.events == 9
    assert report.applied == 3
    assert report.refused == dict.fromkeys(
        sorted(["unknown_event_type", "derived_event_type", "missing_property", "wrong_type", "not_json",
                "time_out_of_range"]), 1,
    )  # fmt: skip


def faulty(event_ids: set[str]) -> Topology:
    """The topology with a condition that raises at these events."""

    def raises(turn: Turn) -> bool:
        if turn.event_id in event_ids:
            raise RuntimeError("secret of c-2")
        return False

    sound = topology()
    reaction = sound.reactions["page_viewed"]
    broken = SeriesSpec("broken", "page_viewed", raises, "", 0)
    reaction = dataclasses.replace(reaction, series=(*reaction.series, broken))
    return dataclasses.replace(sound, reactions={**sound.reactions, "page_viewed": reaction})


def test_what_the_core_fails_on_is_a_dead_letter_in_its_place(tmp_path):
    content = lines(views(7)).splitlines()
    content[3:3] = [b"no json"]
    content.append(b"no json")
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join(content))
    report = run_here(tmp_path, log, topology=faulty({"e-2", "e-5"}))
    letters = dead_letters(tmp_path)
    assert [(d["reason"], d["line"]) for d in letters] == [
        ("failed", 3),
        ("not_json", 4),
        ("failed", 7),
        ("not_json", 9),
    ]
    assert letters[0]["raw"] == content[2].decode()
    assert "secret" not in str(letters[0]["message"])
    assert "RuntimeError" in str(letters[0]["message"])
    assert (report.events, report.applied, report.failures) == (9, 5, 2)


# --- time


def test_without_until_time_ends_at_the_last_event_and_waiting_timers_are_reported(tmp_path):
    consent = event(0, START_MS, "consent_granted", purpose="marketing")
    mail = event(7, START_MS + 1, "profile_updated", email="a@shop.example")
    cart = event(14, START_MS + 2, "cart_abandoned", cart_id="k", value=50)
    log = write(tmp_path / "log.jsonl", consent, mail, cart, event(1, START_MS + 59 * MINUTE_MS))
    report = run_here(tmp_path, log)
    assert report.commands == {}
    assert report.waiting > 0
    assert report.next_due_ms > report.watermark_ms == START_MS + 59 * MINUTE_MS


def test_a_timer_due_at_the_last_event_fires(tmp_path):
    # The cart comes late, so its hour is over when time ends, without a later event to push it.
    consent = event(0, START_MS, "consent_granted", purpose="marketing")
    mail = event(7, START_MS + 1, "profile_updated", email="a@shop.example")
    other = event(1, START_MS + 2 * HOUR_MS)
    cart = event(14, START_MS + 2, "cart_abandoned", cart_id="k", value=50)
    held_out = run_here(tmp_path / "a", write(tmp_path / "log.jsonl", consent, mail, other, cart))
    kinds = held_out.decisions
    assert kinds.get("commanded", 0) + kinds.get("holdout", 0) >= 1
    assert held_out.watermark_ms == START_MS + 2 * HOUR_MS


def test_until_leaves_what_is_later_to_a_later_run(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(lines(events(3_000)))
    middle = START_MS + 15 * 24 * HOUR_MS + 1
    end = START_MS + 60 * 24 * HOUR_MS
    first = run_here(tmp_path / "two", log, partitions=1, until_ms=middle)
    assert first.outcome == "finished"
    assert first.watermark_ms == middle
    assert 1_000 < first.events < 2_000
    assert all(
        datetime.fromisoformat(str(d["decided_at"])).timestamp() * 1000 <= middle
        for d in decided(tmp_path / "two")
    )
    again = run_here(tmp_path / "two", log, partitions=1, until_ms=middle)
    assert again.outcome == "nothing_new"
    second = run_here(tmp_path / "two", log, partitions=1, until_ms=end)
    assert second.watermark_ms == end
    assert second.events == 3_000
    whole = run_here(tmp_path / "one", log, partitions=1, until_ms=end)
    # In a longer run a few timers at a time act between records; the first one's end let all of them act.
    assert sorted_lines(tmp_path / "two") == sorted_lines(tmp_path / "one")
    assert second.decisions == whole.decisions


def sorted_lines(folder):
    return {name: sorted(data.splitlines()) for name, data in outputs(folder).items()}


def test_until_fires_timers_after_the_last_event(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(lines(events(500)))
    short = run_here(tmp_path / "short", log)
    long = run_here(tmp_path / "long", log, until_ms=START_MS + 200 * 24 * HOUR_MS)
    assert long.watermark_ms == START_MS + 200 * 24 * HOUR_MS
    assert long.decisions["timed_out"] > short.decisions["timed_out"]
    # And going on from the short one comes to the same place.
    run_here(tmp_path / "short", log, until_ms=START_MS + 200 * 24 * HOUR_MS)
    assert sorted(outputs(tmp_path / "short")["decisions.jsonl"].splitlines()) == sorted(
        outputs(tmp_path / "long")["decisions.jsonl"].splitlines()
    )


def test_append_times_less_the_grace_move_the_watermark(tmp_path):
    records = views(3)
    for number, record in enumerate(records):
        record["appended_at"] = text_of(START_MS + (number + 1) * HOUR_MS)
    log = write(tmp_path / "log.jsonl", *records)
    assert run_here(tmp_path / "a", log).watermark_ms == START_MS + 3 * HOUR_MS - 2_000
    stopped = run_here(tmp_path / "b", log, until_ms=START_MS + 2 * HOUR_MS)
    assert stopped.events == 2


def test_events_ahead_of_the_clock_are_refused_unless_until_is_given(tmp_path):
    ahead = views(1, START_MS + 5 * MINUTE_MS + 1)
    log = write(tmp_path / "log.jsonl", *views(1, START_MS + 5 * MINUTE_MS), *ahead)
    report = run_here(tmp_path / "a", log, now=lambda: START_MS)
    assert report.refused == {"in_the_future": 1}
    assert dead_letters(tmp_path / "a")[0]["line"] == 2
    assert report.watermark_ms == START_MS + 5 * MINUTE_MS
    meant = run_here(tmp_path / "b", log, now=lambda: START_MS, until_ms=START_MS + HOUR_MS)
    assert meant.refused == {}
    assert meant.applied == 2


def test_a_restart_refuses_by_the_clock_of_the_first_start(tmp_path):
    log = write(tmp_path / "log.jsonl", *views(4), *views(4, START_MS + HOUR_MS))

    class StopError(Exception):
        pass

    def hook(step: str) -> None:
        if step == "committed":
            raise StopError

    with pytest.raises(StopError):
        run_here(tmp_path, log, now=lambda: START_MS, chunk_records=2, hook=hook)
    report = run_here(tmp_path, log, now=lambda: START_MS + 24 * HOUR_MS, chunk_records=2)
    assert report.refused == {"in_the_future": 4}


def test_a_run_on_a_finished_state_looks_at_the_clock_anew(tmp_path):
    first = write(tmp_path / "1.jsonl", *views(2))
    later = write(tmp_path / "2.jsonl", *views(2, START_MS + 24 * HOUR_MS))
    run_here(tmp_path, first, now=lambda: START_MS)
    report = run_here(tmp_path, first, later, now=lambda: START_MS + 24 * HOUR_MS)
    assert report.refused == {}
    assert report.events == 4


# --- a second run


def test_a_second_run_has_nothing_new_and_changes_nothing(tmp_path):
    log = tmp_path / "log.jsonl.gz"
    log.write_bytes(gzip.compress(lines(events(400))))
    first = run_here(tmp_path, log)
    before = outputs(tmp_path)
    second = run_here(tmp_path, log)
    assert second.outcome == "nothing_new"
    assert second.run_records == 0
    assert outputs(tmp_path) == before
    volatile = {"outcome", "run_records", "run_seconds"}
    one, two = msgspec.to_builtins(first), msgspec.to_builtins(second)
    assert {k: v for k, v in one.items() if k not in volatile} == {
        k: v for k, v in two.items() if k not in volatile
    }


def test_more_files_go_on_where_the_first_ones_ended(tmp_path):
    log = events(900)
    names = [tmp_path / f"{n}.jsonl" for n in range(3)]
    for n, name in enumerate(names):
        name.write_bytes(lines(log[n * 300 : n * 300 + 300]))
    run_here(tmp_path / "grown", names[0])
    run_here(tmp_path / "grown", *names)
    run_here(tmp_path / "whole", *names)
    one, other = outputs(tmp_path / "grown"), outputs(tmp_path / "whole")
    assert {n: sorted(d.splitlines()) for n, d in one.items()} == {
        n: sorted(d.splitlines()) for n, d in other.items()
    }


def test_the_last_file_may_have_grown(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(lines(views(10)))
    assert run_here(tmp_path, log).events == 10
    with log.open("ab") as file:
        file.write(lines(views(20)[10:]))
    report = run_here(tmp_path, log)
    assert (report.outcome, report.events, report.run_records) == ("finished", 20, 10)
    # A later file comes behind it, and then it may not grow any more.
    more = write(tmp_path / "more.jsonl", *views(25)[20:])
    assert run_here(tmp_path, log, more).events == 25
    with log.open("ab") as file:
        file.write(lines(views(30)[25:]))
    with pytest.raises(RunError, match="has grown"):
        run_here(tmp_path, log, more)


@pytest.mark.parametrize("change", ["first bytes", "last bytes", "shorter", "gone", "name", "fewer", "stdin"])
def test_sources_that_are_not_those_read_before_are_refused(tmp_path, change):
    one, two = write(tmp_path / "one.jsonl", *views(9)), write(tmp_path / "two.jsonl", *views(9))
    run_here(tmp_path, one, two)
    before = outputs(tmp_path)
    sources: list[Path | str] = [one, two]
    data = one.read_bytes()
    if change == "first bytes":
        one.write_bytes(data.replace(b"e-0", b"f-0"))
    elif change == "last bytes":
        one.write_bytes(data.replace(b"e-8", b"f-8"))
    elif change == "shorter":
        one.write_bytes(data[:-1])
    elif change == "gone":
        one.unlink()
    elif change == "name":
        sources[0] = one.rename(tmp_path / "three.jsonl")
    elif change == "fewer":
        sources = [one]
    else:
        sources[0] = "-"
    with pytest.raises(RunError) as caught:
        run_here(tmp_path, *sources)
    assert "one.jsonl" in str(caught.value)
    assert "begin from the first event" in str(caught.value)
    assert outputs(tmp_path) == before


def test_a_changed_topology_is_refused(tmp_path):
    log = write(tmp_path / "log.jsonl", *views(3))
    run_here(tmp_path, log)
    before = outputs(tmp_path)
    other = dataclasses.replace(topology(), digest="another")
    with pytest.raises(RunError, match=r"another version of the topology.*new state"):
        run_here(tmp_path, log, topology=other)
    assert outputs(tmp_path) == before


def test_another_output_format_or_number_of_partitions_is_refused(tmp_path):
    log = write(tmp_path / "log.jsonl", *views(3))
    run_here(tmp_path, log)
    with pytest.raises(RunError, match="written as jsonl"):
        run_here(tmp_path, log, output="avro")
    with pytest.raises(StateError, match="4 partitions"):
        run_here(tmp_path, log, partitions=2)


def test_outputs_of_another_run_are_never_overwritten(tmp_path):
    log = write(tmp_path / "log.jsonl", *views(3))
    run_here(tmp_path, log)
    before = outputs(tmp_path)
    with pytest.raises(RunError, match="holds outputs of another run"):
        run_here(tmp_path, log, state=tmp_path / "new")
    assert outputs(tmp_path) == before
    (tmp_path / "out" / "decisions.jsonl").unlink()
    with pytest.raises(OutputError, match="is missing"):
        run_here(tmp_path, log)


@pytest.mark.parametrize("marked", [True, False])
def test_a_state_never_cuts_the_outputs_of_another_run(tmp_path, marked):
    log = write(tmp_path / "log.jsonl", *views(3), event(4, START_MS, "nothing"))
    more = write(tmp_path / "more.jsonl", *views(9)[3:])
    run_here(tmp_path / "q1", log)
    run_here(tmp_path / "q2", log, more)
    marker = tmp_path / "q2" / "out" / RUN_MARKER
    if not marked:
        marker.unlink()
    before = outputs(tmp_path / "q2")
    assert before
    with pytest.raises(RunError) as caught:
        run_here(tmp_path / "q1", log, more, out=tmp_path / "q2" / "out")
    for part in (tmp_path / "q1" / "state", tmp_path / "q2" / "out", "give the output folder"):
        assert str(part) in str(caught.value)
    assert outputs(tmp_path / "q2") == before
    assert marker.exists() == marked
    # Neither does it begin in an empty one, as if its first outputs had never been.
    with pytest.raises(RunError, match="does not hold the outputs"):
        run_here(tmp_path / "q1", log, more, out=tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    assert run_here(tmp_path / "q1", log, more).outcome == "finished"


def test_a_state_without_outputs_does_not_clear_the_folder_of_another_run(tmp_path):
    log = write(tmp_path / "log.jsonl", *views(3), event(4, START_MS, "nothing"))
    run_here(tmp_path / "full", log)
    nothing = write(tmp_path / "nothing.jsonl")
    run_here(tmp_path / "none", nothing)
    before = outputs(tmp_path / "full")
    with pytest.raises(RunError, match="belongs to another run"):
        run_here(tmp_path / "none", nothing, out=tmp_path / "full" / "out")
    assert outputs(tmp_path / "full") == before


def test_the_folder_is_marked_before_the_state_refers_to_it(tmp_path, monkeypatch):
    log = write(tmp_path / "log.jsonl", *views(3))

    class StopError(Exception):
        pass

    def commit(*_: object) -> None:
        assert (tmp_path / "out" / RUN_MARKER).read_text().strip()
        raise StopError

    with monkeypatch.context() as patched:
        patched.setattr(RocksStore, "commit", commit)
        with pytest.raises(StopError):
            run_here(tmp_path, log)
    assert run_here(tmp_path, log).events == 3


@pytest.mark.parametrize("bad", ["folder", "utf-16", "missing"])
def test_a_refused_start_leaves_nothing_behind(tmp_path, bad):
    source = tmp_path / "source"
    if bad == "folder":
        source.mkdir()
    elif bad == "utf-16":
        source.write_text("{}\n", "utf-16")
    with pytest.raises(SourceError):
        run_here(tmp_path, source)
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "out").exists()


def test_a_start_that_read_nothing_binds_nobody(tmp_path):
    source = tmp_path / "source"
    source.write_text("{}\n", "utf-16")
    with source.open("rb") as file:
        _, error = child(tmp_path, "-", stdin=file).communicate(timeout=60)
    assert "UTF-16" in error
    other = dataclasses.replace(topology(), digest="another")
    log = write(tmp_path / "log.jsonl", *views(3))
    assert run_here(tmp_path, log, topology=other, output="avro").events == 3
    assert list(outputs(tmp_path)) == list(run_outputs(tmp_path / "whole", log, output="avro"))
    with pytest.raises(RunError, match="another version of the topology"):
        run_here(tmp_path, log, output="avro")


def run_outputs(base: Path, *sources: Path, **given: object) -> dict[str, bytes]:
    run_here(base, *sources, **given)
    return outputs(base)


# --- what goes wrong


def test_a_torn_file_is_taken_up_to_the_tear_and_goes_on_when_it_is_whole(tmp_path):
    whole = gzip.compress(lines(events(2_000)))
    log = tmp_path / "log.jsonl.gz"
    log.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="ends in the middle"):
        run_here(tmp_path / "torn", log, chunk_records=100)
    log.write_bytes(whole)
    report = run_here(tmp_path / "torn", log, chunk_records=100)
    assert 0 < report.run_records < report.events == 2_000
    run_here(tmp_path / "whole", log, chunk_records=100)
    assert outputs(tmp_path / "torn") == outputs(tmp_path / "whole")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.jsonl"):
        run_here(tmp_path, tmp_path / "nowhere.jsonl")


def test_a_state_and_an_output_folder_belong_to_one_process_at_a_time(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(lines(events(2_000)))
    tried: list[str] = []

    def hook(step: str) -> None:
        if step == "read" and not tried:
            with pytest.raises(StateError) as state:
                run_here(tmp_path, log)
            with pytest.raises(RunError) as out:
                run_here(tmp_path, log, state=tmp_path / "other")
            tried.extend([str(state.value), str(out.value)])

    run_here(tmp_path, log, hook=hook)
    assert "in use by another process" in tried[0]
    assert "in use by another run" in tried[1]


def test_a_full_disk_leaves_a_state_to_go_on_from(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(lines(events(3_000)))
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from processor.codec.writers import OutputError\n"
        "from processor.store import StateError\n"
        "from tests.runtime.harness import run_here\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "try:\n"
        "    run_here(Path(sys.argv[1]), sys.argv[2], chunk_records=100)\n"
        "except (OutputError, StateError) as error:\n"
        "    print(error)\n"
    )
    base = tmp_path / "full"
    done = subprocess.run(
        [sys.executable, "-c", script, str(base), str(log)],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "disk is full: free some space and start again" in done.stdout
    run_here(base, log, chunk_records=100)
    run_here(tmp_path / "whole", log, chunk_records=100)
    assert outputs(base) == outputs(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_between_chunks_and_the_run_goes_on_later(tmp_path, number):
    log = tmp_path / "log.jsonl"
    log.write_bytes(lines(events(3_000)))

    def tell(progress):
        if progress.records == 500:
            os.kill(os.getpid(), number)

    report = run(options(tmp_path, log, chunk_records=250, signals=True), tell)
    assert (report.outcome, report.events) == ("stopped", 500)
    assert run_here(tmp_path, log, chunk_records=250).outcome == "finished"
    run_here(tmp_path / "whole", log, chunk_records=250)
    assert outputs(tmp_path) == outputs(tmp_path / "whole")


@pytest.mark.parametrize("piped", [True, False])
def test_a_line_without_end_can_be_stopped(tmp_path, piped):
    with Path("/dev/zero").open("rb") as zeros:
        process = child(tmp_path, "-" if piped else "/dev/zero", stdin=zeros, signals=True)
    with process:
        try:
            wait_for(tmp_path / "out" / RUN_MARKER, b"")
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=20)
        finally:
            process.kill()
    assert out.splitlines() == ["stopped"], error


def test_the_last_progress_has_all_records_and_only_it_is_whole(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(lines(events(1_234)))
    told: list[Progress] = []
    run(options(tmp_path, log, chunk_records=250), told.append)
    size = log.stat().st_size
    assert [at.records for at in told] == [250, 500, 750, 1_000, 1_234, 1_234]
    assert {at.total_bytes for at in told} == {size}
    assert all(at.read_bytes < size for at in told[:-1])
    assert told[-1].read_bytes == size


# --- standard input


def wait_for(path: Path, text: bytes, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_bytes():
            return
        time.sleep(0.02)
    raise AssertionError(f"{path.name} did not get {text!r}")


def test_a_pipe_sees_its_decisions_before_it_ends(tmp_path):
    process = child(tmp_path, "-", stdin=subprocess.PIPE, chunk_records=1000)
    assert process.stdin is not None
    with process:
        for number in range(2):
            process.stdin.write(json.dumps(event(number, START_MS + number, "downloaded", asset="a")) + "\n")
            process.stdin.flush()
            wait_for(tmp_path / "out" / "decisions.jsonl", b"e-%d" % number)
        process.stdin.close()
        assert process.stdout is not None
        assert process.stdout.read().splitlines()[-1] == "finished"


def test_a_waiting_run_on_a_pipe_stops_when_asked(tmp_path):
    process = child(tmp_path, "-", stdin=subprocess.PIPE, signals=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout:
        process.stdin.write(json.dumps(event(1, START_MS, "downloaded", asset="a")) + "\n")
        process.stdin.flush()
        wait_for(tmp_path / "out" / "decisions.jsonl", b"e-1")
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read().splitlines()[-1] == "stopped"


def test_standard_input_that_is_not_what_was_read_is_refused(tmp_path):
    one, other = write(tmp_path / "1", *views(9)), write(tmp_path / "2", *views(9, START_MS + 1))
    short = write(tmp_path / "3", *views(5))
    for path, expected in ((one, "finished"), (one, "nothing_new"), (other, ""), (short, "")):
        with path.open("rb") as file:
            out, error = child(tmp_path, "-", stdin=file).communicate(timeout=60)
        if expected:
            assert out.splitlines()[-1] == expected, error
        else:
            assert "feed it once more from its first record" in error
            assert out == ""


def test_a_pipe_that_makes_us_wait_is_judged_by_the_clock_of_now(tmp_path):
    clock = [START_MS]
    reads, writes = os.pipe()
    stdin = sys.stdin
    sys.stdin = os.fdopen(reads)
    told: list[int] = []

    def tell(progress):
        told.append(progress.records)
        if len(told) == 1:
            clock[0] += 24 * HOUR_MS
        elif len(told) == 2:
            os.close(writes)

    def hook(step):
        if step == "committed" and len(told) == 0:
            import threading

            threading.Timer(1.0, lambda: os.write(writes, lines(views(1, START_MS + 24 * HOUR_MS)))).start()

    try:
        os.write(writes, lines(views(1)))
        report = run(options(tmp_path, "-", now=lambda: clock[0], hook=hook), tell)
    finally:
        sys.stdin.close()
        sys.stdin = stdin
    assert report.refused == {}
    assert report.applied == 2


def test_now_is_a_wall_clock():
    from processor.runtime.replay import wall_clock

    assert abs(wall_clock() - datetime.now(UTC).timestamp() * 1000) < 60_000
    assert WALL_MS > START_MS
