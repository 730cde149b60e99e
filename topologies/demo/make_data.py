"""Build the demo's event file from three published data sets of real shopping.

Shape: CSV and JSON lines in, one gzip of JSON lines out, ordered by (occurred_at, event_id). The same input
gives the same events; the same zlib gives the same bytes. Every input line is either kept or counted under a
reason: the table that is printed at the end, and written into the data folder's README between two markers,
says what became of all that was read.

Real: purchases, cancellations, campaigns, coupon redemptions, views and carts. Derived: profiles, the time of
day where a source gives only a date, cart ids. Simulated: consent, which no source records; such events say
`simulated: true`.

    python make_data.py --source DIR
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import TypedDict
from zoneinfo import ZoneInfo

__all__ = ["Event", "Tally", "build", "encode", "main", "update_readme"]

DATA = Path(__file__).resolve().parent / "data"
COUNTS_START, COUNTS_END = "<!-- counts:start -->", "<!-- counts:end -->"

LONDON = ZoneInfo("Europe/London")
NEW_YORK = ZoneInfo("America/New_York")

CONSENT_SHARE = 0.80
WITHDRAWAL_SHARE = 0.05  # of those who consented: 4% of all contacts
WITHDRAWAL_DAYS_MIN, WITHDRAWAL_DAYS_MAX = 14, 182
HASH_KEY = b"trayecto-demo"
CONSENT_TEXT = {"gifts": "checkout-2010", "grocer": "loyalty-card-2017", "web": "checkout-2022"}

LINES_MAX = 3
# Stock codes that are not goods: postage, manual entries, discounts, carriage, bank charges, a charity's fee.
CHARGES = frozenset({"POST", "M", "D", "C2", "BANK CHARGES", "DOT", "CRUK"})
# Departments whose quantity is not a count of goods (fuel is given in thousandths of a gallon).
UNCOUNTED_DEPARTMENTS = frozenset({"FUEL", "MISCELLANEOUS", "COUPON"})

Row = dict[str, str]
Properties = dict[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `at` is in UTC. Ordered in the file by (at, event_id)."""

    at: datetime
    event_id: str
    contact_id: str
    type: str
    properties: Properties

    def line(self) -> str:
        """The event as one JSON line; milliseconds appear only where the source has them."""
        spec = "milliseconds" if self.at.microsecond else "seconds"
        occurred_at = self.at.replace(tzinfo=None).isoformat(timespec=spec) + "Z"
        body = {
            "event_id": self.event_id,
            "contact_id": self.contact_id,
            "type": self.type,
            "occurred_at": occurred_at,
            "properties": self.properties,
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class Tally:
    """What was read, kept and skipped. Each row: (source, what, count, what became of it)."""

    rows: list[tuple[str, str, int, str]] = field(default_factory=list)

    def add(self, source: str, what: str, count: int, became: str) -> None:
        """Append a row."""
        self.rows.append((source, what, count, became))

    def table(self) -> str:
        """All rows as a Markdown table."""
        head = "| source | what was read | count | what became of it |\n| --- | --- | ---: | --- |\n"
        return head + "".join(f"| {s} | {w} | {n:,} | {b} |\n" for s, w, n, b in self.rows)


# ---------------------------------------------------------------- helpers


def read_csv(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def read_zones() -> dict[str, str]:
    """Country, as the retailer writes it, to the IANA zone of its largest city."""
    with (DATA / "zones.csv").open(encoding="utf-8", newline="") as lines:
        return {row["country"]: row["tz"] for row in csv.DictReader(lines)}


def cents(amount: Decimal) -> float:
    return float(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def share(contact_id: str, what: str) -> float:
    """A number in [0, 1) that depends on the contact and the question only."""
    digest = hashlib.blake2b(f"{what}|{contact_id}".encode(), key=HASH_KEY, digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def local(day: str, hour: int, zone: ZoneInfo) -> datetime:
    """`hour` o'clock of an ISO date in the zone, as UTC."""
    return datetime.combine(date.fromisoformat(day), time(hour), zone).astimezone(UTC)


def naive(text: str, zone: ZoneInfo) -> datetime:
    """A time written without an offset, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def profile_and_consent(
    contact_id: str, shop: str, at: datetime, end: datetime, profile: Properties
) -> Iterator[Event]:
    """The derived profile at `at`; simulated consent 30 s later; for a few, withdrawal before `end`."""
    yield Event(at, f"{contact_id}-profile", contact_id, "profile_updated", {"shop": shop, **profile})
    if share(contact_id, "consent") >= CONSENT_SHARE:
        return
    granted = at + timedelta(seconds=30)
    consent: Properties = {"purpose": "marketing", "text": CONSENT_TEXT[shop], "simulated": True}
    yield Event(granted, f"{contact_id}-consent", contact_id, "consent_granted", consent)
    earliest = granted + timedelta(days=WITHDRAWAL_DAYS_MIN)
    latest = min(granted + timedelta(days=WITHDRAWAL_DAYS_MAX), end)
    if share(contact_id, "withdraw") < WITHDRAWAL_SHARE and earliest < latest:
        seconds = int((latest - earliest).total_seconds() * share(contact_id, "withdraw-when"))
        withdrawn = (earliest + timedelta(seconds=seconds)).replace(microsecond=0)
        properties: Properties = {"purpose": "marketing", "simulated": True}
        yield Event(withdrawn, f"{contact_id}-withdrawal", contact_id, "consent_withdrawn", properties)


# ---------------------------------------------------------------- online-retail


def retail_invoice(number: str, lines: Sequence[Row]) -> Event:
    contact_id = f"retail-{lines[0]['CustomerID'].removesuffix('.0')}"
    at = min(naive(line["InvoiceDate"], LONDON) for line in lines)
    amounts = [(int(line["Quantity"]), Decimal(line["UnitPrice"]), line) for line in lines]
    value = sum((quantity * price for quantity, price, _ in amounts), Decimal(0))
    goods = [amount for amount in amounts if amount[2]["StockCode"] not in CHARGES]
    items = sum(abs(quantity) for quantity, _, _ in goods)
    event_id = f"retail-{number}"
    if number.startswith("C"):
        cancelled: Properties = {"shop": "gifts", "order_id": number, "value": cents(-value), "items": items}
        return Event(at, event_id, contact_id, "order_cancelled", cancelled)
    largest = sorted(goods, key=lambda amount: (-amount[0] * amount[1], amount[2]["StockCode"], amount[0]))
    properties: Properties = {
        "shop": "gifts",
        "order_id": number,
        "value": cents(value),
        "items": items,
        "lines": [
            {
                "sku": line["StockCode"],
                "name": " ".join(line["Description"].split()),
                "quantity": quantity,
                "price": cents(price),
            }
            for quantity, price, line in largest[:LINES_MAX]
        ],
        "country": lines[0]["Country"],
    }
    return Event(at, event_id, contact_id, "order_completed", properties)


def retail(folder: Path, tally: Tally) -> Iterator[Event]:
    lines = read_csv(folder / "online-retail.csv.gz")
    invoices: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        if line["CustomerID"]:
            invoices[line["InvoiceNo"]].append(line)
    events = [retail_invoice(number, invoices[number]) for number in sorted(invoices)]
    known = sum(map(len, invoices.values()))
    anonymous = len({line["InvoiceNo"] for line in lines if not line["CustomerID"]})
    orders = sum(event.type == "order_completed" for event in events)
    two_times = sum(len({line["InvoiceDate"] for line in group}) > 1 for group in invoices.values())
    beyond = sum(
        max(0, sum(line["StockCode"] not in CHARGES for line in group) - LINES_MAX)
        for number, group in invoices.items()
        if not number.startswith("C")
    )
    note = partial(tally.add, "online-retail")
    note("order lines", len(lines), "read")
    note("order lines with a customer", known, f"kept, as {len(events):,} invoices")
    note("order lines without a customer", len(lines) - known, f"skipped ({anonymous:,} invoices)")
    note("invoices", orders, "`order_completed`")
    note("invoices with prefix C", len(events) - orders, "`order_cancelled`")
    note("lines beyond the three largest goods", beyond, "in `value` and `items`, not in `lines`")
    note("invoices with two times a minute apart", two_times, "kept at the earlier time")
    yield from events
    yield from retail_profiles(events, invoices, tally)


def retail_profiles(events: list[Event], invoices: dict[str, list[Row]], tally: Tally) -> Iterator[Event]:
    note = partial(tally.add, "online-retail")
    end = max(event.at for event in events)
    zones = read_zones()
    first: dict[str, Event] = {}
    countries: dict[str, set[str]] = defaultdict(set)
    for event in sorted(events, key=lambda event: (event.at, event.event_id)):
        first.setdefault(event.contact_id, event)
        countries[event.contact_id].update(
            line["Country"] for line in invoices[event.event_id.removeprefix("retail-")]
        )
    older = 0
    for contact_id, event in first.items():
        country = invoices[event.event_id.removeprefix("retail-")][0]["Country"]
        profile: Properties = {"country": country, "tz": zones[country]}
        if event.type == "order_completed":
            profile["customer_since"] = event.at.astimezone(LONDON).date().isoformat()
        else:
            older += 1
        yield from profile_and_consent(contact_id, "gifts", event.at - timedelta(minutes=1), end, profile)
    moved = sum(len(seen) > 1 for seen in countries.values())
    note("customers", len(first), "`profile_updated`, a minute before the first event")
    note("customers whose first invoice is a cancellation", older, "kept, without `customer_since`")
    note("customers in two countries", moved, "profile keeps the first")


# ---------------------------------------------------------------- complete-journey


def grocer_basket(lines: Sequence[Row], departments: dict[str, str]) -> Event:
    contact_id = f"grocer-{lines[0]['household_id']}"
    basket = lines[0]["basket_id"]
    discounts = ("retail_disc", "coupon_disc", "coupon_match_disc")
    items = 0
    for line in lines:
        counted = departments.get(line["product_id"]) not in UNCOUNTED_DEPARTMENTS
        items += int(Decimal(line["quantity"])) if counted else 1
    largest = max(lines, key=lambda line: (Decimal(line["sales_value"]), line["product_id"]))
    properties: Properties = {
        "shop": "grocer",
        "order_id": basket,
        "value": cents(sum((Decimal(line["sales_value"]) for line in lines), Decimal(0))),
        "items": items,
        "discount": cents(sum((Decimal(line[name]) for line in lines for name in discounts), Decimal(0))),
    }
    if department := departments.get(largest["product_id"]):
        properties["department"] = department
    # These times are UTC: the source's week number changes at midnight of New York only if they are.
    at = datetime.fromisoformat(lines[0]["transaction_timestamp"]).replace(tzinfo=UTC)
    return Event(at, f"grocer-basket-{basket}", contact_id, "order_completed", properties)


def grocer_campaigns(folder: Path, tally: Tally) -> Iterator[Event]:
    note = partial(tally.add, "complete-journey")
    campaigns = {row["campaign_id"]: row for row in read_csv(folder / "campaign_descriptions.csv.gz")}
    targetings = read_csv(folder / "campaigns.csv.gz")
    for row in targetings:
        campaign = campaigns[row["campaign_id"]]
        yield Event(
            local(campaign["start_date"], 9, NEW_YORK),
            f"grocer-campaign-{row['campaign_id']}-{row['household_id']}",
            f"grocer-{row['household_id']}",
            "campaign_received",
            {"campaign": row["campaign_id"], "kind": campaign["campaign_type"], "ends": campaign["end_date"]},
        )
    redemptions = read_csv(folder / "coupon_redemptions.csv.gz")
    for row in redemptions:
        day, coupon = row["redemption_date"], row["coupon_upc"]
        yield Event(
            local(day, 12, NEW_YORK),
            f"grocer-redemption-{row['campaign_id']}-{row['household_id']}-{coupon}-{day}",
            f"grocer-{row['household_id']}",
            "coupon_redeemed",
            {"coupon": coupon, "campaign": row["campaign_id"]},
        )
    note("campaign targetings", len(targetings), "`campaign_received`, 09:00 of the first day")
    note("coupon redemptions", len(redemptions), "`coupon_redeemed`, at 12:00 of their date")


def grocer_profile(row: Row) -> Properties:
    """Age and income stay the source's bands; the open bands `5+` and `3+` become their first number."""
    return {
        "age": row["age"],
        "income": row["income"],
        "household_size": int(row["household_size"].removesuffix("+")),
        "kids": int(row["kids_count"].removesuffix("+")),
    }


def grocer(folder: Path, tally: Tally) -> Iterator[Event]:
    note = partial(tally.add, "complete-journey")
    departments = {row["product_id"]: row["department"] for row in read_csv(folder / "products.csv.gz")}
    lines = read_csv(folder / "transactions_sample.csv.gz")
    baskets: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        baskets[line["basket_id"]].append(line)
    events = [grocer_basket(baskets[basket], departments) for basket in sorted(baskets)]
    unknown = sum("department" not in event.properties for event in events)
    unpaid = sum(event.properties["value"] == 0 for event in events)
    uncounted = sum(departments.get(line["product_id"]) in UNCOUNTED_DEPARTMENTS for line in lines)
    note("sampled transaction lines", len(lines), f"kept, as {len(baskets):,} baskets")
    note("baskets", len(baskets), "`order_completed`")
    note("lines of fuel, coupons and miscellany", uncounted, "counted as one item each")
    note("baskets of value 0", unpaid, "kept")
    note("baskets whose product has no department", unknown, "kept, without `department`")
    events.extend(grocer_campaigns(folder, tally))
    first: dict[str, datetime] = {}
    for event in events:
        first[event.contact_id] = min(event.at, first.get(event.contact_id, event.at))
    known = {
        f"grocer-{row['household_id']}": grocer_profile(row)
        for row in read_csv(folder / "demographics.csv.gz")
    }
    end = max(event.at for event in events)
    new_year = local("2017-01-01", 0, NEW_YORK)
    yield from events
    for contact_id in sorted(first):
        at = new_year
        if first[contact_id] <= new_year:
            at = local(first[contact_id].astimezone(NEW_YORK).date().isoformat(), 0, NEW_YORK)
        profile = {"country": "USA", "tz": NEW_YORK.key, **known.get(contact_id, {})}
        yield from profile_and_consent(contact_id, "grocer", at, end, profile)
    described = len(first.keys() & known.keys())
    note("households with demographics", described, "`profile_updated`")
    note("households without demographics", len(first) - described, "`profile_updated` (zone, country)")
    note("households with demographics, no event", len(known) - described, "skipped")


# ---------------------------------------------------------------- otto-sessions


class SessionLine(TypedDict):
    """One line of a visitor's session; `ts` is in Unix milliseconds."""

    aid: int
    ts: int
    type: str


class Session(TypedDict):
    session: int
    events: list[SessionLine]


def web_visitor(session: Session) -> Iterator[Event]:
    """Clicks and cart lines as they are; the order lines of one instant are one order, which ends a cart."""
    contact_id, rows = f"web-{session['session']}", session["events"]
    order_lines = Counter(row["ts"] for row in rows if row["type"] == "orders")
    cart, cart_used, ordered = 1, False, list[int]()
    for number, row in enumerate(rows, start=1):
        at = datetime.fromtimestamp(row["ts"] // 1000, UTC) + timedelta(milliseconds=row["ts"] % 1000)
        event_id, product = f"{contact_id}-{number:04d}", str(row["aid"])
        if row["type"] == "clicks":
            yield Event(at, event_id, contact_id, "product_viewed", {"product": product})
        elif row["type"] == "carts":
            cart_used = True
            added: Properties = {"product": product, "cart_id": f"{contact_id}-cart-{cart}"}
            yield Event(at, event_id, contact_id, "cart_item_added", added)
        elif row["type"] != "orders":
            raise ValueError(f"{contact_id}: unknown type {row['type']!r}")
        elif row["ts"] not in ordered:
            ordered.append(row["ts"])
            order: Properties = {"shop": "web", "order_id": f"{contact_id}-order-{len(ordered)}"}
            order["items"] = order_lines[row["ts"]]
            if cart_used:
                order["cart_id"] = f"{contact_id}-cart-{cart}"
                cart, cart_used = cart + 1, False
            yield Event(at, event_id, contact_id, "order_completed", order)


def web(folder: Path, tally: Tally) -> Iterator[Event]:
    note, seen = partial(tally.add, "otto-sessions"), Counter[str]()
    events: list[Event] = []
    with (folder / "train-sample.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            session: Session = json.loads(line)
            seen.update(row["type"] for row in session["events"])
            events.extend(web_visitor(session))
    yield from events
    end = max(event.at for event in events)
    first: dict[str, datetime] = {}
    for event in events:
        first.setdefault(event.contact_id, event.at)
    for contact_id, at in first.items():
        before = (at - timedelta(minutes=1)).replace(microsecond=0)
        yield from profile_and_consent(
            contact_id, "web", before, end, {"country": "Germany", "tz": "Europe/Berlin"}
        )
    orders = sum(event.type == "order_completed" for event in events)
    note("visitors", len(first), "`profile_updated` (zone, country)")
    note("clicks", seen["clicks"], "`product_viewed`")
    note("cart lines", seen["carts"], "`cart_item_added`, with a derived `cart_id`")
    note("order lines", seen["orders"], f"`order_completed`, {orders} orders")


# ---------------------------------------------------------------- the file


def build(source: Path) -> tuple[list[Event], Tally]:
    """All events in file order, and the account of every input line. Raises on input it does not know."""
    tally = Tally()
    events = [
        *retail(source / "online-retail", tally),
        *grocer(source / "complete-journey", tally),
        *web(source / "otto-sessions", tally),
    ]
    events.sort(key=lambda event: (event.at, event.event_id))
    ids = Counter(event.event_id for event in events)
    if len(ids) != len(events):
        raise ValueError(f"event ids occur twice: {[name for name, n in ids.items() if n > 1][:5]}")
    return events, tally


def encode(events: Iterable[Event]) -> bytes:
    """The gzip file's bytes, without a name or a time of its own."""
    raw = "".join(event.line() + "\n" for event in events).encode()
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=9, mtime=0) as packed:
        packed.write(raw)
    return out.getvalue()


def counts_table(events: Iterable[Event]) -> str:
    shops = {"retail": "gifts", "grocer": "grocer", "web": "web"}
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        by_type[f"`{event.type}`"][shops[event.contact_id.split("-")[0]]] += 1
    rows = sorted(by_type.items(), key=lambda row: (-row[1].total(), row[0]))
    rows.append(("**all**", sum((counts for _, counts in rows), Counter())))
    head = f"| type | {' | '.join(shops.values())} | all |\n| --- |{' ---: |' * 4}\n"
    return head + "".join(
        f"| {name} | {' | '.join(f'{counts[shop]:,}' for shop in shops.values())} | {counts.total():,} |\n"
        for name, counts in rows
    )


def update_readme(path: Path, counts: str, account: str) -> None:
    """Put both tables between the markers; what stands outside them is written by hand."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(COUNTS_START)
    _, after = rest.split(COUNTS_END)
    body = f"{COUNTS_START}\n\n{counts}\nWhat was read, and what became of it:\n\n{account}\n{COUNTS_END}"
    path.write_text(before + body + after, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Write both files, print both tables, return the exit code."""
    parser = argparse.ArgumentParser(description="Build the demo's events from the published data sets.")
    parser.add_argument("--source", type=Path, required=True, help="folder with the three raw data sets")
    parser.add_argument("--out", type=Path, default=DATA, help="folder of events.jsonl.gz and README.md")
    arguments = parser.parse_args(argv)
    events, tally = build(arguments.source)
    packed = encode(events)
    (arguments.out / "events.jsonl.gz").write_bytes(packed)
    counts, account = counts_table(events), tally.table()
    update_readme(arguments.out / "README.md", counts, account)
    contacts = len({event.contact_id for event in events})
    sys.stdout.write(f"{counts}\n{account}\n")
    sys.stdout.write(f"{len(events):,} events of {contacts:,} contacts, {len(packed):,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
