"""Stable names for things, and the keyed hash that stands in for chance.

An id is a hash of what the thing *is*, so a replay, a retry and another version of a program give the same
one. An enrollment id is cryptographic (BLAKE2b), because contacts, keys and event ids come from outside; a
command id stands on the enrollment's, and shares and fingerprints need nothing but an even spread: these are
XXH3 (https://xxhash.com), which costs a sixth.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from librt.strings import BytesWriter, read_i64_be, read_i64_le
from mypy_extensions import i64
from xxhash import xxh3_64_digest, xxh3_128_hexdigest

from processor.core.packing import put_blob, put_count, put_name, put_text

__all__ = ["FINGERPRINT_BYTES", "command_id", "enrollment_id", "fingerprint", "seen", "share_of"]

FINGERPRINT_BYTES: Final = 8
_SHARE_UNITS: Final = 1 << 53
_ENROLLMENT: Final = blake2b(digest_size=12)


def fingerprint(event_id: bytes) -> bytes:
    """Eight bytes that stand for an event id (or for what an event without one holds) in a row's window."""
    return xxh3_64_digest(event_id)


def seen(recent: bytes, fingerprint: bytes) -> bool:
    """Whether the fingerprint is among those of the latest events, which lie one behind the other."""
    wanted = read_i64_le(fingerprint, 0)
    at: i64 = 0
    end: i64 = len(recent)
    while at < end:
        if read_i64_le(recent, at) == wanted:
            return True
        at += FINGERPRINT_BYTES
    return False


def enrollment_id(contact_id: str, program: str, key: str, entry_event_id: str) -> str:
    """24 hex characters. ``contact_id`` is the contact at entry: a later merge does not change the id."""
    to = BytesWriter()
    put_name(to, program)
    _put(to, contact_id)
    _put(to, key)
    _put(to, entry_event_id)
    hasher = _ENROLLMENT.copy()  # half of what making one with its size costs
    hasher.update(to.getvalue())
    return hasher.hexdigest()


def command_id(enrollment: str, step: str, occurrence: int, kind: str) -> str:
    """32 hex characters, from the enrollment, the stable step id, its how-manieth run, and the kind."""
    to = BytesWriter()
    put_name(to, step)
    put_name(to, kind)
    put_count(to, occurrence)
    _put(to, enrollment)
    return xxh3_128_hexdigest(to.getvalue())


def share_of(salt: str, scope: str, *parts: str) -> float:
    """A number in [0, 100) that looks random and depends on nothing but its arguments.

    ``scope`` says what is dealt ("holdout", a program, a split), ``parts`` to whom.
    """
    to = BytesWriter()
    put_name(to, salt)
    put_name(to, scope)
    for part in parts:
        _put(to, part)
    bits = read_i64_be(xxh3_64_digest(to.getvalue()), 0) >> 11
    return float(bits & (_SHARE_UNITS - 1)) * (100.0 / _SHARE_UNITS)  # the first 53


def _put(to: BytesWriter, text: str) -> None:
    """A text behind its length: parts may contain any character, and no two rows of them look alike."""
    try:
        put_text(to, text)
    except UnicodeEncodeError:
        put_blob(to, text.encode("utf-8", "surrogatepass"))
