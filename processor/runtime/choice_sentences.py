"""Sentences about what was chosen for a contact: variants of splits, offers."""

from __future__ import annotations

from collections.abc import Callable

from processor.runtime.moments import Moment

__all__ = ["offered", "split"]


def split(moment: Moment, show: Callable[[int], str]) -> str:
    """The variant, and how it was dealt where shares move."""
    said = f"{moment.step}: the variant is {moment.reason}"
    dealt = moment.detail.get("dealt")
    if dealt == "even":
        return f"{said}, dealt evenly: there are too few results yet"
    if dealt is None:
        return said
    results = ", ".join(
        f"{variant} {hits} of {count}" for variant, (count, hits) in moment.detail.get("results", {}).items()
    )
    if dealt == "trial":
        return f"{said}, dealt evenly, as some go on trying all of them ({results})"
    share = moment.detail.get("shares", {}).get(moment.reason, 0.0)
    return f"{said}, which now gets {share:g}% by what each has brought ({results})"


def offered(moment: Moment, show: Callable[[int], str]) -> str:
    """The offer, and what the others were worth or why they did not fit."""
    detail = moment.detail
    others = [f"{name} {value:g}" for name, value in detail.get("others", {}).items()]
    others += [
        f"{name} was had before" if why == "had" else f"{name} does not fit"
        for name, why in detail.get("passed_over", {}).items()
    ]
    rest = f" ({', '.join(others)})" if others else ""
    return f"{moment.step}: the offer is {moment.reason}, worth {detail.get('value', 0):g}{rest}"
