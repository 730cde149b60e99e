"""Operators, by tables: what each yields, on what is there and on what is missing or of another type."""

from typing import Any

import pytest

from tests.core.expressions.world import NAMES, NOW, compiled, evaluate, furnish, turn_over

ORDER = {
    "order_id": "A-7",
    "value": 80.5,
    "pieces": 3,
    "ends": "2026-03-20T12:00:00Z",
    "day": "2026-03-21",
    "gift": True,
    "tags": ["new", 7, True],
    "address": {"city": "Leeds", "geo": {"lat": 53.8}},
    "blob": "text",
}
PROFILE = {"email": "ana@shop.example", "visits": 4, "birthday": "1990-03-19", "tz": "Europe/Madrid"}
MIDNIGHT_MADRID = NOW - 15 * 3_600_000 - 30 * 60_000 - 3_600_000  # of 2026-03-18


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # literals
        ("true", True),
        ("False", False),
        ("none", None),
        ("1.5", 1.5),
        ("'a'", "a"),
        ('["a", -1, true]', ["a", -1, True]),
        # comparison of numbers
        ("event.value >= 80.5", True),
        ("event.value > 80.5", False),
        ("event.value < 81", True),
        ("event.value <= 80", False),
        ("20 <= event.value", True),
        ("20 < event.value < 90", True),
        ("20 < event.value < 80", False),
        ("event.value == 80.5", True),
        ("event.value != 80.5", False),
        ("event.pieces == 3.0", True),
        ("event.pieces < event.value", True),
        ("1 == 1", True),
        ("1 < 2 < 3 < 3", False),
        # of texts, booleans, maps, lists
        ('event.order_id == "A-7"', True),
        ('event.order_id != "A-7"', False),
        ('event.order_id < "B"', True),
        ('"A-7" == event.order_id', True),
        ("event.gift == true", True),
        ("event.gift != true", False),
        ("event.gift == false", False),
        ("event.gift", True),
        ('event.tags == ["new", 7, true]', True),
        ("event.address == event.address", True),
        ("event.address != event.address", False),
        # members of maps, subscripts
        ('event.address.city == "Leeds"', True),
        ("event.address.geo.lat > 50", True),
        ('event["value"] > 1', True),
        ("event.address.geo.lat.x == none", True),
        ("event.address.nothing", None),
        ('event.address["city"]', "Leeds"),
        # in
        ('event.order_id in ["A-7", "B"]', True),
        ('event.order_id not in ["A-7"]', False),
        ("event.pieces in [1, 3]", True),
        ("event.value in [1, 3]", False),
        ('"new" in event.tags', True),
        ("7 in event.tags", True),
        ("1 in event.tags", False),
        ("true in event.tags", True),
        ('"A-" in event.order_id', True),
        ('"x" not in event.order_id', True),
        ('event.blob in ["text", 1]', True),
        ('event.blob in ["tex"]', False),
        ("event.pieces in []", False),
        ('"ex" in event.blob', True),
        # logic
        ("event.value > 1 and event.pieces > 1", True),
        ("event.value > 100 or event.pieces > 1", True),
        ("not event.value > 100", True),
        ("not event.gift", False),
        ("event.gift and not event.gift", False),
        # arithmetic
        ("event.value + 1", 81.5),
        ("event.pieces - 5", -2),
        ("event.pieces * 2", 6),
        ("event.pieces / 2", 1.5),
        ("event.pieces % 2", 1),
        ("-event.pieces", -3),
        ("+event.pieces", 3),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("event.pieces / 0", None),
        ("event.pieces % 0", None),
        ('event.order_id + "!"', "A-7!"),
        ('event.blob + "!"', "text!"),
        ("event.blob + 1", None),
        ("event.blob * 2", None),
        ("event.blob + event.blob", "texttext"),
        ("1e15 * 10", 1e16),
        ("1000000000000000 + 1", 1e15 + 1),
        (" * ".join(["1e15"] * 21), None),
        # choice
        ('"big" if event.value > 50 else "small"', "big"),
        ('"big" if event.value > 500 else 0', 0),
        ("1 if event.gift else none", 1),
        ("event.gift if event.value > 1 else false", True),
        # times: kept as text, counted in ms
        ("event.ends", "2026-03-20T12:00:00Z"),
        ("event.day", "2026-03-21"),
        ('event.ends == time("2026-03-20T12:00Z")', True),
        ('event.ends + duration("1d12h")', "2026-03-22T00:00:00Z"),
        ('duration("1d") + event.ends', "2026-03-21T12:00:00Z"),
        ('event.ends - duration("12h")', "2026-03-20T00:00:00Z"),
        ('event.ends - now == duration("1d20h30m")', True),
        ('event.day > date("2026-03-20")', True),
        ('event.day - date("2026-03-01") == duration("20d")', True),
        ("event.ends < event.day", True),
        ('duration("1d") * 2', 172_800_000),
        ('2 * duration("1d")', 172_800_000),
        ('duration("1d") / 2', 43_200_000),
        ('duration("1d") / duration("12h")', 2.0),
        ('-duration("1d") < duration("0s")', True),
        ('duration("1d") + duration("1h")', 90_000_000),
        ('duration("1d") - duration("1h")', 82_800_000),
        ("now", "2026-03-18T15:30:00Z"),
        ('date("2026-03-18") + duration("0s")', "2026-03-17T23:00:00Z"),
        ("now > event.ends", False),
        ('time("9999-12-31T23:00Z") + duration("36500d") == none', True),
        # the profile
        ('profile.email == "ana@shop.example"', True),
        ("profile.visits + 1", 5),
        ('profile["visits"]', 4),
        ('profile.tz == "Europe/Madrid"', True),
        ("profile.owner.name", None),
        ("profile.vip", None),
        ("not profile.vip", True),
        # scores
        ("score.engagement >= 50", True),
        ('grade.engagement == "hot"', True),
        ('score["fit-model"]', 0.0),
        ("100 > score.engagement > 63", True),
    ],
)
def test_value(text, value):
    turn = furnish(turn_over(ORDER, attributes=PROFILE))
    found = evaluate(text, turn)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("event.value >= 0", False),
        ("event.value < 0", False),
        ("event.value == none", True),
        ("event.value != none", False),
        ("event.value == 0", False),
        ("event.value != 0", True),
        ("not event.value > 0", True),
        ("event.value + 1", None),
        ("-event.value", None),
        ("event.value in [0, 1]", False),
        ("event.value not in [0, 1]", True),
        ('event.order_id == ""', False),
        ('event.order_id != ""', True),
        ('"" in event.order_id', False),
        ('event.order_id + "x"', None),
        ('event.order_id in ["a"]', False),
        ('"a" in event.tags', False),
        ("event.gift", None),
        ("event.gift == true", False),
        ("event.gift == false", False),
        ("event.gift != true", True),
        ("not event.gift", True),
        ("event.gift and true", False),
        ("event.gift or true", True),
        ("1 if event.gift else 2", 2),
        ("event.ends < now", False),
        ("event.ends >= now", False),
        ("event.ends + duration('1d')", None),
        ("event.ends", None),
        ("event.day", None),
        ('event.day < date("2026-01-01")', False),
        ("event.ends < event.day", False),
        ("event.ends == none", True),
        ("event.value == event.pieces", True),
        ("event.value < event.pieces", False),
        ("event.address.city", None),
        ('event.address.city == "x"', False),
        ("event.blob > 1", False),
        ("event.blob == none", True),
        ("event.blob > event.blob", False),
        ("event.blob == event.value", True),
        ("event.value < 5 < 6", False),
    ],
)
@pytest.mark.parametrize("kind", ["missing", "null", "wrong"])
def test_what_is_missing_or_of_another_type(text, value, kind):
    wrong = {
        "value": "80",
        "pieces": True,
        "order_id": 7,
        "gift": "true",
        "tags": 7,
        "ends": 7,
        "day": "soon",
        "address": [1],
        "blob": None,
    }
    props = {"missing": {}, "null": dict.fromkeys(wrong), "wrong": wrong}[kind]
    assert evaluate(text, turn_over(props)) is value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("event.pieces", "number"),
        ("event.order_id", "string"),
        ("profile.tz", "string"),
        ("event.blob", "any"),
        ("event.address.city", "any"),
        ("event.value + 1", "number"),
        ("event.value > 1", "boolean"),
        ("now", "time"),
        ("today()", "date"),
        ("now - event.ends", "duration"),
        ("event.day - event.ends", "duration"),
        ('event.day + duration("1d")', "time"),
        ("event.tags", "list"),
        ("event.address", "map"),
        ("none", "none"),
        ('1 if true else "a"', "any"),
        ("1 if true else none", "number"),
        ("event.day if true else now", "time"),
        ("event.blob if true else now", "time"),
        ("entry.size", "number"),
        ("answer.url", "string"),
        ("answer.kind", "string"),
        ("answer.seconds", "number"),
        ('duration("1d") / 2', "duration"),
        ("event.blob + event.blob", "any"),
    ],
)
def test_type(text, kind):
    assert compiled(text).type == kind


