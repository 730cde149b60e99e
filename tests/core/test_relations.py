"""Relations: items kept from events, bounded, merged, and asked for in conditions and values."""

from __future__ import annotations

import msgspec
import pytest

from processor.core.relations import ITEM_BYTES_MAX, KEPT_BYTES_MAX, items_of, merge_items, names_of
from processor.core.rows import Row
from processor.core.time import format_time
from processor.language import LanguageError
from tests.core.logs import HOUR_MS, START_MS, run
from tests.core.test_machine import DAY_MS, event, kinds, topology

BASE = """
topology: small
events:
  viewed: {sku: string, category: string?}
  ordered: {order: string?, total: number?, status: string?, due: time?, note: string?}
  cancelled: {order: string?}
  cart: {lines: list?}
  asked: {sku: string?}
profile: {email: string}
purposes: {service: {consent: not_required}}
channels: {email: {}}
relations:
  orders:
    on: ordered
    key: event.order
    fields: {total: event.total, status: event.status, due: event.due, note: event.note}
    keep: 3
    drop: {on: cancelled, key: event.order}
  views: {on: viewed, fields: {sku: event.sku, category: event.category}, keep: 50}
  lines:
    on: cart
    each: lines
    anew: true
    key: item.sku
    fields: {sku: item.sku, price: item.price, of: length(event.lines)}
"""
PROGRAM = """
entry: {on: asked, if: CONDITION}
reenter: always
steps:
  - {send: email, template: hello, values: VALUES}
"""


def made(folder, condition="true", values="{}", more=""):
    return topology(folder, PROGRAM.replace("CONDITION", condition).replace("VALUES", values), BASE + more)


def play(small, log, **more):
    commands, decisions, store, _ = run(log, 1, topology=small, **more)
    row = Row.decode(store.partition(0).get_many(["ana"])[0] or b"")
    return [c.values for c in commands], decisions, row


def orders(row):
    return [(key, (at - START_MS) / HOUR_MS, fields) for key, at, fields in items_of(row.history, "orders")]


def test_the_same_key_is_the_same_item_and_the_latest_are_kept(tmp_path):
    log = [
        event("ordered", 0, order="a", total=10, status="open"),
        event("ordered", 1, order="b", total=20),
        event("ordered", 2, order="a", status="sent"),
        event("ordered", 3, order="c", total=30),
        event("ordered", 4, order="d", total=40),
    ]
    _, _, row = play(made(tmp_path), log[:4])
    assert orders(row) == [
        ("b", 1, {"total": 20}),
        ("a", 2, {"total": 10, "status": "sent"}),
        ("c", 3, {"total": 30}),
    ]
    _, _, row = play(made(tmp_path), log)
    assert [key for key, _, _ in orders(row)] == ["a", "c", "d"]


def test_a_late_event_fills_in_only_what_is_missing(tmp_path):
    log = [
        event("ordered", 2, order="a", status="sent"),
        event("ordered", 5, order="b"),
        event("ordered", 0, order="a", total=10, status="open"),
        event("ordered", 3, order="c"),
    ]
    _, _, row = play(made(tmp_path), log)
    assert orders(row) == [("a", 2, {"total": 10, "status": "sent"}), ("c", 3, {}), ("b", 5, {})]


def test_an_item_is_dropped_by_its_key_and_one_without_a_key_is_recorded(tmp_path):
    log = [
        event("ordered", 0, order="a"),
        event("ordered", 1, order="b"),
        event("cancelled", 2, order="a"),
        event("cancelled", 3, order="nobody"),
        event("ordered", 4, total=3),
    ]
    _, decisions, row = play(made(tmp_path), log)
    assert [key for key, _, _ in orders(row)] == ["b"]
    assert kinds(decisions, "limit") == [("limit", "item_without_key", 4)]
    _, _, row = play(made(tmp_path), [*log, event("cancelled", 5)])
    assert [key for key, _, _ in orders(row)] == ["b"], "what names no order drops none"


