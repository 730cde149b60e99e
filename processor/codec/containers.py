"""Avro object containers, block by block: the file format itself, around fastavro's records.

Reading by block lets a reader go on in the middle without decoding what it skips, and say exactly where a
file is torn. Writing by block lets an output be continued after a restart with the very bytes that a run
without a break would have written: the sync marker is derived, not random, and blocks are not compressed.
"""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final, Protocol

import fastavro
import zstandard

__all__ = [
    "MAGIC",
    "AvroError",
    "Block",
    "ByteSource",
    "block_bytes",
    "header_bytes",
    "read_blocks",
    "read_header",
]

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
BLOCK_BYTES_MAX: Final = 256 * 1024 * 1024

_META_SCHEMA: Final = fastavro.parse_schema({"type": "map", "values": "bytes"})
_VARINT_BYTES_MAX: Final = 10
_MORE: Final = 0x80  # the bit of a number's byte that says that another follows
_META_BYTES_MAX: Final = 16 * 1024 * 1024


class AvroError(Exception):
    """The data is not a whole Avro container; the message says how."""


class ByteSource(Protocol):
    """Anything to read from that gives back fewer bytes only at its end."""

    def read_exactly(self, count: int) -> bytes:
        """Return `count` bytes, fewer at the end."""
        ...


class Header:
    """What the head of a container says: its schema as JSON, its codec, and the marker after each block."""

    def __init__(self, schema: Any, codec: str, sync: bytes) -> None:
        self.schema = schema
        self.sync = sync
        found = _CODECS.get(codec)
        if found is None:
            raise AvroError(
                f'it is compressed with "{codec}": write it with one of {", ".join(sorted(_CODECS))}'
            )
        self.decompress = found


class Block:
    """One block: `count` records, still encoded and compressed."""

    def __init__(self, header: Header, count: int, data: bytes) -> None:
        self.count = count
        self._header = header
        self._data = data

    def records(self, parsed_schema: Any) -> Iterator[Any]:
        """Decode the records. Raises AvroError where they are not what the schema says."""
        try:
            data = self._header.decompress(self._data)
        except Exception as error:
            raise AvroError("a block cannot be decompressed: it is damaged") from error
        stream = io.BytesIO(data)
        for _ in range(self.count):
            try:
                record = fastavro.schemaless_reader(stream, parsed_schema, None)
            except Exception as error:  # fastavro lets whatever its decoding meets come through
                raise AvroError("a record is not what the file's schema says: it is damaged") from error
            yield record
        if stream.tell() != len(data):
            raise AvroError("a block is longer than its records: it is damaged")


def read_header(source: ByteSource) -> Header:
    """Read the head of a container. Raises AvroError."""
    if source.read_exactly(len(MAGIC)) != MAGIC:
        raise AvroError("it does not start as an Avro container does")
    meta: dict[str, bytes] = {}
    while count := _long(source):
        if count < 0:
            count = -count
            _long(source)
        for _ in range(count):
            key = _bytes(source, _META_BYTES_MAX).decode(errors="replace")
            meta[key] = _bytes(source, _META_BYTES_MAX)
    try:
        schema = json.loads(meta["avro.schema"])
    except (KeyError, ValueError) as error:
        raise AvroError("its head holds no schema: it is damaged") from error
    return Header(
        schema, meta.get("avro.codec", b"null").decode(errors="replace"), _whole(source, SYNC_BYTES)
    )


def read_blocks(source: ByteSource, header: Header) -> Iterator[Block]:
    """Read block after block up to the end, without decoding any. Raises AvroError."""
    while first := source.read_exactly(1):
        count = _long(source, first)
        data = _bytes(source, BLOCK_BYTES_MAX)
        if count < 0 or _whole(source, SYNC_BYTES) != header.sync:
            raise AvroError("a block does not end as it should: it is damaged")
        yield Block(header, count, data)


def header_bytes(schema: Any, name: str) -> tuple[bytes, bytes]:
    """Return the head of a new container and its sync marker, both made from the schema and `name` alone."""
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False).encode()
    sync = blake2b(name.encode() + b"\0" + text, digest_size=SYNC_BYTES).digest()
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, _META_SCHEMA, {"avro.codec": b"null", "avro.schema": text})
    return MAGIC + stream.getvalue() + sync, sync


def block_bytes(parsed_schema: Any, records: Iterable[Mapping[str, Any]], sync: bytes) -> bytes:
    """Return one uncompressed block of these records, of which there is at least one."""
    stream = io.BytesIO()
    count = 0
    for record in records:
        fastavro.schemaless_writer(stream, parsed_schema, record)
        count += 1
    assert count, "an empty block says nothing"
    data = stream.getvalue()
    return _encoded(count) + _encoded(len(data)) + data + sync


def _encoded(number: int) -> bytes:
    """Avro's long: zigzag, seven bits a byte, lowest first; `number` is not negative."""
    number <<= 1
    out = bytearray()
    while number >= _MORE:
        out.append(number & 0x7F | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _long(source: ByteSource, first: bytes = b"") -> int:
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        byte = (first if first and not place else _whole(source, 1))[0]
        value |= (byte & 0x7F) << (7 * place)
        if byte < _MORE:
            return (value >> 1) ^ -(value & 1)
    raise AvroError("a number has no end: it is damaged")


def _bytes(source: ByteSource, most: int) -> bytes:
    size = _long(source)
    if not 0 <= size <= most:
        raise AvroError(
            f"a length is not within 0 to {most}: it is damaged, or was written in too large blocks"
        )
    return _whole(source, size)


def _whole(source: ByteSource, count: int) -> bytes:
    data = source.read_exactly(count)
    if len(data) < count:
        raise AvroError("it ends in the middle")
    return data


def _snappy(data: bytes) -> bytes:
    from pyarrow import Codec  # noqa: PLC0415 - takes a third of a second, and few files need it

    size = shift = 0
    for byte in data[:_VARINT_BYTES_MAX]:  # snappy begins with the length of what comes out
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < _MORE:
            break
    if size > BLOCK_BYTES_MAX:
        raise AvroError("a block is too large")
    out: bytes = Codec("snappy").decompress(data[:-4], decompressed_size=size, asbytes=True)
    if zlib.crc32(out) != int.from_bytes(data[-4:], "big"):
        raise AvroError("a checksum is wrong")
    return out


def _zstandard(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


_CODECS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "null": lambda data: data,
    "deflate": lambda data: zlib.decompress(data, -15),
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
}
