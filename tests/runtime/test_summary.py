"""The report's counts are those that anybody finds by counting the outputs."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from processor.cli.reports import report_json, report_tables
from processor.core.rows import Row
from processor.runtime.summary import Tallies, contacts_by_grade
from processor.store import Changes, MemoryStore
from tests.runtime.harness import events, json_lines, lines, outputs, run_here, topology


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A report after three runs over a growing list, and all outputs."""
    base = tmp_path_factory.mktemp("summary")
    names: list[Path] = []
    reports = []
    for number in range(3):
        path = base / f"{number}.jsonl"
        path.write_bytes(lines(events(6_000)[number * 2_000 : number * 2_000 + 2_000]))
        names.append(path)
        reports.append(run_here(base, *names, chunk_records=700))
    found = outputs(base)
    decisions = json_lines(found["decisions.jsonl"])
    commands = [c for name, data in found.items() if name.startswith("commands") for c in json_lines(data)]
    return reports[-1], decisions, commands


def test_totals_are_those_of_the_outputs(ran):
    report, decisions, commands = ran
    assert report.events == report.applied == 6_000
    assert report.run_records == 2_000
    assert report.decisions == dict(sorted(Counter(d["kind"] for d in decisions).items()))
    assert report.commands == dict(sorted(Counter(c["channel"] for c in commands).items()))
    assert report.suppressed == Counter(d["reason"] for d in decisions if d["kind"] == "suppressed")
    assert list(report.suppressed.values()) == sorted(report.suppressed.values(), reverse=True)
    assert report.late == report.decisions["late"] > 0
    assert report.events_per_second > 0


def test_a_funnel_counts_one_program(ran):
    report, decisions, commands = ran
    assert list(report.funnels) == list(topology().programs)
    for name, funnel in report.funnels.items():
        mine = [d for d in decisions if d["program"] == name]
        kinds = Counter(d["kind"] for d in mine)
        assert (funnel.entered, funnel.holdout, funnel.completed) == (
            kinds["entered"], kinds["holdout"], kinds["completed"]
        )  # fmt: skip
        assert (funnel.goal, funnel.observed_out) == (kinds["goal"], kinds["observed_out"])
        assert funnel.exited == Counter(d["reason"] for d in mine if d["kind"] == "exited")
        assert funnel.not_entered == Counter(d["reason"] for d in mine if d["kind"] == "not_entered")
        sent = sum(step.get("commanded", 0) for step in funnel.steps.values())
        assert sent == sum(c["program"] == name for c in commands)
        assert set(funnel.steps) >= set(topology().programs[name].nodes)
    assert report.funnels["cart"].steps["send-email-cart-reminder"]["commanded"] > 0


def test_grades_sum_up_to_the_contacts(ran):
    report, decisions, _ = ran
    assert set(report.grades) == {"engagement", "fit", "churn", "interest"}
    for grades in report.grades.values():
        assert sum(grades.values()) == report.contacts
    departed = sum(d["kind"] == "merged" and d["reason"] == "departed" for d in decisions)
    assert departed > 0
    # Follow each contact's grade through the record: merged contacts hand theirs over and count no more.
    fit = {str(d["contact_id"]): "low" for d in decisions}
    for decision in decisions:
        if decision["kind"] == "graded" and decision["detail"]["score"] == "fit":
            fit[decision["contact_id"]] = decision["detail"]["to"]
        elif decision["kind"] == "merged" and decision["reason"] == "departed":
            fit.pop(decision["contact_id"], None)
    assert report.grades["fit"]["high"] == sum(grade == "high" for grade in fit.values())


def test_a_contact_without_a_score_has_the_first_grade_and_an_alias_none():
    store = MemoryStore(2)
    alias = Row.new(0)
    alias.alias = "other"
    rows: dict[str, bytes | None] = {"never-scored": Row.new(0).encode(), "gone": alias.encode()}
    store.commit({1: Changes(rows=rows)}, b"")
    contacts, grades = contacts_by_grade(topology(), [store.partition(0), store.partition(1)])
    assert contacts == 1
    assert grades == {
        "engagement": {"cold": 1, "warm": 0, "hot": 0},
        "fit": {"low": 1, "high": 0},
        "churn": {"low": 1, "high": 0},
        "interest": {"none": 1, "some": 0},
    }


def test_tallies_start_from_nothing_each():
    one, other = Tallies(), Tallies()
    one.refuse("not_json")
    assert other.refused == {}


def test_a_stopped_run_says_nothing_of_contacts_that_it_did_not_count(ran):
    report, _, _ = ran
    for outcome, shown in (("finished", True), ("stopped", False)):
        one = msgspec.structs.replace(report, outcome=outcome)
        text = io.StringIO()
        for part in report_tables(one):
            Console(file=text, width=120).print(part)
        rows = [line.split() for line in text.getvalue().splitlines()]
        assert any(row[:1] == ["contacts"] and len(row) == 2 for row in rows) == shown
        assert report_json(one)["contacts"] == (report.contacts if shown else None)
