"""How a row lies in bytes: the few shapes that everything in it is made of.

Instants, numbers and offsets have their full width, little-endian; counts are base-128 with the low digits
first, as Avro and Protocol Buffers have them; texts and blobs carry their length before them. Compiled, all
of it works on machine integers, without an object a field.

Names that a topology gives (of programs, steps, series, grades) come again in every row: they are kept, so
that reading one makes no new text. What a contact or an event brings along is not read or written that way:
it goes as text.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from librt.strings import BytesWriter, read_f64_le, read_i16_le, read_i64_le, write_f64_le, write_i64_le
from mypy_extensions import i64, mypyc_attr, u8

__all__ = [
    "Name",
    "Reader",
    "begin_section",
    "close_section",
    "first_after",
    "lies_at",
    "name_of",
    "put_blob",
    "put_count",
    "put_name",
    "put_number",
    "put_text",
    "put_time",
]

_NAMES_KEPT: Final = 100_000  # kept at a time; a topology has hundreds
SECTION_LENGTH_BYTES: Final = 3
_SECTION_BYTES_MAX: Final = 1 << 24
_WIDTH: Final = 8  # of an instant
_TAGS: Final = 1 << 16
_TAG_MASK: Final = _TAGS - 1


def put_count(to: BytesWriter, value: i64) -> None:
    """Write a number of things, 0 or more."""
    assert value >= 0, "a count is not negative"
    while value > 0x7F:  # noqa: PLR2004 - seven bits a digit
        to.append(u8((value & 0x7F) | 0x80))
        value >>= 7
    to.append(u8(value))


def put_time(to: BytesWriter, at_ms: i64) -> None:
    """Write an instant in ms."""
    write_i64_le(to, at_ms)


def put_number(to: BytesWriter, value: float) -> None:
    """Write a 64-bit float."""
    write_f64_le(to, value)


def put_blob(to: BytesWriter, data: bytes) -> None:
    """Write bytes of any kind."""
    put_count(to, len(data))
    to.write(data)


def put_text(to: BytesWriter, text: str) -> None:
    """Write what a contact or an event brought along. Raises UnicodeEncodeError for half a surrogate pair."""
    if text:
        put_blob(to, text.encode())
    else:
        to.append(0)


@mypyc_attr(acyclic=True)
class Name:
    """A name as it lies in rows: ``packed`` is a tag (16-bit hash), the length, and ``raw``, the UTF-8."""

    def __init__(self, text: str) -> None:
        raw = text.encode()
        tag = crc32(raw) & 0xFFFF
        packed = BytesWriter()
        packed.append(u8(tag & 0xFF))
        packed.append(u8(tag >> 8))
        put_blob(packed, raw)
        self.text = text
        self.raw: bytes = raw
        self.packed: bytes = packed.getvalue()
        self.tag: i64 = i64(read_i16_le(self.packed, 0))


_NAME_OF: Final[dict[str, Name]] = {}
# By tag, the name that was read last; of those that share a tag it takes turns.
_BY_TAG: Final[list[Name]] = [Name("")] * _TAGS


def name_of(text: str) -> Name:
    """The name for a text, kept for the next time."""
    name = _NAME_OF.get(text)
    if name is None:
        if len(_NAME_OF) >= _NAMES_KEPT:
            _NAME_OF.clear()
        name = _NAME_OF[text] = Name(text)
    return name


def lies_at(data: bytes, at: i64, raw: bytes) -> bool:
    """Whether ``raw`` lies at ``at``. Words are compared: to cut it out costs more than all the rest."""
    size: i64 = len(raw)
    if at + size > len(data):
        return False
    if size < _WIDTH:
        return data[at : at + size] == raw
    last = size - _WIDTH
    offset: i64 = 0
    while offset < last:
        if read_i64_le(data, at + offset) != read_i64_le(raw, offset):
            return False
        offset += _WIDTH
    return read_i64_le(data, at + last) == read_i64_le(raw, last)


@mypyc_attr(acyclic=True, free_list_len=1)
class Reader:
    """Reads one thing after the other, from ``at`` on. Raises IndexError beyond the end of the bytes."""

    def __init__(self, data: bytes, at: i64) -> None:
        self.data = data
        self.at: i64 = at

    def byte(self) -> i64:
        """A small number."""
        at = self.at
        self.at = at + 1
        return self.data[at]

    def count(self) -> i64:
        """A number of things, 0 or more."""
        data = self.data
        at = self.at
        digit: i64 = data[at]
        at += 1
        value = digit & 0x7F
        shift: i64 = 7
        while digit & 0x80:
            digit = data[at]
            at += 1
            value |= (digit & 0x7F) << shift
            shift += 7
        self.at = at
        return value

    def time(self) -> int:
        """An instant in ms."""
        at = self.at
        self.at = at + _WIDTH
        return read_i64_le(self.data, at)

    def number(self) -> float:
        """A 64-bit float."""
        at = self.at
        self.at = at + _WIDTH
        return read_f64_le(self.data, at)

    def blob(self) -> bytes:
        """Bytes of any kind."""
        size = self.count()
        at = self.at
        end = at + size
        if end > len(self.data):
            raise IndexError("a row ends amid a field")
        self.at = end
        return self.data[at:end]

    def text(self) -> str:
        """What a contact or an event brought along."""
        raw = self.blob()
        return raw.decode() if raw else ""

    def name(self) -> str:
        """A name of the topology's."""
        data = self.data
        tag = i64(read_i16_le(data, self.at))
        self.at += 2
        size = self.count()
        at = self.at
        place = tag & _TAG_MASK
        known = _BY_TAG[place]
        if len(known.raw) != size or not lies_at(data, at, known.raw):
            self.at = at + size
            known = _BY_TAG[place] = name_of(data[at : at + size].decode())
        self.at = at + size
        return known.text


def put_name(to: BytesWriter, text: str) -> None:
    """Write a name of the topology's."""
    to.write(name_of(text).packed)


def begin_section(to: BytesWriter) -> i64:
    """Leave room for a section's length; what is returned goes to :func:`close_section`."""
    begin: i64 = len(to)
    to.append(0)
    to.append(0)
    to.append(0)
    return begin


def close_section(to: BytesWriter, begin: i64) -> None:
    """Write the section's length into the room left for it."""
    size: i64 = len(to) - begin - SECTION_LENGTH_BYTES
    assert size < _SECTION_BYTES_MAX, "a row's limits keep it far below this"
    to[begin] = u8(size & 0xFF)
    to[begin + 1] = u8((size >> 8) & 0xFF)
    to[begin + 2] = u8(size >> 16)


def first_after(times: bytes, at_ms: i64) -> i64:
    """How many of the packed ascending instants are at or before ``at_ms``: where the first after it is."""
    low: i64 = 0
    high: i64 = len(times) // _WIDTH
    while low < high:
        middle = (low + high) // 2
        if read_i64_le(times, middle * _WIDTH) <= at_ms:
            low = middle + 1
        else:
            high = middle
    return low
