"""Relations: what belongs to a contact and comes in several, such as orders, cart lines or service calls.

A :class:`RelationSpec` says which events make an item, under which key, with which fields. Items lie in the
contact's history beside the series, each relation as one series whose ``values`` are packed items; nothing is
there for a contact without any. Rules:

- the same key again is the same item: fields that the event gives are written over, others stay, and it
  becomes the latest;
- an event older than the item (it came late) fills in only what the item lacks;
- ``keep`` items are kept, and at most :data:`KEPT_BYTES_MAX` bytes; beyond it the oldest go;
- one item has at most :data:`ITEM_BYTES_MAX` bytes; beyond it the largest fields go ("item_trimmed").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from processor.core.named import Series
from processor.core.outputs import Decision

if TYPE_CHECKING:
    from processor.core.model import RelationSpec
    from processor.core.named import History
    from processor.core.turn import Turn

__all__ = [
    "ITEM_BYTES_MAX", "KEPT_BYTES_MAX", "KEPT_MAX", "append", "is_relation", "items_of", "keep",
    "merge_items", "names_of",
]  # fmt: skip

KEPT_MAX: Final = 100  # items of a relation; a topology that asks for more is refused
KEPT_BYTES_MAX: Final = 32_768  # of a relation, packed
ITEM_BYTES_MAX: Final = 4_096
_KEY_CHARS_MAX: Final = 200
_PREFIX: Final = "items:"

Item = tuple[str, int, dict[str, Any]]  # key ("": none), at ms, fields

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Item]).decode


def items_of(history: History, name: str) -> list[Item]:
    """A relation's items, the oldest first."""
    series = history.get(_PREFIX + name)
    return _decode(series.values) if series is not None and series.values else []


def names_of(history: History) -> list[str]:
    """The relations of which something was ever kept."""
    return [key[len(_PREFIX) :] for key in history.names() if key.startswith(_PREFIX)]


def is_relation(key: str) -> bool:
    """Whether a history of this key holds a relation's items."""
    return key.startswith(_PREFIX)


def keep(turn: Turn, specs: tuple[RelationSpec, ...]) -> None:
    """The event at hand makes, changes or takes away items."""
    for spec in specs:
        if spec.when is not None and not spec.when(turn):
            continue
        if spec.drops:
            _drop(turn, spec)
        elif spec.each:
            _keep_each(turn, spec)
        else:
            _keep_one(turn, spec, None if spec.anew else items_of(turn.row.history, spec.name))


def _keep_each(turn: Turn, spec: RelationSpec) -> None:
    """An item for each element of a list property."""
    elements = turn.props.get(spec.each)
    if elements.__class__ is not list:
        elements = []
    items = [] if spec.anew else items_of(turn.row.history, spec.name)
    made = False
    for element in elements[-spec.keep :]:
        turn.item = element if element.__class__ is dict else {"value": element}
        made = _into(turn, spec, items) or made
    turn.item = {}
    if made or spec.anew:
        _store(turn, spec, items)


def _keep_one(turn: Turn, spec: RelationSpec, items: list[Item] | None) -> None:
    kept: list[Item] = items or []
    if _into(turn, spec, kept) or spec.anew:
        _store(turn, spec, kept)


def _into(turn: Turn, spec: RelationSpec, items: list[Item]) -> bool:
    """Put what the event says into the items. False for one whose key is missing."""
    key = ""
    if spec.key is not None:
        value = spec.key(turn)
        if value is None:
            turn.out.append(_limit(turn, "item_without_key", spec.name))
            return False
        key = str(value)[:_KEY_CHARS_MAX]
    fields: dict[str, Any] = {}
    for name, fn in spec.fields:
        found = fn(turn)
        if found is not None:
            fields[name] = found
    at_ms = turn.occurred_ms
    for index, (known, known_ms, old) in enumerate(items):
        if key and known == key:
            del items[index]
            late = at_ms < known_ms
            fields = {**fields, **old} if late else {**old, **fields}
            at_ms = max(at_ms, known_ms)
            break
    while len(_encode(fields)) > ITEM_BYTES_MAX:
        largest = max(fields, key=lambda name: (len(_encode(fields[name])), name))
        del fields[largest]
        turn.out.append(_limit(turn, "item_trimmed", f"{spec.name}.{largest}"))
    place = len(items)
    while place > 0 and items[place - 1][1] > at_ms:
        place -= 1
    items.insert(place, (key, at_ms, fields))
    return True


def _drop(turn: Turn, spec: RelationSpec) -> None:
    history = turn.row.history
    items = items_of(history, spec.name)
    if not items:
        return
    left: list[Item] = []
    if spec.key is not None:
        value = spec.key(turn)
        gone = "" if value is None else str(value)[:_KEY_CHARS_MAX]
        left = [item for item in items if not gone or item[0] != gone]
    if len(left) < len(items):
        _store(turn, spec, left)


def _store(turn: Turn, spec: RelationSpec, items: list[Item]) -> None:
    history = turn.row.history
    series = history.get(_PREFIX + spec.name)
    packed = _packed(items, spec.keep)
    if series is None:
        history.put(_PREFIX + spec.name, Series(1, turn.occurred_ms, turn.occurred_ms, b"", packed))
    elif series.values == packed:
        return
    else:
        history.change(series)
        series.total += 1
        series.last_ms = max(series.last_ms, turn.occurred_ms)
        series.values = packed
    turn.stale.extend(turn.topology.segments_by_relation.get(spec.name, ()))


def _packed(items: list[Item], kept: int) -> bytes:
    """The latest items, packed; nothing for none."""
    latest = items[-kept:]
    while latest and len(packed := _encode(latest)) > KEPT_BYTES_MAX:
        latest = latest[max(1, len(latest) // 8) :]
    return packed if latest else b""


def append(history: History, name: str, at_ms: int, fields: dict[str, Any], kept: int) -> None:
    """Put an item without a key behind the others of a relation that the machine keeps for itself."""
    items = items_of(history, name)
    items.append(("", at_ms, fields))
    packed = _packed(items, kept)
    series = history.get(_PREFIX + name)
    if series is None:
        history.put(_PREFIX + name, Series(1, at_ms, at_ms, b"", packed))
    else:
        history.change(series)
        series.values = packed


def merge_items(mine: bytes, theirs: bytes) -> bytes:
    """The packed items of two contacts that became one: of two with one key the later stays."""
    if not mine or not theirs:
        return mine or theirs
    found: list[Item] = []
    both = [*_decode(theirs), *_decode(mine)]
    for item in both:
        if item[0]:
            twin = next((other for other in found if other[0] == item[0]), None)
            if twin is not None:
                if twin[1] > item[1]:
                    continue
                found.remove(twin)
        found.append(item)
    found.sort(key=lambda item: item[1])
    return _packed(found, KEPT_MAX)


def _limit(turn: Turn, reason: str, name: str) -> Decision:
    return Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", reason, {"name": name})
