"""The promises of the core, over random logs and 1, 2 and 8 partitions."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from processor.core.events import Due
from processor.core.machine import advance
from processor.core.outputs import Command
from processor.core.rows import Row
from processor.core.shared import Shared
from processor.core.time import quiet_until, zone
from tests.core.logs import HOUR_MS, everything, logs, run

PARTITIONS = [1, 2, 8]
LATER = 40 * 24 * HOUR_MS


@pytest.mark.parametrize("partitions", PARTITIONS)
@given(log=logs())
def test_same_log_same_commands(partitions, log):
    until = log[-1].occurred_ms + LATER
    first = run(log, partitions, until_ms=until)
    second = run(log, partitions, until_ms=until)
    assert first[0] == second[0]
    assert first[1] == second[1]


@pytest.mark.parametrize("partitions", PARTITIONS)
@given(log=logs(), data=st.data())
def test_any_slicing_into_chunks_same_commands(partitions, log, data):
    """A cut commits, throws all memory away and reads rows back: slicing and a codec round trip in one."""
    until = log[-1].occurred_ms + LATER
    cuts = data.draw(st.frozensets(st.integers(0, len(log) - 1)))
    whole = run(log, partitions, until_ms=until)
    sliced = run(log, partitions, cuts=cuts, until_ms=until, rows_held_max=data.draw(st.integers(1, 5)))
    assert sliced[0] == whole[0]
    assert sliced[1] == whole[1]


@pytest.mark.parametrize("partitions", PARTITIONS)
@given(log=logs())
def test_a_row_encoded_and_decoded_after_every_input_same_commands(partitions, log):
    every = frozenset(range(len(log)))
    assert run(log, partitions, cuts=every)[:2] == run(log, partitions)[:2]


def write_all_anew(row: Row) -> None:
    """Read every section and every item, and have all of it written again."""
    row.change_attributes()
    row.change_lists()
    row.change_segments()
    for enrollment in row.enrollments:
        row.change_enrollment(enrollment)
    row.change_sends()
    row.change_timers()
    for drawer in (row.consents, row.history, row.scores, row.past):
        for name in drawer.names():
            item = drawer.item(name)
            assert item is not None
            drawer.change(item)


@given(log=logs())
def test_encoding_is_stable(log):
    _, _, store, _ = run(log, 1)
    part = store.partition(0)
    names = part.contacts("", 100)
    for data in part.get_many(names):
        assert data is not None
        row = Row.decode(data)
        assert row.encode() == data
        write_all_anew(row)
        assert row.encode() == data


@given(log=logs())
def test_late_events_never_rewind(log):
    topology = everything()
    rows: dict[str, Row] = defaultdict(Row.new)
    shared = Shared()
    watermark_ms = 0
    for event in log:
        row = rows[event.contact_id]
        before = row.clock_ms
        watermark_ms = max(watermark_ms, event.occurred_ms)
        row, outputs, _ = advance(topology, row, shared, event, watermark_ms)
        rows[event.contact_id] = row
        assert row.clock_ms >= before
        for output in outputs:
            at_ms = output.decided_ms if isinstance(output, Command) else output.at_ms
            assert at_ms >= before


@pytest.mark.parametrize("partitions", PARTITIONS)
@given(log=logs())
def test_no_command_after_an_exit(partitions, log):
    commands, decisions, _, _ = run(log, partitions, until_ms=log[-1].occurred_ms + LATER)
    ended: dict[str, int] = {}
    for decision in decisions:
        if decision.kind in {"exited", "goal"}:
            ended.setdefault(decision.enrollment, decision.at_ms)
        if decision.kind == "commanded":
            assert decision.enrollment not in ended, (decision, ended)
    for command in commands:
        assert command.decided_ms <= ended.get(command.enrollment, command.decided_ms)


@pytest.mark.parametrize("partitions", PARTITIONS)
@given(log=logs())
def test_each_command_once_with_an_id_of_its_own(partitions, log):
    commands, _, _, _ = run(log, partitions, until_ms=log[-1].occurred_ms + LATER)
    ids = [command.command_id for command in commands]
    assert len(ids) == len(set(ids))


@given(log=logs())
def test_a_timer_never_fires_before_it_is_due(log):
    topology = everything()
    rows: dict[str, Row] = defaultdict(Row.new)
    shared = Shared()
    for event in log:
        row, _, _ = advance(topology, rows[event.contact_id], shared, event, event.occurred_ms)
        rows[event.contact_id] = row
        due = row.due_ms
        if due:
            assert due > 0
            data = row.encode()
            before = Due(event.contact_id, due - 1)
            early, outputs, _ = advance(topology, Row.decode(data), shared, before, due - 1)
            assert outputs == []
            assert early.encode() == data
            fresh = Shared.decode(shared.encode())
            fired, outputs, _ = advance(topology, Row.decode(data), fresh, Due(event.contact_id, due), due)
            assert fired.due_ms == 0 or fired.due_ms > due
            assert fired.clock_ms >= due or not outputs  # an inactivity timer that is only put off


@given(log=logs())
def test_waits_are_as_long_as_they_say(log):
    """The cart's reminder goes out an hour after the cart, or later for quiet hours; never sooner."""
    commands, decisions, _, _ = run(log, 2, until_ms=log[-1].occurred_ms + LATER)
    entered = {d.enrollment: d.at_ms for d in decisions if d.kind == "entered" and d.program == "cart"}
    for command in commands:
        if command.template == "cart-reminder":
            assert command.decided_ms >= entered[command.enrollment] + HOUR_MS


