"""The generated log of "ten programs" (docs/performance.md): events of 300 bytes and more, seeded.

Contacts are drawn uniformly or by a Zipf law. The log is in order of time, over 60 days.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import msgspec

__all__ = ["AGENT", "DAYS", "DAY_MS", "START_MS", "events", "lines"]

START_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z
DAYS = 60
DAY_MS = 86_400_000
MIX = {
    "page_viewed": 62,
    "email_opened": 14,
    "email_clicked": 6,
    "downloaded": 6,
    "cart_abandoned": 4,
    "order_completed": 4,
    "survey_answered": 2,
    "webinar_registered": 2,
}
URLS = ["/", "/pricing", "/docs", "/blog/streams", "/blog/rocks", "/customers", "/about", "/contact"]
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
COUNTRIES = ["GB", "DE", "MX", "US", "FR"]
ZONES = ["Europe/London", "Europe/Berlin", "America/Mexico_City", "America/New_York", "Europe/Paris"]


def _lines(rng: random.Random) -> list[dict[str, Any]]:
    return [
        {"sku": f"sku-{rng.randrange(5000):05}", "quantity": rng.randrange(1, 4), "price": rng.randrange(90)}
        for _ in range(3)
    ]


def _properties(kind: str, rng: random.Random, number: int) -> dict[str, Any]:
    session = f"{rng.getrandbits(128):032x}"
    message = f"{rng.getrandbits(96):024x}@mail.shop.example"
    match kind:
        case "page_viewed":
            return {
                "url": rng.choice(URLS),
                "referrer": "https://search.example/?q=journeys",
                "agent": AGENT,
                "session": session,
                "seconds": rng.randrange(2, 200),
            }
        case "email_opened":
            template = rng.choice(["cart-reminder", "thanks", "nurture"])
            return {"template": template, "message": message, "agent": AGENT, "session": session}
        case "email_clicked":
            template = rng.choice(["cart-reminder", "thanks", "nurture"])
            link = f"https://shop.example/c/{session}?utm_source=mail&utm_campaign={template}"
            return {"template": template, "message": message, "link": link, "session": session}
        case "downloaded":
            url = "/assets/whitepaper.pdf"
            return {"asset": "whitepaper", "url": url, "agent": AGENT, "session": session}
        case "cart_abandoned":
            return {
                "cart_id": f"cart-{number}",
                "value": rng.randrange(5, 300),
                "lines": _lines(rng),
                "session": session,
            }
        case "order_completed":
            return {
                "order_id": f"order-{number}",
                "value": rng.randrange(5, 300),
                "lines": _lines(rng),
                "session": session,
            }
        case "survey_answered":
            text = "It was all right, delivery took a little longer than the page had said it would take."
            return {"stars": rng.randrange(1, 6), "text": text, "session": session}
        case _:
            starts = datetime.fromtimestamp((START_MS + rng.randrange(DAYS) * DAY_MS) / 1000, UTC)
            return {
                "webinar": f"webinar-{rng.randrange(8)}",
                "starts": starts.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "session": session,
                "agent": AGENT,
            }


def _draw(contacts: int, law: str, rng: random.Random) -> Iterator[int]:
    """Contact numbers, endlessly. ``zipf`` has exponent 1: the first contact is drawn most."""
    if law == "uniform":
        while True:
            yield rng.randrange(contacts)
    weights = list(accumulate(1 / rank for rank in range(1, contacts + 1)))
    while True:
        yield from rng.choices(range(contacts), cum_weights=weights, k=10_000)


def events(
    count: int,
    contacts: int,
    *,
    law: str = "uniform",
    seed: int = 7,
    begin_ms: int = START_MS,
    days: float = DAYS,
    known: bool = False,
) -> Iterator[dict[str, Any]]:
    """``count`` events in order of time, spread over ``days`` from ``begin_ms`` on.

    The first event of a contact is its profile, then its consent, unless all contacts are ``known`` already.
    """
    rng = random.Random(seed)
    draw = _draw(contacts, law, rng)
    kinds = list(MIX)
    weights = list(accumulate(MIX.values()))
    seen = bytearray(b"\1" if known else b"\0") * contacts
    step_ms = days * DAY_MS / count
    waiting: list[tuple[str, dict[str, Any], int]] = []
    for number in range(count):
        at_ms = begin_ms + int(number * step_ms)
        if waiting:
            kind, properties, contact = waiting.pop()
        else:
            contact = next(draw)
            if not seen[contact]:
                seen[contact] = 1
                place = contact % len(ZONES)
                kind = "profile_updated"
                properties = {
                    "email": f"contact-{contact}@people.example",
                    "country": COUNTRIES[place],
                    "tz": ZONES[place],
                    "plan": "free",
                    "birthday": "1990-05-17",
                }
                if rng.random() < 0.9:
                    waiting.append(("consent_granted", {"purpose": "marketing", "text": "sign-up"}, contact))
            else:
                kind = rng.choices(kinds, cum_weights=weights)[0]
                properties = _properties(kind, rng, number)
        stamp = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        yield {
            "event_id": f"{rng.getrandbits(128):032x}",
            "contact_id": f"contact-{contact:07}",
            "type": kind,
            "occurred_at": f"{stamp}.{at_ms % 1000:03}Z",
            "properties": properties,
        }


def lines(count: int, contacts: int, **options: Any) -> Iterator[bytes]:
    """The same, with the same options, as JSON lines."""
    encode = msgspec.json.Encoder().encode
    for event in events(count, contacts, **options):
        yield encode(event) + b"\n"
