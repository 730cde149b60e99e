"""What a run leaves: the same bytes whether or not it was interrupted, at any flush."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.codec.outputs import DeadLetter
from processor.codec.readers import open_source
from processor.codec.schemas import history
from processor.codec.writers import RUN_MARKER, Format, OutputError, OutputFolder
from processor.core.outputs import Command, Decision

AT_MS = 1_772_357_400_000


def command(number: int, channel: str = "email") -> Command:
    return Command(
        f"k{number}", channel, "message", "c", "p", 1, "n", "s", "", "t", {"n": number}, "", AT_MS, AT_MS, 0
    )


def decision(number: int) -> Decision:
    return Decision("stepped", f"c{number}", AT_MS + number)


def letter(number: int) -> DeadLetter:
    return DeadLetter("not_json", "not JSON", "f", number, b"x")


def write(out: OutputFolder, number: int) -> None:
    """The outputs of chunk `number`; some chunks have none of some kind, or none at all."""
    if number % 4 != 3:
        out.write(
            [command(number, "email"), command(number, "crm")] if number % 2 else [command(number)],
            [decision(number)] * (number % 3),
            [letter(number)] if number % 5 == 4 else [],
        )


def content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.parametrize("form", ["jsonl", "avro"])
@given(breaks=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 3), st.booleans()), max_size=4))
def test_interruptions_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, form: Format, breaks: list[tuple[int, int, bool]]
):
    """Chunks are written and flushed; at a break the run dies some chunks after what its state remembers."""
    chunks = 12
    whole, broken = (tmp_path_factory.mktemp(name) for name in ("whole", "broken"))
    with OutputFolder(whole, form, sync=False) as out:
        for number in range(chunks):
            write(out, number)
            out.flush()
    lengths: list[dict[str, int]] = [{}]  # before each chunk
    for stop, back, flushed in [*breaks, (chunks, 0, True)]:
        out = OutputFolder(broken, form, sync=False)
        out.truncate_to(lengths[-1])
        assert {name: len(data) for name, data in content(broken).items()} == lengths[-1]
        while len(lengths) - 1 < stop:
            write(out, len(lengths) - 1)
            lengths.append(out.flush())
        if not flushed:
            write(out, stop)  # and is lost
        out.close()
        if stop < chunks:
            del lengths[max(1, len(lengths) - back) :]
    assert content(broken) == content(whole)
    assert lengths[-1] == {name: len(data) for name, data in content(whole).items()}


def test_lines(tmp_path: Path):
    with OutputFolder(tmp_path / "deep" / "out") as out:
        out.write([command(1), command(2, "crm"), command(3)], [decision(1)], [letter(4)])
        lengths = out.flush()
        assert out.flush() == lengths
    files = content(tmp_path / "deep" / "out")
    assert sorted(files) == [
        "commands.crm.jsonl",
        "commands.email.jsonl",
        "dead-letters.jsonl",
        "decisions.jsonl",
    ]
    lines = files["commands.email.jsonl"].split(b"\n")
    assert [json.loads(line)["command_id"] for line in lines[:-1]] == ["k1", "k3"]
    assert lines[-1] == b""
    assert json.loads(files["dead-letters.jsonl"])["line"] == 4
    assert lengths == {name: len(data) for name, data in files.items()}


def test_avro_is_read_by_fastavro(tmp_path: Path):
    with OutputFolder(tmp_path, "avro") as out:
        out.write([command(1), command(2)], [decision(1)])
        out.flush()
        out.write([command(3), command(4, "crm")], [decision(n) for n in range(300)], [letter(4)])
        out.flush()
    with (tmp_path / "commands.email.avro").open("rb") as file:
        blocks = list(fastavro.block_reader(file))
        assert [block.num_records for block in blocks] == [2, 1]
    with (tmp_path / "commands.email.avro").open("rb") as file:
        records: list[Any] = list(fastavro.reader(file))
    assert [record["command_id"] for record in records] == ["k1", "k2", "k3"]
    with (tmp_path / "decisions.avro").open("rb") as file:
        assert sum(1 for _ in fastavro.reader(file)) == 301
    # The marker between blocks is of the file: no two of them have the same.
    assert len({data[-16:] for data in content(tmp_path).values()}) == 4


def test_avro_output_is_read_as_a_source(tmp_path: Path):
    """Our own reader and writer of containers agree as well."""
    with OutputFolder(tmp_path, "avro") as out:
        out.write([], [dataclasses.replace(decision(1), kind="x" * 300)])
        out.flush()
    from processor.codec.containers import read_blocks, read_header
    from processor.codec.inputs import open_input

    stream = open_input(tmp_path / "decisions.avro")
    header = read_header(stream)
    (block,) = read_blocks(stream, header)
    assert [record["kind"] for record in block.records(fastavro.parse_schema(header.schema))] == ["x" * 300]
    stream.close()
    with open_source(tmp_path / "decisions.avro") as source:
        assert source.form == "avro"


def test_a_run_from_the_start_clears_its_own_files_only(tmp_path: Path):
    for name in (
        "commands.email.jsonl",
        "commands.crm.avro",
        "decisions.jsonl",
        "dead-letters.avro",
        "notes.txt",
    ):
        (tmp_path / name).write_text("old")
    (tmp_path / "commands.jsonl").write_text("not ours")
    with OutputFolder(tmp_path) as out:
        out.truncate_to({})
    assert sorted(content(tmp_path)) == ["commands.jsonl", "notes.txt"]


def test_a_file_that_is_too_short_or_gone(tmp_path: Path):
    path = tmp_path / "decisions.jsonl"
    path.write_text("12345")
    (tmp_path / "commands.email.jsonl").write_text("12345")
    with (
        OutputFolder(tmp_path) as out,
        pytest.raises(OutputError, match=r"decisions\.jsonl: has 5 bytes.*6 were"),
    ):
        out.truncate_to({"decisions.jsonl": 6})
    with OutputFolder(tmp_path) as out, pytest.raises(OutputError, match=r"dead-letters\.jsonl: is missing"):
        out.truncate_to({"decisions.jsonl": 2, "dead-letters.jsonl": 6})
    # What is refused is left as it was.
    assert set(content(tmp_path).values()) == {b"12345"}


def test_a_state_of_another_format(tmp_path: Path):
    with (
        OutputFolder(tmp_path, "avro") as out,
        pytest.raises(OutputError, match="as jsonl: give that format"),
    ):
        out.truncate_to({"decisions.jsonl": 6})


@pytest.mark.parametrize("name", ["../decisions.jsonl", "commands.a/b.jsonl", "other.jsonl"])
def test_lengths_of_files_that_are_not_ours(tmp_path: Path, name: str):
    with OutputFolder(tmp_path) as out, pytest.raises(OutputError):
        out.truncate_to({name: 0})


def test_a_file_with_another_schema_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A container has one schema: blocks of another behind its head could not be read."""
    with monkeypatch.context() as older:
        older.setattr("processor.codec.writers.schema", lambda subject: history(subject)[0])
        with OutputFolder(tmp_path, "avro", sync=False) as out:
            out._file("dead-letters", "dead-letter").waiting.append(
                {"reason": "r", "message": "m", "file": "f", "line": 1}
            )
            lengths = out.flush()
    before = (tmp_path / "dead-letters.avro").read_bytes()
    (tmp_path / "decisions.avro").write_bytes(b"left over")
    with OutputFolder(tmp_path, "avro") as out, pytest.raises(OutputError, match="with another schema"):
        out.truncate_to(lengths)
    assert (tmp_path / "dead-letters.avro").read_bytes() == before
    assert (tmp_path / "decisions.avro").exists(), "nothing was changed"


