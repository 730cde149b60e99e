"""JSON and Parquet hold the same, under names that do not change by accident."""

from __future__ import annotations

import json

import msgspec
import pyarrow.parquet as pq
import pytest

from processor.core.time import format_time
from processor.runtime.report.export import columns, heading, to_json, write_parquet
from processor.runtime.report.model import FORMAT, TABLES, Report
from tests.runtime.report.made import of, report_of, topology, year

# The shape of FORMAT 1. Whoever changes a name here counts FORMAT up, and says so in the CHANGELOG.
SHAPE = {
    "heading": (
        "report topology currency timezone from to first last decisions unreadable contacts "
        "enrollments began_before bin"
    ),
    "programs": (
        "program versions purpose goal goal_within_s contacts entered holdout open goals rate "
        "rate_low rate_high expected quarter_s median_s three_quarters_s completed exited "
        "not_entered commands suppressed"
    ),
    "steps": "program step kind title reached share sent suppressed held heard timed_out",
    "endings": "program arm ending reason enrollments",
    "not_entered": "program reason entries",
    "curves": "program arm after_s share share_low share_high at_risk",
    "variants": (
        "program split variant base enrollments goals rate rate_low rate_high difference "
        "difference_low difference_high p p_adjusted detectable verdict commands cost value "
        "value_each chosen share"
    ),
    "holdouts": (
        "program holdout treated treated_goals treated_rate treated_low treated_high held_out "
        "held_out_goals held_out_rate held_out_low held_out_high lift lift_low lift_high relative "
        "relative_low relative_high p detectable extra_goals extra_goals_low extra_goals_high "
        "verdict"
    ),
    "money": (
        "program commands cost goals value value_each held_out_value_each extra_value "
        "extra_value_low extra_value_high extra_profit extra_return verdict"
    ),
    "channels": "program channel commands cost_each cost",
    "suppressed": "program channel reason sends",
    "activity": "at what name count",
    "grades": "at score grade contacts",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Report:
    made = topology(tmp_path_factory.mktemp("made"), ["one", "two"])
    log = [*year(["one", "two"], 400, days=60), *of("ana", "one", (1, "not_entered", "", "audience"))]
    return report_of(made, log)


def test_the_shape_is_the_one_that_was_promised():
    assert FORMAT == 1
    assert list(TABLES) == [name for name in SHAPE if name != "heading"]
    assert ["report", *(column.name for column in columns(Report))] == SHAPE["heading"].split()
    for name, row in TABLES.items():
        assert [column.name for column in columns(row)] == SHAPE[name].split(), name


def test_json_has_every_table_and_is_json(report):
    found = json.loads(msgspec.json.encode(to_json(report)))
    assert list(found) == [*SHAPE["heading"].split(), *TABLES]
    for name in TABLES:
        assert found[name], name
        assert all(list(row) == SHAPE[name].split() for row in found[name])
    assert found["first"] == format_time(report.first_ms or 0)
    assert found["from"] is None


def test_parquet_holds_what_json_holds(report, tmp_path):
    paths = write_parquet(report, tmp_path / "deep" / "tables")
    assert [path.name for path in paths] == [f"{name}.parquet" for name in TABLES]
    for name, path in zip(TABLES, paths, strict=True):
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[b"trayecto.report"])
        assert about == json.loads(msgspec.json.encode(heading(report)))
        rows = table.to_pylist()
        for row in rows:
            if "at" in row:
                row["at"] = format_time(round(row["at"].timestamp() * 1000))
        assert rows == to_json(report)[name], name


def test_tables_without_rows_have_their_columns(tmp_path):
    made = topology(tmp_path / "made", [])
    for path in write_parquet(report_of(made, []), tmp_path / "tables"):
        table = pq.read_table(path)
        assert table.num_rows == 0
        assert table.column_names == SHAPE[path.stem].split()


def test_what_can_be_missing_is_nullable_and_nothing_else():
    for row in TABLES.values():
        for column in columns(row):
            if column.name in {"program", "step", "at", "count", "enrollments", "verdict"}:
                assert not column.optional
            if column.name in {"difference", "p_adjusted", "median_s", "extra_value", "relative"}:
                assert column.optional


def test_every_column_is_explained_or_goes_with_the_one_before_it():
    for row in (Report, *TABLES.values()):
        found = columns(row)
        assert found[0].doc
        for column in found:
            assert column.doc or column.name.endswith("_high"), column
