"""What stands before an Avro body in a record, so that a reader knows which schema wrote it.

    Confluent's framing      00, then the id that a schema registry gave the schema: 4 bytes, big-endian
    Avro single object       C3 01, then the CRC-64-AVRO fingerprint of the schema: 8 bytes, little-endian
    JSON                     no frame: the first byte that is no blank is {

An id means something only together with a registry, a fingerprint needs none. So ids are never made up:
without a registry, records are written as single objects.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = [
    "CONFLUENT_BYTES",
    "SINGLE_BYTES",
    "Frame",
    "SchemaKey",
    "confluent_head",
    "frame_of",
    "schema_key",
    "single_head",
]

SchemaKey = int | bytes
"""What names a schema: a registry's id, or the 8 bytes of a fingerprint."""

CONFLUENT_BYTES: Final = 5
SINGLE_BYTES: Final = 10

_SINGLE: Final = b"\xc3\x01"
_ID_MAX: Final = (1 << 31) - 1


class Frame(StrEnum):
    """How a record's value is written."""

    CONFLUENT = "confluent"
    SINGLE = "single-object"
    JSON = "json"
    UNKNOWN = "unknown"


def frame_of(value: bytes) -> Frame:
    """Return how a value is written, as its first bytes tell."""
    if value[:1] == b"\0":
        return Frame.CONFLUENT
    if value[:2] == _SINGLE:
        return Frame.SINGLE
    return Frame.JSON if value[:1] == b"{" or value.lstrip()[:1] == b"{" else Frame.UNKNOWN


def confluent_head(schema_id: int) -> bytes:
    """Return what a value framed for a schema registry begins with."""
    assert 0 <= schema_id <= _ID_MAX, schema_id
    return b"\0" + schema_id.to_bytes(4, "big")


def single_head(fingerprint: bytes) -> bytes:
    """Return what a single object begins with."""
    assert len(fingerprint) == SINGLE_BYTES - len(_SINGLE), fingerprint
    return _SINGLE + fingerprint


def schema_key(head: bytes) -> SchemaKey | None:
    """Return what names the schema in a head (5 or 10 bytes), None where it is cut off or no name."""
    if head[:1] == b"\0":
        found = int.from_bytes(head[1:], "big") if len(head) == CONFLUENT_BYTES else None
        return None if found is not None and found > _ID_MAX else found  # no registry gives such an id
    return head[len(_SINGLE) :] if len(head) == SINGLE_BYTES else None
