"""The shape of ``topology.yaml``: everything of a topology but its programs."""

from __future__ import annotations

from typing import Final

from processor.core.relations import KEPT_MAX
from processor.core.schema import PROPERTY_TYPES
from processor.core.topics import PARTITIONS, PARTITIONS_MAX
from processor.language.brake_shapes import BREAKER, DORMANT, PACING
from processor.language.competition_shapes import ARBITRATION, BUDGETS
from processor.language.problems import instead, quoted
from processor.language.records import Either, Field, ListOf, MapOf, OneOrMany, Record
from processor.language.score_shapes import SCORE
from processor.language.shapes import (
    NAME,
    Boolean,
    Choice,
    Clock,
    Duration,
    Expr,
    Moment,
    Name,
    Number,
    Ref,
    Text,
    Zone,
)
from processor.language.source import Scalar
from processor.language.words import CONDITION, EVENT_NAME, IDENTIFIER, WORD_NAME

__all__ = ["CONDITION", "EVENT_NAME", "IDENTIFIER", "TOPOLOGY", "WEEKDAYS", "WEEKDAY_NAMES", "WORD_NAME"]

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKDAY_NAMES: Final = ListOf(item=Choice(options=WEEKDAYS), least=1)


class _PropertyType(Choice, frozen=True, kw_only=True):
    """The type of a property or attribute; a ``?`` behind it says that it may be missing."""

    rule: str = "unknown-type"

    def understand(self, node: Scalar) -> str:
        """Return the type as written."""
        if node.text not in self.options:
            otherwise = f"write one of {', '.join(PROPERTY_TYPES)}, with a ? if it may be missing"
            fix = instead(node.text.removesuffix("?"), PROPERTY_TYPES, otherwise)
            raise ValueError(f"{quoted(node.text)} is not a type: {fix}")
        return node.text


