"""Sections of a row whose items have names, each item read only when somebody asks for it.

An event touches one or two of a contact's series, one score, one past program. So an item is looked for
among the stored bytes, by the tag of its name, and what nobody changed goes back to the store as the bytes it
came as. An item is stored as its length (2 bytes), its name, its own fields.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i16_le, write_i16_le
from mypy_extensions import i64, mypyc_attr, u8

from processor.core.packing import Reader, lies_at, name_of

__all__ = ["Drawer", "Item"]

_ITEM_BYTES_MAX: Final = 1 << 16


@mypyc_attr(acyclic=True)
class Item:
    """Something in a drawer. ``at`` is where it lies in the stored bytes, -1 for a new one."""

    def __init__(self) -> None:
        self.at: i64 = -1
        self.changed = False
        self.text = ""

    def write(self, to: BytesWriter) -> None:
        """Write the item's own fields."""
        raise NotImplementedError


@mypyc_attr(acyclic=True)
class Drawer:
    """Items by name, over the bytes between ``begin`` and ``end``. Whoever changes an item says so first."""

    def __init__(self, data: bytes, begin: i64, end: i64) -> None:
        self.data = data
        self.begin: i64 = begin
        self.end: i64 = end
        self.read: list[Item] = []
        self.changed: list[Item] = []
        self.emptied = False  # something was removed: what was stored is not passed on

    def load(self, at: Reader) -> Item:
        """Read an item's own fields."""
        raise NotImplementedError

    def item(self, text: str) -> Item | None:
        """The item of this name."""
        for known in self.read:
            if known.text == text:
                return known
        if self.begin == self.end:
            return None
        name = name_of(text)
        packed = name.packed
        tag = name.tag
        data = self.data
        at = self.begin
        end = self.end
        while at < end:
            if i64(read_i16_le(data, at + 2)) == tag and lies_at(data, at + 2, packed):
                found = self.load(Reader(data, at + 2 + len(packed)))
                found.at = at
                found.text = text
                self.read.append(found)
                return found
            at += 2 + _size(data, at)
        return None

    def __contains__(self, text: str) -> bool:
        return self.item(text) is not None

    def change(self, item: Item) -> None:
        """The item is about to be written to."""
        if not item.changed:
            item.changed = True
            self.changed.append(item)

    def put(self, text: str, item: Item) -> None:
        """Add an item, which has no name yet. Raises AssertionError where one of this name is already."""
        assert self.item(text) is None, "an item is added once"
        item.text = text
        self.read.append(item)
        self.change(item)

    def remove(self, text: str) -> None:
        """Let an item go. All others are read for it, so this is for what is rare."""
        kept: list[Item] = []
        for name in self.names():
            item = self.item(name)
            assert item is not None, "a drawer has what it names"
            if name != text:
                kept.append(item)
        for item in kept:
            item.at = -1
            item.changed = True
        self.data = b""
        self.begin = self.end = 0
        self.read = kept
        self.changed = list(kept)
        self.emptied = True

    def names(self) -> list[str]:
        """The names of all items: the stored ones in their order, then the new ones in theirs."""
        found = []
        data = self.data
        at = self.begin
        while at < self.end:
            found.append(Reader(data, at + 2).name())
            at += 2 + _size(data, at)
        return found + [item.text for item in self.read if item.at < 0]

    def write(self, to: BytesWriter) -> None:
        """Write all items; those nobody changed as they came."""
        data = self.data
        since = self.begin
        changed = self.changed
        if len(changed) > 1:
            changed = _in_place_order(changed)
        for item in changed:
            at = item.at
            if at >= 0:
                if at > since:
                    to.write(data[since:at])
                since = at + 2 + _size(data, at)
                _put(to, item)
        if since < self.end:
            to.write(data[since : self.end])
        for item in self.changed:
            if item.at < 0:
                _put(to, item)


def _size(data: bytes, at: i64) -> i64:
    """The length of an item, behind these two bytes."""
    return i64(read_i16_le(data, at)) & 0xFFFF


def _in_place_order(items: list[Item]) -> list[Item]:
    """The items by where they lie: a handful, which a sort with a key costs more than all their writing."""
    ordered: list[Item] = []
    for item in items:
        place = len(ordered)
        while place > 0 and ordered[place - 1].at > item.at:
            place -= 1
        ordered.insert(place, item)
    return ordered


def _put(to: BytesWriter, item: Item) -> None:
    begin: i64 = len(to)
    write_i16_le(to, 0)
    to.write(name_of(item.text).packed)
    item.write(to)
    size = len(to) - begin - 2
    assert size < _ITEM_BYTES_MAX, "an item's limits keep it below this"
    to[begin] = u8(size & 0xFF)
    to[begin + 1] = u8(size >> 8)