def test_cart_lines_take_the_place_of_those_before(tmp_path):
    log = [
        event("cart", 0, lines=[{"sku": "a", "price": 3}, {"sku": "b", "price": 4}, "c"]),
        event("cart", 1, lines=[{"sku": "b", "price": 5}]),
    ]
    small = made(tmp_path, values="{skus: lines.list('sku'), sum: lines.sum('price'), n: lines.last('of')}")
    values, decisions, _ = play(small, [log[0], event("asked", 0.5), log[1], event("asked", 2)])
    assert values == [{"skus": ["b", "a"], "sum": 7, "n": 3}, {"skus": ["b"], "sum": 5, "n": 1}]
    assert kinds(decisions, "limit") == [("limit", "item_without_key", 0)]
    values, _, row = play(small, [*log, event("cart", 3, lines=[]), event("asked", 4)])
    assert values == [{"skus": [], "sum": 0, "n": None}]
    assert items_of(row.history, "lines") == []
    assert names_of(row.history) == ["lines"]


LOG = [
    event("viewed", 0, sku="boot", category="shoes"),
    event("viewed", 1, sku="hat", category="hats"),
    event("viewed", 2, sku="boot", category="shoes"),
    event("ordered", 3, order="a", total=50, status="sent", due="2026-05-01T00:00:00Z"),
    event("ordered", 4, order="b", total=20.5, status="open", due="2026-04-01T00:00:00Z"),
    event("asked", 5, sku="boot"),
]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("orders.count()", 2),
        ("orders.count(where=item.total >= 50)", 1),
        ("orders.sum('total')", 70.5),
        ("orders.avg('total', where=item.status == 'open')", 20.5),
        ("orders.avg('total', where=item.status == 'lost')", None),
        ("orders.max('total')", 50),
        ("orders.min('due')", "2026-04-01T00:00:00Z"),
        ("orders.last('status')", "open"),
        ("orders.first('status')", "sent"),
        ("orders.last('at')", format_time(START_MS + 4 * HOUR_MS)),
        ("orders.last('total', where=item.at < now - duration('90m'))", 50),
        ("views.most('category')", "shoes"),
        ("views.most('category', within='4h30m')", "shoes"),
        ("views.most('category', where=item.sku != event.sku)", "hats"),
        ("views.list('sku')", ["boot", "hat"]),
        ("views.list('sku', at_most=1)", ["boot"]),
        ("views.count(where=item.sku == event.sku)", 2),
        ("views.last('sku', where=not contains(views.list('sku', at_most=1), item.sku))", "hat"),
        (
            "orders.rows(where=item.total > 30)",
            [
                {
                    "total": 50,
                    "status": "sent",
                    "due": "2026-05-01T00:00:00Z",
                    "at": format_time(START_MS + 3 * HOUR_MS),
                }
            ],
        ),
        ("\"{orders.count()} for {orders.sum('total')}, {orders.last('status')}\"", "2 for 70.5, open"),
    ],
)
def test_what_can_be_asked(tmp_path, text, value):
    quoted = text if text.startswith('"') else f'"{text}"'
    (values,), _, _ = play(made(tmp_path, values=f"{{v: {quoted}}}"), LOG)
    assert values.get("v") == value


def test_the_same_product_viewed_three_times(tmp_path):
    small = topology(
        tmp_path,
        "entry: {on: viewed, if: 'views.count(where=item.sku == event.sku, within=\"1d\") >= 3'}\n"
        "reenter: always\nsteps: [{send: email, template: x, values: {sku: event.sku}}]\n",
        BASE,
    )
    log = [event("viewed", hours, sku=sku) for hours, sku in enumerate(["a", "b", "a", "b", "c", "b"])]
    log += [event("viewed", 24.5, sku="a"), event("viewed", 24.6, sku="a")]
    values, _, _ = play(small, log)
    assert values == [{"sku": "b"}, {"sku": "a"}]