_PROPERTY_TYPE: Final = _PropertyType(options=(*PROPERTY_TYPES, *(f"{name}?" for name in PROPERTY_TYPES)))
_EVENTS: Final = MapOf(
    key=EVENT_NAME, value=MapOf(key=IDENTIFIER, value=_PROPERTY_TYPE, what="properties"), what="event types"
)
_DOUBLE_OPT_IN: Final = Record(
    name="double_opt_in",
    title="double opt-in",
    doc="A consent counts once the contact has confirmed it (consent_confirmed).",
    fields={
        "confirmation": Field(
            OneOrMany(item=Text(examples=("please-confirm",))),
            "the templates that ask for it: they may be sent while it is pending",
            required=True,
        ),
        "within": Field(Duration(examples=("7d",)), "the time in which it can be confirmed; default 7d"),
    },
)
_PURPOSE: Final = Record(
    name="purpose",
    title="a purpose",
    doc="What consent is given for.",
    fields={
        "consent": Field(
            Choice(options=("required", "not_required")), "whether the contact must have agreed"
        ),
        "double_opt_in": Field(_DOUBLE_OPT_IN, "the contact has to confirm what it agreed to"),
        "transactional": Field(
            Boolean(), "receipts, passwords: free of consent, caps, quiet hours, holdouts"
        ),
    },
)
_CHANNEL: Final = Record(
    name="channel",
    title="a channel",
    doc="What carries out commands.",
    fields={
        "kind": Field(
            Choice(options=("message", "task", "alert", "webhook", "audience")),
            "only messages are bound by caps and quiet hours",
        ),
        "expires_after": Field(
            Duration(examples=("2d",)), "how long a command may still be carried out; default 1d"
        ),
        "address": Field(Ref(kind="attribute"), "the attribute that must be known before anything is sent"),
        "failed_by": Field(
            Ref(kind="published", examples=("email_bounced",)),
            "the event type by which it reports that it could not deliver",
        ),
        "cancels": Field(
            Boolean(),
            "it takes commands of kind cancel, by which it drops what is left of a purpose; default no",
        ),
        "suppressed_by": Field(
            ListOf(item=Ref(kind="published", examples=("complained",))),
            "events that suppress the contact's address: nobody who has it is sent anything on this channel",
        ),
        "one_copy": Field(
            Duration(examples=("7d",)),
            "contacts with one address get one copy of a message in this time; each send asks for it",
        ),
        "templates": Field(
            ListOf(item=Text()), "the templates it has; any name is allowed where this is absent"
        ),
        "cost": Field(
            Number(minimum=0, examples=(0.002,)), "what one command costs, for reports; default nothing"
        ),
    },
)
_MEMBER: Final = Record(
    name="member",
    title="a member of a team",
    fields={
        "name": Field(Text(examples=("ana",)), "the name", required=True),
        "email": Field(Text(examples=("ana@shop.example",)), "where answers to sends go"),
        "phone": Field(Text(), "a number to call"),
        "link": Field(Text(examples=("https://shop.example/meet/ana",)), "a page, to book a meeting say"),
    },
)
_TEST_LIST: Final = Record(
    name="test_list",
    title="the test list",
    fields={
        "list": Field(Ref(kind="list", examples=("staff",)), "the list", required=True),
        "wait_at_most": Field(Duration(examples=("1m",)), "how long every wait lasts; default 1m"),
    },
)
_TEAM: Final = Record(
    name="team",
    title="a team",
    doc="People that contacts are routed to, in turn.",
    fields={
        "channel": Field(
            Ref(kind="channel", examples=("crm",)), "the channel that tells them", required=True
        ),
        "members": Field(
            ListOf(item=Either(text=Text(), other=_MEMBER), least=1, examples=("[ana, ben]",)),
            "their names, with their addresses",
            required=True,
        ),
    },
)
_DROP: Final = Record(
    name="relation_drop",
    title="drop",
    doc="What takes an item away.",
    fields={
        "on": Field(OneOrMany(item=Ref(kind="published")), "the event type", required=True),
        "if": Field(CONDITION, "only events for which this holds"),
        "key": Field(Expr(examples=("event.order_id",)), "the item's key; without it all items go"),
    },
)
_RELATION: Final = Record(
    name="relation",
    title="a relation",
    doc="What belongs to a contact and comes in several: orders, cart lines, service calls.",
    fields={
        "on": Field(
            OneOrMany(item=Ref(kind="published", examples=("order_completed",))),
            "the event type that makes an item",
            required=True,
        ),
        "if": Field(CONDITION, "only events for which this holds"),
        "key": Field(Expr(examples=("event.order_id",)), "the same key again is the same item"),
        "fields": Field(
            MapOf(key=IDENTIFIER, value=Expr(examples=("event.value",)), least=1, what="fields"),
            "what is kept of it",
            required=True,
            sample="{total: event.value}",
        ),
        "each": Field(IDENTIFIER, "a list property: each of its elements, called item, is an item"),
        "anew": Field(Boolean(), "an event takes the place of all items before; default false"),
        "keep": Field(
            Number(minimum=1, maximum=KEPT_MAX, whole=True, examples=(20,)),
            "how many are kept, the latest; default 20",
        ),
        "drop": Field(_DROP, "what takes an item away"),
    },
)
_SEGMENT: Final = Record(
    name="segment",
    title="a segment",
    fields={
        "if": Field(CONDITION, "who is in it", required=True),
        "needs": Field(Ref(kind="purpose"), "only with consent to this purpose"),
        "description": Field(Text(), "for readers"),
    },
)
_QUIET_HOURS: Final = Record(
    name="quiet_hours",
    title="quiet hours",
    doc="When nothing is sent, on the contact's own clock.",
    fields={
        "from": Field(Clock(examples=('"21:00"',)), "their start", required=True),
        "to": Field(Clock(examples=('"09:00"',)), "their end; may be on the next day", required=True),
        "days": Field(WEEKDAY_NAMES, "the days on which they start; default every day"),
        "channels": Field(ListOf(item=Ref(kind="channel")), "default all"),
        "purposes": Field(ListOf(item=Ref(kind="purpose")), "default all but the transactional"),
    },
)
_BLACKOUT: Final = Record(
    name="blackout",
    title="a blackout",
    doc="Days on which nothing is sent, on the contact's own clock.",
    fields={
        "name": Field(WORD_NAME, "what records call it; default its first day"),
        "from": Field(Moment(examples=("2026-12-24",)), "its first day, or a moment", required=True),
        "to": Field(Moment(examples=("2026-12-26",)), "its last day, to its end, or a moment", required=True),
        "zone": Field(Zone(), "on the clock of this zone; default the contact's"),
        "channels": Field(ListOf(item=Ref(kind="channel")), "default all"),
        "purposes": Field(ListOf(item=Ref(kind="purpose")), "default all but the transactional"),
    },
)
_CAP: Final = Record(
    name="cap",
    title="a cap",
    doc="At most so many sends to a contact in a time.",
    fields={
        "name": Field(WORD_NAME, "what records call it; default made from the numbers"),
        "at_most": Field(Number(minimum=1, whole=True, examples=(3,)), "how many sends", required=True),
        "per": Field(Duration(examples=("7d",)), "in this time", required=True),
        "channels": Field(ListOf(item=Ref(kind="channel")), "default all"),
        "purposes": Field(ListOf(item=Ref(kind="purpose")), "default all but the transactional"),
    },
)
_PERSONALISING: Final = Record(
    name="personalising",
    title="personalising",
    doc="Values of the profile, scores and history leave in commands only with consent.",
    fields={
        "needs": Field(
            Ref(kind="purpose"), "the purpose that the contact must have agreed to", required=True
        ),
        "channels": Field(ListOf(item=Ref(kind="channel")), "commands of these channels; default all"),
    },
)
_POLICIES: Final = Record(
    name="policies",
    title="policies",
    fields={
        "quiet_hours": Field(OneOrMany(item=_QUIET_HOURS), "when nothing is sent"),
        "blackouts": Field(OneOrMany(item=_BLACKOUT), "days on which nothing is sent"),
        "caps": Field(OneOrMany(item=_CAP), "how much is sent at most"),
        "pacing": Field(
            OneOrMany(item=PACING), "how many sends go out in a period, to all contacts together"
        ),
        "breaker": Field(BREAKER, "of every program that says nothing else"),
        "dormant": Field(OneOrMany(item=DORMANT), "how much is sent at most to who has been silent for long"),
        "budgets": Field(OneOrMany(item=BUDGETS), "what sends may cost, or how many there may be, in all"),
        "arbitration": Field(OneOrMany(item=ARBITRATION), "which of several programs is to send"),
        "holdout": Field(Number(minimum=0, maximum=100), "percent of contacts that no program treats"),
        "personalising": Field(_PERSONALISING, "the consent without which no profile value leaves"),
        "forget_after": Field(
            Duration(examples=("1095d",)), "whoever nothing came of for so long is forgotten; default never"
        ),
        "erased": Field(
            Choice(options=("refuse", "anew")),
            "what becomes of later events of an erased contact: refused, the default, or it begins anew",
        ),
        "salt": Field(Text(), "keys the hash behind holdouts and splits; default the topology's name"),
    },
)

