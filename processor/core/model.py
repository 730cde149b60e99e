"""A topology as the machine runs it: compiled, immutable, indexed by event type.

The language package builds these from YAML; nothing here knows about files. An event costs only what it
concerns because :attr:`Topology.reactions` holds, for each event type, exactly what can react to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from processor.core.decay import Inactivity
from processor.core.predicting import Predictor, Trigger
from processor.core.sections import Enrollment, Track
from processor.core.sending import (
    Arbitration,
    Blackout,
    Breaker,
    Budget,
    Cap,
    Channel,
    Dormant,
    Personalising,
    Policies,
    Purpose,
    QuietHours,
    Team,
)  # fmt: skip
from processor.core.time import Cron
from processor.core.topics import Topics

if TYPE_CHECKING:
    from processor.core.best import Best
    from processor.core.test_list import TestList
    from processor.core.turn import Turn

__all__ = [
    "Arbitration", "Audience", "Blackout", "Breaker", "Budget", "Cap", "Channel", "Dormant", "Entry",
    "Exit", "Expression", "Fn", "Goal", "Grade", "Node", "Personalising", "Policies", "Program",
    "Purpose", "QuietHours", "Reaction", "RelationSpec", "ScoreModel", "ScoreRule", "Segment",
    "SeriesSpec", "Team", "Topics", "Topology", "Uses",
]  # fmt: skip

Fn = Callable[["Turn"], Any]


@dataclass(frozen=True)
class Uses:
    """What an expression reads, so that the machine knows when to look again, and lint what to check."""

    event_props: frozenset[str] = frozenset()  # event.X
    entry_props: frozenset[str] = frozenset()  # entry.X (and event.X inside steps)
    answer_props: frozenset[str] = frozenset()  # answer.X
    attributes: frozenset[str] = frozenset()  # profile.X
    scores: frozenset[str] = frozenset()  # score.X, grade.X
    segments: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    consents: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()  # event types that count(), sum(), last()… look at
    series: tuple[SeriesSpec, ...] = ()
    relations: frozenset[str] = frozenset()
    by_time: bool = False  # the value can change by time alone
    score_bounds: tuple[tuple[str, float], ...] = ()  # (model, constant it is compared with)
    scores_free: frozenset[str] = frozenset()  # models that are compared with no constant


@dataclass(frozen=True)
class Expression:
    """A compiled expression: call ``fn(turn)``. ``type`` is one of the language's types."""

    text: str
    fn: Fn
    type: str
    uses: Uses


@dataclass(frozen=True)
class SeriesSpec:
    """A history the topology needs: occurrences of ``event`` that pass ``where``, with ``value`` beside them.

    ``key`` names it in the row, and is the same for equal definitions. ``window_ms`` is the longest window
    anything asks for (0: only totals, first and last are kept).
    """

    key: str
    event: str
    where: Fn | None
    value: str
    window_ms: int
    by_hour: bool = False  # counted by the hour of the contact's clock instead


@dataclass(frozen=True, kw_only=True)
class RelationSpec:
    """What an event does to a relation: an item with ``fields`` under ``key`` (None: one of its own).

    ``each`` is the list property whose elements become an item each ("": the event is one item). ``anew``:
    what was kept before goes. ``drops``: the item of that key is taken away, all of them without a key.
    """

    name: str
    event: str
    when: Fn | None = None
    key: Fn | None = None
    fields: tuple[tuple[str, Fn], ...] = ()
    keep: int = 0
    each: str = ""
    anew: bool = False
    drops: bool = False


@dataclass(frozen=True)
class ScoreRule:
    """Points for an event. ``cap_points`` or ``cap_times`` per ``cap_ms`` bound it (0: unbounded)."""

    name: str
    model: str
    when: Fn | None
    add: float
    add_fn: Fn | None
    cap_points: float
    cap_times: int
    cap_ms: int


@dataclass(frozen=True)
class Grade:
    """A grade begins when the score reaches ``at`` and is lost below ``until`` (hysteresis)."""

    name: str
    at: float
    until: float


@dataclass(frozen=True)
class ScoreModel:
    """A score model.

    ``thresholds`` ascend: the values whose crossing upward starts something. ``bounds``: every constant that
    an expression compares the score with, and the grades' limits; ``compared_freely``: something compares it
    with what is no constant.
    """

    name: str
    half_life_ms: int
    minimum: float
    maximum: float
    grades: tuple[Grade, ...]
    thresholds: tuple[float, ...]
    rules: tuple[ScoreRule, ...] = ()
    bounds: tuple[float, ...] = ()
    compared_freely: bool = False
    inactive: Inactivity | None = None
    predictor: Predictor | None = None  # of a score that a model gives in place of rules
    needs: str = ""  # the purpose without consent to which no score is kept


