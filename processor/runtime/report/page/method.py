"""What a page says about how its figures were reckoned."""

from __future__ import annotations

from typing import Final

__all__ = ["METHOD"]

METHOD: Final = {
    "Who counts": (
        "Enrollments that began in the time looked at, followed to its end. A goal counts from "
        "entry to the end of its window."
    ),
    "Rates": (
        "Wilson's score interval, at 95 percent like all intervals here. Where contacts come in "
        "more than once, intervals are wider: enrollments of one contact tell less than those of "
        "several (design effect)."
    ),
    "Variants": (
        "Newcombe's interval of the difference to the first variant; p by the chi-squared test "
        "with N - 1, or Fisher's where few are expected; for several variants adjusted by Holm's "
        "method."
    ),
    "Lift": (
        "Those treated less those held out, by the same methods. Chance decided who was held out,"
        " so a difference is the program's doing. Compared are those held out of the program "
        "alone where there are any, else those held out of all."
    ),
    "Time to goal": (
        "Cumulative incidence (Aalen and Johansen): those still inside count for as long as they "
        "were seen, those who left stay among those who did not get there."
    ),
    "Too few to say": (
        "On a side fewer than five goals, or five misses, are to be expected. Nothing is concluded from that."
    ),
    "Return": (
        "Value and cost of those treated; what would have come without the program is taken off "
        "where some are held out."
    ),
}
"""What is reckoned -> how, in a sentence or two; docs/guide/reports.md says more."""
