"""``offer``: of several offers the best that fits this contact, and that it has not had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from processor.core.enrollments import look_at
from processor.core.model import Fn, Node
from processor.core.named import Series as Remembered
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["OFFERS_MAX", "Choice", "Offer"]

OFFERS_MAX: Final = 50  # of a step; the row remembers each that a contact has had


@dataclass(frozen=True)
class Choice:
    """An offer: what it is worth, whom it fits (None: all), and where the track goes with it.

    One that was had fits again ``again_ms`` later; -1: never.
    """

    name: str
    value: Fn
    when: Fn | None
    again_ms: int
    target: str | None


@dataclass(frozen=True, kw_only=True)
class Offer(Node):
    """Choose the offer of the highest value, the first of equals. The choice is kept as a split's is.

    What was had is in the contact's history under ``name`` (empty: the program and the step), so it holds in
    later enrollments too, and after a merge. Without an offer that fits the track goes to ``otherwise``.
    """

    offers: tuple[Choice, ...]
    otherwise: str | None
    name: str

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "offer"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Choose, and remember that it was had."""
        best: Choice | None = None
        best_value = 0.0
        others: dict[str, float] = {}
        passed: dict[str, str] = {}
        for one in self.offers:
            had = turn.row.history.get(self._key(enrollment, one.name))
            if had is not None and (one.again_ms < 0 or turn.now_ms < had.last_ms + one.again_ms):
                passed[one.name] = "had"
            elif one.when is not None and not one.when(turn):
                passed[one.name] = "condition"
            else:
                found = one.value(turn)
                value = 0.0 if found is None else float(found)
                others[one.name] = value
                if best is None or value > best_value:
                    best, best_value = one, value
        if best is None:
            record(turn, "stepped", enrollment, self.id, "nothing_to_offer", {"passed_over": passed})
            return self.otherwise
        del others[best.name]
        detail: dict[str, Any] = {"value": best_value}
        if others:
            detail["others"] = others
        if passed:
            detail["passed_over"] = passed
        record(turn, "offered", enrollment, self.id, best.name, detail)
        self._remember(turn, enrollment, best.name)
        if enrollment.variants is None:
            enrollment.variants = {}
        enrollment.variants[self.id] = best.name
        look_at(turn, enrollment, track)
        return best.target

    def _key(self, enrollment: Enrollment, offer: str) -> str:
        return f"offer:{self.name or f'{enrollment.program}/{self.id}'}/{offer}"

    def _remember(self, turn: Turn, enrollment: Enrollment, offer: str) -> None:
        history, now_ms = turn.row.history, turn.now_ms
        key = self._key(enrollment, offer)
        had = history.get(key)
        if had is None:
            history.put(key, Remembered(1, now_ms, now_ms))
        else:
            history.change(had)
            had.total += 1
            had.last_ms = max(had.last_ms, now_ms)

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """A way out for each offer, and one for none."""
        return (*[(one.name, one.target) for one in self.offers], ("else", self.otherwise))

    def title(self) -> str:
        """What a drawing writes in the box."""
        return f"best of {len(self.offers)} offers"
