"""A loaded topology refuses events that it does not know."""

from __future__ import annotations

import pytest

from processor.core.schema import validate

PROGRAM = "program: a\nentry: {on: cart_abandoned}\nsteps: [exit]\n"


@pytest.mark.parametrize(
    ("event_type", "properties", "reason"),
    [
        ("cart_abandoned", {"cart_id": "7", "value": 3}, None),
        ("cart_abandoned", {"cart_id": "7"}, "missing_property: value"),
        ("cart_abandoned", {"cart_id": 7, "value": 3}, "wrong_type: cart_id must be a text"),
        ("profile_updated", {"visits": 3}, None),
        ("consent_withdrawn", {}, None),
        ("consent_granted", {}, "missing_property: purpose"),
        ("segment_entered", {"segment": "staff"}, "derived_event_type"),
        ("nothing_known", {}, "unknown_event_type"),
    ],
)
def test_validate(shop, event_type, properties, reason):
    assert validate(shop.load(a=PROGRAM).topology, event_type, properties) == reason
