"""Previews: one contact's path, brought in by whatever starts the program."""

from __future__ import annotations

import pytest

from processor.core.time import DAY_MS, HOUR_MS, parse_time
from processor.language import load_topology
from processor.runtime.preview import Doing, Person, preview, sample, waits_for

TOPOLOGY = """
topology: test
events:
  signed_up: {plan: string, seats: integer?, since: date?, more: map?}
  clicked: {template: string}
profile: {email: string, trial_ends: date}
channels: {email: {address: email}}
segments:
  staff: ends_with(profile.email, "@shop.example")
policies: {holdout: 50}
"""
PROGRAMS = {
    "welcome": """
entry: {on: signed_up, if: event.seats < 50}
steps:
  - {send: email, template: hello}
  - wait_for: clicked
    if: event.template == "hello"
    timeout: 3d
    then: [{send: email, template: thanks}]
    else: [{send: email, template: again}]
""",
    "trial": """
entry: {date: profile.trial_ends, offset: -7d, at: "09:00"}
steps: [{send: email, template: ends-soon}]
""",
    "staff": """
entry: {segment: staff}
audience: {only: profile.email == "never@there.example"}
steps: [{wait: 1h}, {send: email, template: staff}]
""",
}
START = parse_time("2026-03-02T10:00Z")


@pytest.fixture(scope="module")
def topology(tmp_path_factory):
    folder = tmp_path_factory.mktemp("topology")
    (folder / "topology.yaml").write_text(TOPOLOGY, encoding="utf-8")
    (folder / "programs").mkdir()
    for name, body in PROGRAMS.items():
        text = f"program: {name}\npurpose: marketing\n{body}"
        (folder / "programs" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_topology(folder).topology


def sent(found):
    return [(c.decided_ms - START, c.template) for c in found.commands]


def test_nobody_responds_unless_asked_to(topology):
    found = preview(topology, "welcome", Person(), START)
    assert sent(found) == [(0, "hello"), (3 * DAY_MS, "again")]
    assert found.notes == ("a made-up signed_up starts it",)


def test_who_responds_does_what_is_waited_for_within_the_hour(topology):
    assert sent(preview(topology, "welcome", Person(), START, respond=True)) == [
        (0, "hello"),
        (HOUR_MS, "thanks"),
    ]


def test_a_number_is_tried_until_the_condition_holds(topology):
    found = preview(topology, "welcome", Person(), START)
    (event,) = [one for one in found.path if one.reason == "signed_up"]
    assert event.detail["seats"] < 50


def test_given_events_are_what_happens_and_nothing_else(topology):
    events = [
        Doing("signed_up", {"plan": "a", "seats": 3}, after_ms=0),
        Doing("clicked", {"template": "hello"}, START + 5),
    ]
    assert sent(preview(topology, "welcome", Person(), START, events=events)) == [(0, "hello"), (5, "thanks")]
    with pytest.raises(ValueError, match="cannot be taken: seats must be"):
        preview(
            topology,
            "welcome",
            Person(),
            START,
            events=[Doing("signed_up", {"plan": "a", "seats": "x"}, START)],
        )


def test_a_date_that_starts_it_is_set_to_come_soon(topology):
    found = preview(topology, "trial", Person(tz="America/New_York"), START)
    ((at_ms, template),) = sent(found)
    assert template == "ends-soon"
    assert 0 < at_ms <= 10 * DAY_MS
    assert (START + at_ms) % DAY_MS == 14 * HOUR_MS  # nine in New York
    assert "profile" not in found.notes[0]


def test_what_cannot_be_made_up_is_entered_by_hand(topology):
    found = preview(topology, "staff", Person(), START)
    assert sent(found) == [(HOUR_MS, "staff")]
    assert "by hand" in found.notes[0]


def test_a_contact_who_consents_to_nothing_gets_nothing(topology):
    found = preview(topology, "welcome", Person(consents=()), START)
    assert found.commands == ()
    assert {one.reason for one in found.path if one.kind == "suppressed"} == {"no_consent"}


def test_a_wait_says_where_each_way_leads(topology):
    found = preview(topology, "welcome", Person(), START)
    (waiting,) = [one for one in found.path if one.kind == "waiting"]
    said = waits_for(topology, waiting)
    assert said == "wait for clicked: yes → send-email-thanks, after 3d → send-email-again"
    assert waits_for(topology, found.path[0]) == ""


def test_made_up_properties_pass_the_events_own_check(topology):
    for event_type, check in topology.checks.items():
        if event_type in {"signed_up", "clicked"}:
            assert check(sample(topology, event_type, START)) is None
