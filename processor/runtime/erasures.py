"""The ledger of erasures: keyed hashes of the ids of contacts that were erased, each with the instant.

It is what stays of an erased contact. It lies in the state beside the rows, in the changelog, and in files
that other runs are given (:func:`write_ledger`), so that no replay, backtest or restored copy brings back
whom another erased. A hash without a key could be guessed by whoever has a list of ids; the key makes it
useless without the deployment's secret. With another key nothing would be found again, so a state says
which it was (:attr:`Erasures.check`), and refuses another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from processor.core.time import format_time, parse_time
from processor.store.base import StateError

__all__ = ["CHECK_ENTRY", "Erasures", "LedgerError", "at_of", "entry_of", "read_ledger", "write_ledger"]

CHECK_ENTRY: Final = b""  # the ledger's own entry: which key made the others
_HASH_BYTES: Final = 16
_KEY_BYTES: Final = 64  # the most that BLAKE2b takes
_CHECK: Final = b"trayecto erasures"
_TIME_BYTES: Final = 8
_LEDGER_FORMAT: Final = 1


class LedgerError(Exception):
    """A ledger's file cannot be read, or was made with another key; the message says what to do."""


class Erasures:
    """The key, and what is known from elsewhere of erased contacts: hash -> instant in ms."""

    def __init__(self, key: str = "", known: Mapping[bytes, int] | None = None) -> None:
        self._key = blake2b(key.encode(), digest_size=_KEY_BYTES).digest() if key else b""
        self.known: Mapping[bytes, int] = {} if known is None else known
        self.check = self._hash(_CHECK)

    def hash_of(self, contact: str) -> bytes:
        """The hash that stands for a contact."""
        return self._hash(b"contact " + contact.encode())

    def known_ms(self, hashed: bytes) -> int:
        """When a contact was erased, as far as is known from elsewhere; 0: not at all."""
        return self.known.get(hashed, 0)

    def refuse_other(self, stored: bytes | None) -> None:
        """Refuse a state whose ledger was made with another key.

        Raises:
            StateError: it was.
        """
        if stored is not None and stored != self.check:
            raise StateError(
                "the contacts that this state has erased were noted with another key: set erasure_key "
                "(TRAYECTO_ERASURE_KEY) as it was, or they could come back"
            )

    def _hash(self, data: bytes) -> bytes:
        return blake2b(data, digest_size=_HASH_BYTES, key=self._key).digest()


def entry_of(at_ms: int) -> bytes:
    """An instant as an entry of the ledger."""
    return at_ms.to_bytes(_TIME_BYTES, "big")


def at_of(entry: bytes) -> int:
    """The instant of an entry."""
    return int.from_bytes(entry, "big")


class _Head(msgspec.Struct):
    trayecto_erasures: int
    check: str


class _Line(msgspec.Struct):
    hash: str
    erased_at: str


def write_ledger(path: Path, erasures: Erasures, entries: Iterable[tuple[bytes, int]]) -> int:
    """Write a ledger's file: a head that says which key, then a line of JSON for each hash; returns how many.

    Raises:
        OSError: it cannot be written.
    """
    made = dict(sorted(entries, key=lambda entry: entry[1]))  # of two, the later
    lines: list[msgspec.Struct] = [_Head(_LEDGER_FORMAT, erasures.check.hex())]
    lines += [_Line(hashed.hex(), format_time(at_ms)) for hashed, at_ms in sorted(made.items())]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return len(made)


def read_ledger(path: Path, key: str = "") -> Erasures:
    """Read a ledger's file that was made with this key.

    Raises:
        LedgerError: it is none, cannot be read, or was made with another key.
    """
    try:
        head, *lines = path.read_bytes().splitlines()
        said = msgspec.json.decode(head, type=_Head)
        entries = [msgspec.json.decode(line, type=_Line) for line in lines]
        known = {bytes.fromhex(line.hash): parse_time(line.erased_at) for line in entries}
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise LedgerError(
            f"{path} is no ledger of erasures: give a file that trayecto contact ledger wrote"
        ) from None
    made = Erasures(key, known)
    if said.check != made.check.hex():
        raise LedgerError(
            f"{path} was written with another key: set erasure_key (TRAYECTO_ERASURE_KEY) as it was then"
        )
    return made
