"""Every form of file gives the same records, from any place, and says where it is torn."""

import gzip
import io
import json
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import fastavro
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from processor.codec.events import LINE_BYTES_MAX, decode, decode_event
from processor.codec.readers import Batch, Source, SourceError, open_source
from processor.codec.schemas import schema
from processor.core.events import Event

COUNT = 2_500
START_MS = 1_772_357_400_000

EVENTS: list[dict[str, Any]] = [
    {
        "event_id": f"e-{n}",
        "contact_id": f"c-{n % 97}",
        "type": "page_viewed",
        "occurred_at": START_MS + n,
        "properties": {"url": f"/{n}", "n": n},
    }
    for n in range(COUNT)
]


def text_of(event: dict[str, Any]) -> bytes:
    at = datetime.fromtimestamp(event["occurred_at"] / 1000, UTC).isoformat()
    return json.dumps({**event, "occurred_at": at}).encode()


LINES = b"".join(text_of(event) + b"\n" for event in EVENTS)


def flat(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "properties": json.dumps(event["properties"])}


def avro(codec: str = "null", at: Any = None, **options: Any) -> bytes:
    declared = dict(schema("event"))
    if at is not None:
        declared["fields"] = [
            {**field, "type": at} if field["name"] == "occurred_at" else field for field in declared["fields"]
        ]
    stream = io.BytesIO()
    scale = 1000 if at is not None and "micros" in json.dumps(at) else 1
    records = [{**flat(event), "occurred_at": event["occurred_at"] * scale} for event in EVENTS]
    fastavro.writer(stream, declared, records, codec=codec, sync_interval=8_000, **options)
    return stream.getvalue()


def long(value: int) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, {"type": "long"}, value)
    return stream.getvalue()


def repacked(codec: bytes, pack: Callable[[bytes], bytes]) -> bytes:
    """A container with a codec that fastavro writes only with a library that reading does not need."""
    plain = avro()
    sync = plain[-16:]
    head = plain[: plain.index(sync) + 16]
    out = [head.replace(b"\x08null", long(len(codec)) + codec)]
    for block in fastavro.block_reader(io.BytesIO(plain)):
        data = pack(cast("Any", block).bytes_.getvalue())
        out += [long(block.num_records), long(len(data)), data, sync]
    return b"".join(out)


def snappy(data: bytes) -> bytes:
    packed: bytes = pa.Codec("snappy").compress(data, asbytes=True)
    return packed + zlib.crc32(data).to_bytes(4, "big")


def table(at: pa.DataType, properties: str) -> bytes:
    scale = {"s": 1, "ms": 1, "us": 1000, "ns": 1_000_000}
    unit = scale[at.unit] if pa.types.is_timestamp(at) else 1
    columns: dict[str, Any] = {
        "ignored": pa.array(range(COUNT)),
        "contact_id": [event["contact_id"] for event in EVENTS],
        "event_id": [event["event_id"] for event in EVENTS],
        "type": [event["type"] for event in EVENTS],
        "occurred_at": pa.array([event["occurred_at"] * unit for event in EVENTS], pa.int64()).cast(at),
    }
    held = [event["properties"] for event in EVENTS]
    if properties == "json":
        columns["properties"] = [json.dumps(each) for each in held]
    elif properties == "struct":
        columns["properties"] = pa.array(held)
    else:
        pairs = [[(key, str(value)) for key, value in each.items()] for each in held]
        columns["properties"] = pa.array(pairs, pa.map_(pa.string(), pa.string()))
    stream = io.BytesIO()
    parquet.write_table(pa.table(columns), stream, row_group_size=700)
    return stream.getvalue()


