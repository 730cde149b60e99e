"""The Avro schemas are a contract: whoever reads with the current one reads what any older one wrote."""

import io
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from processor.codec.schemas import SUBJECTS, fingerprint, history, plain, schema

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
SUMS = SCHEMAS / "history" / "SHA256SUMS"


def versions(subject: str) -> list[Path]:
    return sorted((SCHEMAS / "history" / subject).glob("*.avsc"), key=lambda path: int(path.stem))


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def incompatibility(writer: Any, reader: Any) -> str:
    """Read with `reader` what `writer` wrote: why that fails, or "" where it does not.

    By the rules first, which know what no data may show, then by data.
    """
    broken = sorted(rule_breaks(writer, reader))
    if broken:
        return "; ".join(broken)
    try:
        written, read = fastavro.parse_schema(writer), fastavro.parse_schema(reader)
        for record in generate_many(written, 50):
            stream = io.BytesIO()
            fastavro.schemaless_writer(stream, written, record)
            stream.seek(0)
            fastavro.schemaless_reader(stream, written, read)
    except Exception as error:  # noqa: BLE001 - whatever fastavro finds is the answer
        return f"{type(error).__name__}: {error}"
    return ""


PROMOTIONS = {
    "int": {"int", "long", "float", "double"},
    "long": {"long", "float", "double"},
    "float": {"float", "double"},
    "string": {"string", "bytes"},
    "bytes": {"bytes", "string"},
}


def rule_breaks(writer: Any, reader: Any) -> Iterator[str]:
    """What Avro's rules of schema resolution do not allow, for records of plain fields."""
    if (writer["name"], writer["type"]) != (reader["name"], reader["type"]):
        yield "the record has another name"
    older = {field["name"]: field for field in plain(writer)["fields"]}
    for field in plain(reader)["fields"]:
        name = field["name"]
        if name not in older:
            if "default" not in field:
                yield f"{name} is new and has no default"
        elif not fits(older[name]["type"], field["type"]):
            yield f"{name} was {older[name]['type']} and is {field['type']}"


def fits(written: Any, read: Any) -> bool:
    """Whether every value of one type can be read as the other."""
    if isinstance(written, list):
        return all(fits(branch, read) for branch in written)
    if isinstance(read, list):
        return any(fits(written, branch) for branch in read)
    if isinstance(written, dict) or isinstance(read, dict):
        return bool(written == read)
    return read in PROMOTIONS.get(written, {written})


def unrecorded(current: Any, recorded: Sequence[Any]) -> bool:
    """Whether the current schema is not the last of its history."""
    return bool(current != recorded[-1])


def test_every_schema_is_a_subject():
    assert {path.stem for path in SCHEMAS.glob("*.avsc")} == set(SUBJECTS)
    assert {path.name for path in (SCHEMAS / "history").iterdir() if path.is_dir()} == set(SUBJECTS)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_history_is_without_gaps_and_ends_with_the_current(subject: str):
    files = versions(subject)
    assert [path.stem for path in files] == [str(number) for number in range(1, len(files) + 1)]
    assert [load(path) for path in files] == list(history(subject))
    assert not unrecorded(schema(subject), history(subject)), (
        f"it was changed: add schemas/history/{subject}/{len(files) + 1}.avsc and its line in {SUMS.name}"
    )


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_change_without_a_new_version_is_found(subject: str):
    current = schema(subject)
    changed = {
        **current,
        "fields": [*current["fields"], {"name": "extra", "type": ["null", "int"], "default": None}],
    }
    assert unrecorded(changed, history(subject))
    assert not unrecorded(changed, [*history(subject), changed])


def test_no_recorded_version_was_changed():
    """What was once written stays as it was: `sha256sum -c SHA256SUMS` says the same."""
    lines = [line.split("  ") for line in SUMS.read_text(encoding="utf-8").splitlines()]
    recorded = {name: digest for digest, name in lines}
    found = {
        path.relative_to(SUMS.parent).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in SUMS.parent.rglob("*.avsc")
    }
    assert found == recorded, f"add new versions to {SUMS.name}, and do not change old ones"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_version_reads_every_other(subject: str):
    """BACKWARD_TRANSITIVE, so that a new release reads old records; FORWARD, so that old consumers go on."""
    known = history(subject)
    faults = {
        (number, other): why
        for number, writer in enumerate(known, 1)
        for other, reader in enumerate(known, 1)
        if (why := incompatibility(writer, reader))
    }
    assert faults == {}, "(written with, read with): why"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_fingerprints_tell_versions_and_subjects_apart(subject: str):
    every = [fingerprint(version) for name in SUBJECTS for version in history(name)]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize(("primitive", "number"), [("int", 0x7275D51A3F395C8F), ("null", 0x63DD24E7CC258F8A)])
def test_fingerprints_are_those_of_the_avro_project(primitive: str, number: int):
    assert fingerprint(primitive) == number.to_bytes(8, "little")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_everything_is_explained(subject: str):
    current = schema(subject)
    assert current["namespace"] == "trayecto"
    assert current["doc"]
    for field in current["fields"]:
        assert field["doc"].endswith("."), field["name"]
        if isinstance(field["type"], list):
            assert field["type"][0] == "null", field["name"]
            assert field["default"] is None, field["name"]


def test_events_are_read_by_the_names_of_their_fields():
    """The decoder of events knows no aliases: a field that is renamed needs a place there."""
    assert not [
        field["name"] for version in history("event") for field in version["fields"] if "aliases" in field
    ]


def test_the_check_finds_what_breaks():
    """A field that older data lacks needs a default; a type may not narrow. Both must be found."""
    older = schema("command")
    added = {**older, "fields": [*older["fields"], {"name": "extra", "type": "string"}]}
    narrowed = {
        **older,
        "fields": [
            {**field, "type": "int"} if field["name"] == "decided_at" else field for field in older["fields"]
        ],
    }
    renamed = {**older, "name": "Order"}
    assert "default" in incompatibility(older, added)
    assert "decided_at was long and is int" in incompatibility(older, narrowed)
    assert "another name" in incompatibility(older, renamed)
    fine = {**older, "fields": [*older["fields"], {"name": "extra", "type": "string", "default": ""}]}
    assert incompatibility(older, fine) == ""