def test_a_condition_is_true_or_false_and_never_missing():
    turn = turn_over({"gift": "yes"})
    for text in ("event.gift", "event.blob", "none == event.value if event.gift else event.gift"):
        assert evaluate(text, turn, "boolean") is False
    assert evaluate("event.blob", turn_over({"blob": True}), "boolean") is True


@pytest.mark.parametrize(
    ("want", "text", "value"),
    [
        ("number", "event.blob", None),
        ("string", "event.blob", "2026-03-18"),
        ("date", "event.blob", "2026-03-18"),
        ("time", "event.blob", NOW - NOW % 86_400_000),
        ("time", "today()", "2026-03-18"),
        ("time", "now", NOW),
        ("number", "none", None),
        ("list", "event.tags", None),
    ],
)
def test_wanted_type(want, text, value):
    assert evaluate(text, turn_over({"blob": "2026-03-18"}), want) == value


def test_a_property_of_several_types_is_of_any_type():
    changed: dict[str, Any] = {"event_types": ("order_completed", "downloaded")}
    assert compiled("event.value", **changed).type == "any"
    assert compiled("event.size", **changed).type == "number"
    assert compiled("event.value > 5", "boolean", **changed).fn(turn_over({"value": "9"})) is False


def test_in_steps_the_event_is_the_entry_event():
    made = compiled("event.size > entry.size - 1", event_is_entry=True)
    assert made.uses.entry_props == {"size"}
    assert made.uses.event_props == frozenset()
    assert made.fn(turn_over({"size": 0}, entry={"size": 5})) is True


