"""The gallery together through a simulated year, and what the checker says when something is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from processor.core.outputs import Decision
from processor.language import load_topology
from tests.simulation.year.checker import Checker
from tests.simulation.year.demo import replay
from tests.simulation.year.people import DAY_MS
from tests.simulation.year.rules import Rules
from tests.simulation.year.world import BEGIN_MS, DAYS, live

ROOT = Path(__file__).resolve().parents[2]
YEAR = ROOT / "topologies" / "year"
SHORT_DAYS = 75


def changed(folder: Path, old: str, new: str, where: str = "topology.yaml") -> Path:
    """A copy of the topology with a text changed in a file, or in all that match."""
    made = folder / "year"
    shutil.copytree(YEAR, made)
    files = [file for file in made.glob(where) if old in file.read_text(encoding="utf-8")]
    assert files, "the fault can be planted"
    for file in files:
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return made


def checked(folder: Path, contacts: int, days: int, checker: Checker | None = None) -> Checker:
    """Live with the topology in ``folder``; the checker goes by the files as they should be."""
    checker = checker or Checker(Rules(YEAR))
    live(load_topology(folder).topology, contacts, 7, checker, days)
    checker.finish(BEGIN_MS + days * DAY_MS)
    return checker


def test_the_gallery_is_together():
    programs = load_topology(YEAR).topology.programs
    gallery = {path.stem for path in (ROOT / "topologies" / "blueprints").glob("*/programs/*.yaml")}
    assert set(programs) <= gallery
    assert len(programs) >= 20


def test_a_year_without_a_fault():
    checker = checked(YEAR, 200, DAYS)
    assert dict(checker.samples) == {}
    assert checker.checked["messages"] > 2_000
    reasons = {text.split(" ")[1].split(":")[0] for text in checker.suppressed}
    assert reasons >= {
        "no_consent",
        "no_address",
        "quiet_hours",
        "blackout",
        "cap",
        "outranked",
        "audience",
        "budget",
    }


PLANTED = [
    ("above-cap", "at_most: 3, per: 7d", "at_most: 9, per: 7d", "topology.yaml"),
    ("above-cap", "at_most: 12, per: 30d", "at_most: 12, per: 3d", "topology.yaml"),
    ("above-budget", "amount: 12", "amount: 4000", "topology.yaml"),
    ("above-budget", "at_most: 3, per: month", "at_most: 120, per: month", "topology.yaml"),
    ("quiet", 'from: "21:00", to: "08:00"', 'from: "23:00", to: "05:00"', "topology.yaml"),
    ("into-quiet", 'to: "08:00", channels: [email, push]', 'to: "08:00", channels: [push]', "topology.yaml"),
    ("no-consent", "marketing: {consent: required}", "marketing: {consent: not_required}", "topology.yaml"),
    ("no-address", "address: email, failed_by: email_bounced", "failed_by: email_bounced", "topology.yaml"),
    ("sent-without-reason", "on: order_completed", "on: deal_won", "programs/welcome-series.yaml"),
    ("outranked", "{group: shop, value: 30}", "{group: shop, value: 90}", "programs/*.yaml"),
    ("entered-twice", "reenter: never", "reenter: after 1d", "programs/*.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "old", "new", "where"), PLANTED)
def test_a_rule_taken_out_of_the_topology_is_missed(tmp_path, rule, old, new, where):
    checker = checked(changed(tmp_path, old, new, where), 90, SHORT_DAYS)
    assert checker.violations[rule] > 0, dict(checker.violations)


class Tampering(Checker):
    """A checker that sees the outputs with one thing wrong in them."""

    def __init__(self, fault):
        super().__init__(Rules(YEAR))
        self.fault_name = fault
        self.last = None

    def command(self, command):
        super().command(command)
        if self.fault_name == "command-twice" and command.channel == "email":
            super().command(command)
        if self.fault_name == "sent-after-exit":
            self.last = command

    def decision(self, decision):
        fault, kind = self.fault_name, decision.kind
        if fault in {"stuck", "unknown-enrollment"} and kind == {"stuck": "exited"}.get(fault, "entered"):
            return
        if fault == "entry-unanswered" and kind == "not_entered":
            return
        if fault == "unexplained" and kind == "suppressed":
            decision = _with_reason(decision, "")
        if fault == "untrue-reason" and decision.reason == "no_consent":
            decision = _with_reason(decision, "no_address")
        super().decision(decision)
        if fault == "sent-after-exit" and kind == "exited" and self.last is not None:
            self.last.enrollment, self.last.decided_ms = decision.enrollment, decision.at_ms + 1
            super().command(self.last)


def _with_reason(decision: Decision, reason: str) -> Decision:
    return Decision(
        decision.kind, decision.contact_id, decision.at_ms, decision.program, decision.version,
        decision.enrollment, decision.step, reason, decision.detail,
    )  # fmt: skip


TAMPERED = [
    "command-twice", "entry-unanswered", "sent-after-exit", "stuck", "unexplained", "unknown-enrollment",
    "untrue-reason",
]  # fmt: skip


@pytest.mark.parametrize("fault", TAMPERED)
def test_an_output_that_is_wrong_is_found(fault):
    checker = checked(YEAR, 60, 45, Tampering(fault))
    assert checker.violations[fault] > 0, dict(checker.violations)


def test_the_demo_keeps_its_own_rules():
    """Real orders over months: the same checker, by the files of the demo; all of them by ``--demo``."""
    checker = replay(lambda contact: contact.startswith("web-") or contact[-2:] in {"05", "57"})
    assert dict(checker.samples) == {}
    assert checker.checked["messages"] > 50
