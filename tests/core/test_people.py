"""Hand-overs: territories, the contact's own rep, owners, what a person is told, where answers go."""

from __future__ import annotations

import pytest

from processor.core.handover import CONTEXT_MAX
from processor.core.relations import names_of
from processor.core.rows import Row
from processor.core.time import format_time
from processor.language import LanguageError
from processor.runtime.sentences import of_decision, sentence
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
events:
  seen: {n: integer?, note: string?, lines: list?}
profile: {country: string, owner: map}
purposes: {service: {consent: not_required}}
channels: {email: {}, crm: {kind: task}, slack: {kind: alert}}
teams:
  uk: {channel: crm, members: [{name: ana, email: ana@s.example, phone: "+44"}, ben]}
  world: {channel: slack, members: [cem, {name: dua, email: dua@s.example}]}
scores:
  heat: {grades: {cold: 0, hot: 10}, rules: [{on: seen, add: 4, name: look}]}
"""


def play(folder, steps, log, base=BASE):
    small = topology(folder, f"entry: {{on: seen}}\nreenter: always\nsteps:\n{steps}", base)
    commands, decisions, store, _ = run(log, 1, topology=small)
    row = Row.decode(store.partition(0).get_many(["ana"])[0] or b"")
    return commands, decisions, row


def lives(country, hours=0.0, **more):
    return event("profile_updated", hours, country=country, **more)


TERRITORIES = """
  - route:
      - {if: profile.country == "GB", to: uk, member: ana}
      - {if: 'profile.country in ["IE", "FR"]', to: uk}
      - {to: world}
    because: "{event.n}"
    due: 2d
