"""Pieces that sections of a page are made of: tables, legends, chips, figures with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from processor.runtime.report.page.plots import Series
from processor.runtime.report.page.style import SERIES
from processor.runtime.report.page.svg import esc, tag
from processor.runtime.report.words import NOTHING, VERDICTS, percent

__all__ = ["Cell", "bar", "chip", "facts", "framed", "largest", "legend", "numbers", "section", "table"]

Cell = str  # markup: what comes from outside has been through esc()

_TONES = {"better": "good", "worse": "bad"}


def section(name: str, title: str, about: str, *inside: str) -> str:
    """A section of the page. ``name`` is where links lead; ``about`` a sentence below its title."""
    head = tag("h2", esc(title)) + (tag("p", esc(about), class_="soft") if about else "")
    return tag("section", head, *inside, id=name)


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    right: Iterable[int] = (),
    caption: str = "",
    wide: bool = True,
) -> str:
    """A table; cells are markup, heads are text, columns in ``right`` hold numbers."""
    numeric = frozenset(right)
    top = "".join(
        tag("th", esc(name), scope="col", class_="n" if place in numeric else None)
        for place, name in enumerate(head)
    )
    body = "".join(
        tag(
            "tr",
            *(tag("td", cell, class_="n" if place in numeric else None) for place, cell in enumerate(row)),
        )
        for row in rows
    )
    titled = tag("caption", esc(caption)) if caption else ""
    made = tag(
        "table", titled, tag("thead", tag("tr", top)), tag("tbody", body), class_="wide" if wide else None
    )
    return tag("div", made, class_="scroll")


def numbers(head: Sequence[str], rows: Iterable[Sequence[Cell]], right: Iterable[int]) -> str:
    """The numbers behind a plot, folded away."""
    return tag(
        "details", tag("summary", "The numbers"), table(head, rows, right=right, wide=False), class_="data"
    )


def framed(title: str, *inside: str) -> str:
    """A plot with its title and what belongs to it."""
    return tag("figure", tag("h4", esc(title)), *inside, style="margin:0")


def legend(names: Iterable[tuple[str, str]]) -> str:
    """What the colours of a plot mean: (name, class)."""
    items = [tag("li", tag("i", class_=colour), esc(name)) for name, colour in names]
    return tag("ul", *items, class_="legend")


def chip(verdict: str) -> str:
    """A verdict."""
    if not VERDICTS.get(verdict, ""):
        return NOTHING
    return tag("span", esc(VERDICTS[verdict]), class_=f"chip {_TONES.get(verdict, 'unsure')}")


def bar(share: float) -> str:
    """A bar of a share, for a cell of a table that says the same."""
    inside = tag("span", class_="bar", style=f"width:{100 * share:.2f}%") if share else ""
    return tag("div", inside, class_="track", title=percent(share))


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Short facts beside each other: (what, value)."""
    return tag(
        "div", *(tag("div", f"{tag('b', esc(value))} {esc(what)}") for what, value in pairs), class_="facts"
    )


def largest(series: Sequence[tuple[str, Sequence[int]]]) -> list[Series]:
    """Give colours to series, the largest first; what is beyond the colours is put together as the rest."""
    order = sorted(series, key=lambda one: -sum(one[1]))
    room = SERIES if len(order) <= SERIES else SERIES - 1
    made = [Series(name, f"c{number}", values) for number, (name, values) in enumerate(order[:room], 1)]
    rest = order[room:]
    if rest:
        together = [sum(values) for values in zip(*(values for _, values in rest), strict=True)]
        made.append(Series(f"{len(rest)} others", "c0", together))
    return made
