"""Chunks have the same boundaries, however often a source was broken off; positions survive being stored."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from processor.codec.readers import Raw, Source, SourceError, open_source
from processor.runtime.intake import checksum_of, chunks
from processor.runtime.position import Position, RunError, is_stream, mark_of


def position(**fields: Any) -> Position:
    return msgspec.structs.replace(Position.new("digest", 4, "jsonl", 1), **fields)


def numbers(path: Path, at: Position, size: int = 10) -> list[list[int]]:
    with open_source(path) as source:
        return [
            [n for n, _ in c.records] for c in chunks(source, str(path), at, size, lambda: False, early=True)
        ]


def log_of(path: Path, count: int) -> Path:
    # A blank line after every third: numbers are of lines, chunks are of records.
    path.write_bytes(b"".join(b"{}\n\n" if n % 3 == 2 else b"{}\n" for n in range(count)))
    return path


def test_chunks_end_at_multiples_of_their_size_wherever_the_reading_begins(tmp_path):
    log = log_of(tmp_path / "log", 3_456)
    whole = numbers(log, position())
    assert [len(chunk) for chunk in whole] == [10] * 345 + [6]
    records = [number for chunk in whole for number in chunk]
    for taken in (0, 1, 9, 10, 11, 999, 2_345, 3_450, 3_456):
        at = position(number=records[taken - 1] if taken else 0, taken=taken)
        rest = numbers(log, at)
        assert [number for chunk in rest for number in chunk] == records[taken:]
        ends = {chunk[-1] for chunk in whole}
        assert all(chunk[-1] in ends for chunk in rest)


def test_what_comes_before_a_tear_is_given_out_first(tmp_path):
    log = tmp_path / "log.gz"
    data = b"".join(b'{"n": %d}\n' % random.Random(n).getrandbits(200) for n in range(20_000))
    whole = gzip.compress(data)
    log.write_bytes(whole[: len(whole) // 2])
    seen: list[Raw] = []

    def read_all(source: Source) -> None:
        for chunk in chunks(source, str(log), position(), 700, lambda: False, early=True):
            seen.extend(raw for _, raw in chunk.records)

    with open_source(log) as source, pytest.raises(SourceError):
        read_all(source)
    assert len(seen) % 700 != 0  # the last chunk, too
    assert len(seen) > 5_000
    assert seen == data.splitlines()[: len(seen)]


def test_a_checksum_does_not_depend_on_how_records_are_cut():
    records = [(n, b"%d" % n) for n in range(20)]
    whole = checksum_of(records)
    assert checksum_of(records[7:], checksum_of(records[:7])) == whole
    assert checksum_of(records[:19]) != whole
    # Neither may text move from one record to the next.
    assert checksum_of([(1, b"ab"), (2, b"c")]) != checksum_of([(1, b"a"), (2, b"bc")])


def test_a_position_is_read_as_it_was_written(tmp_path):
    path = log_of(tmp_path / "log", 3)
    written = position(sources=[mark_of(str(path)), mark_of("-")], number=4, lengths={"decisions.jsonl": 9})
    written.tallies.refuse("not_json")
    written.tallies.decisions["entered", "cart", "", ""] = 3
    assert Position.decode(written.encode()) == written
    assert is_stream("-")
    assert not is_stream(str(path))


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x90", msgspec.msgpack.encode([99, "x"])])
def test_a_position_of_another_program_is_refused(data):
    with pytest.raises(RunError, match="use the program that wrote it"):
        Position.decode(data)
