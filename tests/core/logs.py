"""Random logs over the topology ``everything``, and a few ways to run them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from processor.core.events import Event
from processor.core.ids import fingerprint
from processor.core.model import Topology
from processor.core.outputs import Command, Decision
from processor.core.time import format_time
from processor.language import load_topology
from processor.runtime.driver import Driver
from processor.store.memory import MemoryStore

START_MS = 1_774_080_000_000  # 2026-03-21T08:00:00Z, a week before clocks change in London
HOUR_MS = 3_600_000
CONTACTS = ["ana", "bo", "cy", "anon-1", "anon-2"]


@cache
def everything() -> Topology:
    """The topology that uses the whole language."""
    return load_topology(Path(__file__).parents[1] / "fixtures" / "everything").topology


def _properties(kind: str) -> st.SearchStrategy[Any]:
    carts = st.sampled_from(["k1", "k2"])
    values = st.integers(0, 200) | st.floats(0, 200, allow_nan=False)
    templates = st.sampled_from(["cart-reminder", "nurture", "digest"])
    times = st.integers(0, 60 * 24).map(lambda hours: format_time(START_MS + hours * HOUR_MS))
    profile = st.fixed_dictionaries(
        {},
        optional={
            "email": st.sampled_from(["a@b.example", "c@d.test", None]),
            "phone": st.sampled_from(["+1", "+2", None]),
            "tz": st.sampled_from(["America/Mexico_City", "Europe/Berlin", "Asia/Kathmandu"]),
            "birthday": st.sampled_from(["1990-04-02", "1988-02-29", "2001-03-29"]),
            "renews": times,
            "tier": st.sampled_from(["gold", "tin"]),
        },
    )
    consents = st.sampled_from(["marketing", "marketing/email", "news"])
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "page_viewed": st.fixed_dictionaries(
            {"url": st.sampled_from(["/", "/pricing"])}, optional={"seconds": st.integers(0, 90)}
        ),
        "downloaded": st.just({}),
        "cart_abandoned": st.fixed_dictionaries({"cart_id": carts, "value": values}),
        "order_completed": st.fixed_dictionaries({}, optional={"cart_id": carts, "value": values}),
        "email_clicked": st.fixed_dictionaries({"template": templates}),
        "email_bounced": st.sampled_from([{}, {"command_id": "none of ours"}]),
        "push_failed": st.just({}),
        "complained": st.sampled_from([{}, {"address": "A@b.example"}]),
        "address_released": st.just({"channel": "email"}),
        "survey_answered": st.fixed_dictionaries({"stars": st.integers(1, 5)}),
        "profile_updated": profile,
        "consent_granted": st.sampled_from(
            [{"purpose": "marketing"}] * 3 + [{"purpose": "news"}, {"purpose": "news", "channel": "sms"}]
        ),
        "consent_confirmed": st.just({"purpose": "news"}),
        "preferences_changed": st.fixed_dictionaries(
            {},
            optional={
                "consents": st.dictionaries(consents, st.booleans()),
                "lists": st.dictionaries(st.sampled_from(["vip", "newsletter"]), st.booleans()),
                "profile": st.just({"tier": "gold"}),
            },
        ),
        "consent_withdrawn": st.sampled_from([{"purpose": "marketing"}, {}, {"channel": "email"}]),
        "list_joined": st.just({"list": "vip"}),
        "list_left": st.just({"list": "vip"}),
        "contact_added": st.just({"program": "handoff"}),
        "contact_identified": st.sampled_from([{"anonymous_id": "anon-1"}, {"anonymous_id": "anon-2"}]),
    }
    return strategies[kind]


KINDS = [
    *["page_viewed"] * 5,
    *["downloaded"] * 4,
    *["cart_abandoned"] * 4,
    *["order_completed"] * 2,
    *["email_clicked"] * 2,
    "survey_answered",
    *["email_bounced"] * 2,
    "push_failed",
    "complained",
    "address_released",
    *["profile_updated"] * 2,
    *["consent_granted"] * 3,
    "consent_confirmed",
    "consent_withdrawn",
    "preferences_changed",
    "list_joined",
    "list_left",
    "contact_added",
    "contact_identified",
]

SAID = ["program_paused", "program_resumed", "held_released", "held_dropped"]  # by operators

_step = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.sampled_from(CONTACTS),
        st.sampled_from([0, 1, 60_000, 7_000_000, 5 * HOUR_MS, 26 * HOUR_MS, 6 * 24 * HOUR_MS]),
        st.sampled_from([0, 0, 0, 0, 90_000, 3 * HOUR_MS, 50 * HOUR_MS]),
        _properties(kind),
    )
)


@st.composite
def logs(
    draw: st.DrawFn, *, late: bool = True, max_size: int = 60, braked: tuple[str, ...] = ()
) -> list[Event]:
    """A log: events mostly in order of time, some late, some twice; operators stop and go on ``braked``."""
    steps = draw(st.lists(_step, min_size=1, max_size=max_size))
    events = _known(draw(st.booleans()))
    now_ms = START_MS
    for number, (kind, contact, gap_ms, late_ms, properties) in enumerate(steps):
        now_ms += gap_ms
        occurred_ms = now_ms - (late_ms if late else 0)
        name = f"e-{number}"
        events.append(Event(name, contact, kind, occurred_ms, properties, fingerprint(name.encode())))
    said = st.tuples(st.integers(0, len(events) - 1), st.sampled_from(SAID), st.sampled_from(braked or ("",)))
    for index, kind, program in draw(st.lists(said, max_size=8)) if braked else []:
        name, at_ms = f"o-{len(events)}", events[index].occurred_ms
        contact = draw(st.sampled_from([f"program/{program}", "ana"]))  # one of them has a row
        command = Event(name, contact, kind, at_ms, {"program": program}, fingerprint(name.encode()))
        events.insert(index, command)
    for index in draw(st.lists(st.integers(0, len(events) - 1), max_size=3)) if late else []:
        events.append(events[index])
    return events


def _known(known: bool) -> list[Event]:
    """Contacts that have said who and where they are, and yes; or nothing of it."""
    events: list[Event] = []
    if known:
        zones = ["Europe/London", "America/Mexico_City", "Asia/Kathmandu"]
        for contact, zone in zip(CONTACTS, zones, strict=False):
            profile = {"email": f"{contact}@b.example", "tz": zone, "birthday": "1990-04-03"}
            consent = {"purpose": "marketing"}
            for kind, properties in (("profile_updated", profile), ("consent_granted", consent)):
                name = f"{kind}-{contact}"
                events.append(Event(name, contact, kind, START_MS, properties, fingerprint(name.encode())))
    return events


def run(
    events: list[Event],
    partitions: int,
    *,
    cuts: frozenset[int] = frozenset(),
    until_ms: int = 0,
    rows_held_max: int = 20_000,
    topology: Topology | None = None,
) -> tuple[list[Command], list[Decision], MemoryStore, Driver]:
    """Run a log; after the events numbered in ``cuts`` everything is committed and all memory thrown away."""
    topology = topology or everything()
    store = MemoryStore(partitions)
    commands: list[Command] = []
    decisions: list[Decision] = []
    holder: list[Driver] = []

    def commit() -> None:
        taken = holder[0].take()
        assert not taken.failures, [failure.reason for failure in taken.failures]
        commands.extend(taken.commands)
        decisions.extend(taken.decisions)
        store.commit(taken.changes, b"")
        holder[0].committed()

    def start() -> None:
        holder[:] = [Driver(topology, store, partitions, checkpoint=commit, rows_held_max=rows_held_max)]

    start()
    watermark_ms = 0
    for number, event in enumerate(events):
        watermark_ms = max(watermark_ms, event.occurred_ms)
        holder[0].feed(event, watermark_ms)
        if number in cuts:
            commit()
            start()
    holder[0].move(max(until_ms, watermark_ms))
    commit()
    return commands, decisions, store, holder[0]
