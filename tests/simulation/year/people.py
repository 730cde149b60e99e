"""Contacts who live through a year: what they do by themselves, and how they answer what they are sent.

Everything is drawn from one seeded source of chance. A person is a shopper, a lead or a subscriber, or
several of these; now and then an account that publishes posts. Times are ms since 1970 UTC; no event lies on
a full second, so that none meets a timer's instant.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from processor.core.outputs import Command

__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "Doing", "Person", "answers", "arrival", "pause_ms", "session"]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
ZONES: Final = [
    "Europe/London", "Europe/Berlin", "America/New_York", "America/Mexico_City", "Asia/Tokyo",
    "Australia/Sydney", "Asia/Kolkata",
]  # fmt: skip
TOPICS: Final = ["streams", "data", "teams"]

Doing = tuple[int, str, dict[str, Any]]  # in how many ms, the event type, its properties


@dataclass
class Person:
    """A contact: ``name``, how lively, and what kind of customer. ``carts`` counts what ids are made of."""

    name: str
    liveliness: float
    shopper: bool
    lead: bool
    subscriber: bool
    account: bool
    opens: float
    number: int = 0
    now_ms: int = 0

    def next(self, kind: str) -> str:
        """A new id of this person's."""
        self.number += 1
        return f"{kind}-{self.name}-{self.number}"


def stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d")


def arrival(rng: random.Random, number: int, at_ms: int) -> tuple[Person, list[Doing]]:
    """A person comes: who it is, and its first events."""
    person = Person(
        f"p-{number:06}",
        liveliness=rng.choice([0.3, 1.0, 1.0, 2.0]),
        shopper=rng.random() < 0.6,
        lead=rng.random() < 0.35,
        subscriber=rng.random() < 0.3,
        account=number % 40 == 0,
        opens=rng.uniform(0.05, 0.7),
    )
    profile: dict[str, Any] = {"tz": rng.choice(ZONES), "first_name": f"N{number}", "season": "summer"}
    profile["birthday"] = f"19{rng.randrange(55, 99)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    if rng.random() < 0.95:
        profile["email"] = f"p{number}@people.example"
    if person.lead:
        profile |= {"company": f"C{number}", "interest": rng.choice(TOPICS), "phone": "+1"}
        profile["stage"] = rng.choice(["sales", "nurture"])
    if person.subscriber:
        profile |= {"plan": rng.choice(["free", "team"]), "monthly_value": rng.choice([20, 80, 700])}
        profile |= {"contract_ends": day(at_ms + rng.randrange(90, 400) * DAY_MS)}
        profile["contract_value"] = rng.choice([500, 12_000])
    if person.shopper and rng.random() < 0.4:
        profile["member_since"] = day(at_ms - rng.randrange(0, 900) * DAY_MS)
    if person.account:
        profile |= {"network": "birds", "handle": f"@n{number}"}
    consents = [name for name, odds in _CONSENTS.items() if rng.random() < odds]
    if "marketing" in consents and rng.random() < 0.2:
        profile["consented_on"] = day(at_ms - rng.randrange(400, 690) * DAY_MS)
    first: list[Doing] = [(0, "profile_updated", profile)]
    first += [(2_000 + 1_500 * at, "consent_granted", {"purpose": name}) for at, name in enumerate(consents)]
    first.append((30_000, "signed_up", {"source": "site"}))
    if person.subscriber:
        first.append((rng.randrange(1, 30) * HOUR_MS, "account_created", {"plan": "free"}))
        if rng.random() < 0.5:
            ends = stamp(at_ms + rng.randrange(10, 31) * DAY_MS)
            first.append((rng.randrange(2, 60) * HOUR_MS, "trial_started", {"plan": "team", "ends": ends}))
    return person, first


_CONSENTS: Final = {"marketing": 0.75, "surveys": 0.5, "advertising": 0.4, "sales": 0.5, "location": 0.3}


def pause_ms(rng: random.Random, person: Person) -> int:
    """How long until the person does something again, of its own."""
    if rng.random() < 0.03:
        return rng.randrange(60, 200) * DAY_MS  # away for long
    return int(rng.expovariate(person.liveliness / 16) * DAY_MS) + HOUR_MS


