"""Random expressions, mostly well-typed, and random data, mostly not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from processor.core.turn import Turn
from tests.core.expressions.world import DAY, HOUR, compiled, furnish, remember, turn_over

times = st.sampled_from(
    [
        "2026-03-18T15:30:00Z",
        "2026-03-20T12:00:00Z",
        "2025-01-01",
        "2026-03-18 16:30+01:00",
        "0001-01-01",
        "9999-12-31T23:59Z",
    ]
)
dates = st.sampled_from(["2026-03-18", "2026-03-19", "2000-02-29", "0001-01-01", "9999-12-31"])
_right: dict[str, SearchStrategy[Any]] = {
    "number": st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 1e300, -1e300, 10**15, 2**63, -0.0])),
    "string": st.sampled_from(["", "a", "A-7", "ab", "mon", "Leeds", "é"]),
    "boolean": st.booleans(),
    "time": times,
    "date": dates,
    "list": st.lists(st.sampled_from([1, 2.5, "a", True, None]), max_size=3),
    "map": st.fixed_dictionaries({"x": st.sampled_from([1, "a", None, True, "2026-03-18", {"y": 2}])}),
}
anything: SearchStrategy[Any] = st.one_of(
    *_right.values(),
    st.sampled_from(
        [
            None,
            float("nan"),
            float("inf"),
            -float("inf"),
            10**400,
            "x" * 3000,
            "%s %(a)s",
            "{0.__class__}",
            "\ud800",
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
        max_leaves=4,
    ),
)
_FIELDS = {
    "props": {
        "order_id": "string",
        "value": "number",
        "pieces": "number",
        "ends": "time",
        "day": "date",
        "gift": "boolean",
        "tags": "list",
        "address": "map",
        "blob": "any",
    },
    "profile": {
        "email": "string",
        "visits": "number",
        "birthday": "date",
        "trial_ends": "time",
        "vip": "boolean",
        "owner": "map",
        "tags": "list",
    },
    "entry": {"kind": "string", "size": "number"},
    "answer": {"url": "string", "seconds": "number", "value": "string"},
}


def _data(fields: dict[str, str]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={name: _right.get(kind, anything) | anything for name, kind in fields.items()}
    )


_past = st.lists(
    st.tuples(st.sampled_from([0, HOUR, DAY, 3 * DAY, 40 * DAY]), _data(_FIELDS["props"])), max_size=5
)


@st.composite
def turns(draw: st.DrawFn) -> tuple[Turn, list[tuple[int, dict[str, Any]]]]:
    """A turn over a random row, and a random past for whatever is counted."""
    turn = turn_over(
        draw(_data(_FIELDS["props"])),
        attributes={
            **draw(_data(_FIELDS["profile"])),
            "tz": draw(st.sampled_from(["Europe/Madrid", "Pacific/Auckland", "", 7, "no/zone"])),
        },
        entry=draw(_data(_FIELDS["entry"])),
        answer=draw(_data(_FIELDS["answer"])),
    )
    return furnish(turn) if draw(st.booleans()) else turn, draw(_past)


def prepare(text: str, turn: Turn, past: list[tuple[int, dict[str, Any]]]) -> None:
    """Give the row the past that the expression counts."""
    remember(turn, compiled(text), *past)


def _fill(*forms: str, **parts: SearchStrategy[str]) -> SearchStrategy[str]:
    """Texts of these forms with {a}, {b} … filled in; each name's first letter picks its strategy."""
    return st.one_of(
        *(
            st.builds(form.format, **{name: parts[name] for name in parts if "{" + name + "}" in form})
            for form in forms
        )
    )


def _leaf(*texts: str) -> SearchStrategy[str]:
    return st.sampled_from(texts)


ORDER = '"order_completed"'


