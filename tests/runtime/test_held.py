"""What is held, as the record of decisions says it: the same that the rows say."""

from __future__ import annotations

import pytest

from processor.core.outputs import Decision
from processor.core.rows import Row
from processor.runtime.held import HeldByRecord, held_of
from tests.core.test_brakes import BREAKER, CONTACTS, SEND, play, said, seen
from tests.core.test_machine import event

LOGS = [
    seen(),
    [*seen(), said("held_released", 3)],
    [*seen(1, CONTACTS[:5]), said("held_dropped", 3), *seen(4)],
    [*seen(1, CONTACTS[:5]), said("program_paused", 2), said("held_released", 3)],
    [*seen(1, CONTACTS[:5]), event("clicked", 3, "c4"), event("contact_erased", 4, "c3")],
]


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("partitions", [1, 3])
def test_the_record_says_what_the_rows_say(tmp_path, log, partitions):
    program = SEND + "exit: clicked\n"
    _, decisions, store, driver = play(tmp_path, program, log, BREAKER, partitions, days=1)
    record = HeldByRecord()
    for decision in decisions:
        record.add(decision)
    found = []
    for number in range(partitions):
        part = store.partition(number)
        for contact in part.contacts("", 100):
            (data,) = part.get_many([contact])
            if data is not None:
                found += held_of(Row.decode(data), contact)
    assert sorted(map(repr, record.held())) == sorted(map(repr, found))
    brakes = driver.partitions[0].shared.brakes.get("p")
    stopped = [(one.paused, one.tripped) for one in record.braked()]
    on = brakes is not None and (brakes.paused or brakes.tripped)
    assert stopped == ([(brakes.paused, brakes.tripped)] if brakes is not None and on else [])


def test_what_is_said_of_others_is_let_be():
    record = HeldByRecord()
    record.add(Decision("held", "ana", 1, "p", 1, "e", "s", "quiet_hours", {"until": 5}))
    record.add(Decision("suppressed", "ana", 1, "p", 1, "e", "s", "no_consent"))
    assert record.held() == []
    assert record.braked() == []
