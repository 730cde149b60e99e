"""What an expression may refer to where it stands."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from processor.core.expressions.tree import Node

__all__ = ["Names"]


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names in reach of an expression; types are those of the declarations ("?": may be missing).

    ``events`` maps event type to property to type. ``event_types``, ``entry_types`` and ``answer_types`` are
    the types that ``event.``, ``entry.`` and ``answer.`` may be here; empty means not available.
    ``event_is_entry``: ``event.X`` means ``entry.X``, as in steps. ``scores`` maps a score model to its grade
    names, ``decaying`` are those whose value falls by time alone (None: not known, so all of them).
    ``splits`` maps a split's step id to its variants, ``relations`` a relation to its fields. ``item`` are
    the fields of ``item.``, where there is one; "*" stands for any name.
    ``constants`` are those of ``let.``.
    """

    events: Mapping[str, Mapping[str, str]]
    event_types: tuple[str, ...] = ()
    entry_types: tuple[str, ...] = ()
    answer_types: tuple[str, ...] = ()
    event_is_entry: bool = False
    profile: Mapping[str, str]
    scores: Mapping[str, tuple[str, ...]]
    segments: frozenset[str]
    lists: frozenset[str]
    programs: frozenset[str]
    purposes: frozenset[str]
    channels: frozenset[str]
    splits: Mapping[str, tuple[str, ...]] = {}
    decaying: frozenset[str] | None = None
    relations: Mapping[str, Mapping[str, str]] = {}
    item: Mapping[str, str] | None = None
    constants: Mapping[str, Node] = {}
