"""What a send shows to whom: its variants by condition, locale and season, and its blocks.

The first that fits is taken, so the choice is a function of the contact and the instant. A locale fits where
``profile.locale`` is it, or begins with it: ``de`` fits de, de-AT and de_CH.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from processor.core.time import local
from processor.core.turn import zone_of

if TYPE_CHECKING:
    from processor.core.model import Fn
    from processor.core.turn import Turn

__all__ = ["LOCALE", "Pick", "pick"]

LOCALE: Final = "locale"  # the profile attribute


@dataclass(frozen=True)
class Pick:
    """``name`` is what is taken where all of the rest holds; ``template`` is a variant's.

    ``begin`` and ``end`` are a season's first and last day, as MM-DD on the contact's clock ("": all year).
    """

    name: str
    template: str = ""
    when: Fn | None = None
    locales: tuple[str, ...] = ()
    begin: str = ""
    end: str = ""


def pick(turn: Turn, picks: tuple[Pick, ...]) -> Pick | None:
    """The first that fits, None where none does."""
    for one in picks:
        if one.locales and not _speaks(turn, one.locales):
            continue
        if one.begin and not _is_season(turn, one.begin, one.end):
            continue
        if one.when is None or one.when(turn):
            return one
    return None


def _speaks(turn: Turn, locales: tuple[str, ...]) -> bool:
    value = turn.row.attributes.get(LOCALE)
    if not isinstance(value, str):
        return False
    spoken = value.lower().replace("_", "-")
    for locale in locales:  # noqa: SIM110 - any() makes a generator
        if spoken == locale or spoken.startswith(f"{locale}-"):
            return True
    return False


def _is_season(turn: Turn, begin: str, end: str) -> bool:
    today = local(turn.now_ms, zone_of(turn))
    day = f"{today.month:02}-{today.day:02}"
    if begin <= end:
        return begin <= day <= end
    return day >= begin or day <= end
