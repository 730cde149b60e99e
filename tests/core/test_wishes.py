"""Small words of the language: constants, finish, grant and withdraw, zones of clock functions, days."""

from __future__ import annotations

import pytest

from processor.core.history import series_key
from processor.core.time import parse_time
from processor.language import LanguageError, load_topology
from processor.language.graph_caption import caption
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
timezone: Europe/London
events: {seen: {n: integer?}, bought: {}, answered: {}}
profile: {email: string, country: string}
purposes:
  service: {consent: not_required}
  marketing: {consent: required}
channels: {email: {}, sms: {}}
"""


def play(folder, text, log, base=BASE, **more):
    small = topology(folder, text, base)
    commands, decisions, store, _ = run(log, 1, topology=small, **more)
    return commands, decisions, store


def templates(commands):
    return [(c.template, (c.decided_ms - START_MS) / HOUR_MS) for c in commands]


# ----------------------------------------------------------------------------------------------- constants


def test_constants_of_a_program(tmp_path):
    text = """
    let: {least: 2 * 0 + 3, who: "'Ana'", lands: '["GB", "IE"]', soon: duration("2h"), on: true}
    """.replace("2 * 0 + 3", "3")
    text += """
    entry: {on: seen, if: event.n >= let.least and let.on and not (profile.country in let.lands)}
    audience: {only: let.who == "Ana"}
    goal: {when: 'count("seen", where=event.n > let.least) >= let.least', within: 9d}
    exit: [{when: let.least == 4}]
    steps:
      - wait: {until: now + let.soon}
      - {send: email, template: a, purpose: service, values: {who: let.who, text: "of {let.least}"}}
    """
    commands, _, _ = play(
        tmp_path, text, [event("seen", 0, n=2), event("seen", 1, n=3)], until_ms=START_MS + 9 * HOUR_MS
    )
    assert [(c.values, (c.decided_ms - START_MS) / HOUR_MS) for c in commands] == [
        ({"who": "Ana", "text": "of 3"}, 3)
    ]


def test_constants_of_one_name_in_two_programs_are_two_histories(tmp_path):
    program = "let: {least: N}\nentry: {on: bought, if: 'count(\"seen\", where=event.n > let.least) >= 1'}\n"
    program += "steps: [{send: email, template: tN, purpose: service}]\n"
    topology(tmp_path, program.replace("N", "1"), BASE)
    (tmp_path / "programs" / "q.yaml").write_text(
        "program: q\npurpose: service\n" + program.replace("N", "5")
    )
    both = load_topology(tmp_path).topology
    keys = {spec.key for spec in both.reactions["seen"].series}
    assert keys == {series_key("seen", "event.n > 1"), series_key("seen", "event.n > 5")}
    commands, _, _, _ = run([event("seen", 0, n=3), event("bought", 1)], 1, topology=both)
    assert templates(commands) == [("t1", 1)]


@pytest.mark.parametrize(
    ("let", "condition", "message"),
    [
        ("{a: event.n}", "true", "there is no event here"),
        ("{a: now}", "true", "this is no constant"),
        ("{a: 1, b: let.a}", "true", "there is no constant a"),
        ("{a: 1}", "event.n > let.b", "there is no constant b"),
        ("{a: 1}", "let.a.b > 1", "let.a has no members"),
        ("{a: \"'x'\"}", "event.n > let.a", ""),
    ],
)
def test_mistakes_with_constants(tmp_path, let, condition, message):
    text = f"let: {let}\nentry: {{on: seen, if: '{condition}'}}\nsteps: [{{wait: 1d}}]\n"
    with pytest.raises(LanguageError) as found:
        topology(tmp_path, text, BASE)
    (problem,) = found.value.problems
    assert message in problem.message


# -------------------------------------------------------------------------------------------------- finish


def test_finish_ends_the_steps_and_the_goal_still_counts(tmp_path):
    text = """
    entry: {on: seen}
    goal: {on: bought, within: 30d}
    steps:
      - parallel:
          mail: [{wait: 1h}, finish]
          text: [{wait: 3h}, {send: sms, template: never, purpose: service}]
      - {send: email, template: never, purpose: service}
    """
    commands, decisions, _ = play(
        tmp_path, text, [event("seen", 0), event("bought", 48)], until_ms=START_MS + 99 * HOUR_MS
    )
    assert commands == []
    said = [(d.kind, d.reason, (d.at_ms - START_MS) / HOUR_MS) for d in decisions]
    assert [one for one in said if one[0] in {"completed", "exited", "goal"}] == [
        ("completed", "", 1),
        ("goal", "bought", 48),
    ]


def test_finish_without_a_goal_ends(tmp_path):
    text = "entry: {on: seen}\nreenter: always\n"
    text += "steps: [{decide: [{if: event.n == 1, steps: [finish]}]}, {wait: 1h}]\n"
    _, decisions, _ = play(tmp_path, text, [event("seen", 0, n=1), event("seen", 1, n=2)])
    assert [
        (d.kind, (d.at_ms - START_MS) / HOUR_MS) for d in decisions if d.kind in {"completed", "waiting"}
    ] == [
        ("completed", 0),
        ("waiting", 1),
    ]


# ------------------------------------------------------------------------------------------------- consent

CONSENT = """
    entry: {on: seen}
    steps:
      - {grant: marketing, channel: sms, text: said yes on the phone}
      - {send: sms, template: a}
      - wait: 1h
      - withdraw: marketing
      - {send: sms, template: b, purpose: marketing}
    """


def test_a_program_grants_and_withdraws(tmp_path):
    text = CONSENT.replace("template: a}", "template: a, purpose: marketing}")
    topology(tmp_path, text, BASE)
    other = "program: q\nentry: {on: consent_withdrawn, if: event.by == 'program p'}\n"
    other += "steps: [{send: email, template: sorry, purpose: service}]\n"
    (tmp_path / "programs" / "q.yaml").write_text(other)
    from processor.language import load_topology

    both = load_topology(tmp_path).topology
    commands, decisions, _, _ = run([event("seen", 0)], 1, topology=both, until_ms=START_MS + 9 * HOUR_MS)
    assert templates([c for c in commands if c.kind == "send"]) == [("a", 0), ("sorry", 1)]
    assert [d.reason for d in decisions if d.kind == "suppressed"] == ["no_consent"]
    consented = [d for d in decisions if d.kind == "consented"]
    assert [d.reason for d in consented] == ["granted", "withdrawn"]
    assert (consented[0].detail or {})["text"] == "said yes on the phone"


# --------------------------------------------------------------------------------------------- clock, days


def at(text, kind="seen", **properties):
    return event(kind, (parse_time(text) - START_MS) / HOUR_MS, **properties)


@pytest.mark.parametrize(
    ("condition", "when", "holds"),
    [
        ('hour(zone="Asia/Tokyo") == 8', "2026-04-01T23:30:00Z", True),
        ('hour(zone="Asia/Tokyo") == 8', "2026-04-01T08:30:00Z", False),
        ('weekday(zone="Asia/Tokyo") == "thu"', "2026-04-01T23:30:00Z", True),
        ('weekday() == "thu"', "2026-04-01T22:30:00Z", False),
        ('today(zone="Asia/Tokyo") == date("2026-04-02")', "2026-04-01T23:30:00Z", True),
        ('today("America/New_York") == date("2026-04-01")', "2026-04-02T03:30:00Z", True),
    ],
)
def test_the_clock_of_another_zone(tmp_path, condition, when, holds):
    text = (
        f"entry: {{on: seen, if: '{condition}'}}\nsteps: [{{send: email, template: a, purpose: service}}]\n"
    )
    commands, _, _ = play(tmp_path, text, [at(when)])
    assert bool(commands) is holds


def test_a_wait_on_the_clock_of_another_zone_looks_again_when_it_turns(tmp_path):
    text = """
    entry: {on: seen}
    steps: [{wait_until: 'hour(zone="Asia/Tokyo") >= 9'}, {send: email, template: a, purpose: service}]
    exit: [{after: 5d}]
    """
    log = [at("2026-04-01T20:10:00Z")]
    commands, _, _ = play(tmp_path, text, log, until_ms=parse_time("2026-04-03T00:00:00Z"))
    assert [c.decided_ms for c in commands] == [parse_time("2026-04-02T00:00:00Z")]


def test_a_zone_that_is_none(tmp_path):
    text = "entry: {on: seen, if: 'hour(zone=\"Asia/Tokio\") > 1'}\nsteps: [{wait: 1d}]\n"
    with pytest.raises(LanguageError, match="Tokio"):
        topology(tmp_path, text, BASE)


@pytest.mark.parametrize(
    ("wait", "due"),
    [
        # 1 April 2026 is a Wednesday, and London is an hour ahead of UTC.
        ("{after_step: first, offset: 3d, at: '09:00', days: [mon, tue]}", "2026-04-06T08:00:00Z"),
        ("{after_step: first, offset: 3d, days: [mon, tue]}", "2026-04-06T12:00:30Z"),
        ("{after_step: first, offset: 5d, days: [mon]}", "2026-04-06T12:00:30Z"),
        ("{until: 'date(\"2026-04-04\")', at: '10:00', days: [sun]}", "2026-04-05T09:00:00Z"),
        ("{until: 'date(\"2026-03-20\")', days: [sun]}", "2026-04-01T12:00:30Z"),
    ],
)
def test_days_after_a_step_and_after_a_date(tmp_path, wait, due):
    text = f"""
    entry: {{on: seen}}
    steps:
      - {{id: first, send: email, template: a, purpose: service}}
      - wait: {wait}
      - {{send: email, template: b, purpose: service}}
    """
    commands, _, _ = play(
        tmp_path, text, [at("2026-04-01T12:00:30Z")], until_ms=parse_time("2026-05-01T00:00:00Z")
    )
    assert [c.decided_ms for c in commands if c.template == "b"] == [parse_time(due)]


def test_drawings_say_on_which_days_and_that_a_split_moves(tmp_path):
    text = """
    entry: {on: seen}
    goal: {on: bought}
    steps:
      - {id: first, wait: 1h}
      - wait: {after_step: first, offset: 3d, at: '09:00', days: [mon, tue, wed, thu, fri]}
      - wait: {until: 'date("2026-12-24")', days: [sat]}
      - split: {a: {}, b: {}}
        best_by: goal
      - wait: {at: '10:00', days: [sun], zone: Asia/Tokyo}
    """
    captions = [caption(node) for node in topology(tmp_path, text, BASE).programs["p"].nodes.values()]
    assert [(one.heading, one.detail) for one in captions[1:]] == [
        ("wait until", "at 09:00 on weekdays"),
        ("wait until", "on Sat"),
        ("split by best", ""),
        ("wait until", "on Sun in Asia/Tokyo"),
    ]