"""


def test_the_first_territory_that_holds_gets_the_contact(tmp_path):
    log = [lives("GB"), event("seen", 1, n=1), lives("FR", 2), event("seen", 3, n=2), lives("DE", 4)]
    commands, _, row = play(tmp_path, TERRITORIES, [*log, event("seen", 5, n=3)])
    assert [(c.channel, c.kind, c.values) for c in commands] == [
        (
            "crm",
            "route",
            {
                "team": "uk",
                "owner": "ana",
                "because": "1",
                "to": {"email": "ana@s.example", "phone": "+44"},
                "due": format_time(START_MS + 49 * HOUR_MS),
            },
        ),
        (
            "crm",
            "route",
            {
                "team": "uk",
                "owner": "ana",
                "because": "2",
                "to": {"email": "ana@s.example", "phone": "+44"},
                "due": format_time(START_MS + 51 * HOUR_MS),
            },
        ),
        (
            "slack",
            "route",
            {"team": "world", "owner": "cem", "because": "3", "due": format_time(START_MS + 53 * HOUR_MS)},
        ),
    ]
    assert row.attributes["owner"] == {"name": "cem", "team": "world"}


def test_who_belongs_to_no_territory_goes_to_nobody_and_that_is_on_the_record(tmp_path):
    steps = (
        "  - route: [{if: profile.country == 'GB', to: uk}]\n  - {send: email, template: x, purpose: service}"
    )
    commands, decisions, row = play(tmp_path, steps, [event("seen", 1)])
    assert [c.kind for c in commands] == ["send"]
    assert "owner" not in row.attributes
    (found,) = [d for d in decisions if d.reason == "no_territory"]
    assert sentence(of_decision(found), str).endswith(
        "the contact belongs to no territory, so nobody was asked"
    )


def test_the_own_rep_stays_where_a_member_and_the_turn_is_not_used_up(tmp_path):
    steps = "  - {route: uk, by: owner}\n"
    log = [
        lives("GB", owner={"name": "ben", "team": "uk"}),
        event("seen", 1),
        event("seen", 2),
        lives("GB", 3, owner={"name": "eva", "team": "world"}),
        event("seen", 4),
    ]
    commands, decisions, row = play(tmp_path, steps, log)
    assert [c.values["owner"] for c in commands] == ["ben", "ben", "ana"]
    kept = [d for d in decisions if d.reason == "owner_kept"]
    assert [d.detail for d in kept] == [{"owner": "ben", "team": "uk"}] * 2
    assert sentence(of_decision(kept[0]), str).endswith("the contact stays with ben of uk")
    assert row.attributes["owner"]["name"] == "ana"


def test_assign_gives_an_owner_and_tells_nobody(tmp_path):
    steps = "  - assign: {to: uk, member: ben}\n  - assign: world\n  - {assign: uk, by: owner}\n"
    commands, decisions, row = play(tmp_path, steps, [event("seen", 1)])
    assert commands == []
    assert row.attributes["owner"] == {
        "name": "ana",
        "team": "uk",
        "email": "ana@s.example",
        "phone": "+44",
    }
    assigned = [d for d in decisions if d.reason == "assigned"]
    assert [d.detail["owner"] for d in assigned] == ["ben", "cem", "ana"]
    assert [d.step for d in assigned] == ["assign-uk", "assign-world", "assign-uk-2"]
    assert sentence(of_decision(assigned[0]), str).endswith("the contact is given to ben of uk")


def test_answers_go_to_the_owner_as_the_team_has_them_now(tmp_path):
    steps = "  - {send: email, template: x, purpose: service, reply_to: owner, values: {n: event.n}}\n"
    log = [
        event("seen", 0, n=1),
        lives("GB", 1, owner={"name": "dua", "team": "world", "email": "old@s.example"}),
        event("seen", 2, n=2),
        lives("GB", 3, owner={"name": "gone", "team": "world", "email": "gone@s.example"}),
        event("seen", 4, n=3),
        lives("GB", 5, owner={"name": "cem", "team": "world"}),
        event("seen", 6, n=4),
    ]
    commands, _, _ = play(tmp_path, steps, log)
    assert [c.values for c in commands] == [
        {"n": 1, "reply_to": None},
        {"n": 2, "reply_to": {"name": "dua", "email": "dua@s.example"}},
        {"n": 3, "reply_to": {"name": "gone", "email": "gone@s.example"}},
        {"n": 4, "reply_to": {"name": "cem"}},
    ]


def test_a_person_is_told_scores_points_and_events(tmp_path):
    steps = "  - {alert: slack, message: hi, context: true, due: 1h}\n"
    log = [event("seen", n, n=n, note="x" * 300, lines=[1]) for n in range(7)]
    commands, _, row = play(tmp_path, steps, log)
    first, last = commands[0].values, commands[-1].values
    assert first["due"] == format_time(START_MS + HOUR_MS)
    assert first["context"] == {
        "scores": {"heat": {"value": 4, "grade": "cold"}},
        "points": [{"at": format_time(START_MS), "score": "heat", "rule": "look", "points": 4, "after": 4}],
        "events": [{"at": format_time(START_MS), "event": "seen", "properties": {"n": 0, "note": "x" * 100}}],
    }
    assert last["context"]["scores"] == {"heat": {"value": 28, "grade": "hot"}}
    assert [one["after"] for one in last["context"]["points"]] == [28, 24, 20, 16, 12]
    assert [one["properties"]["n"] for one in last["context"]["events"]] == [6, 5, 4, 3, 2]
    assert len(last["context"]["events"]) == CONTEXT_MAX
    assert names_of(row.history) == ["~events", "~points"]


def test_points_of_a_step_are_told_too(tmp_path):
    steps = "  - {score: heat, add: 20}\n  - {route: uk, context: true}\n"
    commands, _, _ = play(tmp_path, steps, [event("seen", 0)])
    assert [one["after"] for one in commands[0].values["context"]["points"]] == [24, 4]


def test_without_context_nothing_of_it_is_remembered(tmp_path):
    _, _, row = play(tmp_path, "  - {alert: slack, message: hi}\n", [event("seen", 0)])
    assert names_of(row.history) == []


@pytest.mark.parametrize(
    ("steps", "rule"),
    [
        ("  - route: [{to: uk}, {if: profile.country == 'GB', to: world}]\n", "territory-order"),
        ("  - assign: {to: uk, member: cem}\n", "unknown-member"),
        ("  - assign: {to: nowhere, member: cem}\n", "unknown-team"),
        ("  - {send: email, template: x, reply_to: boss}\n", "bad-choice"),
        ("  - {send: email, template: x, reply_to: owner, values: {reply_to: event.n}}\n", "bad-name"),
    ],
)
def test_mistakes(tmp_path, steps, rule):
    with pytest.raises(LanguageError) as found:
        play(tmp_path, steps, [])
    assert [problem.rule for problem in found.value.problems] == [rule]