def test_uses_are_exact():
    made = compiled(
        'event.value > entry.size and answer.url == "x" and profile.owner.name == "ana" '
        "and score.engagement > 5 "
        'and grade["fit-model"] == "a" and in_segment("staff") and in_list("vip") and in_program("welcome") '
        'and entries("win-back") < 2 and consent("marketing", "sms") '
        'and sum("order_completed", "value", within="7d", where=event.gift) > profile.visits '
        'and happened("page_viewed") and variant("split-a-b") == "a"'
    )
    uses = made.uses
    assert uses.event_props == {"value"}
    assert uses.entry_props == {"size"}
    assert uses.answer_props == {"url"}
    assert uses.attributes == {"owner", "visits"}
    assert uses.scores == {"engagement", "fit-model"}
    assert uses.segments == {"staff"}
    assert uses.lists == {"vip"}
    assert uses.programs == {"welcome", "win-back"}
    assert uses.consents == {"marketing"}
    assert uses.events == {"order_completed", "page_viewed"}
    assert [(spec.event, spec.value, spec.window_ms) for spec in uses.series] == [
        ("order_completed", "value", 7 * 86_400_000),
        ("page_viewed", "", 0),
    ]
    assert uses.by_time is True
    assert uses.score_bounds == (("engagement", 5.0), ("engagement", 5.0001))
    assert uses.scores_free == frozenset()


@pytest.mark.parametrize(
    ("text", "by_time"),
    [
        ("event.value > 5", False),
        ('count("downloaded") > 1', False),
        ('count("downloaded", within="1d") > 1', True),
        ("now > event.ends", True),
        ("score.engagement > 1", False),
        ('score["fit-model"] > 1', True),
        ("hour() > 1", True),
        ('happened("downloaded")', False),
        ('happened("downloaded", within="1d")', True),
        ('last("downloaded")', False),
        ("days_since_date(profile.birthday) > 1", True),
        ('in_segment("staff")', False),
        ("age(profile.birthday) > 1", True),
    ],
)
def test_by_time(text, by_time):
    assert compiled(text).uses.by_time is by_time


def test_scores_of_unknown_decay_change_by_time():
    assert compiled("score.engagement > 1", decaying=None).uses.by_time is True


def test_scores_compared_with_no_constant_are_free():
    for text in (
        "score.engagement > event.value",
        "score.engagement + 1 > 2",
        "score.engagement > score.engagement",
    ):
        assert compiled(text).uses.scores_free == {"engagement"}
    assert compiled("0 < score.engagement < profile.visits").uses.scores_free == {"engagement"}
    assert compiled('grade.engagement == "hot"').uses.scores_free == frozenset()


def test_every_event_type_is_reachable_by_its_own_names():
    for event, schema in NAMES.events.items():
        for name in schema:
            assert compiled(f"event.{name} != none", "boolean", event_types=(event,)).uses.event_props == {
                name
            }
