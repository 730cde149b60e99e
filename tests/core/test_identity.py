"""Two contacts become one, in every order and at any lag: a model of the rules, and invariants."""

from __future__ import annotations

import itertools
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.events import Event
from processor.core.ids import fingerprint
from processor.core.lifecycle import PENDING
from processor.core.model import Topology
from processor.core.named import GRANTED
from processor.core.outputs import Command, Decision
from processor.core.rows import Row
from processor.core.time import DAY_MS
from processor.language import load_topology
from tests.core.lagging import Lagging
from tests.core.logs import HOUR_MS, START_MS, everything, logs

PARTITIONS = [1, 2, 8]
IDS = ["anon-1", "anon-2", "b-1", "b-2", "c-1", "c-2", "z"]
LATER_MS = 60 * DAY_MS


@cache
def merging() -> Topology:
    return load_topology(Path(__file__).parents[1] / "fixtures" / "merging").topology


FACTS = st.one_of(
    st.just(("seen", {})),
    st.just(("seen", {})),
    st.integers(1, 9).map(lambda value: ("bought", {"value": value})),
    st.sampled_from(["ana", "bo"]).map(lambda name: ("profile_updated", {"first_name": name})),
    st.sampled_from(["GB", "MX"]).map(lambda name: ("profile_updated", {"country": name})),
    st.sampled_from(["vip", "news"]).map(lambda name: ("list_joined", {"list": name})),
    st.sampled_from([{"purpose": "marketing"}, {"purpose": "marketing", "channel": "email"}]).map(
        lambda answer: ("consent_granted", answer)
    ),
    st.sampled_from([{"purpose": "marketing"}, {"purpose": "marketing", "channel": "email"}, {}]).map(
        lambda answer: ("consent_withdrawn", answer)
    ),
)
MERGES = st.sampled_from(IDS).flatmap(
    lambda other: st.sampled_from(
        [("contacts_merged", {"other_id": other})] * 2 + [("contact_identified", {"anonymous_id": other})]
    )
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.one_of(FACTS, FACTS, MERGES),
        st.sampled_from([1, 1, 1_000, HOUR_MS, 30 * HOUR_MS]),
    ),
    min_size=1,
    max_size=40,
)


def events_of(steps: list[tuple[str, tuple[str, dict[str, Any]], int]]) -> list[Event]:
    """A log in which every event has an instant of its own."""
    made = []
    at_ms = START_MS
    for number, (contact, (kind, props), gap_ms) in enumerate(steps):
        at_ms += gap_ms
        name = f"e-{number}"
        made.append(Event(name, contact, kind, at_ms, props, fingerprint(name.encode())))
    return made


class Model:
    """What the rules say of people whose ids are known: nothing of partitions, messages, aliases or rows."""

    def __init__(self, log: list[Event], decisions: list[Decision]) -> None:
        self.of = {contact: {contact} for contact in {event.contact_id for event in log}}
        for decision in decisions:  # which of the identifications were refused depends on the lag
            if decision.kind == "merged" and decision.reason == "departed":
                self._unite(decision.contact_id, (decision.detail or {})["into"])
        self.events = log

    def _unite(self, one: str, other: str) -> None:
        both = self.of.setdefault(one, {one}) | self.of.setdefault(other, {other})
        for contact in both:
            self.of[contact] = both

    def facts(self, contact: str, kind: str) -> list[Event]:
        return [event for event in self.events if event.contact_id in self.of[contact] and event.type == kind]

    def withdrawn(self, contact: str) -> bool:
        """Whether the last word about marketing by email is no: whatever came late, this has to hold."""
        said = False
        for event in self.events:
            if event.contact_id in self.of[contact]:
                if event.type == "consent_withdrawn":
                    said = True
                elif event.type == "consent_granted":
                    said = False
        return said


