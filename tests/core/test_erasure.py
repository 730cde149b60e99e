"""Erasure: whenever it comes, nothing of the contact is left, and nothing brings it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.codec.murmur2 import partition_of
from processor.core.events import Event, Message
from processor.core.ids import fingerprint
from processor.core.leases import HOME
from processor.core.rows import Row
from processor.runtime.driver import Driver
from processor.runtime.erasures import CHECK_ENTRY, Erasures, LedgerError, at_of, read_ledger, write_ledger
from processor.runtime.faust.engine import LEDGER_PREFIX, POSITION_KEY, ROW_PREFIX, SHARED_KEY
from processor.store import MemoryStore, StateError, open_rocks
from processor.store.base import Changes
from processor.store.changelog import encode_mark, restore
from tests.core.logs import CONTACTS, HOUR_MS, START_MS, everything, logs, run
from tests.core.test_machine import event, kinds, topology

MARK = "m4rk"
LATER = 40 * 24 * HOUR_MS


def marked(log: list[Event], contact: str) -> list[Event]:
    """The log, with a mark in whatever the contact says of itself."""
    found = [event_of(f"mark-{contact}", contact, "profile_updated", START_MS, {"tier": MARK, "phone": MARK})]
    for each in log:
        if each.contact_id == contact and each.type == "profile_updated":
            properties = each.properties | {"tier": MARK, "email": f"{MARK}@b.example"}
            found.append(event_of(each.event_id, contact, each.type, each.occurred_ms, properties))
        else:
            found.append(each)
    return found


def event_of(name: str, contact: str, kind: str, at_ms: int, properties: dict[str, Any]) -> Event:
    return Event(name, contact, kind, at_ms, properties, fingerprint(name.encode()))


def erasing(contact: str, at_ms: int) -> Event:
    return event_of(f"erase-{contact}-{at_ms}", contact, "contact_erased", at_ms, {})


def in_state(store: MemoryStore, partitions: int) -> Iterator[bytes]:
    """Every byte that the state holds, ids as well."""
    for number in range(partitions):
        part = store.partition(number)
        names = part.contacts("", 1_000)
        yield from [name.encode() for name in names]
        yield from [data or b"" for data in part.get_many(names)]
        yield part.shared() or b""
        yield from [name.encode() for _, name in part.due(1 << 60, None, 1_000)]


@pytest.mark.parametrize("partitions", [1, 2, 8])
@given(log=logs(max_size=40), data=st.data())
def test_after_an_erasure_at_any_point_no_byte_of_the_contact_is_left(partitions, log, data):
    contact = data.draw(st.sampled_from(CONTACTS))
    log = marked(log, contact)
    place = data.draw(st.integers(1, len(log)))
    at_ms = max(each.occurred_ms for each in log[:place])
    log = [*log[:place], erasing(contact, at_ms), *log[place:]]
    until = max(each.occurred_ms for each in log) + LATER
    whole = run(log, partitions, until_ms=until)
    assert MARK.encode() not in b"|".join(in_state(whole[2], partitions))
    left = [*in_state(whole[2], partitions)]
    assert contact.encode() not in left
    assert len(contact) < len("anon") or contact.encode() not in b"|".join(left)
    after = [command for command in whole[0] if command.contact_id == contact and command.decided_ms > at_ms]
    assert {command.kind for command in after} <= {"erase"}
    cuts = data.draw(st.frozensets(st.integers(0, len(log) - 1)))
    sliced = run(log, partitions, cuts=cuts, until_ms=until, rows_held_max=data.draw(st.integers(1, 5)))
    assert sliced[:2] == whole[:2]
    assert [*in_state(sliced[2], partitions)] == [*in_state(whole[2], partitions)]


def records_of(changes: Changes) -> Iterator[tuple[bytes, bytes | None]]:
    """A partition's changes as records of its changelog, as the worker writes them."""
    yield from [(ROW_PREFIX + name.encode(), row) for name, row in changes.rows.items()]
    yield from [(LEDGER_PREFIX + hashed, entry) for hashed, entry in changes.ledger.items()]
    if changes.shared is not None:
        yield SHARED_KEY, changes.shared
    yield POSITION_KEY, b"p"


