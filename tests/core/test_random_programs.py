"""Random programs over random logs: whatever loads, runs, and nothing raises."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processor.language import load_topology
from tests.core.logs import HOUR_MS, logs, run

BASE = Path(__file__).parents[1] / "fixtures" / "everything" / "topology.yaml"
EVENTS = ["page_viewed", "downloaded", "cart_abandoned", "order_completed", "email_clicked"]
CONDITIONS = [
    "score.engagement >= 10",
    'count("page_viewed", within="2d") < 3',
    'in_segment("engaged") or not in_list("vip")',
    "profile.visits > 2",
    'happened("order_completed", within="1d")',
    "hour() < 12",
    'hour(zone="Asia/Tokyo") > let.eight and weekday() != let.day',
    "true",
    'views.count(where=item.at > now - duration("1h") and item.url != profile.email) >= 2',
    'orders.max("value") > 50 or views.most("url") == "/pricing"',
    "score.fit > score.engagement",
    'score.churn < 0.9 or grade.interest == "some"',
    'entries("p") < 4',
]
DURATIONS = ["1s", "30s", "10m", "1h", "1d 1h", "9d"]
# In a hierarchy with the random program, where that is in one.
RIVAL = """
program: q
purpose: service
hierarchy: {group: g, value: 2}
value: score.fit
entry: [{on: downloaded}, {on: cart_abandoned, key: event.cart_id}]
reenter: always
goal: {on: order_completed, within: 1d}
steps: [{send: sms, template: q}, {wait: 2h}]
"""
conditions = st.sampled_from(CONDITIONS)
durations = st.sampled_from(DURATIONS)


def _leaf() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries(
            {"send": st.sampled_from(["email", "push"]), "template": st.sampled_from(["a", "b"])},
            optional={
                "when_capped": st.sampled_from(["skip", "wait"]),
                "when_quiet": st.sampled_from(["skip", "wait"]),
                "when_spent": st.sampled_from(["skip", "wait"]),
                "cost": st.sampled_from([0.5, "score.engagement / 10"]),
                "hold_at_most": st.sampled_from(["1h", "3d"]),
                "fallback": st.sampled_from(["sms", ["sms"], {"to": "sms", "template": "s", "within": "2h"}]),
                "purpose": st.sampled_from(["receipts", "service", "marketing", "news"]),
                "variants": st.just(
                    [
                        {"if": "score.fit > 5", "template": "v1"},
                        {"season": {"from": "03-22", "to": "03-24"}, "template": "v2"},
                    ]
                ),
                "blocks": st.just({"top": [{"if": 'in_list("vip")', "show": "gold"}, "plain"]}),
                "values": st.just(
                    {"n": "score.engagement", "t": "seen {profile.visits}", "v": "views.rows(at_most=2)"}
                ),
            },
        ),
        st.fixed_dictionaries(
            {
                "series": st.sampled_from(["email", "push"]),
                "every": durations,
                "pieces": st.sampled_from(
                    [["t1", "t2", "t3"], ["t3", {"template": "t1", "if": "score.engagement > 5"}]]
                ),
            },
            optional={
                "name": st.just("tips"),
                "when_quiet": st.just("skip"),
                "when_capped": st.just("wait"),
                "purpose": st.just("receipts"),
            },
        ),
        durations.map(lambda d: {"wait": d}),
        st.just({"wait": {"at": "09:30", "days": ["sat", "sun"]}}),
        st.sampled_from(["continue", "exit"]).map(
            lambda p: {"wait": {"until": "profile.renews", "offset": "-1d", "if_past": p}}
        ),
        st.sampled_from(["1h", "3d"]).map(lambda d: {"wait": {"after_step": "start", "offset": d}}),
        st.just(
            {
                "wait": {
                    "after_step": "start",
                    "offset": "1d",
                    "at": "09:00",
                    "days": ["mon"],
                    "if_past": "exit",
                }
            }
        ),
        st.sampled_from([["07:00", "19:30"], ["00:00", "23:59"]]).map(
            lambda b: {"wait": {"best_hour": "page_viewed", "between": b, "default": "12:00"}}
        ),
        st.just({"set": {"visits": "coalesce(profile.visits, 0) + 1"}}),
        st.sampled_from([("add", 5), ("add", -9), ("to", 3), ("add", "score.fit / 2")]).map(
            lambda how: {"score": "engagement", how[0]: how[1]}
        ),
        st.sampled_from([{"add_to": "vip"}, {"remove_from": "vip"}, {"route": "sales"}, {"enroll": "p"}]),
        st.sampled_from(
            [
                {"assign": [{"if": "profile.visits > 1", "to": "sales", "member": "ben"}, {"to": "sales"}]},
                {"route": [{"if": "score.fit > 5", "to": "sales"}], "by": "owner", "context": True},
                {"send": "push", "template": "c", "reply_to": "owner"},
            ]
        ),
        st.just({"alert": "slack", "message": "see {profile.email}"}),
        st.sampled_from(
            [
                {"audience": "ads", "add": "retarget", "values": {"visits": "profile.visits"}},
                {"audience": "ads", "remove": "retarget"},
            ]
        ),
        st.just({"webhook": "erp", "values": {"n": "score.engagement", "t": "of {profile.email}"}}),
        st.sampled_from([{"exit": "enough"}, "finish", {"grant": "marketing", "channel": "push"}]),
        st.sampled_from([{"withdraw": "marketing", "text": "so"}, {"grant": "service"}]),
        st.just({"goto": "start"}),
    )


def _without_goto(value: Any) -> Any:
    """A branch of a parallel step cannot be left by a goto."""
    if isinstance(value, list):
        return [_without_goto(one) for one in value]
    if isinstance(value, dict):
        return {"wait": "1h"} if "goto" in value else {key: _without_goto(one) for key, one in value.items()}
    return value


def _nest(steps: st.SearchStrategy[list[dict[str, Any]]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.tuples(conditions, steps, steps).map(
            lambda t: {"decide": [{"if": t[0], "steps": t[1]}, {"else": t[2]}]}
        ),
        st.tuples(steps, steps).map(
            lambda t: {"split": {"x": {"share": 30, "steps": t[0]}, "y": {"share": 70, "steps": t[1]}}}
        ),
        st.tuples(conditions, steps, steps).map(
            lambda t: {
                "offer": {
                    "a": {"value": "score.engagement", "if": t[0], "steps": t[1], "again_after": "1d"},
                    "b": {"value": "profile.visits"},
                    "c": {"value": 1},
                },
                "else": t[2],
            }
        ),
        st.tuples(st.sampled_from(["all", "first"]), steps, steps).map(
            lambda t: _without_goto({"parallel": {"x": t[1], "y": t[2]}, "until": t[0]})
        ),
        st.tuples(st.sampled_from(EVENTS), durations, steps, steps).map(
            lambda t: {"wait_for": t[0], "timeout": t[1], "then": t[2], "else": t[3]}
        ),
        st.tuples(conditions, durations, steps).map(
            lambda t: {"wait_until": t[0], "timeout": t[1], "else": t[2]}
        ),
        st.tuples(st.integers(1, 3), conditions, steps).map(
            lambda t: {"repeat": {"times": t[0], "until": t[1], "steps": t[2]}}
        ),
    )


_steps = st.recursive(
    st.lists(_leaf(), min_size=1, max_size=3),
    lambda inner: st.lists(_leaf() | _nest(inner), min_size=1, max_size=4),
    max_leaves=8,
)
_entries = st.sampled_from(
    [
        {"on": "page_viewed"},
        {"on": EVENTS, "if": "not in_list('vip')"},
        {"on": "cart_abandoned", "key": "event.cart_id"},
        {"segment": "engaged"},
        {"leaves_segment": "recent-buyers"},
        {"score": "fit", "reaches": 5},
        {"grade": "engagement", "becomes": "warm"},
        {"inactive": "2d"},
        {"schedule": "0 6 * * *"},
        {"date": "profile.birthday", "yearly": True},
        {"by_hand": True},
    ]
)
_BEST_BY = {"on": "email_clicked", "within": "2d", "every": "5h", "at_least": 1, "explore": 50}


def _by_best(value: Any, best_by: Any) -> Any:
    """Splits with fixed shares made splits by best performer."""
    if isinstance(value, list):
        return [_by_best(one, best_by) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _by_best(one, best_by) for key, one in value.items()}
    if "split" in made:
        made["split"] = {
            name: {key: one for key, one in way.items() if key != "share"}
            for name, way in made["split"].items()
        }
        made["best_by"] = best_by
    return made


programs = st.fixed_dictionaries(
    {
        "program": st.just("p"),
        "purpose": st.just("marketing"),
        "let": st.just({"eight": 8, "day": "'sun'"}),
        "entry": st.lists(_entries, min_size=1, max_size=3).map(lambda e: [*e, {"from_program": True}]),
        "steps": _steps.map(lambda steps: [{"id": "start", "wait": "1m"}, *steps]),
    },
    optional={
        "reenter": st.sampled_from(["never", "always", "after 1h"]),
        "holdout": st.just(30),
        "goal": st.sampled_from(
            [{"on": "order_completed", "within": "1d"}, {"when": "score.fit > 9", "within": "9d"}]
        ),
        "exit": st.sampled_from(
            [["downloaded"], [{"when": 'in_list("vip")'}], [{"after": "2d"}], ["consent_withdrawn"]]
        ),
        "on_exit": st.fixed_dictionaries(
            {"any": st.just([{"add_to": "vip"}, {"alert": "slack", "message": "out"}])},
            optional={
                "goal": st.just([{"route": "sales"}, {"enroll": "p"}, {"set": {"tier": "'tin'"}}]),
                "removed": st.just([{"withdraw": "marketing"}, {"decide": [{"if": "true", "steps": []}]}]),
            },
        ),
        "entrants": st.just({"at_most": 3}),
        "breaker": st.just({"more_than": 3, "per": "3d", "alert": "slack", "hold_at_most": "2d"}),
        "value": st.sampled_from([1, "score.engagement", "profile.visits"]),
        "hierarchy": st.sampled_from([{"group": "g", "value": 1}, {"group": "g", "value": 3}]),
        "audience": st.just({"never": 'in_segment("big")'}),
    },
)


def _paced(text: str) -> str:
    """The topology with channels that soon have no room."""
    pacing = "pacing: [{channel: email, at_most: 1, per: 1h}, {channel: push, at_most: 2, per: 1d}]"
    return text.replace("policies:\n", f"policies:\n  {pacing}\n")


@given(
    program=programs,
    log=logs(max_size=25, braked=("p",)),
    best_by=st.sampled_from([None, "goal", _BEST_BY]),
    tests=st.booleans(),
    paced=st.booleans(),
)
def test_random_programs_over_random_logs_never_raise(program, log, best_by, tests, paced):
    if best_by and ("goal" in program or best_by != "goal"):
        program = _by_best(program, best_by)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "programs").mkdir()
        base = BASE.read_text().replace("at_most: 90000", "at_most: 3")
        base = _paced(base) if paced else base
        (root / "topology.yaml").write_text(base + ("test_list: vip\n" if tests else ""))
        (root / "programs" / "q.yaml").write_text(RIVAL)
        (root / "programs" / "p.yaml").write_text(json.dumps(program))  # JSON is YAML
        topology = load_topology(root).topology
    log = [event for event in log if event.type != "contact_added"]
    until = log[-1].occurred_ms + 15 * 24 * HOUR_MS if log else 0
    whole = run(log, 2, until_ms=until, topology=topology)  # run() asserts that nothing failed
    again = run(log, 2, until_ms=until, topology=topology, cuts=frozenset(range(len(log))))
    assert again[:2] == whole[:2]