class Watch:
    """What has to hold after every step of every partition."""

    def __init__(self) -> None:
        self.live: Lagging
        self.agreed: dict[str, bool] = {}
        self.ends: dict[str, int] = defaultdict(int)
        self.begun: set[str] = set()
        self.ids: set[str] = set()
        self.sends: dict[str, list[int]] = defaultdict(list)
        self.travelling: dict[str, list[list[int]]] = defaultdict(list)

    def __call__(self, commands: list[Command], decisions: list[Decision]) -> None:
        given = {command.command_id: command for command in commands}
        for decision in decisions:
            detail = decision.detail or {}
            if decision.kind in {"exited", "goal", "observed_out"}:
                self.ends[decision.enrollment] += 1
                assert self.ends[decision.enrollment] == 1, f"{decision} ends it a second time"
            elif decision.kind in {"entered", "holdout"}:
                assert decision.enrollment not in self.begun, f"{decision} begins it a second time"
                self.begun.add(decision.enrollment)
            elif decision.kind == "merged":
                self._merged(decision.contact_id, decision.reason, detail)
            elif decision.kind == "commanded":
                self._commanded(given[detail["command"]])
        self.consented(commands)

    def _merged(self, contact: str, reason: str, detail: dict[str, str]) -> None:
        if reason == "departed":
            self.travelling[contact].append(self.sends.pop(contact, []))
        else:
            self.sends[contact] += self.travelling[detail.get("from", contact)].pop(0)

    def _commanded(self, command: Command) -> None:
        assert command.command_id not in self.ids
        assert self.ends[command.enrollment] == 0, "a command of what had ended"
        self.ids.add(command.command_id)
        if command.channel == "email":
            times = self.sends[command.contact_id]
            window = [at for at in times if command.decided_ms - 2 * DAY_MS < at]
            assert len(window) < 2, "above the cap"
            times.append(command.decided_ms)

    def consented(self, commands: list[Command]) -> None:
        """Who is sent something agreed to it before this step or does after it."""
        for command in commands:
            contact = command.contact_id
            agrees_now = self.live.agrees(contact)
            if command.purpose == "marketing":
                assert agrees_now or self.agreed.get(contact)
        for contact in IDS:
            self.agreed[contact] = self.live.agrees(contact)


def lagging(topology: Topology, log: list[Event], partitions: int, seed: int) -> tuple[Lagging, Watch]:
    watch = Watch()
    live = watch.live = Lagging(topology, partitions, seed, watch)
    live.run(log, log[-1].occurred_ms + LATER_MS)
    return live, watch


@pytest.mark.parametrize("partitions", PARTITIONS)
@given(steps=STEPS, seed=st.integers(0, 1 << 30))
def test_merges_follow_the_rules_in_every_order_and_at_any_lag(partitions, steps, seed):
    log = events_of(steps)
    live, watch = lagging(merging(), log, partitions, seed)
    model = Model(log, live.decisions)
    inside: set[str] = set()
    for contact in sorted(model.of):
        row = live.row(contact)
        root = live.root(contact)
        assert root in model.of[contact]
        for other in model.of[contact]:
            assert live.root(other) == root, "ids of one person lead to two rows"
        if row is None or row.alias:
            continue
        inside |= {enrollment.id for enrollment in row.enrollments}
        assert all(enrollment.state != PENDING for enrollment in row.enrollments)
        agrees(model, contact, row)
    assert sum(d.kind == "entered" and d.program == "orders" for d in live.decisions) <= 5
    left = {name for name in watch.begun if not watch.ends[name]}
    done = {d.enrollment for d in live.decisions if d.kind == "completed"}
    assert inside == left - done, "an enrollment is lost, or there is one too many"


def agrees(model: Model, contact: str, row: Row) -> None:
    """The one row of a person holds what all of the person's ids have done."""
    for kind in ("seen", "bought"):
        series = row.history.get(kind)
        assert (series.total if series else 0) == len(model.facts(contact, kind))
    points = len(model.facts(contact, "seen")) + 10 * len(model.facts(contact, "bought"))
    score = row.scores.get("interest")
    assert (score.value if score else 0) == points
    assert set(row.lists) == {event.properties["list"] for event in model.facts(contact, "list_joined")}
    said: dict[str, set[str]] = defaultdict(set)
    for event in model.facts(contact, "profile_updated"):
        for name, value in event.properties.items():
            said[name].add(value)
    assert set(row.attributes) == set(said)
    assert all(value in said[name] for name, value in row.attributes.items())
    assert ("buyers" in row.segments) == (len(model.facts(contact, "bought")) >= 2)
    if model.withdrawn(contact):
        answers = row.consents.all()
        own, general = answers.get("marketing/email"), answers.get("marketing")
        answer = own or general
        assert answer is None or answer.state != GRANTED


