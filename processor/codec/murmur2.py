"""The partition of a contact, as Kafka's default partitioner computes it for a keyed record.

A file is spread over partitions exactly as the topic would be, so that a run over a file and a worker decide
the same in each partition.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i32_le
from mypy_extensions import i64

__all__ = ["murmur2", "partition_of"]

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_WORD: Final = 4


def murmur2(data: bytes) -> int:
    """Return the 32-bit hash, unsigned, that `org.apache.kafka.common.utils.Utils.murmur2` computes."""
    size: i64 = len(data)
    h = _SEED ^ size
    at: i64 = 0
    while at + _WORD <= size:
        k = (i64(read_i32_le(data, at)) & _MASK) * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
        at += _WORD
    if at < size:
        shift: i64 = 0
        rest: i64 = 0
        while at < size:
            byte: i64 = data[at]
            rest |= byte << shift
            shift += 8
            at += 1
        h = (h ^ rest) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(contact: str, partitions: int) -> int:
    """Return the partition, 0 to `partitions` - 1, of a contact whose id is the record's key in UTF-8."""
    return (murmur2(contact.encode()) & 0x7FFFFFFF) % partitions