def session(rng: random.Random, person: Person, at_ms: int) -> list[Doing]:
    """What the person does now, and what follows from it within days."""
    person.now_ms = at_ms
    kinds = [_browse]
    kinds += [_shop, _shop, _visit] if person.shopper else []
    kinds += [_research, _form, _sales] if person.lead else []
    kinds += [_use, _use, _support] if person.subscriber else []
    kinds += [_publish] * 6 if person.account else []
    return list(rng.choice(kinds)(rng, person))


def _browse(rng: random.Random, person: Person) -> Iterator[Doing]:
    for at in range(rng.randrange(1, 4)):
        yield at * 3 * MINUTE_MS, "page_viewed", {"url": rng.choice(["/", "/pricing", "/new"]), "seconds": 40}
    if rng.random() < 0.1:
        yield 0, "visited", {"source": rng.choice(["ad", "search"])}
    if rng.random() < 0.02:
        yield HOUR_MS, "consent_granted", {"purpose": "marketing"}
    if rng.random() < 0.05:
        yield HOUR_MS, "signed_up", {"source": "again"}


def _shop(rng: random.Random, person: Person) -> Iterator[Doing]:
    for at in range(rng.randrange(1, 5)):
        yield at * 2 * MINUTE_MS, "product_viewed", {"product": f"g{rng.randrange(50)}"}
    if rng.random() < 0.6:
        cart, value = person.next("cart"), rng.choice([rng.randrange(5, 300)] * 12 + [900])
        if rng.random() < 0.6:
            yield (
                12 * MINUTE_MS,
                "cart_abandoned",
                {"cart_id": cart, "value": value, "lines": [{"sku": "g1"}]},
            )
            if rng.random() < 0.3:  # it is looked at in the store before it is bought, or not
                yield DAY_MS, "beacon_seen", {"store": "north", "zone": "door"}
                yield DAY_MS + 5 * MINUTE_MS, "beacon_seen", {"store": "north", "zone": "shelves"}
            if rng.random() < 0.5:
                return
            yield from order(rng, person, rng.randrange(20, 5000) * MINUTE_MS, value, cart)
        else:
            yield from order(rng, person, 15 * MINUTE_MS, value, cart)


def order(rng: random.Random, person: Person, at_ms: int, value: float, cart: str = "") -> Iterator[Doing]:
    """An order, its delivery, and now and then its end."""
    name = person.next("order")
    goods = {"product": f"g{rng.randrange(50)}", "category": rng.choice(["books", "tools"])}
    more = {"cart_id": cart} if cart else {}
    yield at_ms, "order_completed", {"order_id": name, "value": value, **goods, **more}
    if rng.random() < 0.05:
        yield at_ms + 5 * HOUR_MS, "order_cancelled", {"order_id": name}
        return
    yield at_ms + 3 * DAY_MS, "order_delivered", {"order_id": name}
    if rng.random() < 0.06:
        yield at_ms + 9 * DAY_MS, "order_returned", {"value": value}


def _visit(rng: random.Random, person: Person) -> Iterator[Doing]:
    store = rng.choice(["north", "south"])
    yield 0, "beacon_seen", {"store": store, "zone": "door"}
    if rng.random() < 0.7:
        yield 4 * MINUTE_MS, "beacon_seen", {"store": store, "zone": "shelves"}
    if rng.random() < 0.2:
        yield (
            40 * MINUTE_MS,
            "order_completed",
            {"order_id": person.next("order"), "value": 30, "store": store},
        )


def _research(rng: random.Random, person: Person) -> Iterator[Doing]:
    topic = rng.choice(TOPICS)
    asset = f"{topic}-{rng.randrange(4)}"
    yield 0, "page_viewed", {"url": f"/{topic}", "seconds": rng.randrange(100, 900)}
    asked = {"asset": asset, "title": asset.title(), "topic": topic, "url": f"/a/{asset}"}
    yield 5 * MINUTE_MS, "content_requested", asked
    got = {"asset": asset, "title": asset.title(), "topic": topic}
    if rng.random() < 0.7:
        yield rng.randrange(6, 6000) * MINUTE_MS, "content_downloaded", got
    if rng.random() < 0.3:
        yield 9 * MINUTE_MS, "page_viewed", {"url": "/pricing", "seconds": 1300}
        yield 11 * MINUTE_MS, "content_downloaded", got | {"asset": f"{asset}-more"}


