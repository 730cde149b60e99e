"""Imported events count and start nothing, each once, whatever else goes on."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.rows import Row
from processor.core.time import DAY_MS, format_time
from processor.language import load_topology
from tests.core.lagging import Lagging
from tests.core.logs import HOUR_MS, START_MS, everything, logs, run
from tests.core.test_identity import told

TOPOLOGY = """\
topology: t
timezone: UTC
events: {seen: {seconds: number?}, bought: {value: number}}
profile: {first_name: string, birthday: date}
purposes:
  marketing: {consent: required}
  service: {consent: not_required}
channels: {push: {}}
lists: [vip]
scores:
  interest:
    grades: {cold: 0, hot: 50}
    rules:
      - {on: seen, add: 10, cap: {points: 20, per: 1d}}
      - {on: bought, add: event.value}
segments:
  readers: count("seen", within="30d") >= 3
  buyers: happened("bought")
policies:
  caps: [{name: two, at_most: 2, per: 7d}]
"""
LINES = itertools.count(1)


def made(folder, program):
    (folder / "programs").mkdir()
    (folder / "topology.yaml").write_text(TOPOLOGY)
    (folder / "programs" / "p.yaml").write_text(f"program: p\npurpose: service\n{program}\n")
    return load_topology(folder).topology


def old(kind, days, contact="ana", line=0, file="f", **props):
    """An event of so many days before the start, which is the cutover."""
    line = line or next(LINES)
    at = format_time(START_MS - int(days * DAY_MS))
    event = told("imported", contact, 0, type=kind, properties=props, at=at, file=file, line=line)
    event.event_id = f"import-{file}-{line}"
    return event


def row_of(store, contact="ana"):
    (data,) = store.partition(0).get_many([contact])
    assert data is not None
    return Row.decode(data)


SEND = "steps: [{send: push, template: hello}]"
STARTS = [
    "entry: {on: seen}",
    "entry: {segment: readers}",
    "entry: {segment: buyers}",
    "entry: {score: interest, reaches: 30}",
    "entry: {grade: interest, becomes: hot}",
    "entry: {inactive: 5d}",
    'entry: {date: profile.birthday, at: "09:00", yearly: true}',
    "entry: {on: [consent_granted, list_joined]}",
]
PAST = [
    old("profile_updated", 400, birthday="1990-03-20", first_name="Ana"),
    old("consent_granted", 390, purpose="marketing"),
    old("list_joined", 300, list="vip"),
    *[old("seen", 20 - n, seconds=3) for n in range(4)],
    old("bought", 9, value=40),
]


@pytest.mark.parametrize("entry", STARTS)
def test_what_is_imported_starts_nothing_then_or_at_the_cutover(tmp_path, entry):
    topology = made(tmp_path, f"{entry}\nreenter: always\n{SEND}")
    commands, decisions, store, _ = run(PAST, 1, until_ms=START_MS + HOUR_MS, topology=topology)
    assert commands == []
    assert {d.kind for d in decisions} <= {"scored", "graded", "segment_entered", "segment_left", "consented"}
    row = row_of(store)
    assert row.clock_ms == START_MS
    assert row.attributes == {"birthday": "1990-03-20", "first_name": "Ana"}
    assert {name for name in row.lists if name[0] != "\1"} == {"vip"}
    answer = row.consents.get("marketing")
    assert answer is not None
    assert (answer.granted, answer.at_ms) == (True, START_MS - 390 * DAY_MS)
    assert set(row.segments) == {"readers", "buyers"}
    score = row.scores.get("interest")
    assert score is not None
    assert (score.value, score.grade) == (80, "hot")  # each day's cap is its own


def test_what_is_due_after_the_cutover_acts(tmp_path):
    topology = made(tmp_path, f"entry: {{inactive: 12d}}\n{SEND}")
    commands = run(PAST, 1, until_ms=START_MS + 9 * DAY_MS, topology=topology)[0]
    assert [c.decided_ms for c in commands] == [START_MS + 3 * DAY_MS]  # twelve days after the purchase


def test_a_live_event_stands_on_what_was_imported(tmp_path):
    topology = made(tmp_path, f'entry: {{on: seen, if: \'count("seen", within="30d") >= 5\'}}\n{SEND}')
    commands = run([*PAST, told("seen", "ana", 5)], 1, topology=topology)[0]
    assert [c.decided_ms for c in commands] == [START_MS + 5]


def test_a_file_that_is_imported_again_changes_nothing(tmp_path):
    topology = made(tmp_path, f"entry: {{on: seen}}\n{SEND}")
    once = row_of(run(PAST, 1, topology=topology)[2])
    _, decisions, store, _ = run([*PAST, told("seen", "ana", 1), *PAST], 1, topology=topology)
    twice = row_of(store)
    seen, again = once.history.get("seen"), twice.history.get("seen")
    assert seen is not None
    assert again is not None
    assert again.total == seen.total + 1
    assert sum(d.kind == "duplicate" for d in decisions) == len(PAST)


def test_sends_and_enrollments_of_before_bind_the_policies(tmp_path):
    topology = made(tmp_path, f"entry: {{on: seen}}\nreenter: after 10d\n{SEND}")
    past = [
        old("past_send", 2, channel="push", purpose="service"),
        old("past_send", 3, channel="push", purpose="service"),
        old("past_enrollment", 40, "bo", program="p", ended_at=format_time(START_MS - 3 * DAY_MS)),
        old("past_enrollment", 40, "cy", program="p", ended_at=format_time(START_MS - 30 * DAY_MS)),
    ]
    log = [*past, *[told("seen", name, 1) for name in ("ana", "bo", "cy")]]
    commands, decisions, _, _ = run(log, 1, topology=topology)
    assert [c.contact_id for c in commands] == ["cy"]
    assert [(d.contact_id, d.reason) for d in decisions if d.kind in {"suppressed", "not_entered"}] == [
        ("ana", "cap:two"), ("bo", "reenter_too_soon"),
    ]  # fmt: skip


def test_scores_of_before_are_set(tmp_path):
    topology = made(tmp_path, f"entry: {{score: interest, reaches: 30}}\n{SEND}")
    log = [old("past_score", 5, score="interest", value=25), told("seen", "ana", 1)]
    commands, _, store, _ = run(log, 1, topology=topology)
    score = row_of(store).scores.get("interest")
    assert score is not None
    assert score.value == 35
    assert len(commands) == 1  # the threshold is crossed by what is live


def test_a_running_enrollment_hears_nothing_of_what_is_imported(tmp_path):
    program = "entry: {on: seen}\nexit: [bought]\nsteps: [{wait: 1d}, {send: push, template: hello}]"
    log = [told("seen", "ana", 0), old("bought", -0.1, value=1)]
    commands = run(log, 1, until_ms=START_MS + 3 * DAY_MS, topology=made(tmp_path, program))[0]
    assert len(commands) == 1


@pytest.mark.parametrize("partitions", [2, 8])
@given(seed=st.integers(0, 1 << 30))
def test_imported_identities_merge_and_lines_count_once_at_any_lag(partitions, seed):
    past = [
        old("page_viewed", 9, "anon-1", line=1, url="/"),
        old("page_viewed", 8, "ana", line=2, url="/"),
        old("contact_identified", 7, "ana", line=3, anonymous_id="anon-1"),
        old("page_viewed", 6, "anon-1", line=4, url="/"),
        old("page_viewed", 5, "ana", line=5, url="/"),
    ]
    live = Lagging(everything(), partitions, seed)
    live.run([*past, *past], START_MS)
    row = live.row(live.root("anon-1"))
    assert row is not None
    series = row.history.get("page_viewed")
    assert series is not None
    assert series.total == 4
    assert live.commands == []
    assert not [d for d in live.decisions if d.kind in {"entered", "holdout", "not_entered"}]


@given(log=logs())
def test_any_log_can_be_imported_and_starts_nothing(log):
    kinds = {"contact_added"}
    past = [
        old(event.type, (START_MS - event.occurred_ms) / DAY_MS + 90, event.contact_id, **event.properties)
        for event in log
        if event.type not in kinds
    ]
    commands, decisions, _, _ = run(past, 2, until_ms=START_MS, topology=everything())
    assert commands == []
    assert not [d for d in decisions if d.enrollment]