@pytest.mark.parametrize("partitions", [8])
@given(
    log=logs(),
    more=st.lists(st.tuples(st.sampled_from(["ana", "bo", "cy", "anon-1"]), MERGES), max_size=6),
    seed=st.integers(0, 1 << 30),
)
def test_merges_in_a_topology_that_uses_the_whole_language(partitions, log, more, seed):
    ids = {"b-1": "ana", "b-2": "bo", "c-1": "cy", "c-2": "anon-1", "z": "anon-2"}
    merges = [
        (contact, kind, {key: ids.get(value, value) for key, value in props.items()})
        for contact, (kind, props) in more
    ]
    for number, (contact, kind, props) in enumerate(merges):
        at = (number * 7 + seed) % (len(log) + 1)
        when = log[at - 1].occurred_ms if at else START_MS
        name = f"m-{number}"
        log.insert(at, Event(name, contact, kind, when, props, fingerprint(name.encode())))
    live = Lagging(everything(), partitions, seed)
    live.run(log, log[-1].occurred_ms + LATER_MS)
    ended: dict[str, int] = defaultdict(int)
    for decision in live.decisions:
        ended[decision.enrollment] += decision.kind in {"exited", "goal", "observed_out"}
        assert not decision.enrollment or ended[decision.enrollment] <= 1
        assert decision.kind != "commanded" or not ended[decision.enrollment]
    names = [command.command_id for command in live.commands]
    assert len(names) == len(set(names))
    for contact in {event.contact_id for event in log}:
        row = live.row(live.root(contact))
        assert row is not None
        assert row.encode() == row.decode(row.encode()).encode()


def small(folder: Path, program: str, more: str = "") -> Topology:
    (folder / "programs").mkdir()
    (folder / "topology.yaml").write_text(
        "topology: t\ntimezone: Europe/London\nevents: {seen: {}, bought: {}}\nprofile: {birthday: date}\n"
        "purposes: {service: {consent: not_required}}\nchannels: {push: {}}\n" + more
    )
    (folder / "programs" / "p.yaml").write_text(f"program: p\npurpose: service\n{program}")
    return load_topology(folder).topology


def told(kind: str, contact: str, at_ms: int, **props: Any) -> Event:
    name = f"{kind}-{contact}-{at_ms}"
    return Event(name, contact, kind, START_MS + at_ms, props, fingerprint(name.encode()))


def result(topology: Topology, log: list[Event], partitions: int = 1, days: int = 3) -> Lagging:
    live = Lagging(topology, partitions, 0)
    live.run(log, START_MS + days * DAY_MS)
    return live


STAYS = "entry: {on: seen}\nexit: [bought]\nsteps: [{wait: 5h}, {send: push, template: hello}]\n"
COUNTS = 'segments: {buyers: count("bought") >= 1}\n'


def test_an_anonymous_id_that_has_become_somebody_does_not_make_two_people_one(tmp_path):
    log = [
        told("seen", "device", 0),
        told("contact_identified", "ana", 1, anonymous_id="device"),
        told("contact_identified", "bo", 2, anonymous_id="device"),
        told("seen", "bo", 3),
        told("contact_identified", "ana", 4, anonymous_id="device"),  # said at every login
    ]
    live = result(small(tmp_path, STAYS), log)
    assert live.root("device") == "ana"
    assert live.root("bo") == "bo"
    (refused,) = [d for d in live.decisions if d.kind == "not_merged"]
    assert (refused.contact_id, refused.reason) == ("ana", "identified_before")
    assert refused.detail == {"with": "bo", "id": "device"}
    assert sorted(c.contact_id for c in live.commands) == ["ana", "bo"]


def test_two_known_contacts_are_merged_with_all_that_became_them(tmp_path):
    log = [
        told("contact_identified", "ana", 1, anonymous_id="device"),
        told("contact_identified", "bo", 2, anonymous_id="phone"),
        told("contacts_merged", "ana", 3, other_id="phone"),
    ]
    live = result(small(tmp_path, STAYS), log)
    assert {live.root(name) for name in ("device", "phone", "bo", "ana")} == {"ana"}


