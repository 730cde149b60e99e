"""Brakes and pacing where messages between partitions are on their way while partitions go on deciding."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from processor.core.brakes import is_held
from processor.core.model import Topology
from processor.core.time import HOUR_MS, MINUTE_MS
from processor.language import load_topology
from tests.runtime.test_partitions import START_MS, Partitions

PARTITIONS = 3
PROGRAM = (
    "program: p\npurpose: service\nentry: {on: seen}\n"
    "steps: [{wait: 1m}, {send: email, template: hello, hold_at_most: 90d}]\n"
)
BASE = """\
topology: apart
events: {{seen: {{}}}}
purposes: {{service: {{consent: not_required}}}}
channels: {{email: {{}}, ops: {{kind: alert}}}}
policies: {{{policies}}}
"""
SAID = ("program_paused", "program_resumed", "held_released", "held_dropped")
CONTACTS = [f"c-{number}" for number in range(12)]
_seen = st.sampled_from(CONTACTS).map(lambda contact: ("seen", contact))
_deliver = st.tuples(st.just("deliver"), st.integers(0, PARTITIONS - 1))
_merge = st.tuples(st.just("merge"), st.sampled_from(CONTACTS[:6]), st.sampled_from(CONTACTS[6:]))


def made(policies: str) -> Topology:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "programs").mkdir()
        (root / "topology.yaml").write_text(BASE.format(policies=policies), encoding="utf-8")
        (root / "programs" / "p.yaml").write_text(PROGRAM, encoding="utf-8")
        return load_topology(root).topology


BRAKED = made("breaker: {more_than: 2, per: 1d, alert: ops, hold_at_most: 90d}")
PACED = made("pacing: {channel: email, at_most: 2, per: 10m}")


def deliver_one(live: Partitions, partition: int) -> None:
    """The first message on its way to a partition arrives: others may overtake it elsewhere, never there."""
    for index, (number, message) in enumerate(live.log):
        if number == partition:
            del live.log[index]
            driver = live.drivers[number]
            driver.deliver(message, driver.watermark_ms)
            live.commit(number)
            return


def play(topology: Topology, actions: list[tuple[str, ...]]) -> tuple[Partitions, int]:
    live = Partitions(topology, PARTITIONS)
    now_ms = START_MS
    for kind, *rest in actions:
        now_ms += 20_000
        if kind == "deliver":
            deliver_one(live, int(rest[0]))
        elif kind == "merge":
            live.event(rest[0], "contact_identified", now_ms, anonymous_id=rest[1])
        elif kind == "seen":
            live.event(rest[0], "seen", now_ms)
        else:
            live.event("program/p", kind, now_ms, program="p")
    return live, now_ms


def stopped(live: Partitions) -> bool:
    homes = [driver.partitions[0].shared.homes.get("p") for driver in live.drivers]
    return any(home.paused or home.tripped for home in homes if home is not None)


def held(live: Partitions) -> int:
    rows = [row for contact in CONTACTS if (row := live.row(contact)) is not None]
    return sum(is_held(track) for row in rows for one in row.enrollments for track in one.tracks)


@given(
    actions=st.lists(
        _seen | _deliver | _deliver | _merge | st.sampled_from(SAID).map(lambda kind: (kind,)), max_size=60
    )
)
def test_whatever_is_on_its_way_each_is_sent_once_or_dropped_and_nothing_stays_held(
    actions: list[tuple[str, ...]],
) -> None:
    live, now_ms = play(BRAKED, actions)
    live.move(now_ms + 2 * MINUTE_MS)
    live.deliver()
    for _ in range(2):  # what waited goes on, and may trip it again
        live.move(now_ms + HOUR_MS)
        live.deliver()
        if not stopped(live):
            assert held(live) == 0
    for kind in ("program_resumed", "held_released"):
        live.event("program/p", kind, now_ms + HOUR_MS, program="p")
        live.deliver()
        live.move(now_ms + HOUR_MS + 1)
    live.deliver()
    assert live.failures == []
    assert held(live) == 0
    ids = [command.command_id for command in live.commands]
    assert len(ids) == len(set(ids))
    kinds = Counter((one.kind, one.reason) for one in live.decisions)
    alarms = [command for command in live.commands if command.kind == "alarm"]
    assert len(alarms) == kinds["braked", "tripped"]
    entered = {one.enrollment for one in live.decisions if one.kind == "entered"}
    gone = {one.enrollment for one in live.decisions if one.kind in {"suppressed", "exited"}}
    sent = [command.enrollment for command in live.commands if command.kind == "send"]
    assert len(sent) == len(set(sent))
    assert set(sent) | gone == entered
    assert set(sent) & {one.enrollment for one in live.decisions if one.kind == "suppressed"} == set()


@given(actions=st.lists(_seen | _deliver | _merge, max_size=60))
def test_late_answers_cost_nobody_a_place_and_give_nobody_two(actions: list[tuple[str, ...]]) -> None:
    live, now_ms = play(PACED, actions)
    for _ in range(20):  # what is due asks, and is answered, until all have had their turn
        now_ms += 10 * MINUTE_MS
        live.move(now_ms)
        live.deliver()
    assert live.failures == []
    entered = {one.enrollment for one in live.decisions if one.kind == "entered"}
    gone = {one.enrollment for one in live.decisions if one.kind in {"suppressed", "exited"}}
    sent = [command.enrollment for command in live.commands]
    assert len(sent) == len(set(sent))
    assert set(sent) | gone == entered
    assert not {one.kind for one in live.decisions} & {"suppressed"}
    by_period = Counter(command.decided_ms // (10 * MINUTE_MS) for command in live.commands)
    assert max(by_period.values(), default=0) <= 2


def test_a_row_that_travels_while_others_are_let_go_is_let_go_where_it_arrives() -> None:
    live = Partitions(BRAKED, PARTITIONS)
    (anonymous,), (known,) = live.contacts(0, 1), live.contacts(1, 1)
    live.event(anonymous, "seen", START_MS)
    live.event("program/p", "program_paused", START_MS + 1, program="p")
    live.deliver()
    live.move(START_MS + 2 * MINUTE_MS)
    live.event(known, "contact_identified", START_MS + 3 * MINUTE_MS, anonymous_id=anonymous)
    live.event("program/p", "program_resumed", START_MS + 4 * MINUTE_MS, program="p")
    for partition in (2, 2, 1, 1):  # all is well there before the row sets out
        deliver_one(live, partition)
    assert not [command for command in live.commands if command.kind == "send"]
    live.deliver()
    live.move(START_MS + 5 * MINUTE_MS)
    assert [command.contact_id for command in live.commands] == [known]


def test_a_send_whose_budget_is_not_answered_in_time_is_judged_and_not_given_up_as_a_brakes() -> None:
    live = Partitions(made("budgets: {name: purse, at_most: 2}"), PARTITIONS)
    (elsewhere,) = live.contacts(1, 1)
    live.event(elsewhere, "seen", START_MS)
    live.move(START_MS + 91 * 24 * HOUR_MS)  # the home has not answered
    (gone,) = [one for one in live.decisions if one.kind == "suppressed"]
    assert gone.reason == "held_too_long"
    assert gone.detail is not None
    assert gone.detail["held_by"] == "budget:purse"
