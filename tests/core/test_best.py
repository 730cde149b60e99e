"""Splits by best performer: what counts, when shares move, what is on the record."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from random import Random

import pytest

from processor.core.best import chances, shares_of
from processor.core.ids import share_of
from processor.runtime.driver import Driver
from processor.store.memory import MemoryStore
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import event, topology

BASE = """
topology: small
events:
  seen: {n: integer?}
  clicked: {of: string?}
  bought: {value: number?}
purposes: {service: {consent: not_required}}
channels: {email: {}}
"""
PROGRAM = """
entry: {on: seen}
{goal}
steps:
  - split:
      good: {steps: [{send: email, template: good, purpose: service}]}
      poor: {steps: [{send: email, template: poor, purpose: service}]}
    best_by: {best_by}
"""
GOAL = "goal: {on: bought, within: 2d}"
RULE = "{within: 1d, every: 6h, at_least: 20, explore: 20}"
RATES = {"good": 0.6, "poor": 0.1}
ID = "split-good-poor"


def made(folder, best_by=RULE, goal=GOAL):
    return topology(folder, PROGRAM.replace("{goal}", goal).replace("{best_by}", best_by), BASE)


def play(small, count=600, every_hours=0.25, partitions=1, success="bought"):
    """Contacts come one after the other; who is sent ``good`` buys 6 hours later in 6 cases of 10."""
    driver = Driver(small, MemoryStore(partitions), partitions)
    random = Random(7)
    whole, commands, splits = [], [], []
    ahead = [event("seen", number * every_hours, f"c-{number}") for number in range(count)]
    while ahead:
        one = ahead.pop(0)
        whole.append(one)
        driver.feed(one, one.occurred_ms)
        taken = driver.take()
        assert not taken.failures
        commands += taken.commands
        splits += [d for d in taken.decisions if d.kind == "split"]
        for command in taken.commands:
            if random.random() < RATES[command.template]:
                hours = (one.occurred_ms - START_MS) / HOUR_MS + 6
                insort(ahead, event(success, hours, one.contact_id), key=lambda e: e.occurred_ms)
    return commands, splits, driver, whole


def later(commands, share=0.5):
    """How many got which variant, of the last ones."""
    return Counter(command.template for command in commands[int(len(commands) * share) :])


@pytest.mark.parametrize("partitions", [1, 2])
def test_the_shares_move_to_the_better_variant(tmp_path, partitions):
    commands, splits, driver, _ = play(made(tmp_path), partitions=partitions)
    first, last = splits[0].detail, splits[-1].detail
    assert first == {"dealt": "even"}
    assert last["shares"] == {"good": 100.0, "poor": 0.0}
    got = later(commands)
    assert got["good"] > 5 * got["poor"] > 0  # one in five goes on trying, and half of those get it
    assert {s.detail["dealt"] for s in splits} == {"even", "trial", "best"}
    # All partitions know the same in the end: the counts are added up at one of them.
    assert len({tuple(p.shared.splits[f"p/{ID}"].shares.items()) for p in driver.partitions}) == 1


def test_only_those_dealt_evenly_count_and_only_when_their_window_has_closed(tmp_path):
    _, splits, driver, _ = play(made(tmp_path))
    (pool,) = [pool for p in driver.partitions for pool in p.shared.pools.values()]
    evenly = Counter(s.reason for s in splits if s.detail["dealt"] != "best")
    counted: Counter[str] = Counter()
    for key, (dealt, _) in pool.open.items():
        counted[key.partition(" ")[2]] += dealt
    for variant, (dealt, hits) in pool.totals.items():
        counted[variant] += dealt
        assert hits <= dealt
        assert hits / dealt == pytest.approx(RATES[variant], abs=0.12)
    for key, (dealt, _) in driver.partitions[0].shared.splits[f"p/{ID}"].counts.items():
        counted[key.partition(" ")[2]] += dealt
    assert counted == evenly
    period = 6 * HOUR_MS
    moved = next(s for s in splits if s.detail["dealt"] != "even")
    ripe = [s for s in splits if (s.at_ms // period + 1) * period + 24 * HOUR_MS <= moved.at_ms]
    assert moved.detail["results"] == {
        variant: [count, moved.detail["results"][variant][1]]
        for variant, count in Counter(s.reason for s in ripe).items()
    }


def test_without_exploring_it_is_epsilon_first(tmp_path):
    small = made(tmp_path, RULE.replace("explore: 20", "explore: 0"))
    commands, splits, _, _ = play(small)
    assert {s.detail["dealt"] for s in splits} == {"even", "best"}
    assert later(commands) == {"good": 300}
    rounds = {str(s.detail["results"]) for s in splits if s.detail["dealt"] == "best"}
    assert len(rounds) <= 1 + 24 // 6 + 1, "only what had been dealt evenly before is still counted"


def test_an_event_counts_while_and_after_the_steps_run(tmp_path):
    small = made(tmp_path, "{on: clicked, if: event.of == none, within: 1d, every: 6h, at_least: 20}", "")
    commands, splits, _, whole = play(small, success="clicked")
    assert later(commands)["good"] > 200
    _, decisions, _, _ = run(whole, 1, topology=small, until_ms=START_MS + 900 * HOUR_MS)
    over = [d for d in decisions if d.kind == "observed_out"]
    assert over
    assert {d.reason for d in over} == {"counted"}
    clicks = sum(1 for one in whole if one.type == "clicked")
    assert len(over) == 600 - sum(1 for s in splits if s.detail["dealt"] == "best"), (
        "those that nothing is counted of end at once"
    )
    assert clicks > 200


def test_an_event_that_the_condition_does_not_hold_for_is_none(tmp_path):
    small = made(tmp_path, '{on: clicked, if: event.of == "x", within: 1d, every: 6h, at_least: 20}', "")
    _, splits, _, _ = play(small, success="clicked")
    assert splits[-1].detail["results"]["good"][1] == 0


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_any_slicing_gives_the_same(tmp_path, partitions):
    small = made(tmp_path)
    commands, _, _, whole = play(small, 300, partitions=partitions)
    sliced = run(whole, partitions, topology=small, cuts=frozenset(range(0, len(whole), 3)), rows_held_max=3)
    assert sliced[0] == commands


def test_a_variant_that_is_new_starts_everything_anew(tmp_path):
    small = made(tmp_path)
    _, _, _, whole = play(small)
    more = PROGRAM.replace("      poor:", "      third: {}\n      poor:").replace("split:", "split:", 1)
    more = (
        more.replace("  - split:", f"  - id: {ID}\n    split:")
        .replace("{goal}", GOAL)
        .replace("{best_by}", RULE)
    )
    (tmp_path / "b").mkdir()
    _, decisions, _, _ = run(whole, 1, topology=topology(tmp_path / "b", more, BASE))
    assert {d.reason for d in decisions if d.kind == "split"} == {"good", "poor", "third"}


def exactly(results, draws=20_000):
    """The same by chance: how often each rate is the highest."""
    random = Random(3)
    wins = [0] * len(results)
    for _ in range(draws):
        rates = [random.betavariate(hits + 1, dealt - hits + 1) for dealt, hits in results]
        wins[rates.index(max(rates))] += 1
    return [win / draws for win in wins]


@pytest.mark.parametrize(
    "results",
    [
        [(0, 0), (0, 0), (0, 0)],
        [(10, 3), (10, 3)],
        [(100, 12), (100, 20)],
        [(1000, 3), (1000, 9), (1000, 6)],
        [(50, 0), (50, 0), (50, 50)],
        [(20, 20), (20, 19)],
        [(100_000, 1_000), (100_000, 1_060)],
    ],
)
def test_the_probability_to_be_best(results):
    found = chances(results)
    assert sum(found) == pytest.approx(1)
    assert found == pytest.approx(exactly(results), abs=0.012)


def test_two_rates_in_closed_form():
    """Beta(2, 1) against Beta(1, 2): the integral of 2x (2x - x squared) is 5/6."""
    assert chances([(1, 1), (1, 0)]) == pytest.approx([5 / 6, 1 / 6], abs=1e-5)


def test_shares():
    assert shares_of({"a": [20, 5], "b": [19, 5]}, 20, 0.95) == {}
    assert shares_of({"a": [200, 90], "b": [200, 20]}, 20, 0.95) == {"a": 100.0, "b": 0.0}
    even = shares_of({"a": [200, 20], "b": [200, 20], "c": [200, 20]}, 20, 0.95)
    assert sum(even.values()) == pytest.approx(100)
    assert set(even.values()) <= {33.3, 33.4}
    # More successes than deals can only come of a merge on the way; it is no more than all.
    assert shares_of({"a": [20, 21], "b": [20, 1]}, 20, 0.95)["a"] == 100.0


def test_the_hashes_of_dealing_and_exploring_are_apart():
    explores = [n for n in range(4000) if share_of("s", "explore", f"e-{n}", ID) < 20]
    low = sum(share_of("s", "split", f"e-{n}", ID) < 50 for n in explores)
    assert low / len(explores) == pytest.approx(0.5, abs=0.06)