_RETENTION: Final = Record(
    name="retention",
    title="retention",
    doc="How long records are kept, and so the latest that an erased contact is gone from them.",
    fields={
        "events": Field(Duration(examples=("30d",)), "events, clock and internal messages; default 30d"),
        "commands": Field(Duration(), "commands; default 7d"),
        "decisions": Field(Duration(), "decisions; default 90d"),
        "dead_letters": Field(Duration(), "refused records; default 30d"),
    },
)
_TOPIC_NAME: Final = Name(
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    what="a name of letters, digits, ., _ and -",
    examples=("shop-events",),
)
_TOPICS: Final = Record(
    name="topics",
    title="topics",
    doc="Where events come from and what is decided goes, on Kafka.",
    fields={
        "events": Field(
            OneOrMany(item=_TOPIC_NAME), "the topics of events, with partitions alike; default events"
        ),
        "prefix": Field(_TOPIC_NAME, "stands before the name of every topic; default nothing"),
        "partitions": Field(
            Number(minimum=1, maximum=PARTITIONS_MAX, whole=True),
            f"of each topic; default {PARTITIONS}; cannot be changed once there are contacts",
        ),
        "retention": Field(_RETENTION, "how long records are kept"),
    },
)

TOPOLOGY: Final = Record(
    name="topology",
    title="the topology",
    doc="A deployable set: events, scores, segments, channels and policies. Programs are files beside it.",
    fields={
        "topology": Field(Name(pattern=NAME, examples=("shop",)), "its name", required=True),
        "description": Field(Text(), "for readers"),
        "timezone": Field(Zone(), "of contacts without a zone; default UTC"),
        "currency": Field(
            Name(pattern=r"[A-Z]{3}", what="three capital letters", examples=("EUR",)),
            "of the costs of channels and the values of goals; nothing is converted",
        ),
        "events": Field(
            _EVENTS, "event types and the types of their properties; a ? allows one to be missing"
        ),
        "profile": Field(
            MapOf(key=IDENTIFIER, value=_PROPERTY_TYPE, what="attributes"), "attributes of a contact"
        ),
        "purposes": Field(
            MapOf(key=WORD_NAME, value=_PURPOSE, what="purposes"), "default marketing, with consent"
        ),
        "channels": Field(MapOf(key=WORD_NAME, value=_CHANNEL, what="channels"), "what carries out commands"),
        "teams": Field(MapOf(key=WORD_NAME, value=_TEAM, what="teams"), "people that contacts are routed to"),
        "test_list": Field(
            Either(text=Ref(kind="list", examples=("staff",)), other=_TEST_LIST),
            "contacts who walk programs in minutes, and count nowhere",
        ),
        "lists": Field(ListOf(item=WORD_NAME), "lists that contacts join and leave"),
        "relations": Field(
            MapOf(key=IDENTIFIER, value=_RELATION, what="relations"),
            "what belongs to a contact and comes in several",
        ),
        "scores": Field(MapOf(key=WORD_NAME, value=SCORE, what="score models"), "score models"),
        "segments": Field(
            MapOf(key=WORD_NAME, value=Either(text=CONDITION, other=_SEGMENT), what="segments"),
            "groups of contacts by condition",
        ),
        "policies": Field(_POLICIES, "quiet hours, blackouts, caps and holdout"),
        "topics": Field(_TOPICS, "topics on Kafka; files need none"),
    },
)