@dataclass(frozen=True)
class Segment:
    """A segment: whoever the condition holds for."""

    name: str
    when: Expression
    needs: str = ""  # the purpose without consent to which nobody is in it


@dataclass(frozen=True)
class Audience:
    """Who may enter: everyone who passes ``only`` and does not pass ``never``."""

    only: Fn | None
    never: Fn | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One way into a program, by ``kind``: event, segment, score, grade, date, inactive, schedule, hand, ...

    ``event`` is the (real or derived) event type that triggers it; date and inactive entries are timers of
    the contact, schedule entries are sweeps.
    """

    id: str
    kind: str
    program: str
    event: str = ""
    when: Fn | None = None
    key: Fn | None = None
    match: tuple[tuple[str, Any], ...] = ()  # properties of the derived event that must be equal
    attribute: str = ""  # date: the profile attribute
    offset_days: int = 0  # date: whole local days before (negative) or after
    at_minutes: int = 0  # date: local wall clock
    yearly: bool = False
    inactive_ms: int = 0
    activities: tuple[str, ...] = ()  # inactive: the event types that count as activity
    cron: Cron | None = None
    once_ms: int = 0  # schedule at a fixed instant
    zone: str = ""


@dataclass(frozen=True)
class Goal:
    """One of ``events`` that passes ``when``, or a ``condition``, within ``within_ms`` of entry."""

    events: tuple[str, ...]
    when: Fn | None
    condition: Fn | None
    within_ms: int
    value: Fn | None = None  # what reaching it is worth, in the topology's currency


@dataclass(frozen=True)
class Exit:
    """A way out: ``events`` with ``when``, or a ``condition`` looked at after any input, or ``after_ms``."""

    reason: str
    events: tuple[str, ...] = ()
    when: Fn | None = None
    condition: Fn | None = None
    after_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Node:
    """A compiled step. Subclasses live in :mod:`processor.core.nodes`, one file a kind.

    ``looped`` says that the step can run more than once in an enrollment, so its visits are counted;
    ``line`` is where it stands in its file.
    """

    id: str
    next: str | None = None
    looped: bool = False
    line: int = 0
    context: bool = False  # it tells a person of the latest events and points
    expressions: tuple[Expression, ...] = ()
    personal: frozenset[str] = frozenset()  # names of a command's values that say something of the contact

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        raise AssertionError("a step kind names itself")

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The track arrives here. Returns the id of the step to run next, or None when it stays or ends."""
        raise AssertionError(self.kind)

    def resume(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """The track's timer here is due. Returns as :meth:`enter` does."""
        raise AssertionError(self.kind)

    def listens(self) -> tuple[str, ...]:
        """Event types that can wake a track waiting here; ``*`` for any input."""
        return ()

    def hear(self, turn: Turn, enrollment: Enrollment, track: Track) -> tuple[bool, str | None]:
        """An event the step listens to has come: (whether it woke the track, the step to run next)."""
        raise AssertionError(self.kind)

    def gives(self, track: Track, *, due: bool) -> bool:
        """Whether the step would now give a command, entered or gone on with (``due``): brakes hold those."""
        return False

    def forgo(self, turn: Turn, enrollment: Enrollment, track: Track, *, resuming: bool) -> str | None:
        """A brake kept the command back for good. Returns as :meth:`enter` does."""
        return self.next

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """Every way out as (label, next step id or None for the end), for lint and drawings."""
        return (("", self.next),)

    def title(self) -> str:
        """What a drawing writes in the box."""
        return self.kind


@dataclass(frozen=True, kw_only=True)
class Program:
    """A compiled program. ``listeners`` maps an event type to the ids of steps that listen to it."""

    name: str
    version: int
    description: str
    purpose: str
    priority: int
    entries: tuple[Entry, ...]
    audience: Audience
    opens_ms: int  # 0: always
    closes_ms: int  # 0: never
    reenter_ms: int  # -1: never again; 0: whenever not inside; else at the earliest so long after the end
    entrants_max: int  # 0: unbounded; otherwise a global quantity, handed out by leases
    holdout_share: float  # percent
    goal: Goal | None
    exits: tuple[Exit, ...]
    nodes: dict[str, Node]
    first: str
    keeps: tuple[str, ...]  # properties of the entry event that an enrollment keeps
    answers: tuple[str, ...]  # properties of a wait_for's event that a track keeps
    listeners: dict[str, frozenset[str]]
    goal_events: frozenset[str]
    exit_events: dict[str, tuple[Exit, ...]]
    exit_conditions: tuple[Exit, ...]
    exit_after_ms: int  # 0: never
    keyed: bool
    ways_out: Mapping[str, str] = field(default_factory=dict)  # reason -> first of the steps on the way out
    bests: tuple[Best, ...] = ()  # of splits by best performer
    best_events: frozenset[str] = frozenset()  # that they count, where that is not the goal
    timed: frozenset[str] = frozenset()  # steps that later waits count from
    group: str = ""  # the hierarchy it is in, "" for none
    value: Fn | None = None  # what a send of it is worth, for those that compete; None: nothing
    rank: float = 0.0  # its place in the hierarchy: the higher goes before the lower
    breaker: Breaker | None = None
    file: str = ""


@dataclass(frozen=True)
class Reaction:
    """Everything that can react to one event type.

    ``programs``: names of programs in which a goal, an exit or a waiting step listens to it.
    """

    series: tuple[SeriesSpec, ...] = ()
    rules: tuple[ScoreRule, ...] = ()
    entries: tuple[Entry, ...] = ()
    match: str = ""  # a property that tells the entries apart, and them by its value
    by_match: dict[Any, tuple[Entry, ...]] | None = None
    programs: frozenset[str] = frozenset()
    relations: tuple[RelationSpec, ...] = ()
    activity: tuple[Entry, ...] = ()  # inactivity entries whose clock it sets
    suppresses: tuple[str, ...] = ()  # channels on which it suppresses the contact's address
    wakes: tuple[str, ...] = ()  # score models whose inactivity it ends
    predicts: tuple[Trigger, ...] = ()  # models that are evaluated at it


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A deployable set, compiled. ``digest`` is the hash of its sources."""

    name: str
    digest: str
    timezone: ZoneInfo
    zones: Callable[[Any], ZoneInfo | None]
    event_schemas: Mapping[str, Mapping[str, str]]  # event type -> property -> type ("?": optional)
    profile_schema: Mapping[str, str]
    programs: dict[str, Program]
    purposes: dict[str, Purpose]
    channels: dict[str, Channel]
    scores: dict[str, ScoreModel]
    segments: dict[str, Segment]  # in an order in which each comes after those it reads
    policies: Policies
    teams: dict[str, Team]
    topics: Topics
    reactions: dict[str, Reaction]
    always: Reaction  # for inputs of any type: what depends on conditions alone
    segments_by_series: dict[str, tuple[str, ...]]  # by the key of a history they read
    segments_by_score: dict[str, tuple[str, ...]]
    segments_by_attribute: dict[str, tuple[str, ...]]
    segments_by_relation: dict[str, tuple[str, ...]]
    segments_by_list: tuple[str, ...]
    segments_by_program: tuple[str, ...]
    segments_by_consent: tuple[str, ...]
    segments_by_segment: dict[str, tuple[str, ...]]  # those that read it through in_segment
    segment_order: dict[str, int]
    dates: tuple[Entry, ...]
    dates_by_attribute: dict[str, tuple[Entry, ...]]
    idle: tuple[Entry, ...]
    schedules: tuple[Entry, ...]
    dedupe: bool = True
    paced: bool = False  # some channel is
    breakers: dict[str, Breaker] = field(default_factory=dict)  # by program
    test_list: TestList | None = None
    context: bool = False  # a step tells a person the contact's latest events and points
    currency: str = ""  # of costs and of the values of goals; nothing is converted
    needs_consent: bool = False  # some score or segment needs a purpose
    checks: dict[str, Callable[[Mapping[str, Any]], str | None]] = field(
        default_factory=dict
    )  # of published events, by type

    def entry_named(self, program: str, entry: str) -> Entry | None:
        """An entry by program and id, or None where a later version has taken it out."""
        found = self.programs.get(program)
        if found is None:
            return None
        return next((candidate for candidate in found.entries if candidate.id == entry), None)

    def purpose_of(self, name: str) -> Purpose:
        """The purpose of that name; tasks and alerts of a program without one go without consent."""
        return self.purposes.get(name) or _NO_PURPOSE

    def zone_for(self, name: Any) -> ZoneInfo:
        """The zone of that name, or the topology's where the name is missing or unknown."""
        return (name and self.zones(name)) or self.timezone


_NO_PURPOSE = Purpose("", consent=False, transactional=False)
