"""Suppression by address: whoever has the address, before and after; and one copy of a message."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.addresses import MARK
from processor.core.rows import Row
from processor.core.time import DAY_MS
from processor.language import LanguageError, load_topology
from tests.core.lagging import Lagging
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_identity import told

TOPOLOGY = """\
topology: t
timezone: UTC
events:
  seen: {}
  bounced: {address: string?}
  complained: {}
profile: {email: string, phone: string}
purposes: {news: {consent: not_required}, receipts: {transactional: true}}
channels:
  email: {address: email, suppressed_by: [bounced, complained]MORE}
  sms: {address: phone}
"""
SEND = "- {send: email, template: hello}"


def made(folder, steps=SEND, more="", purpose="news", reenter="always"):
    (folder / "programs").mkdir(parents=True)
    (folder / "topology.yaml").write_text(TOPOLOGY.replace("MORE", more))
    (folder / "programs" / "p.yaml").write_text(
        f"program: p\npurpose: {purpose}\nentry: {{on: seen}}\nreenter: {reenter}\nsteps:\n  {steps}\n"
    )
    return load_topology(folder).topology


class Result:
    """A log in order, over some partitions."""

    def __init__(self, topology, log, partitions=4):
        self.partitions = partitions
        until_ms = START_MS + 5 * DAY_MS
        self.commands, self.decisions, self.store, _ = run(
            log, partitions, until_ms=until_ms, topology=topology
        )

    def rows(self):
        """Every row as it is stored, by name."""
        found: dict[str, bytes] = {}
        for number in range(self.partitions):
            part = self.store.partition(number)
            names = part.contacts("", 100)
            found |= {name: data for name, data in zip(names, part.get_many(names), strict=True) if data}
        return found


def result(topology, log, partitions=4):
    return Result(topology, log, partitions)


def with_address(*contacts, address="a@b.example", at=-HOUR_MS):
    return [told("profile_updated", name, at + n, email=address) for n, name in enumerate(contacts)]


def got(live):
    return sorted(command.contact_id for command in live.commands)


def rules(live, kind="suppressed"):
    return sorted((d.contact_id, d.reason) for d in live.decisions if d.kind == kind)


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_a_bounce_of_one_contact_stops_all_who_have_the_address(tmp_path, partitions):
    log = [
        *with_address("ana", "bo"),
        *with_address("cy", address="c@d.example"),
        *[told("seen", name, 0) for name in ("ana", "bo", "cy")],
        told("bounced", "ana", DAY_MS),
        *[told("seen", name, 2 * DAY_MS) for name in ("ana", "bo", "cy")],
    ]
    live = result(made(tmp_path), log, partitions)
    assert got(live) == ["ana", "bo", "cy", "cy"]
    assert rules(live) == [("ana", "address:bounced"), ("bo", "address:bounced")]
    assert rules(live, "address_suppressed") == [("ana", "bounced"), ("bo", "bounced")]


def test_who_gets_the_address_later_is_suppressed_in_the_very_first_turn(tmp_path):
    topology = made(tmp_path, "- {send: email, template: hello}")
    log = [
        *with_address("ana"),
        told("complained", "ana", 0),
        told("profile_updated", "new", 1, email=" A@B.example "),
        told("seen", "new", 2),
        told("profile_updated", "new", DAY_MS, email="other@b.example"),
        told("seen", "new", DAY_MS + 1),
    ]
    live = result(topology, log)
    assert rules(live) == [("new", "address:complained")]
    assert [(c.contact_id, c.decided_ms) for c in live.commands] == [("new", START_MS + DAY_MS + 1)]


def test_somebody_suppresses_and_releases_an_address_that_no_contact_needs_to_have(tmp_path):
    log = [
        told(
            "address_suppressed", "desk", 0, channel="email", address="A@b.example", because="asked by phone"
        ),
        *with_address("ana", at=1),
        told("seen", "ana", HOUR_MS),
        told("address_released", "desk", DAY_MS, channel="email", address="a@b.example"),
        told("seen", "ana", 2 * DAY_MS),
    ]
    live = result(made(tmp_path), log)
    assert rules(live) == [("ana", "address:asked by phone")]
    assert got(live) == ["ana"]
    assert ("ana", "") in rules(live, "address_released")


@pytest.mark.parametrize("purpose", ["news", "receipts"])
def test_the_next_channel_is_taken_and_receipts_are_stopped_too(tmp_path, purpose):
    topology = made(tmp_path, "- {send: email, template: hello, fallback: sms}", purpose=purpose)
    log = [
        *with_address("ana"),
        told("profile_updated", "ana", 0, phone="+1"),
        told("bounced", "ana", 1),
        told("seen", "ana", 2),
    ]
    live = result(topology, log)
    assert [c.channel for c in live.commands] == ["sms"]
    assert rules(live, "fell_back") == [("ana", "address:bounced")]


def test_what_cannot_be_suppressed_is_on_record(tmp_path):
    log = [told("bounced", "ana", 0), told("address_suppressed", "ana", 1, channel="sms")]
    assert rules(result(made(tmp_path), log), "not_suppressed") == [
        ("ana", "no_address"),
        ("ana", "no_guard"),
    ]


def test_the_address_is_nowhere_but_in_the_profile(tmp_path):
    log = [
        *with_address("ana", "bo"),
        told("seen", "ana", 0),
        told("bounced", "ana", 1),
        told("seen", "bo", 2),
    ]
    live = result(made(tmp_path), log)
    assert all("b.example" not in repr(decision) for decision in live.decisions)
    for name, data in live.rows().items():
        assert "b.example" not in name
        assert (b"b.example" in data) == (name in {"ana", "bo"})


def test_a_merged_contact_knows_what_either_knew(tmp_path):
    log = [
        *with_address("anon"),
        told("seen", "anon", 0),
        told("contact_identified", "ana", 1, anonymous_id="anon"),
        *with_address("other", at=2),
        told("bounced", "other", DAY_MS),
        told("seen", "ana", 2 * DAY_MS),
    ]
    live = result(made(tmp_path), log)
    assert got(live) == ["anon"]
    assert rules(live) == [("ana", "address:bounced")]


ONE_COPY = ", one_copy: 2d"


ONE_ADDRESS = [
    *with_address("ana", "bo", "cy"),
    *with_address("dee", address="d@e.example"),
    *[told("seen", name, n) for n, name in enumerate(("ana", "bo", "cy", "dee"))],
    told("seen", "bo", 3 * DAY_MS),
]


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_two_contacts_with_one_address_get_one_copy(tmp_path, partitions):
    live = result(made(tmp_path, more=ONE_COPY), ONE_ADDRESS, partitions)
    assert [(c.contact_id, c.decided_ms - START_MS) for c in live.commands] == [
        ("ana", 0), ("dee", 3), ("bo", 3 * DAY_MS),
    ]  # fmt: skip
    assert rules(live) == [("bo", "one_copy"), ("cy", "one_copy")]


@given(seed=st.integers(0, 1 << 30))
def test_at_any_lag_each_send_is_answered(seed):
    live = Lagging(one_copy(), 8, seed)
    live.run(ONE_ADDRESS, START_MS + 5 * DAY_MS)
    entered = [d for d in live.decisions if d.kind == "entered"]
    assert len(live.commands) + len(rules(live)) == len(entered) >= 4
    assert {reason for _, reason in rules(live)} == {"one_copy"}
    assert "dee" in got(live)


@cache
def one_copy():
    with tempfile.TemporaryDirectory() as folder:
        return made(Path(folder), more=ONE_COPY)


def test_an_answer_comes_before_what_is_due_later_though_time_has_gone_on(tmp_path):
    steps = "- {wait: 1h}\n  - {send: email, template: one}\n  - {wait: 1d}\n  - {send: email, template: two}"
    live = result(made(tmp_path, steps), [*with_address("ana"), told("seen", "ana", 0)])
    assert [(c.template, c.decided_ms - START_MS) for c in live.commands] == [
        ("one", HOUR_MS), ("two", HOUR_MS + DAY_MS),
    ]  # fmt: skip


def test_a_channel_without_guard_sends_no_message(tmp_path):
    topology = made(tmp_path, "- {send: sms, template: hello}")
    log = [told("profile_updated", "ana", 0, phone="+1"), told("seen", "ana", 1)]
    live = result(topology, log, partitions=1)
    (data,) = live.rows().values()
    assert Row.decode(data).lists == {}
    assert got(live) == ["ana"]


def test_an_erased_contact_is_told_nothing_more_and_the_address_stays_suppressed(tmp_path):
    log = [
        *with_address("ana", "bo"),
        told("seen", "ana", 0),
        told("bounced", "ana", 1),
        told("contact_erased", "ana", 2),
        told("seen", "bo", 3),
    ]
    live = result(made(tmp_path), log)
    assert rules(live) == [("bo", "address:bounced")]
    held = b"".join(data for name, data in live.rows().items() if name.startswith(MARK))
    assert b"bo" in held
    assert b"ana" not in held


def test_a_channel_that_guards_its_addresses_says_where_they_are(tmp_path):
    (tmp_path / "topology.yaml").write_text(
        "topology: t\nevents: {bounced: {}}\nchannels:\n  email: {suppressed_by: [bounced]}\n"
    )
    with pytest.raises(LanguageError) as refused:
        load_topology(tmp_path)
    (problem,) = refused.value.problems
    assert (problem.rule, problem.line) == ("no-address", 4)
    assert "write address:" in problem.fix