@pytest.mark.parametrize("buyer", ["anon", "ana"])
def test_what_one_of_them_bought_in_the_meantime_ends_what_the_other_waits_for(tmp_path, buyer):
    other = {"anon": "ana", "ana": "anon"}[buyer]
    log = [
        told("seen", other, 0),
        told("bought", buyer, HOUR_MS),
        told("contact_identified", "ana", 2 * HOUR_MS, anonymous_id="anon"),
    ]
    live = result(small(tmp_path, STAYS, COUNTS), log)
    assert live.commands == []
    assert [d.reason for d in live.decisions if d.kind == "exited"] == ["bought"]


def test_who_has_been_through_a_program_does_not_go_on_in_it_for_an_id_that_joins(tmp_path):
    log = [
        told("seen", "ana", 0),
        told("seen", "anon", 6 * HOUR_MS),
        told("contact_identified", "ana", 7 * HOUR_MS, anonymous_id="anon"),
    ]
    live = result(small(tmp_path, STAYS), log)
    assert [c.contact_id for c in live.commands] == ["ana"]
    assert [d.reason for d in live.decisions if d.kind == "exited"] == ["merged_reentry"]


@pytest.mark.parametrize("partitions", [1, 8])
def test_who_waits_to_be_let_in_still_does_after_a_merge(tmp_path, partitions):
    topology = small(
        tmp_path, "entry: {on: seen}\nentrants: {at_most: 1}\nsteps: [{send: push, template: hello}]\n"
    )
    log = [told("seen", "anon", 0), told("contact_identified", "ana", 1, anonymous_id="anon")]
    for seed in range(8):
        live = Lagging(topology, partitions, seed)
        live.run(log, START_MS + DAY_MS)
        assert len(live.commands) <= 1
        row = live.row("ana")
        assert row is not None
        assert row.enrollments == []
        (begun,) = [d for d in live.decisions if d.kind in {"entered", "not_entered"}]
        assert begun.kind == ("entered" if live.commands else "not_entered")


def test_an_event_sent_twice_by_two_ids_counts_once(tmp_path):
    twice = told("bought", "anon", 5)
    log = [twice, told("contact_identified", "ana", 6, anonymous_id="anon"), twice]
    live = result(small(tmp_path, STAYS, COUNTS), log)
    row = live.row("ana")
    assert row is not None
    series = row.history.get("bought")
    assert series is not None
    assert series.total == 1


def test_a_chain_of_merges_is_shortened_when_something_goes_along_it(tmp_path):
    chain = ["a", "b", "c", "d", "e"]
    log = [
        told("contacts_merged", after, number, other_id=before)
        for number, (before, after) in enumerate(itertools.pairwise(chain), 1)
    ]
    log += [told("seen", "a", 10), told("seen", "a", 11)]
    live = result(small(tmp_path, STAYS), log)
    assert [d.contact_id for d in live.decisions if d.kind == "forwarded"] == ["a", "b", "c", "d", "a"]
    for name in "abcd":
        row = live.row(name)
        assert row is not None
        assert row.alias == "e"


BIRTHDAY = (
    'entry: {date: profile.birthday, at: "09:00", yearly: true}\nsteps: [{send: push, template: hello}]\n'
)


@pytest.mark.parametrize(
    ("before", "after", "moved_at"),
    [
        ("Asia/Tokyo", "America/Mexico_City", 3),  # after it has fired; it comes once more by the new clock
        ("America/Mexico_City", "Asia/Tokyo", 3),  # before it was due; by the new clock it has passed
        ("Europe/London", "Europe/Paris", 0.5),
    ],
)
def test_a_yearly_date_comes_once_whatever_zone_the_contact_moves_to_that_day(
    tmp_path, before, after, moved_at
):
    log = [
        told("profile_updated", "ana", -3 * DAY_MS, birthday="1990-03-21", tz=before),
        told("profile_updated", "ana", int(moved_at * HOUR_MS), tz=after),
    ]
    live = result(small(tmp_path, BIRTHDAY), log, days=300)
    assert len(live.commands) == 1
    assert abs(live.commands[0].decided_ms - START_MS) < DAY_MS
