"""``split``: variants by fixed shares, or by what each has brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.core.best import Best, deal
from processor.core.enrollments import look_at
from processor.core.ids import share_of
from processor.core.model import Node
from processor.core.recording import record

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Split"]


@dataclass(frozen=True, kw_only=True)
class Split(Node):
    """An A/B/n split: (variant, share in percent, first step). The choice is kept in the enrollment.

    With ``best`` shares move to the best variant, and those of the branches do not count.
    """

    branches: tuple[tuple[str, float, str | None], ...]
    best: Best | None = None

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "split"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Choose by the hash of the enrollment, or as chosen before."""
        chosen = enrollment.variants.get(self.id) if enrollment.variants else None
        detail: dict[str, Any] | None = None
        if chosen is None:
            chosen, detail = self._choose(turn, enrollment)
            if enrollment.variants is None:
                enrollment.variants = {}
            enrollment.variants[self.id] = chosen
            look_at(turn, enrollment, track)
        record(turn, "split", enrollment, self.id, chosen, detail)
        for variant, _, target in self.branches:
            if variant == chosen:
                return target
        return self.next  # the variant was taken out of the program while the contact was inside

    def _choose(self, turn: Turn, enrollment: Enrollment) -> tuple[str, dict[str, Any] | None]:
        if self.best is not None:
            return deal(turn, self.best, enrollment)
        point = share_of(turn.topology.policies.salt, "split", enrollment.id, self.id)
        for variant, share, _ in self.branches:
            if point < share:
                return variant, None
            point -= share
        return self.branches[-1][0], None

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """A way out for each variant."""
        if self.best is not None:
            return tuple((variant, target) for variant, _, target in self.branches)
        return tuple((f"{variant} {share:g}%", target) for variant, share, target in self.branches)

    def title(self) -> str:
        """What a drawing writes in the box."""
        return self.kind if self.best is None else "split by best"
