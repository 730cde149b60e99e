"""What a report says, as rows of tables. Renderers show these; so do JSON and Parquet, under the same names.

Rates, shares and intervals are fractions from 0 to 1; money is in the topology's currency. A field that ends
in ``_ms`` is an instant (ms since 1970 UTC), one in ``_s`` a duration in seconds. None says that there is
nothing to say: no interval of two contacts, no return without a cost. ``doc`` says what a column holds;
docs/guide/reports.md has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "FORMAT", "TABLES", "ActivityRow", "ChannelRow", "CurveRow", "EndingRow", "GradeRow", "HoldoutRow",
    "MoneyRow", "NotEnteredRow", "ProgramRow", "Report", "StepRow", "SuppressedRow", "VariantRow",
]  # fmt: skip

FORMAT: Final = 1  # of the shape that JSON and Parquet have; counted up when a name or a meaning changes


def _of(doc: str) -> Any:
    return field(metadata={"doc": doc})


@dataclass(frozen=True)
class ProgramRow:
    """A program: who came in, and how they ended."""

    program: str = _of("its name")
    versions: str = _of("versions that enrollments began in, such as `1, 2`")
    purpose: str = _of("what its sends need consent for")
    goal: str = _of("what it is for, in words; empty where it has no goal")
    goal_within_s: float | None = _of("how long after entry the goal counts")
    contacts: int = _of("contacts that came in, those held out among them")
    entered: int = _of("enrollments that began and were treated")
    holdout: int = _of("enrollments that began and were held out")
    open: int = _of("of those entered: nothing has ended them yet")
    goals: int = _of("of those entered: reached the goal")
    rate: float | None = _of("goals / entered")
    rate_low: float | None = _of("interval of it")
    rate_high: float | None = _of("")
    expected: float | None = _of(
        "share that reaches the goal by the end of its window, the open ones taken in (curve)"
    )
    quarter_s: float | None = _of("time after entry in which a quarter of those who get there have got there")
    median_s: float | None = _of("a half")
    three_quarters_s: float | None = _of("three quarters")
    completed: int = _of("of those entered: ran the last step and did not reach the goal (yet)")
    exited: int = _of("of those entered: left before")
    not_entered: int = _of("entries that a rule refused")
    commands: int = _of("commands given to its enrollments")
    suppressed: int = _of("sends that a policy did not let out")


@dataclass(frozen=True)
class StepRow:
    """A step of a program: what became of enrollments there, each counted once."""

    program: str = _of("the program")
    step: str = _of("the step's id, in the order of the program")
    kind: str = _of("the step's kind; empty where the topology no longer has the step")
    title: str = _of("what drawings call it")
    reached: int = _of("enrollments that came to it")
    share: float = _of("of those entered")
    sent: int = _of("enrollments for which it gave a command")
    suppressed: int = _of("enrollments for which a policy let nothing out")
    held: int = _of("enrollments that a policy made wait here")
    heard: int = _of("enrollments for which came what it waits for")
    timed_out: int = _of("enrollments for which it did not come in time")


@dataclass(frozen=True)
class EndingRow:
    """How enrollments of a program stand or ended, those held out apart."""

    program: str = _of("the program")
    arm: str = _of("`treated` or `holdout`")
    ending: str = _of(
        "`goal`, `exited`, `completed`, `window_closed` (the goal did not come in time) or `open`"
    )
    reason: str = _of("why it exited, else empty")
    enrollments: int = _of("how many")


@dataclass(frozen=True)
class NotEnteredRow:
    """Entries that a rule refused."""

    program: str = _of("the program")
    reason: str = _of("the rule")
    entries: int = _of("how often")


@dataclass(frozen=True)
class CurveRow:
    """A point of the share that has reached the goal, over the time since entry; it holds until the next."""

    program: str = _of("the program")
    arm: str = _of("`treated` or `holdout`")
    after_s: float = _of("time since entry")
    share: float = _of(
        "share that has reached the goal by then (Aalen-Johansen; Kaplan-Meier where nobody exits)"
    )
    share_low: float = _of("interval of it")
    share_high: float = _of("")
    at_risk: int = _of("enrollments still inside just before")


@dataclass(frozen=True)
class VariantRow:
    """A variant of a split, compared with the split's first variant."""

    program: str = _of("the program")
    split: str = _of("the split's step id")
    variant: str = _of("the variant, in the order of the program")
    base: bool = _of("whether the others are compared with this one")
    enrollments: int = _of("that got it")
    goals: int = _of("of them")
    rate: float = _of("goals / enrollments")
    rate_low: float = _of("interval of it (Wilson)")
    rate_high: float = _of("")
    difference: float | None = _of("rate less that of the base")
    difference_low: float | None = _of("interval of it (Newcombe)")
    difference_high: float | None = _of("")
    p: float | None = _of("two-sided p-value of no difference")
    p_adjusted: float | None = _of("the same, adjusted for several variants (Holm)")
    detectable: float | None = _of("smallest difference that this many find in four cases of five")
    verdict: str = _of("`base`, `too_small`, `no_difference`, `better` or `worse`; empty without a goal")
    commands: int = _of("given to these enrollments")
    cost: float = _of("of those commands")
    value: float = _of("of the goals")
    value_each: float = _of("value / enrollments")
    chosen: int = _of("that got it besides, by what each variant had brought: not in `enrollments`")
    share: float | None = _of("share it gets now, of a split by best performer")


