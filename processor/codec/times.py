"""Times in other people's Avro schemas: what a long of a time field counts."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["TIME_FIELDS", "without_times"]

TIME_FIELDS: Final = ("occurred_at", "appended_at")
_TIME_UNITS: Final = {"timestamp-millis": 1, "timestamp-micros": 1000, "timestamp-nanos": 1_000_000}


def without_times(schema: Any) -> tuple[Any, list[tuple[str, int]]]:
    """Return an Avro schema with plain longs for event times, and what those count a millisecond.

    fastavro makes datetimes of them, and fails in the middle of a record where the year has five digits.
    """
    if not isinstance(schema, dict):
        return schema, []
    units: list[tuple[str, int]] = []
    fields = []
    for field in schema.get("fields", []):
        kind = field["type"]
        if field["name"] in TIME_FIELDS:
            branches = kind if isinstance(kind, list) else [kind]
            logical = [branch["logicalType"] for branch in branches if _is_time(branch)]
            units += [(field["name"], _TIME_UNITS[name]) for name in logical if _TIME_UNITS[name] != 1]
            plain = [branch["type"] if _is_time(branch) else branch for branch in branches]
            kind = plain if isinstance(kind, list) else plain[0]
        fields.append({**field, "type": kind})
    return {**schema, "fields": fields}, units


def _is_time(branch: Any) -> bool:
    return isinstance(branch, dict) and branch.get("logicalType") in _TIME_UNITS
