"""``split``: variants by fixed shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.core.enrollments import look_at, record
from processor.core.ids import share_of
from processor.core.model import Node

if TYPE_CHECKING:
    from processor.core.sections import Enrollment, Track
    from processor.core.turn import Turn

__all__ = ["Split"]


@dataclass(frozen=True, kw_only=True)
class Split(Node):
    """An A/B/n split: (variant, share in percent, first step). The choice is kept in the enrollment."""

    branches: tuple[tuple[str, float, str | None], ...]

    @property
    def kind(self) -> str:
        """The word for it in a program."""
        return "split"

    def enter(self, turn: Turn, enrollment: Enrollment, track: Track) -> str | None:
        """Choose by the hash of the enrollment, or as chosen before."""
        chosen = enrollment.variants.get(self.id) if enrollment.variants else None
        if chosen is None:
            point = share_of(turn.topology.policies.salt, "split", enrollment.id, self.id)
            chosen = self.branches[-1][0]
            for variant, share, _ in self.branches:
                if point < share:
                    chosen = variant
                    break
                point -= share
            if enrollment.variants is None:
                enrollment.variants = {}
            enrollment.variants[self.id] = chosen
            look_at(turn, enrollment, track)
        record(turn, "split", enrollment, self.id, chosen)
        for variant, _, target in self.branches:
            if variant == chosen:
                return target
        return self.next  # the variant was taken out of the program while the contact was inside

    def edges(self) -> tuple[tuple[str, str | None], ...]:
        """A way out for each variant."""
        return tuple((f"{variant} {share:g}%", target) for variant, share, target in self.branches)