FORMS = {
    "plain": LINES,
    "no newline at the end": LINES[:-1],
    "carriage returns": LINES.replace(b"\n", b"\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + LINES,
    "gzip": gzip.compress(LINES, mtime=0),
    "gzip in parts": gzip.compress(LINES[:1000])
    + gzip.compress(b"")
    + gzip.compress(LINES[1000:])
    + bytes(512),
    "zstd": zstandard.compress(LINES),
    "zstd in parts": zstandard.compress(LINES[:1000]) + zstandard.compress(LINES[1000:]),
    "avro": avro(),
    "avro deflate": avro("deflate"),
    "avro zstandard": repacked(b"zstandard", zstandard.compress),
    "avro snappy": repacked(b"snappy", snappy),
    "avro bzip2": avro("bzip2"),
    "avro xz": avro("xz"),
    "avro micros": avro(at={"type": "long", "logicalType": "timestamp-micros"}),
    "avro null or micros": avro(at=["null", {"type": "long", "logicalType": "timestamp-micros"}]),
    "avro long": avro(at="long"),
    "parquet int": table(pa.int64(), "json"),
    "parquet ms": table(pa.timestamp("ms", "UTC"), "struct"),
    "parquet us": table(pa.timestamp("us", "Europe/London"), "struct"),
    "parquet ns": table(pa.timestamp("ns", "UTC"), "json"),
}


def written(tmp_path: Path, data: bytes) -> Path:
    # The name says nothing: what a file is, its first bytes say.
    path = tmp_path / "events.data"
    path.write_bytes(data)
    return path


def read(source: Source, skip: int = 0, size: int = 1000) -> Batch:
    found: Batch = []
    with source:
        if skip:
            source.skip(skip)
        for batch in source.batches(size):
            assert len(batch) <= size
            found += batch
    return found


def read_until_torn(source: Source, found: Batch) -> None:
    """Read on until the source is at its end or raises; what came before that is in `found`."""
    with source:
        for batch in source.batches(100):
            found += batch


def check(found: Batch, first: int) -> None:
    assert [number for number, _ in found] == list(range(first, COUNT + 1))
    for number, raw in found:
        event = decode(raw)
        assert isinstance(event, Event), event
        expected = EVENTS[number - 1]
        assert event.event_id == expected["event_id"]
        assert event.contact_id == expected["contact_id"]
        assert event.occurred_ms == expected["occurred_at"]
        assert event.properties == expected["properties"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_from_any_place(tmp_path: Path, form: str):
    path = written(tmp_path, FORMS[form])
    for skip, size in ((0, 1000), (1, 7), (699, 100), (700, 1000), (1234, 1000), (COUNT - 1, 3)):
        source = open_source(path)
        check(read(source, skip, size), skip + 1)
        assert source.read_bytes == source.size_bytes == path.stat().st_size
    assert read(open_source(path), COUNT) == []
    assert read(open_source(path), COUNT + 5) == []


def test_a_wrong_checksum_of_snappy(tmp_path: Path):
    broken = bytearray(FORMS["avro snappy"])
    broken[-17] ^= 1
    with pytest.raises(SourceError, match="damaged"):
        read(open_source(written(tmp_path, bytes(broken))))


def test_a_map_of_text_in_parquet(tmp_path: Path):
    found = read(open_source(written(tmp_path, table(pa.timestamp("ms", "UTC"), "map"))))
    event = decode(found[7][1])
    assert isinstance(event, Event)
    assert event.properties == {"url": "/7", "n": "7"}


def test_a_timestamp_without_zone_is_refused(tmp_path: Path):
    found = read(open_source(written(tmp_path, table(pa.timestamp("us"), "json"))))
    assert {getattr(decode(raw), "reason", None) for _, raw in found} == {"bad_time"}


def test_an_impossible_timestamp_refuses_one_record(tmp_path: Path):
    records = [flat(event) for event in EVENTS[:3]]
    records[1]["occurred_at"] = 1 << 60
    stream = io.BytesIO()
    fastavro.writer(stream, schema("event"), records)
    found = [decode(raw) for _, raw in read(open_source(written(tmp_path, stream.getvalue())))]
    assert [getattr(each, "reason", "taken") for each in found] == ["taken", "time_out_of_range", "taken"]


def test_blank_lines_count_and_are_left_out(tmp_path: Path):
    path = written(tmp_path, b"\n" + LINES.replace(b"\n", b"\n\n \t\r\n", 1) + b"\n\n")
    numbers = [number for number, _ in read(open_source(path))]
    assert numbers == [2, *range(5, COUNT + 4)]
    assert [number for number, _ in read(open_source(path), skip=6)] == list(range(7, COUNT + 4))


def test_an_empty_file_has_no_records(tmp_path: Path):
    assert read(open_source(written(tmp_path, b""))) == []
    assert read(open_source(written(tmp_path, b"\n\n"))) == []
    assert read(open_source(written(tmp_path, gzip.compress(b"")))) == []


def test_what_is_no_event_is_handed_on(tmp_path: Path):
    path = written(tmp_path, LINES[:200] + b"\nnot json\n\xff\xfe\n" + b"PAR1\n")
    assert [raw for _, raw in read(open_source(path))][-3:] == [b"not json", b"\xff\xfe", b"PAR1"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_line_without_end_is_cut_and_refused(tmp_path: Path, pack: Any):
    endless = b'{"a": "' + b"x" * (LINE_BYTES_MAX * 3)
    path = written(tmp_path, pack(endless + b'"}\n' + LINES))
    found = read(open_source(path))
    assert len(found) == COUNT + 1
    assert len(found[0][1]) < LINE_BYTES_MAX * 2
    assert getattr(decode(found[0][1]), "reason", None) == "too_large"
    assert found[1] == (2, LINES.split(b"\n")[0])
    assert getattr(decode(read(open_source(written(tmp_path, endless)))[0][1]), "reason", None) == "too_large"


def test_a_line_without_end_gives_the_caller_its_turn():
    with open_source("/dev/zero") as source:
        assert [batch for _, batch in zip(range(20), source.batches(), strict=False)] == [[]] * 20


@given(cut=st.floats(0, 1), form=st.sampled_from(["gzip", "gzip in parts", "zstd", "zstd in parts"]))
def test_torn_compression_is_found_wherever_it_is_torn(
    tmp_path_factory: pytest.TempPathFactory, cut: float, form: str
):
    data = FORMS[form].rstrip(b"\0")
    kept = data[: int(cut * (len(data) - 1))]
    if kept in {b"", data[: len(gzip.compress(LINES[:1000]))], data[: len(zstandard.compress(LINES[:1000]))]}:
        return  # torn between two streams: what is there is whole
    path = written(tmp_path_factory.mktemp("torn"), kept)
    if len(kept) < 4:
        return  # no longer recognised: read as text, and refused as that
    found: Batch = []
    with pytest.raises(SourceError, match="copy the file again") as caught:
        read_until_torn(open_source(path), found)
    assert found == list(enumerate(LINES.split(b"\n"), 1))[: len(found)]
    assert caught.value.record >= len(found)
    assert str(path) in str(caught.value)


def test_torn_avro_is_found_wherever_it_is_torn(tmp_path: Path):
    data = avro(metadata={"made": "for this"})
    sync = data[-16:]
    ends = {place + 16 for place in range(len(data)) if data.startswith(sync, place)}
    some = sorted(ends)[::20]
    cuts = {*range(4, 900, 7), *(end + more for end in some for more in range(-20, 6)), len(data) // 2}
    for cut in sorted(cuts):
        if cut >= len(data) or cut in ends:
            continue
        path = written(tmp_path, data[:cut])
        found: Batch = []
        with pytest.raises(SourceError) as caught:
            read_until_torn(open_source(path), found)
        assert "ends in the middle" in str(caught.value), cut
        assert caught.value.record == len(found)
        assert [number for number, _ in found] == list(range(1, len(found) + 1))


def test_damaged_avro_is_an_error_of_its_own(tmp_path: Path):
    data = avro("deflate")
    chance = random.Random(1)
    refused = 0
    for _ in range(100):
        broken = bytearray(data)
        broken[chance.randrange(4, len(data))] ^= 1 << chance.randrange(8)
        try:
            for _, raw in read(open_source(written(tmp_path, bytes(broken)))):
                decode(raw)
        except SourceError:
            refused += 1
    assert refused > 60  # the rest hits names and documentation of the head


@pytest.mark.parametrize("form", ["parquet int"])
def test_damaged_parquet(tmp_path: Path, form: str):
    data = FORMS[form]
    with pytest.raises(SourceError, match="is damaged"):
        read(open_source(written(tmp_path, data[: len(data) // 2])))
    middle = bytearray(data)
    middle[40:4000] = bytes(3960)
    with pytest.raises(SourceError, match="is damaged"):
        read(open_source(written(tmp_path, bytes(middle))))


def test_damaged_compression(tmp_path: Path):
    for form in ("gzip", "zstd"):
        broken = bytearray(FORMS[form])
        broken[len(broken) // 2 : len(broken) // 2 + 50] = bytes(50)
        with pytest.raises(SourceError, match=f"the {form} data is damaged"):
            read(open_source(written(tmp_path, bytes(broken))))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (gzip.compress(avro()), "decompress it first"),
        ("text".encode("utf-16"), "save it as UTF-8"),
        (avro().replace(b"contact_id", b"contact_no"), "has no field contact_id"),
        (avro().replace(b"\x08null", b"\x08what"), 'compressed with "what"'),
        (avro().replace(b"avro.schema", b"avro.scheme"), "holds no schema"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path: Path, data: bytes, problem: str):
    with pytest.raises(SourceError, match=problem):
        read(open_source(written(tmp_path, data)))


def test_what_cannot_be_opened_says_why(tmp_path: Path):
    with pytest.raises(SourceError, match="there is no such file"):
        open_source(tmp_path / "missing.jsonl")
    with pytest.raises(SourceError, match="is a folder"):
        open_source(tmp_path)
    stream = io.BytesIO()
    parquet.write_table(pa.table({"who": ["a"]}), stream)
    with pytest.raises(SourceError, match=r"has no field contact_id, type, occurred_at.*\(it has who\)"):
        read(open_source(written(tmp_path, stream.getvalue())))


READ_STDIN = """
import sys
from processor.codec.events import decode
from processor.codec.readers import SourceError, open_source

try:
    with open_source("-") as source:
        source.skip(int(sys.argv[1]))
        for batch in source.batches():
            for number, raw in batch:
                print(number, decode(raw).event_id, flush=True)
except SourceError as error:
    print(error)
"""


@pytest.mark.parametrize("form", ["plain", "gzip", "zstd", "avro"])
def test_standard_input(form: str):
    done = subprocess.run(
        [sys.executable, "-c", READ_STDIN, "10"],
        input=FORMS[form],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.decode().split("\n")[:-1] == [f"{n + 1} e-{n}" for n in range(10, COUNT)]


def test_parquet_on_standard_input():
    done = subprocess.run(
        [sys.executable, "-c", READ_STDIN, "0"],
        input=FORMS["parquet int"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"give the file's name" in done.stdout


def test_standard_input_is_worked_on_as_it_comes():
    with subprocess.Popen(
        [sys.executable, "-c", READ_STDIN, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        for n, event in enumerate(EVENTS[:3]):
            reader.stdin.write(text_of(event) + b"\n")
            reader.stdin.flush()
            # The input stays open: were it read in large blocks, nothing would come back yet.
            assert reader.stdout.readline() == f"{n + 1} e-{n}\n".encode()
        reader.stdin.close()
        assert reader.stdout.read() == b""


def test_memory_stays_bounded(tmp_path: Path):
    """A gigabyte of lines out of a megabyte of gzip, read with less than 100 MiB more than at the start."""
    path = tmp_path / "large.gz"
    block = (text_of(EVENTS[0]) + b"\n") * 5_000
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(block)
    script = (
        "import resource, sys\n"
        "from processor.codec.readers import open_source\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = used()\n"
        "with open_source(sys.argv[1]) as source:\n"
        "    print(sum(len(batch) for batch in source.batches()), used() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, timeout=120, check=True
    )
    count, more_mib = map(int, done.stdout.split())
    assert count == 1_000_000
    assert more_mib < 40


def test_decode_event_reads_what_is_yielded(tmp_path: Path):
    (_, raw), *_ = read(open_source(written(tmp_path, LINES)))
    assert isinstance(raw, bytes)
    assert isinstance(decode_event(raw), Event)