def _typed(depth: int) -> dict[str, SearchStrategy[str]]:
    leaves = {
        "number": _leaf(
            "event.value",
            "event.pieces",
            "profile.visits",
            "entry.size",
            "answer.seconds",
            "0",
            "1",
            "-2.5",
            "1e15",
            "score.engagement",
        ),
        "string": _leaf(
            "event.order_id", "profile.email", "entry.kind", '"a"', "''", 'profile["tz"]', "answer.value"
        ),
        "boolean": _leaf(
            "event.gift", "profile.vip", "true", "false", 'in_list("newsletter")', 'in_segment("staff")'
        ),
        "time": _leaf(
            "event.ends",
            "profile.trial_ends",
            "now",
            'time("2026-03-20T12:00Z")',
            f"last({ORDER})",
            f"first({ORDER})",
        ),
        "date": _leaf("event.day", "profile.birthday", 'date("2026-03-18")', "today()"),
        "duration": _leaf('duration("1d")', 'duration("36h")', "-duration('2h')"),
        "list": _leaf("event.tags", "profile.tags", '["a", 1, true]', "[]"),
        "any": _leaf("event.blob", "event.address.x", "profile.owner.x.y"),
    }
    if depth == 0:
        return leaves
    inner = _typed(depth - 1)
    n, s, b, t, d, u, ls, a = (inner[kind] for kind in leaves)
    parts = {
        "n": n,
        "m": n,
        "s": s,
        "r": s,
        "b": b,
        "c": b,
        "t": t,
        "v": t,
        "d": d,
        "e": d,
        "u": u,
        "w": u,
        "l": ls,
        "a": a,
        "z": a,
    }
    op = _leaf("<", "<=", ">", ">=", "==", "!=")
    eq = _leaf("==", "!=")
    parts |= {
        "op": op,
        "o2": op,
        "eq": eq,
        "ar": _leaf("+", "-", "*", "/", "%"),
        "win": _leaf("1d", "7d", "3h"),
    }
    return {
        "number": leaves["number"]
        | _fill(
            "({n} {ar} {m})",
            "({n} {ar} {a})",
            "-{n}",
            "({n} if {b} else {m})",
            "min({n}, {m})",
            "max({n}, none, {a})",
            "abs({n})",
            "round({n}, digits=2)",
            "coalesce({n}, {m})",
            "length({s})",
            "length({l})",
            "length({a})",
            "({u} / {w})",
            "hour()",
            "days_until({t})",
            "days_since_date({d})",
            "days_until({a})",
            "age({d})",
            'count("order_completed", within="{win}")',
            'sum("order_completed", "value", within="{win}", where=event.gift)',
            'avg("order_completed", "value")',
            'days_since("order_completed")',
            'entries("welcome")',
            **parts,
        ),
        "string": leaves["string"]
        | _fill(
            "({s} + {r})",
            "({s} + {a})",
            "lower({s})",
            "upper({s})",
            "coalesce({s}, {r})",
            "({s} if {c} else {r})",
            "lower(weekday())",
            'lower(variant("split-a-b"))',
            "lower(grade.engagement)",
            **parts,
        ),
        "boolean": leaves["boolean"]
        | _fill(
            "({n} {op} {m})",
            "({n} {op} {m} {o2} {a})",
            "({s} {op} {r})",
            "({t} {op} {v})",
            "({d} {op} {e})",
            "({t} {op} {d})",
            "({u} {op} {w})",
            "({a} {op} {n})",
            "({s} {op} {a})",
            "({a} {op} {z})",
            "({b} {eq} {c})",
            "({l} {eq} {a})",
            "({n} {eq} none)",
            "({a} {eq} none)",
            "({t} {op} {v} {o2} {d})",
            "({b} and {c})",
            "({b} or {c})",
            "(not {b})",
            "({n} in [1, 2.5, -3])",
            '({s} not in ["a", "A-7"])',
            '({a} in ["a", 1, true, none])',
            "({a} in [1, 2])",
            "({n} in {l})",
            "({s} in {r})",
            "({a} in {s})",
            "({s} in {a})",
            "starts_with({s}, {r})",
            "ends_with({a}, {s})",
            "contains({s}, {a})",
            "contains({l}, {n})",
            "({b} if {c} else {b})",
            'happened("order_completed", within="{win}")',
            'in_program("welcome")',
            'consent("marketing", channel="sms")',
            "({a} and {b})",
            "(now - {t} {op} {u})",
            "(now + {u} {op} {t})",
            **parts,
        ),
        "time": leaves["time"]
        | _fill(
            "({t} + {u})",
            "({u} + {t})",
            "({t} - {u})",
            "({d} + {u})",
            "max({t}, {v})",
            "coalesce({t}, {d})",
            "({t} if {b} else {v})",
            "({a} + {u})",
            "min({t}, {d})",
            **parts,
        ),
        "date": leaves["date"]
        | _fill("coalesce({d}, {e})", "({d} if {b} else {e})", "max({d}, {e})", **parts),
        "duration": leaves["duration"]
        | _fill(
            "({t} - {v})",
            "({d} - {e})",
            "({u} * {n})",
            "({u} / {n})",
            "({u} + {w})",
            "({u} - {w})",
            "({a} - {t})",
            "-{u}",
            **parts,
        ),
        "list": leaves["list"] | _fill("({l} if {b} else {l})", **parts),
        "any": leaves["any"]
        | _fill(
            "({a} + {z})", "({a} if {b} else {n})", "coalesce({s}, {n})", "({n} if {b} else {s})", **parts
        ),
    }


_TYPED = _typed(3)
well_typed = st.one_of(*_TYPED.values())
conditions = _TYPED["boolean"]
