"""The function library: every function on what is there, what is missing and what is of another type."""

from typing import Any

import pytest

from processor.core.expressions import FUNCTIONS, signature
from tests.core.expressions.world import DAY, HOUR, NOW, compiled, evaluate, furnish, remember, turn_over

VALUES = [
    ('lower("ÀB")', "àb"),
    ("lower(event.order_id)", None),
    ('upper("aß")', "ASS"),
    ('starts_with(event.blob, "/pri")', True),
    ("starts_with(event.blob, event.order_id)", False),
    ('starts_with(event.order_id, "")', False),
    ('ends_with(event.blob, "cing")', True),
    ('ends_with("a", "ab")', False),
    ('contains(event.blob, "ric")', True),
    ('contains(event.tags, "a")', True),
    ("contains(event.tags, 1)", False),
    ("contains(event.tags, true)", True),
    ('contains(["a", "b"], "b")', True),
    ('contains(profile.tags, "a")', False),
    ("length(event.blob)", 8),
    ("length(event.tags)", 2),
    ("length(event.address)", 1),
    ("length(profile.tags)", None),
    ('length("")', 0),
    ("length(event.address.city)", 5),
    ("min(event.pieces, 2)", 2),
    ("max(event.pieces, 2, 7)", 7),
    ("min(event.value, 2)", 2),
    ("min(event.value)", None),
    ("max(event.ends, now)", "2026-03-20T12:00:00Z"),
    ("min(event.day, today())", "2026-03-18"),
    ("min(event.day, now)", "2026-03-18T15:30:00Z"),
    ("max(event.blob, 3)", 3),
    ('max(duration("1d"), duration("2h"))', DAY),
    ("abs(-3)", 3),
    ("abs(event.pieces - 10)", 7),
    ("abs(event.value)", None),
    ("round(2.5)", 2),
    ("round(event.pieces / 7, digits=2)", 0.43),
    ("round(event.value)", None),
    ("round(1.25, 1)", 1.2),
    ("round(event.pieces)", 3),
    ("coalesce(event.value, 7)", 7),
    ("coalesce(event.pieces, 7)", 3),
    ("coalesce(none, none)", None),
    ('coalesce(event.value, event.order_id, "x")', "x"),
    ('coalesce(event.address.city, "x")', "Leeds"),
    ("coalesce(event.day, now)", "2026-03-21T00:00:00Z"),
    ("coalesce(event.address.day, now)", "2026-03-18T15:30:00Z"),
    ('duration("1d 12h")', 36 * HOUR),
    ('date("2026-02-28")', "2026-02-28"),
    ('time("2026-03-01 09:30")', "2026-03-01T09:30:00Z"),
    ('time("2026-03-01T09:30+02:00")', "2026-03-01T07:30:00Z"),
    ("today()", "2026-03-18"),
    ("weekday()", "wed"),
    ("hour()", 15),
    ('weekday() in ["wed"]', True),
    ("days_until(event.ends)", 2),
    ("days_until(event.day)", 3),
    ("days_until(profile.trial_ends)", None),
    ("days_since_date(event.day)", -3),
    ("days_since_date(profile.birthday)", 13_148),
    ("days_until(event.address.day)", None),
    ("days_until(event.address.city)", None),
    ("days_until(now)", 0),
    ("age(profile.birthday)", 35),
    ("age(event.day)", None),
    ('in_segment("staff")', True),
    ('in_segment("big-spender")', False),
    ('in_list("newsletter")', True),
    ('in_list("vip")', False),
    ('in_program("welcome")', True),
    ('in_program("win-back")', False),
    ('was_in_program("welcome")', True),
    ('was_in_program("win-back")', False),
    ('entries("welcome")', 3),
    ('entries("win-back")', 0),
    ('consent("marketing")', True),
    ('consent("marketing", channel="sms")', False),
    ('consent("marketing", "email")', True),
    ('consent("service")', False),
    ('variant("split-a-b")', "a"),
    ('variant("split-a-b") == "b"', False),
    ('count("downloaded")', 0),
    ('happened("downloaded")', False),
    ('last("downloaded")', None),
    ('first("downloaded")', None),
    ('days_since("downloaded")', None),
    ('sum("order_completed", "value")', 0),
    ('avg("order_completed", "value")', None),
    ('sum("order_completed", "value", within="1d")', 0),
    ('avg("order_completed", "value", within="1d")', None),
    ('count("downloaded", within="1d")', 0),
    ('happened("downloaded", within="1d")', False),
]

