"""Explaining: a contact's decisions from a run's outputs, and how things stood at any instant."""

from __future__ import annotations

import msgspec
import pytest

from processor.cli.gallery import folder
from processor.codec.outputs import decision_line
from processor.core.outputs import Decision
from processor.core.time import DAY_MS, parse_time
from processor.language import load_topology
from processor.runtime.explain import decisions_of, state_of
from processor.runtime.inspect import read_row, seen
from processor.store import StateError

EVENTS = [
    ("ana", "profile_updated", "2026-03-02T09:00:00Z", {"email": "ana@mail.example", "company": "Acme"}),
    ("ana", "consent_granted", "2026-03-02T09:00:00Z", {"purpose": "marketing"}),
    ("ana", "content_downloaded", "2026-03-02T10:00:00Z", {"title": "Guide"}),
    ("ben", "content_downloaded", "2026-03-02T10:30:00Z", {"title": "Guide"}),
    ("ana", "page_viewed", "2026-03-03T10:00:00Z", {"url": "/pricing"}),
    ("ana", "demo_requested", "2026-03-03T11:00:00Z", {}),
]


@pytest.fixture(scope="module", params=["jsonl", "avro"])
def ran(request, tmp_path_factory):
    from processor.runtime.embedded import RunOptions, run

    base = tmp_path_factory.mktemp(request.param)
    lines = [
        msgspec.json.encode(
            {"event_id": f"e-{n}", "contact_id": c, "type": t, "occurred_at": at, "properties": p}
        )
        for n, (c, t, at, p) in enumerate(EVENTS)
    ]
    events = base / "events.jsonl"
    events.write_bytes(b"\n".join(lines) + b"\n")
    topology = load_topology(folder() / "blueprints" / "lead-nurturing").topology
    run(
        RunOptions(
            topology=topology,
            sources=(str(events),),
            state=base / "state",
            out=base / "out",
            output=request.param,
            signals=False,
        )
    )
    return topology, base


def test_only_the_contacts_own_decisions_are_read(ran):
    _, base = ran
    for contact in ("ana", "ben"):
        moments = list(decisions_of(base / "out", contact))
        assert moments
        assert {one.contact_id for one in moments} == {contact}
    assert list(decisions_of(base / "out", "an")) == []


def test_a_torn_last_line_is_passed_over(tmp_path):
    line = decision_line(Decision("entered", "ana", 0, "p", 1, "e"))
    (tmp_path / "decisions.jsonl").write_bytes(line + b"\n" + line[:-20])
    assert [one.kind for one in decisions_of(tmp_path, "ana")] == ["entered"]


def test_no_record_is_an_error_and_not_an_empty_answer(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(decisions_of(tmp_path, "ana"))


def test_a_past_moment_is_as_it_was_known_then(ran):
    topology, base = ran
    moments = list(decisions_of(base / "out", "ana"))
    before = state_of(moments, parse_time("2026-03-02T12:00Z"), topology)
    (run,) = before.runs.values()
    assert (run.state, run.step, run.until_ms, run.commands) == (
        "inside",
        "hot-at-once",
        parse_time("2026-03-09T10:00Z"),
        1,
    )
    assert before.scores["engagement"].value == pytest.approx(15, abs=0.1)
    after = state_of(moments, parse_time("2026-03-03T12:00Z"), topology)
    assert after.scores["engagement"].grade == "hot"
    assert [cause.rule for cause in after.scores["engagement"].causes] == ["download", "pricing-page", "demo"]


def test_a_score_decays_until_the_instant_asked_for(ran):
    topology, base = ran
    moments = list(decisions_of(base / "out", "ben"))
    at_ms = parse_time("2026-03-02T10:30Z") + 30 * DAY_MS
    assert state_of(moments, at_ms, topology).scores["engagement"].value == 7.5
    assert state_of(moments, at_ms).scores["engagement"].value == 15  # without the model nobody knows


def test_the_state_of_the_record_is_the_state_of_the_row(ran):
    topology, base = ran
    data = read_row(base / "state", "ana")
    assert data is not None
    row = seen(topology, "ana", data)
    record = state_of(decisions_of(base / "out", "ana"), row.at_ms, topology)
    assert {name: value for name, value, _ in row.scores} == {
        name: one.value for name, one in record.scores.items()
    }
    assert row.profile["owner"]["team"] == "inbound-sales"
    assert [(name, granted) for name, granted, _ in row.consents] == [("marketing", True)]


def test_a_row_is_read_while_the_state_is_in_use(ran):
    from processor.store import open_rocks

    _, base = ran
    store = open_rocks(base / "state", partitions=8)
    try:
        assert read_row(base / "state", "ana") is not None
        assert read_row(base / "state", "nobody") is None
    finally:
        store.close()


def test_a_folder_without_a_state_is_refused(tmp_path):
    with pytest.raises(StateError, match="holds no state"):
        read_row(tmp_path, "ana")
