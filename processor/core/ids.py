"""Stable names for things, and the keyed hash that stands in for chance.

An id is a hash of what the thing *is*, so a replay, a retry and another version of a program give the same
one. Parts are length-prefixed because contacts and keys may contain any character.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

__all__ = ["command_id", "enrollment_id", "fingerprint", "share_of"]

_SHARE_UNITS: Final = 1 << 53


def fingerprint(event_id: str) -> bytes:
    """Eight bytes that stand for an event id in a row's de-duplication window."""
    return blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def enrollment_id(contact_id: str, program: str, key: str, entry_event_id: str) -> str:
    """24 hex characters. ``contact_id`` is the contact at entry: a later merge does not change the id."""
    text = f"{len(contact_id)}:{contact_id}{program}\x1f{len(key)}:{key}{entry_event_id}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def command_id(enrollment: str, step: str, occurrence: int, kind: str) -> str:
    """32 hex characters, from the enrollment, the stable step id, its how-manieth run, and the kind."""
    text = f"{enrollment}\x1f{step}\x1f{occurrence}\x1f{kind}"
    return blake2b(text.encode(), digest_size=16).hexdigest()


def share_of(salt: str, *parts: str) -> float:
    """A number in [0, 100) that looks random and depends on nothing but its arguments."""
    text = salt
    for part in parts:
        text += f"\x1f{len(part)}:{part}"
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest[:7], "big") >> 3) * (100.0 / _SHARE_UNITS)  # its first 53 bits
