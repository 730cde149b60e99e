"""Sections of a row whose items have names, each item read only when somebody asks for it.

An event touches one or two of a contact's series, one score, one past program. So an item is looked for
among the stored bytes, by the tag of its name, and what nobody changed goes back to the store as the bytes it
came as. An item is stored as its tag (2 bytes), the length of what follows (2 bytes), its name, its own fields.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i16_le, write_i16_le
from mypy_extensions import i16, i64, mypyc_attr, u8

from processor.core.packing import Name, Reader, name_of

__all__ = ["Drawer", "Item"]

_HEAD: Final = 4
_ITEM_BYTES_MAX: Final = 1 << 16


@mypyc_attr(acyclic=True, allow_interpreted_subclasses=True)
class Item:
    """Something in a drawer. ``at`` is where it lies in the stored bytes, -1 for a new one."""

    def __init__(self) -> None:
        self.at: i64 = -1
        self.changed = False
        self.name: Name | None = None

    def write(self, to: BytesWriter) -> None:
        """Write the item's own fields."""
        raise NotImplementedError


@mypyc_attr(acyclic=True, allow_interpreted_subclasses=True)
class Drawer:
    """Items by name, over the bytes between ``begin`` and ``end``. Whoever changes an item says so first."""

    def __init__(self, data: bytes, begin: i64, end: i64) -> None:
        self.data = data
        self.begin: i64 = begin
        self.end: i64 = end
        self.read: dict[str, Item] = {}
        self.changed: list[Item] = []

    def load(self, at: Reader) -> Item:
        """Read an item's own fields."""
        raise NotImplementedError

    def item(self, text: str) -> Item | None:
        """The item of this name."""
        found = self.read.get(text)
        if found is not None or self.begin == self.end:
            return found
        name = name_of(text)
        tag = name.tag
        data = self.data
        at = self.begin
        end = self.end
        while at < end:
            if i64(read_i16_le(data, at)) == tag:
                body = at + _HEAD + len(name.packed)
                if data[at + _HEAD : body] == name.packed:
                    found = self.load(Reader(data, body))
                    found.at = at
                    found.name = name
                    self.read[text] = found
                    return found
            at += _HEAD + _size(data, at)
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
        item.name = name_of(text)
        self.read[text] = item
        self.change(item)

    def names(self) -> list[str]:
        """The names of all items: the stored ones in their order, then the new ones in theirs."""
        found = []
        data = self.data
        at = self.begin
        while at < self.end:
            found.append(Reader(data, at + _HEAD).name())
            at += _HEAD + _size(data, at)
        for text, item in self.read.items():
            if item.at < 0:
                found.append(text)
        return found

    def write(self, to: BytesWriter) -> None:
        """Write all items; those nobody changed as they came."""
        data = self.data
        since = self.begin
        changed = self.changed
        if len(changed) > 1:
            changed = sorted(changed, key=_place)
        for item in changed:
            at = item.at
            if at >= 0:
                if at > since:
                    to.write(data[since:at])
                since = at + _HEAD + _size(data, at)
                _put(to, item)
        if since < self.end:
            to.write(data[since : self.end])
        for item in self.changed:
            if item.at < 0:
                _put(to, item)


def _size(data: bytes, at: i64) -> i64:
    """The length of an item, without its head."""
    return i64(read_i16_le(data, at + 2)) & 0xFFFF


def _place(item: Item) -> int:
    return item.at


def _put(to: BytesWriter, item: Item) -> None:
    name = item.name
    assert name is not None, "an item in a drawer has a name"
    begin: i64 = len(to)
    tag = name.tag
    write_i16_le(to, i16(tag))
    write_i16_le(to, 0)
    to.write(name.packed)
    item.write(to)
    _set_size(to, begin, len(to) - begin - _HEAD)


def _set_size(to: BytesWriter, begin: i64, size: i64) -> None:
    assert size < _ITEM_BYTES_MAX, "an item's limits keep it below this"
    to[begin + 2] = u8(size & 0xFF)
    to[begin + 3] = u8(size >> 8)
