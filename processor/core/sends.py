"""The section of a row that holds recent sends, which count toward the caps."""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i64_le
from mypy_extensions import i64, mypyc_attr, u8

from processor.core.limits import SENT_MAX
from processor.core.packing import Reader, put_blob, put_count, put_name, put_time

__all__ = ["Sends"]

_TIME_BYTES: Final = 8
_SEND_KINDS_MAX: Final = 200  # of one contact; a byte tells them apart


@mypyc_attr(acyclic=True)
class Sends:
    """Recent sends, which count toward the caps: when, and on which channel for which purpose.

    ``times`` are packed and ascend; ``kinds`` has a byte for each: a place in ``channels`` and ``purposes``.
    """

    def __init__(self, times: bytes, kinds: bytes, channels: list[str], purposes: list[str]) -> None:
        self.times = times
        self.kinds = kinds
        self.channels = channels
        self.purposes = purposes

    def __len__(self) -> int:
        return len(self.kinds)

    def at_ms(self, index: i64) -> i64:
        """The instant of a send."""
        return read_i64_le(self.times, index * _TIME_BYTES)

    def add(self, at_ms: i64, channel: str, purpose: str, keep_after_ms: i64) -> None:
        """Note a send; what is not after ``keep_after_ms``, or beyond SENT_MAX, is let go."""
        size: i64 = len(self.kinds)
        cut: i64 = max(0, size + 1 - SENT_MAX)
        while cut < size and self.at_ms(cut) <= keep_after_ms:
            cut += 1
        place = self._place(channel, purpose)
        times = BytesWriter()
        times.write(self.times[cut * _TIME_BYTES :])
        put_time(times, at_ms)
        kinds = BytesWriter()
        kinds.write(self.kinds[cut:])
        kinds.append(u8(place))
        self.times = times.getvalue()
        self.kinds = kinds.getvalue()

    def _place(self, channel: str, purpose: str) -> i64:
        channels = self.channels
        for index in range(len(channels)):
            if channels[index] == channel and self.purposes[index] == purpose:
                return index
        if len(channels) >= _SEND_KINDS_MAX:
            self._forget_unused()
        self.channels.append(channel)
        self.purposes.append(purpose)
        return len(self.channels) - 1

    def _forget_unused(self) -> None:
        used = sorted(set(self.kinds))
        places = {old: new for new, old in enumerate(used)}
        self.channels = [self.channels[old] for old in used]
        self.purposes = [self.purposes[old] for old in used]
        self.kinds = bytes([places[old] for old in self.kinds])

    def all(self) -> list[tuple[int, str, str]]:
        """Every send: (at ms, channel, purpose)."""
        found: list[tuple[int, str, str]] = []
        for index in range(len(self.kinds)):
            kind = self.kinds[index]
            found.append((self.at_ms(index), self.channels[kind], self.purposes[kind]))
        return found

    @staticmethod
    def read(at: Reader) -> Sends:
        """Read a section."""
        channels: list[str] = []
        purposes: list[str] = []
        left = at.count()
        while left > 0:
            channels.append(at.name())
            purposes.append(at.name())
            left -= 1
        return Sends(at.blob(), at.blob(), channels, purposes)

    def write(self, to: BytesWriter) -> None:
        """Write a section."""
        put_count(to, len(self.channels))
        for index in range(len(self.channels)):
            put_name(to, self.channels[index])
            put_name(to, self.purposes[index])
        put_blob(to, self.times)
        put_blob(to, self.kinds)