def test_a_segment_follows_a_relation_and_its_window(tmp_path):
    small = made(tmp_path, more="segments: {keen: \"views.count(within='1d') >= 2\"}\n")
    _, decisions, _ = play(small, LOG, until_ms=START_MS + 3 * DAY_MS)
    assert kinds(decisions, "segment_entered", "segment_left") == [
        ("segment_entered", "keen", 1),
        ("segment_left", "keen", 25),
    ]


def test_items_are_bounded(tmp_path):
    log = [event("ordered", 0, order="a", total=1, note="x" * 5_000, status="s")]
    _, decisions, row = play(made(tmp_path), log)
    assert orders(row) == [("a", 0, {"total": 1, "status": "s"})]
    assert [(d.reason, d.detail) for d in decisions if d.kind == "limit"] == [
        ("item_trimmed", {"name": "orders.note"})
    ]
    assert ITEM_BYTES_MAX < 5_000
    log = [event("viewed", n / 100, sku=f"{n}-" + "x" * 2_000) for n in range(60)]
    _, _, row = play(made(tmp_path), log)
    kept = items_of(row.history, "views")
    assert 10 < len(kept) < 50
    assert kept[-1][2]["sku"].startswith("59-")
    series = row.history.get("items:views")
    assert series is not None
    assert len(series.values) <= KEPT_BYTES_MAX


def test_contacts_that_become_one_have_the_items_of_both(tmp_path):
    log = [
        event("ordered", 0, "anon", order="a", total=1),
        event("ordered", 1, "anon", order="b", total=2),
        event("viewed", 1, "anon", sku="x"),
        event("ordered", 2, order="b", total=3),
        event("contact_identified", 3, anonymous_id="anon"),
        event("asked", 4),
    ]
    small = made(tmp_path, values="{n: orders.count(), sum: orders.sum('total'), seen: views.count()}")
    values, _, row = play(small, log)
    assert values == [{"n": 2, "sum": 4, "seen": 1}]
    assert [key for key, _, _ in orders(row)] == ["a", "b"]


def test_merging_knows_no_order():
    pack = msgspec.msgpack.encode
    mine, theirs = pack([("a", 1, {"n": 1}), ("", 3, {})]), pack([("a", 2, {"n": 2}), ("", 3, {"m": 1})])
    assert sorted(map(str, msgspec.msgpack.decode(merge_items(mine, theirs)))) == sorted(
        map(str, msgspec.msgpack.decode(merge_items(theirs, mine)))
    )
    assert merge_items(b"", theirs) == theirs


def test_rows_of_a_topology_without_relations_are_as_before(tmp_path):
    text = BASE[: BASE.index("relations:")]
    small = topology(tmp_path, PROGRAM.replace("CONDITION", "true").replace("VALUES", "{}"), text)
    _, _, row = play(small, LOG)
    assert names_of(row.history) == []
    assert all(not reaction.relations for reaction in small.reactions.values())


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("orders.count", "orders is a relation, not a value"),
        ("orders == 3", "orders is a relation, not a value"),
        ("orders.cuont() > 1", "orders has no cuont()"),
        ("orders.last() == 1", "last() takes the name of a field"),
        ("orders.count('total') > 1", "count() takes no field"),
        ("orders.last('totl') == 1", "there is no field totl"),
        ("orders.sum('status') > 1", "status is a text, not a number"),
        ("orders.last('total') == 'x'", ""),
        ("orders.count(where=item.totl > 2) > 1", "there is no field totl"),
        ("orders.count(if_=true) > 1", "count() has no argument if_"),
        ("orders.count(within=3) > 1", "within= takes a duration in quotes"),
        ("length(orders.list('total', at_most=0)) > 1", "at_most= takes a number"),
        ("item.total > 1", "there is no item here"),
        ("count('viewed', where=orders.count() > 1) > 1", "a relation cannot be used in this where="),
    ],
)
def test_mistakes(tmp_path, condition, message):
    with pytest.raises(LanguageError) as found:
        made(tmp_path, condition=f'"{condition}"')
    (problem,) = found.value.problems
    assert message in problem.message
    assert problem.fix