@given(log=logs(max_size=25), data=st.data())
def test_recovery_from_the_changelog_brings_nobody_back(log, data):
    contact = data.draw(st.sampled_from(["ana", "anon-1"]))
    log = marked(log, contact)
    place = data.draw(st.integers(1, len(log)))
    log.insert(place, erasing(contact, max(each.occurred_ms for each in log[:place])))
    store = MemoryStore(1)
    driver = Driver(everything(), store, 1)
    changelog: list[tuple[bytes, bytes | None]] = []
    for each in log:
        driver.feed(each, max(driver.watermark_ms, each.occurred_ms))
        changes = driver.take().changes
        changelog += records_of(changes[0])
        store.commit(changes, b"p")
        driver.committed()
    if data.draw(st.booleans()):  # compacted: the last value of each key, and old tombstones are gone
        latest = dict(changelog)
        changelog = [(key, value) for key, value in latest.items() if value is not None]
    step = data.draw(st.integers(1, 40))
    with TemporaryDirectory() as folder:
        rocks = open_rocks(Path(folder), partitions=1, sync=False)
        for begin in range(0, len(changelog), step):
            restore(rocks, 0, changelog[begin : begin + step], encode_mark(begin, 0))
        restored = Driver(everything(), rocks, 1).partitions[0]
        one, other = rocks.partition(0), store.partition(0)
        names = other.contacts("", 100)
        assert one.contacts("", 100) == names
        assert one.get_many(names) == other.get_many(names)
        assert one.due(1 << 60, None, 100) == other.due(1 << 60, None, 100)
        assert restored.erased_ms(contact) > 0
        rocks.close()


HELD = """
    entry: {on: seen}
    reenter: always
    goal: {on: bought}
    steps:
      - {send: push, template: hello, purpose: marketing}
      - wait: 3d
      - {send: push, template: more, purpose: marketing}
"""
SHOP = """
    topology: small
    events: {seen: {}, bought: {}}
    profile: {notes: string}
    purposes: {marketing: {consent: required}, service: {consent: not_required}}
    channels: {push: {}, sms: {}, erp: {kind: webhook}}
    policies: {quiet_hours: {from: "10:00", to: "20:00"}}
"""


def consents(*contacts: str) -> list[Event]:
    return [event("consent_granted", -3, contact, purpose="marketing") for contact in contacts]


def test_a_held_send_goes_the_channels_are_told_and_the_record_holds_counts_only(tmp_path):
    small = topology(tmp_path, HELD, SHOP)
    log = [
        *consents("ana"),
        event("profile_updated", 0, notes=MARK),
        event("seen", 6),  # 14:00: it is held
        event("contact_erased", 7),
        event("seen", 24),
        event("contact_erased", 25),
    ]
    commands, decisions, store, _ = run(log, 2, topology=small, until_ms=log[-1].occurred_ms + LATER)
    assert [(c.channel, c.kind, c.values, c.program) for c in commands] == [
        (name, "erase", {}, "") for name in ("push", "sms", "erp")
    ] * 2
    assert len({c.command_id for c in commands}) == 6
    assert {c.expires_ms for c in commands} == {0}
    shown = kinds(decisions, "held", "suppressed", "exited", "erased", "refused")
    assert shown == [
        ("held", "quiet_hours", 6.0), ("exited", "erased", 7.0), ("erased", "asked", 7.0),
        ("refused", "erased", 24.0), ("erased", "asked", 25.0),
    ]  # fmt: skip
    erased = next(d for d in decisions if d.kind == "erased")
    assert erased.detail == {"enrollments": 1, "channels": ["push", "sms", "erp"], "other_ids": 0}
    assert store.partition(partition_of("ana", 2)).contacts("", 9) == []


def test_an_erased_id_begins_anew_where_the_policy_has_it_and_takes_nothing_from_before(tmp_path):
    small = topology(tmp_path, HELD, SHOP.replace("policies: {", "policies: {erased: anew, "))
    log = [
        *consents("ana"),
        event("profile_updated", 0, notes=MARK),
        event("contact_erased", 7),
        event("seen", 5),  # late: from before
        event("seen", 14),
        event("profile_updated", 6, notes=MARK),
        event("seen", 48),
    ]
    commands, decisions, store, _ = run(log, 1, topology=small)
    assert [c.kind for c in commands] == ["erase"] * 3  # and no send: the consent is gone as well
    assert kinds(decisions, "refused", "anew", "suppressed", "entered")[:4] == [
        ("refused", "erased", 7.0), ("anew", "", 14.0), ("entered", "", 14.0),
        ("suppressed", "no_consent", 14.0),
    ]  # fmt: skip
    assert [d.reason for d in decisions if d.kind == "refused"] == ["erased"] * 2
    (data,) = store.partition(0).get_many(["ana"])
    assert data is not None
    row = Row.decode(data)
    assert (row.attributes, row.origin.anew_ms) == ({}, START_MS + 7 * HOUR_MS)


