"""Each kind of step that a contact walks alone, through a scenario as a marketer writes it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from processor.language import load_scenarios, load_topology
from processor.runtime.preview import Person, preview
from processor.runtime.scenario import run_scenario
from processor.runtime.sentences import Moment, sentence

TOPOLOGY = """
topology: test
timezone: Europe/London
events:
  signed_up: {plan: string?}
  bought: {}
  email_opened: {}
  email_bounced: {}
profile: {email: string, phone: string}
purposes: {marketing: {consent: required}}
channels:
  email: {address: email, failed_by: email_bounced}
  sms: {address: phone}
  crm: {kind: task}
  erp: {kind: webhook, expires_after: 3h}
"""
HEAD = """
scenario: it
contact: {consent: [marketing], profile: {email: a@b.example}}
events:
  - {at: 2026-03-02 10:00, signed_up: {}}
"""


@pytest.fixture
def scenario(tmp_path):
    def go(steps, text, head=HEAD, more=""):
        (tmp_path / "programs").mkdir(exist_ok=True)
        (tmp_path / "topology.yaml").write_text(TOPOLOGY + dedent(more), encoding="utf-8")
        program = "program: p\npurpose: marketing\nentry: {on: signed_up}\nsteps:\n" + dedent(steps)
        (tmp_path / "programs" / "p.yaml").write_text(program, encoding="utf-8")
        (tmp_path / "programs" / "p.test.yaml").write_text(head + dedent(text), encoding="utf-8")
        loaded = load_topology(tmp_path)
        (one,) = load_scenarios(loaded)
        result = run_scenario(loaded.topology, one)
        assert [str(difference) for difference in result.differences] == []
        return result

    return go


def said(result):
    """What explain says of the path."""
    return [sentence(moment, lambda _: "…") for moment in result.path]


PARALLEL = """
  - parallel:
      mail: [{send: email, template: hello}, {wait: 3d}, {send: email, template: more}]
      bought: [{wait_for: bought}]
    until: first
  - {send: email, template: bye}
"""


def test_parallel_until_the_first_has_ended(scenario):
    result = scenario(
        PARALLEL,
        """
          - {at: 2026-03-03 12:00, bought: {}}
        expect:
          - {at: 2026-03-02 10:00, email: hello}
          - {at: 2026-03-03 12:00, email: bye}
        """,
    )
    assert "parallel-mail-bought: its branches run side by side" in said(result)
    assert "parallel-mail-bought: its first branch has ended, and the others end with it" in said(result)


def test_a_preview_answers_what_a_branch_waits_for(scenario, tmp_path):
    scenario(PARALLEL, "expect: [{email: hello}, {email: more}, {email: bye}]")
    seen = preview(load_topology(tmp_path).topology, "p", Person(), 1_772_445_600_000, respond=True)
    assert [command.template for command in seen.commands] == ["hello", "bye"]


def test_a_webhook_needs_no_consent_and_is_not_quiet(scenario):
    scenario(
        """
          - webhook: erp
            values: {plan: event.plan, line: "of {profile.email}"}
        """,
        """
        expect:
          - at: 2026-03-02 23:00
            erp: webhook
            expires: 2026-03-03 02:00
            values: {plan: basic, line: of a@b.example}
        """,
        head="""
scenario: it
contact: {profile: {email: a@b.example}}
events:
  - {at: 2026-03-02 23:00, signed_up: {plan: basic}}
""",
        more='policies: {quiet_hours: [{from: "21:00", to: "08:00"}], caps: [{at_most: 1, per: 30d}]}',
    )


def test_a_bounced_email_becomes_a_text_message(scenario):
    result = scenario(
        """
          - send: email
            template: receipt
            fallback: {to: sms, template: receipt-short, within: 1h}
        """,
        """
          - {at: 2026-03-02 10:20, email_bounced: {}}
        expect:
          - {at: 2026-03-02 10:00, email: receipt}
          - {at: 2026-03-02 10:20, sms: receipt-short}
        """,
        head=HEAD.replace("a@b.example}", 'a@b.example, phone: "+44"}'),
    )
    assert "goes to sms instead: the channel email has reported that it could not deliver" in said(result)


def test_nothing_is_sent_on_the_days_of_a_blackout(scenario):
    result = scenario(
        """
          - {send: email, template: hello, hold_at_most: 5d}
          - {send: email, template: skipped, when_quiet: skip}
        """,
        """
        expect:
          - {at: 2026-03-04 00:00, email: hello}
          - {at: 2026-03-04 00:00, email: skipped}
        held:
          - {at: 2026-03-02 10:00, step: send-email-hello, reason: "blackout:spring"}
        """,
        more="policies: {blackouts: {name: spring, from: 2026-03-01, to: 2026-03-03}}",
    )
    assert "email hello is held until …: the blackout spring" in said(result)


def test_three_days_after_an_earlier_step(scenario):
    scenario(
        """
          - {id: offer, send: email, template: offer}
          - {wait_for: bought, timeout: 2d}
          - wait: {after_step: offer, offset: 3d, at: "09:00"}
          - {send: email, template: last}
        """,
        """
        expect:
          - {at: 2026-03-02 10:00, email: offer}
          - {at: 2026-03-05 09:00, email: last}
        """,
    )


def test_the_contacts_own_best_hour(scenario):
    result = scenario(
        """
          - wait: {best_hour: email_opened, between: ["08:00", "20:00"], default: "10:00"}
          - {send: email, template: hello}
        """,
        "expect: [{at: 2026-03-05 17:00, email: hello}]",
        head="""
scenario: it
contact: {tz: America/New_York, consent: [marketing], profile: {email: a@b.example}}
events:
  - {at: 2026-03-02 17:10, email_opened: {}}
  - {at: 2026-03-03 17:59, email_opened: {}}
  - {at: 2026-03-04 08:30, email_opened: {}}
  - {at: 2026-03-04 20:30, signed_up: {}}
""",
    )
    waits = "waits at wait-best-hour-email-opened until … (the hour at which the contact is there most often)"
    assert waits in said(result)


def test_a_series_sends_what_the_contact_has_not_had(scenario):
    result = scenario(
        """
          - {series: email, every: 7d, pieces: [tip-1, tip-2, tip-3]}
          - {send: email, template: bye}
        """,
        """
        expect:
          - {at: 2026-03-02 10:00, email: tip-1, step: series-email}
          - {at: 2026-03-09 10:00, email: tip-2}
          - {at: 2026-03-16 10:00, email: tip-3}
          - {at: 2026-03-16 10:00, email: bye}
        """,
    )
    assert "series-email: there is no further piece that the contact has not had" in said(result)


def test_explain_says_how_a_split_by_best_performer_dealt():
    def of(detail):
        return sentence(Moment("split", "ana", 0, "p", 1, "e", "s", "bold", detail), str)

    results = {"plain": [120, 9], "bold": [118, 14]}
    counts = "plain 9 of 120, bold 14 of 118"
    assert of({}) == "s: the variant is bold"
    assert of({"dealt": "even"}) == "s: the variant is bold, dealt evenly: there are too few results yet"
    more = {"shares": {"plain": 11.2, "bold": 88.8}, "results": results}
    assert of({"dealt": "trial", **more}) == (
        f"s: the variant is bold, dealt evenly, as some go on trying all of them ({counts})"
    )
    assert of({"dealt": "best", **more}) == (
        f"s: the variant is bold, which now gets 88.8% by what each has brought ({counts})"
    )