@dataclass(frozen=True)
class HoldoutRow:
    """What a program brings: those it treats, compared with those held out."""

    program: str = _of("the program")
    holdout: str = _of("`program`: held out of it alone; `global`: held out of all programs")
    treated: int = _of("enrollments")
    treated_goals: int = _of("of them")
    treated_rate: float = _of("goals / enrollments")
    treated_low: float = _of("interval of it (Wilson)")
    treated_high: float = _of("")
    held_out: int = _of("enrollments")
    held_out_goals: int = _of("of them")
    held_out_rate: float = _of("goals / enrollments")
    held_out_low: float = _of("interval of it (Wilson)")
    held_out_high: float = _of("")
    lift: float = _of("difference of the rates")
    lift_low: float = _of("interval of it (Newcombe)")
    lift_high: float = _of("")
    relative: float | None = _of("ratio of the rates less 1; none where a rate is 0")
    relative_low: float | None = _of("interval of it (log scale)")
    relative_high: float | None = _of("")
    p: float = _of("two-sided p-value of no difference")
    detectable: float | None = _of("smallest lift that this many find in four cases of five")
    extra_goals: float = _of("lift * treated: goals that would not have come")
    extra_goals_low: float = _of("interval of it")
    extra_goals_high: float = _of("")
    verdict: str = _of("`too_small`, `no_difference`, `better` or `worse`")


@dataclass(frozen=True)
class MoneyRow:
    """What a program costs, and what its goals are worth."""

    program: str = _of("the program")
    commands: int = _of("given to its enrollments")
    cost: float = _of("of them: their channels' `cost`, and their own")
    goals: int = _of("goals with a value")
    value: float = _of("of the goals of those treated, by the goal's `value`")
    value_each: float | None = _of("value / enrollments treated")
    held_out_value_each: float | None = _of("the same of those held out; none without a holdout")
    extra_value: float | None = _of("(difference of the two) * enrollments treated: what would not have come")
    extra_value_low: float | None = _of("interval of it")
    extra_value_high: float | None = _of("")
    extra_profit: float | None = _of("extra_value less cost")
    extra_return: float | None = _of("extra_value / cost")
    verdict: str = _of(
        "of the extra value: `no_value`, `no_holdout`, `too_small`, `no_difference`, `better` or `worse`"
    )


@dataclass(frozen=True)
class ChannelRow:
    """Commands by channel."""

    program: str = _of("the program")
    channel: str = _of("the channel")
    commands: int = _of("given to enrollments of the program")
    cost_each: float = _of("what one costs")
    cost: float = _of("of all")


@dataclass(frozen=True)
class SuppressedRow:
    """Sends that a policy did not let out."""

    program: str = _of("the program")
    channel: str = _of("the channel")
    reason: str = _of("the rule, such as `no_consent` or `cap:weekly`")
    sends: int = _of("how many")


@dataclass(frozen=True)
class ActivityRow:
    """What happened in a stretch of time. Stretches in which nothing did are there with 0."""

    at_ms: int = _of("when the stretch begins; its length is the report's `bin`")
    what: str = _of("`entered`, `goal`, `sent` or `suppressed`")
    name: str = _of("the channel of `sent`, the rule of `suppressed`, else empty")
    count: int = _of("how many")


@dataclass(frozen=True)
class GradeRow:
    """Contacts by grade at the end of a stretch of time."""

    at_ms: int = _of("when the stretch begins")
    score: str = _of("the score model")
    grade: str = _of("the grade, from the lowest; empty where a score has none")
    contacts: int = _of("at the end of the stretch")


TABLES: Final[dict[str, type]] = {
    "programs": ProgramRow,
    "steps": StepRow,
    "endings": EndingRow,
    "not_entered": NotEnteredRow,
    "curves": CurveRow,
    "variants": VariantRow,
    "holdouts": HoldoutRow,
    "money": MoneyRow,
    "channels": ChannelRow,
    "suppressed": SuppressedRow,
    "activity": ActivityRow,
    "grades": GradeRow,
}
"""Name of a table -> what its rows are. The names are fields of :class:`Report`."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report: what it is about, and its tables (:data:`TABLES`)."""

    topology: str = _of("name of the topology")
    currency: str = _of("of all money; empty where the topology names none")
    timezone: str = _of("of days, weeks and months")
    from_ms: int | None = _of(
        "enrollments that began before, and sends before, are not in it; none: from the first on"
    )
    to_ms: int | None = _of("how things stood then; none: at the last decision")
    first_ms: int | None = _of("the first decision read")
    last_ms: int | None = _of("the last decision read")
    decisions: int = _of("decisions read")
    unreadable: int = _of("records that were none")
    contacts: int = _of(
        "contacts about whom something was decided, those that became another not counted twice"
    )
    enrollments: int = _of("that began, those held out among them")
    began_before: int = _of("enrollments that began before the record, or before the time looked at")
    bin: str = _of("the stretches of time: `hour`, `day`, `week`, `month` or `year`")
    programs: tuple[ProgramRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    endings: tuple[EndingRow, ...] = ()
    not_entered: tuple[NotEnteredRow, ...] = ()
    curves: tuple[CurveRow, ...] = ()
    variants: tuple[VariantRow, ...] = ()
    holdouts: tuple[HoldoutRow, ...] = ()
    money: tuple[MoneyRow, ...] = ()
    channels: tuple[ChannelRow, ...] = ()
    suppressed: tuple[SuppressedRow, ...] = ()
    activity: tuple[ActivityRow, ...] = ()
    grades: tuple[GradeRow, ...] = ()