@pytest.mark.parametrize("partitions", [1, 2, 8])
@pytest.mark.parametrize("named", ["ana", "anon", "first"])
def test_all_ids_of_a_contact_go_whichever_is_named(tmp_path, partitions, named):
    small = topology(tmp_path, HELD, SHOP)
    log = [
        *consents("ana"),
        event("profile_updated", 0, "first", notes=MARK),
        event("contact_identified", 1, "anon", anonymous_id="first"),
        event("contact_identified", 2, "ana", anonymous_id="anon"),
        event("seen", 3, "bo"),
        event("contact_erased", 4, named),
        event("seen", 5, "ana"),
        event("seen", 6, "anon"),
        event("seen", 7, "first"),
        event("contact_identified", 8, "bo", anonymous_id="first"),
    ]
    commands, decisions, store, _ = run(log, partitions, topology=small, until_ms=log[-1].occurred_ms + LATER)
    told = sorted({(c.contact_id, c.channel) for c in commands if c.kind == "erase"})
    assert told == [(n, c) for n in ("ana", "anon", "first") for c in ("erp", "push", "sms")]
    assert sorted(d.contact_id for d in decisions if d.kind == "refused") == ["ana", "anon", "first", "first"]
    rows = [name for n in range(partitions) for name in store.partition(n).contacts("", 9)]
    assert rows == ["bo"]


def test_a_contact_that_arrives_at_an_erased_one_is_erased_too(tmp_path):
    small = topology(tmp_path, HELD, SHOP)
    driver = Driver(small, MemoryStore(1), 1)
    for each in [event("profile_updated", 0, "anon", notes=MARK), event("seen", 0, "ana")]:
        driver.feed(each, each.occurred_ms)
    row = driver.partitions[0].held("anon")
    assert row is not None
    assert row.data is not None
    # The row of anon is under way to ana while ana is erased.

    driver.feed(event("contact_erased", 1, "ana"), START_MS + HOUR_MS)
    body = {"row": row.data, "from": "anon", "hops": 0}
    driver.deliver(Message("arrive", "ana", START_MS + HOUR_MS, body), START_MS + HOUR_MS)
    taken = driver.take()
    assert [name for name, data in taken.changes[0].rows.items() if data is not None] == []
    assert [d.detail for d in taken.decisions if d.kind == "refused"] == [{"message": "arrive"}]
    assert {c.contact_id for c in taken.commands} == {"ana", "anon"}


def test_a_state_whose_ledger_was_made_with_another_key_is_refused(tmp_path):
    small = topology(tmp_path, HELD, SHOP)
    store = MemoryStore(1)
    driver = Driver(small, store, 1, erasures=Erasures("one"))
    driver.feed(event("contact_erased", 1), START_MS + HOUR_MS)
    store.commit(driver.take().changes, b"")
    part = store.partition(0)
    assert part.erased(CHECK_ENTRY) == Erasures("one").check
    entry = part.erased(Erasures("one").hash_of("ana"))
    assert entry is not None
    assert at_of(entry) == START_MS + HOUR_MS
    assert part.erased(Erasures("two").hash_of("ana")) is None
    Driver(small, store, 1, erasures=Erasures("one"))
    with pytest.raises(StateError, match="TRAYECTO_ERASURE_KEY"):
        Driver(small, store, 1, erasures=Erasures("two"))


def test_a_ledger_from_elsewhere_keeps_an_erased_contact_out_of_a_replay(tmp_path):
    small = topology(tmp_path, HELD, SHOP)
    file = tmp_path / "ledger.jsonl"
    keyed = Erasures("key")
    assert write_ledger(file, keyed, [(keyed.hash_of("ana"), 5), (keyed.hash_of("ana"), 9)]) == 1
    assert "ana" not in file.read_text()
    known = read_ledger(file, "key")
    assert known.known_ms(known.hash_of("ana")) == 9
    store = MemoryStore(1)
    driver = Driver(small, store, 1, erasures=known)
    for each in [*consents("ana", "bo"), event("seen", 1), event("seen", 1, "bo")]:
        driver.feed(each, each.occurred_ms)
    taken = driver.take()
    assert {c.contact_id for c in taken.commands} == {"bo"}
    assert sorted({(d.contact_id, d.kind) for d in taken.decisions if d.contact_id == "ana"}) == [
        ("ana", "refused")
    ]
    with pytest.raises(LedgerError, match="another key"):
        read_ledger(file, "other")
    file.write_text("{}\n")
    with pytest.raises(LedgerError, match="no ledger"):
        read_ledger(file, "key")


def test_whoever_waits_for_a_unit_of_a_cap_is_taken_out_of_the_queue(tmp_path):
    text = """
    entry: {on: seen}
    entrants: {at_most: 1}
    steps: [{wait: 1d}]
    """
    small = topology(tmp_path, text, SHOP)
    store = MemoryStore(8)
    home = partition_of(HOME, 8)
    away = next(n for n in range(8) if n != home)
    driver = Driver(small, store, 8, owned=(away,))
    names = [f"c-{n}" for n in range(1_000) if partition_of(f"c-{n}", 8) == away]
    for name in names[:3]:
        driver.feed(event("seen", 1, name), START_MS + HOUR_MS)
    shared = driver.partitions[0].shared
    assert [claim.contact for claim in shared.claims] == names[1:3]  # the first is asked for
    driver.feed(event("contact_erased", 2, names[1]), START_MS + 2 * HOUR_MS)
    assert [claim.contact for claim in driver.partitions[0].shared.claims] == names[2:3]
