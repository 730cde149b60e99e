"""The bundled demo data: what the file promises, and its script on a source small enough to read."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

DEMO = Path(__file__).resolve().parents[2] / "topologies" / "demo"
EVENTS = DEMO / "data" / "events.jsonl.gz"
TYPES = {
    "campaign_received",
    "cart_item_added",
    "consent_granted",
    "consent_withdrawn",
    "coupon_redeemed",
    "order_cancelled",
    "order_completed",
    "product_viewed",
    "profile_updated",
}


def decode(packed: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(packed).decode().splitlines()]


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return decode(EVENTS.read_bytes())


@pytest.fixture(scope="module")
def make_data() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_make_data", DEMO / "make_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- the file


def test_file_is_small_enough_to_bundle() -> None:
    assert EVENTS.stat().st_size < 3_000_000


def test_gzip_header_holds_no_time_and_no_name() -> None:
    header = EVENTS.read_bytes()[:10]
    assert header[3] == 0  # no flags, so no file name
    assert header[4:8] == bytes(4)


def test_every_event_has_the_form_and_a_known_type(events: list[dict[str, Any]]) -> None:
    for event in events:
        assert list(event) == ["event_id", "contact_id", "type", "occurred_at", "properties"]
        assert event["event_id"]
        assert re.fullmatch(r"(retail|grocer|web)-\d+", event["contact_id"])
        assert event["type"] in TYPES
        assert event["occurred_at"].endswith("Z")
        assert isinstance(event["properties"], dict)


def test_events_are_ordered_and_their_ids_unique(events: list[dict[str, Any]]) -> None:
    keys = [(datetime.fromisoformat(event["occurred_at"]), event["event_id"]) for event in events]
    assert keys == sorted(keys)
    assert len({event["event_id"] for event in events}) == len(events)


def test_readme_counts_are_the_files(events: list[dict[str, Any]]) -> None:
    shops = {"retail": 0, "grocer": 1, "web": 2}
    actual: dict[str, list[int]] = {name: [0, 0, 0] for name in TYPES}
    for event in events:
        actual[event["type"]][shops[event["contact_id"].split("-")[0]]] += 1
    readme = (DEMO / "data" / "README.md").read_text(encoding="utf-8")
    counts = readme.split("<!-- counts:start -->")[1].split("What was read")[0]
    stated = {
        name: [int(cell.replace(",", "")) for cell in cells.split("|")]
        for name, cells in re.findall(r"^\| [`*]+(\w+)[`*]+ \| ([\d,| ]+) \|$", counts, re.MULTILINE)
    }
    expected = {name: [*shares, sum(shares)] for name, shares in actual.items()}
    columns = [sum(shares[column] for shares in actual.values()) for column in range(3)]
    assert stated == {**expected, "all": [*columns, len(events)]}


def test_exactly_the_consent_events_are_marked_simulated(events: list[dict[str, Any]]) -> None:
    for event in events:
        assert event["type"].startswith("consent_") == (event["properties"].get("simulated") is True)


def test_every_contact_begins_with_one_profile_with_a_zone(events: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for event in events:
        assert (event["type"] == "profile_updated") == (event["contact_id"] not in seen)
        seen.add(event["contact_id"])
        if event["type"] == "profile_updated":
            ZoneInfo(event["properties"]["tz"])


def test_consent_shares_are_near_what_the_readme_says(events: list[dict[str, Any]]) -> None:
    counts = Counter(event["type"] for event in events)
    assert counts["consent_granted"] / counts["profile_updated"] == pytest.approx(0.80, abs=0.02)
    assert counts["consent_withdrawn"] / counts["profile_updated"] == pytest.approx(0.04, abs=0.01)


def test_orders_say_their_shop_and_only_the_web_shop_has_no_value(events: list[dict[str, Any]]) -> None:
    for event in events:
        properties = event["properties"]
        if event["type"] == "order_completed":
            assert properties["shop"] in {"gifts", "grocer", "web"}
            assert (properties.get("value") is None) == (properties["shop"] == "web")
            assert properties.get("value", 0) >= 0
            assert len(properties.get("lines", [])) <= 3
        elif event["type"] == "order_cancelled":
            assert properties["value"] > 0


# ---------------------------------------------------------------- the script

RETAIL = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A1,RED  MUG ,2,2011-07-01 09:00:00,2.555,7.0,France
1,B2,BOWL,1,2011-07-01 09:01:00,9.00,7.0,France
1,C3,CUP,1,2011-07-01 09:00:00,1.00,7.0,France
1,D4,JUG,1,2011-07-01 09:00:00,0.50,7.0,France
1,POST,POSTAGE,1,2011-07-01 09:00:00,18.00,7.0,France
2,A1,RED MUG,1,2011-01-05 10:00:00,2.55,,United Kingdom
C3,B2,BOWL,-1,2011-07-02 09:00:00,9.00,7.0,France
C4,D,Discount,-1,2011-01-03 09:00:00,5.00,8.0,EIRE
"""
GROCER = {
    "products": "product_id,department\n1,GROCERY\n2,FUEL\n",
    "transactions_sample": """\
basket_id,household_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,transaction_timestamp
50,1,1,3.0,4.00,0.5,0.0,0.25,2017-03-01 03:31:57
50,1,2,8776.0,23.25,0.0,0.0,0.0,2017-03-01 03:31:57
""",
    "campaign_descriptions": """\
campaign_id,campaign_type,start_date,end_date
24,Type C,2016-11-14,2017-01-16
""",
    "campaigns": "campaign_id,household_id\n24,2\n",
    "coupon_redemptions": "household_id,coupon_upc,campaign_id,redemption_date\n2,999,24,2017-07-04\n",
    "demographics": "household_id,age,income,household_size,kids_count\n1,65+,35-49K,5+,3+\n",
}
WEB = [
    ("clicks", 1, 0),
    ("carts", 1, 1),
    ("orders", 1, 2),
    ("orders", 9, 2),
    ("carts", 3, 3),
    ("clicks", 3, 3),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for folder in ("online-retail", "complete-journey", "otto-sessions"):
        (tmp_path / folder).mkdir()
    (tmp_path / "online-retail" / "online-retail.csv.gz").write_bytes(gzip.compress(RETAIL.encode()))
    for name, text in GROCER.items():
        (tmp_path / "complete-journey" / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    lines = [{"aid": aid, "ts": 1659304800025 + second * 1000, "type": kind} for kind, aid, second in WEB]
    session = json.dumps({"session": 0, "events": lines})
    (tmp_path / "otto-sessions" / "train-sample.jsonl").write_text(session + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def built(make_data: ModuleType, source: Path) -> dict[str, dict[str, Any]]:
    events, _ = make_data.build(source)
    return {event["event_id"]: event for event in decode(make_data.encode(events))}


def test_invoice_becomes_an_order_in_utc(built: dict[str, dict[str, Any]]) -> None:
    order = built["retail-1"]
    assert order["occurred_at"] == "2011-07-01T08:00:00Z"  # 09:00 in London's summer
    properties = order["properties"]
    assert (properties["value"], properties["items"]) == (33.61, 5)  # postage has a price but is not an item
    assert [line["sku"] for line in properties["lines"]] == ["B2", "A1", "C3"]
    assert properties["lines"][1] == {"sku": "A1", "name": "RED MUG", "quantity": 2, "price": 2.56}


def test_cancellation_is_positive_and_a_discount_has_no_items(built: dict[str, dict[str, Any]]) -> None:
    assert built["retail-C3"]["properties"] == {"shop": "gifts", "order_id": "C3", "value": 9.0, "items": 1}
    assert built["retail-C4"]["properties"]["items"] == 0


def test_customer_since_is_left_out_for_customers_older_than_the_data(
    built: dict[str, dict[str, Any]],
) -> None:
    profile = {"shop": "gifts", "country": "France", "tz": "Europe/Paris", "customer_since": "2011-07-01"}
    assert built["retail-7-profile"]["properties"] == profile
    assert built["retail-8-profile"]["properties"] == {
        "shop": "gifts",
        "country": "EIRE",
        "tz": "Europe/Dublin",
    }


def test_fuel_counts_as_one_item(built: dict[str, dict[str, Any]]) -> None:
    basket = built["grocer-basket-50"]
    assert basket["occurred_at"] == "2017-03-01T03:31:57Z"
    assert basket["properties"] == {
        "shop": "grocer",
        "order_id": "50",
        "value": 27.25,
        "items": 4,
        "discount": 0.75,
        "department": "FUEL",
    }


def test_dates_get_their_stated_hour_in_new_york(built: dict[str, dict[str, Any]]) -> None:
    assert built["grocer-campaign-24-2"]["occurred_at"] == "2016-11-14T14:00:00Z"
    assert built["grocer-redemption-24-2-999-2017-07-04"]["occurred_at"] == "2017-07-04T16:00:00Z"
    assert built["grocer-1-profile"]["occurred_at"] == "2017-01-01T05:00:00Z"
    assert (
        built["grocer-2-profile"]["occurred_at"] == "2016-11-14T05:00:00Z"
    )  # before the campaign of that day
    assert built["grocer-1-profile"]["properties"]["household_size"] == 5


def test_web_orders_of_one_instant_are_one_and_end_the_cart(built: dict[str, dict[str, Any]]) -> None:
    order = built["web-0-0003"]
    assert order["occurred_at"] == "2022-07-31T22:00:02.025Z"
    assert order["properties"] == {
        "shop": "web",
        "order_id": "web-0-order-1",
        "items": 2,
        "cart_id": "web-0-cart-1",
    }
    assert "web-0-0004" not in built
    assert built["web-0-0005"]["properties"]["cart_id"] == "web-0-cart-2"


def test_lines_without_a_customer_are_counted(make_data: ModuleType, source: Path) -> None:
    _, tally = make_data.build(source)
    skipped = [row for row in tally.rows if row[3].startswith("skipped (")]
    assert skipped == [("online-retail", "order lines without a customer", 1, "skipped (1 invoices)")]


def test_main_writes_the_same_bytes_twice(
    make_data: ModuleType, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- counts:start -->stale<!-- counts:end -->\nafter\n", encoding="utf-8")
    written = []
    for _ in range(2):
        assert make_data.main(["--source", str(source), "--out", str(tmp_path)]) == 0
        written.append(((tmp_path / "events.jsonl.gz").read_bytes(), readme.read_bytes()))
    assert written[0] == written[1]
    assert "stale" not in readme.read_text(encoding="utf-8")
    assert "order lines without a customer" in capsys.readouterr().out


def test_unknown_country_is_refused(make_data: ModuleType, source: Path) -> None:
    path = source / "online-retail" / "online-retail.csv.gz"
    path.write_bytes(gzip.compress(RETAIL.replace("EIRE", "Atlantis").encode()))
    with pytest.raises(KeyError, match="Atlantis"):
        make_data.build(source)
