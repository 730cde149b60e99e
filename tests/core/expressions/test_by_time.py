"""Looking again: until the instant an expression names, nothing but the clock moving changes its value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.turn import NEVER_MS
from tests.core.expressions.world import DAY, HOUR, NOW, compiled, evaluate, remember, turn_over

MINUTE = 60_000

numbers = st.sampled_from(["-1", "0", "0.5", "1", "2", "2.5", "3", "30"])
comparisons = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
durations = st.sampled_from(['duration("0s")', 'duration("1h")', 'duration("3d")', '-duration("2d")'])
moving = st.one_of(
    st.sampled_from(["count(X, within={})", "sum(X, 'value', within={})", "avg(X, 'value', within={})"]).map(
        lambda text: text.replace("X", '"order_completed"').format('"2d"')
    ),
    st.sampled_from(
        [
            'days_since("order_completed")',
            "days_until(event.ends)",
            "days_since_date(event.ends)",
            "days_until(event.day)",
            "days_since_date(event.day)",
            "age(event.day)",
            "hour()",
        ]
    ),
)
conditions = st.one_of(
    st.builds("{} {} {}".format, moving, comparisons, numbers),
    st.builds("{} {} {}".format, numbers, comparisons, moving),
    st.builds("now {} event.ends".format, comparisons),
    st.builds("event.ends + {} {} now".format, durations, comparisons),
    st.builds("now - event.ends {} {}".format, comparisons, durations),
    st.builds("event.ends - now {} {}".format, comparisons, durations),
    st.builds("event.ends {} now < event.day".format, comparisons),
    st.builds("now - {} {} last('order_completed')".format, durations, comparisons),
    st.builds("today() {} event.day".format, comparisons),
    st.just('happened("order_completed", within="1d")'),
    st.just('weekday() == "thu"'),
)
expressions = st.one_of(
    conditions,
    st.builds("{} and {}".format, conditions, conditions),
    st.builds("{} or not {}".format, conditions, conditions),
    st.builds("({}) == ({})".format, conditions, conditions),
    st.builds("{} if {} else 7".format, moving, conditions),
    moving,
)
moments = st.integers(-4 * 48, 4 * 48).map(lambda half_hours: NOW + half_hours * HOUR // 2)
occurrences = st.lists(
    st.tuples(
        st.integers(0, 4 * 48).map(lambda n: n * HOUR // 2),
        st.sampled_from([{"value": 1}, {"value": 2.5}, {}]),
    ),
    max_size=6,
)


def _iso(ms):
    return evaluate(f'time("1970-01-01") + duration("{ms // 1000}s")', turn_over())


@given(
    expressions,
    moments,
    moments,
    occurrences,
    st.sampled_from(["Europe/London", "America/Mexico_City", "Asia/Kolkata"]),
)
def test_the_value_stays_until_the_instant_it_names(text, ends_ms, day_ms, past, zone):
    made = compiled(text)
    turn = turn_over({"ends": _iso(ends_ms), "day": _iso(day_ms)[:10]}, attributes={"tz": zone})
    remember(turn, made, *past)
    turn.until_ms = NEVER_MS
    value = made.fn(turn)
    until = turn.until_ms
    assert until > NOW
    assert made.uses.by_time
    later = [NOW + step * HOUR // 2 + nudge for step in range(1, 8 * 48) for nudge in (-1, 0, 1)]
    for at in (*later, min(until, NOW + 400 * DAY) - 1):
        if NOW < at < until:
            turn.now_ms = at
            assert made.fn(turn) == value, (at - NOW, until - NOW)


def looks(text, *past, props=None, attributes=None):
    """(value, ms from now until the next look, None for never)."""
    made = compiled(text)
    turn = turn_over(props, attributes=attributes)
    remember(turn, made, *past)
    turn.until_ms = NEVER_MS
    value = made.fn(turn)
    return value, None if turn.until_ms == NEVER_MS else turn.until_ms - NOW


PAST = ((3 * HOUR, {"value": 1}), (2 * HOUR, {"value": 2}), (HOUR, {"value": 3}))
X = '"order_completed"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What is not yet reached can by time alone only go further away.
        (f'count({X}, within="1d") >= 4', (False, None)),
        (f'count({X}, within="1d") >= 3', (True, 21 * HOUR)),
        (f'count({X}, within="1d") >= 1', (True, 23 * HOUR)),
        (f'count({X}, within="1d") > 0', (True, 23 * HOUR)),
        (f'2 > count({X}, within="1d")', (False, 22 * HOUR)),
        (f'count({X}, within="1d") == 3', (True, 21 * HOUR)),
        (f'count({X}, within="1d") == 2', (False, 21 * HOUR)),
        (f'count({X}, within="1d") != 0', (True, 23 * HOUR)),
        (f'count({X}, within="1d") >= 0', (True, None)),
        (f'count({X}, within="1d")', (3, 21 * HOUR)),
        (f'count({X}, within="1d") > 2.5', (True, 21 * HOUR)),
        (f'happened({X}, within="1d")', (True, 23 * HOUR)),
        (f"count({X}) >= 3", (True, None)),
        (f'sum({X}, "value", within="1d") > 2', (True, 21 * HOUR)),
        (f"days_since({X}) >= 30", (False, 30 * DAY - HOUR)),
        (f"days_since({X}) < 0", (False, None)),
        (f"days_since({X})", (0, 23 * HOUR)),
        (f"days_since({X}) == 0", (True, 23 * HOUR)),
        # The clock against an instant: when they meet, and just after.
        ("now < event.ends", (True, 44 * HOUR + 30 * MINUTE)),
        ("now > event.ends", (False, 44 * HOUR + 30 * MINUTE + 1)),
        ('event.ends - now <= duration("1d")', (False, 20 * HOUR + 30 * MINUTE)),
        ("now >= profile.trial_ends", (True, None)),
        ('now - profile.trial_ends > duration("1h")', (False, HOUR + 1)),
        ("now == profile.trial_ends", (True, 1)),
        ("profile.trial_ends <= now < event.ends", (True, 44 * HOUR + 30 * MINUTE)),
        ("now < event.day", (False, None)),
        ("now == none", (False, None)),
        ("coalesce(now, event.ends)", ("2026-03-18T15:30:00Z", MINUTE)),
        # The calendar.
        ("hour() > 3", (True, 30 * MINUTE)),
        ('weekday() == "wed"', (True, 8 * HOUR + 30 * MINUTE)),
        ("days_until(event.ends) <= 1", (False, 8 * HOUR + 30 * MINUTE)),
        ("days_until(event.ends) > 30", (False, None)),
        ("days_until(event.ends) < 0", (False, 56 * HOUR + 30 * MINUTE)),
        ("age(profile.birthday)", (35, 8 * HOUR + 30 * MINUTE)),
        # What a condition does not come to look at changes nothing.
        ("event.gift and hour() > 3", (False, None)),
    ],
)
def test_the_next_look(text, expected):
    props = {"ends": "2026-03-20T12:00:00Z"}
    attributes = {"trial_ends": "2026-03-18T15:30:00Z", "birthday": "1990-03-19"}
    assert looks(text, *PAST, props=props, attributes=attributes) == expected


def test_midnight_of_a_short_day_is_not_missed():
    # In London the clocks go forward on 2026-03-29: that day has 23 hours.
    turn = turn_over(now_ms=evaluate('time("2026-03-29T00:30Z")', turn_over(), "time"))
    turn.until_ms = NEVER_MS
    assert compiled("today()").fn(turn) == "2026-03-29"
    assert turn.until_ms - turn.now_ms == 22 * HOUR + 30 * MINUTE
