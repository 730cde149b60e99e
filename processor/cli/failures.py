"""A failed scenario, told so that a marketer sees what to change: side by side, a diff, the whole path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from processor.core.time import format_duration
from processor.runtime.expectations import shown
from processor.runtime.sentences import TONES, sentence

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import RenderableType
    from rich.table import Table

    from processor.runtime.expectations import Pair
    from processor.runtime.scenario import Result
    from processor.runtime.sentences import Moment

__all__ = ["failure", "path_table"]

_TITLES = {"expect": "commands", "held": "held back"}
_STYLES = {"=": "green", "!": "yellow", "-": "red", "+": "red"}


def failure(result: Result) -> Iterator[RenderableType]:
    """Yield what to show of a failed scenario, for a console of any width."""
    from rich.text import Text

    zone = str(result.zone.key)
    for about, pairs in (("expect", result.commands), ("held", result.held)):
        if any(pair.sign != "=" for pair in pairs):
            yield _side_by_side(f"{_TITLES[about]} (times of {zone})", pairs)
            yield from _diff(pairs)
            yield Text()
    for difference in result.differences:
        if difference.about not in _TITLES:
            yield Text(f"{difference.about}, line {difference.line}:", style="bold")
            yield Text(f"- {difference.expected}", style="red")
            yield Text(f"+ {difference.got}", style="green")
            yield Text()
    yield path_table(f"the whole path, until {shown(result.end_ms, result.zone)}", result.path, result.zone)


def _side_by_side(title: str, pairs: Sequence[Pair]) -> Table:
    from rich.text import Text

    from processor.cli.output import table

    rows = [
        [Text(text, style=_STYLES[pair.sign]) for text in (pair.sign, pair.expected or "-", pair.got or "-")]
        for pair in pairs
    ]
    return table(title, ["", "expected", "got"], rows)


def _diff(pairs: Sequence[Pair]) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text("--- expected", style="bold")
    yield Text("+++ got", style="bold")
    for pair in pairs:
        if pair.sign == "=":
            yield Text(f"  {pair.got}")
            continue
        if pair.expected:
            yield Text(f"- {pair.expected}", style="red")
        if pair.got:
            yield Text(f"+ {pair.got}", style="green")


def _brief(ms: int) -> str:
    """A span to its two largest units: with more, its column takes the room of what happened."""
    return " ".join(format_duration(ms).split()[:2])


def path_table(
    title: str, moments: Sequence[Moment], zone: ZoneInfo, *, since_ms: int | None = None
) -> Table:
    """Return what was decided, in order; with ``since_ms`` also how long after that instant."""
    from rich.text import Text

    from processor.cli.output import table

    rows = []
    before = ""

    def clock(at_ms: int) -> str:
        return shown(at_ms, zone, brief=True)

    for moment in moments:
        at = clock(moment.at_ms)
        style = TONES.get(moment.kind, "")
        said = Text(sentence(moment, clock), style=style)
        row = ["" if at == before else at, moment.program, said]
        if since_ms is not None:
            passed = moment.at_ms - since_ms
            row.insert(1, "" if at == before else f"+{_brief(passed)}" if passed > 0 else "")
        rows.append(row)
        before = at
    columns = ["time", "program", "what happened"]
    if since_ms is not None:
        columns.insert(1, "after")
    return table(title, columns, rows, whole=(0, 1, len(columns) - 2))
