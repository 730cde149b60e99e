"""Texts with expressions in braces."""

import pytest

from processor.core.expressions import compile_template
from tests.core.expressions.world import NAMES, compiled, turn_over

PROPS = {
    "order_id": "A-7",
    "value": 80.0,
    "pieces": 3,
    "gift": True,
    "tags": ["a", 2.0, None, {"x": 1}, True],
    "ends": "2026-03-20T12:00:00Z",
    "day": "2026-03-21",
    "address": {"city": "Leeds"},
    "blob": 0.1,
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{event.order_id}", "A-7"),
        ("Hi {profile.email}, {event.value}", "Hi , 80"),
        ("{{{event.pieces}}}", "{3}"),
        ("{{event.pieces}}", "{event.pieces}"),
        ("}}{{", "}{"),
        ("{event.gift}/{not event.gift}", "true/false"),
        ("{event.tags}", "a, 2, true"),
        ("{event.ends}", "2026-03-20 13:00"),
        ("{event.day}", "2026-03-21"),
        ("{event.address}", ""),
        ("{event.address.city}!", "Leeds!"),
        ("{event.blob + 0.2}", "0.3"),
        ("{event.value / 3}", "26.666667"),
        ('{coalesce(profile.email, "}{")}', "}{"),
        ("{'it''s'}", "its"),
        ('{duration("1d12h")}', "1d 12h"),
        ("{none}", ""),
        ("{now - now}", "0s"),
        ("{1e15 * 1e15}", "1e+30"),
        ("{ event.pieces }", "3"),
        ("é{event.pieces}é", "é3é"),
        ("{event.pieces\n + 1}", "4"),
        ("{min(now, event.ends)}", "2026-03-18 16:30"),
    ],
)
def test_shown(text, shown):
    made = compile_template(text, NAMES)
    assert made.type == "string"
    assert made.text == text
    assert made.fn(turn_over(PROPS, attributes={"tz": "Europe/Berlin"})) == shown


def test_at_most_2000_characters():
    made = compile_template("{event.order_id}{event.blob}{event.tags}", NAMES)
    assert made.fn(turn_over({"order_id": "a" * 1500, "blob": "b" * 10_000, "tags": ["c" * 10_000] * 9})) == (
        "a" * 1500 + "b" * 500
    )
    joined = " + ".join(["event.order_id"] * 20)
    assert len(compiled(joined).fn(turn_over({"order_id": "a" * 1500}))) == 2000


def test_uses_of_all_parts_are_collected():
    uses = compile_template('{event.value} {profile.email} {count("downloaded", within="1d")}', NAMES).uses
    assert uses.event_props == {"value"}
    assert uses.attributes == {"email"}
    assert uses.events == {"downloaded"}
    assert uses.by_time


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 10**400, -(10**400), 2**70, True, {}, [[1]], "\ud800"]
)
def test_nothing_is_too_odd_to_show(value):
    shown = compile_template("{event.blob}", NAMES).fn(turn_over({"blob": value}))
    assert isinstance(shown, str)
