"""The Avro schemas are a contract: whoever reads with the current one reads what any older one wrote."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import fastavro.schema
import pytest
from fastavro.utils import generate_many

from processor.codec.schemas import SUBJECTS, schema

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


def versions(subject: str) -> list[Path]:
    return sorted((SCHEMAS / "history" / subject).glob("*.avsc"), key=lambda path: int(path.stem))


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def incompatibility(older: Any, current: Any) -> str:
    """Read with `current` what `older` wrote: why that fails, or "" where it does not."""
    try:
        writer, reader = fastavro.parse_schema(older), fastavro.parse_schema(current)
        for record in generate_many(writer, 50):
            stream = io.BytesIO()
            fastavro.schemaless_writer(stream, writer, record)
            stream.seek(0)
            fastavro.schemaless_reader(stream, writer, reader)
    except Exception as error:  # noqa: BLE001 - whatever fastavro finds is the answer
        return f"{type(error).__name__}: {error}"
    return ""


def test_every_schema_is_a_subject():
    assert {path.stem for path in SCHEMAS.glob("*.avsc")} == set(SUBJECTS)
    assert {path.name for path in (SCHEMAS / "history").iterdir()} == set(SUBJECTS)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_history_is_without_gaps_and_ends_with_the_current(subject: str):
    history = versions(subject)
    assert [path.stem for path in history] == [str(number) for number in range(1, len(history) + 1)]
    assert load(history[-1]) == schema(subject), f"add schemas/history/{subject}/{len(history) + 1}.avsc"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_current_reads_every_older_one(subject: str):
    for path in versions(subject):
        assert incompatibility(load(path), schema(subject)) == "", path.name


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
    assert "default" in incompatibility(older, added)
    assert incompatibility(older, narrowed) != ""
    fine = {**older, "fields": [*older["fields"], {"name": "extra", "type": "string", "default": ""}]}
    assert incompatibility(older, fine) == ""
