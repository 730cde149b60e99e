"""The section of a row that says where it comes from: who became this contact, and since when it counts."""

from __future__ import annotations

from librt.strings import BytesWriter
from mypy_extensions import mypyc_attr

from processor.core.packing import Reader, put_count, put_text, put_time

__all__ = ["Origin"]


@mypyc_attr(acyclic=True)
class Origin:
    """Whom a contact was before.

    ``merged`` are the ids of the contacts that became this one, the latest last: their rows are aliases that
    go with this one when it is erased. ``anew_ms`` is when the contact was erased that began anew under this
    id (0: never): events from before then are not its own.
    """

    def __init__(self, anew_ms: int, merged: list[str]) -> None:
        self.anew_ms = anew_ms
        self.merged = merged

    @staticmethod
    def read(data: bytes, begin: int, end: int) -> Origin:
        """Read a section; one without bytes says nothing."""
        if begin == end:
            return Origin(0, [])
        at = Reader(data, begin)
        anew_ms = at.time()
        merged: list[str] = []
        left = at.count()
        while left > 0:
            merged.append(at.text())
            left -= 1
        return Origin(anew_ms, merged)

    def write(self, to: BytesWriter) -> None:
        """Write a section."""
        if self.anew_ms or self.merged:
            put_time(to, self.anew_ms)
            put_count(to, len(self.merged))
            for name in self.merged:
                put_text(to, name)
