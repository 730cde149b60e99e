"""Numbers as people read them."""

from __future__ import annotations

import pytest

from processor.core.time import parse_time, zone
from processor.runtime.report.words import (
    NOTHING,
    axis_labels,
    duration,
    ending,
    interval_points,
    meaning,
    money,
    percent,
    points,
    span,
    stretch,
)

UTC = zone("UTC")
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.00"),
        (0.002, "0.002"),
        (0.0225, "0.02"),
        (9.5, "9.50"),
        (99.999, "100.00"),
        (1234.5, "1,234"),
        (-120982.7, f"{MINUS}120,983"),
        (2_500_000.0, "2.50M"),
        (None, NOTHING),
    ],
)
def test_money(value, said):
    assert money(value) == said
    if value is not None:
        assert money(value, "EUR") == f"{said} EUR"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (90, "1.5 min"),
        (2640, "44 min"),
        (20400, "5.7 h"),
        (86400, "1.0 d"),
        (1e6, "12 d"),
    ],
)
def test_durations(seconds, said):
    assert duration(seconds).replace("\xa0", " ") == said


def test_points_have_their_sign_and_nothing_has_none():
    assert [points(value) for value in (0.0123, -0.05, 0.0, -0.0001, None)] == [
        "+1.2",
        f"{MINUS}5.0",
        "0.0",
        "0.0",
        NOTHING,
    ]
    assert interval_points(-0.1, 0.2) == f"{MINUS}10.0 to +20.0"
    assert percent(None) == NOTHING


def test_times():
    at_ms = parse_time("2026-03-02T00:00:00Z")
    assert [stretch(at_ms, size, UTC) for size in ("hour", "day", "week", "month", "year")] == [
        "Mon 02 Mar, 00:00",
        "Mon 02 Mar 2026",
        "week of 02 Mar 2026",
        "Mar 2026",
        "2026",
    ]
    assert span(at_ms, at_ms + 1, UTC) == "2026-03-02"
    assert span(at_ms, at_ms + 86_400_000, UTC) == "2026-03-02 to 2026-03-03"


def test_axes_are_named_now_and_then_and_years_at_their_beginning():
    months = [
        f"{name} {year}" for year in (2025, 2026, 2027) for name in ("Jan", "Feb", "Mar", "Jul", "Oct", "Nov")
    ]
    named = [name for name in axis_labels(["Dec 2024", *months], "month") if name]
    assert 2 <= len(named) <= 11
    assert "Jan 2025" in named
    assert axis_labels(["week of 05 Jan 2026"], "week") == ["05 Jan 2026"]
    assert axis_labels(["Mon 05 Jan 2026"], "day") == ["05 Jan 2026"]
    assert axis_labels([], "month") == []


def test_reasons_are_explained_and_unknown_ones_named():
    assert meaning("suppressed", "cap:weekly").startswith("the cap weekly is used up")
    assert meaning("suppressed", "something_new") == "something_new"
    assert ending("exited", "removed") == "left: a person took the contact out"
    assert ending("exited", "bored") == "left: bored"
    assert ending("goal", "") == "reached the goal"