def _form(rng: random.Random, person: Person) -> Iterator[Doing]:
    form = rng.choice(["contact", "quote"])
    yield 0, "form_started", {"form": form, "url": "/contact", "step": 2}
    if rng.random() < 0.5:
        yield rng.randrange(3, 3000) * MINUTE_MS, "form_submitted", {"form": form}


def _sales(rng: random.Random, person: Person) -> Iterator[Doing]:
    draw = rng.random()
    if draw < 0.3:
        kind = rng.choice(["meeting", "demo", "call"])
        added = {"program": "sales-follow-up", "kind": kind, "rep": "ana", "note": "as agreed"}
        yield 0, "contact_added", added
        if rng.random() < 0.4:
            yield rng.randrange(3, 200) * HOUR_MS, "contact_replied", {"channel": "email"}
    elif draw < 0.5:
        yield 0, "deal_opened", {"value": 900}
        yield rng.randrange(5, 60) * DAY_MS, rng.choice(["deal_won", "deal_lost"]), {}
    elif draw < 0.55:
        yield 0, "lead_disqualified", {"because": "no budget"}
    else:
        yield 0, "demo_requested", {}


def _use(rng: random.Random, person: Person) -> Iterator[Doing]:
    for at in range(rng.randrange(1, 6)):
        yield at * DAY_MS, "logged_in", {}
        yield at * DAY_MS + 7 * MINUTE_MS, "feature_used", {"feature": rng.choice(["board", "export"])}
    if rng.random() < 0.1:
        yield DAY_MS, rng.choice(["project_created", "data_imported", "colleague_invited"]), {}
    if rng.random() < 0.05:
        yield 2 * DAY_MS, "plan_upgraded", {"plan": "team", "value": 80}
    if rng.random() < 0.03:
        yield 3 * DAY_MS, rng.choice(["subscription_cancelled", "account_closed", "trial_cancelled"]), {}
    if rng.random() < 0.05:
        yield DAY_MS, "payment_failed", {}
    if rng.random() < 0.08:
        yield 2 * DAY_MS, "contract_renewed", {"value": 500}


def _support(rng: random.Random, person: Person) -> Iterator[Doing]:
    if rng.random() < 0.5:
        name = person.next("question")
        sure = rng.random()
        asked = {"question_id": name, "text": "how?", "topic": "export", "confidence": round(sure, 2)}
        yield 0, "question_asked", asked | ({"article": "a-1"} if sure > 0.4 else {})
        if rng.random() < 0.6:
            yield 25 * MINUTE_MS, "agent_joined", {"question_id": name, "agent": "eva"}
        yield rng.randrange(2, 40) * HOUR_MS, "question_solved", {"question_id": name}
    else:
        name = person.next("call")
        yield 0, "ticket_opened", {"subject": "export"}
        closed = {"call_id": name, "topic": "export", "solved": rng.random() < 0.8, "agent": "finn"}
        yield 3 * HOUR_MS, "call_closed", closed


def _publish(rng: random.Random, person: Person) -> Iterator[Doing]:
    post = person.next("post")
    planned_ms = person.now_ms + rng.randrange(3, 90) * HOUR_MS
    text = {"post": post, "text": f"about {post}", "publish_at": stamp(planned_ms)}
    yield 0, "post_planned", text
    if rng.random() < 0.15:
        yield HOUR_MS, "post_withdrawn", {"post": post}
    elif rng.random() < 0.95:
        yield planned_ms - person.now_ms + 4 * MINUTE_MS, "post_published", {"post": post}


# ------------------------------------------------------------------------------------------------- answers


def answers(rng: random.Random, person: Person, command: Command) -> list[Doing]:
    """How the person, or who carries it out, answers a command; times count from when it was decided."""
    if command.channel == "email":
        return list(_mail(rng, person, command))
    if command.channel == "push":
        return list(_push(rng, person, command))
    if command.channel == "chat" and command.template == "bot-answer":
        helpful = {"question_id": f"question-{person.name}-{person.number}", "helpful": rng.random() < 0.6}
        return [(3 * MINUTE_MS, "answer_rated", helpful)] if rng.random() < 0.6 else []
    if command.kind == "route" or command.channel in {"crm", "desk"}:
        return list(_people(rng, command))
    if command.channel == "consent-desk":
        return [(5 * DAY_MS, "consent_granted", {"purpose": "marketing"})] if rng.random() < 0.2 else []
    return []


