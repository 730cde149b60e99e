"""Reports of decisions made up by hand, and of many, against counts made in another way."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from processor.core.outputs import Decision
from processor.core.time import format_time, parse_time, zone
from processor.runtime.report import Accumulator
from processor.runtime.report.calendar import Slots, bin_for, bin_start, bins_between
from tests.runtime.report.made import PROGRAM, TOP, day, of, report_of, topology, year

EMAIL = {"channel": "email", "template": "hello"}
SMS = {"channel": "sms", "template": "text"}
SPLIT = "split-plain-bold-text"
SEND = "send-email-hello"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return topology(tmp_path_factory.mktemp("made"), ["one", "two"])


def walk(contact, name="one", variant="plain", goal=None, value=None, at=0.0, **more):
    """An enrollment that walks all steps, and reaches its goal on a day or not at all."""
    moments = [
        (at, "entered"),
        (at, "commanded", SEND, "", EMAIL),
        (at, "waiting", "wait-2d"),
        (at + 2, "split", SPLIT, variant),
        (at + 2, "commanded", "send-email-plain", "", EMAIL),
        (at + 2, "completed"),
    ]
    moments = [one for one in moments if goal is None or one[0] < goal]
    if goal is None:
        moments.append((at + 14, "observed_out", "", "window_closed"))
    else:
        moments.append((goal, "goal", "", "bought", None if value is None else {"value": value}))
    yield from of(contact, name, *moments, **more)


def row(report, table="programs", **wanted):
    found = [one for one in getattr(report, table) if all(getattr(one, k) == v for k, v in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def test_a_few_enrollments(made):
    log = [
        *walk("ana", goal=1, value=50),
        *walk("bo", variant="bold", goal=5, value=30.5),
        *walk("cem"),
        *of("dua", "one", (0, "entered"), (0, "suppressed", SEND, "no_consent", EMAIL)),
        *of("eve", "one", (0, "holdout", "", "program"), (14, "observed_out", "", "window_closed")),
        *of("flo", "one", (0, "entered"), (1, "exited", SEND, "removed")),
        *of("gil", "one", (0, "not_entered", "on-came", "already_inside")),
    ]
    report = report_of(made, log)
    one = row(report, program="one")
    assert (one.contacts, one.entered, one.holdout, one.goals) == (6, 5, 1, 2)
    assert (one.completed, one.exited, one.not_entered) == (1, 1, 1)  # bo completed, and reached the goal
    assert one.open == 1  # dua, of whom nothing more is heard by day 14
    assert one.rate == pytest.approx(0.4)
    assert (one.commands, one.suppressed) == (5, 1)
    # Nobody is open but dua: half of the two goals had come on day 1.
    assert (one.quarter_s, one.median_s, one.three_quarters_s) == (86_400, 86_400, 5 * 86_400)
    assert row(report, program="two").entered == 0
    assert (report.enrollments, report.began_before, report.contacts) == (6, 0, 7)
    reached = {
        step.step: (step.reached, step.sent, step.suppressed)
        for step in report.steps
        if step.program == "one"
    }
    assert reached[SEND] == (4, 3, 1)
    assert reached["wait-2d"] == (3, 0, 0)
    assert reached[SPLIT] == (2, 0, 0)
    assert list(reached) == list(made.programs["one"].nodes)
    endings = {(end.arm, end.ending, end.reason): end.enrollments for end in report.endings}
    assert endings == {
        ("treated", "goal", ""): 2,
        ("treated", "window_closed", ""): 1,
        ("treated", "open", ""): 1,
        ("treated", "exited", "removed"): 1,
        ("holdout", "window_closed", ""): 1,
    }
    variants = {
        one.variant: (one.enrollments, one.goals, one.verdict)
        for one in report.variants
        if one.program == "one"
    }
    assert variants == {"plain": (1, 0, "base"), "bold": (1, 1, "too_small"), "text": (0, 0, "too_small")}
    money = row(report, "money", program="one")
    assert (money.cost, money.value, money.goals) == (pytest.approx(0.05), 80.5, 2)
    assert money.value_each == pytest.approx(80.5 / 5)
    assert money.verdict == "too_small"


def test_order_between_contacts_does_not_matter(made):
    log = list(year(["one", "two"], 300, days=60))
    by_contact: dict[str, list[Decision]] = {}
    for one in log:
        by_contact.setdefault(one.contact_id, []).append(one)
    groups = list(by_contact.values())
    random.Random(5).shuffle(groups)
    assert report_of(made, [one for group in groups for one in group]) == report_of(made, log)


def test_an_enrollment_that_moved_with_its_contact_is_met_before_it_began(made):
    # web-1 becomes ana, whose partition is read first: there the enrollment reaches its goal.
    before = [one for one in walk("web-1", goal=5) if one.kind != "goal"]
    before.append(Decision("merged", "web-1", day(3), "", 0, "", "", "departed", {"into": "ana"}))
    after = [
        Decision("merged", "ana", day(3), "", 0, "", "", "arrived", {"from": "web-1"}),
        Decision("goal", "ana", day(5), "one", 1, before[0].enrollment, "", "bought", {"value": 7}),
    ]
    report = report_of(made, after + before)
    assert report == report_of(made, before + after)
    one = row(report, program="one")
    assert (one.entered, one.goals, one.median_s, report.contacts) == (1, 1, 5 * 86_400, 1)


def test_counts_are_those_of_counting_in_another_way(made):
    log = list(year(["one", "two"], 1500, days=120, seed=3))
    report = report_of(made, log)
    for name in ("one", "two"):
        mine = [one for one in log if one.program == name]
        kinds = Counter(one.kind for one in mine)
        apart = {one.enrollment for one in mine if one.kind == "holdout"}
        goals = [one for one in mine if one.kind == "goal" and one.enrollment not in apart]
        found = row(report, program=name)
        assert (found.entered, found.holdout) == (kinds["entered"], kinds["holdout"])
        assert (found.goals, found.commands, found.suppressed) == (
            len(goals),
            kinds["commanded"],
            kinds["suppressed"],
        )
        money = row(report, "money", program=name)
        assert money.value == pytest.approx(sum((one.detail or {})["value"] for one in goals))
        channels = Counter((one.detail or {})["channel"] for one in mine if one.kind == "commanded")
        assert money.cost == pytest.approx(0.01 * channels["email"] + 0.1 * channels["sms"])
        for variant in ("plain", "bold", "text"):
            got = {one.enrollment for one in mine if one.kind == "split" and one.reason == variant}
            found_variant = row(report, "variants", program=name, variant=variant)
            assert found_variant.enrollments == len(got)
            assert found_variant.goals == sum(one.enrollment in got for one in goals)
        lift = row(report, "holdouts", program=name)
        assert (lift.treated, lift.held_out, lift.holdout) == (kinds["entered"], kinds["holdout"], "program")
        assert lift.lift == pytest.approx(lift.treated_rate - lift.held_out_rate)
    sent = Counter(one.kind for one in log)
    assert sum(one.count for one in report.activity if one.what == "sent") == sent["commanded"]
    assert sum(one.count for one in report.activity if one.what == "suppressed") == sent["suppressed"]
    assert sum(one.sends for one in report.suppressed) == sent["suppressed"]


def test_effects_are_found_and_their_size(made):
    adds = {"plain": 0.0, "bold": 0.09, "text": -0.09}
    report = report_of(made, year(["one"], 8_000, treated=0.3, held_out=0.2, variants=adds))
    lift = row(report, "holdouts", program="one")
    assert lift.verdict == "better"
    assert lift.lift_low < 0.1 < lift.lift_high
    verdicts = {one.variant: one.verdict for one in report.variants if one.program == "one"}
    assert verdicts == {"plain": "base", "bold": "better", "text": "worse"}


def test_no_effect_is_seldom_taken_for_one(made):
    same = {"plain": 0.0, "bold": 0.0, "text": 0.0}
    wrong = 0
    for seed in range(60):
        log = year(["one"], 400, days=90, seed=seed, treated=0.3, held_out=0.3, variants=same)
        report = report_of(made, log)
        wrong += any(one.verdict in {"better", "worse"} for one in report.variants if one.program == "one")
    assert wrong <= 8  # 5 percent of 60 splits are 3, and more than 8 have a chance below 1 in 200


def test_from_and_to_bound_what_began_and_what_is_known(made):
    log = [*walk("ana", at=0, goal=1, value=1), *walk("bo", at=10, goal=12.5, value=1), *walk("cem", at=30)]
    early = report_of(made, log, to_ms=day(12.5))
    one = row(early, program="one")
    assert (one.entered, one.goals, one.open) == (2, 1, 1)  # bo's goal comes at that very instant
    late = report_of(made, log, from_ms=day(5))
    one = row(late, program="one")
    assert (one.entered, one.goals) == (2, 1)
    assert late.began_before == 0  # ana's had ended by then
    both = report_of(made, log, from_ms=day(0.5), to_ms=day(11))
    assert (row(both, program="one").entered, both.began_before) == (1, 1)
    assert sum(one.count for one in both.activity if one.what == "sent") == 1


def test_programs_can_be_left_out(made):
    log = [*walk("ana"), *walk("ana", "two")]
    report = report_of(made, log, programs=["two"])
    assert [one.program for one in report.programs] == ["two"]
    assert report.enrollments == 1


def test_what_began_before_the_record_is_told_and_not_counted(made):
    log = [one for one in walk("ana") if one.kind != "entered"] + list(walk("bo"))
    report = report_of(made, log)
    assert (row(report, program="one").entered, report.began_before) == (1, 1)
    assert row(report, program="one").commands == 2


def test_those_held_out_of_all_programs_are_apart_from_those_held_out_of_one(made):
    log = [
        *walk("ana"),
        *of("bo", "one", (0, "holdout", "", "program"), (3, "goal", "", "bought")),
        *of("cem", "one", (0, "holdout", "", "global")),
    ]
    report = report_of(made, log)
    assert [(one.holdout, one.held_out, one.held_out_goals) for one in report.holdouts] == [
        ("program", 1, 1),
        ("global", 1, 0),
    ]


def test_several_enrollments_of_a_contact_make_intervals_wider(made):
    once = [one for n in range(40) for one in walk(f"c{n}", goal=1 if n % 2 else None)]
    often = [
        one
        for n in range(10)
        for again in range(4)
        for one in walk(f"c{n}", goal=1 if n % 2 else None, key=str(again))
    ]
    few, many = (row(report_of(made, log), program="one") for log in (often, once))
    assert (few.contacts, few.entered, few.rate) == (10, 40, many.rate)
    assert few.rate_high - few.rate_low > 1.7 * (many.rate_high - many.rate_low)


# ---------------------------------------------------------------------------------- programs of all kinds


def test_a_program_without_a_goal(tmp_path):
    small = topology(
        tmp_path, {"one": PROGRAM.replace("goal: {on: bought, within: 14d, value: event.value}\n", "")}
    )
    report = report_of(small, [*walk("ana")][:-1])
    one = row(report, program="one")
    assert (one.rate, one.goal, one.median_s, one.open, one.completed) == (None, "", None, 0, 1)
    assert report.curves == ()
    assert report.holdouts == ()
    assert {variant.verdict for variant in report.variants} == {""}
    assert row(report, "money").verdict == "no_value"


def test_a_program_without_a_holdout(tmp_path):
    small = topology(tmp_path, {"one": PROGRAM.replace("holdout: 10\n", "")})
    report = report_of(small, [*walk("ana", goal=3, value=9), *walk("bo", goal=3)])
    assert report.holdouts == ()
    money = row(report, "money")
    assert (money.verdict, money.goals, money.value, money.extra_value) == ("no_holdout", 1, 9, None)


def test_a_split_with_one_variant(tmp_path):
    text = "".join(line for line in PROGRAM.splitlines(keepends=True) if ": {share: 33" not in line)
    small = topology(tmp_path, {"one": text.replace("share: 34", "share: 100")})
    log = [*of("ana", "one", (0, "entered"), (2, "split", "split-plain", "plain"), (3, "goal", "", "bought"))]
    found = row(report_of(small, log), "variants")
    assert (found.variant, found.verdict, found.goals, found.p, found.difference) == (
        "plain",
        "base",
        1,
        None,
        None,
    )


def test_of_a_split_by_best_performer_those_dealt_evenly_are_compared(tmp_path):
    text = PROGRAM
    for share in ("34", "33"):
        text = text.replace(f"share: {share}, ", "")
    small = topology(tmp_path, {"one": f"{text}    best_by: goal\n"})
    split = "split-plain-bold-text"
    log = [
        Decision(kind, f"c-{number}", day(number + hours), "one", 1, f"e-{number}", step, reason, detail)
        for number in range(30)
        for hours, kind, step, reason, detail in (
            (0.1, "entered", "", "", None),
            (
                0.2,
                "split",
                split,
                "bold" if number % 3 else "text",
                {"dealt": "even"}
                if number < 10
                else {
                    "dealt": "best" if number % 3 else "trial",
                    "shares": {"plain": 5.0, "bold": 80.0 + number / 10, "text": 12.0},
                },
            ),
            (0.3, "goal", "", "bought", None),
        )
    ]
    rows = report_of(small, log).variants
    assert [(r.variant, r.enrollments, r.goals, r.chosen, round(r.share or 0, 3)) for r in rows] == [
        ("plain", 0, 0, 0, 0.05),
        ("bold", 6, 6, 14, 0.829),
        ("text", 10, 10, 0, 0.12),
    ]
    begun = report_of(small, log[:6]).variants
    assert {round(r.share or 0, 3) for r in begun} == {0.333}


def test_nothing_at_all(made):
    report = report_of(made, [])
    assert (report.decisions, report.contacts, report.first_ms, report.activity, report.grades) == (
        0,
        0,
        None,
        (),
        (),
    )
    assert [(one.entered, one.rate) for one in report.programs] == [(0, None), (0, None)]


def test_a_program_that_the_topology_no_longer_has(made):
    report = report_of(made, [*walk("ana", "old-one", goal=3), *walk("bo")])
    assert [one.program for one in report.programs] == ["one", "two", "old-one"]
    old = row(report, program="old-one")
    assert (old.goals, old.goal, old.rate) == (1, "", 1.0)
    assert [step.kind for step in report.steps if step.program == "old-one"] == [""] * 4


# ---------------------------------------------------------------------------------------- grades and time


def graded(contact, at, score, before, after):
    detail = {"score": score, "from": before, "to": after}
    return Decision("graded", contact, day(at), "", 0, "", "", "", detail)


def levels(report, score="heat"):
    found: dict[str, list[int]] = {}
    for one in report.grades:
        if one.score == score:
            found.setdefault(one.grade, []).append(one.contacts)
    return found


def test_grades_at_the_end_of_each_day(made):
    log = [
        graded("ana", 0.5, "heat", "cold", "warm"),
        graded("ana", 2.5, "heat", "warm", "hot"),
        *of("bo", "one", (1.2, "entered")),  # never scored: cold
        graded("ana", 4.5, "heat", "hot", "warm"),
    ]
    assert levels(report_of(made, log)) == {
        "cold": [0, 1, 1, 1, 1],
        "warm": [1, 1, 0, 0, 1],
        "hot": [0, 0, 1, 1, 0],
    }


def test_grades_have_a_past_before_the_time_looked_at(made):
    log = [graded("ana", 0.5, "heat", "cold", "warm")]
    log += of("bo", "one", (5.2, "entered"), (6.3, "completed"))
    assert levels(report_of(made, log, from_ms=day(6), to_ms=day(7))) == {
        "cold": [1] * 8,  # hours, from the first one looked at to the last decision
        "warm": [1] * 8,
        "hot": [0] * 8,
    }


def test_a_contact_that_became_another_has_no_grade_any_more(made):
    log = [
        graded("web-1", 0.1, "heat", "cold", "hot"),
        Decision("merged", "web-1", day(1.1), "", 0, "", "", "departed", {"into": "ana"}),
        Decision("merged", "ana", day(1.1), "", 0, "", "", "arrived", {"from": "web-1"}),
        graded("ana", 1.1, "heat", "cold", "hot"),
        *of("web-2", "one", (0.2, "entered")),
        Decision("merged", "web-2", day(3.1), "", 0, "", "", "departed", {"into": "ana"}),
    ]
    report = report_of(made, log)
    assert levels(report) == {"cold": [1, 1, 1, 0], "warm": [0] * 4, "hot": [1] * 4}
    assert report.contacts == 1


def test_stretches_of_time_without_anything_are_there(made):
    log = [
        *of("a", "one", (0, "entered"), (0, "commanded", SEND, "", EMAIL), (9, "commanded", SEND, "", SMS))
    ]
    report = report_of(made, log)
    sent = {name: [one.count for one in report.activity if one.name == name] for name in ("email", "sms")}
    assert sent == {"email": [1, *[0] * 9], "sms": [*[0] * 9, 1]}
    assert report.bin == "day"


@pytest.mark.parametrize(
    ("days", "size"),
    [(0, "hour"), (2, "hour"), (3, "day"), (92, "day"), (100, "week"), (800, "month"), (9000, "year")],
)
def test_stretches_suit_the_whole(days, size):
    assert bin_for(days * 86_400_000) == size


def test_days_are_those_of_the_topology_whatever_the_clock_does():
    madrid = Slots(zone("Europe/Madrid"))
    # The night to 29 March 2026 has no hour from 2 to 3, that to 25 October has it twice.
    spring = [madrid.of(parse_time(text)) for text in ("2026-03-28T23:30:00Z", "2026-03-29T01:10:00Z")]
    assert spring[1] - spring[0] == 3
    autumn = [madrid.of(parse_time(text)) for text in ("2026-10-25T00:10:00Z", "2026-10-25T01:10:00Z")]
    assert autumn[0] == autumn[1]
    nepal = Slots(zone("Asia/Kathmandu"))  # 5 hours and 45 minutes ahead
    midnight = nepal.of(parse_time("2026-01-05T18:15:00Z"))
    assert midnight % 24 == 0
    assert nepal.of(parse_time("2026-01-05T18:14:59Z")) == midnight - 1
    assert format_time(nepal.instant(midnight)) == "2026-01-05T18:15:00Z"


def test_weeks_begin_on_monday_and_months_on_the_first():
    utc = Slots(zone("UTC"))
    first, last = utc.of(parse_time("2026-01-07T10:00:00Z")), utc.of(parse_time("2026-03-02T10:00:00Z"))
    shown = {
        size: [format_time(utc.instant(slot))[:10] for slot in bins_between(first, last, size)]
        for size in ("week", "month", "year")
    }
    assert (shown["week"][0], shown["week"][-1], len(shown["week"])) == ("2026-01-05", "2026-03-02", 9)
    assert shown["month"] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert shown["year"] == ["2026-01-01"]
    assert bin_start(first, "hour") == first


def test_memory_is_bounded_by_enrollments_not_by_decisions(made):
    def size(rounds):
        found = Accumulator(made.timezone)
        for contact in range(200):
            for one in of(f"c{contact}", "one", (0, "entered")):
                found.add(one)
            for _ in range(rounds):
                for one in of(
                    f"c{contact}", "one", (0.1, "stepped", SEND), (0.1, "commanded", SEND, "", EMAIL)
                ):
                    found.add(one)
        columns = len(found.columns), len(found._masks), len(found.by_slot), len(found._contacts)
        return columns, sum(columns)

    assert size(2) == size(40)


def test_costs_need_no_currency_and_values_no_cost(tmp_path):
    top = TOP.replace("currency: EUR\n", "").replace("{cost: 0.01}", "{}").replace("{cost: 0.1}", "{}")
    free = topology(tmp_path, ["one"], top)
    report = report_of(
        free, [*walk("ana", goal=1, value=50), *of("bo", "one", (0, "holdout", "", "program"))]
    )
    money = row(report, "money")
    assert (report.currency, money.cost, money.value, money.extra_return) == ("", 0, 50, None)


def test_what_a_send_costs_beside_its_channel_counts(tmp_path):
    made = topology(tmp_path, ["one"])
    log = list(walk("ana", goal=1, value=50))
    before = row(report_of(made, log), "money").cost
    given = [one for one in log if one.kind == "commanded"]
    for one in given:
        one.detail = {**(one.detail or {}), "cost": 2.5}
    assert given
    assert row(report_of(made, log), "money").cost == pytest.approx(before + 2.5 * len(given))
