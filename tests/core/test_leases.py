"""Leases between partitions, in any order in which messages can arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.events import Message
from processor.core.leases import PERIODS_MAX, TAKEN, WAITS, advance_shared, give_back, take
from processor.core.rows import Row
from processor.core.shared import Claim, Shared
from processor.core.turn import Turn
from tests.core.logs import everything

HOME = 0


def everybody(_name):
    return True


class Net:
    """Partitions that hand messages to each other, each pair in order; who is picked delivers one."""

    def __init__(self, partitions):
        self.rows = [Shared(number=n) for n in range(partitions)]
        self.lines = {}
        self.used = {}
        self.answers = {}

    def turn(self, number):
        return Turn(everything(), Row.new(), self.rows[number], "c", 0, [])

    def claim(self, number, name, needs, limits, value=0.0):
        turn = self.turn(number)
        answer = take(turn, Claim(name, name, needs, limits, value), 10_000)
        if answer == TAKEN:
            self.use(needs)
        if answer != WAITS:
            self.answers[name] = answer
        self.send(number, turn.out)

    def use(self, needs):
        for pot, units in needs.items():
            self.used[pot] = self.used.get(pot, 0) + units

    def send(self, number, out):
        for message in out:
            if message.kind == "wake":
                self.lines.setdefault((number, number), []).append(message)
            else:
                to = message.partition if message.partition >= 0 else HOME
                self.lines.setdefault((number, to), []).append(message)

    def step(self, pick, keep=everybody):
        """Deliver one message; False when there is none."""
        lines = sorted(line for line, waiting in self.lines.items() if waiting)
        if not lines:
            return False
        line = lines[pick % len(lines)]
        message = self.lines[line].pop(0)
        number = line[1]
        self.rows[number] = Shared.decode(self.rows[number].encode())
        if message.kind != "wake":
            self.send(number, advance_shared(everything(), self.rows[number], message, 0))
            return True
        needs = message.body["needs"]
        if needs and keep(message.contact_id):
            self.use(needs)
            self.answers[message.contact_id] = TAKEN
        else:
            self.answers[message.contact_id] = "gone" if needs else "refused"
            if needs:
                turn = self.turn(number)
                give_back(turn, needs)
                self.send(number, turn.out)
        return True

    def settle(self, picks, keep=everybody):
        steps = 0
        while self.step(picks[steps % len(picks)], keep):
            steps += 1
            assert steps < 20_000, "messages come to an end"


claims = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.dictionaries(st.sampled_from("ab"), st.integers(1, 5), min_size=1),
        st.sampled_from([0.0, 1.0, 2.0]),
        st.integers(0, 3),  # messages delivered before the next claim
    ),
    max_size=40,
)
picks = st.lists(st.integers(0, 11), min_size=1, max_size=20)


@given(claims=claims, picks=picks, limits=st.tuples(st.integers(0, 60), st.integers(0, 900)))
def test_everyone_is_answered_and_no_pot_gives_more_than_it_has(claims, picks, limits):
    sizes = dict(zip("ab", limits, strict=True))
    net = Net(4)
    for number, (partition, needs, value, steps) in enumerate(claims):
        net.claim(partition, f"c-{number}", needs, {pot: sizes[pot] for pot in needs}, value)
        for step in range(steps):
            net.step(picks[step % len(picks)])
    net.settle(picks)
    assert len(net.answers) == len(claims)
    assert all(units <= sizes[pot] for pot, units in net.used.items())
    for shared in net.rows:
        assert (shared.asked, shared.claims, shared.queue, shared.recalls) == (0, [], [], 0)


@given(
    picks=picks,
    size=st.integers(0, 50),
    counts=st.lists(st.integers(0, 30), min_size=4, max_size=4),
    steps=st.integers(0, 4),
)
def test_a_pot_is_used_to_the_last_unit(picks, size, counts, steps):
    net = Net(4)
    wanted = 0
    for partition, count in enumerate(counts):
        for number in range(count):
            net.claim(partition, f"c-{partition}-{number}", {"a": 1}, {"a": size})
            wanted += 1
            for step in range(steps):
                net.step(picks[step % len(picks)])
    net.settle(picks)
    assert net.used.get("a", 0) == min(size, wanted)


@given(picks=picks, gone=st.sets(st.integers(0, 9)))
def test_what_nobody_wants_any_more_goes_home(picks, gone):
    net = Net(3)
    for number in range(10):
        net.claim(number % 3, f"c-{number}", {"a": 1}, {"a": 100})
    net.settle(picks, keep=lambda name: int(name[2:]) not in gone)
    at_hand = sum(shared.at_hand.get("a", 0) for shared in net.rows)
    assert net.rows[HOME].pots["a"].given == net.used.get("a", 0) + at_hand


def test_claims_that_wait_together_are_served_by_their_value():
    net = Net(2)
    for number, value in enumerate([1.0, 5.0, 3.0, 5.0]):
        net.claim(1, f"c-{number}", {"a": 1}, {"a": 3}, value)
    net.settle([0])  # the first is asked for alone; the others wait together for its answer
    assert net.answers == {"c-0": TAKEN, "c-1": TAKEN, "c-3": TAKEN, "c-2": "refused"}


def test_a_refusal_is_remembered_for_as_much_and_a_pot_of_another_size_asked_anew():
    net = Net(2)
    net.claim(1, "c-0", {"a": 5}, {"a": 3})
    net.settle([0])
    net.claim(1, "c-1", {"a": 5}, {"a": 3})
    assert net.answers == {"c-0": "refused", "c-1": "a"}
    net.claim(1, "c-2", {"a": 2}, {"a": 3})
    net.claim(1, "c-3", {"a": 5}, {"a": 9})
    net.settle([0])
    assert (net.answers["c-2"], net.answers["c-3"]) == (TAKEN, TAKEN)


def test_the_latest_periods_are_kept_and_no_pot_is_filled_twice():
    net = Net(1)
    for period in range(PERIODS_MAX + 2):
        net.claim(0, f"c-{period}", {f"a@{period}": 1}, {f"a@{period}": 1000})
        net.settle([0])
    assert sorted(net.rows[0].pots) == sorted(f"a@{n}" for n in range(2, PERIODS_MAX + 2))
    assert len(net.rows[0].at_hand) <= PERIODS_MAX
    net.claim(0, "late", {"a@0": 1000}, {"a@0": 1000})
    net.settle([0])
    assert net.answers["late"] == "refused"


def test_a_period_may_end_between_two_claims_that_come_together():
    """The second is on a period so late that the first one's is let go of while both are answered."""
    net = Net(2)
    for period in [*range(PERIODS_MAX), PERIODS_MAX + 5, PERIODS_MAX + 6]:
        net.claim(1, f"c-{period}", {f"a@{period}": 1}, {f"a@{period}": 1000})
    net.settle([0])
    assert set(net.answers.values()) == {TAKEN}
    assert len(net.answers) == PERIODS_MAX + 2


def test_a_message_that_is_not_for_it_is_a_fault():
    with pytest.raises(AssertionError, match="depart"):
        advance_shared(everything(), Shared(), Message("depart", "", 0, {}), 0)