def test_two_runs_do_not_share_a_folder(tmp_path: Path):
    with OutputFolder(tmp_path) as one, OutputFolder(tmp_path) as other:
        for out in (one, other):
            out.truncate_to({})
            out.write([], [decision(1)])
        one.flush()
        with pytest.raises(OutputError, match="another run writes to this folder"):
            other.flush()


def test_a_folder_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="check that the folder"):
        OutputFolder(tmp_path / "file")


FULL = """
import resource, signal, sys
from pathlib import Path
from processor.codec.writers import OutputError, OutputFolder
from processor.core.outputs import Decision

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
out = OutputFolder(Path(sys.argv[1]))
try:
    while True:
        out.write([], [Decision("stepped", "c", 1)] * 10)
        print(out.flush()["decisions.jsonl"], flush=True)
except OutputError as error:
    print(error)
"""


def test_a_full_disk(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, timeout=60, check=True
    )
    *_, length, error = done.stdout.splitlines()
    assert "the disk is full: free some space" in error
    with OutputFolder(tmp_path) as out:
        out.truncate_to({"decisions.jsonl": int(length)})
    assert (tmp_path / "decisions.jsonl").read_bytes().endswith(b"}\n")


def test_a_marker_says_whose_the_folder_is_and_is_no_output(tmp_path):
    with OutputFolder(tmp_path / "out") as out:
        assert out.marker() == ""
        out.mark("one")
        out.mark("two")
        assert out.marker() == "two"
        assert out.names() == []
        out.truncate_to({})
    assert (tmp_path / "out" / RUN_MARKER).read_bytes() == b"two\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [RUN_MARKER]
