"""What is declared, by kind: references are checked against it, and expressions get their names from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from processor.core.expressions import Names
from processor.core.expressions.tree import Node
from processor.core.schema import DERIVED_EVENTS
from processor.language.problems import Problems, instead, quoted
from processor.language.shapes import Reference

__all__ = ["Known"]

# kind -> (rule, what it is called, what to do where nothing is near)
_KINDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "event": ("unknown-event", "event type", "declare it under events in topology.yaml"),
    "published": ("unknown-event", "event type", "declare it under events in topology.yaml"),
    "attribute": ("unknown-attribute", "profile attribute", "declare it under profile in topology.yaml"),
    "channel": ("unknown-channel", "channel", "declare it under channels in topology.yaml"),
    "purpose": ("unknown-purpose", "purpose", "declare it under purposes in topology.yaml"),
    "team": ("unknown-team", "team", "declare it under teams in topology.yaml"),
    "list": ("unknown-list", "list", "declare it under lists in topology.yaml"),
    "segment": ("unknown-segment", "segment", "declare it under segments in topology.yaml"),
    "score": ("unknown-score", "score model", "declare it under scores in topology.yaml"),
    "program": ("unknown-program", "program", "write it as a file in programs/"),
}


class Known(msgspec.Struct, kw_only=True):
    """Everything that can be named. ``events`` are all event types with their properties' types.

    ``declared`` are the topology's own event types, ``grades`` those of each score model, ``enrollable`` the
    programs that an enroll step can start; ``relations`` are those compiled so far, with their fields' types,
    ``members`` those of each team, ``constants`` those of the program at hand.
    """

    events: Mapping[str, Mapping[str, str]]
    declared: tuple[str, ...]
    profile: Mapping[str, str]
    purposes: frozenset[str]
    channels: frozenset[str]
    teams: frozenset[str]
    lists: frozenset[str]
    segments: frozenset[str]
    grades: Mapping[str, tuple[str, ...]]
    decaying: frozenset[str]
    predicted: frozenset[str] = frozenset()  # scores that a model gives
    programs: frozenset[str] = frozenset()
    enrollable: frozenset[str] = frozenset()
    relations: Mapping[str, Mapping[str, str]] = {}
    members: Mapping[str, tuple[str, ...]] = {}
    constants: Mapping[str, Node] = {}

    def names(self) -> Names:
        """Return what an expression can refer to anywhere; scopes add the events they have."""
        return Names(
            events=self.events,
            profile=self.profile,
            scores=self.grades,
            segments=self.segments,
            lists=self.lists,
            programs=self.programs,
            purposes=self.purposes,
            channels=self.channels,
            decaying=self.decaying,
            relations=self.relations,
            constants=self.constants,
        )

    def check(self, references: Iterable[Reference], problems: Problems) -> None:
        """Report every reference to something that is not there."""
        tables = self._tables()
        for reference in references:
            table = tables[reference.kind]
            if reference.word in table:
                continue
            rule, what, otherwise = _KINDS[reference.kind]
            if reference.kind == "published" and reference.word in DERIVED_EVENTS:
                message = f"{quoted(reference.word)} follows from other events and cannot be used here"
                fix = "write the event types that a contact's actions have"
                problems.error(reference.mark, "derived-event", message, fix)
                continue
            message = f"there is no {what} {quoted(reference.word)}"
            problems.error(reference.mark, rule, message, instead(reference.word, table, otherwise))

    def _tables(self) -> dict[str, Collection[str]]:
        return {
            "event": list(self.events),
            "published": [name for name in self.events if name not in DERIVED_EVENTS],
            "attribute": list(self.profile),
            "channel": sorted(self.channels),
            "purpose": sorted(self.purposes),
            "team": sorted(self.teams),
            "list": sorted(self.lists),
            "segment": sorted(self.segments),
            "score": list(self.grades),
            "program": sorted(self.programs),
        }
