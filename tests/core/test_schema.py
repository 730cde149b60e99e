"""Published events are checked against what is declared, and no reason holds a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.schema import BUILT_IN_EVENTS, DERIVED_EVENTS, PROPERTY_TYPES, compile_checks

DECLARED = {kind: {"p": kind} for kind in PROPERTY_TYPES} | {
    f"{kind}?": {"p": f"{kind}?"} for kind in PROPERTY_TYPES
}
PROFILE = {"tz": "zone?", "visits": "number", "birthday": "date"}
CHECKS = compile_checks({**BUILT_IN_EVENTS, **DERIVED_EVENTS, **DECLARED}, PROFILE)

GOOD: dict[str, list[object]] = {
    "string": ["", "x"],
    "number": [0, 1.5, -3],
    "integer": [0, 3.0],
    "boolean": [True, False],
    "time": ["2026-03-01T09:30:00Z", "2026-03-01 09:30", "2026-03-01"],
    "date": ["2026-03-01", "2024-02-29"],
    "zone": ["Europe/London", "UTC"],
    "list": [[], [1]],
    "map": [{}, {"a": 1}],
}
BAD: dict[str, list[object]] = {
    "string": [1, True, [], {}],
    "number": ["1", True, []],
    "integer": [1.5, "1", False],
    "boolean": [0, 1, "true"],
    "time": [1772357400000, "noon", "2026-13-01"],
    "date": ["2026-02-30", "2026-03-01T09:30", "1 March", 20260301],
    "zone": ["London", "europe/london", 0],
    "list": [{}, "a", 3],
    "map": [[], "a", 3],
}


@pytest.mark.parametrize("kind", PROPERTY_TYPES)
def test_types(kind):
    for value in GOOD[kind]:
        assert CHECKS[kind]({"p": value}) is None, value
        assert CHECKS[f"{kind}?"]({"p": value, "undeclared": object()}) is None, value
    for value in BAD[kind]:
        reason = CHECKS[kind]({"p": value})
        assert reason is not None, value
        assert reason.startswith("wrong_type: p must be "), value
        assert CHECKS[f"{kind}?"]({"p": value}) == reason
    assert CHECKS[kind]({}) == CHECKS[kind]({"p": None}) == "missing_property: p"
    assert CHECKS[f"{kind}?"]({}) is None
    assert CHECKS[f"{kind}?"]({"p": None}) is None


def test_a_profile_update_holds_any_part_of_the_profile():
    check = CHECKS["profile_updated"]
    assert check({}) is None
    assert check({"visits": 3, "birthday": None, "anything": 1}) is None
    assert check({"visits": "3"}) == "wrong_type: visits must be a number"
    assert check({"tz": "Nowhere"}) == "wrong_type: tz must be a time zone such as Europe/London"


def test_derived_types_cannot_be_published():
    assert not DERIVED_EVENTS.keys() & CHECKS.keys()
    assert BUILT_IN_EVENTS.keys() <= CHECKS.keys()


_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))


@given(kind=st.sampled_from(sorted(CHECKS)), value=_VALUES)
def test_no_value_raises(kind, value):
    reason = CHECKS[kind]({"p": value})
    assert reason is None or reason.split(": ")[0] in ("missing_property", "wrong_type")


@given(secret=st.text(alphabet="0123456789@äöü", min_size=6))
def test_no_reason_holds_a_value(secret):
    for kind in PROPERTY_TYPES:
        reason = CHECKS[kind]({"p": secret})
        assert reason is None or secret not in reason


NAMED = {"purpose": frozenset({"marketing"}), "list": frozenset({"vip"})}
NAMED_CHECKS = compile_checks(BUILT_IN_EVENTS, {}, NAMED)


@pytest.mark.parametrize(
    ("kind", "properties", "reason"),
    [
        ("consent_granted", {"purpose": "marketing"}, None),
        (
            "consent_granted",
            {"purpose": "marketting"},
            "unknown_name: purpose must name a purpose of the topology",
        ),
        ("consent_withdrawn", {}, None),
        (
            "consent_withdrawn",
            {"purpose": "all"},
            "unknown_name: purpose must name a purpose of the topology",
        ),
        ("list_joined", {"list": "vip"}, None),
        ("list_joined", {"list": "vips"}, "unknown_name: list must name a list of the topology"),
        ("consent_granted", {}, "missing_property: purpose"),
    ],
)
def test_built_in_events_name_what_the_topology_has(kind, properties, reason):
    assert NAMED_CHECKS[kind](properties) == reason
