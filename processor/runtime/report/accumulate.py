"""One pass over decisions: what a report needs of them, and no more.

Decisions come in the order of their log within a contact, and in any order between contacts; so partitions
may be read one after the other. An enrollment may be met before it began (it moved to another partition with
a merged contact), so nothing is judged before the end.

Memory is bounded by enrollments and contacts, about 300 bytes for each enrollment and 200 for each contact,
and not by decisions: an enrollment is a row of columns, and whatever repeats (which steps it saw, what it was
sent, which variants it got) is the number of a state that all enrollments share.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from processor.core.outputs import Decision
from processor.core.turn import NEVER_MS
from processor.runtime.report.calendar import Slots

__all__ = [
    "BEGAN", "BY_BEST", "COMPLETED", "EXITED", "GOAL", "HELD_OUT", "HELD_OUT_OF_ALL", "OUTCOMES",
    "WINDOW_CLOSED", "Accumulator", "Columns", "States",
]  # fmt: skip

# Flags of an enrollment.
BEGAN, HELD_OUT, HELD_OUT_OF_ALL, GOAL, EXITED, COMPLETED, WINDOW_CLOSED = (1 << bit for bit in range(7))

# What can become of an enrollment at a step; each is a bit of the enrollment's mask, OUTCOMES bits a step.
OUTCOMES: Final = ("reached", "sent", "suppressed", "held", "heard", "timed_out")
_REACHED, _SENT, _SUPPRESSED, _HELD, _HEARD, _TIMED_OUT = (1 << bit for bit in range(len(OUTCOMES)))

# Behind the name of a variant that a split by best performer chose by what each had brought: only those that
# it dealt evenly can be compared with each other.
BY_BEST: Final = "\0best"


class States:
    """States that rows share: a tuple each, numbered from 0, the empty one."""

    def __init__(self) -> None:
        self.tuples: list[tuple[Any, ...]] = [()]
        self._numbers: dict[tuple[Any, ...], int] = {(): 0}
        self._moves: dict[tuple[int, Any], int] = {}

    def move(self, state: int, change: Any, after: Callable[[tuple[Any, ...], Any], tuple[Any, ...]]) -> int:
        """Return the state that ``change`` leads to; ``after`` says which, and is asked once."""
        found = self._moves.get((state, change))
        if found is None:
            made = after(self.tuples[state], change)
            found = self._numbers.setdefault(made, len(self.tuples))
            if found == len(self.tuples):
                self.tuples.append(made)
            self._moves[state, change] = found
        return found


def _counted(before: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    """(name, count) pairs with one more of a name."""
    counts = dict(before)
    counts[name] = counts.get(name, 0) + 1
    return tuple(sorted(counts.items()))


def _assigned(before: tuple[Any, ...], pair: tuple[Any, Any]) -> tuple[Any, ...]:
    """(key, value) pairs with one set. The first value of a split is kept, as an enrollment does."""
    return before if pair[0] in dict(before) else (*before, pair)


def _replaced(before: tuple[Any, ...], pair: tuple[Any, Any]) -> tuple[Any, ...]:
    return tuple(sorted({**dict(before), pair[0]: pair[1]}.items()))


class Columns:
    """Enrollments, a row each; the same place in every column."""

    def __init__(self) -> None:
        self.flags = array("B")
        self.program = array("H")
        self.contact = array("I")
        self.began_ms = array("q")
        self.ended_ms = array("q")
        self.value = array("d")  # NaN: the goal has none
        self.cost = array("d")  # of sends, beside their channels' cost
        self.reason: list[str] = []  # of the exit
        self.steps: list[int] = []  # mask: OUTCOMES bits for each step, by its number in the program
        self.sent = array("I")  # state of Accumulator.sent
        self.variants = array("I")  # state of Accumulator.variants

    def __len__(self) -> int:
        return len(self.flags)

    def new(self, program: int, contact: int) -> int:
        """Add a row; return its place."""
        self.flags.append(0)
        self.program.append(program)
        self.contact.append(contact)
        self.began_ms.append(0)
        self.ended_ms.append(0)
        self.value.append(math.nan)
        self.cost.append(0.0)
        self.reason.append("")
        self.steps.append(0)
        self.sent.append(0)
        self.variants.append(0)
        return len(self.flags) - 1


class Accumulator:
    """Takes decisions with :meth:`add`; :func:`processor.runtime.report.build.build` makes the report of it.

    ``from_ms`` and ``to_ms`` bound the time: what was decided at ``to_ms`` or later is as if it were not
    there. Decisions before ``from_ms`` are looked at, since grades have a past; enrollments that began then
    do not count. ``programs`` are the only ones to look at, where it is given.

    Attributes, besides the columns and their states: ``shares`` are the latest of splits by best performer,
    with their instant, by (program, step); ``by_slot`` has counts over time, (kind, name) -> slot
    -> count, of the kinds entered, goal, sent and suppressed; ``suppressed`` is by (program, channel,
    reason), ``refused`` by (program, reason); ``grade_moves`` is (score, grade) -> slot -> contacts that came
    less those that went, in which the grade None is that of contacts never scored; ``contacts_by_slot`` is
    contacts that appeared, less those that became another.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        *,
        from_ms: int = 0,
        to_ms: int = NEVER_MS,
        programs: Collection[str] | None = None,
    ) -> None:
        self.from_ms, self.to_ms = from_ms, to_ms
        self.slots = Slots(zone)
        self.columns = Columns()
        self.sent, self.variants, self.grades = States(), States(), States()
        self.shares: dict[tuple[str, str], tuple[int, Mapping[str, float]]] = {}
        self.programs: dict[str, int] = {}
        self.versions: dict[str, set[int]] = {}
        self.steps: list[dict[str, int]] = []  # of each program: step -> its number
        self.contacts = 0
        self.decisions = 0
        self.first_ms, self.last_ms = NEVER_MS, 0
        self.by_slot: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        self.suppressed: Counter[tuple[str, str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.grade_moves: defaultdict[tuple[str, str | None], Counter[int]] = defaultdict(Counter)
        self.contacts_by_slot: Counter[int] = Counter()
        self._only = None if programs is None else frozenset(programs)
        self._contacts: dict[str, int] = {}
        self._grade_of = array("I")
        self._enrollments: dict[str, int] = {}
        self._tests: set[str] = set()  # enrollments of contacts on the test list
        self._masks: dict[int, int] = {}
        self._takes: Mapping[str, Callable[[Decision, int, int], None]] = {
            "entered": self._entered,
            "holdout": self._holdout,
            "goal": self._goal,
            "exited": self._exited,
            "completed": self._completed,
            "observed_out": self._observed_out,
            "split": self._split,
            "commanded": self._commanded,
            "suppressed": self._suppressed,
            "stepped": self._stepped,
            "offered": self._stepped,
            "waiting": self._stepped,
            "held": self._held,
            "heard": self._heard,
            "timed_out": self._timed_out,
        }

    def add(self, decision: Decision) -> None:
        """Take one decision."""
        at_ms = decision.at_ms
        if at_ms >= self.to_ms:
            return
        self.decisions += 1
        self.last_ms = max(self.last_ms, at_ms)
        self.first_ms = min(self.first_ms, at_ms)
        if not decision.contact_id:
            return  # about a program
        slot = self.slots.of(at_ms)
        contact = self._contacts.get(decision.contact_id)
        if contact is None:
            contact = self._contacts[decision.contact_id] = len(self._contacts)
            self._grade_of.append(0)
            self.contacts_by_slot[slot] += 1
        kind = decision.kind
        program = decision.program
        if not program:
            if kind == "graded":
                self._graded(decision, contact, slot)
            elif kind in {"merged", "erased", "forgotten"}:
                self._merged(decision, contact, slot)
        elif self.looks_at(program):
            self._about_program(decision, contact, slot)

    def _about_program(self, decision: Decision, contact: int, slot: int) -> None:
        program = decision.program
        if decision.kind == "not_entered":
            if decision.at_ms >= self.from_ms:
                self.refused[program, decision.reason] += 1
            return
        take = self._takes.get(decision.kind)
        if take is None or not decision.enrollment:
            return
        if decision.detail and decision.detail.get("test") is True and decision.kind == "entered":
            self._tests.add(decision.enrollment)
        if decision.enrollment in self._tests:
            return
        place = self._enrollments.get(decision.enrollment)
        if place is None:
            place = self.columns.new(self._program(program), contact)
            self._enrollments[decision.enrollment] = place
        self.versions.setdefault(program, set()).add(decision.version)
        take(decision, place, slot)

    def looks_at(self, program: str) -> bool:
        """Whether a program is one of those to look at."""
        return self._only is None or program in self._only

    def _program(self, name: str) -> int:
        number = self.programs.setdefault(name, len(self.programs))
        if number == len(self.steps):
            self.steps.append({})
        return number

    # ------------------------------------------------------------------------------------------ enrollments

    def _begin(self, decision: Decision, place: int, slot: int, flags: int) -> None:
        columns = self.columns
        columns.flags[place] |= BEGAN | flags
        columns.began_ms[place] = decision.at_ms
        columns.contact[place] = self._contacts[decision.contact_id]
        if decision.at_ms >= self.from_ms:
            self.by_slot["entered", ""][slot] += 1

    def _entered(self, decision: Decision, place: int, slot: int) -> None:
        self._begin(decision, place, slot, 0)

    def _holdout(self, decision: Decision, place: int, slot: int) -> None:
        self._begin(decision, place, slot, HELD_OUT_OF_ALL if decision.reason == "global" else HELD_OUT)

    def _goal(self, decision: Decision, place: int, slot: int) -> None:
        columns = self.columns
        columns.flags[place] |= GOAL
        columns.ended_ms[place] = decision.at_ms
        worth = (decision.detail or {}).get("value")
        if isinstance(worth, int | float):
            columns.value[place] = worth
        if decision.at_ms >= self.from_ms:
            self.by_slot["goal", ""][slot] += 1

    def _exited(self, decision: Decision, place: int, slot: int) -> None:
        columns = self.columns
        columns.flags[place] |= EXITED
        columns.ended_ms[place] = decision.at_ms
        columns.reason[place] = decision.reason

    def _completed(self, decision: Decision, place: int, slot: int) -> None:
        self.columns.flags[place] |= COMPLETED
        self.columns.ended_ms[place] = max(self.columns.ended_ms[place], decision.at_ms)

    def _observed_out(self, decision: Decision, place: int, slot: int) -> None:
        self.columns.flags[place] |= WINDOW_CLOSED
        self.columns.ended_ms[place] = decision.at_ms

    # ------------------------------------------------------------------------------------------------ steps

    def _mark(self, decision: Decision, place: int, outcomes: int) -> None:
        steps = self.steps[self.columns.program[place]]
        number = steps.setdefault(decision.step, len(steps))
        mask = self.columns.steps[place] | (outcomes << number * len(OUTCOMES))
        self.columns.steps[place] = self._masks.setdefault(mask, mask)

    def _stepped(self, decision: Decision, place: int, slot: int) -> None:
        self._mark(decision, place, _REACHED)

    def _held(self, decision: Decision, place: int, slot: int) -> None:
        self._mark(decision, place, _REACHED | _HELD)

    def _heard(self, decision: Decision, place: int, slot: int) -> None:
        self._mark(decision, place, _REACHED | _HEARD)

    def _timed_out(self, decision: Decision, place: int, slot: int) -> None:
        self._mark(decision, place, _REACHED | _TIMED_OUT)

    def _split(self, decision: Decision, place: int, slot: int) -> None:
        self._mark(decision, place, _REACHED)
        variants = self.columns.variants
        chosen = decision.reason
        detail = decision.detail
        if detail and "dealt" in detail:
            chosen += BY_BEST if detail["dealt"] == "best" else ""
            known = self.shares.get((decision.program, decision.step))
            if known is None or known[0] <= decision.at_ms:
                self.shares[decision.program, decision.step] = (decision.at_ms, detail.get("shares", {}))
        variants[place] = self.variants.move(variants[place], (decision.step, chosen), _assigned)

    def _commanded(self, decision: Decision, place: int, slot: int) -> None:
        self._mark(decision, place, _REACHED | _SENT)
        detail = decision.detail or {}
        channel = str(detail.get("channel", ""))
        if "cost" in detail:
            self.columns.cost[place] += float(detail["cost"])
        sent = self.columns.sent
        sent[place] = self.sent.move(sent[place], channel, _counted)
        if decision.at_ms >= self.from_ms:
            self.by_slot["sent", channel][slot] += 1

    def _suppressed(self, decision: Decision, place: int, slot: int) -> None:
        self._mark(decision, place, _REACHED | _SUPPRESSED)
        if decision.at_ms >= self.from_ms:
            channel = str((decision.detail or {}).get("channel", ""))
            self.suppressed[decision.program, channel, decision.reason] += 1
            self.by_slot["suppressed", decision.reason][slot] += 1

    # ----------------------------------------------------------------------------------------------- grades

    def _graded(self, decision: Decision, contact: int, slot: int) -> None:
        detail = decision.detail or {}
        score, grade = str(detail.get("score", "")), str(detail.get("to") or "")
        before = dict(self.grades.tuples[self._grade_of[contact]]).get(score)
        self.grade_moves[score, before][slot] -= 1
        self.grade_moves[score, grade][slot] += 1
        self._grade_of[contact] = self.grades.move(self._grade_of[contact], (score, grade), _replaced)

    def _merged(self, decision: Decision, contact: int, slot: int) -> None:
        """A contact that became another, or was erased, is none any more, and its grades go."""
        if decision.reason in {"arrived", "alias"}:  # an alias was counted out when its contact departed
            return
        self.contacts_by_slot[slot] -= 1
        for score, grade in self.grades.tuples[self._grade_of[contact]]:
            self.grade_moves[score, grade][slot] -= 1
            self.grade_moves[score, None][slot] += 1
