"""What a topology declares about sending: purposes, channels, policies, teams; the model re-exports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

__all__ = [
    "Arbitration", "Blackout", "Breaker", "Budget", "Cap", "Channel", "Dormant", "Pacing", "Personalising",
    "Policies", "Purpose", "QuietHours", "Team",
]  # fmt: skip


@dataclass(frozen=True)
class Purpose:
    """What consent is for. A transactional purpose is free of it, and of caps, quiet hours and holdouts.

    ``confirm_ms`` is the time in which a consent has to be confirmed (0: it need not be); meanwhile only the
    templates in ``confirmations`` may be sent.
    """

    name: str
    consent: bool
    transactional: bool
    confirm_ms: int = 0
    confirmations: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pacing:
    """At most ``at_most`` sends in each period of ``per_ms``, over all contacts."""

    at_most: int
    per_ms: int


@dataclass(frozen=True)
class Channel:
    """``expires_ms``: how long after its decision a command may still be carried out."""

    name: str
    kind: str
    expires_ms: int
    address: str = ""  # the profile attribute that must be there for a send ("" for none)
    templates: tuple[str, ...] = ()
    cost: float = 0.0  # of one command, in the topology's currency
    failed_by: str = ""  # the event type by which the channel reports that it could not deliver
    pacing: Pacing | None = None
    cancels: bool = False  # it takes commands of kind cancel
    guards: bool = False  # its addresses can be suppressed
    suppressed_by: tuple[str, ...] = ()  # event types that do so
    one_copy_ms: int = (
        0  # two contacts with one address get one copy of a message in this time; 0: do not ask
    )


@dataclass(frozen=True)
class QuietHours:
    """A daily period (local minutes, may span midnight) without sends."""

    from_minutes: int
    to_minutes: int
    weekdays: frozenset[int] | None
    channels: frozenset[str]  # empty: all
    purposes: frozenset[str]  # empty: all but transactional


@dataclass(frozen=True)
class Blackout:
    """Days without sends: from ``begin`` to ``end``, dates or times as written. Zone None: the contact's."""

    name: str
    begin: str
    end: str
    zone: ZoneInfo | None
    channels: frozenset[str]  # empty: all
    purposes: frozenset[str]  # empty: all but transactional


@dataclass(frozen=True)
class Cap:
    """At most ``at_most`` sends per ``per_ms``."""

    name: str
    at_most: int
    per_ms: int
    channels: frozenset[str]  # empty: all
    purposes: frozenset[str]  # empty: all but transactional


@dataclass(frozen=True)
class Dormant:
    """At most ``at_most`` sends per ``per_ms`` (0: until there is life) to who is silent for ``inactive_ms``.

    ``activities``: the event types that are signs of life; none: any.
    """

    name: str
    inactive_ms: int
    activities: tuple[str, ...]
    at_most: int
    per_ms: int
    channels: frozenset[str]  # empty: all
    purposes: frozenset[str]  # empty: all but transactional


@dataclass(frozen=True)
class Breaker:
    """A program's circuit breaker: more than ``more_than`` commands in ``per_ms`` trip it (0: not by number).

    So do more than ``times_usual`` times the mean of the periods before (0: not by that), but no fewer than
    ``at_least``. It tells the channel ``alert``; what it holds is worth sending for ``hold_ms``.
    """

    per_ms: int
    alert: str
    more_than: int
    times_usual: float
    at_least: int
    hold_ms: int


@dataclass(frozen=True)
class Personalising:
    """Profile values leave in commands only with consent to the purpose ``needs``."""

    needs: str
    channels: frozenset[str]  # empty: all


@dataclass(frozen=True)
class Budget:
    """What sends may cost, or how many there may be, in each period, over all contacts and partitions.

    ``limit`` counts sends, or millionths of the currency where it is ``money``. ``per`` is a calendar period
    of ``zone``, or empty: once and for all.
    """

    name: str
    limit: int
    money: bool
    per: str
    zone: ZoneInfo
    channels: frozenset[str]  # empty: all
    purposes: frozenset[str]  # empty: all but transactional
    programs: frozenset[str]  # empty: all


@dataclass(frozen=True)
class Arbitration:
    """Programs that want to send to one contact within ``within_ms``: one of them does.

    It is the one of the highest value, or of the highest priority (``by_value`` false); with ``losers_wait``
    the others stand for the next choice.
    """

    name: str
    within_ms: int  # 0: those of one instant
    by_value: bool
    losers_wait: bool
    channels: frozenset[str]  # empty: all
    purposes: frozenset[str]  # empty: all but transactional


@dataclass(frozen=True)
class Policies:
    """The rules every send has to pass, and what a topology uses of them.

    ``competes``: there are budgets or arbitration; ``claims``: something can wait for units of a global
    quantity; ``ranks``: programs are in hierarchies.
    """

    quiet_hours: tuple[QuietHours, ...]
    caps: tuple[Cap, ...]
    holdout_share: float
    salt: str  # keys the hash behind holdouts and splits
    blackouts: tuple[Blackout, ...] = ()
    dormant: tuple[Dormant, ...] = ()
    personalising: Personalising | None = None
    forget_ms: int = 0  # after so long without an event a contact is forgotten; 0: never
    erased_anew: bool = False  # an erased id that comes again begins anew; else what it does is refused
    budgets: tuple[Budget, ...] = ()
    arbitration: tuple[Arbitration, ...] = ()
    competes: bool = False
    claims: bool = False
    ranks: bool = False


@dataclass(frozen=True)
class Team:
    """People a contact can be routed to, through a channel."""

    name: str
    channel: str
    members: tuple[str, ...]
    addresses: Mapping[str, dict[str, str]] = field(default_factory=dict)  # by member: email, phone, link