PAST = (
    (40 * DAY, {"value": 5, "gift": True}),
    (3 * DAY, {"value": 10.5, "gift": True}),
    (DAY, {"value": None}),
    (HOUR, {"value": 20.25, "gift": False}),
    (0, {"value": 0.1}),
)
HISTORY = [
    ("count(X)", 5),
    ('count(X, within="1d")', 2),
    ('count(X, within="1d1s")', 3),
    ('count(X, within="90d")', 5),
    ("count(X, where=event.value > 5)", 2),
    ('count(X, within="7d", where=event.gift)', 1),
    ("count(X, where=event.value == none)", 1),
    ('sum(X, "value")', 35.85),
    ('sum(X, "value", within="7d")', 30.85),
    ('sum(X, "value", within="7d", where=event.gift)', 10.5),
    ('avg(X, "value")', 8.9625),
    ('avg(X, "value", within="7d")', 10.283333),
    ('avg(X, property="value", where=event.gift)', 7.75),
    ("happened(X)", True),
    ('happened(X, within="1s")', True),
    ("happened(X, where=event.value > 50)", False),
    ('happened(X, within="7d", where=event.value == 5)', False),
    ("last(X)", "2026-03-18T15:30:00Z"),
    ("last(X, where=event.gift)", "2026-03-15T15:30:00Z"),
    ("first(X)", "2026-02-06T15:30:00Z"),
    ("first(X, where=event.value > 10)", "2026-03-15T15:30:00Z"),
    ("days_since(X)", 0),
    ("days_since(X, where=event.gift)", 3),
    ("days_since(type=X, where=event.value == 5) >= 40", True),
]

PROPS = {
    "blob": "/pricing",
    "tags": ["a", True],
    "address": {"city": "Leeds"},
    "pieces": 3,
    "ends": "2026-03-20T12:00:00Z",
    "day": "2026-03-21",
}


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(text, value):
    turn = furnish(turn_over(PROPS, attributes={"birthday": "1990-03-19"}))
    found = evaluate(text, turn)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "value"), HISTORY)
def test_over_history(text, value):
    made = compiled(text.replace("X", '"order_completed"'))
    turn = turn_over()
    remember(turn, made, *PAST)
    assert made.fn(turn) == value


def test_every_function_is_in_a_table():
    tested = {text.partition("(")[0].partition(" ")[0] for text, _ in (*VALUES, *HISTORY)}
    assert set(FUNCTIONS) - tested == set()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_documentation_is_there_and_its_example_compiles(name):
    function = FUNCTIONS[name]
    assert function.name == name
    assert name in function.example
    assert function.doc.endswith((".", "0."))
    assert signature(function).startswith(f"{name}(")
    anything: dict[str, Any] = {
        "events": {
            "downloaded": {"kind": "string"},
            "order_completed": {"value": "number"},
            "webinar_attended": {},
            "here": {"url": "string", "value": "number", "change": "number", "lines": "list"},
        },
        "profile": {
            "country": "string",
            "email": "string",
            "first_name": "string",
            "trial_ends": "time",
            "birthday": "date",
        },
        "event_types": ("here",),
        "splits": {"split-discount-plain": ("discount", "plain")},
    }
    made = compiled(function.example, **anything)
    assert made.type in ("boolean", function.result) or function.result == "any"
    made.fn(turn_over())


def test_the_hour_and_day_are_of_the_contacts_zone():
    turn = turn_over(attributes={"tz": "Pacific/Auckland"})
    assert evaluate("hour()", turn) == 4
    assert evaluate("weekday()", turn) == "thu"
    assert evaluate("today()", turn) == "2026-03-19"
    assert evaluate("days_until(event.ends)", turn_over(PROPS, attributes={"tz": "Pacific/Auckland"})) == 2


@pytest.mark.parametrize(
    ("birthday", "now", "years"),
    [
        ("2000-02-29", "2026-02-27T12:00Z", 25),
        ("2000-02-29", "2026-02-28T12:00Z", 26),
        ("2000-03-18", "2026-03-17T23:59Z", 25),
        ("2000-03-18", "2026-03-18T00:00Z", 26),
        ("2026-03-18", "2026-03-18T00:00Z", 0),
        ("2026-03-19", "2026-03-18T00:00Z", None),
    ],
)
def test_age(birthday, now, years):
    now_ms = evaluate(f'time("{now}")', turn_over(), "time")
    assert (
        evaluate("age(profile.birthday)", turn_over(attributes={"birthday": birthday}, now_ms=now_ms))
        == years
    )


def test_equal_histories_are_one_series_whatever_their_spelling():
    texts = (
        "count('downloaded', where=event.kind=='pdf' and true)",
        'count( "downloaded",within = "7d", where = (event.kind ==  "pdf" and True) )',
    )
    first, second = (compiled(text).uses.series[0] for text in texts)
    assert first.key == second.key
    assert (first.window_ms, second.window_ms) == (0, 7 * DAY)
    assert first.key != compiled('count("downloaded", where=event.kind == "PDF")').uses.series[0].key


def test_series_of_one_expression_are_merged():
    made = compiled(
        'count("downloaded") > 1 and count("downloaded", within="1d") + count("downloaded", within="7d") > 2'
    )
    assert [(spec.key, spec.window_ms) for spec in made.uses.series] == [("downloaded", 7 * DAY)]


def test_what_is_yet_to_come_is_in_no_window():
    made = compiled('count("downloaded", within="1d")')
    turn = turn_over(now_ms=NOW + HOUR)
    remember(turn, made, (0, {}), (2 * HOUR, {}))
    turn.now_ms = NOW
    assert made.fn(turn) == 1
    assert turn.until_ms == NOW + HOUR