@given(log=logs(late=False))
def test_how_many_partitions_decides_nothing_for_a_log_in_order(log):
    """Without late events, and but for what partitions share, the number of partitions changes nothing."""
    # A complaint of one contact stops another's send: then it counts which of the two had its turn first.
    log = [event for event in log if event.type != "complained"]
    assume(log)

    def body(partitions: int) -> list[tuple[object, ...]]:
        commands, _, _, _ = run(log, partitions, until_ms=log[-1].occurred_ms + LATER)
        shared = {"handoff"}  # its cap on entrants and its round robin are shared quantities
        kept = (c for c in commands if c.program not in shared)
        return sorted((c.decided_ms, c.contact_id, c.program, c.step, c.template) for c in kept)

    assert body(1) == body(2) == body(8)


@given(log=logs())
def test_policies_hold(log):
    """No marketing send without consent, in quiet hours, or above a cap."""
    commands, decisions, _, _ = run(log, 2, until_ms=log[-1].occurred_ms + LATER)
    sends = [c for c in commands if c.kind == "send" and c.purpose == "marketing"]
    by_contact: dict[str, list[int]] = defaultdict(list)
    for command in sends:
        assert command.expires_ms >= command.decided_ms
        if command.channel == "email":
            by_contact[command.contact_id].append(command.decided_ms)
    merged = {d.contact_id for d in decisions if d.kind == "merged"}
    for contact, times in by_contact.items():
        if contact in merged:
            continue  # two contacts that become one may have used two caps
        for at in times:
            assert sum(1 for t in times if at - 24 * HOUR_MS < t <= at) <= 2


@given(log=logs())
def test_quiet_hours_hold(log):
    commands, _, _, _ = run(log, 1, until_ms=log[-1].occurred_ms + LATER)
    zones: dict[str, set[str]] = defaultdict(lambda: {"Europe/London"})
    for event in log:
        if event.type == "profile_updated" and event.properties.get("tz"):
            zones[event.contact_id].add(event.properties["tz"])
        if event.type == "contact_identified":
            zones[event.contact_id] |= {"America/Mexico_City", "Europe/Berlin", "Asia/Kathmandu"}
    for command in commands:
        if command.channel in {"email", "push"} and command.purpose != "receipts":
            at_ms = command.decided_ms
            names = zones[command.contact_id]
            quiet = [quiet_until(at_ms, 21 * 60, 8 * 60, zone(name)) for name in names]
            assert None in quiet