def _mail(rng: random.Random, person: Person, command: Command) -> Iterator[Doing]:
    if rng.random() < 0.01:
        yield rng.randrange(1, 20) * MINUTE_MS, "email_bounced", {"command_id": command.command_id}
        if rng.random() < 0.5:
            yield 30 * MINUTE_MS, "profile_updated", {"email": None}
        return
    if rng.random() > person.opens:
        if rng.random() < 0.01:
            yield rng.randrange(1, 50) * HOUR_MS, "consent_withdrawn", {"purpose": command.purpose}
        return
    opened = int(rng.lognormvariate(1.2, 1.3) * HOUR_MS) + MINUTE_MS
    yield opened, "email_opened", {"template": command.template}
    draw = rng.random()
    if draw < 0.012:
        yield opened + MINUTE_MS, "consent_withdrawn", {"purpose": command.purpose}
    elif draw < 0.015:
        yield opened + MINUTE_MS, "consent_withdrawn", {}
    elif draw < 0.02:
        yield opened + MINUTE_MS, "consent_withdrawn", {"purpose": command.purpose, "channel": "email"}
    elif draw < 0.3:
        yield opened + MINUTE_MS, "email_clicked", {"template": command.template}
        yield opened + 2 * MINUTE_MS, "page_viewed", {"url": "/landing", "seconds": 60}
        yield from _follow_up(rng, person, command, opened + 10 * MINUTE_MS)


def _follow_up(rng: random.Random, person: Person, command: Command, at_ms: int) -> Iterator[Doing]:
    template = command.template
    if "survey" in template or template == "how-was-the-call":
        yield at_ms, "survey_answered", {"score": rng.randrange(0, 11), "comment": "so-so"}
        if rng.random() < 0.5:
            yield at_ms + 2 * DAY_MS, "case_closed", {"outcome": "called"}
    elif template.startswith("webinar-"):
        yield at_ms, "webinar_registered", {"webinar": "autumn-data", "source": "mail"}
    elif template in {"still-want-us", "last-question"}:
        yield at_ms, "consent_granted", {"purpose": "marketing"}
    elif template.startswith("renewal"):
        yield at_ms, "contract_renewed", {"value": 500}
    elif template.startswith("trial"):
        yield at_ms, "subscribed", {"plan": "team", "value": 80}
    elif template.startswith(("after-the", "any-")):
        yield at_ms, rng.choice(["call_booked", "contact_replied"]), {}
    elif template == "form-reminder":
        if rng.random() < 0.5:
            yield at_ms, "form_submitted", {"form": "contact"}
    elif template.startswith("content"):
        yield at_ms, "content_downloaded", {"title": "it", "topic": "data"}
    elif person.shopper and rng.random() < 0.4:
        yield from order(rng, person, at_ms, rng.randrange(10, 200))


def _push(rng: random.Random, person: Person, command: Command) -> Iterator[Doing]:
    if command.template == "webinar-soon" and rng.random() < 0.6:
        yield 70 * MINUTE_MS, "webinar_attended", {"webinar": "autumn-data", "minutes": 45}
    elif rng.random() < 0.1:
        yield 5 * MINUTE_MS, "page_viewed", {"url": "/landing", "seconds": 30}
        if person.shopper and rng.random() < 0.3:
            yield from order(rng, person, 20 * MINUTE_MS, rng.randrange(10, 200))
    elif rng.random() < 0.02:
        yield 9 * MINUTE_MS, "consent_withdrawn", {"purpose": command.purpose, "channel": "push"}


def _people(rng: random.Random, command: Command) -> Iterator[Doing]:
    draw = rng.random()
    if command.program == "churn-risk":
        yield rng.randrange(2, 150) * HOUR_MS, "check_in_done", {"outcome": "fine"}
    elif command.program == "qualified-lead" and draw < 0.7:
        yield rng.randrange(1, 60) * HOUR_MS, "sales_contacted", {"rep": "ana"}
    elif command.program == "survey-nps":
        yield rng.randrange(5, 90) * HOUR_MS, "case_closed", {"outcome": "called"}
    elif draw < 0.2:
        yield 3 * DAY_MS, "deal_opened", {"value": 900}
